"""What is inside a module, once its steps have run."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.graph.graph import Alias, Item, Tensor
from cnndsl.graph.scope import Scope
from cnndsl.record import Record


class Inside(Record, frozen=True):
    """A module whose steps have run: its items, and the tensors that it was given and that it returns, by name.
    ``made`` is None if one of these is unknown."""

    scope: Scope
    items: tuple[Item, ...]
    given: dict[str, Tensor]
    made: dict[str, Tensor] | None

    @property
    def last(self) -> Tensor | None:
        """The current tensor after it."""
        return [*self.made.values()][-1] if self.made else None


def told_apart(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The tensors, with an alias for each that appears again."""
    found: list[Tensor | None] = []
    for tensor in tensors:
        again = tensor is not None and any(other is tensor for other in found)
        found.append(Alias(tensor.shape, tensor) if tensor is not None and again else tensor)
    return found
