"""Limits: each is enforced, told by its name, and raised by whoever compiles, never by the spec."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cnndsl
from cnndsl.diagnostics import Code
from cnndsl.limits import LIMITS, Limits

FLAT = "input: [1, 8, 8]\nnetwork: [ReLU, Flatten]\n"
LINEAR = "input: [1, 8, 8]\nnetwork: [Flatten, Linear: 10]\n"
#: For each limit a spec, and how much of the limit it needs.
NEEDED = {
    "file": (len(FLAT), FLAT),
    "nodes": (10, FLAT),
    "files": (2, "use: [more.yaml, blocks.yaml]\ninput: [1, 8, 8]\nnetwork: [A, B]\n"),
    "nesting": (3, "input: [1, 8, 8]\nnetwork: [Softmax: 1]\n"),
    "aliases": (2, "input: &a [1, 8, 8]\nparams: {b: *a, c: *a}\nnetwork: [ReLU, {when: $(b == c), ReLU: }]\n"),
    "blocks": (2, "input: [1, 8, 8]\nblocks:\n  A: [ReLU]\n  B: [ReLU]\nnetwork: [A, B]\n"),
    "calls": (2, "input: [1, 8, 8]\nblocks:\n  A: [ReLU]\n  B: [A]\nnetwork: [B]\n"),
    "times": (3, "input: [1, 8, 8]\nnetwork:\n  - repeat: [ReLU]\n    times: 3\n"),
    "steps": (3, "input: [1, 8, 8]\nnetwork: [ReLU, ReLU, Flatten]\n"),
    "edges": (2, "input: [1, 8, 8]\nnetwork:\n  - branch: [[], [ReLU]]\n"),
    "evaluation": (12, "input: [1, 8, 8]\nnetwork: [Flatten, Linear: $(1 + 2 * 3)]\n"),
    "parameters": (650, LINEAR),
    "elements": (640, LINEAR),
}


@pytest.mark.parametrize("name", Limits.__struct_fields__)
def test_each_limit_is_kept_to_the_unit_and_named_in_the_help(name: str, tmp_path: Path) -> None:
    needed, text = NEEDED[name]
    spec = tmp_path / "net.yaml"
    spec.write_text(text)
    (tmp_path / "blocks.yaml").write_text("blocks: {A: [ReLU]}\n")
    (tmp_path / "more.yaml").write_text("blocks: {B: [ReLU]}\n")
    assert cnndsl.check(spec, limits=LIMITS.changed(f"{name}={needed}")) == []
    (fault,) = cnndsl.check(spec, limits=LIMITS.changed(f"{name}={needed - 1}"))
    assert fault.code is Code.LIMIT
    assert f"`--limits {name}=...`" in fault.help


def test_the_table_in_the_docs_is_the_one_in_the_code() -> None:
    page = (Path(__file__).parent.parent / "docs" / "language.md").read_text()
    listed = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", page, re.MULTILINE)
    assert {name: int(number.replace(",", "")) for name, number in listed} == LIMITS.as_dict()


def test_a_raised_limit_lets_a_large_network_through() -> None:
    text = "input: [1]\nnetwork:\n  - repeat:\n      - repeat: [ReLU]\n        times: 300\n    times: 100\n"
    assert [item.code for item in cnndsl.check(cnndsl.Text(text))] == [Code.LIMIT]
    assert cnndsl.check(cnndsl.Text(text), limits=Limits(steps=70_000)) == []


NONE = ["", "steps", "steps=", "steps=0", "steps=-3", "steps=many", "stps=3", "steps=3,,", "steps=1e9"]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match="limit"):
        LIMITS.changed(text)


def test_several_are_changed_at_once() -> None:
    assert LIMITS.changed("steps=40_000, edges=7") == Limits(steps=40_000, edges=7)
