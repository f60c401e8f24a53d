"""YAML as a tree: what scalars mean, and where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cnndsl
from cnndsl.source import Source
from cnndsl.spec.tree import UNKNOWN, Listing, Mapping, Scalar, Tree, Unreadable, plain, read


def tree_of(text: str) -> Tree:
    tree, faults = read(Source("x", text))
    assert not faults
    return tree


def scalars(tree: Tree) -> list[Scalar]:
    if isinstance(tree, Scalar):
        return [tree]
    parts = tree.items if isinstance(tree, Listing) else [part for entry in tree.entries for part in entry]
    return [scalar for part in parts for scalar in scalars(part)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("off", "off"), ("TRUE", True), ("False", False), ("NULL", None), ("0o17", 15), ("0x1F", 31),
        ("-0", 0), ("+12", 12), ("1.", 1.0), ("1e3", 1000.0), ("-.5", -0.5), ("1_000", "1_000"), ("1:30", "1:30"),
        ("0.50", 0.5), ("12e", "12e"), ("nan", "nan"), ("=", "="), ("9007199254740992", 2**53),
    ],
)  # fmt: skip
def test_plain_scalars(text: str, value: object) -> None:
    found = plain(tree_of(f"- {text}\n"))[0]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize("text", ["010", "-007", "00", ".nan", "-.Inf", "1e400", "9007199254740993", "0x" + "f" * 99])
def test_scalars_that_are_refused_are_unknown(text: str) -> None:
    tree, faults = read(Source("x", f"- {text}\n"))
    assert plain(tree) == [UNKNOWN]
    assert [fault.code.id for fault in faults] == ["CNN006"]
    assert faults[0].span and faults[0].span.text == text


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_places_in_every_style(end: str) -> None:
    lines = ["# 😀é", "plain: word", "'single': 'it''s'", '"double": "a\\tb"', "flow: {😀: [x, 'y']}", "anchor: &a  z"]
    found = scalars(tree_of(end.join(lines) + end))
    written = [(s.span.line, s.span.column, s.span.text) for s in found]
    assert written == [
        (2, 1, "plain"), (2, 8, "word"), (3, 1, "'single'"), (3, 11, "'it''s'"), (4, 1, '"double"'),
        (4, 11, '"a\\tb"'), (5, 1, "flow"), (5, 8, "😀"), (5, 12, "x"), (5, 15, "'y'"), (6, 1, "anchor"), (6, 13, "z"),
    ]  # fmt: skip


def test_a_byte_order_mark_moves_no_column(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(b"\xef\xbb\xbfnme: a\r\ninput: [1, 8, 8]\r\nnetwork: [Conv2D]\r\n")
    places = [(fault.span.line, fault.span.column) for fault in cnndsl.check(path) if fault.span]
    assert places == [(1, 1), (3, 11)]


def test_a_block_collection_ends_where_its_last_value_ends() -> None:
    tree = tree_of("a:\n  - b\n\n# a comment\nc: d\n")
    assert isinstance(tree, Mapping)
    assert tree.by_key["a"].span.text == "- b"


def test_a_broken_part_leaves_the_rest() -> None:
    tree, faults = read(Source("x", "a: {<<: 1, b: 2}\nc: *none\nd: !!int 3\ne: 4\n"))
    assert plain(tree) == {"a": UNKNOWN, "c": UNKNOWN, "d": UNKNOWN, "e": 4}
    assert [fault.span.line for fault in faults if fault.span] == [1, 2, 3]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.text("ab0 :-[]{}#&*!|>'\"%@`,\n\t$()", max_size=40))
def test_any_text_is_read_or_refused_at_a_place(text: str) -> None:
    try:
        read(Source("x", text))
    except Unreadable as unreadable:
        assert unreadable.diagnostics[-1].span is not None
        assert unreadable.diagnostics[-1].render()
