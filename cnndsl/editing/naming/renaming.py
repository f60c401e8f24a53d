"""Renames what a name means, in every file of the project, or tells why that cannot be done.

The proof of a renaming is the compiler: the project with the new name is compiled before the edits are given out. Each
spec must have the same faults, compute the same, and each name in it must mean what it meant before.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cnndsl.diagnostics import Code, Diagnostic, shorten
from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.editing.answers import Edit, Renamed, edited
from cnndsl.editing.naming.bindings import Mention, Place
from cnndsl.editing.naming.project import Name, Project, files
from cnndsl.graph.graph import Apply, Merge, Module, Operation, Split, Tensor, walk
from cnndsl.layers import LAYERS
from cnndsl.source import Span
from cnndsl.spec.files import project_root
from cnndsl.spec.names import CONSTANTS, unusable, unusable_key, unusable_variable, usable


def rename(analysis: Analysis, offset: int, new: str, others: Sequence[Analysis] = ()) -> Renamed:
    """The edits that give what is named at an offset the name ``new``, in all files of the project; or a refusal:

    the place is not a name, or it is that of a layer, a value gives the name, a file is outside of the project, ``new``
    cannot be a name, or something would mean something else.
    """
    if analysis.compilation.document is None:
        return Renamed(refusal=f"the text cannot be read: {analysis.compilation.diagnostics[0]}")
    project = Project.of(analysis, others)
    found = project.at(analysis, offset)
    if found is None:
        return Renamed(refusal=_not_a_name(analysis, offset))
    name = found[0]
    if refusal := _fixed(name, analysis) or _unusable(name, new):
        return Renamed(refusal=refusal)
    edits = _edits(project, name, new)
    if new == name.stem:
        return Renamed()
    if refusal := _Proof(project, edits).refusal(name.stem, new):
        return Renamed(refusal=refusal)
    return Renamed({path: tuple(made) for path, made in edits.items()})


# --- what cannot be renamed ----------------------------------------------------------------------

_WORD = re.compile(r"\w+")


def _not_a_name(analysis: Analysis, offset: int) -> str:
    text = analysis.source.text
    word = next((found[0] for found in _WORD.finditer(text) if found.start() <= offset <= found.end()), "")
    if word in LAYERS:
        return f"`{word}` is a layer of {LAYERS[word].package or 'torch'}: its name cannot change"
    if not word:
        return "there is no name here"
    return f"`{shorten(word)}` is not the name of a block, a parameter, a step or an input"


def _fixed(name: Name, analysis: Analysis) -> str:
    """Why a name cannot change, "" if it can."""
    if name.computed:
        place = name.computed[0]
        return f"a value gives this name at {_at(place)}: rename it there, `{shorten(place.text)}`"
    if not name.stem:
        one, other = name.mentions[0], name.mentions[-1]
        return f"`{one.name}` at {_at(one.span)} and `{other.name}` at {_at(other.span)} do not begin alike"
    root = project_root(analysis.path.parent)
    for mention in name.mentions:
        if not Path(mention.span.source.name).resolve().is_relative_to(root):
            return f"`{name.stem}` is also at {_at(mention.span)}, a file outside of the project"
        if not mention.is_exact:
            return f"`{name.stem}` at {_at(mention.span)} is not written as one word: write it without escapes"
    return ""


def _at(span: Span) -> str:
    return f"{Path(span.source.name).name}:{span.line}:{span.column}"


def _unusable(name: Name, new: str) -> str:
    """Why something of this kind cannot have the new name, "" if it can."""
    if name.kind == "block":
        reason = unusable(new) or ("" if new[0].isupper() else "does not begin with a capital letter, as blocks do")
        if new in LAYERS:
            reason = f"is a layer of {LAYERS[new].package or 'torch'}"
        elif new.capitalize() in CONSTANTS or new == "None":
            reason = "is a value, not a name"
        return _told(new, reason, usable(new))
    if name.kind == "step":
        reason = unusable_key(new) if name.stem.isdigit() else unusable(new)
        return _told(new, reason, usable(new))
    return _told(new, unusable_variable(new), usable(new, refused=unusable_variable))


def _told(new: str, reason: str, help: str) -> str:
    return f"`{shorten(new)}` {reason}" + (f"; {help}" if help else "") if reason else ""


# --- the edits -----------------------------------------------------------------------------------


def _edits(project: Project, name: Name, new: str) -> Mapping[Path, list[Edit]]:
    found: dict[Path, list[Edit]] = defaultdict(list)
    for mention in name.mentions:
        found[Path(project.bindings.place(mention.span)[0])].append(Edit(mention.span, new))
    return found


# --- the proof -----------------------------------------------------------------------------------


#: Codes of faults that two things with one name have.
_CLASHES = (Code.DUPLICATE, Code.NAME, Code.HIDING)


class _Proof:
    """Compiles the specs that edits change, and compares each with itself before."""

    def __init__(self, project: Project, edits: Mapping[Path, Sequence[Edit]]) -> None:
        self.edits = edits
        texts = {path: edited(made[0].span.source.text, made) for path, made in edits.items()}
        self.before = Project(tuple(one for one in project.analyses if self._is_touched(one)))
        kept = {path: text for one in self.before.analyses for path, text in one.files.texts.items()}
        buffers = Buffers({**kept, **texts})
        self.after = Project(tuple(analyse(one.path, buffers) for one in self.before.analyses))

    def _is_touched(self, analysis: Analysis) -> bool:
        return any(path in self.edits for path in files(analysis))

    def refusal(self, old: str, new: str) -> str:
        """What would change, "" if nothing does."""
        faults = [*self._new_faults()]
        if twice := next((fault for fault in faults if fault.code in _CLASHES), None):
            return f"`{new}` cannot take the place of `{old}`: {twice}"
        if captured := self._captured(new):
            return captured
        if faults:
            return f"`{new}` cannot take the place of `{old}`: {faults[0]}"
        for before, after in zip(self.before.analyses, self.after.analyses):
            if len(after.compilation.diagnostics) != len(before.compilation.diagnostics):
                return f"with `{new}`, {before.path.name} would have fewer faults: mend them first"
            if computed(before.compilation.partial) != computed(after.compilation.partial):
                return f"with `{new}`, {before.path.name} would compute something else"
        return ""

    def _new_faults(self) -> Iterator[Diagnostic]:
        for before, after in zip(self.before.analyses, self.after.analyses):
            known = {self._fault(fault, before=True) for fault in before.compilation.diagnostics}
            yield from (one for one in after.compilation.diagnostics if self._fault(one, before=False) not in known)

    def _fault(self, fault: Diagnostic, before: bool) -> tuple[object, ...]:
        place = fault.span and self._place(self.before.bindings.place(fault.span), before)
        return fault.code.id, place

    def _place(self, place: Place, before: bool) -> Place:
        """A place before the edits as it is after them."""
        file, start, end = place
        if not before:
            return place
        made = self.edits.get(Path(file), ())
        return file, start + _shift(made, start), end + _shift(made, end)

    def _captured(self, new: str) -> str:
        """Why the new name would mean something else than the old one did, or another name something else than before;
        "" if all mean the same."""
        meant = {frozenset(self._places(name.mentions, before=True)): name for name in self.before.names}
        groups = {frozenset(self._places(name.mentions, before=False)): name for name in self.after.names}
        changed = {places: name for places, name in groups.items() if places not in meant}
        for places in changed:
            for others, other in meant.items():
                if other.stem == new and not places.isdisjoint(others):
                    article = "an" if other.kind[0] in "aeiou" else "a"
                    return f"`{new}` is already {article} {other.kind}, at {_at(other.spans[0])}"
        return "".join(
            f"`{new}` would have another meaning at {_at(name.spans[0])}" for name in [*changed.values()][:1]
        )

    def _places(self, mentions: Sequence[Mention], before: bool) -> Iterator[Place]:
        bindings = self.before.bindings
        return (self._place(bindings.place(mention.span), before) for mention in mentions)


def _shift(edits: Sequence[Edit], offset: int) -> int:
    """How far an offset moves: by the edits that end before it, or at it."""
    return sum(len(edit.text) - (edit.span.end - edit.span.start) for edit in edits if edit.span.end <= offset)


def computed(root: Module | None) -> list[tuple[object, ...]]:
    """What a network computes, whatever its names are: each operation with its layer, and the tensors that it takes and
    makes, numbered in the order in which they are made."""
    if root is None:
        return []
    numbers: dict[Tensor, int] = {tensor: number for number, tensor in enumerate(root.inputs)}
    rows: list[tuple[object, ...]] = []
    for depth, item in walk(root.body):
        inputs = [item.input] if isinstance(item, Split) else item.inputs
        taken = tuple(numbers.setdefault(tensor, len(numbers)) for tensor in inputs)
        made = tuple(numbers.setdefault(tensor, len(numbers)) for tensor in item.outputs)
        rows.append((depth, _how(item), taken, made, tuple(tensor.shape for tensor in item.outputs), item.cost))
    return rows


def _how(item: Operation) -> tuple[object, ...]:
    """What an operation does, without names."""
    match item:
        case Apply(layer=layer):
            return type(layer).__name__, repr(layer.settings), repr(layer.parametrization)
        case Merge(kind=kind, dim=dim):
            return kind, dim
        case Split(sizes=sizes):
            return ("split", *sizes)
    return ("module",)
