"""Specs written as text: the parser reads the same steps, and a person would write them so."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cnndsl import format
from cnndsl.emit.source import expr
from cnndsl.emit.source.expr import If, Index, Lit, Op, Ref
from cnndsl.importing.tree import (
    Arm,
    Block,
    Branch,
    Call,
    Dense,
    From,
    LayerValue,
    Let,
    Named,
    Parameter,
    Repeat,
    Residual,
    Reuse,
    Sequential,
    Spec,
    Step,
    Steps,
    Template,
    When,
)
from cnndsl.importing.writing import written
from cnndsl.layers import LAYERS
from cnndsl.source import Source
from cnndsl.spec import steps as parsed
from cnndsl.spec import values
from cnndsl.spec.notation import Unwritable
from cnndsl.spec.parser import StepParser
from cnndsl.spec.tree import Mapping
from cnndsl.spec.tree import read as read_tree

BLOCK = Block(
    "Block",
    (Parameter("channels"), Parameter("stride"), Parameter("act", LayerValue("ReLU"), False), Parameter("k", 3, False)),
    (Call("ReLU"),),
)
BLOCKS = (BLOCK, Block("One", (Parameter("sizes"),), (Call("ReLU"),)), Block("Plain", (), (Call("ReLU"),)))
POSITIONS = {block.name: tuple(one.name for one in block.parameters) for block in BLOCKS}


def document(steps: Steps, **others: Any) -> Spec:
    given = {"params": (("width", 8), ("row", (3, 5)), ("act", LayerValue("ReLU"))), "blocks": BLOCKS, **others}
    return Spec("net", "", (("x", (3, 32, 32)),), steps=steps, **given)


# --- the oracle: what our parser reads -----------------------------------------------------------


def read(text: str) -> tuple[Any, ...]:
    """The steps of a document, whether or not layers take their values."""
    tree, faults = read_tree(Source("<test>", text))
    assert isinstance(tree, Mapping)
    steps = StepParser(faults.append).steps(tree.get("network"))
    assert not faults
    return map_steps(steps)


def as_read(value: Any) -> Any:
    """A value of the parser's, comparable: an expression as Python's tree."""
    match value:
        case values.Literal(value=literal):
            return type(literal).__name__, literal
        case values.Expression(node=node):
            return "$", ast.dump(node)
        case values.Template(parts=parts):
            return "text", *(part if isinstance(part, str) else as_read(part) for part in parts)
        case values.ListValue(items=items):
            return "list", *map(as_read, items)
        case values.CallValue(name=name, arguments=arguments):
            return "layer", name, tuple((one.name, as_read(one.value)) for one in arguments.keywords)
    assert value is None
    return None


def arguments_as_read(word: str, arguments: values.Arguments) -> dict[str, Any]:
    names = POSITIONS[word] if word in POSITIONS else LAYERS[word].positional() if word in LAYERS else ()
    listed = arguments.positional
    if len(names) == 1 and arguments.whole is not None:
        listed = (arguments.whole,)
    by_name = {one.name: one.value for one in arguments.keywords}
    return {name: as_read(value) for name, value in (dict(zip(names, listed, strict=False)) | by_name).items()}


def loop_as_read(loop: parsed.Loop | None) -> tuple[Any, ...]:
    return () if loop is None else (as_read(loop.times), tuple(one.name for one in loop.names), as_read(loop.elements))


def step_as_read(step: parsed.Step) -> tuple[Any, ...]:
    inner = tuple(
        (map_steps(arm.steps), as_read(getattr(arm, "when", None)), loop_as_read(arm.loop)) for arm in arms(step)
    )
    own: tuple[Any, ...] = ()
    match step:
        case parsed.Call(callee=callee, arguments=arguments, inputs=inputs):
            word = str(getattr(callee, "value", ""))
            own = as_read(callee), arguments_as_read(word, arguments), as_read(inputs)
        case parsed.From(target=target):
            own = (as_read(target),)
        case parsed.Reuse(target=target, inputs=inputs):
            own = as_read(target), as_read(inputs)
        case parsed.Let(values=bound):
            own = tuple((name.name, as_read(value)) for name, value in bound)
        case parsed.Branch(merge=merge, dim=dim, split=split):
            own = as_read(merge), as_read(dim), as_read(split)
        case parsed.Residual(shortcut=shortcut):
            own = (map_steps(shortcut) if isinstance(shortcut, tuple) else as_read(shortcut),)
    return type(step).__name__, as_read(step.name), as_read(step.when), map_steps(step.otherwise), own, inner


def map_steps(steps: parsed.Steps) -> tuple[Any, ...]:
    return tuple(map(step_as_read, steps))


def arms(step: parsed.Step) -> tuple[parsed.Arm, ...]:
    if isinstance(step, parsed.Branch):
        return step.branches
    loop = getattr(step, "loop", None)
    steps = getattr(step, "steps", None)
    return () if steps is None else (parsed.Arm(span=step.span, steps=steps, loop=loop),)


# --- the same of a tree --------------------------------------------------------------------------


def meant(value: Any) -> Any:
    """What the parser should read for a value of a tree."""
    if isinstance(value, Template):
        return "text", *(part if isinstance(part, str) else meant(part) for part in value.parts)
    if isinstance(value, LayerValue):
        if not value.arguments:
            return "str", value.word
        return "layer", value.word, tuple((name, meant(one)) for name, one in value.arguments)
    if isinstance(value, tuple):
        return "list", *map(meant, value)
    if hasattr(value, "__struct_fields__"):
        return "$", ast.dump(ast.parse(expr.text(value), mode="eval").body)
    return type(value).__name__, value


def meant_loop(step: Any) -> tuple[Any, ...]:
    times = getattr(step, "times", None)
    return None if times is None else meant(times), step.names, None if step.over is None else meant(step.over)


def optional(value: Any, nothing: Any = "") -> Any:
    return None if value == nothing else meant(value)


def meant_step(step: Step, when: Any = None, otherwise: Steps = ()) -> tuple[Any, ...]:
    inner: tuple[Any, ...] = ()
    own: tuple[Any, ...] = ()
    kind = type(step).__name__
    match step:
        case When(steps=(one,)) if not isinstance(one, When) and when is None:
            return meant_step(one, step.test, step.otherwise)
        case When():
            kind, inner = "Repeat", ((meant_steps(step.steps), None, (("int", 1), (), None)),)
            when, otherwise = step.test, step.otherwise
        case Call():
            arguments = {name: meant(value) for name, value in step.arguments}
            own = meant(step.word), arguments, optional(step.inputs, ())
        case From():
            own = (meant(step.tensor),)
        case Reuse():
            own = meant(step.module), optional(step.inputs, ())
        case Let():
            own = tuple((name, meant(value)) for name, value in step.values)
        case Named():
            kind = "Mark"
        case Branch():
            dim = None if step.merge != "concat" or step.dim == 1 else meant(step.dim)
            own = meant(step.merge), dim, optional(step.split, False)
            inner = tuple(
                (meant_steps(arm.steps), optional(arm.when, True), meant_loop(arm) if arm.names else ())
                for arm in step.arms
            )
        case Residual():
            own = (meant_steps(step.shortcut) if isinstance(step.shortcut, tuple) else meant(step.shortcut),)
            inner = ((meant_steps(step.steps), None, ()),)
        case Sequential():
            inner = ((meant_steps(step.steps), None, ()),)
        case Repeat() | Dense():
            inner = ((meant_steps(step.steps), None, meant_loop(step)),)
    name = optional(getattr(step, "name", ""))
    return kind, name, None if when is None else meant(when), meant_steps(otherwise), own, inner


def meant_steps(steps: Steps) -> tuple[Any, ...]:
    return tuple(map(meant_step, steps))


def check(steps: Steps) -> str:
    text = written(document(steps))
    assert read(text) == meant_steps(steps)
    assert format(text) == text
    return text.partition("network:\n")[2]


# --- what a person would write -------------------------------------------------------------------

STRIDE = Ref("stride")
LINES = {
    "- ReLU": Call("ReLU"),
    "- {name: bn1, BatchNorm2d: }": Call("BatchNorm2d", name="bn1"),
    "- Conv2d: [64, 3]": Call("Conv2d", (("out_channels", 64), ("kernel_size", 3))),
    "- Conv2d: {out_channels: 64, kernel_size: 3, bias: false}": Call(
        "Conv2d", (("out_channels", 64), ("kernel_size", 3), ("bias", False))
    ),
    "- Linear: $width": Call("Linear", (("out_features", Ref("width")),)),
    "- {name: fc, Linear: $(2 * width)}": Call("Linear", (("out_features", Op("*", (Lit(2), Ref("width")))),), "fc"),
    "- Dropout: 0.5": Call("Dropout", (("p", 0.5),)),
    "- ReLU: {inplace: true}": Call("ReLU", (("inplace", True),)),
    "- BatchNorm2d: {eps: 1e-5}": Call("BatchNorm2d", (("eps", 1e-5),)),
    "- MaxPool2d: 2": Call("MaxPool2d", (("kernel_size", 2),)),
    "- MaxPool2d: {kernel_size: [2, 3]}": Call("MaxPool2d", (("kernel_size", (2, 3)),)),
    "- MaxPool2d: {kernel_size: $row}": Call("MaxPool2d", (("kernel_size", Ref("row")),)),
    "- AdaptiveAvgPool2d: [1, 2]": Call("AdaptiveAvgPool2d", (("output_size", (1, 2)),)),
    "- Block: [64, 2]": Call("Block", (("channels", 64), ("stride", 2))),
    "- Block: [64, 2, LeakyReLU: {negative_slope: 0.1}]": Call(
        "Block", (("channels", 64), ("stride", 2), ("act", LayerValue("LeakyReLU", (("negative_slope", 0.1),))))
    ),
    "- Block: {channels: 64, stride: 2, k: 5}": Call("Block", (("channels", 64), ("stride", 2), ("k", 5))),
    "- One: {sizes: [3, 4]}": Call("One", (("sizes", (3, 4)),)),
    "- One: {sizes: null}": Call("One", (("sizes", None),)),
    "- Plain": Call("Plain"),
    "- $act": Call(Ref("act")),
    "- name: layer$width": Named(Template(("layer", Ref("width")))),
    "- name: layer$(width)_a": Named(Template(("layer", Ref("width"), "_a"))),
    "- name: layer$(width - 1)": Named(Template(("layer", Op("-", (Ref("width"), Lit(1)))))),
    "- Linear: $(row[0])": Call("Linear", (("out_features", Index(Ref("row"), Lit(0))),)),
    "- Linear: $(width if width == 8 else 4)": Call(
        "Linear", (("out_features", If(Op("==", (Ref("width"), Lit(8))), Ref("width"), Lit(4))),)
    ),
    "- {ReLU: , when: $(width > 4)}": When(Op(">", (Ref("width"), Lit(4))), (Call("ReLU"),)),
    "- let: {half: $(width // 2)}": Let((("half", Op("//", (Ref("width"), Lit(2)))),)),
    "- branch: [[], [from: input]]": Branch((Arm(()), Arm((From("input"),)))),
}


@pytest.mark.parametrize(("line", "step"), LINES.items(), ids=LINES)
def test_one_step(line: str, step: Step) -> None:
    text = written(document((step,)))
    assert text.partition("network:\n")[2] == f"  {line}\n"
    assert format(text) == text


def test_steps_that_hold_others_are_in_lines() -> None:
    steps = (
        Residual(
            (Call("Conv2d", (("out_channels", 8), ("kernel_size", 1)), "conv1"), Call("BatchNorm2d")),
            (When(Op("!=", (Ref("width"), Lit(8))), (Sequential((Call("Plain"), Call("ReLU")), "downsample"),)),),
        ),
        Repeat((Call("Block", (("channels", Ref("c")), ("stride", 1))),), names=("c",), over=(8, 16)),
        Dense((Call("Plain"),), times=Ref("width")),
    )
    assert (
        check(steps)
        == """\
  - residual:
      - {name: conv1, Conv2d: [8, 1]}
      - BatchNorm2d
    shortcut:
      - when: $(width != 8)
        name: downsample
        sequential: [Plain, ReLU]
  - repeat:
      - Block: [$c, 1]
    for: c
    in: [8, 16]
  - dense: [Plain]
    times: $width
