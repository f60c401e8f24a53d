"""One layout for specs: settled, nothing lost, and archs/ stands in it."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spec_grammar import spec

import cnndsl
from cnndsl.cli import cli
from cnndsl.fmt import Unchanged
from cnndsl.fmt.layout import Layout

ROOT = Path(__file__).parent.parent
WILD = """\
# head
{"name": 'wild', input: [1, 28,28], # shape
 network: [
   # first
   {Conv2d: {out_channels: 6, kernel_size: 5}}, # conv
   Flatten,

   'Linear': "10"   ,
   ], # end
}
# tail
"""
TIDY = """\
# head
name: wild
input: [1, 28, 28]  # shape

network:
  # first
  - Conv2d: {out_channels: 6, kernel_size: 5}  # conv
  - Flatten

  - Linear: "10"
# end
# tail
"""


def run(*arguments: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnndsl", "fmt", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, input=given, capture_output=True, text=True, timeout=120)


def test_the_layout() -> None:
    assert cnndsl.format(WILD) == TIDY


@pytest.mark.parametrize(
    "text",
    [
        TIDY,
        "\ufeffinput: [1, 2, 2]\r\nnetwork:\r\n- Flatten # a\r\n-   Linear: 3\r\n",
        "input: &size [4]\nnetwork:\n  - Linear: 3 # 1\nexpect: {output: *size}\n",
        "description: | # why\n  two\n    lines # no comment\n# after\ninput: [4]\nnetwork: [Linear: 3]\n",
        "description: >-\n    folded\n    text\n\ninput: [4]\nnetwork: [Linear: 3]\n",
        "description: 'it # is: \"no\" comment'\ninput:\n# a\n  - 4 # b\n"
        "network:\n  - # c\n    Linear: # d\n      3 # e\n",
        "name: 'no'\ndescription: a\n  b\ninput: [4]\nnetwork: [ReLU, {ReLU: }, {name: a, ReLU: }]\n",
    ],
)
def test_it_settles_at_once(text: str) -> None:
    once = cnndsl.format(text)
    assert cnndsl.format(once) == once
    assert text.count("#") == once.count("#")


@pytest.mark.parametrize(
    ("text", "laid"),
    [
        ("description: a\n\n b\n", 'description: "a\\nb"\n'),
        ("params:\n  a: x\n\n\n    y # why\n", 'params:\n  a: "x\\n\\ny"  # why\n'),
        ("params: {a: x\n\n  y, b: [&z u\n\n v, *z ]}\n", 'params: {a: "x\\ny", b: [&z "u\\nv", *z ]}\n'),
        ('- ReLU\n- it\'s\n\n  "so"\n', '- ReLU\n- "it\'s\\n\\"so\\""\n'),
        ("a\n\nb\n", '"a\\nb"\n'),
        ("network: [-, ReLU]\n", 'network:\n  - "-"\n  - ReLU\n'),
    ],
)
def test_a_plain_text_that_cannot_stand_on_one_line_gets_quotes(text: str, laid: str) -> None:
    assert cnndsl.format(text) == laid
    assert _loads(laid) == _loads(text)


@pytest.mark.parametrize("style", ["|", ">", "|-"])
def test_spaces_at_the_ends_of_lines_of_a_block_scalar_are_kept(style: str) -> None:
    laid = cnndsl.format(f"description: {style}\n    a  \n      \n  \n    b\n")
    assert laid == f"description: {style}\n  a  \n    \n\n  b\n"


CASES = [*ROOT.glob("tests/cases/err/*.yaml"), *ROOT.glob("archs/*/*.yaml")]


def test_specs_with_faults_settle_too() -> None:
    formatted = 0
    for path in CASES:
        try:
            once = cnndsl.format(path.read_bytes().decode())
        except (cnndsl.SpecError, UnicodeDecodeError):
            continue
        formatted += 1
        assert cnndsl.format(once) == once, path
    assert formatted > 50


def written(rng: Random) -> str:
    """A random spec in one of YAML's many styles, with comments wherever they leave its values alone."""
    values = spec(rng)
    style: dict[str, Any] = {
        "default_flow_style": rng.choice([True, False, None]),
        "default_style": rng.choice([None, None, '"', "'"]),
        "width": rng.choice([20, 60, 1000]),
        "indent": rng.choice([2, 3, 6]),
    }
    if style["default_style"]:  # quoted numbers would want tags
        values = {"name": "quoted", "description": str(values)}
    text = str(yaml.safe_dump(values, sort_keys=False, **style))
    lines = text.splitlines()
    for number in range(len(lines)):
        if rng.random() < 0.4:
            comment = rng.choice(["  # it's: [a] {comment}", " #", "\n# own", "\n      # indented", "\n"])
            tried = [*lines[:number], lines[number] + comment, *lines[number + 1 :]]
            if _loads("\n".join(tried)) == values:
                lines = tried
    return rng.choice(["\n", "\r\n"]).join("\n".join(lines).split("\n")) + rng.choice(["", "\n\n"])


