"""Trees laid side by side, and the blocks made of them. The oracle compiles a use's own steps and the call of the
block, and compares what runs."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Sequence
from dataclasses import make_dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import cnndsl
from cnndsl.emit.source.expr import Call as Applied
from cnndsl.emit.source.expr import Lit, Op, Ref, text
from cnndsl.graph import graph
from cnndsl.importing.alike import ABSENT, alike, filled
from cnndsl.importing.blocks import Made, Use, made
from cnndsl.importing.blocks.formulas import Known, simplest
from cnndsl.importing.tree import (
    Arm,
    Block,
    Branch,
    Call,
    From,
    LayerValue,
    Let,
    Named,
    Repeat,
    Residual,
    Reuse,
    Sequential,
    Spec,
    Step,
    Steps,
    Template,
    When,
    bare,
    walk,
)
from cnndsl.importing.writing import written

Shape = tuple[int, ...]


def layer(word: str, name: str = "", given: Shape = (), **arguments: Any) -> Call:
    return Call(word, tuple(arguments.items()), name, given=given)


# --- the oracle ----------------------------------------------------------------------------------


def wiring(spec: Spec) -> list[tuple[Any, ...]]:
    """What runs, and on which tensors, inside of the only module of a network."""
    root = cnndsl.loads(written(spec)).graph.root
    numbers: dict[int, int] = {}

    def number(tensor: Any) -> int:
        while isinstance(tensor, graph.Alias):
            tensor = tensor.of
        return numbers.setdefault(id(tensor), len(numbers))

    def lines() -> Iterator[tuple[Any, ...]]:
        for depth, operation in graph.walk(root.body)[1:]:
            what = getattr(operation, "layer", None) or getattr(operation, "kind", "")
            inputs, outputs = map(number, operation.inputs), map(number, operation.outputs)
            name, reuse = getattr(operation, "name", ""), getattr(operation, "reuse", False)
            yield depth, type(operation).__name__, name, str(what), reuse, [*inputs], [*outputs]

    return [*lines()]


def check(uses: Sequence[Use], found: Made, before: Sequence[Block] = ()) -> None:
    """Each call of a block does what the use does."""
    for use, (word, arguments) in zip(uses, found.calls, strict=True):
        inputs = (("x", use.given[1:]),)
        own = Block("Own", (), use.tree.steps)
        called = Spec("a", "", inputs, (), (*before, *found.blocks), (Call(word, arguments),))
        wanted = Spec("a", "", inputs, (), (*before, own), (Call("Own"),))
        assert wiring(called) == wiring(wanted), written(called)


def signature(block: Block) -> str:
    """A block's parameters as Python has them."""
    shown = (
        one.name if one.required else f"{one.name}={getattr(one.default, 'word', one.default)}"
        for one in block.parameters
    )
    return f"{block.name}({', '.join(shown)})"


# --- families of uses ----------------------------------------------------------------------------


def size(channels: int, side: int = 16) -> Shape:
    return (1, channels, side, side)


