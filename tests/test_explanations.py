"""Every code has a page whose wrong spec has the error and whose right one does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import cnndsl
from cnndsl.diagnostics import Code
from cnndsl.explanations import examples, find_code

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))
from generate import error_reference, said_of

#: Bytes that no Markdown can show; and what goes wrong with runs and imports, not with specs.
WITHOUT_EXAMPLES = {Code.ENCODING, Code.LEFT_OUT, *(code for code in Code if code.id > "CNN2")}


@pytest.mark.parametrize("code", Code, ids=lambda code: code.id)
def test_the_wrong_spec_is_wrong_in_this_way_and_the_right_one_right(code: Code) -> None:
    page = cnndsl.explain(code.id)
    assert page.startswith(f"# {code.id}: {code.title}\n\n")
    if code in WITHOUT_EXAMPLES:
        assert not examples(code)
        return
    assert [example.role for example in examples(code)][:2] == ["wrong", "right"]
    assert {item.code for item in said_of(code, "wrong")} == {code}
    assert said_of(code, "right") == []


def test_no_page_is_left_of_a_code_that_is_gone() -> None:
    pages = Path(cnndsl.__file__).parent.joinpath("explanations").glob("*.md")
    assert {page.stem for page in pages} == {code.id for code in Code}


@pytest.mark.parametrize("name", ["CNN021", "cnn021", "21", "021", "cnn21"])
def test_codes_by_their_short_names(name: str) -> None:
    assert find_code(name) is Code.UNDEFINED


@pytest.mark.parametrize("name", ["", "CNN", "CNN999", "x21", "-1", "²"])
def test_what_is_no_code(name: str) -> None:
    with pytest.raises(ValueError, match="there is no code"):
        cnndsl.explain(name)


def test_the_page_of_errors_is_current() -> None:
    page = Path(__file__).parent.parent / "docs" / "errors.md"
    assert page.read_text() == error_reference()
