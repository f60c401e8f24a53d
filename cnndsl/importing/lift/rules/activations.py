"""Activations and dropout."""

from __future__ import annotations

from typing import Any

from cnndsl.importing.lift.rules.table import Rule, rule
from cnndsl.importing.lift.step import Step
from cnndsl.importing.recorded import Held, Tensor
from cnndsl.layers import LAYERS

#: Layers whose functions take no argument but ``inplace``, by the functions' names.
PLAIN = {
    "relu": "ReLU", "relu6": "ReLU6", "selu": "SELU", "silu": "SiLU", "mish": "Mish", "hardswish": "Hardswish",
    "hardsigmoid": "Hardsigmoid", "sigmoid": "Sigmoid", "expit": "Sigmoid", "tanh": "Tanh", "logsigmoid": "LogSigmoid",
    "tanhshrink": "Tanhshrink", "softsign": "Softsign", "abs": "Abs", "absolute": "Abs",
}  # fmt: skip


def _plain(word: str) -> Rule:
    def said(step: Step, input: Any, inplace: bool = False) -> Tensor:
        return step.layer(word, input, **_in_place(step, word, inplace))

    return said


def _in_place(step: Step, word: str, inplace: bool) -> dict[str, Any]:
    """The argument of a layer that has one. ``F.relu_`` and ``x.relu_()`` are in place too."""
    told = inplace or (step.operation.target.endswith("_") and not step.operation.target.endswith("__"))
    return {"inplace": told} if "inplace" in LAYERS[word].arguments else {}


for _name, _word in PLAIN.items():
    rule(_name)(_plain(_word))


@rule("leaky_relu")
def leaky_relu(step: Step, input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    return step.layer("LeakyReLU", input, negative_slope=negative_slope, **_in_place(step, "LeakyReLU", inplace))


@rule("elu")
def elu(step: Step, input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return step.layer("ELU", input, alpha=alpha, **_in_place(step, "ELU", inplace))


@rule("celu")
def celu(step: Step, input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    return step.layer("CELU", input, alpha=alpha, **_in_place(step, "CELU", inplace))


@rule("rrelu")
def rrelu(
    step: Step, input: Any, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    if step.trains("training", training):
        return step.layer("RReLU", input, lower=lower, upper=upper, **_in_place(step, "RReLU", inplace))
    return step.layer("LeakyReLU", input, negative_slope=(lower + upper) / 2)


@rule("prelu")
def prelu(step: Step, input: Any, weight: Any) -> Tensor:
    if not isinstance(weight, Held) or len(weight.shape) != 1:
        raise step.constant(weight)
    return step.held("PReLU", input, {"weight": weight}, num_parameters=weight.shape[0])


@rule("gelu")
def gelu(step: Step, input: Any, approximate: str = "none") -> Tensor:
    return step.layer("GELU", input, approximate=approximate)


@rule("hardtanh")
def hardtanh(step: Step, input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    if (min_val, max_val) == (0, 6):
        return step.layer("ReLU6", input, **_in_place(step, "ReLU6", inplace))
    return step.layer("Hardtanh", input, min_val=min_val, max_val=max_val, **_in_place(step, "Hardtanh", inplace))


@rule("clamp", "clip")
def clamp(step: Step, input: Any, min: Any = None, max: Any = None) -> Tensor:
    if max is None and min == 0:
        return step.layer("ReLU", input)
    if isinstance(min, (int, float)) and isinstance(max, (int, float)):
        return hardtanh(step, input, min, max)
    return step.pseudo("clamp", input, min=min, max=max)


@rule("softplus")
def softplus(step: Step, input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    return step.layer("Softplus", input, beta=beta, threshold=threshold)


@rule("softshrink")
def softshrink(step: Step, input: Any, lambd: float = 0.5) -> Tensor:
    return step.layer("Softshrink", input, lambd=lambd)


@rule("hardshrink")
def hardshrink(step: Step, input: Any, lambd: float = 0.5) -> Tensor:
    return step.layer("Hardshrink", input, lambd=lambd)


@rule("threshold")
def threshold(step: Step, input: Any, threshold: float, value: float, inplace: bool = False) -> Tensor:
    return step.layer("Threshold", input, threshold=threshold, value=value, **_in_place(step, "Threshold", inplace))


@rule("glu")
def glu(step: Step, input: Any, dim: int = -1) -> Tensor:
    return step.layer("GLU", input, dim=dim)


def _along(word: str) -> Rule:
    def said(step: Step, input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
        x = step.tensor(input)
        return step.layer(word, x, dim=dim if dim is None else step.dim(dim, x))

    return said


for _name, _word in (("softmax", "Softmax"), ("softmin", "Softmin"), ("log_softmax", "LogSoftmax")):
    rule(_name)(_along(_word))


# --- dropout -------------------------------------------------------------------------------------


def _dropping(word: str) -> Rule:
    def said(step: Step, input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        if not step.drops(training) or (p := step.trains("p", p)) == 0:
            return step.tensor(input)
        return step.layer(word, input, p=p, inplace=inplace)

    return said


for _name, _word in (
    ("dropout", "Dropout"), ("dropout1d", "Dropout1d"), ("dropout2d", "Dropout2d"), ("dropout3d", "Dropout3d"),
    ("alpha_dropout", "AlphaDropout"), ("feature_alpha_dropout", "FeatureAlphaDropout"),
):  # fmt: skip
    rule(_name)(_dropping(_word))


@rule("stochastic_depth")
def stochastic_depth(step: Step, input: Any, p: float, mode: str, training: bool = True) -> Tensor:
    if not step.drops(training) or p == 0:
        return step.tensor(input)
    return step.layer("StochasticDepth", input, p=p, mode=mode)


def _blocks(word: str) -> Rule:
    def said(
        step: Step, input: Any, p: float, block_size: int, inplace: bool = False, eps: float = 1e-6,
        training: bool = True,
    ) -> Tensor:  # fmt: skip
        if not step.drops(training) or p == 0:
            return step.tensor(input)
        return step.layer(word, input, p=p, block_size=block_size, inplace=inplace, eps=eps)

    return said


rule("drop_block2d")(_blocks("DropBlock2d"))
rule("drop_block3d")(_blocks("DropBlock3d"))
