"""Blocks of several inputs and outputs, and the names of their tensors, against modules written by hand."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
import torch
from emitting import interpret
from torch import Tensor, nn

import cnndsl
from cnndsl.fmt import format

GATE = """
  Gate(inter):
    inputs: [x, skip]
    steps:
      - branch:
          - [Conv2d: [$inter, 1]]
          - [from: skip, Conv2d: [$inter, 1]]
        merge: add
      - ReLU
      - Conv2d: [1, 1]
      - Sigmoid
      - branch: [[], [from: skip]]
        merge: multiply
"""
BACKBONE = """
  Backbone(width):
    outputs: [c2, c3]
    steps:
      - {name: c2, Conv2d: [$width, 3, 1, 1]}
      - {name: c3, Conv2d: [$(2 * width), 3, 2, 1]}
"""


def network(steps: str, blocks: str = "", outputs: str = "", input: str = "[3, 8, 8]") -> cnndsl.Network:
    definitions = f"blocks:\n{blocks.strip(chr(10))}\n" if blocks else ""
    named = f"outputs: {outputs}\n" if outputs else ""
    return cnndsl.loads(f"input: {input}\n{definitions}network:\n{dedent(steps).strip(chr(10))}\n{named}")


def ran(net: cnndsl.Network, module: nn.Module, *inputs: Tensor) -> dict[str, Tensor]:
    """What the module returns, by name, after a comparison with the graph, interpreted."""
    found, wanted = module(*inputs), interpret(net, module, inputs)
    both = [each if isinstance(each, dict) else {"output": each} for each in (found, wanted)]
    assert both[0].keys() == both[1].keys()
    for name, tensor in both[0].items():
        torch.testing.assert_close(tensor, both[1][name], rtol=0, atol=0)
    return both[0]


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 4, 1)
        self.conv2 = nn.Conv2d(6, 4, 1)
        self.relu1 = nn.ReLU()
        self.conv3 = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.sigmoid(self.conv3(self.relu1(self.conv1(x) + self.conv2(skip)))) * skip


def test_a_block_takes_several_tensors() -> None:
    net = network(
        """
        - {name: skip, Conv2d: [6, 1]}
        - {name: up, Conv2d: [8, 1]}
        - {name: gate, Gate: 4, inputs: [up, skip]}
        """,
        GATE,
    )
    theirs, module, x = Gate(), net.module(), torch.randn(2, 3, 8, 8)
    theirs.load_state_dict({k.removeprefix("gate."): v for k, v in module.state_dict().items() if "gate." in k})
    torch.testing.assert_close(module(x), theirs(module.up(module.skip(x)), module.skip(x)))
    ran(net, module, x)


def test_a_block_returns_several_tensors_and_the_last_is_current() -> None:
    net = network("- {name: b, Backbone: 4}\n- Conv2d: [5, 1]\n- {name: head}", BACKBONE, "[b.c2, head, b.c3]")
    module, x = net.module(), torch.randn(2, 3, 8, 8)
    found = ran(net, module, x)
    c2, c3 = module.b(x)
    assert [*found] == ["c2", "head", "c3"]
    assert torch.equal(found["c2"], c2) and torch.equal(found["c3"], c3)
    assert torch.equal(found["head"], module.conv1(c3))
    assert [*module.state_dict()][:2] == ["b.c2.weight", "b.c2.bias"]
    row = net.shapes().rows[0]
    assert row.output == {"c2": (1, 4, 8, 8), "c3": (1, 8, 4, 4)}


def test_modules_inside_modules_pass_their_outputs_on() -> None:
    blocks = (
        BACKBONE
        + """
  Neck:
    outputs: [backbone.c3, top]
    steps:
      - {name: backbone, Backbone: 2}
      - {name: top, Conv2d: [3, 1]}
"""
    )
    net = network("- {name: neck, Neck: }\n- from: neck.c3\n- {name: end, Conv2d: [1, 1]}", blocks, "[neck.top, end]")
    found = ran(net, net.module(), torch.randn(1, 3, 8, 8))
    assert {name: tuple(tensor.shape) for name, tensor in found.items()} == {"top": (1, 3, 4, 4), "end": (1, 1, 4, 4)}


def test_from_input_is_what_the_module_around_was_given() -> None:
    scale = """
  SE:
    - AdaptiveAvgPool2d: 1
    - Conv2d: [4, 1]
    - Sigmoid
    - branch: [[], [from: input]]
      merge: multiply
