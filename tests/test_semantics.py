"""Rules of the language where faults and names meet, each by a small spec."""

from __future__ import annotations

from textwrap import dedent

import pytest

import cnndsl
from cnndsl.diagnostics import Diagnostic


def faults(network: str, head: str = "input: [3, 8, 8]\n") -> list[Diagnostic]:
    return [item for item in cnndsl.check(cnndsl.Text(head + "network:\n" + dedent(network))) if item.is_error]


def codes(network: str, head: str = "input: [3, 8, 8]\n") -> list[str]:
    return [item.code.id for item in faults(network, head)]


def warnings(text: str) -> list[str]:
    return [item.message for item in cnndsl.check(cnndsl.Text(dedent(text))) if not item.is_error]


# --- one fault, one message ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "code"),
    [
        ("- {name: skip, Conv2d: {out_channels: -1, kernel_size: 3}}\n- from: skip\n", "CNN010"),
        ("- {name: skip, Conv2d: [4, $(1 +)]}\n- from: skip\n", "CNN020"),
        ("- repeat: [{name: s$i, ReLU: }]\n  for: i\n  in: $wrong\n- from: s1\n", "CNN021"),
        ("- {when: $wrong, name: a, ReLU: , else: [{name: b, ReLU: }]}\n- branch: [[from: a], [from: b]]\n", "CNN021"),
        ("- repeat: [{name: inner, ReLU: }]\n- reuse: inner\n", "CNN012"),
        ("- Conv2d: {out_chanels: 4, kernel_size: 3}\n", "CNN015"),
        ("- Conv2d: {out_channels: 010, kernel_size: 3}\n- Linear: {in_features: 1, out_features: 1}\n", "CNN006"),
        ("- Conv2d: {out_channels: 4, kernel_size: $(max(3, 1))}\n", "CNN020"),
    ],
)
def test_what_depends_on_a_fault_is_not_said(network: str, code: str) -> None:
    assert codes(network) == [code]


def test_a_block_whose_signature_is_wrong_is_not_unknown_too() -> None:
    head = "input: [3, 8, 8]\nblocks:\n  Stem(class): [ReLU]\n"
    assert codes("- Stem: 3\n- Stam: 3\n", head) == ["CNN016", "CNN014"]


def test_a_wrong_inferred_argument_does_not_hide_what_follows() -> None:
    assert codes("- Conv2d: {in_channels: 4, out_channels: 8, kernel_size: 3}\n- MaxPool2d: 9\n") == [
        "CNN031",
        "CNN030",
    ]


def test_arguments_are_checked_where_the_input_is_unknown() -> None:
    assert codes("- MaxPool2d: 99\n- Conv2d: [$(7 / 2), 3]\n- Conv2d: 4\n") == ["CNN030", "CNN010", "CNN012"]


def test_the_way_tells_of_blocks_and_rounds_not_of_branches() -> None:
    head = "input: [3, 8, 8]\nblocks:\n  Down: [{branch: [[{MaxPool2d: 3}], []]}]\n"
    (fault,) = faults("- repeat: [Down]\n  times: 2\n", head)
    assert fault.trail == ("blocks.Down, called at 5:12", "repeat 5:3, round 1 of 2")


def test_the_way_tells_of_the_layer_and_of_the_loops_around_it() -> None:
    head = """\
input: [3, 8, 8]
blocks:
  Inner:
    - repeat:
        - {Conv2d: [3, 3], name: conv$i}
      for: i
      in: [1, 2, 3, 4]
  Outer: [sequential: [Inner]]
"""
    (fault,) = faults("- repeat: [Outer]\n  times: 2\n", head)
    assert fault.trail == (
        "blocks.Inner \u203a conv4, in repeat 4:7, round 4 of 4, called at 8:24",
        "blocks.Outer \u203a 0.0, called at 10:12",
        "repeat 10:3, round 1 of 2",
    )


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [8, 9])
def test_the_projection_that_a_residual_is_helped_with_mends_it(dims: int, stride: int, size: int) -> None:
    head = f"input: [3, {', '.join([str(size)] * dims)}]\n"
    conv = f"Conv{dims}d: {{out_channels: 8, kernel_size: 3, padding: 1, stride: {stride}}}"
    (fault,) = faults(f"- residual: [{{{conv}}}]\n", head)
    assert [note.span is not None for note in fault.notes] == [True, True]
    mended = fault.help.removeprefix("project the input: `").removesuffix("`")
    assert mended.startswith("shortcut: [Conv")
    assert faults(f"- residual: [{{{conv}}}]\n  {mended}\n", head) == []


