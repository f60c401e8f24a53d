"""What each step of a spec makes, everywhere that it runs: in the rounds of loops and the uses of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from cnndsl.graph.cost import Cost, total
from cnndsl.graph.graph import (
    Body,
    Branch,
    Dense,
    Fetch,
    Inline,
    Item,
    Module,
    Region,
    Repeat,
    Residual,
    Tensor,
    operations,
)
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.steps import Step

#: A place in a spec: the name of the source, and the offset there at which a step's word begins.
Place: TypeAlias = tuple[str, int]


class Around(Record, frozen=True, eq=False):
    """What a step runs in: a module, or a block that is written out, or a region, in which ``number`` is the round, or
    the branch, or 1 for the shortcut of a residual."""

    item: Module | Region
    number: int = 0

    @property
    def call(self) -> Step | None:
        """The step that calls the block, or makes the ``sequential``; None for a region."""
        return self.item.step if isinstance(self.item, (Module, Inline)) else None


class Use(Record, frozen=True, eq=False):
    """One run of a step: the ``item`` of the graph that it made, or that a ``from`` fetched, and what is around,
    outermost first, without the network itself."""

    item: Item | Fetch
    trail: tuple[Around, ...] = ()

    @property
    def calls(self) -> tuple[Step, ...]:
        """The steps that call what is around, outermost first: two uses that differ only in rounds have the same."""
        return tuple(around.call for around in self.trail if around.call is not None)

    @property
    def cost(self) -> Cost:
        """Parameters and MACs of everything that the step makes."""
        return Cost() if isinstance(self.item, Fetch) else total(made.cost for made in operations((self.item,)))

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        """The tensors that the step makes, as far as they are known."""
        return tuple(tensor for tensor in _outputs(self.item) if tensor.shape)


def place(span: Span) -> Place:
    return span.source.name, span.start


def uses(module: Module) -> Mapping[Place, Sequence[Use]]:
    """The uses of every step in a network, also one that is only known in part, in the order in which they run. The
    split and the merge of a region belong to its step, and are not listed beside it."""
    found: dict[Place, list[Use]] = {}
    for use in (*_fetched(module, ()), *_walk(module.body, ())):
        if use.item.step is not None:
            found.setdefault(place(use.item.step.span), []).append(use)
    return found


def _fetched(module: Module, trail: tuple[Around, ...]) -> Iterator[Use]:
    return (Use(fetch, trail) for fetch in module.fetched)


def _walk(body: Body, trail: tuple[Around, ...]) -> Iterator[Use]:
    for item in body:
        yield Use(item, trail)
        if isinstance(item, Module):
            yield from _fetched(item, (*trail, Around(item)))
        for number, inner in enumerate(bodies(item)):
            assert isinstance(item, (Module, Repeat, Branch, Residual, Dense, Inline))
            yield from _walk(inner, (*trail, Around(item, number)))


def bodies(item: Item) -> tuple[Body, ...]:
    """The bodies that the steps inside an item made, without the splits and merges of the item itself."""
    match item:
        case Branch(arms=arms):
            return tuple(arm.body for arm in arms)
        case Residual(body=body, shortcut=shortcut):
            return body, shortcut
        case Dense(rounds=rounds):
            return tuple(body for body, _ in rounds)
    return item.bodies


def _outputs(item: Item | Fetch) -> tuple[Tensor, ...]:
    match item:
        case Branch(merge=merge):
            return merge.outputs
        case Inline(made=made):
            return tuple(made.values())
        case Dense(rounds=rounds):
            return rounds[-1][1].outputs
        case Repeat(output=Tensor() as output) | Residual(output=Tensor() as output) | Fetch(tensor=output):
            return (output,)
        case Repeat() | Residual():
            return ()
    return item.outputs
