"""Shared by the tables of a recipe: functions with a rule over several arguments, and kinds of arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cnndsl.layers.function import Function
from cnndsl.layers.kinds import NUMBER, Between, Kind, Listing
from cnndsl.layers.table import Argument

#: Checks all arguments of a call, with defaults, and raises Refused if they contradict each other.
Rule = Callable[[Mapping[str, Any]], None]


class Ruled(Function):
    """A function with a ``rule`` that its arguments must satisfy together."""

    def __init__(
        self,
        name: str,
        documentation: str,
        arguments: Mapping[str, Argument[Any]] = {},
        *,
        path: str = "",
        rule: Rule | None = None,
    ) -> None:
        super().__init__(name, documentation, arguments, path=path)
        self.rule = rule

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        values = super().bind(given)
        if self.rule:
            self.rule(values)
        return values


class Text(Kind[str]):
    """A string that is not empty; ``what`` describes it, such as "the path of a folder"."""

    def __init__(self, what: str) -> None:
        self.what = what

    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["string"], "pattern": r"^[\s\S]"}

    def accepts(self, value: object, dims: int) -> bool:
        return isinstance(value, str) and value != ""

    def expects(self, dims: int) -> str:
        return self.what


class OneOf(Kind[int]):
    """One of a few integers."""

    def __init__(self, *choices: int) -> None:
        self.choices = choices

    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["integer"], "enum": [*self.choices]}

    def accepts(self, value: object, dims: int) -> bool:
        return type(value) is int and value in self.choices

    def expects(self, dims: int) -> str:
        return " or ".join(map(str, self.choices))


class Each(Listing[float]):
    """A list of numbers with bounds: "a list of 2 numbers, each above 0"."""

    def expects(self, dims: int) -> str:
        count = f"{' or '.join(map(str, self.lengths))} " if self.lengths else ""
        return f"a list of {count}numbers, each {bounds(self.item)}"


class Interval(Listing[float]):
    """Two numbers, the lower one first, or several such pairs in one list. The two may be equal."""

    def __init__(self, item: Kind[float] = NUMBER, *lengths: int) -> None:
        super().__init__(item, *(lengths or (2,)))

    def accepts(self, value: object, dims: int) -> bool:
        return (
            super().accepts(value, dims)
            and isinstance(value, tuple)
            and all(low <= high for low, high in zip(value[::2], value[1::2]))
        )

    def expects(self, dims: int) -> str:
        lower = "the lower one first" if len(self.lengths) == 1 else "in pairs, the lower one first"
        each = "" if self.item is NUMBER else f", each {bounds(self.item)}"
        return f"a list of {' or '.join(map(str, self.lengths))} numbers, {lower}{each}"


BELOW_1 = Between(0, 1, below=True)
ABOVE_0_TO_1 = Between(0, 1, above=True)


def bounds(kind: Kind[float]) -> str:
    """The bounds of numbers, in words: "above 0"."""
    return kind.expects(0).removeprefix("a number ")
