"""The values that an argument takes, defined once for the JSON Schema, the checks and the docs.

A kind's schema never needs ``anyOf``: it is one ``type`` list next to the keywords of each
type (``minimum`` applies to numbers only, ``pattern`` to strings only), so an error names one cause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")

#: The largest number of float32, the type of tensors, and the largest size that torch's kernels support.
MAX_NUMBER = (2 - 2.0**-23) * 2.0**127
MAX_SIZE = 2**31 - 1

#: Anything that begins with ``$`` is evaluated later.
EXPRESSION: dict[str, Any] = {"type": ["string"], "pattern": r"^\$"}


def merge(*schemas: dict[str, Any]) -> dict[str, Any]:
    """One schema that allows what any of ``schemas`` allows. Their types must not overlap, except strings,
    whose patterns become alternatives."""
    merged: dict[str, Any] = {"type": []}
    for schema in schemas:
        for key, value in schema.items():
            if key == "type":
                merged["type"] += [name for name in value if name not in merged["type"]]
            elif key == "pattern" and key in merged:
                merged[key] += f"|{value}"
            else:
                merged[key] = value
    return merged


class Kind(Generic[T]):
    """A set of values. ``dims`` is the layer's number of spatial axes, 2 for ``Conv2d``."""

    def schema(self, dims: int) -> dict[str, Any]:
        """JSON Schema of the literal values."""
        raise NotImplementedError

    def accepts(self, value: object, dims: int) -> bool:
        """Whether an evaluated value, with tuples for lists, is one of them."""
        raise NotImplementedError

    def expects(self, dims: int) -> str:
        """The values in words, to follow "expects"."""
        raise NotImplementedError

    def convert(self, value: Any, dims: int) -> T:
        """An accepted value in torch's type: 0 as a number is 0.0, since ``torch.jit.script`` takes no int
        for a float."""
        converted: T = value
        return converted

    def parts(self) -> Sequence[Kind[Any]]:
        """The kinds that it is made of."""
        return (self,)

    def __or__(self, other: Kind[U]) -> Kind[T | U]:
        return Union(self, other)


class Integer(Kind[int]):
    """An integer. With a ``minimum`` it is a size or a count, at most :data:`MAX_SIZE`."""

    def __init__(self, minimum: int | None = None) -> None:
        self.minimum = minimum

    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["integer"]} | ({} if self.minimum is None else {"minimum": self.minimum})

    def accepts(self, value: object, dims: int) -> bool:
        return type(value) is int and (self.minimum is None or self.minimum <= value <= MAX_SIZE)

    def expects(self, dims: int) -> str:
        return {None: "an integer", 0: "an integer, 0 or more", 1: "a positive integer"}.get(
            self.minimum, f"an integer of at least {self.minimum}"
        )


class Number(Kind[float]):
    """A number of float32; ``above`` is an exclusive lower bound."""

    def __init__(
        self, minimum: float | None = None, maximum: float | None = None, *, above: float | None = None
    ) -> None:
        self.minimum, self.maximum, self.above = minimum, maximum, above

    def schema(self, dims: int) -> dict[str, Any]:
        bounds = {"minimum": self.minimum, "maximum": self.maximum, "exclusiveMinimum": self.above}
        return {"type": ["number"]} | {key: bound for key, bound in bounds.items() if bound is not None}

    def accepts(self, value: object, dims: int) -> bool:
        return (
            isinstance(value, (int, float))
            and not isinstance(value, bool)
            and abs(value) <= MAX_NUMBER
            and (self.minimum is None or value >= self.minimum)
            and (self.maximum is None or value <= self.maximum)
            and (self.above is None or value > self.above)
        )

    def convert(self, value: Any, dims: int) -> float:
        return float(value)

    def expects(self, dims: int) -> str:
        if self.minimum is not None and self.maximum is not None:
            return f"a number from {self.minimum} to {self.maximum}"
        if self.above is not None:
            return f"a number above {self.above}"
        return "a number" if self.minimum is None else f"a number of at least {self.minimum}"


class Between(Number):
    """A number from ``low`` to ``high``; ``above`` and ``below`` exclude the one or the other."""

    def __init__(self, low: float, high: float, *, above: bool = False, below: bool = False) -> None:
        super().__init__(None if above else low, high, above=low if above else None)
        self.below = high if below else None

    def schema(self, dims: int) -> dict[str, Any]:
        return super().schema(dims) | ({} if self.below is None else {"exclusiveMaximum": self.below})

    def accepts(self, value: object, dims: int) -> bool:
        return super().accepts(value, dims) and value != self.below

    def expects(self, dims: int) -> str:
        low = f"of at least {self.minimum}" if self.above is None else f"above {self.above}"
        high = f"at most {self.maximum}" if self.below is None else f"below {self.below}"
        return f"a number {low} and {high}"


class Boolean(Kind[bool]):
    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["boolean"]}

    def accepts(self, value: object, dims: int) -> bool:
        return type(value) is bool

    def expects(self, dims: int) -> str:
        return "true or false"


class Never(Kind[bool]):
    """Only False. The argument is in torch's signature, so it keeps its position here, but what it
    turns on has no meaning in a spec."""

    def __init__(self, why: str) -> None:
        self.why = why

    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["boolean"], "enum": [False]}

    def accepts(self, value: object, dims: int) -> bool:
        return value is False

    def expects(self, dims: int) -> str:
        return f"false ({self.why})"


class Null(Kind[None]):
    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["null"]}

    def accepts(self, value: object, dims: int) -> bool:
        return value is None

    def expects(self, dims: int) -> str:
        return "null"


