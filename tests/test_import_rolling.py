"""Loops found in steps: Python unrolls them again, and gets the steps that there were."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cnndsl.emit.source import expr
from cnndsl.importing.rolling import rolled, rolled_together
from cnndsl.importing.rolling.tables import with_tables
from cnndsl.importing.tree import (
    Arm,
    Block,
    Branch,
    Call,
    Dense,
    LayerValue,
    Parameter,
    Repeat,
    Sequential,
    Spec,
    Step,
    Steps,
    Template,
    When,
    inside,
    walk,
    with_values,
)
from cnndsl.importing.writing import written
from cnndsl.layers import LAYERS

BLOCK = Block("Block", (Parameter("channels"), Parameter("stride", 1, False)), (Call("ReLU"),))
NORM = Call("BatchNorm1d")
STAGE = Block("Stage", (Parameter("channels"), Parameter("depth")), (Call("ReLU"),))


# --- the oracle: loops as Python runs them -------------------------------------------------------


def value(given: Any, names: dict[str, Any]) -> Any:
    """A value as Python computes it."""
    if isinstance(given, Template):
        return "".join(str(value(part, names)) for part in given.parts)
    if isinstance(given, LayerValue) or not hasattr(given, "__struct_fields__"):
        return given
    return eval(expr.text(given), {"range": range}, names)


def unrolled(steps: Steps, names: dict[str, Any] | None = None) -> Steps:
    names = names or {}
    made: list[Step] = []
    for step in steps:
        if isinstance(step, Repeat | Dense):
            made += loop(step, names)
        elif isinstance(step, When):
            made += unrolled(step.steps if value(step.test, names) else step.otherwise, names)
        else:
            own = names | {"input": SimpleNamespace(channels=getattr(step, "given", (0, 0))[1:2])}
            made.append(with_values(step, lambda one, own=own: value(one, own), lambda inner: unrolled(inner, names)))
    return tuple(made)


def loop(step: Repeat | Dense, names: dict[str, Any]) -> Steps:
    if step.over is None:
        rounds: list[dict[str, Any]] = [{}] * value(step.times, names)
    else:
        over = value(step.over, names)
        rounds = [dict(zip(step.names, row if len(step.names) > 1 else (row,), strict=True)) for row in over]
    each = (unrolled(step.steps, names | one) for one in rounds)
    if isinstance(step, Dense):
        return tuple(Branch((Arm(()), Arm(inner))) for inner in each)
    return tuple(one for inner in each for one in inner)


def plain(steps: Steps) -> Steps:
    """The steps without arguments that have their default, which a loop may write."""
    return tuple(_plain(step) for step in steps)


def _plain(step: Step) -> Step:
    if isinstance(step, Call):
        defaults = LAYERS[step.word].arguments.defaults if step.word in LAYERS else {"stride": 1}
        kept = tuple(pair for pair in step.arguments if pair not in tuple(defaults.items()))
        return replace(step, arguments=tuple(sorted(kept)))
    return inside(step, plain)


def loops(steps: Steps) -> list[tuple[tuple[str, ...], Any]]:
    return [(step.names, step.times or step.over) for step in walk(steps) if isinstance(step, Repeat | Dense)]


def check(steps: Steps, blocks: tuple[Block, ...] = (BLOCK, STAGE)) -> Steps:
    found = rolled(steps, blocks)
    assert plain(unrolled(found)) == plain(steps)
    return found


# --- what people write ---------------------------------------------------------------------------


def conv(channels: int, name: str = "", **others: Any) -> Call:
    return Call("Conv2d", (("out_channels", channels), ("kernel_size", 3), *others.items()), name)


def block(channels: int, stride: int = 1, name: str = "") -> Call:
    arguments = (("channels", channels), ("stride", stride))
    return Call("Block", arguments if stride != 1 else arguments[:1], name)


RELU, POOL = Call("ReLU"), Call("MaxPool2d", (("kernel_size", 2),))


def text(steps: Steps) -> str:
    spec = with_tables(Spec("net", "", (("x", (3, 64, 64)),), (), (BLOCK, STAGE), steps))
    return written(spec).partition("network:\n")[2]


def test_equal_rounds_are_counted() -> None:
    steps = check((block(8), RELU) * 4)
    assert steps == (Repeat((block(8), RELU), 4),)


def test_values_that_differ_are_a_list() -> None:
    steps = check((conv(8), RELU, conv(16), RELU, conv(24), RELU))
    assert loops(steps) == [(("channels",), (8, 16, 24))]


def test_rounds_of_several_lengths_are_loops_in_a_loop() -> None:
    """VGG: runs of other lengths, and a run of one round, are one loop."""
    rows = [(64, 1), (128, 1), (256, 2), (512, 2)]
    steps = check(tuple(step for channels, depth in rows for step in ((conv(channels), RELU) * depth + (POOL,))))
    assert (
        text(steps)
        == """\
  - repeat:
      - repeat:
          - Conv2d: [$channels, 3]
          - ReLU
        times: $depth
      - MaxPool2d: 2
    for: [channels, depth]
    in: [[64, 1], [128, 1], [256, 2], [512, 2]]