def _loads(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_random_specs_in_many_styles_settle(rng: Random) -> None:
    text = written(rng)
    once = cnndsl.format(text)
    assert cnndsl.format(once) == once
    assert yaml.safe_load(once) == yaml.safe_load(text)
    assert list(yaml.safe_load(once)) == list(yaml.safe_load(text))


def test_broken_yaml_is_refused_with_its_diagnostics() -> None:
    with pytest.raises(cnndsl.SpecError):
        cnndsl.format("input: [1\nnetwork: }\n")


@pytest.mark.parametrize("old, new", [("# tail", ""), ('"10"', "10"), ("Flatten", "ReLU"), ("\n", "\n- ")])
def test_a_layout_that_loses_something_is_not_used(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Layout.document
    monkeypatch.setattr(Layout, "document", lambda layout: sound(layout).replace(old, new))
    with pytest.raises(Unchanged):
        cnndsl.format(WILD)


SILENCING = """\
input: [8, 4, 4]

network:
  - {Conv2d: {out_channels: 8,
      kernel_size: 1}}  # cnndsl: ignore CNN102
  - BatchNorm2d
"""


def test_a_comment_that_would_come_to_silence_something_else_leaves_the_file_as_it_is() -> None:
    with pytest.raises(Unchanged, match="silence other warnings"):
        cnndsl.format(SILENCING)
    tidy = cnndsl.format(SILENCING.replace(",\n     ", ","))
    assert "  - Conv2d: {out_channels: 8, kernel_size: 1}    # cnndsl: ignore CNN102\n" in tidy


def test_every_character_that_may_be_written_as_an_escape_stays_one() -> None:
    for first in range(0, 0x10000, 64):
        points = [point for point in range(first, first + 64) if not 0xD800 <= point <= 0xDFFF]
        escapes = "".join(f"\\u{point:04x}" for point in points)
        once = cnndsl.format(f'description:   "{escapes}"\nnetwork: [ReLU]\n')
        assert yaml.safe_load(once)["description"] == "".join(map(chr, points))
        assert cnndsl.format(once) == once
    for escape in ("\\N", "\\L", "\\P", "\\u202E", "\\x7f", "\\U0001F98A", "\\0", "\\e"):
        once = cnndsl.format(f'description:   "a{escape}b"\nnetwork: [ReLU]\n')
        assert yaml.safe_load(once) == yaml.safe_load(f'description: "a{escape}b"\nnetwork: [ReLU]\n')


def test_what_is_nested_deeply_is_laid_out_as_fast_as_any_text() -> None:
    depth = 31  # each level used to double the work
    text = "input: [4]\nnetwork: [" + "{sequential: [" * depth + "ReLU" + "]}" * depth + "]\n"
    once = cnndsl.format(text)
    assert cnndsl.format(once) == once
    assert yaml.safe_load(once) == yaml.safe_load(text)


def test_an_item_of_one_key_needs_no_braces() -> None:
    """As docs/language.md says; with an empty value it would be a key without anything."""
    head = "input: [4]\n\nnetwork:\n"
    assert cnndsl.format(f"{head}  - {{name: up}}\n") == f"{head}  - name: up\n"
    for kept in ("  - {name: up, ReLU: }\n", "  - {ReLU: }\n", "  - branch: [[], [from: up]]\n"):
        assert cnndsl.format(head + kept) == head + kept


def test_archs_stand_in_the_layout() -> None:
    done = run("--check", "archs")
    assert (done.returncode, done.stderr) == (0, "")


def test_files_are_changed_only_where_they_differ(tmp_path: Path) -> None:
    path, link = tmp_path / "wild.yaml", tmp_path / "link.yaml"
    path.write_text(WILD)
    path.chmod(0o640)
    link.symlink_to(path)
    assert run("--check", path).returncode == 1
    assert "+name: wild" in run("--diff", path).stdout
    assert path.read_text() == WILD
    assert run(link).returncode == 0
    assert (path.read_text(), path.stat().st_mode & 0o777, link.is_symlink()) == (TIDY, 0o640, True)
    before = path.stat().st_ino
    assert run(path).returncode == 0
    assert path.stat().st_ino == before


def test_a_folder_stands_for_the_specs_in_it(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.yaml").write_text("input:   [4]\nnetwork: [Linear: 3]\n")
    (tmp_path / "other.yaml").write_text("jobs:   {}\n")
    assert run(tmp_path).returncode == 0
    assert (tmp_path / "other.yaml").read_text() == "jobs:   {}\n"
    assert (tmp_path / "inner" / "a.yaml").read_text() == "input: [4]\n\nnetwork:\n  - Linear: 3\n"


def test_a_pipe_and_a_missing_file(tmp_path: Path) -> None:
    assert run("-", given=WILD).stdout == TIDY
    missing = run(tmp_path / "none.yaml")
    assert missing.returncode == 2
    assert "CNN001" in missing.stderr


@pytest.mark.parametrize("text", [WILD, TIDY])
def test_a_pipe_cannot_be_written_in_place(text: str) -> None:
    refused = run("/dev/stdin", given=text)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "cannot be written" in refused.stderr and "`cnndsl fmt -`" in refused.stderr
    assert "formatted" not in refused.stderr
    assert "would change" not in run("--check", "/dev/stdin", given=TIDY).stderr


def test_a_file_that_cannot_be_written_is_not_called_formatted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    (tmp_path / "a.yaml").write_text(WILD)
    monkeypatch.setattr("cnndsl.cli.fmt.write_file", refuse)
    done = CliRunner().invoke(cli, ["fmt", str(tmp_path / "a.yaml")])
    assert done.exit_code == 2 and "a.yaml cannot be written: Permission denied" in done.output
    assert "formatted" not in done.output
