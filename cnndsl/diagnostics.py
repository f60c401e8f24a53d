"""Diagnostics, the table of their codes, and how they print."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from functools import lru_cache
from typing import Any

from cnndsl import cells
from cnndsl.printable import as_encoded, as_written, one_line
from cnndsl.record import Record
from cnndsl.source import Span

#: The longest text of a spec that a message quotes.
SHOWN = 60
#: The separator between a block and the module in it: a single angle, pointing right.
WAY = " \u203a "
#: The most diagnostics that are shown to people.
MOST = 50
#: The most that are reported at all, and the most that each stage of the compiler finds before it gives up.
ENOUGH = 1000
#: The names that one compile compares for "did you mean": a hundred for each of a thousand faults, or thousands for
#: each of the faults that are shown. They are counted, so that a spec gets the same help on every machine.
ENOUGH_NAMES = 200_000
_left: ContextVar[list[int] | None] = ContextVar("names left to be looked through", default=None)


class Code(Enum):
    """Every kind of diagnostic: a stable code, and what it means.

    Codes below 100 are errors in specs, codes from 100 are warnings, codes from 200 are errors of runs, plugins and
    imports.
    """

    FILE = ("CNN001", "a file cannot be read")
    ENCODING = ("CNN002", "the text is not UTF-8, or contains characters that YAML forbids")
    SYNTAX = ("CNN003", "the YAML cannot be parsed")
    DUPLICATE_KEY = ("CNN004", "a key appears twice in one mapping")
    FEATURE = ("CNN005", "a feature of YAML that specs do not use")
    SCALAR = ("CNN006", "a scalar that could mean several things")
    LIMIT = ("CNN007", "a limit is exceeded")
    PATH = ("CNN008", "`extends` or `use` leaves the project")
    CYCLE = ("CNN009", "specs or parameters that need each other in a cycle")
    TYPE = ("CNN010", "a value of the wrong type or out of range")
    KEY = ("CNN011", "an unknown key")
    MISSING = ("CNN012", "a required key or argument is missing")
    STEP = ("CNN013", "a step that has no word, or more than one")
    LAYER = ("CNN014", "an unknown layer, block, function or class")
    ARGUMENT = ("CNN015", "an unknown argument, or one given twice")
    NAME = ("CNN016", "a name that cannot be used")
    DUPLICATE = ("CNN017", "two things with one name")
    PARAM = ("CNN018", "an unknown or missing parameter")
    EXPRESSION = ("CNN020", "an expression that the language does not have")
    UNDEFINED = ("CNN021", "an undefined name")
    EVALUATION = ("CNN022", "an expression whose value cannot be computed")
    SHAPE = ("CNN030", "a layer that does not accept its input or its arguments")
    INFERRED = ("CNN031", "an argument that contradicts the input")
    CONCAT = ("CNN032", "tensors that cannot be concatenated")
    RESIDUAL = ("CNN033", "the sides of a residual have different shapes")
    BRANCH = ("CNN034", "branches that cannot be split or merged")
    FROM = ("CNN035", "an earlier step that does not exist")
    RECURSION = ("CNN036", "a block that contains itself")
    EXPECT = ("CNN037", "a network that breaks its contract")
    OUTPUT = ("CNN038", "an output that cannot be returned")
    RECIPE = ("CNN040", "a training recipe that does not fit the network or its data")
    SILENCED = ("CNN100", "a comment that silences nothing")
    UNUSED = ("CNN101", "something defined and never used")
    BIAS = ("CNN102", "a bias right before a batch normalisation, which cancels it")
    UNSEEN = ("CNN103", "rows or columns of pixels that no window reaches")
    UNFLATTENED = ("CNN104", "a linear layer on an image that is not flattened")
    DROPOUT = ("CNN105", "a dropout right before a batch normalisation")
    SCORES = ("CNN106", "a network whose end does not fit its loss")
    MISTAKEN = ("CNN107", "an argument that probably means something else")
    IN_PLACE = ("CNN108", "a layer that cannot work in place here")
    HIDING = ("CNN109", "a name that hides another")
    DOUBTFUL = ("CNN110", "weights that load but look wrong")
    FROZEN = ("CNN111", "a size that does not follow that of the input")
    ZERO = ("CNN112", "a parametrization that divides by the norm of zeros")
    LEFT_OUT = ("CNN113", "a part of a module that its spec leaves out")
    DATA = ("CNN201", "a data set that cannot be found")
    SAMPLE = ("CNN202", "data that cannot be trained on")
    LOSS = ("CNN203", "a loss that is not finite")
    CHECKPOINT = ("CNN204", "a checkpoint that cannot be loaded")
    RESUME = ("CNN205", "a run that cannot be resumed")
    BUSY = ("CNN206", "a run that another process is writing")
    WRITE = ("CNN207", "a run that cannot be written")
    DEVICE = ("CNN208", "a device that cannot be used")
    RANKS = ("CNN209", "processes of one training run that disagree")
    EXPORT = ("CNN210", "a module that cannot be exported")
    PLUGIN = ("CNN211", "a plugin that is missing or cannot be loaded")
    WEIGHTS = ("CNN212", "weights that cannot be read, or do not fit the network")
    BROKEN = ("CNN213", "a training run that cannot continue")
    TARGET = ("CNN214", "a module to import that cannot be found or built")
    FORWARD = ("CNN215", "a module to import that does not run on its input")
    OPERATION = ("CNN216", "an operation of a module that the language does not have")
    VALUES = ("CNN217", "a module that reads the values of tensors")
    SEQUENCE = ("CNN218", "a recurrent layer, or attention")
    CONSTANT = ("CNN219", "a tensor of a module that comes from no input")
    STATE = ("CNN220", "parameters or buffers that the module of a spec cannot have")
    UNEQUAL = ("CNN221", "a spec that is not equal to the module it was made of")
    MODEL_FILE = ("CNN222", "a model file of another tool that cannot be imported")
    UNFINISHED = ("CNN223", "an import that failed by a fault of cnndsl")

    def __init__(self, id: str, title: str) -> None:
        self.id = id
        self.title = title

    @property
    def severity(self) -> str:
        return "warning" if self.id.startswith("CNN1") else "error"


class Note(Record, frozen=True):
    """Additional information for a diagnostic, with its own place if it has one."""

    message: str
    span: Span | None = None


class Diagnostic(Record, frozen=True):
    """One fault of a spec: what, where, the trail from the inside out, and what to write instead. ``calls`` are the
    places of the calls in the trail."""

    code: Code
    message: str
    span: Span | None = None
    help: str = ""
    notes: tuple[Note, ...] = ()
    trail: tuple[str, ...] = ()
    calls: tuple[Span, ...] = ()
    #: Whether a warning counts as an error, as under ``--strict``.
    strict: bool = False

    @property
    def severity(self) -> str:
        return "error" if self.strict else self.code.severity

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        return f"{place}{self.severity}[{self.code.id}]: {one_line(self.message)}"

    def as_dict(self) -> dict[str, Any]:
        """Plain data for other programs. Lines and columns are counted from 1, in characters. The end is the column
        after the last character. ``remedies`` is what the help says to write."""
        from cnndsl.remedies import remedies  # here, because only programs ask

        return {
            "code": self.code.id,
            "severity": self.severity,
            "message": self.message,
            **_as_dict(self.span),
            "help": self.help,
            "remedies": remedies(self.help),
            "notes": [{"message": note.message, **_as_dict(note.span)} for note in self.notes],
            "trail": list(self.trail),
        }

    def render(self, encoding: str = "utf-8") -> str:
        """Several lines for people: the message, the line with a caret, the trail, notes and help. The caret is
        in the right column if they are printed in ``encoding``."""
        lines = [str(self)]
        if self.span and not self.span.source.is_option:
            lines += _excerpt(self.span, encoding)
        if self.trail:
            cut = self.trail if len(self.trail) <= 6 else (*self.trail[:3], "…", *self.trail[-2:])
            lines += [f"  = in {one_line(place)}" for place in cut]
        for note in self.notes:
            lines.append(f"  = note: {one_line(note.message)}" + (f" ({note.span})" if note.span else ""))
        if self.help:
            first, *rest = map(one_line, self.help.split("\n"))
            lines += [f"  = help: {first}", *(f"          {line}" for line in rest)]
        return "\n".join(lines)


class Faults(Exception):
    """``diagnostics`` holds all faults of something, sorted by place."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = ordered(diagnostics)
        rendered = [diagnostic.render() for diagnostic in self.diagnostics[:MOST]]
        if len(self.diagnostics) > MOST:
            rendered.append(f"{len(self.diagnostics) - MOST} more are not shown")
        super().__init__("\n\n".join(rendered))

    def __reduce__(self) -> tuple[type[Faults], tuple[object, ...]]:
        """What to copy and pickle: an exception is otherwise made again from its text."""
        return type(self), (self.diagnostics,)


