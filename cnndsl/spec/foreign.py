"""Words of other tools, and ours for the same thing: Keras, TensorFlow, Ultralytics, timm, Caffe.

One table for each kind of word. Keys are lowercase and without `_`; :func:`entry` looks a word up.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

# Help that several words have in common.
_RESIDUAL = "`residual: [...]` adds its input to the output of its steps"
_ADD = f"{_RESIDUAL}; `branch: [[...], [...]]` with `merge: add` adds branches"
_CONCAT = "`branch: [[...], [...]]` concatenates the outputs of its branches"
_MULTIPLY = "`branch: [[...], [...]]` with `merge: multiply` multiplies the outputs of its branches"
_SUBTRACT = "`branch: [[...], [...]]` with `merge: subtract` subtracts the second branch from the first"
_DIVIDE = "`branch: [[...], [...]]` with `merge: divide` divides the first branch by the second"
_EXTREME = "`branch: [[...], [...]]` with `merge: {0}` takes the {0} of its branches, value by value"
_DENSE = "`dense: [...]` with `times: 4` concatenates the input and the output of its steps"
_BRANCH = "`branch: [[...], [...]]` gives every branch the same tensor and merges their outputs"
_REPEAT = "`repeat: [...]` with `times: 3`, or with `for: channels` and `in: [64, 128]`"
_SEQUENTIAL = "`sequential: [...]` makes its steps one module; a list of steps needs no word"
_WHEN = "`when: $(...)` beside a layer, and `else: [...]` for the other case"
_REUSE = "`reuse: NAME` applies an earlier step again, with the same weights"
_FROM = "`from: NAME` goes back to the tensor of an earlier step"
_LET = "`let: {width: 64}` binds names for the rest of the list"
_LIKE = "it is an argument: `{like: NAME}` in an `Upsample` takes the size of the tensor of an earlier step"
_BLOCK = "make it a block of your own, under `blocks`"
_RECURRENT = "there is no attention and no recurrence here; `--plugin MODULE` adds layers of your own"
_WEIGHT_NORM = "`parametrization: weight_norm` beside the layer"
_SPECTRAL_NORM = "`parametrization: spectral_norm` beside the layer"
_AUGMENT = "changes of the training images belong to the recipe: `train: {augment: [RandomHorizontalFlip]}`"
_PREPARED = "images are prepared by the recipe: `train: {resize: 32}`, `normalize`"
_NOISE = "`--plugin MODULE` adds layers of your own; `Dropout` is the noise that is here"
_LOSS = "the loss belongs to the recipe: `train: {loss: CrossEntropyLoss}`"
_SEPARABLE = (
    "two steps: `Conv2d: {out_channels: $(input.channels), kernel_size: 3, groups: $(input.channels)}` and "
    "`Conv2d: [64, 1]`"
)
_DEPTHWISE = "`Conv2d: {out_channels: $(input.channels), kernel_size: 3, groups: $(input.channels)}`"


def _table(groups: Mapping[str, str]) -> dict[str, str]:
    """Each word of a group with the meaning of the group."""
    return {word: meaning for words, meaning in groups.items() for word in words.split()}


#: Words in the place of a layer, with a step that does the same.
LAYERS = _table(
    {
        "dense fc fullyconnected innerproduct": "Linear: 128",
        "conv convolution": "Conv2d: [64, 3]",
        "convolution1d": "Conv1d: [64, 3]",
        "convolution2d": "Conv2d: [64, 3]",
        "convolution3d": "Conv3d: [64, 3]",
        "conv1dtranspose": "ConvTranspose1d: [64, 2, 2]",
        "conv2dtranspose deconv deconv2d deconvolution convtranspose": "ConvTranspose2d: [64, 2, 2]",
        "conv3dtranspose": "ConvTranspose3d: [64, 2, 2]",
        "pool pooling maxpool maxpooling maxpooling2d": "MaxPool2d: 2",
        "maxpooling1d": "MaxPool1d: 2",
        "maxpooling3d": "MaxPool3d: 2",
        "avgpool averagepool averagepooling averagepooling2d avgpooling2d": "AvgPool2d: 2",
        "averagepooling1d": "AvgPool1d: 2",
        "averagepooling3d": "AvgPool3d: 2",
        "globalaveragepooling2d globalavgpool globalavgpool2d globalaveragepooling": "AdaptiveAvgPool2d: 1",
        "gap adaptiveavgpool selectadaptivepool2d": "AdaptiveAvgPool2d: 1",
        "globalaveragepooling1d": "AdaptiveAvgPool1d: 1",
        "globalaveragepooling3d": "AdaptiveAvgPool3d: 1",
        "globalmaxpooling2d globalmaxpool adaptivemaxpool": "AdaptiveMaxPool2d: 1",
        "globalmaxpooling1d": "AdaptiveMaxPool1d: 1",
        "batchnormalization batchnorm bn": "BatchNorm2d",
        "syncbatchnorm": "BatchNorm2d",
        "layernormalization ln": "LayerNorm",
        "groupnormalization gn": "GroupNorm: 8",
        "instancenorm": "InstanceNorm2d",
        "lrn": "LocalResponseNorm: 5",
        "swish": "SiLU",
        "hswish": "Hardswish",
        "hsigmoid": "Hardsigmoid",
        "spatialdropout1d": "Dropout1d",
        "spatialdropout2d": "Dropout2d",
        "spatialdropout3d": "Dropout3d",
        "gaussiandropout": "Dropout",
        "droppath dropconnect stochasticdrop": "StochasticDepth: [0.1, row]",
        "zeropadding1d": "ZeroPad1d: 1",
        "zeropadding2d pad padding pad2d": "ZeroPad2d: 1",
        "zeropadding3d": "ZeroPad3d: 1",
        "cropping2d": "ZeroPad2d: [-1, -1, -1, -1]",
        "upsampling1d upsampling2d upsampling3d upsampling resize interpolate": "Upsample: {scale_factor: 2}",
        "depthtospace": "PixelShuffle: 2",
        "spacetodepth focus reorg": "PixelUnshuffle: 2",
        "transpose": "Permute: [0, 2, 3, 1]",
    }
)

#: Words in the place of a step for something that has another form here, with help.
STRUCTURE = _table(
    {
        "separableconv2d separableconv": _SEPARABLE,
        "depthwiseconv2d depthwiseconv dwconv": _DEPTHWISE,
        "activation act nonlinearity": "each activation is a layer: `ReLU`, `SiLU`, `Sigmoid`",
        "view": "`Reshape: [1, 28, 28]`, or `Flatten`",
        "add plus": f"{_ADD}, and `Add: 1.0` a number",
        "multiply mul product": f"{_MULTIPLY}, and `Multiply: 0.5` all values by a number",
        "sum": f"{_ADD}; `Sum: 1` adds up a dimension",
        "eltwise elementwise shortcut skip skipconnection identityshortcut resadd": _ADD,
        "concat concatenate cat route merge join": _CONCAT,
        "subtract sub minus": _SUBTRACT,
        "divide div quotient": _DIVIDE,
        "maximum": _EXTREME.format("maximum"),
        "minimum": _EXTREME.format("minimum"),
        "parallel branches fork split inception paths concurrent": _BRANCH,
        "residualblock resblock resnet": _RESIDUAL,
        "denseblock denselayer": _DENSE,
        "loop for foreach while times in range stack": _REPEAT,
        "residual": _RESIDUAL,
        "branch": _BRANCH,
        "repeat": _REPEAT,
        "sequential": _SEQUENTIAL,
        "reuse": _REUSE,
        "from": _FROM,
        "let": _LET,
        "else": _WHEN,
        "squeeze unsqueeze expanddims": "`Reshape: [1, 28, 28]` gives a sample another shape",
        "seq chain modulelist moduledict layers steps": _SEQUENTIAL,
        "if elif unless switch case cond condition": _WHEN,
        "shared share tied same siamese": _REUSE,
        "goto back jump": _FROM,
        "like": _LIKE,
        "input inputs inputlayer": f"`input`, beside `network`, is the shape of one sample; {_FROM}",
        "output outputs": "`outputs: [NAME]`, beside `network`, names the steps whose tensors are returned",
        "set var vars define def const": _LET,
        "conv2dnormactivation convnormact convnormactivation convbnrelu convbnact convmodule batchnormact2d": _BLOCK,
        "squeezeexcitation squeezeexcite semodule seblock se bottleneck basicblock invertedresidual mbconv": _BLOCK,
        "bottleneckcsp c2f c3 c3k2 sppf spp detect classify": _BLOCK,
        "lambda": "`--plugin MODULE` adds layers of your own",
        "lstm gru rnn embedding": _RECURRENT,
        "attention multiheadattention selfattention transformer transformerencoderlayer": _RECURRENT,
        "weightnorm": _WEIGHT_NORM,
        "spectralnorm sn": _SPECTRAL_NORM,
        "randomflip randomrotation randomzoom randomtranslation randomcrop randomcontrast": _AUGMENT,
        "rescaling resizing normalization": _PREPARED,
        "gaussiannoise": _NOISE,
        "crossentropyloss mseloss bceloss nllloss loss criterion": _LOSS,
    }
)

#: Words beside a layer, with help.
STEP_OPTIONS = _table(
    {
        "weightnorm": _WEIGHT_NORM,
        "spectralnorm": _SPECTRAL_NORM,
        "if cond condition unless only": _WHEN,
        "id label tag": "`name: ...` names a step",
    }
)

#: Words for ways to merge branches.
MERGES = _table(
    {
        "+ sum plus addition addition residual summation": "add",
        "cat concatenate concatenation join stack append route": "concat",
        "* x mul times product prod hadamard mult": "multiply",
        "- sub minus diff difference": "subtract",
        "/ div quotient ratio": "divide",
        "max amax": "maximum",
        "min amin": "minimum",
    }
)

#: Words for arguments of layers, with the possible arguments: the first one that the layer has is meant.
ARGUMENTS = {
    "filters": ("out_channels",), "outputchannels": ("out_channels",), "outplanes": ("out_channels",),
    "planes": ("out_channels",), "channels": ("out_channels",), "cout": ("out_channels",),
    "units": ("out_features",), "outputs": ("out_features", "out_channels"), "outputdim": ("out_features",),
    "outdim": ("out_features", "out_channels"), "size": ("kernel_size", "output_size"),
    "kernel": ("kernel_size",), "ksize": ("kernel_size",), "k": ("kernel_size",), "filtersize": ("kernel_size",),
    "poolsize": ("kernel_size",), "window": ("kernel_size",), "windowsize": ("kernel_size",),
    "strides": ("stride",), "s": ("stride",), "pad": ("padding",), "p": ("padding",), "pads": ("padding",),
    "dilationrate": ("dilation",), "dilations": ("dilation",), "usebias": ("bias",), "group": ("groups",),
    "rate": ("p",), "dropout": ("p",), "prob": ("p",), "dropprob": ("p",), "probability": ("p",),
    "epsilon": ("eps",), "alpha": ("negative_slope", "alpha"), "slope": ("negative_slope",),
    "negslope": ("negative_slope",), "interpolation": ("mode",), "scale": ("scale_factor",), "axis": ("dim",),
    "targetshape": ("shape",), "groupsize": ("num_groups",),
}  # fmt: skip


#: Words for arguments that are something else here, with help.
ELSEWHERE = _table(
    {
        "activation": "an activation is a step of its own, after this one: `- ReLU`",
        "kernelinitializer biasinitializer": "how weights begin is told by `init`, beside `network`",
    }
)

#: Keys of other tools for a section of the document.
SECTIONS = _table(
    {
        "layers model architecture steps body net graph modules backbone": "network",
        "inputs inputshape inputsize imagesize imgsz shape": "input",
        "parameters vars variables hyperparameters args defaults": "params",
        "definitions defs functions": "blocks",
        "training trainer recipe fit": "train",
        "initialization initializer initializers": "init",
        "import imports include uses": "use",
        "base inherit inherits parent": "extends",
        "title": "name",
        "desc comment": "description",
    }
)

#: Keys of other tools for a key of the recipe, or for an argument of a call in it.
RECIPE = _table(
    {
        "lr learningrate baselr lr0 eta": "lr",
        "wd weightdecay decay l2": "weight_decay",
        "momentum": "momentum",
        "betas": "betas",
        "numepochs nepochs maxepochs nbepochs": "epochs",
        "bs batch batchsize minibatch": "batch_size",
        "criterion lossfn lossfunction objective": "loss",
        "optim optimiser solver": "optimizer",
        "lrscheduler lrschedule schedule sched": "scheduler",
        "data datasets traindata": "dataset",
        "transform transforms augmentation augmentations": "augment",
        "randomseed manualseed": "seed",
        "amp fp16 dtype mixedprecision": "precision",
        "gradclip clip clipgrad gradientclipping maxgradnorm gradclipnorm": "clip_grad_norm",
        "gradaccum accumulation accumulategradbatches gradientaccumulationsteps": "accumulate",
        "imgsz imagesize imgsize": "resize",
        "frozen freezelayers": "freeze",
    }
)

#: Keys of other tools that are not part of a recipe, but an option of ``cnndsl train``.
OPTIONS = _table(
    {
        "workers numworkers nworkers": "--workers",
        "device devices accelerator gpu gpus": "--device",
        "datadir dataroot root": "--data-dir",
        "resume": "--resume",
        "tensorboard": "--tensorboard",
    }
)

#: The batch in the shapes of other tools.
BATCH = frozenset(("none", "null", "n", "b", "batch", "bs", "batchsize", "-1", "1", "?", "~"))


def entry(word: str) -> str:
    """A word as the tables have it."""
    return re.sub(r"(?<=\w)[_\s-]+|[_\s]+", "", word).lower()


def meant_argument(word: str, known: Container[str]) -> str:
    """The argument of a layer for another tool's word, "" if there is none or the word is the layer's own."""
    return "" if word in known else next((name for name in ARGUMENTS.get(entry(word), ()) if name in known), "")
