"""Convolutions with a fixed binomial filter, which poolings say."""

from __future__ import annotations

from math import comb
from typing import Any

import torch

from cnndsl.importing.lift.formulas import value
from cnndsl.importing.lift.held import held_as
from cnndsl.importing.lift.step import Step
from cnndsl.importing.recorded import Tensor


def blurred(
    step: Step, input: Any, weight: Any, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Tensor | None:
    """A depthwise convolution with the binomial filter of n x n, which blurs before sampling (Zhang, 2019): n - 1 means
    of 2 x 2. None if it is another convolution. Equal but for rounding."""
    found = held_as(weight)
    if not isinstance(input, Tensor) or found is None or found[0].is_parameter:
        return None
    size, plain = found[1][-1], (_all(padding, 0) and _all(dilation, 1))
    if found[1] != (value(groups), 1, size, size) or found[1][0] != input.shape[1] or size < 2 or not plain:
        return None
    if not _is_binomial(step.value_of(found[0]), size):
        return None
    for _ in range(size - 2):
        input = step.layer("AvgPool2d", input, kernel_size=2, stride=1)
    return step.layer("AvgPool2d", input, kernel_size=2, stride=None if _all(stride, 2) else stride)


def _all(given: Any, number: int) -> bool:
    return {*given} == {number} if isinstance(given, (tuple, list)) else bool(given == number)


def _is_binomial(filters: torch.Tensor, size: int) -> bool:
    row = torch.tensor([comb(size - 1, k) for k in range(size)], dtype=torch.float64) / 2 ** (size - 1)
    return not filters.is_meta and bool((filters.double() == torch.outer(row, row)).all())
