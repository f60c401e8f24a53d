"""Builds the site, `make site`: gathers its pages in a folder, then Zensical makes HTML of them, strictly and offline.

The pages are those of docs/ as they are, so that they are as good on GitHub; CONTRIBUTING.md and CHANGELOG.md; and one
for each other file of the project that a page links to, such as the specs of the zoo.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CONFIG = ROOT / "zensical.toml"
#: The pages that are not pages of docs/, and their names in the site. For the README that is the first page.
BESIDES = {
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/tour.ipynb": "tour.md",
    "README.md": "index.md",
}
#: The files of docs/ that the site takes.
TAKEN = {".md", ".svg", ".png", ".json", ".css"}
#: A block of code, or a link or the source of a picture. Links in code stay as they are.
LINK = re.compile(
    r'^ *(?P<fence>```+).*?^ *(?P=fence)$|(?P<before>\]\(|(?:src|href)=")(?P<target>[^)"#\s]+)',
    re.MULTILINE | re.DOTALL,
)
#: What Zensical says of a link: what is wrong, and its page, line and column.
ISSUE = re.compile(r"Warning: (.*)\n *╭─\[ (\S+) \]")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml"}


def main() -> None:
    folder = ROOT / "build" / "site"
    try:
        build(folder)
    except ValueError as error:
        sys.exit(str(error))
    print(f"{folder.relative_to(ROOT)}/site/index.html")


def build(folder: Path) -> None:
    """Writes the site to ``folder / "site"``. Raises ``ValueError`` with the links and anchors that lead nowhere."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in gathered().items():
        path = folder / "docs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    shutil.copy(CONFIG, folder)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(folder / CONFIG.name)]
    built = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if built.returncode:
        plain = re.sub(r"\x1b\[[\d;]*m", "", built.stdout)
        raise ValueError("\n".join(f"{at}: {what}" for what, at in ISSUE.findall(plain)) or plain)


def gathered() -> dict[str, bytes]:
    """The files of the site by their names in it."""
    waiting = [path for path in DOCS.rglob("*") if path.suffix in TAKEN]
    waiting += [ROOT / name for name in BESIDES if BESIDES[name] != "index.md"]
    made: dict[str, bytes] = {}
    while waiting:
        path = waiting.pop()
        name = named(path)
        if name.endswith(".md") and name not in made:
            text, linked = relinked(path.read_text() if path.suffix == ".md" else shown(path), path, name)
            made[name] = text.encode()
            waiting += linked
        elif name not in made:
            made[name] = path.read_bytes()
    return made


def named(path: Path) -> str:
    """The name in the site of a file of the project."""
    inside = path.relative_to(ROOT).as_posix()
    if inside in BESIDES:
        return BESIDES[inside]
    return inside.removeprefix("docs/") if path.is_relative_to(DOCS) and path.suffix in TAKEN else f"files/{inside}.md"


def shown(path: Path) -> str:
    """The page of a file that is not a page, or of a folder. The search finds it only if it is a notebook."""
    if path.suffix == ".ipynb":
        return "\n\n".join(map(_cell, json.loads(path.read_text())["cells"]))
    inside = path.relative_to(ROOT).as_posix()
    head = f"---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n# {inside}\n\n"
    if path.is_dir():
        return head + "".join(f"- `{file.name}`\n" for file in sorted(path.iterdir()) if file.name[0] not in "._")
    return f"{head}````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text().rstrip()}\n````\n"


def _cell(cell: dict[str, Any]) -> str:
    """A cell of a notebook: its text, or its code with what that gave."""
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        return source
    return "\n\n".join([f"```python\n{source}\n```", *map(_output, cell["outputs"])])


def _output(output: dict[str, Any]) -> str:
    data = {"text/plain": output.get("text", ""), **output.get("data", {})}
    if "image/svg+xml" in data:
        picture = base64.b64encode("".join(data["image/svg+xml"]).encode()).decode()
        return f"![figure](data:image/svg+xml;base64,{picture})"
    if "image/png" in data:
        return f"![figure](data:image/png;base64,{''.join(data['image/png'].split())})"
    return f"```text\n{''.join(data['text/plain']).rstrip()}\n```"


def relinked(text: str, page: Path, name: str) -> tuple[str, list[Path]]:
    """A page with its links as they have to be in the site, and the files of the project to which they lead."""
    linked: list[Path] = []

    def replaced(link: re.Match[str]) -> str:
        path = None if link["fence"] or re.match(r"\w+:", link["target"]) else (page.parent / link["target"]).resolve()
        if path is None or not path.exists() or not path.is_relative_to(ROOT):
            return link[0]
        linked.append(path)
        return link["before"] + os.path.relpath(named(path), Path(name).parent)

    return LINK.sub(replaced, text), linked


if __name__ == "__main__":
    main()