class SpecError(Faults):
    """A spec has errors.

    ``partial`` is the network's outermost module, as far as its shapes could be inferred.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], partial: object = None) -> None:
        super().__init__(diagnostics)
        self.partial = partial

    def __reduce__(self) -> tuple[type[Faults], tuple[object, ...]]:
        return type(self), (self.diagnostics, self.partial)


class ModuleError(Faults):
    """A module cannot become a spec. Each diagnostic is at the line of Python that prevents it.

    ``draft`` is a spec that was made but is not equal to the module, for a report.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], draft: str = "") -> None:
        super().__init__(diagnostics)
        self.draft = draft

    def __reduce__(self) -> tuple[type[Faults], tuple[object, ...]]:
        return type(self), (self.diagnostics, self.draft)


class RunError(Exception):
    """An error of a run, its data, or a plugin; ``diagnostic`` describes it and what to do."""

    def __init__(self, code: Code, message: str, help: str = "", notes: Iterable[str] = (), span: Span | None = None):
        self.diagnostic = Diagnostic(code, message, span, help, tuple(map(Note, notes)))
        super().__init__(self.diagnostic.render())

    def __reduce__(self) -> tuple[type[RunError], tuple[object, ...]]:
        told = self.diagnostic
        return type(self), (told.code, told.message, told.help, tuple(note.message for note in told.notes), told.span)