"""
    )


def test_the_document() -> None:
    spec = Spec(
        "two",
        "Two inputs: one output",
        (("left", (1, 8, 8)), ("right", (1, 8, 8))),
        (("rows", ((8, 1), (16, 2))), ("on", "no"), ("act", LayerValue("ReLU"))),
        (Block("Pair", (), (Call("ReLU"),), ("x", "skip"), ("a", "b")), BLOCK),
        (
            Repeat(
                (Call("Linear", (("out_features", Ref("c")), ("bias", Ref("b")))),),
                None,
                ("c", "b"),
                Ref("rows"),
            ),
        ),
        ("a", "b"),
        (("a", "b.0"),),
        ("Imported from somewhere",),
    )
    assert (
        written(spec)
        == """\
# Imported from somewhere
name: two
description: "Two inputs: one output"
input: {left: [1, 8, 8], right: [1, 8, 8]}
params:
  # c, b
  rows: [[8, 1], [16, 2]]
  "on": "no"
  act: ReLU

blocks:
  Pair:
    inputs: [x, skip]
    outputs: [a, b]
    steps:
      - ReLU

  Block(channels, stride, act=ReLU, k=3):
    - ReLU

network:
  - repeat:
      - Linear: {out_features: $c, bias: $b}
    for: [c, b]
    in: $rows

