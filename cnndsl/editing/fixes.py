"""Quick fixes: changes that mend a diagnostic, as its help says, and comments that silence a warning.

A fix is tried before it is offered. The text with the fix is compiled: the diagnostic must be gone, what the fix wrote
must have no fault of its own, and no fault may have come that an earlier stage of the compiler finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import groupby

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.editing.analysis import Analysis, checked
from cnndsl.editing.answers import Edit, Fix, edited
from cnndsl.editing.fixing.candidates import Candidate, candidates
from cnndsl.editing.fixing.places import line_end, place
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec.silence import COMMENT

#: The most texts that are tried for one diagnostic, and for all at a place.
ENOUGH, AT_ALL = 40, 400


def fixes(analysis: Analysis, span: Span) -> tuple[Fix, ...]:
    """The changes that mend what is wrong at a span of the text, for each diagnostic the most likely first."""
    found: list[Fix] = []
    trials = 0
    for diagnostic in analysis.compilation.diagnostics:
        if _is_at(diagnostic, span) and trials < AT_ALL:
            trial = Trial(analysis, diagnostic)
            found += _of(trial)
            trials += len(trial.tried)
    return tuple(found)


def _is_at(diagnostic: Diagnostic, span: Span) -> bool:
    at = diagnostic.span
    return at is not None and at.source.name == span.source.name and at.start <= span.end and span.start <= at.end


def _of(trial: Trial) -> Iterator[Fix]:
    """The fixes of a diagnostic. One that writes the only thing that the help says is the preferred one."""
    found = [*_mending(trial)]
    for candidate, outcome in found:
        is_preferred = len(found) == 1 and outcome is Outcome.MENDED and candidate.is_written
        yield Fix(candidate.title, candidate.edits, trial.diagnostic, is_preferred)
    if not trial.diagnostic.is_error and (silenced := _silenced(trial)):
        yield silenced


def _mending(trial: Trial) -> Iterator[tuple[Candidate, Outcome]]:
    """The candidates that mend, one for each of the things that the help says: the first that leaves nothing wrong in
    what it wrote, or else the first that leaves something to complete."""
    analysis, here = trial.analysis, place(trial.analysis.source, trial.span)
    found = candidates(trial.diagnostic, here, lambda word: _names(analysis, word))
    for _, alike in groupby(found, lambda candidate: candidate.about):
        best: tuple[Candidate, Outcome] | None = None
        for candidate in alike:
            outcome = trial.outcome(candidate.edits) if len(trial.tried) < ENOUGH else Outcome.WORSE
            if outcome is Outcome.MENDED or (outcome is Outcome.BEGUN and best is None):
                best = candidate, outcome
            if outcome is Outcome.MENDED:
                break
        if best is not None:
            yield best


def _names(analysis: Analysis, word: str) -> Sequence[str]:
    """The names of the arguments that a layer or block takes in a list."""
    document = analysis.alive.document
    if document and word in document.blocks:
        return [parameter.name for parameter in document.blocks[word].parameters]
    return [*LAYERS[word].positional()] if word in LAYERS else []


def _silenced(trial: Trial) -> Fix | None:
    """A comment that silences a warning, or one more code in the comment that is there."""
    source, code = trial.analysis.source, trial.diagnostic.code
    if code is Code.SILENCED:
        return None
    start = source.offset(trial.span.line)
    end = line_end(source, start)
    if comment := COMMENT.search(source.text, start, end):
        at = comment.start() + len(comment[0].rstrip())
        edit = Edit(Span(source, at, at), f", {code.id}")
    else:
        at = start + len(source.text[start:end].rstrip())
        edit = Edit(Span(source, at, at), f"  # cnndsl: ignore {code.id}")
    if trial.outcome((edit,)) is not Outcome.MENDED:
        return None
    return Fix(f"Silence {code.id} on this line", (edit,), trial.diagnostic)


# --- whether a change mends ----------------------------------------------------------------------

#: The stages of the compiler: a fault of a stage hides those of later ones.
_STAGES = ("CNN00", "CNN01", "CNN02", "CNN03", "CNN04", "CNN1")
#: Faults of calls, which are only found once what is called is known.
_OF_CALLS = (Code.MISSING, Code.ARGUMENT)


def stage(diagnostic: Diagnostic) -> float:
    """The stage of the compiler that finds a fault."""
    if diagnostic.code in _OF_CALLS:
        return 1.5
    return next(number for number, start in enumerate(_STAGES) if diagnostic.code.id.startswith(start))


class Outcome(Enum):
    """What edits do to a diagnostic: it stays, or it is gone, or it is gone and what they wrote is to be completed:
    `Conv2d` in place of `Conv2D` may lack arguments."""

    WORSE = 0
    BEGUN = 1
    MENDED = 2


class Trial:
    """Tries edits that may mend a diagnostic. ``tried`` are the texts that were compiled."""

    def __init__(self, analysis: Analysis, diagnostic: Diagnostic) -> None:
        assert diagnostic.span is not None
        self.analysis = analysis
        self.diagnostic = diagnostic
        self.span = diagnostic.span
        self.tried = {analysis.source.text}

    def outcome(self, edits: Sequence[Edit]) -> Outcome:
        """What edits do. A text that was tried before is not tried again."""
        text = edited(self.analysis.source.text, edits)
        if text in self.tried:
            return Outcome.WORSE
        self.tried.add(text)
        after = checked(self.analysis.path, self.analysis.files.but({self.analysis.path: text})).diagnostics
        if any(_is_same(self.diagnostic, one, edits) for one in after):
            return Outcome.WORSE
        counts = Counter((one.code, one.message) for one in after)
        counts -= Counter((one.code, one.message) for one in self.analysis.compilation.diagnostics)
        new = [one for one in after if (one.code, one.message) in counts and one.is_error]
        written = [one for one in new if _touches(one, edits)]
        limit = stage(self.diagnostic)
        if any(stage(one) < limit for one in new) or any(stage(one) == limit for one in written):
            return Outcome.WORSE
        return Outcome.BEGUN if written else Outcome.MENDED


def _is_same(old: Diagnostic, new: Diagnostic, edits: Sequence[Edit]) -> bool:
    """Whether a diagnostic after edits is one from before, or such a fault in what the edits wrote."""
    assert old.span is not None
    if old.code is not new.code or new.span is None or new.span.source.name != old.span.source.name:
        return False
    moved = old.span.start + sum(_growth(edit) for edit in edits if edit.span.end <= old.span.start)
    return new.span.start == moved or _touches(new, edits)


def _touches(diagnostic: Diagnostic, edits: Sequence[Edit]) -> bool:
    """Whether a diagnostic after edits is in a text that they wrote."""
    span, moved = diagnostic.span, 0
    for edit in sorted(edits, key=lambda edit: edit.span.start):
        start = edit.span.start + moved
        if span and edit.text and span.start <= start + len(edit.text) and start <= span.end:
            return True
        moved += _growth(edit)
    return False


def _growth(edit: Edit) -> int:
    return len(edit.text) - (edit.span.end - edit.span.start)
