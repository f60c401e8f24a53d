"""What a spec may call by name besides layers: functions and classes of torch with their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from cnndsl.layers.kinds import Kind
from cnndsl.layers.table import Argument, Arguments, signature, take


class Function:
    """A function or class of torch: its name, what it does, and its arguments in torch's order.

    ``path`` is its full name, such as ``torch.optim.SGD``; empty if it is not torch's but ours.
    """

    def __init__(
        self, name: str, documentation: str, arguments: Mapping[str, Argument[Any]] = {}, *, path: str = ""
    ) -> None:
        self.name = name
        self.documentation = documentation
        self.arguments = Arguments(arguments)
        self.path = path
        for key, value in arguments.items():
            value.name = key

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments, checked, with defaults. Raises :class:`Refused`."""
        return take(self.name, self.arguments, given)

    def signature(self) -> str:
        """The arguments as Python would write them."""
        return signature(self.arguments)

    def positional(self) -> tuple[str, ...]:
        """The names that a list of arguments fills."""
        return tuple(name for name, argument in self.arguments.items() if not argument.keyword)

    def takes_list(self) -> bool:
        """Whether a list is its single argument instead of several."""
        names = self.positional()
        return len(names) == 1 and "array" in self.arguments[names[0]].kind.schema(2)["type"]


F = TypeVar("F", bound=Function)


def by_name(functions: Iterable[F]) -> dict[str, F]:
    """A table of functions."""
    return {function.name: function for function in functions}


class Calls(Kind[tuple[Any, ...]]):
    """A list of calls to the functions in ``table``, such as ``[{LinearLR: {total_iters: 5}}, ...]``."""

    def __init__(self, table: Mapping[str, Function], expected: str) -> None:
        self.table, self.expected = table, expected

    def schema(self, dims: int) -> dict[str, Any]:
        return {"type": ["array"], "minItems": 1}

    def accepts(self, value: object, dims: int) -> bool:
        return isinstance(value, tuple) and len(value) > 0

    def expects(self, dims: int) -> str:
        return f"a list of {self.expected}"
