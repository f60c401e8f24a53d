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
from cnndsl.editing.answers import Edit, Fix
from cnndsl.editing.fixing.candidates import Candidate, candidates
from cnndsl.editing.fixing.places import line_end, place
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec.silence import COMMENT

#: The most candidates that are tried for one diagnostic.
ENOUGH = 40


def fixes(analysis: Analysis, span: Span) -> tuple[Fix, ...]:
    """The changes that mend what is wrong at a span of the text, for each diagnostic the most likely first."""
    here = [one for one in analysis.compilation.diagnostics if _is_at(one, span)]
    return tuple(fix for diagnostic in here for fix in _of(analysis, diagnostic))


def _is_at(diagnostic: Diagnostic, span: Span) -> bool:
    at = diagnostic.span
    return at is not None and at.source.name == span.source.name and at.start <= span.end and span.start <= at.end


def _of(analysis: Analysis, diagnostic: Diagnostic) -> Iterator[Fix]:
    found = [*_mending(analysis, diagnostic)]
    for candidate in found:
        yield Fix(candidate.title, candidate.edits, diagnostic, is_preferred=candidate is found[0])
    if not diagnostic.is_error and (silenced := _silenced(analysis, diagnostic)):
        yield silenced


def _mending(analysis: Analysis, diagnostic: Diagnostic) -> Iterator[Candidate]:
    """The candidates that mend, one for each of the things that the help says: the first that leaves nothing wrong in
    what it wrote, or else the first that leaves something to complete."""
    assert diagnostic.span is not None
    found = candidates(diagnostic, place(analysis.source, diagnostic.span), lambda word: _names(analysis, word))
    tried: set[str] = set()
    for _, alike in groupby(found, lambda candidate: candidate.about):
        mending = None
        for candidate in alike:
            text = edited(analysis.source.text, candidate.edits)
            if text in tried or text == analysis.source.text or len(tried) > ENOUGH:
                continue
            tried.add(text)
            outcome = tried_out(analysis, diagnostic, candidate.edits)
            if outcome is Outcome.MENDED or (outcome is Outcome.BEGUN and mending is None):
                mending = candidate
            if outcome is Outcome.MENDED:
                break
        if mending is not None:
            yield mending


def _names(analysis: Analysis, word: str) -> Sequence[str]:
    """The names of the arguments that a layer or block takes in a list."""
    document = analysis.alive.document
    if document and word in document.blocks:
        return [parameter.name for parameter in document.blocks[word].parameters]
    return [*LAYERS[word].positional()] if word in LAYERS else []


def _silenced(analysis: Analysis, diagnostic: Diagnostic) -> Fix | None:
    """A comment that silences a warning, or one more code in the comment that is there."""
    assert diagnostic.span is not None
    source, id = analysis.source, diagnostic.code.id
    if diagnostic.code is Code.SILENCED:
        return None
    start = source.offset(diagnostic.span.line)
    end = line_end(source, start)
    comment = COMMENT.search(source.text, start, end)
    if comment:
        at = comment.start() + len(comment[0].rstrip())
        edit = Edit(Span(source, at, at), f", {id}")
    else:
        at = start + len(source.text[start:end].rstrip())
        edit = Edit(Span(source, at, at), f"  # cnndsl: ignore {id}")
    if tried_out(analysis, diagnostic, (edit,)) is not Outcome.MENDED:
        return None
    return Fix(f"Silence {id} on this line", (edit,), diagnostic)


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


def edited(text: str, edits: Sequence[Edit]) -> str:
    """A text with edits, which do not overlap."""
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


class Outcome(Enum):
    """What edits do to a diagnostic: it stays, or it is gone, or it is gone and what they wrote is to be completed:
    `Conv2d` in place of `Conv2D` may lack arguments."""

    WORSE = 0
    BEGUN = 1
    MENDED = 2


def tried_out(analysis: Analysis, diagnostic: Diagnostic, edits: Sequence[Edit]) -> Outcome:
    """Compiles the text with edits."""
    files = analysis.files.but({analysis.path: edited(analysis.source.text, edits)})
    after = checked(analysis.path, files).diagnostics
    if any(_is_same(diagnostic, one, edits) for one in after):
        return Outcome.WORSE
    counts = Counter((one.code, one.message) for one in after)
    counts -= Counter((one.code, one.message) for one in analysis.compilation.diagnostics)
    new = [one for one in after if (one.code, one.message) in counts and one.is_error]
    written = [one for one in new if _touches(one, edits)]
    limit = stage(diagnostic)
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
