"""The benchmarks: how figures become tables, and that docs/performance.md answers every question."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import page
from measure import (
    CPU,
    MEMORY,
    WALL,
    Absent,
    Case,
    Figures,
    Measure,
    Quantity,
    Question,
    answer,
    interleave,
    main,
    run,
    short,
)

RATE = Quantity("examples/s", less_is_better=False)


def taking(*seconds: float, quantity: Quantity = WALL) -> Measure:
    """A contestant that takes so long in each round, the uncounted one included."""
    return lambda round: {quantity: seconds[round]}


def absent(round: int) -> Figures:
    raise Absent("not here")


def question(*cases: Case, **options: object) -> Question:
    return Question("sleep.py", "Two sleepers", "One\n    sleeps.", ("bed",), lambda asked: cases, **options)


def test_ratios_are_those_within_a_round() -> None:
    row = interleave(Case(("a",), {"x": taking(9, 1, 2, 4), "y": taking(9, 2, 8, 12)}), 3, warm=True)
    assert row.median("x", WALL) == "2.00" and row.median("y", WALL) == "8.00"
    assert str(row.ratio("y", WALL)) == "3.00 (2.00 to 4.00)"


def test_more_is_better_turns_the_ratio() -> None:
    row = interleave(Case(("a",), {"x": taking(0, 8, quantity=RATE), "y": taking(0, 2, quantity=RATE)}), 1, warm=False)
    assert str(row.ratio("y", RATE)) == "4.00 (4.00 to 4.00)"


def test_contestants_take_turns() -> None:
    order: list[tuple[str, int]] = []

    def noting(name: str) -> Measure:
        return lambda round: order.append((name, round)) or {WALL: 1}

    interleave(Case(("a",), {"x": noting("x"), "y": noting("y")}), 2, warm=True)
    assert order == [("x", 0), ("y", 0), ("x", 1), ("y", 1), ("x", 2), ("y", 2)]


def test_who_is_absent_is_told_and_not_asked_again() -> None:
    asked: list[int] = []

    def missing(round: int) -> Figures:
        asked.append(round)
        raise ModuleNotFoundError(name="keras")

    row = interleave(Case(("a",), {"x": taking(1, 1, 1), "y": missing}), 2, warm=True)
    assert asked == [0] and row.ratio("y", WALL) is None and row.median("y", WALL) == "keras is not installed"


@pytest.mark.parametrize(
    "value, shown", [(0, "0"), (0.012345, "0.0123"), (1.5, "1.50"), (45.61, "45.6"), (12345, "12,345")]
)
def test_three_digits_count(value: float, shown: str) -> None:
    assert short(value) == shown


def test_a_process_is_measured_and_a_missing_package_named() -> None:
    output, figures = run([sys.executable, "-c", "import time; time.sleep(0.1); print('slept')"])
    assert output == "slept\n" and figures[WALL] >= 0.1 and figures[CPU] >= 0  # no more: the machine may be busy
    with pytest.raises(Absent, match="nowhere is not installed"):
        run([sys.executable, "-c", "import nowhere.at_all"])
    with pytest.raises(Absent, match="failed"):
        run([sys.executable, "-c", "raise SystemExit(1)"])


def test_the_memory_of_a_process_is_its_own() -> None:
    """Whatever the process that starts it has: this one has more."""
    small, large = (run([sys.executable, "-c", f"b'x' * ({size} << 20)"])[1][MEMORY] for size in (0, 150))
    assert small < 20 and 145 < large - small < 155


def test_a_section_has_a_table_for_each_group_and_quantity() -> None:
    cases = (
        Case(("one",), {"cnndsl": taking(0, 1), "peer": taking(0, 3)}, notes=("mind the gap",)),
        Case(("two",), {"cnndsl": taking(0, 4), "peer": taking(0, 3)}, notes=("mind the gap",)),
        Case(("three",), {"cnndsl": taking(0, 4), "floor": absent}, rivals=False),
    )
    got = answer(question(*cases), ["--rounds", "1"])
    assert (
        got.section()
        == """\
## Two sleepers

One sleeps.

Rounds: 1. Repeat with `python benchmarks/sleep.py`.

| bed | cnndsl, s | peer, s | cnndsl : peer |
| --- | ---: | ---: | ---: |
| one | 1.00 | 3.00 | 3.00 (3.00 to 3.00) |
| two | 4.00 | 3.00 | 0.750 (0.750 to 0.750) |

| bed | cnndsl, s | floor, s | cnndsl : floor |
| --- | ---: | ---: | ---: |
| three | 4.00 | not here | n/a |

- mind the gap"""
    )
    summary = page.summary([got])
    assert summary.splitlines()[2:] == ["| [Two sleepers](#two-sleepers) | peer, s | 0.750 to 3.00 | two (0.750) |"]


@pytest.mark.parametrize("script", ["train", "scale_out"])
def test_help_is_for_a_terminal(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (99.0, 99.0, 99.0))
    monkeypatch.setattr(sys, "argv", [f"{script}.py", "--help"])
    with pytest.raises(SystemExit, match="0"):
        main(import_module(script).QUESTION)
    told = capsys.readouterr()
    assert "--rounds" in told.out and "](" not in told.out and "performance.md" not in told.out
    assert not told.err


def test_a_process_has_a_limit() -> None:
    with pytest.raises(Absent, match="more than 0 s"):
        run([sys.executable, "-c", "while True: pass"], limit=0.2)


def test_the_page_answers_every_question() -> None:
    """The figures differ between machines, and nothing compares them; the questions do not."""
    titles, sections = zip(
        *re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page.PAGE.read_text(), re.MULTILINE | re.DOTALL)
    )
    questions = page.questions()
    assert questions and [*titles] == [question.title for question in questions.values()], "run `make bench`"
    for (name, question), section in zip(questions.items(), sections):
        assert Path(question.script).stem == name
        assert f"`python benchmarks/{name}.py`" in section and "| ---" in section
