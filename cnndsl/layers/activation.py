"""Activations: elementwise functions, and a few that work along a dimension."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.layers.kinds import BOOLEAN, INTEGER, MAX_NUMBER, NOT_NEGATIVE, NULL, NUMBER, POSITIVE, Choice
from cnndsl.layers.shape import Refused, Shape, resolve_sample_dim
from cnndsl.layers.table import INPUT, OUTPUT, Layer, Saved, argument, layer
from cnndsl.layers.windows import WHOLE, Span, Windows


class _Activation(Layer):
    family = "activation"

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(values=x.elements) if self.works_in_place() else INPUT  # in place, torch keeps a copy


class _Inplace(_Activation):
    inplace = argument(BOOLEAN, False)


class _Bent(_Activation):
    """Functions with a slope below 0. In place, torch's backward pass has only the output, and its sign tells
    on which side of 0 the input was. A negative slope makes that ambiguous."""

    def reads_output(self) -> bool:
        return self.works_in_place()

    def irreversible(self) -> str:
        return "torch has no backward pass for a negative slope in place" if self.slope() < 0 else ""

    def saves(self, x: Shape, out: Shape) -> Saved:
        return OUTPUT if self.works_in_place() else INPUT

    def slope(self) -> float:
        """A number with the sign of the slope below 0."""
        return 1.0


@layer
class ReLU(_Inplace):
    """``max(x, 0)``.

    Nair and Hinton, 2010.
    """

    def reads_output(self) -> bool:
        return True

    def saves(self, x: Shape, out: Shape) -> Saved:
        return OUTPUT


@layer
class ReLU6(_Inplace):
    """``min(max(x, 0), 6)``, a range that suits low-precision arithmetic.

    Krizhevsky, 2010.
    """


@layer
class LeakyReLU(_Bent):
    """``x`` above 0, ``negative_slope * x`` below.

    Maas, Hannun and Ng, 2013.
    """

    negative_slope = argument(NUMBER, 1e-2)
    inplace = argument(BOOLEAN, False)

    def slope(self) -> float:
        return self.negative_slope


@layer
class PReLU(_Activation):
    """``LeakyReLU`` with a learned slope, initialized to ``init``.

    There is one slope for all channels (``num_parameters: 1``), or one for each channel (dimension 1).

    He et al., 2015.
    """

    num_parameters = argument(POSITIVE, 1)
    init = argument(NUMBER, 0.25)

    def output(self, x: Shape) -> Shape:
        if self.num_parameters not in (1, x.channels):
            raise Refused(
                f"{self.num_parameters} slopes do not match the input's {x.channels} channels",
                "num_parameters",
                f"write 1 for all channels, or {x.channels}",
            )
        return x

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_parameters,)}


@layer
class RReLU(_Bent):
    """``LeakyReLU`` with a random slope. In training it is drawn uniformly from ``lower`` to ``upper`` for each
    value; in evaluation it is the mean of the two.

    Xu et al., 2015.
    """

    lower = argument(NUMBER, 1.0 / 8)
    upper = argument(NUMBER, 1.0 / 3)
    inplace = argument(BOOLEAN, False)

    def output(self, x: Shape) -> Shape:
        if self.lower > self.upper:
            raise Refused(f"lower {self.lower} is above upper {self.upper}", "lower")
        return x

    def slope(self) -> float:
        return self.lower + self.upper

    def saves(self, x: Shape, out: Shape) -> Saved:
        return super().saves(x, out)._replace(values=x.elements)  # the slopes


@layer
class ELU(_Bent):
    """``x`` above 0, ``alpha * (exp(x) - 1)`` below.

    Clevert, Unterthiner and Hochreiter, 2015.
    """

    alpha = argument(NUMBER, 1.0)
    inplace = argument(BOOLEAN, False)

    def slope(self) -> float:
        return self.alpha


@layer
class CELU(_Bent):
    """``ELU`` with a continuous derivative for any ``alpha``: ``x`` above 0, ``alpha * (exp(x / alpha) - 1)`` below.

    Barron, 2017.
    """

    alpha = argument(NUMBER, 1.0)
    inplace = argument(BOOLEAN, False)

    def output(self, x: Shape) -> Shape:
        if abs(self.alpha) < 1 / MAX_NUMBER:
            raise Refused("alpha is a divisor: it cannot be 0, nor so small that 1 / alpha overflows float32", "alpha")
        return x

    def slope(self) -> float:
        return self.alpha


@layer
class SELU(_Bent):
    """``ELU`` scaled so that activations keep mean 0 and variance 1 from layer to layer.

    ``1.0507 * ELU(x)`` with ``alpha = 1.6733``. Initialize the weights with ``kaiming_normal`` and
    ``nonlinearity: linear``, and use ``AlphaDropout`` for dropout.

    Klambauer et al., 2017.
    """

    inplace = argument(BOOLEAN, False)


@layer
class GELU(_Activation):
    """``x * P(X <= x)`` for a standard normal X; ``approximate: tanh`` is a faster approximation.

    Hendrycks and Gimpel, 2016.
    """

    approximate = argument(Choice("none", "tanh"), "none")


@layer
class SiLU(_Inplace):
    """``x * sigmoid(x)``, also called Swish.

    Elfwing, Uchibe and Doya, 2017; Ramachandran, Zoph and Le, 2017.
    """


@layer
class Mish(_Inplace):
    """``x * tanh(softplus(x))``.

    Misra, 2019.
    """


@layer
class Hardswish(_Inplace):
    """``x * ReLU6(x + 3) / 6``: ``SiLU`` with a piecewise linear sigmoid.

    Howard et al., 2019.
    """


@layer
class Hardsigmoid(_Inplace):
    """``ReLU6(x + 3) / 6``, a piecewise linear ``Sigmoid``.

    Courbariaux, Bengio and David, 2015, with other slopes; Howard et al., 2019.
    """


@layer
class Hardtanh(_Activation):
    """``x`` clamped to the range from ``min_val`` to ``max_val``.

    ``min_value`` and ``max_value`` are older names for these two, and override them.

    Collobert, 2004.
    """

    min_val = argument(NUMBER, -1.0)
    max_val = argument(NUMBER, 1.0)
    inplace = argument(BOOLEAN, False)
    min_value = argument(NUMBER | NULL, None)
    max_value = argument(NUMBER | NULL, None)

    def output(self, x: Shape) -> Shape:
        low = self.min_val if self.min_value is None else self.min_value
        high = self.max_val if self.max_value is None else self.max_value
        if high <= low:
            raise Refused(f"the range from {low} to {high} is empty", "max_val")
        return x


@layer
class Abs(_Activation):
    """``|x|``, the magnitude of each value; applied to a difference, the distance."""

    defined_in = "activation"


class _FromOutput(_Activation):
    """Functions whose derivative is computed from their output."""

    def reads_output(self) -> bool:
        return True

    def saves(self, x: Shape, out: Shape) -> Saved:
        return OUTPUT


@layer
class Sigmoid(_FromOutput):
    """``1 / (1 + exp(-x))``."""

    gives_probabilities = True


@layer
class LogSigmoid(_Activation):
    """``log(1 / (1 + exp(-x)))``, computed without overflow."""

    gives_probabilities = True

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=x.elements)


@layer
class Tanh(_FromOutput):
    """``(exp(x) - exp(-x)) / (exp(x) + exp(-x))``."""


@layer
class Tanhshrink(_Activation):
    """``x - tanh(x)``."""

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(values=x.elements)  # the tanh


@layer
class Softplus(_Activation):
    """``log(1 + exp(beta * x)) / beta``, a smooth ``ReLU``; ``x`` itself if ``beta * x`` is above ``threshold``.

    Dugas et al., 2001.
    """

    beta = argument(NUMBER, 1.0)
    threshold = argument(NUMBER, 20.0)


@layer
class Softsign(_Activation):
    """``x / (1 + abs(x))``.

    Bergstra et al., 2009.
    """

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=x.elements)  # the divisor


@layer
class Softshrink(_Activation):
    """Shrinks ``x`` towards 0 by ``lambd``; values closer to 0 than that become 0.

    Donoho, 1995.
    """

    lambd = argument(NOT_NEGATIVE, 0.5)


@layer
class Hardshrink(_Activation):
    """``x`` if it is below ``-lambd`` or above ``lambd``, else 0.

    Donoho and Johnstone, 1994.
    """

    lambd = argument(NUMBER, 0.5)


@layer
class Threshold(_Activation):
    """``x`` if it is above ``threshold``, else ``value``."""

    example = {"threshold": 0.1, "value": 0}

    threshold = argument(NUMBER)
    value = argument(NUMBER)
    inplace = argument(BOOLEAN, False)


@layer
class GLU(_Activation):
    """``a * sigmoid(b)``, where ``a`` and ``b`` are the two halves of the input along ``dim``. Halves that dimension.

    Dauphin et al., 2016.
    """

    example = {"dim": 1}

    dim = argument(INTEGER, -1)

    def output(self, x: Shape) -> Shape:
        dim = resolve_sample_dim(self.dim, x.rank)
        if x[dim] % 2:
            raise Refused(f"dimension {dim} of {x} is odd, so it cannot be halved", "dim")
        return x.with_size(dim, x[dim] // 2)

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        dim = self.dim % x.rank
        return {dim: Windows(1, (Span(0, out[dim], out[dim]),))}

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        dim = resolve_sample_dim(self.dim, x.rank)
        return {dim: f"{x[dim]} / 2"}


class _Softmax(_FromOutput):
    example = {"dim": 1}

    dim = argument(INTEGER | NULL, None)

    def output(self, x: Shape) -> Shape:
        if self.dim is not None:
            resolve_sample_dim(self.dim, x.rank)
        elif x.rank == 3:
            raise Refused(
                f"without `dim`, torch uses dimension 0 of {x}, which is the batch", None, "write it, such as `dim: 1`"
            )
        return x

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return {1 if self.dim is None else self.dim % x.rank: WHOLE}


@layer
class Softmax(_Softmax):
    """``exp(x) / sum(exp(x))`` along ``dim``: positive values that sum to 1. ``dim: null`` means dimension 1.

    Bridle, 1990.
    """

    gives_probabilities = True


@layer
class Softmin(_Softmax):
    """``Softmax`` of ``-x``."""

    def scratch(self, x: Shape, out: Shape) -> int:
        return x.elements  # the negated input


@layer
class LogSoftmax(_Softmax):
    """``log(softmax(x))`` along ``dim``, computed without overflow. ``dim: null`` means dimension 1."""

    gives_probabilities = True


@layer
class Softmax2d(_FromOutput):
    """``Softmax`` over the channels at each pixel of an image, ``(N, C, H, W)``."""

    gives_probabilities = True
    dims = 2
