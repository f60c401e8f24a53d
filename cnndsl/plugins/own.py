"""Entries of the layer table that are made of Python classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from operator import index
from typing import Any, ClassVar

from cnndsl.layers import Layer, Refused, Shape
from cnndsl.plugins.signature import said

_NEEDS_RULE = "what asks for the values of a tensor cannot be measured: `@cnndsl.layer(shape=...)` says the shape"


@dataclass(frozen=True, slots=True)
class Call:
    """A class with all arguments of one layer. Calls are equal where they are written alike: 1 is not True."""

    made: type[Any]
    arguments: Mapping[str, Any] = field(compare=False)
    written: str


@dataclass(frozen=True, slots=True)
class Rules:
    """The class of a layer, and what has been said of it beside. A rule is called with the shape of the input and
    with those arguments that it names."""

    made: type[Any]
    shape: Callable[..., Any] | None = None
    macs: Callable[..., Any] | None = None
    #: The arguments that each rule takes.
    takes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class OwnLayer(Layer):
    """A layer that a class of somebody's own says: what it does not tell by a rule is measured on torch's meta
    device, which has shapes and no values, and takes no memory. What the class raises is what the layer refuses."""

    rules: ClassVar[Rules]
    shares_memory = True  # for all that is known

    def reads_output(self) -> bool:
        return True  # the same

    @cached_property
    def _call(self) -> Call:
        return Call(self.rules.made, self.values, repr(dict(self.values)))

    def output(self, x: Shape) -> Shape:
        from cnndsl.plugins import meta

        name = type(self).__name__
        with _refusing(f"`{name}` cannot be built"):
            meta.built(self._call)  # even where its shape is known: it has to be, and its parameters are needed
        if self.rules.macs is not None:
            with _refusing(f"the macs rule of `{name}` fails on {x}"):
                self.macs(x, x)  # asked for later, where nobody could tell the place
        if self.rules.shape is not None:
            with _refusing(f"`{name}` does not take {x}"):
                return _shape(self._ruled("shape", self.rules.shape, x), x, "its shape rule gives")
        several = x.with_size(0, max(x[0], 2))  # in a batch of one nobody sees that samples are mixed
        with _refusing(f"`{name}` does not take {x}"):
            return _shape(meta.output(self._call, tuple(several)), several, "it gives").with_size(0, x[0])

    def parameters(self) -> dict[str, tuple[int, ...]]:
        from cnndsl.plugins import meta

        return dict(meta.built(self._call).parameters)

    def buffers(self) -> dict[str, tuple[int, ...]]:
        from cnndsl.plugins import meta

        return dict(meta.built(self._call).buffers)

    def macs(self, x: Shape, out: Shape) -> int:
        if self.rules.macs is not None:
            return index(self._ruled("macs", self.rules.macs, x))
        from cnndsl.plugins import meta

        return meta.macs(self._call, tuple(x))

    def _ruled(self, which: str, rule: Callable[..., Any], x: Shape) -> Any:
        return rule(x, **{name: self.values[name] for name in self.rules.takes[which]})


del OwnLayer.short_name  # each is called after its own class


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """What is raised in here, by code that is not ours, is what the layer refuses."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        unmeasured = isinstance(error, NotImplementedError) or "meta" in str(error).lower()
        raise Refused(f"{what}: {said(error)}", None, _NEEDS_RULE if unmeasured else "") from error


def _shape(found: Any, x: Shape, gives: str) -> Shape:
    """What came out as a shape that may follow ``x``."""
    try:
        shape = Shape(map(index, found))
    except TypeError:
        raise Refused(f"{gives} {found!r}, which is no tuple of sizes") from None
    if len(shape) < 2 or min(shape) < 1:
        raise Refused(f"{gives} {shape}: a shape is the batch and one size or more, all of them 1 or more")
    if shape[0] != x[0]:
        raise Refused(f"{gives} {shape} for {x}: the first size is the batch, which no layer may touch")
    return shape
