"""The functions of expressions. There are no others, and no spec can add one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

#: The longest list or string that an expression can create.
MAX_LIST = 1024
MAX_DIGITS = 300


def _range(*bounds: int) -> tuple[int, ...]:
    numbers = range(*bounds)
    if len(numbers) > MAX_LIST:
        raise OverflowError(f"a range of {len(numbers)} numbers, the limit is {MAX_LIST}")
    return tuple(numbers)


def _round(number: float, digits: int | None = None) -> float:
    if digits is not None and abs(digits) > MAX_DIGITS:
        raise OverflowError(f"rounding to {digits} digits, the limit is {MAX_DIGITS}")
    return round(number, digits)


def divisible(v: float, by: int = 8) -> int:
    """``v`` rounded to a multiple of ``by``: at least ``by``, and not more than 10 % below ``v``.

    The rounding of channel counts in MobileNetV2 (Sandler et al., 2018).
    """
    if by < 1:
        raise ValueError("by must be positive")
    rounded = max(by, int(v + by / 2) // by * by)
    return rounded + by if rounded < 0.9 * v else rounded


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": min, "max": max, "abs": abs, "round": _round, "floor": math.floor, "ceil": math.ceil,
    "int": int, "len": len, "sum": sum, "range": _range, "divisible": divisible,
}  # fmt: skip

#: The usage of each function.
USAGE = {
    "min": "min(a, b, ...) or min(list)",
    "max": "max(a, b, ...) or max(list)",
    "abs": "abs(number)",
    "round": "round(number) or round(number, digits)",
    "floor": "floor(number)",
    "ceil": "ceil(number)",
    "int": "int(number)",
    "len": "len(list)",
    "sum": "sum(list of numbers)",
    "range": "range(stop), range(start, stop) or range(start, stop, step), with integers, and a step that is not 0",
    "divisible": "divisible(number, by=8), with a positive `by`",
}
