"""The layer table against torch: every layer takes, gives and refuses what torch's does."""

import inspect
import os
import re
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from emitting import torch_class
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from layer_cases import REFUSED
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import cnndsl
from cnndsl.emit.reference import FAMILIES, layer_page, layer_reference
from cnndsl.layers import INITIALIZERS, LAYERS, Layer, Refused, Shape
from cnndsl.layers.initializers import Initializer
from cnndsl.layers.kinds import (
    Boolean,
    Choice,
    Earlier,
    Integer,
    Kind,
    Listing,
    Never,
    Null,
    Number,
    PerAxis,
    Union,
)

# CNNDSL_EXAMPLES=2000 looks further, and elsewhere each time.
EXAMPLES = int(os.environ.get("CNNDSL_EXAMPLES", "0"))
property_test = settings(
    max_examples=EXAMPLES or 40,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

BATCH = 3

every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
every_initializer = pytest.mark.parametrize("initializer", INITIALIZERS.values(), ids=INITIALIZERS)


# ------------------------------------------------------------------------------------ torch's side


class Ran(NamedTuple):
    module: nn.Module
    output: tuple[int, ...]
    mixes: bool  # whether a sample's output depends on the other samples


def run(layer: type[Layer], arguments: dict[str, Any], x: Shape) -> Ran | Exception:
    """Builds torch's module and runs it, in training and in evaluation, there on a single sample too."""
    torch.manual_seed(0)
    tensor = torch.randn(x)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch_class(layer)(**arguments)
            trained = module.train()(tensor.clone().requires_grad_() * 1)
            with torch.no_grad():
                output = module.eval()(tensor.clone())
                module(tensor[:1].clone())
                mixes = output.shape[0] != x[0] or _differs(module, tensor, output)
    except Exception as error:
        return error
    assert trained.shape == output.shape
    return Ran(module, tuple(output.shape), mixes)


def _differs(module: nn.Module, x: torch.Tensor, output: torch.Tensor) -> bool:
    """Whether two of the samples by themselves come out otherwise than among the others."""
    try:
        part = module(x[:2].clone())
    except Exception:
        return True
    return part.shape != output[:2].shape or not torch.allclose(part, output[:2], 1e-3, 1e-4, equal_nan=True)


# ----------------------------------------------------------------------------- what an argument may be


def values(kind: Kind[Any], dims: int) -> st.SearchStrategy[Any]:
    """Small values of a kind."""
    match kind:
        case Integer():
            low = -3 if kind.minimum is None else kind.minimum
            return st.integers(low, low + 4 if low >= 0 else 4)
        case Number():
            return st.sampled_from([0, 0.5, 1, 2, 0.1, 1.5, -1, 1e-5]).filter(lambda value: kind.accepts(value, dims))
        case Boolean():
            return st.booleans()
        case Never():
            return st.just(False)
        case Null():
            return st.none()
        case Earlier():
            return st.just("skip")
        case Choice():
            return st.sampled_from(kind.choices)
        case Listing():
            length = st.sampled_from(kind.lengths) if kind.lengths else st.integers(kind.minimum, 4)
            return length.flatmap(lambda n: st.tuples(*[values(kind.item, dims)] * n))
        case PerAxis():
            return st.one_of(values(kind.item, dims), values(kind.listing(dims), dims))
        case Union():
            return st.one_of(*(values(alternative, dims) for alternative in kind.alternatives))
    raise NotImplementedError(type(kind))


def likely(layer: type[Layer], name: str, x: Shape) -> st.SearchStrategy[Any] | None:
    """Values that have a chance where few are legal."""
    match layer.__name__, name:
        case "Permute", "dims":
            signs = st.lists(st.sampled_from([0, x.rank]), min_size=x.rank, max_size=x.rank)
            orders = st.one_of(
                st.permutations(range(1, x.rank)).map(lambda order: [0, *order]), st.permutations(range(x.rank))
            )
            return st.builds(lambda order, sign: tuple(d - s for d, s in zip(order, sign)), orders, signs)
        case "Reshape", "shape":
            return st.permutations(x.sample).flatmap(
                lambda sizes: st.sampled_from([tuple(sizes), (-1, *sizes[1:]), (*sizes[:1], -1), (1, -1, *sizes[:1])])
            )
        case "Unflatten", "unflattened_size":
            return st.sampled_from([(-1,), (2, -1), (-1, 1), (1, 2, -1)])
        case (("LayerNorm" | "RMSNorm"), "normalized_shape"):
            return st.integers(0, x.rank - 1).map(lambda start: tuple(x[start:]))
        case "Upsample", ("size" | "align_corners" | "recompute_scale_factor"):
            return st.none()
        case "Upsample", "mode":
            return st.sampled_from(["nearest", ["", "linear", "bilinear", "trilinear"][min(x.rank, 5) - 2]]).filter(
                bool
            )
        case "CenterCrop", "size":
            return st.sampled_from([1, 2, 5, (3,), tuple(range(2, x.rank)) or 1])
        case kind, ("kernel_size" | "padding") if "Pool" in kind:
            return st.integers(1, 3) if name == "kernel_size" else st.integers(0, 1)
        case (("Mean" | "Sum" | "Amax" | "Norm"), "dim"):
            return st.lists(st.integers(1, x.rank - 1), min_size=1, unique=True).map(tuple)
        case "PReLU", "num_parameters":
            return st.just(x.channels)
    return None


@st.composite
def inputs(draw: st.DrawFn, layer: type[Layer]) -> Shape:
    usual = [layer.dims + 2] if layer.dims else [2, 3, 4, 5]
    rank = draw(st.sampled_from(usual * 9 + [2, 3, 4, 5]))
    channels = draw(st.sampled_from([1, 2, 3, 4, 6, 8]))
    return Shape((BATCH, channels, *draw(st.lists(st.integers(1, 6), min_size=rank - 2, max_size=rank - 2))))


@st.composite
def calls(draw: st.DrawFn, layer: type[Layer]) -> tuple[dict[str, Any], Shape]:
    """Arguments and an input, legal or not."""
    x = draw(inputs(layer))
    given = {}
    for name, argument in layer.arguments.items():
        if name in layer.reads:
            continue  # there is no other tensor here
        odds = [True] if argument.required else [True] + [False] * (4 if argument.infer else 1)
        if draw(st.sampled_from(odds)):
            hint = likely(layer, name, x)
            value = values(argument.kind, layer.dims or 0)
            given[name] = draw(value if hint is None else st.one_of(hint, value))
    return given, x


def told(layer: type[Layer], x: Shape) -> dict[str, Any]:
    """The inferred arguments, on any input."""
    return {name: arg.infer(layer, x) for name, arg in layer.arguments.items() if arg.infer}


def bind(layer: type[Layer], given: dict[str, Any], x: Shape) -> tuple[Layer, Shape] | Refused:
    try:
        bound = layer.bind(given, x)
        return bound, bound.output(x)
    except Refused as refused:
        return refused


# -------------------------------------------------------------------------------- agreement with torch


def parameters_of(signature: inspect.Signature, *skipped: str) -> list[tuple[str, Any, bool]]:
    return [
        (parameter.name, parameter.default, parameter.kind is parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and parameter.name not in skipped
    ]


def arguments_of(entry: type[Layer] | Initializer) -> list[tuple[str, Any, bool]]:
    return [
        (name, inspect.Parameter.empty if arg.required or arg.infer else arg.default, arg.keyword)
        for name, arg in entry.arguments.items()
        if name not in getattr(entry, "reads", ())
    ]


@every_layer
def test_signature(layer: type[Layer]) -> None:
    wanted = inspect.signature(torch_class(layer))
    assert arguments_of(layer) == parameters_of(wanted, "device", "dtype")


def test_every_unary_layer_of_torch_is_there() -> None:
    """What is left out takes several tensors, sequences or indices, or is another layer's special form."""
    left_out = """
        AdaptiveLogSoftmaxWithLoss Bilinear Container CosineSimilarity CrossMapLRN2d DataParallel Embedding EmbeddingBag
        Fold FractionalMaxPool2d FractionalMaxPool3d GRU GRUCell LSTM LSTMCell MaxUnpool1d MaxUnpool2d MaxUnpool3d
        Module ModuleDict ModuleList MultiheadAttention PairwiseDistance ParameterDict ParameterList RNN RNNBase RNNCell
        RNNCellBase Sequential SyncBatchNorm Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder
        TransformerEncoderLayer Unfold
    """
    modules = {name for name, value in vars(nn).items() if inspect.isclass(value) and issubclass(value, nn.Module)}
    modules = {name for name in modules if not re.search(r"^Lazy|Loss(2d)?$", name)}
    assert modules - set(left_out.split()) <= set(LAYERS)


def keeps_samples_apart(layer: type[Layer], given: dict[str, Any]) -> bool:
    """Whether the layer, in evaluation, is supposed to treat every sample by itself."""
    return not (layer.__name__.startswith("BatchNorm") and given.get("track_running_stats") is False)


TAKE_OTHER_RANKS = {
    "UpsamplingNearest2d": "it is `Upsample`, which works on (N, C, L) and (N, C, D, H, W) too",
    "Dropout2d": "deprecated: torch warns that it will be an error",
    "Dropout3d": "deprecated: torch warns that it will be an error",
    "FrozenBatchNorm2d": "its factors are broadcast against any tensor",
    "AdaptiveAvgPool2d": "its short cut for `output_size: 1` does not check",
}


def refused_for_our_reasons(layer: type[Layer], arguments: dict[str, Any], x: Shape, ran: Ran) -> str:
    """Why a layer refuses what torch takes, if it has a reason that torch does not know."""
    ours = layer.ranks or ((layer.dims + 2,) if layer.dims else range(2, 64))
    if x.rank < min(ours):
        return "torch would take the batch for the channels of a single sample, or for one of its axes"
    if layer.__name__ in TAKE_OTHER_RANKS and x.rank not in ours:
        return TAKE_OTHER_RANKS[layer.__name__]
    if 0 in ran.output:
        return "an empty tensor"
    if len(ran.output) < 2:
        return "a sample without dimensions"
    if layer.__name__.startswith("Circular") and min(torch.as_tensor(arguments["padding"]).flatten()) < 0:
        return "torch fills what it cannot wrap around with whatever is in the memory"
    names_batch = {"Flatten": ("start_dim", 1), "Unflatten": ("dim", 1), "Slice": ("dim", 1)}.get(layer.__name__)
    if names_batch and arguments.get(*names_batch) % x.rank == 0:
        return "the batch is named, though nothing would happen to it"
    return ""


@every_layer
def test_agrees_with_torch(layer: type[Layer]) -> None:
    seen: Counter[str] = Counter()

    @property_test
    @given(calls(layer))
    def check(call: tuple[dict[str, Any], Shape]) -> None:
        written, x = call
        bound = bind(layer, written, x)
        inferred = told(layer, x)
        if any(
            written.get(name, value) != value and not layer.arguments[name].fits for name, value in inferred.items()
        ):
            assert isinstance(bound, Refused), "an inferred argument is written and wrong"
            return
        arguments = inferred | written
        ran = run(layer, arguments, x)
        if isinstance(bound, Refused):
            seen["refused"] += 1
            assert bound.argument is None or bound.argument in layer.arguments
            if isinstance(ran, Ran) and not (ran.mixes and keeps_samples_apart(layer, arguments)):
                assert refused_for_our_reasons(layer, arguments, x, ran), f"torch gives {ran.output}: {bound}"
            return
        seen["accepted"] += 1
        assert isinstance(ran, Ran), f"torch refuses: {ran!r}"
        instance, output = bound
        assert output == ran.output
        assert not (ran.mixes and keeps_samples_apart(layer, arguments)), "samples are mixed"
        assert [*instance.parameters().items()] == shapes(ran.module.named_parameters())
        assert [*instance.buffers().items()] == shapes(ran.module.named_buffers())

    check()
    assert seen["accepted"] >= 5, seen


def shapes(tensors: Iterator[tuple[str, torch.Tensor]]) -> list[tuple[str, tuple[int, ...]]]:
    return [(name, tuple(tensor.shape)) for name, tensor in tensors]


def outside(kind: Kind[Any], dims: int) -> list[Any]:
    """Values just outside a kind, of the types that it takes."""
    match kind:
        case Integer() if kind.minimum is not None:
            return [kind.minimum - 1]
        case Number():
            bounds = [kind.minimum is not None and kind.minimum - 0.5, kind.maximum and kind.maximum + 0.5, kind.above]
            return [float(bound) for bound in bounds if bound is not None and bound is not False]
        case Never():
            return [True]
        case Choice():
            return ["other"]
        case Listing():
            inner = [(value,) * max(kind.lengths, default=1) for value in outside(kind.item, dims)]
            return inner + ([(1,) * (max(kind.lengths) + 1)] if kind.lengths else [()])
        case PerAxis():
            return outside(kind.item, dims) + outside(kind.listing(dims), dims)
        case Union():
            candidates = [value for alternative in kind.alternatives for value in outside(alternative, dims)]
            return [value for value in candidates if not kind.accepts(value, dims)]
    return []


@every_layer
def test_kinds_are_as_wide_as_torch(layer: type[Layer]) -> None:
    """What an argument does not take, torch does not either, if it is not to make an empty tensor."""
    dims, x = layer.dims or 0, Shape((BATCH, *layer.example_input[1:]))
    for name, argument in layer.arguments.items():
        for value in outside(argument.kind, dims) if argument.infer is None else []:
            written = {**layer.example, name: value}
            refused = bind(layer, written, x)
            assert isinstance(refused, Refused) and refused.argument == name, written
            ran = run(layer, told(layer, x) | written, x)
            assert isinstance(ran, Exception) or 0 in ran.output, written


# ---------------------------------------------------------------------------------------------- costs


@pytest.mark.parametrize("name", [name for name, layer in LAYERS.items() if layer.family in ("convolution", "linear")])
def test_macs(name: str) -> None:
    layer = LAYERS[name]

    @property_test
    @given(calls(layer))
    def check(call: tuple[dict[str, Any], Shape]) -> None:
        written, x = call
        bound = bind(layer, written, x)
        assume(not isinstance(bound, Refused))
        instance, output = bound
        assert 2 * instance.macs(x, output) == flops(layer, instance.settings, x)

    check()


@every_layer
def test_macs_of_example(layer: type[Layer]) -> None:
    x = Shape(layer.example_input)
    bound = layer.bind(layer.example, x)
    assert 2 * bound.macs(x, bound.output(x)) == flops(layer, bound.settings, x)


def flops(layer: type[Layer], arguments: Any, x: Shape) -> int:
    with warnings.catch_warnings(), torch.no_grad(), FlopCounterMode(display=False) as counter:
        warnings.simplefilter("ignore")
        torch_class(layer)(**arguments).eval()(torch.zeros(x))
    return counter.get_total_flops()


# ------------------------------------------------------------------------------------------ the table


@every_layer
def test_entry_is_whole(layer: type[Layer]) -> None:
    assert layer.documentation().endswith("."), "a docstring in sentences"
    assert layer.family in FAMILIES
    assert re.fullmatch(r"[a-z]+", layer.short_name)


@every_layer
def test_example_is_accepted(layer: type[Layer]) -> None:
    x = Shape(layer.example_input)
    bound = layer.bind(layer.example, x)
    assert tuple(bound.values) == tuple(layer.arguments)
    ran = run(layer, bound.settings, Shape((BATCH, *x[1:])))
    assert isinstance(ran, Ran)
    assert bound.output(x)[1:] == ran.output[1:]


@every_layer
def test_refusal(layer: type[Layer]) -> None:
    x, written, argument, says = REFUSED[layer.__name__]
    refused = bind(layer, written, Shape(x))
    assert isinstance(refused, Refused)
    assert refused.argument == argument
    assert says in refused.message


def test_layers_are_frozen() -> None:
    bound = LAYERS["ReLU"].bind({}, Shape((1, 2)))
    with pytest.raises(AttributeError):
        bound.values = {}  # type: ignore[misc]


def test_huge_numbers_are_refused_quietly() -> None:
    refused = bind(LAYERS["Upsample"], {"scale_factor": 1e308}, Shape((1, 3, 32)))
    assert isinstance(refused, Refused) and refused.argument == "scale_factor"
    refused = bind(LAYERS["Dropout"], {"p": 10**400}, Shape((1, 3, 32)))
    assert isinstance(refused, Refused) and len(refused.message) < 200
    assert not isinstance(bind(LAYERS["ZeroPad1d"], {"padding": 10**30}, Shape((1, 3, 32))), Refused)
    refused = bind(LAYERS["LeakyReLU"], {"negative_slope": 1e39}, Shape((1, 3)))
    assert isinstance(refused, Refused) and refused.help == "the largest number of float32 is about 3.4e38"
    refused = bind(LAYERS["MaxPool1d"], {"kernel_size": 1, "stride": 2**31}, Shape((1, 3, 8)))
    assert isinstance(refused, Refused) and refused.help == "the largest size is 2147483647"


def test_wrong_rank_names_the_sibling() -> None:
    refused = bind(LAYERS["Conv2d"], {"out_channels": 4, "kernel_size": 3}, Shape((1, 3, 8)))
    assert isinstance(refused, Refused) and refused.help.startswith("`Conv1d` works on it; an image")
    refused = bind(LAYERS["BatchNorm2d"], {}, Shape((1, 3)))
    assert isinstance(refused, Refused) and refused.help == "`BatchNorm1d` works on it"
    refused = bind(LAYERS["Conv2d"], {"out_channels": 4, "kernel_size": 3}, Shape((1, 3)))
    assert isinstance(refused, Refused) and "`Unflatten`" in refused.help


def test_a_slice_without_a_stop_goes_to_the_end() -> None:
    net = cnndsl.loads("input: [8, 4, 4]\nnetwork: [Slice: 3, Slice: {start: 1, dim: -1}]")
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(net.module()(x), x[:, 3:, :, 1:])
    with pytest.raises(cnndsl.SpecError, match="the range from 8 to 8 is empty"):
        cnndsl.loads("input: [8, 4, 4]\nnetwork: [Slice: 8]")


def test_import_is_light() -> None:
    """Neither torch nor anything slow comes with the table."""
    code = (
        "import sys, types, pathlib; package = types.ModuleType('cnndsl'); package.__path__ = [sys.argv[1]];"
        "sys.modules['cnndsl'] = package; import cnndsl.layers; print(*sys.modules)"
    )
    import cnndsl

    done = subprocess.run(
        [sys.executable, "-c", code, cnndsl.__path__[0]], capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"torch", "numpy", "inspect", "dataclasses", "yaml", "jsonschema"} & set(done.stdout.split())


# -------------------------------------------------------------------------------------------- kinds

#: Every kind that an argument has, with the axes of its layer.
KINDS = {
    f"{argument.kind.expects(dims)} / {dims}": (argument.kind, dims)
    for layer in LAYERS.values()
    for dims in [layer.dims or 0]
    for argument in layer.arguments.values()
}


def written_values(kind: Kind[Any], dims: int) -> st.SearchStrategy[Any]:
    """Values as a spec may hold them, of the kind or near it."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 3),
        st.sampled_from([-0.5, 0.0, 0.5, 1.0, 1.5, 2.0]),
        st.sampled_from(["", "same", "zeros", "none", "batch", "nearest", "x"]),
    )
    near = st.sampled_from(outside(kind, dims) or [None])
    lists = st.lists(scalars, max_size=7).map(tuple)
    return st.one_of(values(kind, dims), near, scalars, lists, st.integers(-1, 3).flatmap(lambda n: st.just((n,) * 4)))


def as_json(value: Any) -> Any:
    return [as_json(item) for item in value] if isinstance(value, tuple) else value


def whole_floats(value: Any) -> bool:
    """Whether there is a float such as 2.0 in it, which JSON Schema takes for an integer."""
    items = value if isinstance(value, tuple) else (value,)
    return any(isinstance(item, float) and item.is_integer() for item in items)


@pytest.mark.parametrize("kind, dims", KINDS.values(), ids=KINDS)
def test_schema_agrees_with_accepts(kind: Kind[Any], dims: int) -> None:
    validator = Draft202012Validator(kind.schema(dims))
    Draft202012Validator.check_schema(kind.schema(dims))

    @settings(property_test, max_examples=EXAMPLES or 60)
    @given(written_values(kind, dims))
    def check(value: Any) -> None:
        valid, accepted = validator.is_valid(as_json(value)), kind.accepts(value, dims)
        assert valid or not accepted
        assert accepted or not valid or whole_floats(value) or sparse_length(kind, value)

    check()


def sparse_length(kind: Kind[Any], value: Any) -> bool:
    """A length between the shortest and the longest, which the schema cannot tell from these."""
    return isinstance(kind, Listing) and bool(kind.lengths) and len(value) not in kind.lengths


# --------------------------------------------------------------------------------------- initializers


def torch_initializer(initializer: Initializer) -> Any:
    return getattr(nn.init, f"{initializer.name}_")


@every_initializer
def test_initializer_signature(initializer: Initializer) -> None:
    wanted = inspect.signature(torch_initializer(initializer))
    assert arguments_of(initializer) == parameters_of(wanted, "tensor", "generator")


def test_every_initializer_of_torch_is_there() -> None:
    names = {name[:-1] for name, value in vars(nn.init).items() if re.fullmatch(r"[a-z]\w*_", name) and callable(value)}
    assert names == set(INITIALIZERS)


@pytest.mark.filterwarnings("ignore:mean is more than 2 std")
@every_initializer
def test_initializer_agrees_with_torch(initializer: Initializer) -> None:
    arguments = st.fixed_dictionaries(
        {name: values(arg.kind, 0) for name, arg in initializer.arguments.items() if arg.required},
        optional={name: values(arg.kind, 0) for name, arg in initializer.arguments.items() if not arg.required},
    )

    @property_test
    @given(arguments, st.lists(st.integers(1, 4), max_size=6))
    def check(written: dict[str, Any], shape: list[int]) -> None:
        bound = initializer.bind(written)
        assert tuple(bound) == tuple(initializer.arguments)
        try:
            initializer.admit(bound, tuple(shape))
        except Refused as refused:
            assert refused.argument is None or refused.argument in initializer.arguments
            with pytest.raises((ValueError, RuntimeError)):
                torch_initializer(initializer)(torch.zeros(shape), **bound)
        else:
            torch_initializer(initializer)(torch.zeros(shape), **bound)

    check()


@every_initializer
def test_initializer_kinds_are_as_wide_as_torch(initializer: Initializer) -> None:
    shape = {"dirac": (2, 2, 2)}.get(initializer.name, (2, 2))
    required = {name: 0.5 for name, arg in initializer.arguments.items() if arg.required}
    for name, argument in initializer.arguments.items():
        for value in outside(argument.kind, 0):
            if name == "sparsity":
                continue  # torch takes any number for a share
            with pytest.raises(Refused):
                initializer.bind({**required, name: value})
            with pytest.raises((ValueError, RuntimeError, ZeroDivisionError)):
                torch_initializer(initializer)(torch.zeros(shape), **{**required, name: value})


# -------------------------------------------------------------------------------------- the reference


def test_reference_is_current(request: pytest.FixtureRequest) -> None:
    page = request.config.rootpath / "docs" / "layers.md"
    assert page.read_text(encoding="utf-8") == layer_reference(), "python -m cnndsl.emit.reference > docs/layers.md"


@every_layer
def test_page(layer: type[Layer]) -> None:
    page = layer_page(layer.__name__)
    assert page.startswith(f"### {layer.__name__}\n")
    assert all(f"| `{name}` |" in page for name in layer.arguments)
    assert page in layer_reference()
