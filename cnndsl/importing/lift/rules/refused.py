"""Functions that no layer is, and what people call them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.diagnostics import Code
from cnndsl.importing.lift.rules.table import Rule, rule
from cnndsl.importing.lift.step import Step, Unsaid

#: What is attention, or may be.
ATTENTION = (
    "scaled_dot_product_attention",
    "multi_head_attention_forward",
    "matmul",
    "rmatmul",
    "bmm",
    "baddbmm",
    "einsum",
)
RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell")
#: What needs values of tensors.
VALUES = ("item", "tolist", "nonzero", "masked_select", "argmax", "argsort", "topk", "unique")

_REFUSALS: set[Rule] = set()
_WHY: Mapping[str, tuple[str, str]] = {
    "setitem": ("writes into a part of a tensor", "make the parts and concatenate them"),
    "flip": ("reverses a dimension, which no layer does", ""),
    "roll": ("shifts a dimension, which no layer does", ""),
    "grid_sample": ("samples at computed places, which no layer does", ""),
    "unfold": ("makes a tensor of windows, which no layer does", ""),
}


def _refusing(why: str, help: str = "", code: Code = Code.OPERATION) -> Rule:
    def refuse(step: Step, *given: Any, **more: Any) -> Any:
        raise Unsaid(f"`{step.name}` {why}", help, code)

    _REFUSALS.add(refuse)
    return refuse


def is_refusal(rule: Rule) -> bool:
    """Whether a rule refuses whatever it is given."""
    return rule in _REFUSALS


for _name in ATTENTION:
    rule(_name)(_refusing("multiplies tensors with each other, as attention does", code=Code.SEQUENCE))
for _name in RECURRENT:
    rule(_name)(_refusing("is recurrent: its output at a place depends on that before", code=Code.SEQUENCE))
for _name in VALUES:
    rule(_name)(_refusing("depends on the values of a tensor", code=Code.VALUES))
for _name, (_why, _help) in _WHY.items():
    rule(_name)(_refusing(_why, _help))
