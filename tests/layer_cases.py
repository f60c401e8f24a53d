"""One refused case for every layer: input shape, arguments, the argument at fault, words of the message.

The accepted case of a layer is its `example`, which stands in the table itself.
"""

from typing import Any, NamedTuple


class Refusal(NamedTuple):
    x: tuple[int, ...]
    given: dict[str, Any]
    argument: str | None
    says: str


def _image(dims: int, size: int = 8, channels: int = 4) -> tuple[int, ...]:
    return (2, channels, *[size] * dims)


REFUSED: dict[str, Refusal] = {
    # activations
    **{
        name: Refusal(_image(2), {"inplace": 1}, "inplace", "expects true or false")
        for name in ["ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "Hardsigmoid", "ELU", "LeakyReLU"]
    },
    **{
        name: Refusal(_image(2), {"inplace": True}, "inplace", "has no argument `inplace`")
        for name in ["Abs", "Sigmoid", "LogSigmoid", "Tanh", "Tanhshrink", "Softsign"]
    },
    "PReLU": Refusal(_image(2), {"num_parameters": 3}, "num_parameters", "3 slopes do not match the input's 4"),
    "RReLU": Refusal(_image(2), {"lower": 0.5, "upper": 0.25}, "lower", "above upper"),
    "CELU": Refusal(_image(2), {"alpha": 0}, "alpha", "cannot be 0"),
    "GELU": Refusal(_image(2), {"approximate": "erf"}, "approximate", 'expects "none" or "tanh"'),
    "Hardtanh": Refusal(_image(2), {"min_val": 1}, "max_val", "the range from 1.0 to 1.0 is empty"),
    "Softplus": Refusal(_image(2), {"beta": "1"}, "beta", "expects a number"),
    "Softshrink": Refusal(_image(2), {"lambd": -1}, "lambd", "expects a number of at least 0"),
    "Hardshrink": Refusal(_image(2), {"lambd": None}, "lambd", "expects a number"),
    "Threshold": Refusal(_image(2), {"threshold": 1}, None, "needs `value`"),
    "GLU": Refusal(_image(2, channels=3), {"dim": 1}, "dim", "is odd"),
    "Softmax": Refusal(_image(2), {"dim": 0}, "dim", "dimension 0 is the batch"),
    "Softmin": Refusal(_image(1), {}, None, "without `dim`, torch uses dimension 0"),
    "LogSoftmax": Refusal(_image(2), {"dim": 4}, "dim", "not one of the tensor's 4"),
    "Softmax2d": Refusal((2, 4), {}, None, "works on [N, C, H, W]"),
    # linear
    "Linear": Refusal((2, 8), {"out_features": 4, "in_features": 9}, "in_features", "the input [2, 8] makes it 8"),
    "Scale": Refusal(_image(2), {"num_channels": 8}, "num_channels", "makes it 4"),
    # normalization
    **{f"BatchNorm{dims}d": Refusal(_image(dims), {"eps": 0}, "eps", "expects a number above 0") for dims in (1, 2, 3)},
    **{f"InstanceNorm{dims}d": Refusal(_image(dims, 1), {}, None, "one value per channel") for dims in (1, 2, 3)},
    "GroupNorm": Refusal(_image(2), {"num_groups": 3}, "num_groups", "not divisible by 3"),
    "LayerNorm": Refusal(_image(2), {"normalized_shape": (4, 8)}, "normalized_shape", "makes it 8"),
    "LayerNorm2d": Refusal(_image(2), {"normalized_shape": 8}, "normalized_shape", "makes it 4"),
    "RMSNorm": Refusal(_image(2), {"normalized_shape": (2, 4, 8, 8)}, "normalized_shape", "makes it 8"),
    "LocalResponseNorm": Refusal((2, 8), {"size": 3}, None, "at least 3 dimensions"),
    "FrozenBatchNorm2d": Refusal(_image(1), {}, None, "works on [N, C, H, W]"),
    # dropout
    **{
        name: Refusal(_image(2), {"p": 1.5}, "p", "a number from 0 to 1")
        for name in ["Dropout", "Dropout2d", "AlphaDropout", "FeatureAlphaDropout"]
    },
    "Dropout1d": Refusal((2, 4), {}, None, "works on [N, C, L]"),
    "Dropout3d": Refusal(_image(2), {}, None, "works on [N, C, D, H, W]"),
    "StochasticDepth": Refusal(_image(2), {"p": 0.1, "mode": "sample"}, "mode", '"batch" or "row"'),
    "DropBlock2d": Refusal(_image(2), {"p": 0.1, "block_size": 2}, "block_size", "odd"),
    "DropBlock3d": Refusal(_image(3), {"p": 0.1, "block_size": 9}, "block_size", "reduces 9 to that"),
    # reductions and arithmetic
    "Mean": Refusal(_image(2), {"dim": None}, "dim", "would reduce the batch too"),
    "Sum": Refusal(_image(2), {"dim": (0, 1)}, "dim", "dimension 0 is the batch"),
    "Amax": Refusal(_image(2), {"dim": (1, 2, 3)}, "dim", "no dimension left"),
    "Norm": Refusal(_image(2), {"dim": (2, -2)}, "dim", "twice"),
    "Add": Refusal(_image(2), {}, None, "needs `other`"),
    "Multiply": Refusal(_image(2), {"other": True}, "other", "expects a number"),
    "Pow": Refusal(_image(2), {}, None, "needs `exponent`"),
    "Affine": Refusal(_image(2), {"num_features": 3}, "num_features", "makes it 4"),
    # upsampling
    "Upsample": Refusal(_image(1), {"scale_factor": 2, "mode": "bilinear"}, "mode", "works on 4 dimensions"),
    "UpsamplingNearest2d": Refusal(_image(2), {}, "size", "either `size` or `scale_factor`"),
    "UpsamplingBilinear2d": Refusal(_image(2), {"scale_factor": 0.1}, "scale_factor", "scaled by 0.1 is empty"),
    "PixelShuffle": Refusal(_image(2), {"upscale_factor": 3}, "upscale_factor", "not divisible by 3 * 3"),
    "PixelUnshuffle": Refusal(_image(2), {"downscale_factor": 3}, "downscale_factor", "not divisible by 3"),
    "CenterCrop": Refusal(_image(2), {"size": (3, 3, 3)}, "size", "do not match the 2 spatial axes"),
    # shape
    "Identity": Refusal(_image(2), {"size": 3}, "size", "no argument"),
    "Flatten": Refusal(_image(2), {"start_dim": 0}, "start_dim", "dimension 0 is the batch"),
    "Unflatten": Refusal((2, 8), {"dim": 1, "unflattened_size": (3, -1)}, "unflattened_size", "cannot be arranged"),
    "Permute": Refusal(_image(1), {"dims": (1, 0, 2)}, "dims", "dimension 0 is the batch"),
    "Reshape": Refusal((2, 8), {"shape": (3, 3)}, "shape", "3 * 3 = 9 elements"),
    "Slice": Refusal(_image(2), {"start": 2, "stop": 5}, "stop", "past the end"),
    "ChannelShuffle": Refusal(_image(2), {"groups": 3}, "groups", "not divisible by 3"),
}

for dims in (1, 2, 3):
    x = _image(dims)
    REFUSED |= {
        # convolutions
        f"Conv{dims}d": Refusal(x, {"out_channels": 4, "kernel_size": 9}, "kernel_size", "does not fit"),
        f"ConvTranspose{dims}d": Refusal(
            x, {"out_channels": 4, "kernel_size": 3, "output_padding": 1}, "output_padding", "smaller than stride"
        ),
        # pooling
        f"MaxPool{dims}d": Refusal(x, {"kernel_size": 3, "padding": 2}, "padding", "more than half"),
        f"AvgPool{dims}d": Refusal(x, {"kernel_size": 9}, "kernel_size", "of 9" if dims == 3 else "does not fit"),
        f"LPPool{dims}d": Refusal(x, {"norm_type": 0, "kernel_size": 2}, "norm_type", "order 0"),
        f"AdaptiveAvgPool{dims}d": Refusal(x, {"output_size": None}, "output_size", "a positive integer"),
        f"AdaptiveMaxPool{dims}d": Refusal(
            x, {"output_size": 2, "return_indices": True}, "return_indices", "a second output"
        ),
        # padding
        f"ZeroPad{dims}d": Refusal(x, {"padding": -4}, "padding", "leaves nothing"),
        f"ConstantPad{dims}d": Refusal(
            x, {"padding": (-9, *[9] * (2 * dims - 1)), "value": 0}, "padding", "cuts off more"
        ),
        f"ReflectionPad{dims}d": Refusal(x, {"padding": 8}, "padding", "at most 7"),
        f"ReplicationPad{dims}d": Refusal(x, {"padding": (1,)}, "padding", f"a list of {2 * dims}, one for each side"),
        f"CircularPad{dims}d": Refusal(x, {"padding": 9}, "padding", "at most 8"),
    }