"""
    net = network(
        """
        - Conv2d: [4, 1]
        - SE
        - sequential: [Conv2d: [4, 1], branch: [[], [from: input]]]
        - branch: [[], [from: input]]
        """,
        scale,
    )
    module, x = net.module(), torch.randn(1, 3, 8, 8)
    first = module.conv1(x)
    se = module.se1
    scaled = first * torch.sigmoid(se.conv1(first.mean((2, 3), keepdim=True)))
    inner = torch.cat([module.sequential1.conv1(scaled), scaled], 1)
    torch.testing.assert_close(ran(net, module, x)["output"], torch.cat([inner, x], 1))


def test_a_name_alone_makes_nothing() -> None:
    net = network("- Conv2d: [4, 1]\n- {name: a}\n- ReLU\n- branch: [[], [from: a]]")
    assert [row.path for row in net.shapes().rows] == ["conv1", "relu1", "concat1"]
    chain = network("- Conv2d: [4, 1]\n- {name: children}\n- ReLU")
    assert [row.path for row in chain.shapes().rows] == ["0", "1"]
    assert isinstance(chain.module(), nn.Sequential)
    otherwise = network("- {name: a, when: false, else: [Conv2d: [4, 1]]}\n- {name: b, when: true, else: [ReLU]}")
    assert [row.layer for row in otherwise.shapes().rows] == ["Conv2d"]


def test_a_module_is_reused_on_several_tensors() -> None:
    net = network(
        """
        - {name: gate, Gate: 4, inputs: [left, right]}
        - {name: again, reuse: gate, inputs: [right, left]}
        """,
        GATE,
        "[gate, again]",
        "{left: [3, 8, 8], right: [3, 8, 8]}",
    )
    left, right = torch.randn(2, 1, 3, 8, 8)
    module = net.module()
    found = ran(net, module, left, right)
    torch.testing.assert_close(found["again"], module.gate(right, left))
    backbone = network("- {name: b, Backbone: 3}\n- from: input\n- {name: bb, reuse: b}", BACKBONE, "[b.c3, bb.c2]")
    assert [*ran(backbone, backbone.module(), torch.randn(1, 3, 8, 8))] == ["c3", "c2"]


def test_one_tensor_given_twice_is_two_inputs() -> None:
    """The class reads `x` and `y` as the spec does, though both are one tensor in the first use."""
    pair = """
  Pair(c):
    inputs: [x, y]
    steps:
      - Conv2d: [$c, 1]
      - branch: [[], [from: y]]
        merge: subtract