"""
    )


def stage(number: int, channels: int, stride: int, depth: int) -> Sequential:
    return Sequential((block(channels, stride), *(block(channels),) * (depth - 1)), f"layer{number}")


def test_numbered_stages_whose_first_block_differs() -> None:
    steps = check((stage(1, 64, 1, 3), stage(2, 128, 2, 4), stage(3, 256, 2, 6), stage(4, 512, 2, 3)))
    assert (
        text(steps)
        == """\
  - repeat:
      - name: layer$number
        sequential:
          - repeat:
              - Block: [$channels, $(stride if i == 0 else 1)]
            for: i
            in: $(range(depth))
    for: [number, channels, depth, stride]
    in: [[1, 64, 3, 1], [2, 128, 4, 2], [3, 256, 6, 2], [4, 512, 3, 2]]
"""
    )


def test_a_long_table_is_a_parameter_with_a_comment() -> None:
    rows = [(width, 1 + width % 3 % 2) for width in range(8, 40, 2)]
    spec = Spec("net", "", (("x", (3, 64, 64)),), (), (BLOCK,), rolled(tuple(block(*row) for row in rows), (BLOCK,)))
    found = with_tables(spec)
    assert dict(found.params) == {"rows": tuple(rows)} or dict(found.params).keys() == {"stages"}
    assert "  # channels, stride\n  rows:" in written(found)


def test_dense_is_found() -> None:
    rounds = tuple(Branch((Arm(()), Arm((block(32, name=f"denselayer{number}"),)))) for number in range(1, 7))
    (found,) = check(rounds)
    assert isinstance(found, Dense)
    assert (
        text((found,))
        == """\
  - dense:
      - {name: denselayer$i, Block: 32}
    for: i
    in: $(range(1, 7))
"""
    )


def test_what_the_last_round_lacks_is_under_a_condition() -> None:
    """DenseNet: the last stage has no transition."""
    stages = [Call("Stage", (("channels", 8), ("depth", depth)), f"stage{depth // 2}") for depth in (2, 4, 6, 8)]
    downs = [block(8, 2, f"down{number}") for number in (1, 2, 3)]
    steps = check((stages[0], downs[0], stages[1], downs[1], stages[2], downs[2], stages[3]))
    assert (
        text(steps)
        == """\
  - repeat:
      - {name: stage$number, Stage: [8, $depth]}
      - {name: down$number, Block: [8, 2], when: $(number < 4)}
    for: [number, depth]
    in: [[1, 2], [2, 4], [3, 6], [4, 8]]
"""
    )


def test_the_largest_width_is_no_condition() -> None:
    steps = check((block(8), POOL, block(16), POOL, block(32), POOL, block(64)))
    assert (
        text(steps)
        == """\
  - repeat:
      - Block: $channels
      - MaxPool2d: 2
    for: channels
    in: [8, 16, 32]
  - Block: 64
"""
    )


def test_a_round_begins_with_a_layer_before_its_activation() -> None:
    """The first block of a generator has no norm, its last no activation of this kind."""
    rounds = ((Call("Linear", (("out_features", width),)), NORM, RELU) for width in (16, 48, 64))
    steps = (Call("Linear", (("out_features", 8),)), RELU, *(step for one in rounds for step in one))
    assert (
        text(check((*steps, Call("Linear", (("out_features", 99),)))))
        == """\
  - Linear: 8
  - ReLU
  - repeat:
      - Linear: $features
      - BatchNorm1d
      - ReLU
    for: features
    in: [16, 48, 64]
  - Linear: 99
"""
    )


def test_a_width_that_two_calls_share_is_no_multiple_of_the_first_ones_input() -> None:
    """``[Block(2w), Block(2w)]`` again and again: the second one's input has that width already."""
    stages = tuple(
        Sequential(
            (replace(block(2 * width, 2), given=(1, width)), RELU, replace(block(2 * width), given=(1, 2 * width))),
            name,
        )
        for name, width in (("stage1", 16), ("stage2", 32), ("stage3", 64))
    )
    assert text(rolled(stages, (BLOCK,))).endswith("in: [[1, 32], [2, 64], [3, 128]]\n")


@pytest.mark.parametrize(("rate", "count"), [(0.2, 16), (0.1, 18), (0.5, 24), (0.3, 40)])
def test_a_rate_that_grows_is_a_formula_of_the_same_bits(rate: float, count: int) -> None:
    rates = [rate * step / count for step in range(count)]
    steps = check(tuple(Call("StochasticDepth", (("p", one), ("mode", "row"))) for one in rates))
    assert loops(steps) == [(("i",), expr.Call(expr.Ref("range"), (expr.Lit(count),)))]


