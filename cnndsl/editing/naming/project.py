"""The names of a project: a spec, others that share names with it, and the files that these are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from cnndsl.editing.analysis import Analysis, analyse
from cnndsl.editing.naming.bindings import PUBLIC, Bindings, Mention, Named
from cnndsl.editing.naming.reading import bindings_of
from cnndsl.network import Compilation
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.files import named_files as written_names
from cnndsl.spec.files import project_root
from cnndsl.zoo import find, is_of_zoo


class Name(Record, frozen=True):
    """What the ``mentions`` name. ``stem`` is the text that they have in common: `layer` of `layer$i` and `layer3`; ""
    if there is none. ``computed`` are the places where a value gives the name."""

    mentions: tuple[Mention, ...]
    stem: str
    computed: tuple[Span, ...] = ()

    @property
    def kind(self) -> Named:
        return next((mention.kind for mention in self.mentions if mention.defines), self.mentions[0].kind)

    @property
    def spans(self) -> tuple[Span, ...]:
        return tuple(mention.span for mention in self.mentions)

    @property
    def definitions(self) -> tuple[Span, ...]:
        return tuple(mention.span for mention in self.mentions if mention.defines)


class Project(Record, frozen=True, eq=False, dict=True):
    """Specs that may share names: those that are given, and the files that they extend and use."""

    analyses: tuple[Analysis, ...]

    @staticmethod
    def alone(analysis: Analysis) -> Project:
        """A spec without others, which is asked for whenever the cursor moves, and kept."""
        kept = vars(analysis)
        return kept.setdefault("project", Project((analysis,)))  # type: ignore[no-any-return]

    @staticmethod
    def of(analysis: Analysis, others: Iterable[Analysis] = ()) -> Project:
        found = {one.path.resolve(): one for one in (*others, analysis)}
        root = project_root(analysis.path.parent)
        pending = [*found.values()]
        for one in pending:
            for path in files(one):
                if path not in found and path.is_relative_to(root):
                    found[path] = analyse(path, analysis.files)
                    pending.append(found[path])
        return Project(tuple(found.values()))

    @cached_property
    def bindings(self) -> Bindings:
        read = {one.path.resolve(): bindings for one in self.analyses if (bindings := _bindings(one))}
        joined = Bindings().join(read.values())
        for one in self.analyses:
            if (base := _base(one)) in read and (path := one.path.resolve()) in read:
                _link_inherited(joined, read[path], str(path), read[base])
        return joined

    @cached_property
    def names(self) -> tuple[Name, ...]:
        return tuple(filter(None, map(_name, self.bindings.groups())))

    def at(self, analysis: Analysis, offset: int) -> tuple[Name, Span] | None:
        """The name at an offset of a file, and its place there."""
        path = str(analysis.path.resolve())
        here = (
            (name, span)
            for name in self.names
            for span in name.spans
            if span.start <= offset <= span.end and self.bindings.place(span)[0] == path
        )
        return min(here, key=lambda found: (found[1].end == offset, found[1].end - found[1].start), default=None)


def _compilation(analysis: Analysis) -> Compilation:
    """The compilation of the text, or, if that cannot be read, of the part of it that can."""
    return analysis.compilation if analysis.compilation.document else analysis.alive


def _bindings(analysis: Analysis) -> Bindings | None:
    if "bindings" not in vars(analysis):
        vars(analysis)["bindings"] = bindings_of(_compilation(analysis))
    found: Bindings | None = vars(analysis)["bindings"]
    return found


def files(analysis: Analysis) -> Iterator[Path]:
    """The files that a spec is made of, as far as they have names."""
    bindings = _bindings(analysis)
    yield from {Path(file) for file, _, _ in (bindings.mentions if bindings else ())}
    if base := _base(analysis):
        yield base


def named_files(analysis: Analysis) -> Iterator[tuple[str, Span, Path]]:
    """The files that the text itself names, by the key, ``extends`` or ``use``, with the place of the name."""
    document = _compilation(analysis).document
    for key, one in written_names(document.tree if document else None):
        if isinstance(one.value, str) and "\0" not in one.value:
            path = find(one.value) if is_of_zoo(one.value) else Path(one.span.source.name).parent / one.value
            if path is not None:
                yield key, one.span, path.resolve()


def _base(analysis: Analysis) -> Path | None:
    """The file that a spec extends."""
    return next((path for key, _, path in named_files(analysis) if key == "extends"), None)


def _link_inherited(joined: Bindings, own: Bindings, path: str, base: Bindings) -> None:
    """What a spec defines in place of something that it inherits has the same name, although nothing reads both."""
    inherited = {(one.kind, one.name): place for one, place in base.definitions() if one.kind in PUBLIC}
    for mention, place in own.definitions():
        if place[0] == path and (other := inherited.get((mention.kind, mention.name))):
            joined.same(place, other)


def _name(mentions: list[Mention]) -> Name | None:
    """The name of a group, None if no text of it is written anywhere."""
    named = [mention for mention in mentions if mention.name]
    if not named:
        return None
    computed = tuple(mention.span for mention in mentions if not mention.name)
    stem = min((mention.name for mention in named), key=len)
    if computed or not all(mention.name.startswith(stem) for mention in named):
        return Name(tuple(named), "", computed)
    return Name(tuple(mention.begins(stem) for mention in named), stem)
