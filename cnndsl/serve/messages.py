"""What the page and the server tell each other over one WebSocket: JSON texts, one message each.

**Connecting.** The address that the server prints or opens ends in ``#key=KEY``. A fragment is sent to nobody, so the
page reads it itself, takes it out of the address, and opens ``ws://HOST/socket`` with the subprotocols
``["cnndsl", KEY]``. The server answers with :class:`Welcome`, whose ``key`` the page keeps in ``localStorage``: other
tabs get in with it, and this one after the server was gone, if it is back on the same port. (The key of an address that
the server opened in a browser by itself is valid once: other users of the machine can read the command lines of
programs.) A connection that is not let in is closed with a code of :data:`CLOSED`.

**Messages** are objects; their ``type`` is the name of the class in lowercase: ``{"type": "change", "version": 3,
"text": "..."}``. Fields with a default may be left out. A message that is not one of these is answered with
:class:`Refused`, and the connection goes on.

**Places** are offsets in a text, in UTF-16 units, as JavaScript and CodeMirror count. Every text has ``\\n`` for its
line ends, whatever the file has; the file keeps its own when it is saved. Lines and columns count from 1, in
characters, as `cnndsl check` prints them.

**Versions.** The page numbers its texts, upwards from 1 after each :class:`File`; the text of the file is version 0.
Everything that the server says of a text has its ``version``. If several texts arrive while the server works, it goes
on with the newest: there may be no answer for those in between. For each text a :class:`Result` comes first, then the
panes that are visible, the quick ones first.

**Specs** have names: the path from the project's folder with ``/``, ``zoo:NAME``, or "" for a text that is not saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from cnndsl.record import Record

#: Why a WebSocket was closed by the server: the codes of its close event.
CLOSED: Mapping[int, str] = {
    1009: "a message was too large",
    4401: "the key is not that of this server: open the address that `cnndsl serve` printed",
    4429: "too many tabs are open",
}

#: Numbers as JavaScript has them: a version, an offset; and a count.
Number: TypeAlias = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=2**31 - 1)]
PaneName: TypeAlias = Literal["table", "figure", "source", "diff"]


class Place(Record, frozen=True):
    """Characters ``start`` to ``end`` (exclusive) of the text of ``spec``, at a line and a column. ``spec`` is "" for
    the text that is open here."""

    start: int
    end: int
    line: int
    column: int
    spec: str = ""


# --- from the page ---------------------------------------------------------------------------------------


class Open(Record, frozen=True, tag="open", forbid_unknown_fields=True):
    """Open a spec in this tab; "" is a new text, a small network to start from. Answered with :class:`File` or
    :class:`Refused`."""

    spec: str


class Change(Record, frozen=True, tag="change", forbid_unknown_fields=True):
    """The text of the editor, whole, after a change."""

    version: Number
    text: str


class Cursor(Record, frozen=True, tag="cursor", forbid_unknown_fields=True):
    """Where the cursor is in the newest text. In a block of several uses, hints are those of the use that the call at
    the cursor makes. If they become other ones, :class:`Hints` has them."""

    at: Number


class TableView(Record, frozen=True, forbid_unknown_fields=True):
    """What the table shows. ``columns``, ``filter`` and ``sort`` are as those of `cnndsl shapes`."""

    depth: Count | None = None
    columns: str = ""
    filter: str = ""
    sort: str = ""
    top: Count | None = None
    batch: Count = 1


class FigureView(Record, frozen=True, forbid_unknown_fields=True):
    """How the figure is drawn: the options of `cnndsl draw`."""

    style: Literal["compact", "layers", "volumes"] = "compact"
    depth: Count | None = None
    theme: Literal["light", "dark", "print"] = "light"
    color: Literal["family", "params", "macs", "memory"] = "family"
    rankdir: Literal["TB", "LR"] = "TB"
    fold: bool = True
    names: bool = False


class SourceView(Record, frozen=True, forbid_unknown_fields=True):
    """The source has no options."""


class DiffView(Record, frozen=True, forbid_unknown_fields=True):
    """What is shown of what differs from the saved spec: with ``figure`` the two networks are drawn too, in a theme."""

    figure: bool = False
    theme: Literal["light", "dark", "print"] = "light"


class Show(Record, frozen=True, tag="show", forbid_unknown_fields=True):
    """The panes that are visible, None for those that are not; only these are made. Said once after connecting and at
    every change of it; it holds for all specs that are opened in this tab. A pane that is hidden and shown again is not
    sent again unless something changed in between."""

    table: TableView | None = None
    figure: FigureView | None = None
    source: SourceView | None = None
    diff: DiffView | None = None


class Ask(Record, frozen=True, tag="ask", forbid_unknown_fields=True):
    """A question about the newest text that was sent, answered with one message of this ``id``: :class:`Completions`,
    :class:`Hovered`, :class:`Fixes`, :class:`Places`, :class:`Formatted`, :class:`Listing` for ``specs``, or
    :class:`Refused`. ``at`` is an offset; ``fixes`` are those of the span from ``at`` to ``end``; ``explain`` is
    answered with the page of a ``code`` such as ``CNN030``, as :class:`Hovered`. Fixes are tried out, which takes time:
    they are answered when all panes are made, and refused as ``busy`` if the text changes before that."""

    id: Number
    what: Literal["complete", "hover", "fixes", "definition", "references", "format", "explain", "specs"]
    at: Number = 0
    end: Number = 0
    code: str = ""


class Save(Record, frozen=True, tag="save", forbid_unknown_fields=True):
    """Write ``text``, which is that of ``version``, to the spec ``spec`` of the project. ``base`` is the digest of what
    this page knows to be there, "" for no file. If something else is there, it is not written: :class:`Refused` has the
    code ``conflict`` and the digest of what is there, and to write over it is to save again with that as the base.

    Answered with :class:`Saved`, after which this tab has that spec open, or with :class:`Refused`."""

    spec: str
    text: str
    version: Number
    base: str


Request: TypeAlias = Open | Change | Cursor | Show | Ask | Save


# --- from the server -------------------------------------------------------------------------------------


class Zoo(Record, frozen=True):
    """A spec of the zoo. ``name`` is what follows ``zoo:``."""

    name: str
    family: str
    source: str


class ColumnOf(Record, frozen=True):
    """A column that a table may have."""

    name: str
    meaning: str


class Welcome(Record, frozen=True, tag="welcome"):
    """The first message. ``key`` is what lets this page in again. ``spec`` is what the server was started with, ""
    for nothing. ``project`` is the name of the project's folder, ``release`` the version of cnndsl. ``limit`` is the
    largest size of a text in bytes."""

    key: str
    spec: str
    project: str
    release: str
    limit: int
    columns: tuple[ColumnOf, ...]


class Listing(Record, frozen=True, tag="listing"):
    """The specs that can be opened. ``whole`` is false if the project has more."""

    id: int
    project: tuple[str, ...]
    zoo: tuple[Zoo, ...]
    whole: bool = True


class File(Record, frozen=True, tag="file"):
    """A spec as it is on the disk, opened in this tab; its text is version 0. ``digest`` tells it from other contents,
    "" for a new text. ``is_writable`` is false for the zoo."""

    spec: str
    text: str
    digest: str
    is_writable: bool


class Outside(Record, frozen=True, tag="outside"):
    """The file of the open spec is not what it was: another program or another tab wrote it, with ``text`` and
    ``digest``. If it is gone or cannot be read, ``digest`` is "" and ``problem`` tells it. The server keeps to the text
    of the page, which sends a :class:`Change` if it takes the new one. The diff compares with the new one."""

    spec: str
    text: str
    digest: str
    problem: str = ""


class NoteOf(Record, frozen=True):
    message: str
    place: Place | None


class Problem(Record, frozen=True):
    """A diagnostic. Its ``place`` may be in another spec, which this one extends or uses, or nowhere. ``trail`` tells
    the blocks around it, from the inside out."""

    code: str
    severity: Literal["error", "warning"]
    message: str
    place: Place | None
    help: str
    notes: tuple[NoteOf, ...]
    trail: tuple[str, ...]


class HintOf(Record, frozen=True):
    """A text behind a place, which is not part of the spec."""

    at: int
    text: str
    tooltip: str


class Hints(Record, frozen=True, tag="hints"):
    """The hints of a text after the cursor moved."""

    version: int
    hints: tuple[HintOf, ...]


class LensOf(Record, frozen=True):
    """A line above a line. ``uses`` are the calls of the block that it belongs to."""

    place: Place
    text: str
    uses: tuple[Place, ...]


class SymbolOf(Record, frozen=True):
    """A part of the outline: all of it, and the words that name it."""

    name: str
    detail: str
    kind: str
    place: Place
    name_place: Place
    children: tuple[SymbolOf, ...]


class Totals(Record, frozen=True):
    """The network in a line: texts for people."""

    name: str
    params: str
    macs: str
    signature: str


class Result(Record, frozen=True, tag="result"):
    """What the compiler finds in a text. ``is_sound`` is true if there is a network: without it, the panes are made as
    far as that is possible. ``stale`` is true if hints come from the text without the lines that cannot be read."""

    version: int
    is_sound: bool
    problems: tuple[Problem, ...]
    hints: tuple[HintOf, ...]
    lenses: tuple[LensOf, ...]
    outline: tuple[SymbolOf, ...]
    folds: tuple[Place, ...]
    totals: Totals | None
    stale: bool = False


class Heading(Record, frozen=True):
    """The head of a column. ``is_right`` for numbers, ``is_long`` for texts that may be wrapped."""

    name: str
    text: str
    is_right: bool
    is_long: bool


class Cell(Record, frozen=True):
    """The lines of a cell, and its share of the whole in percent, 0 for none, which is drawn as a bar."""

    lines: tuple[str, ...]
    share: float = 0


class TableRow(Record, frozen=True):
    """``path`` is that of the operation, as ``layer1.0.conv1``, which is the <title> of its box in a figure. ``depth``
    1 is a child of the network; ``is_parent`` tells that rows inside it follow. ``place`` is the step."""

    path: str
    cells: tuple[Cell, ...]
    depth: int
    is_parent: bool
    is_failed: bool
    place: Place | None


class Table(Record, frozen=True, tag="table"):
    """The table. If the spec has an error it has the rows before that, and ``is_complete`` is false."""

    version: int
    title: str
    summary: tuple[str, ...]
    headings: tuple[Heading, ...]
    rows: tuple[TableRow, ...]
    feet: tuple[tuple[str, ...], ...]
    is_complete: bool


class Figure(Record, frozen=True, tag="figure"):
    """The figure as an ``<svg>`` element, with the paper of its theme. ``told`` tells how it was fitted."""

    version: int
    svg: str
    told: str = ""


class Source(Record, frozen=True, tag="source"):
    """The source in PyTorch, a Python file."""

    version: int
    python: str


class Changed(Record, frozen=True):
    """Equal changes of a network: ``sign`` is ``+``, ``-``, ``>`` for moved or ``~`` for changed."""

    sign: str
    title: str
    details: tuple[str, ...]
    params: str


class Diff(Record, frozen=True, tag="diff"):
    """What differs from the saved network, None of it if they are equal. ``explained`` follow from ``changes``.
    ``figures`` are rows of texts: a head, and the numbers of both networks. ``svg`` is a figure, if it was asked for.
    """

    version: int
    changes: tuple[Changed, ...]
    explained: tuple[Changed, ...]
    consequences: str
    figures: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    svg: str = ""


class Unmade(Record, frozen=True, tag="unmade"):
    """A pane that cannot be made of this text, and why. The page may go on showing the last one, as out of date."""

    version: int
    pane: PaneName
    message: str


class Saved(Record, frozen=True, tag="saved"):
    """The text of ``version`` is on the disk."""

    spec: str
    version: int
    digest: str


class CompletionOf(Record, frozen=True):
    """See :class:`cnndsl.editing.answers.Completion`. All replace the characters from ``start`` to ``end``."""

    label: str
    kind: str
    start: int
    end: int
    snippet: str
    detail: str
    markdown: str
    rank: int
    filter: str


class Completions(Record, frozen=True, tag="completions"):
    id: int
    version: int
    items: tuple[CompletionOf, ...]


class Hovered(Record, frozen=True, tag="hovered"):
    """``markdown`` is "" if there is nothing to tell."""

    id: int
    version: int
    place: Place | None
    markdown: str


class EditOf(Record, frozen=True):
    """The text that comes in place of a place, which may be in another spec."""

    place: Place
    text: str


class FixOf(Record, frozen=True):
    title: str
    edits: tuple[EditOf, ...]
    is_preferred: bool


class Fixes(Record, frozen=True, tag="fixes"):
    id: int
    version: int
    fixes: tuple[FixOf, ...]


class Places(Record, frozen=True, tag="places"):
    """Where something is defined, or used."""

    id: int
    version: int
    places: tuple[Place, ...]


class Formatted(Record, frozen=True, tag="formatted"):
    """The text as `cnndsl fmt` writes it."""

    id: int
    version: int
    text: str


#: Why something is refused: a message that cannot be read; a spec that is not there; a file that is not what the page
#: knows; one that is not of the project; one that cannot be read or written; a text that is too large; one that cannot
#: be formatted; too many questions at once; a fault of cnndsl.
Refusal: TypeAlias = Literal[
    "message", "missing", "conflict", "outside", "unreadable", "unwritable", "too_large", "unformatted", "busy", "fault"
]


class Refused(Record, frozen=True, tag="refused"):
    """What was asked is not done. ``about`` is the type of the message, "" if it cannot be read, ``id`` that of a
    question. ``digest`` is that of what is in the file, for ``conflict``."""

    about: str
    code: Refusal
    message: str
    help: str = ""
    id: int = 0
    digest: str = ""


Told: TypeAlias = (
    Welcome
    | Listing
    | File
    | Outside
    | Result
    | Hints
    | Table
    | Figure
    | Source
    | Diff
    | Unmade
    | Saved
    | Completions
    | Hovered
    | Fixes
    | Places
    | Formatted
    | Refused
)