# --- names, reuse, values ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "help"),
    [
        ("- repeat: [{name: a, ReLU: }]\n  times: 2\n", "use the loop variable"),
        ("- residual: [ReLU]\n- {name: relu1, ReLU: }\n", "an unnamed step is called `relu1`"),
        ("- {name: a, ReLU: }\n- {name: a, ReLU: }\n", "rename one of the two"),
    ],
)
def test_a_name_that_stands_twice_says_what_to_do(network: str, help: str) -> None:
    (fault,) = faults(network)
    assert fault.help.startswith(help) and fault.notes[0].span is not None


def test_from_tells_where_a_step_of_that_name_is() -> None:
    (fault,) = faults("- from: late\n- {name: late, ReLU: }\n")
    assert fault.notes[0].span is not None and fault.notes[0].span.line == 4


def test_reuse_is_refused_at_the_reuse() -> None:
    (fault,) = faults("- {name: first, Conv2d: [8, 3]}\n- reuse: first\n")
    assert fault.code.id == "CNN031" and fault.span is not None and fault.span.line == 4
    assert fault.help == "a reused step keeps its weights, and takes only the tensors that fit them"


def test_a_layer_as_a_value_takes_its_arguments_from_where_it_is_written() -> None:
    spec = """\
    input: [3, 8, 8]
    params: {slope: 0.25, act: {LeakyReLU: {negative_slope: $slope}}}
    blocks:
      B(slope): [Conv2d: [$slope, 1], $act]
    network: [B: 4]
    """
    assert cnndsl.loads(dedent(spec)).shapes().rows[-1].arguments == {"negative_slope": 0.25}


def test_a_layer_as_a_value_takes_more_arguments_where_it_is_called() -> None:
    text = "input: [3, 8, 8]\nparams: {conv: {Conv2d: [4]}}\nnetwork: [{$conv: [3]}]\n"
    assert cnndsl.loads(text).shapes().rows[0].output == (1, 4, 6, 6)


def test_outputs_given_twice_are_an_error_that_is_told() -> None:
    assert codes("- {name: a, ReLU: }\n", "input: [3, 8, 8]\noutputs: [a, a]\n") == ["CNN038"]


# --- warnings ------------------------------------------------------------------------------------


def test_what_is_never_used_is_a_warning() -> None:
    spec = """\
    input: {image: [3, 8, 8], other: [3, 8, 8]}
    params: {used: 4, rate: 0.1, idle: 1}
    network:
      - {name: stem, ReLU: }
      - {name: lost, Conv2d: [$used, 3]}
      - from: stem
    train: {optimizer: {SGD: {lr: $(rate * 2)}}}
    """
    assert warnings(spec) == [
        "the input `other` is never used",
        "the parameter `idle` is never used",
        "nothing uses the output of `lost`",
    ]


def test_a_step_is_used_where_every_round_is() -> None:
    spec = """\
    input: [3, 8, 8]
    network:
      - repeat: [{name: s$i, ReLU: }]
        for: i
        in: [0, 1]
      - from: %s
    """
    assert warnings(spec % "s0") == ["nothing uses the output of `s1`"]
    assert warnings(spec % "s1") == []


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ("[{name: c, from: a}, ReLU]", []),
        ("[{name: c, from: a}, from: b, branch: [[], [from: c]]]", []),
        ("[from: a, sequential: [Conv2d: [4, 1]]]", []),
        ("[sequential: [{name: c, Conv2d: [4, 1]}, ReLU, {branch: [[from: c], []]}, from: c]]", []),
        ("[from: a, residual: [Conv2d: [4, 1]]]", []),
        ("[from: a, branch: [[from: b], []]]", []),
        ("[from: a, branch: [[from: b], [from: a]]]", [6]),
        ("[from: a, from: b, ReLU]", [6]),
        ("[{name: c, from: a}, from: b]", [6]),
        ("[{branch: [[], [{repeat: [from: $n], for: n, in: [a, a, b]}]]}]", [6]),
    ],
)  # fmt: skip
def test_a_tensor_that_is_fetched_is_taken(steps: str, found: list[int]) -> None:
    first = "input: [3, 8, 8]\nnetwork:\n  - {name: a, Conv2d: [4, 1]}\n  - {name: b, Conv2d: [4, 1]}\n"
    text = f"{first}  - branch: [[], [from: a]]\n  - branch: [[], {steps}]\n"
    fetches = [item for item in cnndsl.check(cnndsl.Text(text)) if "tensor of this `from`" in item.message]
    assert [item.span and item.span.line for item in fetches] == found
