"""One tab of the page: the text that it edits, and what it is told next.

A session works in steps, so that the newest text never waits for what older ones asked for. :meth:`Session.step` does
one thing, the most urgent: it takes what the page has sent, compiles the newest text, answers questions, and makes the
visible panes, the quick ones first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from pathlib import Path
from typing import TypeAlias

from msgspec.structs import replace

from cnndsl.diagnostics import SpecError
from cnndsl.editing.analysis import analyse
from cnndsl.editing.buffers import compiled
from cnndsl.emit.table import UnknownName
from cnndsl.graph.graph import Graph
from cnndsl.record import Record
from cnndsl.serve import panes
from cnndsl.serve.answers import answer
from cnndsl.serve.faults import fault
from cnndsl.serve.messages import (
    Ask,
    Change,
    Cursor,
    DiffView,
    FigureView,
    File,
    HintOf,
    Hints,
    Open,
    Outside,
    PaneName,
    Refused,
    Request,
    Save,
    Saved,
    Show,
    SourceView,
    TableView,
    Told,
    Unmade,
)
from cnndsl.serve.project import Denied, Project, Shelf, Stored
from cnndsl.serve.results import Text, alive_of, hints_of, network_of, result
from cnndsl.serve.units import Spots
from cnndsl.zoo import is_of_zoo

#: The panes in the order in which they are made.
PANES: tuple[PaneName, ...] = ("table", "source", "diff", "figure")
#: Questions that take compilations of their own: they come last, and are given up if the text changes.
SLOW = ("fixes",)
#: The most questions that wait for an answer.
WAITING = 32


class Look(Record, frozen=True):
    """Look whether the files on the disk are still what they were."""


class Opened(Record, frozen=True):
    """The spec that is open, and what is on the disk. ``problem`` is why that cannot be read."""

    spec: str
    path: Path
    stored: Stored
    problem: str = ""


class Compiled(Text, frozen=True, eq=False):
    """A text with the files that it was compiled with, and its number among those of the session."""

    shelf: Shelf
    number: int


class Baseline(Record, frozen=True, eq=False):
    """What is on the disk, compiled: the network, None if it has errors, and the files that it was compiled with."""

    path: Path
    digest: str
    network: Graph | None
    shelf: Shelf


View: TypeAlias = TableView | FigureView | SourceView | DiffView
Incoming: TypeAlias = Request | Look | Refused


class Session:
    """``inbox`` may be filled at any time, and ``watched`` be read: the files that the session depends on, also those
    that are not there. The rest belongs to :meth:`step`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.inbox: deque[Incoming] = deque()
        self.watched: frozenset[Path] = frozenset()
        self.opened = Opened("", project.path_of(""), Stored())
        self.text, self.version = "", 0
        self.is_compiled = True  # there is nothing to compile yet
        self.compiled: Compiled | None = None
        self._cursor: int | None = None
        self._hinted: int | None = None
        self._hints: tuple[HintOf, ...] = ()
        self._show = Show()
        self._questions: deque[Ask] = deque()
        self._made: dict[PaneName, Hashable] = {}
        self._saved: Baseline | None = None

    def _depends_on(self) -> frozenset[Path]:
        files = {self.opened.path} if self.opened.spec else set()
        return frozenset(files.union(*(shelf.asked for shelf in self._shelves)))

    @property
    def _shelves(self) -> tuple[Shelf, ...]:
        return tuple(each.shelf for each in (self.compiled, self._saved) if each)

    def step(self) -> tuple[Told, ...] | None:
        """Does one thing, and gives the messages for the page; None if there is nothing to do. Never raises."""
        try:
            return self._step()
        except Exception as error:
            return (fault(error),)
        finally:
            self.watched = self._depends_on()

    def _step(self) -> tuple[Told, ...] | None:
        while self.inbox:
            if told := self._take(self.inbox.popleft()):
                return told
        if not self.is_compiled:
            return (self._compile(),)
        quick = next((ask for ask in self._questions if ask.what not in SLOW), None)
        told = self._answer(quick) or self._moved() or next(filter(None, map(self._pane, PANES)), ())
        return told or self._answer(next(iter(self._questions), None)) or None

    def _answer(self, ask: Ask | None) -> tuple[Told, ...]:
        if ask is None:
            return ()
        self._questions.remove(ask)
        return (answer(ask, self.compiled, self.project),)

    # --- what comes in ---------------------------------------------------------------------------

    def _take(self, message: Incoming) -> tuple[Told, ...]:
        match message:
            case Change(version, text):
                self.version, self.text, self.is_compiled = version, text, False
                return tuple(map(self._given_up, [ask for ask in self._questions if ask.what in SLOW]))
            case Cursor(at):
                self._cursor = at
            case Show():
                self._show = message
            case Ask():
                self._questions.append(message)
                if len(self._questions) > WAITING:
                    return (self._given_up(self._questions[0]),)
            case Look():
                return self._look()
            case Open(spec):
                return (self._open(spec),)
            case Save():
                return (self._save(message),)
            case Refused():
                return (message,)
        return ()

    def _given_up(self, ask: Ask) -> Refused:
        self._questions.remove(ask)
        return Refused("ask", "busy", "there is something newer to do", id=ask.id)

    def _open(self, spec: str) -> Told:
        try:
            stored = self.project.read(spec)
        except Denied as denied:
            return denied.told("open")
        self.opened = Opened(spec, self.project.path_of(spec), stored)
        self._cursor = None
        self.text, self.version, self.is_compiled = stored.text, 0, False
        return File(spec, stored.text, stored.digest, not is_of_zoo(spec))

    def _save(self, save: Save) -> Told:
        try:
            stored = self.project.write(save.spec, save.text, save.base)
        except Denied as denied:
            return denied.told("save")
        if save.spec != self.opened.spec:  # what it extends is looked up beside the file
            self.is_compiled = False
        self.opened = Opened(save.spec, self.project.path_of(save.spec), stored)
        return Saved(save.spec, save.version, stored.digest)

    def _look(self) -> tuple[Told, ...]:
        """Tells if the file of the spec has changed, and compiles again if another has that it extends or uses."""
        if not all(shelf.is_current() for shelf in self._shelves):
            self._saved, self.is_compiled = None, False
        then = self.opened
        if not then.spec:
            return ()
        try:
            self.opened = replace(then, stored=self.project.read(then.spec), problem="")
        except Denied as denied:
            self.opened = replace(then, stored=Stored(), problem=denied.message)
        stored, problem = self.opened.stored, self.opened.problem
        is_same = (stored.digest, problem) == (then.stored.digest, then.problem)
        return () if is_same else (Outside(then.spec, stored.text, stored.digest, problem),)

    # --- what goes out ---------------------------------------------------------------------------

    def _compile(self) -> Told:
        self.is_compiled = True
        shelf = self._shelf(self.text)
        analysis = analyse(self.opened.path, shelf, self.project.limits)
        spots = Spots(analysis.source, self.project)
        number = self.compiled.number + 1 if self.compiled else 0
        self.compiled = Compiled(self.version, analysis, spots, shelf, number)
        self._hints, self._hinted = hints_of(self.compiled, self._cursor), self._cursor
        return result(self.compiled, self._hints)

    def _moved(self) -> tuple[Told, ...]:
        """The hints, if the cursor is where they are other ones."""
        if self.compiled is None or self._hinted == self._cursor:
            return ()
        then, self._hinted = self._hints, self._cursor
        self._hints = hints_of(self.compiled, self._cursor)
        return () if self._hints == then else (Hints(self.compiled.version, self._hints),)

    def _shelf(self, text: str) -> Shelf:
        return Shelf({self.opened.path: text}, self.project)

    def _pane(self, pane: PaneName) -> tuple[Told, ...]:
        """A pane, if it is visible and is not what was made last."""
        view, text = getattr(self._show, pane), self.compiled
        key = text and (text.number, view, self.opened.stored.digest if pane == "diff" else "")
        if view is None or text is None or self._made.get(pane) == key:
            return ()
        self._made[pane] = key
        try:
            return (self._made_of(text, view),)
        except UnknownName as unknown:
            problem = f"{unknown}: {unknown.help}"
        except SpecError as error:
            problem = error.diagnostics[0].message
        except ValueError as error:
            problem = str(error)
        return (Unmade(text.version, pane, problem),)

    def _made_of(self, text: Text, view: View) -> Told:
        """Raises ValueError if there is nothing to show, or for options that there are not."""
        version, network = text.version, network_of(text.analysis.compilation)
        if isinstance(view, TableView) and (shown := network or alive_of(text)):
            return panes.table(shown, view, text.spots, version)
        if network is None or isinstance(view, TableView):
            raise ValueError("the spec has errors")
        if isinstance(view, FigureView):
            return panes.figure(network, view, version)
        if isinstance(view, SourceView):
            return panes.source(network, version)
        return panes.diff(self._saved_network(), network, view, version)

    def _saved_network(self) -> Graph:
        """The network of what is on the disk. Raises ValueError if there is none."""
        stored = self.opened.stored
        if not stored.digest:
            raise ValueError(self.opened.problem or "the spec is not saved yet")
        if self._saved is None or (self._saved.path, self._saved.digest) != (self.opened.path, stored.digest):
            shelf = self._shelf(stored.text)
            network = network_of(compiled(self.opened.path, shelf, self.project.limits))
            self._saved = Baseline(self.opened.path, stored.digest, network, shelf)
        if self._saved.network is None:
            raise ValueError("the saved spec has errors")
        return self._saved.network
