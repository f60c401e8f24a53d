"""The workflow in docs/reviews.md: its commands do in a repository what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pages
import pytest
import yaml

PAGE = pages.DOCS / "reviews.md"
#: What GitHub puts in place of its expressions.
GITHUB = {"github.base_ref": "main", "github.event.number": "7", "github.token": "secret"}


@pytest.fixture
def repository(own_folder: Path) -> Path:
    """The repository of the page, with the branch and its base as GitHub checks them out, and `cnndsl` and `gh`."""
    pages.check(PAGE, update=False)
    pages.ran("git update-ref refs/remotes/origin/main main")
    tools = own_folder / ".tools"
    tools.mkdir()
    script(tools / "cnndsl", f'exec "{sys.executable}" -m cnndsl "$@"')
    script(tools / "gh", 'echo "$@" > told; cat "${@: -1}" >> told')
    return own_folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def workflow() -> dict[str, Any]:
    (text,) = re.findall(r"```yaml\n# .github/workflows/.*?\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return dict(yaml.safe_load(text))


def shown(command: str) -> str:
    """What the page shows that a command prints."""
    (output,) = re.findall(rf"```console\n\$ {re.escape(command)}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(output)


def run_steps(repository: Path) -> dict[str, subprocess.CompletedProcess[str]]:
    """Commits the folder of the specs, and runs the steps but for the installation as GitHub does, by name."""
    pages.ran("git add networks && git commit -qm 'A pull request'")
    job = workflow()["jobs"]["specs"]
    set_by_job = {
        name: re.sub(r"\$\{\{ (.*?) \}\}", lambda found: GITHUB[found[1]], value) for name, value in job["env"].items()
    }
    environment = {
        **os.environ,
        **set_by_job,
        "PATH": os.pathsep.join([str(repository / ".tools"), os.environ["PATH"]]),
        "PYTHONPATH": str(pages.ROOT),
        "GITHUB_STEP_SUMMARY": str(repository / "summary.md"),
    }
    runs = {step["name"]: step["run"] for step in job["steps"] if "run" in step and step["name"] != "Install"}
    return {
        name: subprocess.run(
            ["bash", "-e", "-c", run], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for name, run in runs.items()
    }


def test_the_steps_of_the_workflow_do_what_the_page_shows(repository: Path) -> None:
    told = run_steps(repository)
    found = {name: finished.returncode for name, finished in told.items()}
    assert found == {"Report every error at its line": 1, "Check the layout": 0, "Tell what changes": 0, "Comment": 0}
    assert (
        told["Report every error at its line"].stdout.strip() == shown("cnndsl check --format github networks").strip()
    )
    report = shown("cnndsl diff main --format markdown -- networks/small.yaml").replace("main:", "base/")
    summary = (repository / "summary.md").read_text()
    assert summary.strip() == f"**added** `networks/tiny.yaml`\n{report}".strip()
    assert (repository / "told").read_text().split("\n", 1) == [
        "pr comment 7 --edit-last --create-if-none --body-file report.md",
        (repository / "report.md").read_text(),
    ]


def test_a_spec_with_errors_fails_the_step(repository: Path) -> None:
    small = repository / "networks/small.yaml"
    small.write_text(small.read_text().replace("Flatten", "Flattn"))
    told = run_steps(repository)["Tell what changes"]
    assert told.returncode == 1
    assert "did you mean `Flatten`?" in told.stdout
    assert "**errors** in `networks/small.yaml`" in (repository / "summary.md").read_text()


def test_a_library_of_blocks_is_not_a_network(repository: Path) -> None:
    """It is not compared, but the networks that use it are."""
    networks = repository / "networks"
    (networks / "tiny.yaml").unlink()
    block, network = "use: common.yaml\n", "input: [1, 8, 8]\nnetwork:\n  - B: 4\n"
    (networks / "common.yaml").write_text("blocks:\n  B(n):\n    - Conv2d: [$n, 1]\n")
    (networks / "user.yaml").write_text(block + network)
    pages.ran("git add networks && git commit -qm Library && git update-ref refs/remotes/origin/main HEAD")
    (networks / "common.yaml").write_text("blocks:\n  B(n):\n    - Conv2d: [$n, 3]\n")
    told = run_steps(repository)["Tell what changes"]
    assert (told.returncode, told.stdout) == (0, "")
    assert re.findall(r"^\*\*.*", (repository / "summary.md").read_text(), re.M) == [
        "**`base/networks/user.yaml` → `networks/user.yaml`**"
    ]


def test_specs_that_moved_or_went_are_told(repository: Path) -> None:
    networks = repository / "networks"
    (networks / "tiny.yaml").unlink()
    (networks / "old.yaml").write_text("input: [7, 9]\nnetwork:\n  - ReLU\n")
    (networks / "library.yaml").write_text("blocks:\n  B:\n    - Sigmoid\n")
    pages.ran("git add networks && git commit -qm More && git update-ref refs/remotes/origin/main HEAD")
    pages.ran("git mv networks/small.yaml networks/large.yaml && git rm -q networks/old.yaml networks/library.yaml")
    large = networks / "large.yaml"
    large.write_text(large.read_text().replace("Linear: 10", "Linear: 20"))
    told = run_steps(repository)["Tell what changes"]
    assert (told.returncode, told.stdout) == (0, "")
    summary = (repository / "summary.md").read_text()
    assert re.findall(r"^\*\*.*", summary, re.M) == [
        "**renamed** `networks/small.yaml` → `networks/large.yaml`",
        "**`small` → `large`**",
        "**removed** `networks/old.yaml`",
    ]
    assert "10 → 20" in summary


def test_the_install_step_installs_what_the_project_needs() -> None:
    (install,) = (step["run"] for step in workflow()["jobs"]["specs"]["steps"] if step.get("name") == "Install")
    assert [line.split()[:2] for line in install.splitlines()] == [["pip", "install"]] * 2


def test_every_hook_of_the_page_exists() -> None:
    (text,) = re.findall(r"```yaml\n# .pre-commit-config.yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    hooks = {hook["id"] for hook in yaml.safe_load((pages.ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {hook["id"] for repo in yaml.safe_load(text)["repos"] for hook in repo["hooks"]} == hooks