class FileError(RunError):
    """A file for a run does not exist or cannot be read, whatever it should contain."""


def ordered(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place and code, each fault once: a block that is used ten times has its fault once.

    A diagnostic with a trail was found inside blocks and loops, where messages mention shapes that
    differ between rounds. The first one is kept.
    """
    unique: dict[object, Diagnostic] = {}
    for item in diagnostics:
        unique.setdefault((item.code, item.span, None if item.trail else item.message), item)
    return sorted(unique.values(), key=_place)


def foremost(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The first :data:`ENOUGH` of them in order. If there are more, errors are kept before warnings."""
    found = ordered(diagnostics)
    if len(found) > ENOUGH:
        found = ordered(sorted(found, key=lambda item: not item.is_error)[:ENOUGH])
    return found


def _place(diagnostic: Diagnostic) -> tuple[str, int, str, str]:
    span = diagnostic.span
    file, offset = (span.source.name, span.start) if span else ("", 0)
    return file, offset, diagnostic.code.id, diagnostic.message


def _as_dict(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {}
    line, column = span.source.position(span.end)
    start = {"file": span.source.name, "line": span.line, "column": span.column}
    return {**start, "end_line": line, "end_column": column}


def _excerpt(span: Span, encoding: str) -> list[str]:
    """The line of a span with carets under it; a very long line is cut around them."""
    number = str(span.line)
    text, column = span.source.line(span.line), span.column - 1
    width = max(len(span.first_line.text), 1)
    if len(text) > 160:
        cut = max(column - 60, 0)
        text, column = text[cut : cut + 160], column - cut
    marked = text[column : column + width] or " "
    shown = "".join(character if character == "\t" or character.isprintable() else "\ufffd" for character in text)
    pad = "".join("\t" if character == "\t" else " " * _cells(character, encoding) for character in text[:column])
    carets = "^" * sum(_cells(character, encoding) for character in marked)
    gutter = " " * len(number)
    return [f" {gutter} |", f" {number} | {shown}", f" {gutter} | {pad}{carets}"]


def _cells(character: str, encoding: str) -> int:
    """The cells of a terminal that a character takes, or the escape that is printed for it."""
    return cells.width(as_encoded(character, encoding))


def shorten(text: str) -> str:
    """``text`` as a message shows it: printable, on one line, at most :data:`SHOWN` characters."""
    flat = one_line(text[:SHOWN])
    return flat if len(text) <= SHOWN else f"{flat}… ({len(text)} characters)"


def unreadable(error: OSError | ValueError) -> str:
    """Why a file cannot be read, to follow its name."""
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    return f"cannot be read: {(isinstance(error, OSError) and error.strerror) or error}"


def cause(error: BaseException) -> str:
    """Why something failed, on one line: the message, or the class if it has none, of the first exception behind
    ``error``, after the message of ``error`` itself if that does not contain it."""
    first = error
    while (behind := first.__cause__ or first.__context__) is not None:
        first = behind
    own, deepest = (" ".join(str(one).split()) or type(one).__name__ for one in (error, first))
    return one_line(own if deepest in own else f"{own}: {deepest}")


def got(value: object) -> str:
    """An unexpected value as :func:`as_written`, shortened, or in words."""
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        long = len(value) > 6 or any(isinstance(item, (Mapping, list)) for item in value)
        return f"a list of {len(value)}" if long else shorten(f"[{', '.join(map(got, value))}]")
    if isinstance(value, str):
        return f'"{shorten(value)}"'
    return shorten(as_written(value))


def check_number(name: str, value: object, *, optional: bool = False) -> None:
    """Refuses an argument that is not a positive integer, or, if it is ``optional``, None: with TypeError, or with
    ValueError if it is an integer."""
    if optional and value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, not {got(value)}")
    if value < 1:
        raise ValueError(f"{name} must be 1 or more, not {value}")


@contextmanager
def sparing() -> Iterator[None]:
    """Inside, at most :data:`ENOUGH_NAMES` names in total are compared for "did you mean"."""
    token = _left.set([ENOUGH_NAMES])
    try:
        yield
    finally:
        _left.reset(token)


def _spend(names: int) -> bool:
    left = _left.get()
    if left:
        left[0] -= names
    return not left or left[0] >= 0


def did_you_mean(word: str, known: Collection[str]) -> str:
    """Help that names the known word nearest to ``word``, or ""."""
    meant = nearest(word, known)
    return f"did you mean `{meant}`?" if meant else ""


def nearest(word: str, known: Collection[str]) -> str:
    """The known word most similar to ``word``, "" if none is similar."""
    return _nearest(word, tuple(known)) if 0 < len(word) <= SHOWN and _spend(len(known)) else ""


@lru_cache(50)
def _nearest(word: str, candidates: tuple[str, ...]) -> str:
    """First by typing errors (letters left out, added, replaced or swapped), then by the letters in common."""
    folded, word = _folded(candidates), word.lower()
    if word in folded:
        return folded[word]
    from rapidfuzz import fuzz, process  # here, because only specs with mistakes need it
    from rapidfuzz.distance import OSA

    slips = min(max(len(word) // 3, 1), len(word) - 1)
    slip = process.extractOne(word, folded.keys(), scorer=OSA.distance, score_cutoff=slips)
    found = slip or process.extractOne(word, folded.keys(), scorer=fuzz.ratio, score_cutoff=65)
    return folded[found[0]] if found else ""


@lru_cache(10)
def _folded(candidates: tuple[str, ...]) -> dict[str, str]:
    """Each by its lowercase form. Of equally near names the first is chosen: most networks take images."""
    return {name.lower(): name for name in sorted(candidates, key=lambda name: not name.endswith("2d"))}
