"""Specs with faults in them: each is reported where it stands, several in one run, typos with the right word."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from mutants import ARCHS, Edit, edits, mutated

from cnndsl.network import compile_spec
from cnndsl.spec.document import Text

SPECS = sorted(ARCHS.glob("*.yaml"))
ALL = {path: list(edits(path, Random(path.stem))) for path in SPECS}


def errors(text: str) -> list[tuple[tuple[int, int], str]]:
    """The place and the help of each error of a text."""
    found = compile_spec(Text(text, ARCHS)).diagnostics
    return [((item.span.line, item.span.column), item.help) for item in found if item.is_error and item.span]


def told(path: Path, change: Edit) -> tuple[bool, bool]:
    """Whether one fault is reported at its place, and with what was meant."""
    text, (place,) = mutated(path.read_text(), [change])
    helps = [help for found, help in errors(text) if found == place]
    return bool(helps), f"did you mean `{change.meant}`?" in helps


def test_each_fault_is_reported_where_it_stands_and_typos_with_the_right_word() -> None:
    results = {(path.stem, change): told(path, change) for path, changes in ALL.items() for change in changes}
    assert len(results) >= 500
    missed = [
        f"{name}: {change.kind} {change.span} {change.text}" for (name, change), (at, _) in results.items() if not at
    ]
    assert len(missed) <= 0.01 * len(results), "\n".join(missed)
    typos = {key: right for key, (_, right) in results.items() if key[1].meant}
    wrong = [f"{name}: {change.text} for {change.meant}" for (name, change), right in typos.items() if not right]
    assert len(typos) >= 200
    assert len(wrong) <= 0.05 * len(typos), "\n".join(wrong)


def is_base(change: Edit) -> bool:
    """Whether it keeps the spec that is extended from being read, without which nothing else is known."""
    return change.kind == "list for a scalar" and ".yaml" in change.text


@pytest.mark.parametrize("count", range(2, 11))
def test_several_faults_are_reported_in_one_run(count: int) -> None:
    """One in each of several lines. Shapes are left out: what follows an unknown one is not looked at, by design."""
    random = Random(count)
    made, missed = 0, []
    for path in SPECS * 3:
        independent = [change for change in ALL[path] if change.kind != "shapes that clash" and not is_base(change)]
        chosen: dict[int, Edit] = {}
        for change in random.sample(independent, len(independent)):
            if len(chosen) < count:
                chosen.setdefault(change.span.line, change)
        text, places = mutated(path.read_text(), list(chosen.values()))
        found = {place for place, _ in errors(text)}
        made += len(places)
        ordered = sorted(chosen.values(), key=lambda change: change.span.start)
        missed += [
            f"{path.stem}: {c.kind} {c.span} {c.text}" for c, place in zip(ordered, places) if place not in found
        ]
    assert len(missed) <= 0.05 * made, f"{len(missed)} of {made}\n" + "\n".join(missed)
