"""What loops call their values: by meaning, and never what hides another name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, count

from cnndsl.importing.alike import Hole
from cnndsl.importing.tree import LayerValue, Steps, names_in
from cnndsl.layers import LAYERS
from cnndsl.spec.names import unusable_variable

#: What the arguments of layers are called where they are values, and what else a loop changes.
_WORDS = {"out_channels": "channels", "out_features": "features", "num_groups": "groups", "p": "drop", "dim": "axis"}
_ROLES = {"times": "depth", "number": "number", "word": "block", "shortcut": "shortcut", "when": "has"}
_INDICES = ("i", "j", "k", "n", "m")


class Names:
    """Names for loops in a document or block where some are taken."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = frozenset(taken)

    def index(self, steps: Steps) -> str:
        taken = self.taken | names_in(steps)
        return next(name for name in (*_INDICES, *(f"i{number}" for number in range(99))) if name not in taken)

    def columns(self, holes: Sequence[Hole], steps: Steps) -> list[str]:
        """A name for each column of a table that steps run over."""
        taken, made = {*self.taken, *names_in(steps)}, []
        for hole in holes:
            name = _unused(_meaning(hole), taken)
            taken.add(name)
            made.append(name)
        return made


def _unused(name: str, taken: set[str]) -> str:
    numbered = (f"{name}{number}" for number in count(2))
    return next(one for one in chain((name,), numbered) if one not in taken)


def _meaning(hole: Hole) -> str:
    if hole.role == "over":
        return "rows" if hole.argument == "" else _plural(hole.argument)
    if hole.role == "word":
        values = [value.word if isinstance(value, LayerValue) else value for value in hole.values]
        return "layer" if all(value in LAYERS for value in values) else "block"
    if hole.argument in ("factor", "before"):
        return hole.argument
    if hole.role == "argument":
        name = _WORDS.get(hole.argument, hole.argument)
        return f"{name}_" if unusable_variable(name) else name
    return _ROLES.get(hole.role, "value")


def _plural(name: str) -> str:
    return f"all_{name}" if name.endswith("s") else f"{name}s"
