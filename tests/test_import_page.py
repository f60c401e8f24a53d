"""docs/import.md has every code of an import, and the signature of the function. `test_pages.py` runs it."""

from __future__ import annotations

import re
from pathlib import Path

import cnndsl
from cnndsl.diagnostics import Code

PAGE = Path(__file__).parent.parent / "docs" / "import.md"


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