class Choice(Kind[str]):
    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["string"], "pattern": f"^({'|'.join(map(re.escape, self.choices))})$"}

    def accepts(self, value: object, dims: int) -> bool:
        return value in self.choices

    def expects(self, dims: int) -> str:
        return alternatives([f'"{choice}"' for choice in self.choices])


class Text(Kind[str]):
    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["string"], "pattern": "^"}  # else the pattern of expressions would apply to all strings

    def accepts(self, value: object, dims: int) -> bool:
        return isinstance(value, str)

    def expects(self, dims: int) -> str:
        return "a string"


class Earlier(Text):
    """The name of an earlier step, whose tensor the layer reads when it runs."""

    def schema(self, dims: int) -> dict[str, Any]:
        pattern = "^[A-Za-z_]"  # the beginning of one: values may follow
        return {"type": ["string"], "pattern": pattern, "refers": "tensor"}

    def accepts(self, value: object, dims: int) -> bool:
        first = value[:1] if isinstance(value, str) else ""
        return first == "_" or (first.isascii() and first.isalpha())

    def expects(self, dims: int) -> str:
        return "the name of an earlier step"


class Anything(Kind[Any]):
    """Every value of a spec except a layer with arguments: null, booleans, numbers, strings, lists."""

    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["null", "boolean", "number", "string", "array"], "pattern": "^", "items": {}}

    def accepts(self, value: object, dims: int) -> bool:
        if isinstance(value, tuple):
            return all(self.accepts(item, dims) for item in value)
        return value is None or isinstance(value, (bool, int, float, str))

    def expects(self, dims: int) -> str:
        return "any value"


class Listing(Kind[tuple[T, ...]]):
    """A list of ``item``s, of any length or of one of ``lengths``."""

    def __init__(self, item: Kind[T], *lengths: int, minimum: int = 1) -> None:
        self.item, self.lengths, self.minimum = item, lengths, minimum

    def schema(self, dims: int) -> dict[str, Any]:
        bounds = {"minItems": min(self.lengths), "maxItems": max(self.lengths)} if self.lengths else {}
        items = merge(self.item.schema(dims), EXPRESSION)
        return {"type": ["array"], "items": items, "minItems": self.minimum} | bounds

    def accepts(self, value: object, dims: int) -> bool:
        return (
            isinstance(value, tuple)
            and (len(value) in self.lengths if self.lengths else len(value) >= self.minimum)
            and all(self.item.accepts(item, dims) for item in value)
        )

    def convert(self, value: Any, dims: int) -> tuple[T, ...]:
        return tuple(self.item.convert(item, dims) for item in value)

    def expects(self, dims: int) -> str:
        count = alternatives([str(length) for length in self.lengths]) + " " if self.lengths else ""
        return f"a list of {count}{_plural(self.item.expects(dims))}"


class PerAxis(Kind[T | tuple[T, ...]]):
    """One ``item`` for all spatial axes, or a list with one ``entry`` for each."""

    def __init__(self, item: Kind[T], *, entry: Kind[Any] | None = None, per_side: bool = False) -> None:
        self.item, self.entry, self.per_side = item, entry or item, per_side

    def listing(self, dims: int) -> Listing[Any]:
        return Listing(self.entry, 2 * dims if self.per_side else dims)

    def schema(self, dims: int) -> dict[str, Any]:
        return merge(self.item.schema(dims), self.listing(dims).schema(dims))

    def accepts(self, value: object, dims: int) -> bool:
        return self.item.accepts(value, dims) or self.listing(dims).accepts(value, dims)

    def convert(self, value: Any, dims: int) -> T | tuple[T, ...]:
        kind = self.listing(dims) if isinstance(value, tuple) else self.item
        return kind.convert(value, dims)

    def expects(self, dims: int) -> str:
        (length,) = self.listing(dims).lengths
        each = "" if length == 1 else ", one for each side" if self.per_side else ", one for each axis"
        entries = "" if self.entry is self.item else f": {self.entry.expects(dims)}"
        return f"{self.item.expects(dims)}, or a list of {length}{each}{entries}"


class Union(Kind[T | U]):
    def __init__(self, first: Kind[T], second: Kind[U]) -> None:
        self.alternatives: Sequence[Kind[Any]] = (first, second)

    def parts(self) -> Sequence[Kind[Any]]:
        return [part for kind in self.alternatives for part in kind.parts()]

    def schema(self, dims: int) -> dict[str, Any]:
        return merge(*(kind.schema(dims) for kind in self.alternatives))

    def accepts(self, value: object, dims: int) -> bool:
        return any(kind.accepts(value, dims) for kind in self.alternatives)

    def convert(self, value: Any, dims: int) -> T | U:
        kind: Kind[T | U] = next(kind for kind in self.alternatives if kind.accepts(value, dims))
        return kind.convert(value, dims)

    def expects(self, dims: int) -> str:
        return ", or ".join(kind.expects(dims) for kind in self.alternatives)


INTEGER = Integer()
NATURAL = Integer(0)
POSITIVE = Integer(1)
NUMBER = Number()
PROBABILITY = Number(0, 1)
NOT_NEGATIVE = Number(0)
ABOVE_ZERO = Number(above=0)
INSIDE_0_AND_1 = Between(0, 1, above=True, below=True)
BOOLEAN = Boolean()
TEXT = Text()
EARLIER = Earlier()
NULL = Null()
ANYTHING = Anything()


def alternatives(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _plural(words: str) -> str:
    return re.sub(r"\b(number|integer|string|value)\b", r"\1s", words.removeprefix("an ").removeprefix("a "), count=1)
