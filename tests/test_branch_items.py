"""Branches that a value decides on: networks whose papers have a variable number of paths, and the rules of such items.

The oracle is written by hand in plain PyTorch, as the papers' code is.
"""

from textwrap import dedent
from typing import Any

import pytest
import torch
from emitting import assert_faithful
from torch import Tensor, nn
from values import assert_values

import cnndsl

# --- networks ----------------------------------------------------------------------------------------------


class Bottle2neck(nn.Module):
    """Res2Net's hierarchy of convolutions (Gao et al., 2019, arXiv:1904.01169), as in timm's ``res2net.py``."""

    def __init__(self, width: int, scale: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(scale - 1))
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(scale - 1))

    def forward(self, x: Tensor) -> Tensor:
        parts = x.chunk(len(self.convs) + 1, 1)
        made: list[Tensor] = []
        for i, (conv, bn) in enumerate(zip(self.convs, self.bns)):
            part = parts[i] if i == 0 or self.first else parts[i] + made[-1]
            made.append(torch.relu(bn(conv(part))))
        made.append(nn.functional.avg_pool2d(parts[-1], 3, 1, 1) if self.first else parts[-1])
        return torch.cat(made, 1)


RES2NET = """
input: [12, 6, 6]
blocks:
  Hierarchy(width, scale, first):
    - branch:
        - for: i
          in: $(range(scale - 1))
          steps:
            - {branch: [[], [from: part$(i - 1)]], merge: add, when: $(i > 0 and not first)}
            - {name: convs.$i, Conv2d: {out_channels: $width, kernel_size: 3, padding: 1, bias: false}}
            - {name: bns.$i, BatchNorm2d: }
            - {name: part$i, ReLU: }
        - - {AvgPool2d: [3, 1, 1], when: $first}
      split: true
network: [Hierarchy: [4, 3, true], Hierarchy: [3, 4, false]]
"""


class OneShot(nn.Module):
    """VoVNet's one-shot aggregation (Lee et al., 2019, arXiv:1904.09730)."""

    def __init__(self, channels: int, middle: int, out: int, layers: int) -> None:
        super().__init__()
        widths = [channels, *[middle] * layers]
        self.layers = nn.ModuleList(nn.Conv2d(before, middle, 3, padding=1) for before in widths[:-1])
        self.fuse = nn.Conv2d(sum(widths), out, 1)

    def forward(self, x: Tensor) -> Tensor:
        seen = [x]
        for layer in self.layers:
            seen.append(layer(seen[-1]))
        out: Tensor = self.fuse(torch.cat(seen, 1))
        return out


VOVNET = """
input: [3, 6, 6]
blocks:
  OneShot(middle, out, layers):
    - branch:
        - []
        - for: i
          in: $(range(layers))
          steps:
            - {from: layers.$(i - 1), when: $(i > 0)}
            - {name: layers.$i, Conv2d: {out_channels: $middle, kernel_size: 3, padding: 1}}
    - {name: fuse, Conv2d: [$out, 1]}
network: [OneShot: [4, 8, 3], OneShot: [5, 6, 1]]
"""


class Reparametrizable(nn.Module):
    """MobileOne's block in training (Vasu et al., 2022, arXiv:2206.04040); with one convolution it is RepVGG's (Ding et
    al., 2021, arXiv:2101.03697)."""

    def __init__(self, channels: int, out: int, stride: int, convs: int) -> None:
        super().__init__()
        self.identity = nn.BatchNorm2d(channels) if channels == out and stride == 1 else None
        self.scale = self._path(channels, out, 1, stride)
        self.paths = nn.ModuleList(self._path(channels, out, 3, stride) for _ in range(convs))

    def _path(self, channels: int, out: int, kernel: int, stride: int) -> nn.Sequential:
        conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        return nn.Sequential(conv, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        paths = [self.scale, *self.paths] if self.identity is None else [self.identity, self.scale, *self.paths]
        return torch.relu(sum(path(x) for path in paths))


MOBILEONE = """
input: [4, 6, 6]
blocks:
  Path(out, kernel, stride):
    - Conv2d: {out_channels: $out, kernel_size: $kernel, stride: $stride, padding: $(kernel // 2), bias: false}
    - BatchNorm2d
  Cell(out, stride, convs):
    - branch:
        - {when: $(input.channels == out and stride == 1), steps: [{name: identity, BatchNorm2d: }]}
        - [{name: scale, Path: [$out, 1, $stride]}]
        - {for: i, in: $(range(convs)), steps: [{name: paths.$i, Path: [$out, 3, $stride]}]}
      merge: add
    - ReLU
network: [Cell: [4, 1, 1], Cell: [8, 2, 4], Cell: [8, 1, 2]]
"""


class SelectiveKernel(nn.Module):
    """SKNet's choice among paths (Li et al., 2019, arXiv:1903.06586): a softmax over the paths for each channel."""

    def __init__(self, channels: int, paths: int, squeezed: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1 + i, 1 + i) for i in range(paths))
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.excite = nn.Conv2d(squeezed, channels * paths, 1)

    def forward(self, x: Tensor) -> Tensor:
        made = torch.stack([path(x) for path in self.paths], 1)
        pooled = made.sum(1).mean((2, 3), keepdim=True)
        weights = self.excite(torch.relu(self.squeeze(pooled))).unflatten(1, made.shape[1:3]).softmax(1)
        return (made * weights).sum(1)


