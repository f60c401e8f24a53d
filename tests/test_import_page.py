"""docs/import.md: its files are as it shows them, and its commands print what it says.

``pytest --update`` writes what they print now into the page.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code

PAGE = Path(__file__).parent.parent / "docs" / "import.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: What differs between runs: times, rates and losses, which depend on torch's version.
VARYING = re.compile(r"\d{4}-\d\d-\d\dT[\d-]+|\d[\d,]*\.\d+|\d[\d,]* examples")


def ran(command: str) -> str:
    """What a command prints, on both streams."""
    result = CliRunner().invoke(cli, shlex.split(command)[1:])
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def shown(kind: str, text: str) -> str:
    """A block as it should be, in a folder that has the files of those before it."""
    if kind == "console":
        command = text.partition("\n")[0].removeprefix("$ ")
        return f"$ {command}\n{ran(command)}".rstrip() + "\n"
    first, _, rest = text.partition("\n")
    named = re.fullmatch(r"# (\w+\.(?:py|yaml))", first)
    if named is None:
        return text
    path = Path(named[1])
    if path.suffix == ".yaml" and path.exists():  # a command made it
        return f"{first}\n{path.read_text()}"
    path.write_text(rest)
    return text


@pytest.mark.usefixtures("own_folder")
def test_the_page_is_what_happens(update: bool) -> None:
    page = PAGE.read_text()
    made = FENCE.sub(lambda fence: f"```{fence[1]}\n{shown(fence[1], fence[2])}```", page)
    if update:
        PAGE.write_text(made)
    assert VARYING.sub("N", made) == VARYING.sub("N", PAGE.read_text())
    assert page.count("$ cnndsl import") >= 3 and "error[CNN217]" in made


def test_the_page_has_every_code_of_an_import() -> None:
    codes = [code.id for code in Code if code.id >= "CNN214" or code is Code.LEFT_OUT]
    assert all(code in PAGE.read_text() for code in codes)


def test_the_signature_in_the_page_is_that_of_the_function() -> None:
    import inspect

    parameters = inspect.signature(cnndsl.from_module).parameters.values()
    assert f"from_module({', '.join(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)}" in re.sub(
        "=None", "", PAGE.read_text()
    )
    assert all(f"{p.name}=" in PAGE.read_text() for p in parameters if p.default is not p.empty)
