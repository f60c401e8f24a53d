"""Convolutions, poolings, normalizations, padding and resizing."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Code
from cnndsl.importing.lift.blur import blurred
from cnndsl.importing.lift.crops import padded_like
from cnndsl.importing.lift.formulas import value
from cnndsl.importing.lift.rules.table import Rule, rule
from cnndsl.importing.lift.step import Step, Unsaid
from cnndsl.importing.recorded import Held, Number, Tensor

# --- with parameters ------------------------------------------------------------------------------


def _held(step: Step, given: Any) -> Held:
    """A parameter or buffer of a module, as it is."""
    if isinstance(given, Held):
        return given
    if isinstance(given, Tensor):
        raise Unsaid(f"`{step.name}` takes weights that are computed from the input", "", Code.CONSTANT)
    raise step.constant(given)


def _optional(step: Step, given: Any) -> Held | None:
    return None if given is None else _held(step, given)


def _convolution(dims: int) -> Rule:
    def said(
        step: Step, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:  # fmt: skip
        if dims == 2 and bias is None:
            blur = blurred(step, input, weight, stride, padding, dilation, groups)
            if blur is not None:
                return blur
        state = {"weight": _held(step, weight), "bias": _optional(step, bias)}
        out, _, *kernel = state["weight"].shape  # type: ignore[union-attr]
        return step.held(
            f"Conv{dims}d", input, state, out_channels=out, kernel_size=kernel, stride=stride, padding=padding,
            dilation=dilation, groups=groups, bias=bias is not None,
        )  # fmt: skip

    return said


def _transposed(dims: int) -> Rule:
    def said(
        step: Step, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
    ) -> Tensor:  # fmt: skip
        state = {"weight": _held(step, weight), "bias": _optional(step, bias)}
        _, out, *kernel = state["weight"].shape  # type: ignore[union-attr]
        return step.held(
            f"ConvTranspose{dims}d", input, state, out_channels=out * groups, kernel_size=kernel, stride=stride,
            padding=padding, output_padding=output_padding, groups=groups, bias=bias is not None, dilation=dilation,
        )  # fmt: skip

    return said


for _dims in (1, 2, 3):
    rule(f"conv{_dims}d")(_convolution(_dims))
    rule(f"conv_transpose{_dims}d")(_transposed(_dims))


@rule("linear")
def linear(step: Step, input: Any, weight: Any, bias: Any = None) -> Tensor:
    state = {"weight": _held(step, weight), "bias": _optional(step, bias)}
    return step.held("Linear", input, state, out_features=weight.shape[0], bias=bias is not None)


def _affine(step: Step, weight: Any, bias: Any) -> dict[str, Held | None]:
    if weight is None and bias is not None:
        raise Unsaid(f"`{step.name}` with a bias and no weight is not a layer")
    return {"weight": _optional(step, weight), "bias": _optional(step, bias)}


@rule("batch_norm")
def batch_norm(
    step: Step, input: Any, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: float | None = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    x = step.tensor(input)
    trains = step.trains("training", training)
    state = _affine(step, weight, bias)
    if running_mean is not None:
        state |= {"running_mean": _held(step, running_mean), "running_var": _held(step, running_var)}
        if not trains:
            return _frozen(step, x, state, eps)
    return step.held(
            f"BatchNorm{max(len(x.shape) - 2, 1)}d", x, state, eps=eps, momentum=step.trains("momentum", momentum),
        affine=weight is not None, track_running_stats=running_mean is not None,
        bias=bias is not None or weight is None,
    )  # fmt: skip


def _frozen(step: Step, x: Tensor, state: dict[str, Held | None], eps: float) -> Tensor:
    held = [held for held in state.values() if held is not None]
    if len(x.shape) != 4 or len(held) != 4 or any(one.is_parameter for one in held):
        raise Unsaid(f"`{step.name}` keeps its statistics in training, but its scale and shift are learned")
    return step.held("FrozenBatchNorm2d", x, state, eps=eps)


@rule("instance_norm")
def instance_norm(
    step: Step, input: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    x = step.tensor(input)
    step.trains("use_input_stats", use_input_stats)
    state = _affine(step, weight, bias)
    if running_mean is not None:
        state |= {"running_mean": _held(step, running_mean), "running_var": _held(step, running_var)}
    return step.held(
            f"InstanceNorm{len(x.shape) - 2}d", x, state, eps=eps, momentum=momentum, affine=weight is not None,
        track_running_stats=running_mean is not None, bias=bias is not None or weight is None,
    )  # fmt: skip


@rule("group_norm")
def group_norm(
    step: Step, input: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    return step.held("GroupNorm", input, _affine(step, weight, bias), num_groups=num_groups, eps=eps,
        affine=weight is not None, bias=bias is not None or weight is None,
    )  # fmt: skip


@rule("layer_norm")
def layer_norm(
    step: Step, input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    shape = value(normalized_shape)
    several = {"normalized_shape": shape} if isinstance(shape, tuple) and len(shape) > 1 else {}
    return step.held("LayerNorm", input, _affine(step, weight, bias), eps=eps, elementwise_affine=weight is not None,
        bias=bias is not None or weight is None, **several,
    )  # fmt: skip


@rule("rms_norm")
def rms_norm(step: Step, input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    shape = value(normalized_shape)
    several = {"normalized_shape": shape} if isinstance(shape, tuple) and len(shape) > 1 else {}
    state = {"weight": _optional(step, weight)}
    return step.held("RMSNorm", input, state, eps=eps, elementwise_affine=weight is not None, **several)


@rule("local_response_norm")
def local_response_norm(
    step: Step, input: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    return step.layer("LocalResponseNorm", input, size=size, alpha=alpha, beta=beta, k=k)


# --- poolings ------------------------------------------------------------------------------------


def _window(step: Step, kernel: Any, stride: Any) -> dict[str, Any]:
    """The kernel, and the stride if it is another."""
    stride = None if stride in (None, [], ()) or _same(stride, kernel) else stride
    return {"kernel_size": kernel, "stride": stride}


def _same(stride: Any, kernel: Any) -> bool:
    both = [value(item) if isinstance(item, (tuple, list)) else (value(item),) for item in (stride, kernel)]
    return both[0] * len(both[1]) == both[1] * len(both[0])


def _max_pool(dims: int) -> Rule:
    def said(
        step: Step, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Tensor:  # fmt: skip
        return step.layer(
            f"MaxPool{dims}d", input, padding=padding, dilation=dilation, ceil_mode=ceil_mode,
            return_indices=return_indices, **_window(step, kernel_size, stride),
        )  # fmt: skip

    return said


def _avg_pool(dims: int) -> Rule:
    def said(
        step: Step, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> Tensor:  # fmt: skip
        more = {"divisor_override": divisor_override} if dims > 1 else {}
        return step.layer(
            f"AvgPool{dims}d", input, padding=padding, ceil_mode=ceil_mode, count_include_pad=count_include_pad,
            **_window(step, kernel_size, stride), **more,
        )  # fmt: skip

    return said


def _lp_pool(dims: int) -> Rule:
    def said(
        step: Step, input: Any, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> Tensor:
        window = _window(step, kernel_size, stride)
        return step.layer(f"LPPool{dims}d", input, norm_type=norm_type, ceil_mode=ceil_mode, **window)

    return said


def _adaptive(word: str) -> Rule:
    def said(step: Step, input: Any, output_size: Any, return_indices: bool = False) -> Tensor:
        if return_indices:
            raise Unsaid(f"`{step.name}` returns indices, which no layer does")
        return step.layer(word, input, output_size=output_size)

    return said


for _dims in (1, 2, 3):
    rule(f"max_pool{_dims}d")(_max_pool(_dims))
    rule(f"avg_pool{_dims}d")(_avg_pool(_dims))
    rule(f"lp_pool{_dims}d")(_lp_pool(_dims))
    rule(f"adaptive_avg_pool{_dims}d")(_adaptive(f"AdaptiveAvgPool{_dims}d"))
    rule(f"adaptive_max_pool{_dims}d")(_adaptive(f"AdaptiveMaxPool{_dims}d"))


# --- padding -------------------------------------------------------------------------------------

_PADS = {"reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": "CircularPad"}


@rule("pad")
def pad(step: Step, input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    x = step.tensor(input)
    sides = [*pad]
    while mode == "constant" and len(sides) > 2 and sides[-2:] == [0, 0]:
        sides = sides[:-2]
    if not any(sides):
        return x
    dims = len(sides) // 2
    if mode == "constant" and not value and (cropped := padded_like(step, x, sides)) is not None:
        return cropped
    if dims > 3 or dims > len(x.shape) - 1:
        raise Unsaid(f"`{step.name}` pads {dims} dimensions")
    if mode != "constant":
        return step.layer(f"{_PADS[mode]}{dims}d", x, padding=sides)
    if value:
        return step.layer(f"ConstantPad{dims}d", x, padding=sides, value=value)
    return step.layer(f"ZeroPad{dims}d", x, padding=sides)


@rule("torchvision.transforms.functional.center_crop")
def center_crop(step: Step, img: Any, output_size: Any) -> Tensor:
    x, axes = step.tensor(img), 2
    size = (*output_size,) if isinstance(output_size, (tuple, list)) else (output_size,)
    sizes = size * axes if len(size) == 1 else size
    if (other := step.sizes_of(sizes, axes)) is not None:
        return step.like("CenterCrop", x, other)
    return step.layer("CenterCrop", x, size=sizes if len({*map(value, sizes)}) > 1 or _computed(sizes) else sizes[0])


# --- resizing ------------------------------------------------------------------------------------


@rule("interpolate", "upsample")
def interpolate(
    step: Step, input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: bool | None = None, recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Tensor:  # fmt: skip
    if antialias:
        raise Unsaid(f"`{step.name}` with `antialias` is not a layer", "`Upsample` interpolates without it")
    x = step.tensor(input)
    how = {"mode": mode, "align_corners": align_corners}
    if size is None:
        more = {"recompute_scale_factor": recompute_scale_factor}
        return step.layer("Upsample", x, scale_factor=scale_factor, **how, **more)
    axes = len(x.shape) - 2
    sizes = (*size,) if isinstance(size, (tuple, list)) else (size,) * axes
    if (other := step.sizes_of(sizes, axes)) is not None:
        return step.like("Upsample", x, other, **how)
    return step.layer(
        "Upsample", x, size=sizes if len({*map(value, sizes)}) > 1 or _computed(sizes) else sizes[0], **how
    )


def _computed(sizes: tuple[Any, ...]) -> bool:
    return any(isinstance(size, Number) for size in sizes)


@rule("pixel_shuffle")
def pixel_shuffle(step: Step, input: Any, upscale_factor: int) -> Tensor:
    return step.layer("PixelShuffle", input, upscale_factor=upscale_factor)


@rule("pixel_unshuffle")
def pixel_unshuffle(step: Step, input: Any, downscale_factor: int) -> Tensor:
    return step.layer("PixelUnshuffle", input, downscale_factor=downscale_factor)


@rule("channel_shuffle")
def channel_shuffle(step: Step, input: Any, groups: int) -> Tensor:
    return step.layer("ChannelShuffle", input, groups=groups)