"""
    net = network(
        """
        - {name: q, Pair: 4, inputs: [u, u]}
        - {name: r, reuse: q, inputs: [u, v]}
        - {name: s, Pair: 4, inputs: [v, u]}
        """,
        pair,
        "[q, r, s]",
        "{u: [4, 8, 8], v: [4, 8, 8]}",
    )
    u, v = torch.randn(2, 1, 4, 8, 8)
    module = net.module()
    found = ran(net, module, u, v)
    torch.testing.assert_close(found["q"], module.q.conv1(u) - u)
    torch.testing.assert_close(found["r"], module.q.conv1(u) - v)
    torch.testing.assert_close(found["s"], module.s.conv1(v) - u)
    assert type(module.q) is type(module.s)


def test_inputs_may_come_from_an_expression() -> None:
    net = network(
        """
        - {name: a0, Conv2d: [8, 1]}
        - {name: a1, Conv2d: [6, 1]}
        - let: {order: [a0, a1]}
        - {Gate: 4, inputs: $order}
        """,
        GATE,
    )
    assert ran(net, net.module(), torch.randn(1, 3, 8, 8))["output"].shape == (1, 6, 8, 8)


def test_a_definition_replaces_an_inherited_one_as_a_whole(tmp_path: Path) -> None:
    """A mapping of inputs, outputs and steps is one definition, so it is not merged key by key."""
    base = f"input: [3, 8, 8]\nblocks:{BACKBONE}network: [{{name: b, Backbone: 4}}]\n"
    (tmp_path / "base.yaml").write_text(base)
    over = "extends: base.yaml\nblocks: {Backbone(width): {inputs: [x], steps: [Conv2d: [$width, 1]]}}\n"
    net = cnndsl.loads(over, folder=tmp_path)
    assert [row.output for row in net.shapes().rows] == [(1, 4, 8, 8), (1, 4, 8, 8)]


@pytest.mark.parametrize("compiled", [True, False])
def test_the_module_scripts_and_traces(compiled: bool) -> None:
    net = network(
        "- {name: b, Backbone: 4}\n- {name: gate, Gate: 4, inputs: [b.c2, b.c2]}", BACKBONE + GATE, "[gate, b.c3]"
    )
    module, x = net.module().eval(), torch.randn(1, 3, 8, 8)
    other = torch.jit.script(module) if compiled else torch.fx.symbolic_trace(module)
    for name, tensor in module(x).items():
        torch.testing.assert_close(other(x)[name], tensor)


def test_fmt_keeps_ports() -> None:
    text = f"input: [3, 8, 8]\nblocks:{BACKBONE}\nnetwork:\n  - {{name: b, Backbone: 4}}\n"
    once = format(text)
    assert format(once) == once
    assert "outputs: [c2, c3]" in once


PAIR = "  Pair: {outputs: [a, b], steps: [{name: a, Conv2d: [3, 1]}, {name: b, Tanh: }]}\n"


@pytest.mark.parametrize(
    "steps",
    [
        "- Pair\n- Sigmoid",
        "- Sigmoid\n- Pair",
        "- sequential: [Pair, Sigmoid]",
        "- {repeat: [Pair], times: 2}",
        "- {Pair: , when: true}\n- let: {act: Pair}\n- $act",
        "- let: {act: Pair}\n- $act\n- {Pair: , when: false}",
        "- {name: s, sequential: [Conv2d: [3, 1], Pair]}\n- reuse: s",
        "- branch: [[Pair, Sigmoid], [Pair]]",
        "- Around",
        "- {Around: , inline: true}\n- ReLU",
    ],
)
def test_a_block_of_several_outputs_gives_its_last_to_the_next_step(steps: str) -> None:
    net = network(steps, PAIR + "  Around: [Pair, Sigmoid]\n")
    ran(net, net.module(), torch.randn(1, 3, 8, 8))


def test_a_variable_that_is_read_later_is_not_written_over() -> None:
    net = network(
        """
        - branch:
            - [Conv2d: [3, 1], {branch: [[Conv2d: [3, 1]], [Pair]], merge: add}]
            - [Conv2d: [3, 1]]
        - residual: [Conv2d: [6, 1], Conv2d: [6, 1]]
          shortcut: [{branch: [[Conv2d: [3, 1]], [Conv2d: [3, 1], Pair]]}]
        """,
        PAIR,
    )
    module, x = net.module(), torch.randn(1, 3, 8, 8)
    found, (first, second) = ran(net, module, x), (module.conv1(x), module.conv3(x))
    y = torch.cat([module.conv2(first) + module.pair1(first)[1], second], 1)
    side = torch.cat([module.conv6(y), module.pair2(module.conv7(y))[1]], 1)
    torch.testing.assert_close(found["output"], module.conv5(module.conv4(y)) + side)


@pytest.mark.parametrize(
    "step",
    [
        "{name: s, N: }",
        "{name: s, sequential: [{M: , inputs: [input, input]}, {M: , inputs: [input, input]}, Conv2d: [3, 1]]}",
        "{name: s, O: }",
    ],
)
def test_a_reused_module_may_give_one_tensor_twice_to_a_block(step: str) -> None:
    blocks = """
      M: {inputs: [a, b], steps: [branch: [[], [from: b]]]}
      Two: {outputs: [o1, o2], steps: [{name: o1, Conv2d: [2, 1]}, {name: o2}]}
      N: [{name: k, Conv2d: [3, 1]}, {M: , inputs: [k, k]}, Conv2d: [3, 1]]
      O: [{name: k, Two: }, {M: , inputs: [k.o1, k.o2]}, Conv2d: [3, 1]]
    """
    net = network(f"- {step}\n- reuse: s", dedent(blocks).replace("\n", "\n  "))
    module, x = net.module(), torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(ran(net, module, x)["output"], module.s(module.s(x)), rtol=0, atol=0)


def test_outputs_take_values() -> None:
    """So a block with outputs can be written out twice: its names contain a parameter."""
    blocks = "  Q(i): {outputs: [o$i, p$i], steps: [{name: o$i, Conv2d: [4, 1]}, {name: p$i, Conv2d: [4, 1]}]}"
    steps = """
        - {Q: 1, inline: true}
        - {name: q, Q: 2, inline: true}
        - {name: c.0, Q: 3}
        - {name: c.1, Q: 4}
    """
    net = network(dedent(steps), blocks, "[c.$(n - 1).o4, q.o2, p1]\nparams: {n: 2}")
    module, x = net.module(), torch.rand(2, 3, 8, 8)
    found = ran(net, module, x)
    wanted = {"p1": module.p1(module.o1(x))}
    wanted["o2"] = module.o2(wanted["p1"])
    wanted["o4"] = module.c[1].o4(module.c[0](module.p2(wanted["o2"]))[1])
    assert [*found] == ["o4", "o2", "p1"]
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=0)


def test_outputs_of_steps_that_when_leaves_out_are_not_returned() -> None:
    text = """
      input: [3, 8, 8]
      params: {aux: true, more: 2}
      network:
        - {name: out, Conv2d: [4, 1]}
        - {name: aux, ReLU: , when: $aux}
        - {repeat: [{name: more$i, Tanh: }], for: i, in: $(range(more)), when: $aux}
        - branch: [{steps: [{name: last, Tanh: }], when: $aux}, []]
      outputs: [out, aux, last]
    """
    x = torch.rand(2, 3, 8, 8)
    full, alone = cnndsl.loads(text), cnndsl.loads(text, aux=False)
    assert [*ran(full, full.module(), x)] == ["out", "aux", "last"]
    module = alone.module()
    torch.testing.assert_close(module(x), module.out(x), rtol=0, atol=0)
    assert [*ran(alone, module, x)] == ["output"]
    with pytest.raises(cnndsl.SpecError, match="there is no `aux` here: its step is left out"):
        cnndsl.loads(text.replace("[out, aux, last]", "[aux]"), aux=False)