def test_a_rate_off_by_one_bit_is_a_list() -> None:
    rates = [0.2 * step / 16 for step in range(16)]
    rates[7] = 0.08750000000000001 if rates[7] == 0.0875 else 0.0875
    steps = check(tuple(Call("StochasticDepth", (("p", one), ("mode", "row"))) for one in rates))
    assert loops(steps) == [(("drop",), tuple(rates))]


def test_a_padding_that_follows_is_a_formula() -> None:
    kernels = (3, 5, 7, 3)
    steps = check(
        tuple(Call("Conv2d", (("out_channels", 8), ("kernel_size", size), ("padding", size // 2))) for size in kernels)
    )
    assert (
        text(steps)
        == """\
  - repeat:
      - Conv2d: {out_channels: 8, kernel_size: $kernel_size, padding: $(kernel_size // 2)}
    for: kernel_size
    in: [3, 5, 7, 3]
"""
    )


def test_a_loop_hides_no_name() -> None:
    steps = tuple(block(channels) for channels in (8, 16, 24))
    (found,) = rolled(steps, (BLOCK,), taken=("channels",))
    assert isinstance(found, Repeat) and found.names == ("channels2",)


def test_a_number_in_a_name_is_no_other_value_by_chance() -> None:
    steps = check(tuple(block(number, 2, name=f"b{number}") for number in (1, 2, 4, 8)))
    assert [names for names, _ in loops(steps)] == [("number", "channels")]


def test_a_value_that_counts_is_the_number_in_the_name() -> None:
    """RegNet: a stage knows its number."""
    steps = check(tuple(block(number, 2, name=f"b{number}") for number in (1, 2, 3, 4)))
    assert text(steps).startswith("  - repeat:\n      - {name: b$i, Block: [$i, 2]}\n    for: i\n")


def test_what_is_not_shorter_stays() -> None:
    steps = (conv(8, stride=2), RELU, conv(16, padding=1), RELU)
    assert rolled(steps) == steps


def test_two_calls_are_two_lines() -> None:
    steps = (block(8, name="conv2"), block(8, name="conv3"))
    assert rolled(steps, (BLOCK,)) == steps


def test_names_that_no_number_tells_apart_stay() -> None:
    steps = tuple(block(8, name=f"inception3{letter}") for letter in "abcd")
    assert rolled(steps, (BLOCK,)) == steps


def test_uses_of_one_class_have_loops_of_one_form() -> None:
    """Stages of other depths, also of one block, become one block with a parameter."""

    def use(channels: int, depth: int) -> Steps:
        return (block(channels, 2, "b0"), *(block(channels, name=f"b{number}") for number in range(1, depth)))

    uses = [use(48, 1), use(104, 3), use(208, 6)]
    found = rolled_together(uses, (BLOCK,))
    assert [plain(unrolled(steps)) for steps in found] == [plain(steps) for steps in uses]
    assert all(isinstance(steps[0], Repeat) and len(steps) == 1 for steps in found)


def test_uses_of_one_length_stay() -> None:
    uses = [(conv(channels), RELU) * 2 for channels in (8, 16)]
    assert rolled_together(uses) == uses


# --- everything else -----------------------------------------------------------------------------

numbers = st.sampled_from([1, 2, 3, 8, 16])
names = st.builds("{}{}".format, st.sampled_from(["a", "conv", "x_"]), st.integers(0, 4)) | st.just("")
calls = st.builds(block, numbers, numbers, names) | st.builds(conv, numbers, names) | st.just(RELU)


def lists(inner: st.SearchStrategy[Step]) -> st.SearchStrategy[Steps]:
    """Short lists that are repeated, some with other values."""
    short = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.lists(short, min_size=1, max_size=3).flatmap(
        lambda parts: st.lists(st.sampled_from(parts), min_size=1, max_size=6).map(
            lambda chosen: tuple(step for part in chosen for step in part)
        )
    )


steps_of = st.recursive(
    calls,
    lambda inner: (
        st.builds(Sequential, lists(inner), names)
        | st.builds(lambda steps: Branch((Arm(()), Arm(steps))), lists(inner))
    ),
    max_leaves=12,
)


@settings(max_examples=50, deadline=None)
@given(lists(steps_of))
def test_unrolling_gives_the_steps_back(steps: Steps) -> None:
    check(steps)


@settings(max_examples=20, deadline=None)
@given(st.lists(lists(steps_of), min_size=2, max_size=3))
def test_unrolling_gives_each_use_back(uses: list[Steps]) -> None:
    found = rolled_together(uses, (BLOCK, STAGE))
    assert [plain(unrolled(steps)) for steps in found] == [plain(steps) for steps in uses]
