"""Quick fixes of every expected error: what they write is in tests/cases/err/fixes.txt; `--update` writes it anew."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import yaml
from error_cases import FOLDER

from cnndsl.diagnostics import Diagnostic
from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.editing.answers import Fix
from cnndsl.editing.fixes import fixes
from cnndsl.network import check
from cnndsl.remedies import remedies, removals, swaps
from cnndsl.source import Span
from cnndsl.spec.document import Text

CASES = sorted(FOLDER.glob("*.yaml"))
GOLDEN = FOLDER / "fixes.txt"
#: Codes by the stage of the compiler that finds them: what the text is, what its keys and names are, values, shapes.
STAGES = ("CNN00", "CNN01", "CNN02", "CNN03", "CNN04", "CNN1")


def stage(diagnostic: Diagnostic) -> int:
    return next(number for number, start in enumerate(STAGES) if diagnostic.code.id.startswith(start))


def applied(text: str, fix: Fix) -> str:
    pieces, at = [], 0
    for edit in sorted(fix.edits, key=lambda edit: edit.span.start):
        assert edit.span.start >= at, "edits overlap"
        pieces += [text[at : edit.span.start], edit.text]
        at = edit.span.end
    return "".join([*pieces, text[at:]])


@cache
def corpus() -> list[tuple[Analysis, Diagnostic, list[Fix]]]:
    """Every diagnostic of the cases, with its fixes but for the comment that silences it."""
    found = []
    for path in CASES:
        analysis = analyse(path, Buffers({}))
        offered = fixes(analysis, Span(analysis.source, 0, len(analysis.source.text)))
        for diagnostic in analysis.compilation.diagnostics:
            if diagnostic.span is not None and diagnostic.span.source.name == analysis.source.name:
                own = [fix for fix in offered if fix.diagnostic is diagnostic]
                found.append((analysis, diagnostic, [fix for fix in own if not fix.title.startswith("Silence")]))
    return found


def changed(analysis: Analysis, fix: Fix) -> str:
    """The lines that a fix changes, before and after."""
    before, after = analysis.source.text.splitlines(), applied(analysis.source.text, fix).splitlines()
    while before and after and before[0] == after[0]:
        del before[0], after[0]
    while before and after and before[-1] == after[-1]:
        del before[-1], after[-1]
    cut = [f"- {line}" for line in before] + [f"+ {line}" for line in after]
    return "\n".join(line.partition("  # error")[0].partition("  # warning")[0].rstrip() for line in cut)


def test_fixes_are_the_expected_ones(update: bool) -> None:
    lines = []
    for analysis, diagnostic, found in corpus():
        assert diagnostic.span is not None
        for fix in found:
            lines.append(f"{analysis.path.stem}:{diagnostic.span.line}:{diagnostic.span.column} {diagnostic.code.id}")
            lines += [f"{fix.title}", changed(analysis, fix), ""]
    written = "\n".join(lines)
    if update:
        GOLDEN.write_text(written)
    assert written == GOLDEN.read_text(), "pytest --update writes fixes.txt anew; read the diff"


def test_a_fix_mends_and_breaks_nothing() -> None:
    """The fixed file, read from its text alone, is YAML, does not have the diagnostic, and has none that comes before
    it."""
    for analysis, diagnostic, found in corpus():
        assert diagnostic.span is not None
        before = {(one.code, one.message) for one in analysis.compilation.diagnostics}
        for fix in found:
            text = applied(analysis.source.text, fix)
            after = check(Text(text, FOLDER))
            there = diagnostic.span.start + sum(
                len(edit.text) - len(edit.span.text) for edit in fix.edits if edit.span.end <= diagnostic.span.start
            )
            left = {(one.code, one.span.start) for one in after if one.span}
            assert (diagnostic.code, there) not in left, (analysis.path.stem, fix.title)
            new = [one for one in after if (one.code, one.message) not in before and one.is_error]
            assert all(stage(one) >= stage(diagnostic) for one in new), (analysis.path.stem, fix.title)
            if not any(one.code.id < "CNN010" for one in after):
                assert yaml.compose(text) is not None


def test_most_of_what_help_says_to_write_is_a_fix() -> None:
    told = [found for _, one, found in corpus() if remedies(one.help) or removals(one.help) or swaps(one.help)]
    assert len(told) > 400
    assert sum(map(bool, told)) > 0.85 * len(told)


# --- single fixes --------------------------------------------------------------------------------

HEAD = "input: [3, 32, 32]\nnetwork:\n"


def analysed(text: str) -> Analysis:
    path = Path("/nowhere/spec.yaml")
    return analyse(path, Buffers({path: text}))


def offered(text: str, title: str) -> tuple[str, Fix]:
    """The text after the fix with a title that begins so."""
    analysis = analysed(text)
    (found,) = [one for one in fixes(analysis, Span(analysis.source, 0, len(text))) if one.title.startswith(title)]
    return applied(text, found), found


@pytest.mark.parametrize(
    ("line", "silenced"),
    [
        ("  - Conv2d: [8, 3]\n", "  - Conv2d: [8, 3]  # cnndsl: ignore CNN102\n"),
        ("  - Conv2d: [8, 3]   # wide\n", "  - Conv2d: [8, 3]   # wide  # cnndsl: ignore CNN102\n"),
        ("  - Conv2d: [8, 3]\r\n", "  - Conv2d: [8, 3]  # cnndsl: ignore CNN102\r\n"),
    ],
)
def test_a_warning_is_silenced_on_its_line(line: str, silenced: str) -> None:
    text, fix = offered(f"{HEAD}{line}  - BatchNorm2d\n", "Silence CNN102")
    assert text == f"{HEAD}{silenced}  - BatchNorm2d\n" and not fix.is_preferred
    assert analysed(text).compilation.diagnostics == []


def test_a_second_warning_joins_the_comment_of_the_first() -> None:
    text = f"{HEAD}  - Dropout2d\n  - BatchNorm2d\n  - {{name: a, ReLU: }}\n  - Dropout2d  # cnndsl: ignore CNN101\n"
    text += "  - BatchNorm2d\n"
    analysis = analysed(text)
    (fix,) = [
        one
        for one in fixes(analysis, Span(analysis.source, text.rindex("Dropout2d"), text.rindex("Dropout2d")))
        if one.title == "Silence CNN105 on this line"
    ]
    assert "  - Dropout2d  # cnndsl: ignore CNN101, CNN105\n" in applied(text, fix)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "  - residual:\n      - Conv2d: [8, 3, 2, 1] # half\n  - ReLU\n",
            "  - residual:\n      - Conv2d: [8, 3, 2, 1] # half\n"
            "    shortcut: [Conv2d: {out_channels: 8, kernel_size: 1, stride: 2}]\n  - ReLU\n",
        ),
        (
            "  - {residual: [Conv2d: [8, 3, 2, 1]]}\n",
            "  - {residual: [Conv2d: [8, 3, 2, 1]], "
            "shortcut: [Conv2d: {out_channels: 8, kernel_size: 1, stride: 2}]}\n",
        ),
        (
            "  - sequential: [ReLU, residual: [Conv2d: [8, 1]]]\n",
            "  - sequential: [ReLU, {residual: [Conv2d: [8, 1]], "
            "shortcut: [Conv2d: {out_channels: 8, kernel_size: 1}]}]\n",
        ),
    ],
)
def test_a_residual_gets_its_projection(before: str, after: str) -> None:
    text, fix = offered(HEAD + before, "Add `shortcut")
    assert text == HEAD + after and fix.is_preferred
    assert not analysed(text).compilation.errors


def test_what_a_person_decides_is_not_preferred() -> None:
    """Editors apply preferred fixes to a whole file."""
    for _, _, found in corpus():
        assert sum(fix.is_preferred for fix in found) <= 1
        assert not any(fix.is_preferred for fix in found if fix.title.startswith("Remove") or len(found) > 1)


@pytest.mark.parametrize(
    ("help", "told"),
    [
        ("did you mean `ReLU`?", ["ReLU"]),
        ("write a list in brackets: `[3, 3]`", ["[3, 3]"]),
        ("`FashionMNIST`, or `{ImageFolder: {root: pictures}}`", ["FashionMNIST", "{ImageFolder: {root: pictures}}"]),
        ("`int(4 * width)` is 2", ["int(4 * width)"]),
        ("`Conv2d(out_channels, kernel_size)`", []),
        ("it belongs to `branch`", []),
        ("a number, such as `params: 1000`", []),
        ("`repeat: [...]`, and `times: 3` beside it", []),
        ("`cnndsl layers` lists the layers", []),
    ],
)
def test_what_a_help_says_to_write(help: str, told: list[str]) -> None:
    assert remedies(help) == told
