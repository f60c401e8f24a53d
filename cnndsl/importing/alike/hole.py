"""The holes of merged trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cnndsl.emit.source.expr import (
    Ref,
)
from cnndsl.importing.alike.values import ABSENT, alike_values
from cnndsl.importing.tree import (
    Steps,
)
from cnndsl.layers import LAYERS
from cnndsl.record import Record

#: The defaults of what a word calls: those of layers are torch's, those of blocks their parameters'.
Defaults: TypeAlias = Callable[[str], Mapping[str, Any]]


class Hole(Record, frozen=True):
    """Where trees differ: ``variable`` is there in the merged tree, and ``values`` what each tree has.

    ``role`` is "argument", "word" (the layer itself), "name", "tensor" (a name that ``from`` fetches), "number" (one in
    such a name), "when" (whether there is a step), "times", "over" (what a loop runs over), "shortcut", or the field of
    a step. ``word`` is the layer or block, ``argument`` its argument, ``step`` the name of the step, and ``given`` what
    enters it in each tree, () if it does not have it. ``around`` is the name of the outermost ``sequential`` around, or
    else of the block's call.
    """

    variable: Ref
    values: tuple[Any, ...]
    role: str
    word: str = ""
    argument: str = ""
    step: str = ""
    given: tuple[tuple[int, ...], ...] = ()
    around: str = ""

    @property
    def is_constant(self) -> bool:
        """Whether all trees that have the step have one value, which may be that of another hole."""
        present = [value for value in self.values if value is not ABSENT]
        return all(alike_values(value, present[0]) for value in present)


class Alike(Record, frozen=True):
    """The merged tree and its holes, in the order in which they are written."""

    steps: Steps
    holes: tuple[Hole, ...]


def of_layers(word: str) -> Mapping[str, Any]:
    """The defaults of a layer's arguments; none for other words."""
    return LAYERS[word].arguments.defaults if word in LAYERS else {}
