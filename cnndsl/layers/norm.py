"""Normalization: by batch, by sample, by group of channels, by feature."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from cnndsl.layers.kinds import ABOVE_ZERO, BOOLEAN, NULL, NUMBER, POSITIVE, Listing
from cnndsl.layers.shape import Refused, Shape
from cnndsl.layers.table import Layer, Saved, argument, inferred, layer
from cnndsl.layers.windows import WHOLE, Windows


class _Normalization(Layer):
    family = "normalization"
    short_name = "norm"

    def affine_parameters(self, shape: tuple[int, ...], affine: bool, bias: bool) -> dict[str, tuple[int, ...]]:
        """A scale and, with ``bias``, a shift of this shape, if the layer is ``affine``."""
        return {name: shape for name in ("weight", "bias")[: 1 + bias] if affine}


def _spatially(x: Shape) -> Mapping[int, Windows]:
    """Every value depends on the statistics of its channel, or of its sample."""
    return dict.fromkeys(range(2, x.rank), WHOLE)


def _more_than_one(values: int, x: Shape, group: str, argument: str | None, help: str) -> None:
    """Refuses to normalize over one value, whose variance is 0, as torch refuses a batch of one."""
    if values == 1:
        raise Refused(f"the input {x} has one value per {group}, whose variance is 0", argument, help)


class _Statistics(_Normalization):
    """Normalizes each channel by its mean and variance; running averages of them may be kept."""

    num_features = inferred(POSITIVE, lambda cls, x: x.channels)
    eps = argument(NUMBER, 1e-5)
    momentum = argument(NUMBER | NULL, 0.1)
    affine = argument(BOOLEAN, True)
    track_running_stats = argument(BOOLEAN, True)
    bias = argument(BOOLEAN, True, keyword=True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return self.affine_parameters((self.num_features,), self.affine, self.bias)

    def buffers(self) -> dict[str, tuple[int, ...]]:
        channels = (self.num_features,)
        kept = {"running_mean": channels, "running_var": channels, "num_batches_tracked": ()}
        return kept if self.track_running_stats else {}

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return {} if self.track_running_stats else _spatially(x)  # those of evaluation


class _BatchNorm(_Statistics):
    short_name = "bn"
    normalizes_batch = True

    eps = argument(ABOVE_ZERO, 1e-5)

    def output(self, x: Shape) -> Shape:
        if not self.track_running_stats:
            help = "with running statistics, evaluation does not need those of the batch"
            _more_than_one(prod(x.spatial), x, "channel", "track_running_stats", help)
        return x

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=2 * x.channels)  # mean and deviation

    def scratch(self, x: Shape, out: Shape) -> int:
        return 0 if self.track_running_stats else 2 * x.channels


@layer
class BatchNorm1d(_BatchNorm):
    """Batch normalization of features, ``(N, C)``, or of signals, ``(N, C, L)``; see ``BatchNorm2d``."""

    dims = 1
    ranks = (2, 3)


@layer
class BatchNorm2d(_BatchNorm):
    """Normalizes each channel of ``(N, C, H, W)`` to mean 0 and variance 1 over the batch, then applies a learned
    scale and shift.

    ``weight * (x - mean) / sqrt(var + eps) + bias``, with ``weight`` and ``bias`` of shape ``(C,)``.
    Training uses the mean and variance of the batch, which must hold more than one value per channel. Evaluation
    uses their running averages, ``running = (1 - momentum) * running + momentum * batch``; with
    ``track_running_stats: false`` it uses those of the batch too.
    ``momentum: null`` gives all batches the same weight.

    Ioffe and Szegedy, 2015.
    """

    dims = 2


@layer
class BatchNorm3d(_BatchNorm):
    """Batch normalization of volumes, ``(N, C, D, H, W)``; see ``BatchNorm2d``."""

    dims = 3


class _InstanceNorm(_Statistics):
    affine = argument(BOOLEAN, False)
    track_running_stats = argument(BOOLEAN, False)

    def output(self, x: Shape) -> Shape:
        help = "`LayerNorm` and `GroupNorm` normalize a sample's channels together"
        _more_than_one(prod(x.spatial), x, "channel", None, help)
        return x

    def saves(self, x: Shape, out: Shape) -> Saved:
        copies = 2 + len(self.affine_parameters((1,), self.affine, False)) + 2 * self.track_running_stats
        return Saved(input=True, values=copies * x[0] * x.channels)  # torch makes a channel of each of a sample's


@layer
class InstanceNorm1d(_InstanceNorm):
    """Instance normalization of signals, ``(N, C, L)``; see ``InstanceNorm2d``."""

    dims = 1


@layer
class InstanceNorm2d(_InstanceNorm):
    """Normalizes each channel of each sample of ``(N, C, H, W)`` to mean 0 and variance 1.

    ``(x - mean) / sqrt(var + eps)`` over height and width, which must hold more than one value.
    ``affine: true`` adds a learned ``weight`` and ``bias`` of shape ``(C,)``; ``track_running_stats: true``
    keeps running averages for evaluation.

    Ulyanov, Vedaldi and Lempitsky, 2016.
    """

    dims = 2


@layer
class InstanceNorm3d(_InstanceNorm):
    """Instance normalization of volumes, ``(N, C, D, H, W)``; see ``InstanceNorm2d``."""

    dims = 3


@layer
class GroupNorm(_Normalization):
    """Normalizes each group of channels of each sample to mean 0 and variance 1, then applies a learned scale
    and shift.

    ``num_groups`` must divide the channels. One group normalizes all channels together; as many groups as
    channels make instance normalization. A group must hold more than one value. ``weight`` and ``bias``
    have shape ``(C,)``.

    Wu and He, 2018.
    """

    example = {"num_groups": 4}

    num_groups = argument(POSITIVE)
    num_channels = inferred(POSITIVE, lambda cls, x: x.channels)
    eps = argument(NUMBER, 1e-5)
    affine = argument(BOOLEAN, True)
    bias = argument(BOOLEAN, True, keyword=True)

    def output(self, x: Shape) -> Shape:
        if self.num_channels % self.num_groups:
            raise Refused(f"{self.num_channels} channels are not divisible by {self.num_groups} groups", "num_groups")
        help = "fewer groups hold more channels each"
        _more_than_one(prod(x.sample) // self.num_groups, x, "group", "num_groups", help)
        return x

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return self.affine_parameters((self.num_channels,), self.affine, self.bias)

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return _spatially(x)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=2 * x[0] * self.num_groups)


def _last_sizes(value: int | tuple[int, ...], x: Shape) -> bool:
    """Whether ``value`` is the last size of a sample, or the last few."""
    sizes = value if isinstance(value, tuple) else (value,)
    return x.sample[-len(sizes) :] == sizes


class _FeatureNorm(_Normalization):
    normalized_shape = inferred(POSITIVE | Listing(POSITIVE), lambda cls, x: x.features, fits=_last_sizes)

    @property
    def feature_shape(self) -> tuple[int, ...]:
        shape = self.normalized_shape
        return shape if isinstance(shape, tuple) else (shape,)

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return dict.fromkeys(range(x.rank - len(self.feature_shape), x.rank), WHOLE)

    def groups(self, x: Shape) -> int:
        """The number of groups of values that are normalized together."""
        return x.elements // prod(self.feature_shape)


@layer
class LayerNorm(_FeatureNorm):
    """Normalizes the last dimension of each sample to mean 0 and variance 1, then applies a learned scale and shift.

    ``weight * (x - mean) / sqrt(var + eps) + bias``. ``normalized_shape`` is inferred as the size of the last
    dimension; write the last few sizes, such as ``[C, H, W]``, to normalize over all of these. ``weight`` and
    ``bias`` have that shape.

    Ba, Kiros and Hinton, 2016.
    """

    eps = argument(NUMBER, 1e-5)
    elementwise_affine = argument(BOOLEAN, True)
    bias = argument(BOOLEAN, True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return self.affine_parameters(self.feature_shape, self.elementwise_affine, self.bias)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=2 * self.groups(x))


@layer
class LayerNorm2d(_Normalization):
    """``LayerNorm`` over the channels of each pixel of ``(N, C, H, W)``, as in ConvNeXt.

    Liu et al., 2022.
    """

    dims = 2
    defined_in = "norm"

    normalized_shape = inferred(POSITIVE, lambda cls, x: x.channels)
    eps = argument(NUMBER, 1e-5)
    elementwise_affine = argument(BOOLEAN, True)
    bias = argument(BOOLEAN, True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return self.affine_parameters((self.normalized_shape,), self.elementwise_affine, self.bias)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=2 * x.elements // x.channels)


@layer
class RMSNorm(_FeatureNorm):
    """Divides the last dimension of each sample by its root mean square, then applies a learned scale.

    ``weight * x / sqrt(mean(x ** 2) + eps)``, where ``eps: null`` means the machine epsilon of
    float32. ``normalized_shape`` is that of ``LayerNorm``.

    Zhang and Sennrich, 2019.
    """

    eps = argument(NUMBER | NULL, None)
    elementwise_affine = argument(BOOLEAN, True)

    def parameters(self) -> dict[str, tuple[int, ...]]:
        return self.affine_parameters(self.feature_shape, self.elementwise_affine, False)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=self.groups(x) + x.elements * self.elementwise_affine)


@layer
class LocalResponseNorm(_Normalization):
    """Divides each value by the activity of the ``size`` channels around it at the same pixel.

    ``x / (k + alpha * mean(x ** 2)) ** beta``, with the mean over these channels; channels beyond the first
    and last count as zeros.

    Krizhevsky, Sutskever and Hinton, 2012.
    """

    ranks = range(3, 64)
    example = {"size": 5}

    size = argument(POSITIVE)
    alpha = argument(NUMBER, 1e-4)
    beta = argument(NUMBER, 0.75)
    k = argument(NUMBER, 1.0)

    def padded(self, x: Shape) -> tuple[int, ...]:
        return x.with_channels(x.channels + self.size - 1)

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, values=prod(self.padded(x)) + 2 * x.elements)

    def scratch(self, x: Shape, out: Shape) -> int:
        return 2 * x.elements


@layer
class FrozenBatchNorm2d(_Normalization):
    """``BatchNorm2d`` whose statistics, scale and shift are buffers, so training does not change them.

    ``weight * (x - running_mean) / sqrt(running_var + eps) + bias``, in training and in evaluation. Use it to
    fine-tune a network in batches that are too small for their own statistics.
    """

    package = "torchvision.ops"
    short_name = "bn"
    dims = 2

    num_features = inferred(POSITIVE, lambda cls, x: x.channels)
    eps = argument(NUMBER, 1e-5)

    def buffers(self) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (self.num_features,))

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(values=x.channels)  # the scale

    def scratch(self, x: Shape, out: Shape) -> int:
        return x.elements + 2 * x.channels  # the scaled input, scale and shift