outputs: [a, b]
rename: {a: b.0}
"""
    )


@pytest.mark.parametrize("value", [float("inf"), float("nan"), "a$b"])
def test_what_has_no_notation_is_refused(value: Any) -> None:
    with pytest.raises(Unwritable):
        written(document((Call("Dropout", (("p", value),)),)))


# --- everything else -----------------------------------------------------------------------------

SCALARS = st.sampled_from(
    [0, 1, -3, 64, 0.1, 1e-5, 1e-05 / 3, -0.0, 2.5e20, True, False, None, "row", "no", "1e3", "a: b", "- c"]
)
NAMES = st.sampled_from(["width", "row", "n", "c"]).map(Ref)
EXPRESSIONS = st.recursive(
    NAMES | st.integers(0, 9).map(Lit) | st.just(Ref("input.channels")),
    lambda inner: (
        st.builds(lambda a, b, sign: Op(sign, (a, b)), inner, inner, st.sampled_from(["+", "*", "//", "=="]))
        | st.builds(If, inner, inner, inner)
        | st.builds(Index, NAMES, inner)
        | st.builds(lambda a, b: expr.Call(Ref("max"), (a, b)), inner, inner)
    ),
    max_leaves=4,
).filter(lambda one: not isinstance(one, Lit))
LAYER_VALUES = st.sampled_from([LayerValue("ReLU"), LayerValue("LeakyReLU", (("negative_slope", 0.1),))])
VALUES = st.recursive(
    SCALARS | EXPRESSIONS | LAYER_VALUES, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=4
)
TEXTS = st.sampled_from(["a", "conv1", "layers.0"]) | st.builds(
    lambda one, end: Template(("a", one, *([end] if end else []))), EXPRESSIONS, st.sampled_from(["", "_b", ".c"])
)
CALLEES = {
    "Conv2d": ["out_channels", "kernel_size", "stride", "padding"],
    "Linear": ["out_features", "bias"],
    "Dropout": ["p", "inplace"],
    "Block": ["channels", "stride", "act", "k"],
    "One": ["sizes"],
    "MaxPool2d": ["kernel_size", "stride"],
    "Reshape": ["shape"],
}


@st.composite
def calls(draw: st.DrawFn) -> Call:
    word = draw(st.sampled_from([*CALLEES]))
    chosen = draw(st.sets(st.sampled_from(CALLEES[word])))
    given = [name for name in CALLEES[word] if name in chosen]
    inputs = draw(st.just(()) | st.lists(TEXTS, min_size=1, max_size=2).map(tuple))
    return Call(word, tuple((name, draw(VALUES)) for name in given), draw(st.just("") | TEXTS), inputs)


LOOPS = (
    st.builds(lambda times: {"times": times}, st.integers(0, 9) | EXPRESSIONS)
    | st.builds(lambda over: {"names": ("n",), "over": over}, st.lists(VALUES, max_size=3).map(tuple) | EXPRESSIONS)
    | st.builds(lambda over: {"names": ("n", "c"), "over": over}, st.lists(st.tuples(VALUES, VALUES)).map(tuple))
)
STEPS = st.recursive(
    calls()
    | st.builds(From, TEXTS)
    | st.builds(Named, TEXTS)
    | st.builds(Reuse, TEXTS, st.just(()), st.just("") | TEXTS)
    | st.builds(lambda one: Let((("n", one),)), EXPRESSIONS),
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(tuple).flatmap(
        lambda steps: st.builds(Sequential, st.just(steps), st.just("") | TEXTS)
        | st.builds(Residual, st.just(steps), st.sampled_from([True, False, steps, Ref("n"), ()]))
        | st.builds(lambda loop: Repeat(steps, **loop), LOOPS)
        | st.builds(lambda loop: Dense(steps, **loop), LOOPS)
        | st.builds(When, EXPRESSIONS, st.just(steps), st.sampled_from([(), steps]))
        | st.builds(
            lambda merge, split, when: Branch(
                (Arm(steps, when), Arm(()), Arm(steps, True, ("n",), (1, 2))), merge, 1, split
            ),
            st.sampled_from(["concat", "add"]),
            st.sampled_from([False, True, (1, 2)]),
            st.just(True) | EXPRESSIONS,
        )
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@example((Call("Linear", (("out_features", ()),)),))
@given(st.lists(STEPS, min_size=1, max_size=3).map(tuple))
def test_the_parser_reads_the_same_steps(steps: Steps) -> None:
    check(steps)
