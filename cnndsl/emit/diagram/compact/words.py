"""What a compact figure writes into a box: the layer with the arguments that a reader needs.

``Conv2d 64, 3x3 /2 · BN · ReLU``: what follows from the rest, or changes no shape, is left out unless ``verbose``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cnndsl.emit.diagram.compact.arguments import call, change_of, layer_arguments, scale, written_value
from cnndsl.emit.diagram.compact.fuse import is_main_layer
from cnndsl.emit.diagram.compact.items import Cell, Group, Times
from cnndsl.emit.diagram.labels import SIGNS, TIMES, clean
from cnndsl.emit.diagram.picture import Line, Piece
from cnndsl.emit.diagram.themes import Mark
from cnndsl.graph.graph import Apply, Merge, Module, Operation

#: How papers shorten the names of layers.
SHORT = {
    **dict.fromkeys(("BatchNorm1d", "BatchNorm2d", "BatchNorm3d", "FrozenBatchNorm2d"), "BN"),
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), "IN"),
    **dict.fromkeys(("LayerNorm", "LayerNorm2d"), "LN"),
    "GroupNorm": "GN",
    "LocalResponseNorm": "LRN",
}
#: Layers that only reorder values. Beside others they are left out.
QUIET = ("Identity", "Permute")
#: Sizes of text in points: of names, of what is below them, and of shapes.
SIZE, SMALL = 10, 8
#: Lines of a box are broken to be no longer, if they can be.
LONGEST = 210.0


def lines(cell: Cell, verbose: bool, names: bool, uses: Sequence[str], marks: Mapping[str, Mark]) -> list[Line]:
    """The text of a cell. ``uses`` are the paths of what the canvas draws, which names leave out; none for the network.
    ``marks`` of operations, by their paths, are written where they are not those of all in the cell."""
    if cell.kind in ("end", "rest"):
        return [line([Piece(clean(cell.title))], SIZE)] if cell.title else []
    if cell.kind == "merge":
        return _merge(cell)
    if cell.kind == "module":
        return _module(cell, uses)
    found = _layers(cell, verbose, marks)
    if names and (named := _names(cell, uses[0] if uses else "")):
        found += _wrapped([Piece(named, "muted")], SMALL)
    return found


def repeated(times: Times) -> str:
    """``x3``, or the fewest and the most if uses of a block differ."""
    if times == (1,):
        return ""
    return f"{TIMES}{times[0]}" if len(times) == 1 else f"{TIMES}{times[0]}\u00a0…\u00a0{times[-1]}"


# Merges and modules


def _merge(cell: Cell) -> list[Line]:
    kind = cell.first.kind
    sign = SIGNS.get(kind, kind)
    dims = [member.dim for member in cell.drawn[0] if isinstance(member, Merge)] if kind == "concat" else [1]
    told = "" if set(dims) == {1} else f", dim {written_value(dims)}"
    single = len(sign) == 1
    return [line([Piece(clean(sign + told), "bold" if single else "plain")], 12 if single else SMALL)]


def _module(cell: Cell, uses: Sequence[str]) -> list[Line]:
    """Its block with arguments, then its name, parameters and MACs."""
    first = cell.first
    assert isinstance(first, Module)
    what = f"{first.kind}{letter(cell.group)}" if first.block else _contents(first)
    pieces = [Piece(clean(what), "bold")]
    if told := call(cell):
        pieces.append(Piece(f"\u00a0{told}"))
    found = _wrapped([*pieces, *_marks(cell)], SIZE)
    return [*found, *_wrapped([Piece("\u00a0· ".join(_costs(cell, uses)), "muted")], SMALL)]


def letter(group: Group | None) -> str:
    """Tells drawings of one block apart."""
    return f" ({group.letter})" if group and group.letter else ""


def _contents(module: Module) -> str:
    """What a ``sequential`` has in it, if that is one kind of thing: ``3 x BasicBlock``."""
    kinds = [operation.kind for operation in module.operations]
    return f"{len(kinds)} {TIMES} {kinds[0]}" if len(set(kinds)) == 1 and len(kinds) > 1 else "Sequential"


def _costs(cell: Cell, uses: Sequence[str]) -> list[str]:
    """The name, the parameters and the MACs of a module, all rounds together, also those of brackets."""
    each_use = _by_use([module for module in cell.drawn[0] if isinstance(module, Module)], uses)
    rounds = each_use[0]
    first = rounds[0]
    name = _named(rounds, cell.times[-1], uses[0] if uses else "")
    if name.casefold() == first.kind.casefold():
        name = ""
    told = [clean(name)] if name else []
    if first.reuse:
        return [*told, "the same weights again"]
    # Uses of the canvas differ in cost if their channels do.
    costs = {(sum(m.cost.params for m in modules), sum(m.cost.macs for m in modules)) for modules in each_use}
    if len(costs) == 1:
        ((params, macs),) = costs
        told += [f"{brief(params)} params".replace(" ", "\u00a0")]
        told += [f"{brief(macs)} MACs".replace(" ", "\u00a0")] * bool(macs)
    return told


def _by_use(modules: Sequence[Module], uses: Sequence[str]) -> list[list[Module]]:
    """Modules by the use of the canvas that they are in."""
    paths = frozenset(uses)
    found: dict[str, list[Module]] = {}
    for module in modules:
        path = module.path
        while path and path not in paths:
            path = path.rpartition(".")[0]
        found.setdefault(path, []).append(module)
    return [*found.values()]


def brief(number: int) -> str:
    """A number of three digits: ``7.61 G``, ``11.7 M``, ``640``."""
    for unit, size in (("T", 10**12), ("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number >= size:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"
    return str(number)


def _named(rounds: Sequence[Module], run: int, inside: str) -> str:
    """The name of a module, or its path if the name is a number; nothing if it says nothing. Of several ``rounds`` the
    first and the last; more of them than are in a ``run`` are in a bracket."""
    first, last = rounds[0], rounds[-1]
    if first.called:
        return first.called
    text = _local(first.path, inside) if first.name.isdecimal() else first.name
    if text.isdecimal():
        return ""
    if first is last:
        return text
    if not first.name.isdecimal():
        return f"{text}\u00a0…\u00a0{last.name}"
    return f"{text}–{last.name}" if len(rounds) <= run else f"{text}\u00a0…\u00a0{_local(last.path, inside)}"  # noqa: RUF001


def _local(path: str, inside: str) -> str:
    return path.removeprefix(f"{inside}.") if inside else path


# Layers


def _layers(cell: Cell, verbose: bool, marks: Mapping[str, Mark]) -> list[Line]:
    shown = [members for members in cell.drawn if verbose or members[0].kind not in QUIET] or [cell.drawn[0]]
    main = next((members for members in shown if is_main_layer(members[0])), shown[0])
    differ = len({marks.get(members[0].path) for members in cell.drawn}) > 1
    pieces: list[Piece] = []
    for place, members in enumerate(shown):
        pieces += [Piece("\u00a0· ")] * bool(place)
        mark = marks.get(members[0].path) if differ else None
        pieces += [Piece(piece.text, mark or piece.look) for piece in _layer(members, members is main, verbose)]
    return _wrapped([*pieces, *_times(cell)], SIZE)


def _layer(members: Sequence[Operation], main: bool, verbose: bool) -> Iterator[Piece]:
    """One layer with its arguments. ``members`` are the layers that it stands for."""
    applied = [member for member in members if isinstance(member, Apply)]
    first = applied[0]
    name = first.kind if verbose else SHORT.get(first.kind, first.kind)
    yield Piece(clean(name), "bold" if main else "plain")
    if first.reuse and first.layer.parameters():
        yield Piece(clean(f", weights of {first.path if first.name.isdecimal() else first.name}"))
        return
    texts = [*layer_arguments(applied, verbose)]
    if texts:
        yield Piece(f"\u00a0{clean(', '.join(texts))}")
    if (mark := scale(applied)) and not verbose:
        yield Piece(f"\u00a0{mark}", "accent")


# Both


def _times(cell: Cell) -> list[Piece]:
    text = repeated(cell.times)
    return [Piece(f"  {text}", "accent")] if text else []


def _marks(cell: Cell) -> list[Piece]:
    """Where a module makes a picture smaller or larger, and how often it is repeated."""
    scale = change_of(cell)
    return [*([Piece(f"\u00a0{scale}", "accent")] if scale else []), *_times(cell)]


def _names(cell: Cell, inside: str) -> str:
    """The names of layers with tensors, as in the ``state_dict``."""
    paths = [_local(each.path, inside) for each in cell.layers if each.bound.tensors and not each.reuse]
    return clean(", ".join(paths))


def shape(sizes: Sequence[int]) -> str:
    return TIMES.join(map(str, sizes))


def span(first: Sequence[int], last: Sequence[int]) -> str:
    """The shapes of the first and the last round: ``28 … 136x16x16`` if only the channels differ."""
    if first == last:
        return shape(first)
    start = shape(first[:1] if first[1:] == last[1:] else first)
    return f"{start} … {shape(last)}"


def _wrapped(pieces: Sequence[Piece], size: float) -> list[Line]:
    """Pieces as lines, broken at spaces so that they are not too long, without a separator at the end of one."""
    found: list[list[Piece]] = [[]]
    for words in _unbroken(pieces, size):
        if found[-1] and line([*found[-1], *words], size).width > LONGEST:
            while not found[-1][-1].text.strip(" \u00a0·"):
                found[-1].pop()
            last = found[-1][-1]
            found[-1][-1] = Piece(last.text.removesuffix("\u00a0·"), last.look)
            found.append([])
        found[-1] += words
    return [line(pieces, size) for pieces in found if any(piece.text.strip() for piece in pieces)]


def _unbroken(pieces: Sequence[Piece], size: float) -> Iterator[list[Piece]]:
    """Words that stay on one line: those with no-break spaces between them, unless they are too long for one."""
    together: list[list[Piece]] = []
    for piece in pieces:
        for word in _words(piece.text, " "):
            if together and (word.startswith("\u00a0") or not word.strip()):
                together[-1].append(Piece(word, piece.look))
            else:
                together.append([Piece(word, piece.look)])
    for words in together:
        if line(words, size).width <= LONGEST:
            yield words
        else:
            yield from ([Piece(part, word.look)] for word in words for part in _words(word.text, " \u00a0"))


def _words(text: str, spaces: str) -> Iterator[str]:
    """Words with the space before them."""
    word = ""
    for character in text:
        if character in spaces and word.strip():
            yield word
            word = ""
        word += character
    if word:
        yield word


def line(pieces: Sequence[Piece], size: float) -> Line:
    """A line of text: neighbours with the same look as one piece, without space at the ends."""
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].look == piece.look:
            found[-1] = Piece(found[-1].text + piece.text, piece.look)
        else:
            found.append(piece)
    found[0] = Piece(found[0].text.lstrip(" "), found[0].look)
    found[-1] = Piece(found[-1].text.rstrip(" "), found[-1].look)
    return Line(tuple(Piece(piece.text.replace("\u00a0", " "), piece.look) for piece in found if piece.text), size)
