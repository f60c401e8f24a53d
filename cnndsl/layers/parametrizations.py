"""Parametrizations of a layer's weight: the functions of ``torch.nn.utils.parametrizations``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

from cnndsl.layers.function import Function, by_name
from cnndsl.layers.kinds import INTEGER, NULL, NUMBER, POSITIVE
from cnndsl.layers.shape import Refused, Shape, resolve_dim
from cnndsl.layers.table import Argument, Layer, argument

Tensors = dict[str, tuple[int, ...]]
#: The tensors that replace a weight, and the buffers beside them, by their names in torch.
Rule = Callable[[Mapping[str, Any], Shape, type[Layer]], tuple[Tensors, Tensors]]
_PATH = "torch.nn.utils.parametrizations"


class Parametrization(Function):
    """A function of torch that computes a layer's ``weight`` from other tensors, whenever it is read."""

    def __init__(self, name: str, documentation: str, arguments: Mapping[str, Argument[Any]], rule: Rule) -> None:
        super().__init__(name, documentation, arguments, path=f"{_PATH}.{name}")
        self.rule = rule

    @property
    def imports(self) -> str:
        """The import that the emitted source needs."""
        return f"from {_PATH} import {self.name}"


class Parametrized(NamedTuple):
    """A parametrization with its arguments: those that are ``given``, and ``values`` with the defaults."""

    function: Parametrization
    given: Mapping[str, Any]
    values: Mapping[str, Any]

    def tensors(self, layer: Layer) -> tuple[Tensors, Tensors]:
        """Parameters and buffers, by their names in the ``state_dict`` of the layer. Raises :class:`Refused`."""
        weight = Shape(layer.parameters()["weight"])
        learned, kept = self.function.rule(self.values, weight, type(layer))
        return _prefixed(learned), _prefixed(kept)

    def __str__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.given.items())
        return f"{self.function.name}({given})" if given else self.function.name


_ONE_LENGTH = "`dim: null` gives the whole weight one length"


def _prefixed(tensors: Tensors) -> Tensors:
    return {f"parametrizations.weight.{name}": shape for name, shape in tensors.items()}


def _length_and_direction(values: Mapping[str, Any], weight: Shape, layer: type[Layer]) -> tuple[Tensors, Tensors]:
    """``torch._weight_norm``: one length for each index of ``dim``, or for the whole weight."""
    dim = values["dim"]
    if dim is None:
        return {"original0": (), "original1": weight}, {}
    if not 0 <= dim < weight.rank:
        raise Refused(f"dimension {dim} is not one of the weight's, 0 to {weight.rank - 1}", "dim", _ONE_LENGTH)
    length = tuple(size if index == dim else 1 for index, size in enumerate(weight))
    return {"original0": length, "original1": weight}, {}


def _singular_vectors(values: Mapping[str, Any], weight: Shape, layer: type[Layer]) -> tuple[Tensors, Tensors]:
    """``torch.nn.utils.parametrizations._SpectralNorm``: the vectors of the power method, for a weight that is a
    matrix with ``dim`` as its rows."""
    dim = resolve_dim(layer.outputs_dim if values["dim"] is None else values["dim"], weight.rank)
    rows = weight[dim]
    vectors: Tensors = {"0._u": (rows,), "0._v": (prod(weight) // rows,)} if weight.rank > 1 else {}
    return {"original": weight}, vectors


PARAMETRIZATIONS = by_name(
    [
        Parametrization(
            "weight_norm",
            "``weight = g * v / |v|``, with a learned length ``g`` for each index of ``dim`` and a learned direction "
            "``v``; ``dim: null`` makes it one length. Salimans and Kingma, 2016.",
            {"dim": argument(INTEGER | NULL, 0, keyword=True)},
            _length_and_direction,
        ),
        Parametrization(
            "spectral_norm",
            "``weight / s``, ``s`` being its largest singular value as a matrix with ``dim`` as rows, estimated by "
            "``n_power_iterations`` of the power method in each forward pass of training. ``dim: null`` is the outputs."
            " Miyato et al., 2018.",
            {
                "n_power_iterations": argument(POSITIVE, 1, keyword=True),
                "eps": argument(NUMBER, 1e-12, keyword=True),
                "dim": argument(INTEGER | NULL, None, keyword=True),
            },
            _singular_vectors,
        ),
    ]
)