SKNET = """
input: [4, 6, 6]
blocks:
  Selective(paths, squeezed):
    - let: {channels: $(input.channels)}
    - branch:
        - for: i
          in: $(range(paths))
          steps:
            - name: paths.$i
              Conv2d: {out_channels: $channels, kernel_size: 3, padding: $(1 + i), dilation: $(1 + i)}
      merge: add
    - AdaptiveAvgPool2d: 1
    - {name: squeeze, Conv2d: [$squeezed, 1]}
    - ReLU
    - {name: excite, Conv2d: [$(channels * paths), 1]}
    - Reshape: [$paths, $channels, 1, 1]
    - Softmax: {dim: 1}
    - {name: weights, Reshape: [$(channels * paths), 1, 1]}
    - branch:
        - for: i
          in: $(range(paths))
          steps:
            - branch: [[from: paths.$i], [from: weights, Slice: [$(i * channels), $((i + 1) * channels)]]]
              merge: multiply
      merge: add
network: [Selective: [2, 3], Selective: [3, 2]]
"""

NETWORKS: dict[str, tuple[str, list[Any]]] = {
    "res2net": (RES2NET, [Bottle2neck(4, 3, True), Bottle2neck(3, 4, False)]),
    "vovnet": (VOVNET, [OneShot(3, 4, 8, 3), OneShot(8, 5, 6, 1)]),
    "mobileone": (
        MOBILEONE,
        [Reparametrizable(4, 4, 1, 1), Reparametrizable(4, 8, 2, 4), Reparametrizable(8, 8, 1, 2)],
    ),
    "sknet": (SKNET, [SelectiveKernel(4, 2, 3), SelectiveKernel(4, 3, 2)]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_the_network_written_by_hand(name: str) -> None:
    spec, blocks = NETWORKS[name]
    net = cnndsl.loads(spec)
    oracle = nn.Sequential(*blocks)
    module = assert_faithful(net)
    oracle.load_state_dict(module.state_dict())
    x = torch.randn(2, *net.graph.root.input.shape.sample)
    for mode in (True, False):
        torch.testing.assert_close(module.train(mode)(x), oracle.train(mode)(x))
    assert_values(net)


# --- rules -------------------------------------------------------------------------------------------------


def shapes(branch: str, params: str = "") -> list[tuple[str, tuple[int, ...]]]:
    """The kinds and shapes of samples of a network that is one ``branch``."""
    text = f"input: [6, 4, 4]\nparams: {{{params}}}\nnetwork:\n  - {branch}\n"
    return [(row.layer, tuple(row.output)[1:]) for row in cnndsl.loads(text).shapes().rows]  # type: ignore[arg-type]


def test_a_branch_whose_condition_is_false_is_not_there() -> None:
    branch = "branch: [{when: $on, steps: []}, [ReLU]]"
    assert shapes(branch, "on: true")[-1] == ("concat", (12, 4, 4))
    assert shapes(branch, "on: false")[-1] == ("concat", (6, 4, 4))
    summed = "{branch: [{when: $on, steps: [Conv2d: [9, 1]]}, []], merge: add}"
    assert shapes(summed, "on: false") == [("add", (6, 4, 4))]


@pytest.mark.parametrize("item", ["[]", "{steps: []}", "{times: 1, steps: []}", "{when: false, steps: [ReLU]}, []"])
def test_a_branch_alone_is_the_tensor_that_it_ends_with(item: str) -> None:
    net = cnndsl.loads(f"input: [4]\nnetwork: [branch: [{item}], Add: 1.0]")
    assert_faithful(net)
    assert_values(net)
    x = torch.ones(2, 4)
    torch.testing.assert_close(net.module()(x), x + 1)


def test_a_condition_sees_the_names_of_the_loop_and_the_tensor_before_the_branch() -> None:
    branch = "{branch: [{for: [i, w], in: [[0, 1], [1, 2], [2, 3]], when: $(i != 1 and input.channels == 6)"
    assert shapes(f"{branch}, steps: [Conv2d: [$w, 1]]}}]}}")[-1] == ("concat", (4, 4, 4))


def test_channels_are_split_among_the_branches_that_exist() -> None:
    branch = "{branch: [{when: $on, steps: []}, {times: $n, steps: []}, [Abs]], split: $split}"
    sizes = [
        shapes(branch, f"on: {on}, n: {n}, split: true")[1][1] for on, n in (("true", 1), ("false", 2), ("false", 1))
    ]
    assert sizes == [(2, 4, 4), (2, 4, 4), (3, 4, 4)]
    assert shapes(branch, "on: false, n: 1, split: [2, 4]")[1] == ("Abs", (4, 4, 4))


def test_a_later_branch_takes_the_tensor_of_an_earlier_one() -> None:
    steps = "[{from: c$(i - 1), when: $(i > 0)}, {name: c$i, Conv2d: [$(i + 1), 1]}]"
    text = f"input: [6, 4, 4]\nnetwork:\n  - branch: [{{for: i, in: [0, 1, 2], steps: {steps}}}]\n  - from: c1\n"
    assert [tuple(row.input)[1] for row in cnndsl.loads(text).shapes().rows[:3]] == [6, 1, 2]


def test_a_loop_name_that_hides_another_gets_a_warning_and_what_is_used_gets_none() -> None:
    branch = "[{for: i, in: $sizes, when: $(i < most), steps: [Conv2d: [$i, 1]]}, {when: $on, steps: [ReLU]}]"
    params = "{i: 3, on: 1, sizes: [1, 2], most: 2}"
    found = cnndsl.check(cnndsl.Text(f"input: [6, 4, 4]\nparams: {params}\nnetwork:\n  - branch: {branch}\n"))
    assert [(item.code.id, item.message) for item in found] == [("CNN109", "the loop name `i` hides the parameter `i`")]


def test_a_module_whose_branches_would_be_others_is_not_used_again() -> None:
    text = """
    input: [6, 4, 4]
    blocks:
      Cell: [branch: [{when: $(input.height > 3), steps: [ReLU]}, [Sigmoid]]]
    network: [{name: cell, Cell: }, {MaxPool2d: 2}, {reuse: cell}]
    """
    assert [item.code.id for item in cnndsl.check(cnndsl.Text(dedent(text)))] == ["CNN031"]


def test_a_merge_may_come_from_a_value() -> None:
    """From a parameter, an expression or a loop. Blocks that merge differently are different classes."""
    text = """
      input: [4, 8, 8]
      params: {add: true}
      blocks:
        F(how, dim=1): [{branch: [[Conv2d: [4, 1]], []], merge: $how, dim: $dim}]
      network:
        - F: add
        - F: subtract
        - {name: m, F: maximum}
        - F: [concat, 2]
        - reuse: m
        - {branch: [[], [Tanh]], merge: "$('add' if add else 'multiply')"}
        - repeat: [{branch: [[], [Tanh]], merge: $how}]
          for: how
          in: [add, multiply, concat]
    """
    for add in (True, False):
        net = cnndsl.loads(dedent(text), add=add)
        module, x = net.module(), torch.rand(2, 4, 8, 8)
        found = module(x)
        x = module.f1.conv1(x) + x
        x = module.f2.conv1(x) - x
        x = torch.maximum(module.m.conv1(x), x)
        x = torch.cat([module.f4.conv1(x), x], 2)
        x = torch.maximum(module.m.conv1(x), x)
        x = x + x.tanh() if add else x * x.tanh()
        x = x + x.tanh()
        x = x * x.tanh()
        torch.testing.assert_close(found, torch.cat([x, x.tanh()], 1), rtol=0, atol=0)
        assert_faithful(net)
