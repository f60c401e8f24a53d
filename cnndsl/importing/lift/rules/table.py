"""The table of rules, and the one name of each function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

#: What a function is called with after its step, and what it gives.
Rule = Callable[..., Any]
R = TypeVar("R", bound=Rule)
RULES: dict[str, Rule] = {}
#: Operators that work in place, with those that do not.
_IN_PLACE = ("iadd", "isub", "imul", "itruediv", "ipow", "iand", "ior", "ifloordiv", "imod")


def rule(*names: str) -> Callable[[R], R]:
    """Adds a rule for functions with these last names: "relu" is that of ``F.relu``, ``torch.relu_`` and ``x.relu()``;
    a whole name, "torch.dropout", only of this one."""

    def add(made: R) -> R:
        for name in names:
            assert name not in RULES, name
            RULES[name] = made
        return made

    return add


def rule_of(target: str) -> Rule | None:
    """The rule of a function by its canonical name."""
    return RULES.get(target) or RULES.get(last_name(target))


def last_name(target: str) -> str:
    """A function's name without its home, the same in place: "add" for ``Tensor.add_`` and ``operator.iadd``."""
    last = target.rpartition(".")[2].strip("_")
    return last[1:] if last in _IN_PLACE else last
