"""Entries of the layer table made from Python classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import field

from cnndsl.layers import Layer, Refused, Shape
from cnndsl.layers.table import Saved
from cnndsl.plugins.signature import said
from cnndsl.record import Record

if TYPE_CHECKING:
    from cnndsl.plugins.meta import Measured

_NEEDS_RULE = "a forward that reads values cannot be measured: give its shape, `@cnndsl.layer(shape=...)`"


class Rules(Record, frozen=True):
    """The class of a layer, and the rules given with it. A rule is called with the shape of the input and
    the arguments that it names."""

    made: type[Any]
    shape: Callable[..., Any] | None = None
    macs: Callable[..., Any] | None = None
    #: The arguments that each rule takes.
    takes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class OwnLayer(Layer):
    """A layer made from a user's class. What no rule gives is measured on torch's meta device, which has shapes
    but no values, and takes no memory. If the class raises an error, the layer raises :class:`Refused`."""

    rules: ClassVar[Rules]
    shares_memory = True  # it may

    def reads_output(self) -> bool:
        return True  # it may

    def windows(self, x: Shape, out: Shape) -> None:
        return None

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, output=True)  # it may

    @cached_property
    def _measured(self) -> Measured:
        from cnndsl.plugins.meta import Measured  # it loads torch, which most commands do not need

        return Measured(self.rules.made, self.values, repr(dict(self.values)))

    def output(self, x: Shape) -> Shape:
        name = type(self).__name__
        with _refusing(f"`{name}` cannot be built"):
            self._measured.built()  # even if a rule gives the shape: it must work, and its parameters are needed
        if self.rules.macs is not None:
            with _refusing(f"the macs rule of `{name}` fails on {x}"):
                self.macs(x, x)  # now, since later the place in the spec is unknown
        if self.rules.shape is not None:
            with _refusing(f"`{name}` does not take {x}"):
                return _shape(self._ruled("shape", self.rules.shape, x), x, "its shape rule returns")
        several = x.with_size(0, max(x[0], 2))  # a batch of one cannot show that samples are mixed
        with _refusing(f"`{name}` does not take {x}"):
            return _shape(self._measured.output(tuple(several)), several, "it returns").with_size(0, x[0])

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return dict(self._measured.built().parameters)

    def buffers(self) -> dict[str, tuple[int, ...]]:
        return dict(self._measured.built().buffers)

    def macs(self, x: Shape, out: Shape) -> int:
        if self.rules.macs is not None:
            return index(self._ruled("macs", self.rules.macs, x))
        return self._measured.macs(tuple(x))

    def _ruled(self, which: str, rule: Callable[..., Any], x: Shape) -> Any:
        return rule(x, **{name: self.values[name] for name in self.rules.takes[which]})


del OwnLayer.short_name  # each has that of its own class


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Turns exceptions of a user's code into :class:`Refused`."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:
        unmeasured = isinstance(error, NotImplementedError) or "meta" in str(error).lower()
        raise Refused(f"{what}: {said(error)}", None, _NEEDS_RULE if unmeasured else "") from error


def _shape(found: Any, x: Shape, gives: str) -> Shape:
    """The output ``found`` for an input ``x``, as a checked shape."""
    try:
        shape = Shape(map(index, found))
    except TypeError:
        raise Refused(f"{gives} {found!r}, which is not a tuple of sizes") from None
    if len(shape) < 2 or min(shape) < 1:
        raise Refused(f"{gives} {shape}: a shape is the batch and at least one size, each 1 or more")
    if shape[0] != x[0]:
        raise Refused(f"{gives} {shape} for {x}: the first size is the batch, which no layer may touch")
    return shape