def basic(inplanes: int, planes: int, stride: int = 1) -> Use:
    """ResNet's basic block."""
    x, y = size(inplanes), size(planes, 16 // stride)
    strided = {"stride": stride} if stride > 1 else {}
    conv = {"out_channels": planes, "kernel_size": 3}
    downsample = (
        layer("Conv2d", "", x, out_channels=planes, kernel_size=1, **strided, bias=False),
        layer("BatchNorm2d", "", y),
    )
    steps: Steps = (
        Residual(
            (
                layer("Conv2d", "conv1", x, **conv, **strided, padding=1, bias=False),
                layer("BatchNorm2d", "bn1", y),
                layer("ReLU", "relu", y, inplace=True),
                layer("Conv2d", "conv2", y, **conv, padding=1, bias=False),
                layer("BatchNorm2d", "bn2", y),
            ),
            (Sequential(downsample, "downsample", x),) if stride != 1 or inplanes != planes else True,
            given=x,
        ),
        Reuse("relu", given=y),
    )
    return Use(Block("BasicBlock", (), steps), {"inplanes": inplanes, "planes": planes, "stride": stride}, x)


def conv_norm(channels: int, out: int, kernel: int = 3, stride: int = 1, groups: int = 1, act: str = "") -> Use:
    """torchvision's Conv2dNormActivation."""
    x, y = size(channels), size(out, 16 // stride)
    options = {"stride": stride, "padding": kernel // 2, "groups": groups}
    given = {name: value for name, value in options.items() if value != (name != "padding")}
    conv = layer("Conv2d", "", x, out_channels=out, kernel_size=kernel, **given, bias=False)
    steps = (conv, layer("BatchNorm2d", "", y), *((layer(act, "", y, inplace=True),) if act else ()))
    return Use(Block("ConvNorm", (), steps), {"out_channels": out, "kernel_size": kernel, "stride": stride}, x)


def inverted(channels: int, expansion: int, kernel: int, stride: int, out: int) -> Use:
    """EfficientNet's MBConv, about whose arguments nothing is known."""
    inner = channels * expansion
    x, wide, y, z = size(channels), size(inner), size(inner, 16 // stride), size(out, 16 // stride)
    expand = (
        layer("Conv2d", "", x, out_channels=inner, kernel_size=1),
        layer("SiLU", "", wide),
    )
    depthwise = layer(
        "Conv2d", "", wide, out_channels=inner, kernel_size=kernel, stride=stride, padding=kernel // 2, groups=inner
    )
    chain = (depthwise, layer("BatchNorm2d", "", y), layer("Conv2d", "", y, out_channels=out, kernel_size=1))
    block = Sequential((*(expand if expansion > 1 else ()), *chain), "block", x)
    keeps = stride == 1 and channels == out
    drop = layer("StochasticDepth", "stochastic_depth", z, p=0.1, mode="row")
    steps = (Residual((block, drop), given=x),) if keeps else (block,)
    return Use(Block("MBConv", (), steps), {}, x)


RESNET = [basic(64, 64), basic(64, 64), basic(64, 128, 2), basic(128, 128), basic(128, 256, 2), basic(256, 256)]
CONVS = [
    conv_norm(3, 32, 3, 2, 1, "ReLU6"),
    conv_norm(32, 32, 3, 1, 32, "ReLU6"),
    conv_norm(32, 16, 1),
    conv_norm(16, 96, 1, 1, 1, "Hardswish"),
    conv_norm(96, 96, 5, 2, 96, "ReLU6"),
    conv_norm(96, 24, 1),
]
MBCONV = [
    inverted(32, 1, 3, 1, 16),
    inverted(16, 6, 3, 2, 24),
    inverted(24, 6, 3, 1, 24),
    inverted(24, 6, 5, 2, 40),
    inverted(40, 6, 5, 1, 40),
    inverted(40, 6, 3, 1, 80),
]


@pytest.mark.parametrize(
    ("kind", "uses", "shown", "parts"),
    [
        ("BasicBlock", RESNET, "BasicBlock(planes, stride=1)", ["when: $(stride != 1)", "stride: $stride"]),
        (
            "BasicBlock",
            [*RESNET, basic(64, 128), basic(32, 128)],
            "BasicBlock(planes, stride=1)",
            ["when: $(planes != input.channels)"],
        ),
        (
            "ConvNorm",
            CONVS,
            "ConvNorm(out_channels, kernel_size, stride=1, groups=1, act=None)",
            ["padding: $(kernel_size // 2)", "{$act: {inplace: true}, when: $(act is not None)}"],
        ),
        (
            "MBConv",
            MBCONV,
            "MBConv(inner, channels, kernel_size=3, stride=1)",
            ["groups: $inner", "shortcut: $keeps", "when: $(inner != input.channels)", "padding: $(kernel_size // 2)"],
        ),
    ],
)
def test_a_class_is_one_block(kind: str, uses: list[Use], shown: str, parts: list[str]) -> None:
    found = made(kind, uses, ())
    (block,) = found.blocks
    assert signature(block) == shown
    document = written(Spec("a", "", (("x", (3, 8, 8)),), (), found.blocks, ()))
    assert [part for part in parts if part not in document] == [], document
    check(uses, found)


CHANNELS = st.sampled_from([3, 8, 12, 16, 24])
FAMILIES = st.one_of(
    st.lists(st.builds(basic, CHANNELS, CHANNELS, st.sampled_from([1, 2])), min_size=2, max_size=5),
    st.lists(
        st.builds(
            conv_norm,
            CHANNELS,
            CHANNELS,
            st.sampled_from([1, 3, 5]),
            st.sampled_from([1, 2]),
            act=st.sampled_from(["", "ReLU", "Hardswish"]),
        ),
        min_size=2,
        max_size=5,
    ),
    st.lists(
        st.builds(inverted, CHANNELS, st.integers(1, 4), st.sampled_from([3, 5]), st.sampled_from([1, 2]), CHANNELS),
        min_size=2,
        max_size=5,
    ),
)


@settings(max_examples=25, deadline=None)
@given(FAMILIES)
def test_calls_do_what_random_uses_do(uses: list[Use]) -> None:
    check(uses, made("Block", uses, ()))


# --- blocks --------------------------------------------------------------------------------------


def chain(channels: int, *steps: Step, arguments: Any = None) -> Use:
    """A use whose steps are in a chain."""
    return Use(Block("Chain", (), steps), arguments or {}, size(channels))


def conv(channels: int, out: int, **arguments: Any) -> Call:
    return layer("Conv2d", "", size(channels), out_channels=out, kernel_size=1, **arguments)


def parameters_of(found: Made) -> list[str]:
    return [parameter.name for block in found.blocks for parameter in block.parameters]


def test_one_use_has_no_parameters() -> None:
    found = made("Stem", [chain(32, conv(32, 64), conv(64, 16))], ())
    assert parameters_of(found) == []
    check([chain(32, conv(32, 64), conv(64, 16))], found)


def test_one_value_is_no_reason_for_a_formula() -> None:
    """64 is 2 * 32 in both uses that have the step, which is one case."""
    uses = [chain(32, conv(32, 64)), chain(32, conv(32, 64)), chain(16, conv(16, 24))]
    found = made("Chain", uses, ())
    assert parameters_of(found) == ["channels"]
    check(uses, found)


@pytest.mark.parametrize(
    ("widths", "formula"),
    [
        ([(16, 32), (24, 48)], "2 * input.channels"),
        ([(16, 8), (24, 12), (64, 32)], "input.channels // 2"),
        ([(32, 48), (64, 96), (16, 24)], "3 * input.channels // 2"),
    ],
)
def test_what_follows_from_the_input_is_a_formula(widths: list[tuple[int, int]], formula: str) -> None:
    uses = [chain(channels, conv(channels, out)) for channels, out in widths]
    found = made("Chain", uses, ())
    (step,) = found.blocks[0].steps
    assert isinstance(step, Call) and text(dict(step.arguments)["out_channels"]) == formula
    assert parameters_of(found) == []
    check(uses, found)


def test_a_size_that_is_gone_is_kept() -> None:
    uses = [chain(c, conv(c, 2 * n), conv(2 * n, c)) for c, n in ((16, 5), (24, 7), (32, 3), (8, 40))]
    found = made("Chain", uses, ())
    assert [let.values for let in found.blocks[0].steps if isinstance(let, Let)] == [
        (("width", Ref("input.channels")),)
    ]
    check(uses, found)


def test_a_width_behind_a_let_has_no_default() -> None:
    """Most uses have one width; it stays what a call says."""
    half = [[layer("Conv2d", "", (1, 8), out_channels=o // 2, kernel_size=k) for k in (1, 3)] for o in (16, 32, 32, 32)]
    uses = [
        Use(Block("B", (), tuple(steps)), {"o": 2 * dict(steps[0].arguments)["out_channels"]}, (1, 8)) for steps in half
    ]
    (block,) = made("B", uses, ()).blocks
    assert isinstance(block.steps[0], Let)
    assert [parameter.required for parameter in block.parameters] == [True]


def test_equal_values_are_one_parameter_and_names_tell_what_they_are() -> None:
    uses = [chain(c, conv(c, n), conv(n, n), conv(n, m)) for c, n, m in ((16, 5, 9), (16, 7, 8), (16, 3, 30))]
    found = made("Chain", uses, ())
    assert parameters_of(found) == ["inner", "channels"]
    assert found.calls[0] == ("Chain", (("inner", 5), ("channels", 9)))
    check(uses, found)


class _Settings:
    def __init__(self, width: int) -> None:
        self.width = width


@pytest.mark.parametrize(
    "config",
    [
        _Settings,
        namedtuple("_Settings", "width"),
        make_dataclass("_Settings", ["width"], slots=True),
        lambda width: {"width": width},
    ],
)
def test_the_arguments_of_init_give_names(config: Any) -> None:
    """A field of an object counts, ``width`` of a configuration; an argument that has other values does not."""
    uses = [chain(16, conv(16, out), arguments={"channels": 16, "config": config(out)}) for out in (5, 7, 30)]
    assert parameters_of(made("Chain", uses, ())) == ["width"]


def test_a_flag_of_init_goes_before_a_coincidence() -> None:
    """The step is there wherever the kernel is not 3 or the channels are those of the input."""
    rows = [(16, 16, 3, True), (16, 24, 3, False), (16, 40, 5, True), (16, 32, 3, False), (16, 48, 5, True)]
    for name in ("use_se", ""):
        uses = []
        for channels, out, kernel, gate in rows:
            steps = layer("Conv2d", "", size(channels), out_channels=out, kernel_size=kernel, padding=kernel // 2)
            gated = [layer("MaxPool2d", "gate", size(out), kernel_size=2)] if gate else []
            uses.append(chain(channels, steps, *gated, arguments={name: gate, "kernel": kernel} if name else {}))
        found = made("Chain", uses, ())
        assert (name or "gate") in parameters_of(found)
        check(uses, found)


def test_values_follow_only_from_what_has_to_do_with_them() -> None:
    """The stride is a third of the kernel, and the channels are those of the input times the stride."""
    uses = []
    for channels, stride, kernel in ((16, 1, 3), (32, 2, 7), (24, 2, 7), (64, 3, 9)):
        wide = {"out_channels": channels * stride, "kernel_size": kernel, "stride": stride, "padding": kernel // 2}
        uses.append(chain(channels, layer("Conv2d", "", size(channels), **wide)))
    found = made("Chain", uses, ())
    assert {"channels", "stride", "kernel_size"} == {*parameters_of(found)}
    check(uses, found)


def test_widths_are_called_after_the_part_they_are_for() -> None:
    rows = [(8, 5, 9), (12, 7, 24), (16, 3, 30)]
    uses = []
    for first, inner, last in rows:
        deep = Sequential((conv(16, inner), conv(inner, last)), "right", size(16))
        one = Sequential((conv(16, first),), "left", size(16))
        uses.append(chain(16, Branch((Arm((one,)), Arm((deep,))), given=size(16))))
    found = made("Chain", uses, ())
    assert parameters_of(found) == ["left_channels", "right_inner", "right_channels"]
    check(uses, found)


def test_true_is_not_one() -> None:
    uses = [chain(16, conv(16, 8, bias=bias, groups=groups)) for bias, groups in ((True, 1), (False, 2))]
    found = made("Chain", uses, ())
    assert sorted(parameters_of(found)) == ["bias", "groups"]
    check(uses, found)


def test_layers_are_values() -> None:
    """Arguments that all have stay at the call, the others are in the value."""
    acts = [
        layer("ReLU", "act", size(16), inplace=True),
        layer("LeakyReLU", "act", size(16), negative_slope=0.1, inplace=True),
        layer("Hardswish", "act", size(16), inplace=True),
    ]
    uses = [chain(16, act) for act in acts]
    found = made("Chain", uses, ())
    assert found.calls[1] == ("Chain", (("act", LayerValue("LeakyReLU", (("negative_slope", 0.1),))),))
    assert dict(found.blocks[0].steps[0].arguments) == {"inplace": True}  # type: ignore[union-attr]
    check(uses, found)


def test_optional_steps_are_called_after_the_step() -> None:
    pool = layer("MaxPool2d", "pool", size(16), kernel_size=2)
    uses = [chain(16, conv(16, 16), *([pool] if taken else [])) for taken in (True, False, False, True, False)]
    found = made("Chain", uses, ())
    assert signature(found.blocks[0]) == "Chain(pool=False)"
    assert found.calls[0] == ("Chain", (("pool", True),))


def test_rounds_are_a_parameter() -> None:
    one = layer("Conv2d", "", size(16), out_channels=16, kernel_size=3, padding=1)
    uses = [chain(16, Repeat((one,), times), layer("ReLU", "", size(16))) for times in (2, 5, 3)]
    uses.append(chain(16, one, layer("ReLU", "", size(16))))
    found = made("Chain", uses, ())
    assert [call[1] for call in found.calls] == [(("depth", times),) for times in (2, 5, 3, 1)]
    check(uses, found)


def test_the_end_of_a_range_is_a_number_of_rounds() -> None:
    one = layer("Conv2d", "", size(16), out_channels=16, kernel_size=3, padding=1)
    named = replace(one, name=Template(("conv", Ref("i"))))
    uses = [
        chain(16, Repeat((named,), None, ("i",), Applied(Ref("range"), (Lit(1), Lit(times + 1)))))
        for times in (2, 5, 3)
    ]
    found = made("Chain", uses, ())
    assert [call[1] for call in found.calls] == [(("depth", times),) for times in (2, 5, 3)]
    check(uses, found)


def test_a_parameter_takes_no_name_that_the_steps_mean_something_by() -> None:
    """``channels`` is a parameter of the document."""
    uses = [chain(16, conv(16, out), conv(out, Ref("channels"))) for out in (8, 24)]  # type: ignore[arg-type]
    assert parameters_of(made("Chain", uses, ())) == ["channels2"]


def test_what_optional_steps_have_in_common_is_the_parameter_of_the_others() -> None:
    """Only uses of stride 2 have the second convolution, whose stride is 2."""
    strided = layer("Conv2d", "more", size(16), out_channels=16, kernel_size=2, stride=2)
    uses = [chain(16, conv(16, 16, stride=stride), *([strided] if stride == 2 else [])) for stride in (1, 2, 1, 2)]
    uses += [chain(8, conv(8, 16))]
    found = made("Chain", uses, ())
    when = found.blocks[0].steps[-1]
    assert isinstance(when, When) and isinstance(when.steps[0], Call)
    assert dict(when.steps[0].arguments)["stride"] == Ref("stride")


def test_formulas_in_a_list_differ_in_numbers() -> None:
    def pad(number: int) -> Use:
        size_of = Op("-", (Lit(number), Op("%", (Ref("input.height"), Lit(2)))))
        return chain(16, Call("ZeroPad2d", (("padding", (1, size_of, 0, 0)),), given=size(16)))

    uses = [pad(2), pad(5), pad(9)]
    found = made("Chain", uses, ())
    assert parameters_of(found) == ["padding"] and found.calls[1] == ("Chain", (("padding", 5),))
    check(uses, found)


def test_conditions_compare_only_numbers_of_channels() -> None:
    """The kernel is as large as the input has channels wherever the step is missing."""
    rows = [(3, 3, 16), (64, 3, 32), (32, 3, 24), (16, 3, 64), (128, 1, 48)]
    uses = []
    for channels, kernel, out in rows:
        first = layer("Conv2d", "", size(channels), out_channels=out, kernel_size=kernel, padding=kernel // 2)
        uses.append(chain(channels, first, *([layer("MaxPool2d", "pool", kernel_size=2)] if channels != 3 else [])))
    found = made("Chain", uses, ())
    assert "pool" in parameters_of(found)


def test_uses_that_are_too_unlike_are_two_blocks() -> None:
    long = [layer(word, "", size(16)) for word in ("ReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Mish")]
    other = [layer(word, "", size(16), kernel_size=3, stride=1, padding=1) for word in ("MaxPool2d", "AvgPool2d")]
    uses = [chain(16, *long), chain(16, *other, *other), chain(16, *long), chain(16, *other, *other)]
    found = made("Chain", uses, ())
    assert [block.name for block in found.blocks] == ["Chain", "Chain2"]
    assert [word for word, _ in found.calls] == ["Chain", "Chain2", "Chain", "Chain2"]
    check(uses, found)


def test_an_equal_block_is_used_again() -> None:
    first = made("One", RESNET, ())
    again = made("Other", [basic(32, 32), basic(32, 64, 2), basic(64, 96, 2), *RESNET], first.blocks)
    assert again.blocks == () and {word for word, _ in again.calls} == {"One"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [("_DenseLayer", "DenseLayer"), ("conv_block", "ConvBlock"), ("LayerNorm2d", "LayerNorm2dBlock"), ("C3k2", "C3k2")],
)
def test_names_of_blocks(kind: str, name: str) -> None:
    (block,) = made(kind, [chain(16, layer("ReLU"))], ()).blocks
    assert block.name == name


# --- formulas ------------------------------------------------------------------------------------


def formula(wanted: Sequence[Any], **known: tuple[Any, ...]) -> str | None:
    """``s`` is a stride, ``size`` the number of channels of a tensor."""
    roles = {"s": "stride"}
    found = simplest(
        wanted,
        [Known(Ref(name), values, 0, roles.get(name, ""), name == "size") for name, values in known.items()],
    )
    return None if found is None else text(found.expr)


@pytest.mark.parametrize(
    ("wanted", "known", "expected"),
    [
        ((64, 64), {"a": (64, 64)}, None),  # one value supports nothing
        ((64, 128), {"a": (64, 128)}, "a"),
        ((256, 512), {"a": (64, 128)}, "4 * a"),
        ((0, 1, 2), {"k": (1, 3, 5)}, "k // 2"),
        ((1, 1, 2), {"k": (1, 3, 7)}, None),
        ((96, 144, 16), {"c": (16, 24, 16), "e": (6, 6, 1)}, "c * e"),
        ((8, 16, 8, 24), {"c": (18, 64, 29, 100)}, "divisible(c // 4)"),
        ((1, 2, 4), {"c": (3, 9, 16)}, "max(1, c // 4)"),
        ((7, 9, 12), {"row": ((1, 7), (1, 9), (0, 12))}, "row[1]"),
        ((2, 4, 4, 2), {"d": (2, 4, 2, 1), "k": (3, 3, 5, 5)}, "d * (k // 2)"),
        ((True, False), {"c": (64, 128)}, None),
        ((True, False), {"s": (2, 1)}, None),
        ((True, False, False), {"s": (2, 1, 1)}, "s != 1"),
        ((False, True, True), {"act": (None, 3, 4)}, "act is not None"),
        ((True, False, True), {"flag": (True, False, True)}, "flag"),
        ((False, True, False, True), {"a": (8, 8, 16, 16), "size": (8, 9, 16, 32)}, "a != size"),
        ((False, True, False, True), {"a": (8, 8, 16, 16), "b": (8, 9, 16, 32)}, None),  # none of a tensor
        ((True, False, True), {"k": (3, 5, 3)}, None),
        (
            (True, True, False, False, False),
            {"s": (1, 1, 1, 2, 2), "a": (8, 16, 8, 8, 16), "size": (8, 16, 16, 8, 16)},
            "s == 1 and a == size",
        ),
        (
            (True, True, False, True, False),
            {"s": (2, 2, 1, 1, 1), "a": (8, 16, 8, 8, 8), "size": (8, 8, 8, 16, 8)},
            "s != 1 or a != size",
        ),
        (
            (True, True, True, False, False),
            {"s": (1, 1, 2, 2, 2), "a": (8, 16, 8, 8, 16), "size": (8, 8, 8, 16, 8)},
            None,  # `s == 1 or a == size` is not what people write
        ),
        (
            (True, True, False, False, False),
            {"k": (1, 1, 1, 2, 2), "a": (8, 16, 8, 8, 16), "size": (8, 16, 16, 8, 16)},
            None,  # a kernel and a number of channels have nothing to do with each other
        ),
    ],
)
def test_formulas(wanted: tuple[Any, ...], known: dict[str, tuple[Any, ...]], expected: str | None) -> None:
    assert formula(wanted, **known) == expected


# --- trees ---------------------------------------------------------------------------------------

NAMES = st.sampled_from(["", "a", "b", "conv1", "conv2"])
VALUES = st.sampled_from([1, 2, 3, True, False, None, 0.5, 1.0, "same", (1, 2), (2, 1)])
WORDS = st.sampled_from(["ReLU", "GELU", "Conv2d", "BatchNorm2d", "MaxPool2d", "Mine"])
CALLS = st.builds(
    lambda word, values, name: Call(word, tuple(zip("ab", values)), name), WORDS, st.tuples(VALUES, VALUES), NAMES
)
LEAVES = st.one_of(CALLS, NAMES.map(From), NAMES.map(Named), NAMES.map(Reuse))


def holding(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(steps, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Sequential, lists, NAMES),
        st.builds(Residual, lists, st.one_of(st.booleans(), lists)),
        st.builds(Repeat, lists, st.integers(2, 3)),
        st.builds(lambda arms: Branch(tuple(map(Arm, arms))), st.lists(lists, min_size=1, max_size=3)),
    )


TREES = st.lists(st.recursive(LEAVES, holding, max_leaves=4), min_size=1, max_size=4).map(tuple)


def plain(steps: Steps) -> Steps:
    """Steps without what two forms of one tree may differ in: one round, a residual without a shortcut, and a branch
    that is left out."""
    made: list[Any] = []
    for step in steps:
        if isinstance(step, Repeat | Residual) and (
            step.times == 1 if isinstance(step, Repeat) else step.shortcut is False
        ):
            made += plain(step.steps)
        elif isinstance(step, Branch):
            arms = [Arm(plain(arm.steps), arm.when) for arm in step.arms if arm.when is not False]
            made.append(Branch(tuple(arms), step.merge, step.dim, step.split, step.name))
        elif isinstance(step, Residual):
            shortcut = plain(step.shortcut) if isinstance(step.shortcut, tuple) else step.shortcut
            made.append(Residual(plain(step.steps), shortcut, step.name))
        elif isinstance(step, Repeat):
            made.append(Repeat(plain(step.steps), step.times))
        elif isinstance(step, Sequential):
            made.append(Sequential(plain(step.steps), step.name))
        elif isinstance(step, Call) and isinstance(step.word, LayerValue):
            arguments = {**dict(step.word.arguments), **dict(step.arguments)}
            made.append(Call(step.word.word, tuple(sorted(arguments.items())), step.name))
        else:
            made.append(step)
    return bare(tuple(made))


@settings(max_examples=80, deadline=None)
@given(st.lists(TREES, min_size=2, max_size=4), st.booleans())
def test_holes_filled_give_each_tree(trees: list[Steps], lenient: bool) -> None:
    found = alike(trees, lenient)
    if found is None:
        assert not lenient or len({*map(str, trees)}) > 1
        return
    for row, tree in enumerate(trees):
        values = {hole.variable.name: hole.values[row] for hole in found.holes if hole.values[row] is not ABSENT}
        assert repr(plain(filled(found.steps, values))) == repr(plain(tree))


@pytest.mark.parametrize(
    ("names", "written_as"),
    [
        (("block1_0", "block2_0"), ("block", (1, 2), "_0")),
        (("a1b2", "a2b3"), ("a", (1, 2), "b", (2, 3))),
        (("one", "two"), None),
        (("a01", "a02"), None),
    ],
)
def test_numbers_in_names_are_holes(names: tuple[str, str], written_as: tuple[Any, ...] | None) -> None:
    found = alike([(From(name),) for name in names], lenient=False)
    if written_as is None:
        assert found is None or [hole.values for hole in found.holes] == [names]
        return
    assert found is not None and isinstance(found.steps[0], From)
    values = iter([hole.values for hole in found.holes])
    parts = found.steps[0].tensor.parts
    assert tuple(part if isinstance(part, str) else next(values) for part in parts) == written_as
    assert [filled(found.steps, {h.variable.name: h.values[1] for h in found.holes})] == [(From(names[1]),)]


@settings(max_examples=25, deadline=None)
@given(TREES)
def test_equal_trees_have_no_hole(tree: Steps) -> None:
    found = alike((tree, tree, tree))
    assert found is not None and found.holes == () and bare(found.steps) == bare(tree)


def test_steps_that_come_and_go_are_conditions() -> None:
    steps = [layer("Conv2d", "conv", a=1), layer("BatchNorm2d", "bn"), layer("ReLU", "relu")]
    short, other = (steps[0], steps[2]), (steps[0], layer("Dropout", "drop"), steps[2])
    assert alike((tuple(steps), short)) is None
    found = alike((tuple(steps), short, other), lenient=True)
    assert found is not None
    (when, *_) = [step for step in walk(found.steps) if isinstance(step, When)]
    assert found.holes[0].values == (True, False, False) and found.holes[0].step == "bn", when
