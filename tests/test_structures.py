"""All that the language can say, emitted and run: each spec gives the graph's tensors, and readable code."""

from pathlib import Path
from textwrap import dedent

import pytest
import torch
from emitting import assert_faithful, assert_same, ruff_complaints, samples

import cnndsl

#: Specs by name, each with lines that its source must have.
SPECS: dict[str, tuple[str, list[str]]] = {
    "lists_and_dicts": (
        """
        input: [4, 6, 6]
        blocks:
          Cell(n):
            - repeat:
                - {name: convs.$i, Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}
                - {name: "acts.$i.if", ReLU: {inplace: true}}
                - {name: acts.$i.tanh, when: $(i < 2), Tanh: }
              for: i
              in: $(range(n))
            - {name: heads.box, Conv2d: [2, 1]}
            - {from: acts.0.if}
            - {name: heads.3, sequential: [residual: [ReLU]]}
            - {name: split.0, branch: [[], [from: heads.box], [reuse: convs.1]]}
        network:
          - {name: cells.0, Cell: 2}
          - {name: cells.1, Cell: 3}
          - {name: other.1, Cell: 3}
          - {name: alone, Cell: 2}
        """,
        ['self.heads["3"]', "self.convs = nn.ModuleList(", 'self.other["1"]', "self.cells[1]"],
    ),
    "written_out": (
        """
        input: [3, 6, 6]
        blocks:
          ConvBN(c, k=3):
            - Conv2d: {out_channels: $c, kernel_size: $k, padding: $(k // 2), bias: false}
            - BatchNorm2d
            - {ReLU: {inplace: true}, when: $(k > 1)}
          Gate(hidden, name):
            inputs: [x, by]
            outputs: [summed, gate]
            steps:
              - {name: summed, branch: [[], [from: by]], merge: add}
              - Conv2d: [$hidden, 1]
              - {name: gates.$name, Conv2d: [1, 1]}
              - {name: gate, branch: [[], [from: input]], merge: multiply}
          Features(wide):
            - {ConvBN: [$(4 * wide), 1], inline: true}
            - {repeat: [{ConvBN: "$(8 * wide)", inline: true}], times: $wide}
            - sequential: [{ConvBN: 8, inline: true}, Sigmoid]
          Cell(c):
            - {name: a, ConvBN: [$c, 1], inline: true}
            - {ConvBN: $c, inline: true}
            - {name: gated, Gate: [2, first], inline: true, inputs: [a, input], when: $(input.channels == c)}
            - {name: again, Gate: [3, second], inline: false, inputs: [a, a]}
            - residual: [{ConvBN: $c, inline: true}]
        network:
          - {name: features, Features: 1}
          - {name: more, Features: 2}
          - Cell: 8
          - Cell: 8
        """,
        [],
    ),
    "branches_by_values": (
        """
        input: [4, 6, 6]
        blocks:
          Cell(c, wide, kernels=[1, 3]):
            - branch:
                - {when: $wide, steps: [{name: same, Conv2d: [$c, 1]}]}
                - {for: [i, k], in: "$([[0, kernels[0]], [1, kernels[1]]])", when: $(wide or i > 0), steps: [
                    {from: conv0, when: $(wide and i > 0)},
                    {name: conv$i, Conv2d: {out_channels: $c, kernel_size: $k, padding: same}}]}
                - {times: $(len(kernels) - 2), steps: [ReLU]}
            - Conv2d: [12, 1]
            - branch: [{when: $(not wide), steps: []}, {times: 2, steps: []}, [Sigmoid]]
              split: true
              merge: add
        network:
          - Cell: [4, true]
          - Cell: [6, false]
          - Cell: {c: 4, wide: true, kernels: [3, 5, 7]}
          - Cell: {c: 3, wide: true, kernels: [3, 5]}
        """,
        ["def forward(self, x: Tensor)"],
    ),
    "differences": (
        """
        input: [4, 6, 6]
        network:
          - {name: a, Conv2d: [4, 1]}
          - branch:
              - []
              - [{branch: [[ReLU], [{from: a}, Sigmoid]], merge: subtract}]
            merge: subtract
          - Abs
          - {branch: [[], [{from: a}]], merge: subtract}
        """,
        ["class Abs(nn.Module):", " - ("],
    ),
    "quotients": (
        """
        input: [4, 6, 6]
        blocks:
          GRN:
            - residual:
                - branch:
                    - []
                    - - Norm: {dim: [2, 3], keepdim: true}
                      - {branch: [[], [Mean: {dim: 1, keepdim: true}, Add: 1e-6]], merge: divide}
                  merge: multiply
                - Affine
        network:
          - GRN
          - residual: [Conv2d: [4, 1], Multiply: 0.17]
          - {branch: [[{Conv2d: [4, 1]}], [{Conv2d: [4, 1]}], [{residual: [Abs]}]], merge: maximum}
          - {branch: [[], [Abs, Add: 1]], merge: divide}
          - {branch: [[], [Sigmoid, {branch: [[], [Tanh]], merge: add}]], merge: minimum}
          - Sum: {dim: [2, 3]}
        """,
        [
            "y / self.offset1(self.mean1(y))",
            "torch.maximum(torch.maximum(",
            "torch.minimum(x, y + self.tanh1(y))",
            "Norm(dim=(2, 3), keepdim=True)",
            "Multiply(0.17)",
        ],
    ),
    "shortcuts": (
        """
        input: [4, 6, 6]
        blocks:
          Cell(c, keep, deep):
            - residual: [{Conv2d: [$(input.channels), 1]}, BatchNorm2d]
              shortcut: $keep
            - residual: [{Conv2d: [$c, 1]}]
              shortcut: [{Conv2d: [$c, 1], when: $(input.channels != c)}]
            - residual: [ReLU]
              shortcut: false
            - residual: [ReLU]
              shortcut: $(deep > 1)
        network:
          - Cell: [4, true, 1]
          - Cell: [8, false, 2]
          - Cell: [6, true, 2]
        """,
        ["self.use_shortcut = keep", "self.use_shortcut2 = deep > 1", "if self.use_shortcut:"],
    ),
    "nested": (
        """
        input: [4, 6, 6]
        network:
          - residual:
              - residual:
                  - Conv2d: [4, 1]
                  - branch:
                      - [{residual: [ReLU]}]
                      - - branch: [[], [{Conv2d: [4, 1]}]]
                        - Conv2d: [2, 1]
                  - Conv2d: [4, 1]
              - ReLU
            shortcut: [{residual: [{Conv2d: [4, 1]}]}]
        """,
        ["branch1 = self.relu1(y) + y", "return y + (self.conv5(x) + x)"],
    ),
    "merges": (
        """
        input: [6, 6, 6]
        network:
          - branch: [[], [{AdaptiveAvgPool2d: 1}, {Conv2d: [6, 1]}, Sigmoid]]
            merge: multiply
          - branch: [[], [], [ReLU]]
            merge: add
          - branch: [[{Conv2d: [6, 1]}, ReLU], [{Conv2d: [6, 1]}, ReLU], []]
            merge: add
          - branch: [[{Conv2d: [2, 1]}], [{Conv2d: [2, 1]}]]
            dim: 2
          - branch: [[ReLU]]
            merge: multiply
        """,
        ["torch.cat([self.conv4(x), self.conv5(x)], 2)", "x = x * y", "return self.relu4("],
    ),
    "splits": (
        """
        input: [6, 6, 6]
        network:
          - branch: [[], [{Conv2d: [3, 1]}, ReLU]]
            split: true
          - branch: [[ReLU], [{Conv2d: [4, 1]}, ReLU], []]
            split: [1, 3, 2]
          - {name: add, branch: [[], [], []], merge: add}
          - branch: [[{from: add}], [ReLU]]
            split: [2, 5]
        """.replace("          - {name: add, branch: [[], [], []], merge: add}\n", "          - {name: add, ReLU: }\n"),
        ["branch1, branch2 = x.chunk(2, 1)", ".split([1, 3, 2], 1)", "_, branch2 = add.split([2, 5], 1)"],
    ),
    "a_split_of_many": (
        """
        input: [16, 4, 4]
        network:
          - branch: [[], [ReLU], [], [ReLU], [], [ReLU], [], [ReLU], [], [ReLU], [], [ReLU], [], [ReLU], [], [ReLU]]
            split: true
        """,
        ["parts = x.chunk(16, 1)"],
    ),
    "a_split_of_a_sum": (
        """
        input: [4, 4, 4]
        network:
          - branch: [[], [ReLU]]
            merge: add
          - branch: [[ReLU], []]
            split: true
        """,
        ["x = x + self.relu1(x)", "branch1, branch2 = x.chunk(2, 1)"],
    ),
    "dense_of_several_steps": (
        """
        input: [3, 6, 6]
        blocks:
          Block(growth, n):
            - dense:
                - Conv2d: [$(2 * growth), 1]
                - ReLU
                - Conv2d: {out_channels: $growth, kernel_size: 3, padding: 1}
              times: $n
        network:
          - Block: [2, 2]
          - Block: [4, 2]
          - Block: [4, 3]
          - Block: [4, 0]
        """,
        ["new = self.relu1(self.conv1(x))", "x = torch.cat([x, self.conv2(new)], 1)", "class Block2(nn.Module)"],
    ),
    "dense_loops": (
        """
        input: [3, 6, 6]
        blocks:
          Layer(c): [{Conv2d: [$c, 1]}]
          Even(n): [{dense: [{Layer: 4}], times: $n}]
          Odd: [{dense: [{Layer: $c}], for: c, in: [4, 8, 2]}]
          Only: [{dense: [{Conv2d: [2, 1]}], times: 1}]
        network: [{Even: 2}, {Even: 3}, Odd, Only]
        """,
        ["for i in range(n):", "for layer in self.children():"],
    ),
    "reuse": (
        """
        input: {left: [3, 8, 8], right: [3, 8, 8]}
        blocks:
          Tower(c):
            - {name: conv, Conv2d: [$c, 3]}
            - ReLU
            - residual: [{Conv2d: {out_channels: $c, kernel_size: 3, padding: 1}}]
            - reuse: act
        network:
          - {name: tower, Tower: 4}
          - Flatten
          - {name: first, Linear: 5}
          - from: right
          - reuse: tower
          - Flatten
          - {name: second, reuse: first}
          - branch: [[{from: first}], []]
            merge: multiply
        """.replace("            - ReLU\n", "            - {name: act, ReLU: }\n"),
        ["def forward(self, left: Tensor, right: Tensor) -> Tensor:", "self.tower(right)"],
    ),
    "reuse_in_a_row": (
        """
        input: [3, 8, 8]
        network:
          - {name: conv, Conv2d: {out_channels: 3, kernel_size: 3, padding: 1}}
          - ReLU
          - reuse: conv
          - {name: tail, sequential: [{Conv2d: [3, 1]}, ReLU]}
          - repeat: [{reuse: conv}, {reuse: tail}]
            times: 2
        """,
        ["self.conv(self.tail(self.conv(x)))"],
    ),
    "inputs_and_outputs": (
        """
        input: {image: [1, 8, 8], mask: [2, 8, 8], unused: [3]}
        network:
          - {name: features, Conv2d: {out_channels: 2, kernel_size: 3, padding: 1}}
          - {name: masked, branch: [[], [{from: mask}]], merge: multiply}
          - {name: aside, Conv2d: [1, 1]}
          - from: features
          - Conv2d: [4, 1]
          - Flatten
          - {name: logits, Linear: 3}
        outputs: [logits, masked, features]
        """,
        [
            "def forward(",
            'return {"logits": logits, "masked": masked, "features": features}',
            "dict[str, Tensor]",
            "self.aside(masked)",
        ],
    ),
    "one_output_in_the_middle": (
        """
        input: [1, 8, 8]
        network:
          - {name: wanted, Conv2d: [2, 3]}
          - Conv2d: [4, 1]
        outputs: [wanted]
        """,
        ["return wanted"],
    ),
    "let": (
        """
        input: [4, 6, 6]
        blocks:
          Cell(expand):
            - let: {before: $(input.channels), hidden: $(input.channels * expand)}
            - Conv2d: [$hidden, 1]
            - let: {before: $(before + 1)}
            - Conv2d: [$before, 1]
        network: [{Cell: 2}, {Cell: 3}, {Cell: 4}]
        """,
        ["hidden = in_channels * expand", "nn.Conv2d(in_channels, hidden, 1)"],
    ),
    "when_on_layers": (
        """
        input: [4, 6, 6]
        blocks:
          Chain(norm, drop=0.0):
            - Conv2d: [4, 1]
            - {BatchNorm2d: , when: $norm}
            - {Dropout: $drop, when: $(drop > 0)}
            - ReLU
          Cell(norm, drop=0.0):
            - residual:
                - {name: conv, Conv2d: [4, 1]}
                - {name: norm, BatchNorm2d: , when: $norm}
                - {name: drop, Dropout: $drop, when: $(drop > 0)}
            - {name: act, ReLU: }
        network:
          - Chain: true
          - Chain: {norm: false, drop: 0.1}
          - Chain: [true, 0.2]
          - Cell: true
          - Cell: {norm: false, drop: 0.1}
          - Cell: [true, 0.2]
        """,
        ["if norm:", "layers.append(nn.BatchNorm2d(4))", "self.norm = nn.BatchNorm2d(4) if norm else None", "drop > 0"],
    ),
    "when_and_else": (
        """
        input: [4, 6, 6]
        blocks:
          Inner(c): [{Conv2d: [$c, 1]}, ReLU]
          Cell(c, kind):
            - {Inner: $c, when: $(kind == 1), else: [{Conv2d: [$c, 1]}, {ReLU: , when: $(kind > 2)}]}
            - residual: [{Conv2d: [$c, 1]}]
              when: $(kind != 3)
              else: [{branch: [[], [ReLU]]}]
            - sequential: [Sigmoid, {Tanh: , when: $(c > 4), else: [GELU]}]
        network: [{Cell: [4, 1]}, {Cell: [6, 2]}, {Cell: [6, 3]}, {Cell: [4, 3]}, {Cell: [8, 1]}, {Cell: [4, 2]}]
        """,
        ["class Cell2(nn.Module)", "class Cell3(nn.Module)"],
    ),
    "when_and_else_of_other_tensors": (
        """
        input: [4, 6, 6]
        blocks:
          Two:
            inputs: [x, y]
            steps: [{branch: [[Conv2d: [4, 1]], [from: y]], merge: add}]
          One: [Conv2d: [4, 3, 1, 1], ReLU]
          Cell(kind):
            - {name: side, Conv2d: [4, 1]}
            - from: input
            - {name: first, Conv2d: [4, 1]}
            - {from: side, when: $(kind == 2)}
            - {name: last, Two: , inputs: [first, side], when: $(kind == 1), else: [{name: last, One: }]}
        network: [{Cell: 1}, {Cell: 2}, {Cell: 3}]
        """,
        ["class Cell2(nn.Module)", "return self.last(self.first(x), y)"],
    ),
    "layers_as_parameters": (
        """
        input: [4, 6, 6]
        params: {final: Sigmoid}
        blocks:
          Cell(c, act=ReLU, norm=None):
            - Conv2d: [$c, 1]
            - {$norm: , when: $(norm != None)}
            - $act
            - {$act: , when: $(act != ReLU)}
            - $final
        network:
          - Cell: 4
          - Cell: [6, SiLU]
          - Cell: [6, SiLU, BatchNorm2d]
          - Cell: {c: 5, norm: InstanceNorm2d}
          - Cell: {c: 5, act: {LeakyReLU: {negative_slope: 0.2}}}
          - Cell: {c: 5, act: GELU}
        """,
        ["act: type[nn.Module] = nn.ReLU", "norm: type[nn.Module] | None = None", "if norm is not None:", "act()"],
    ),
    "blocks_of_unlike_structure": (
        """
        input: [4, 6, 6]
        blocks:
          Cell(kind, c):
            - branch: [[{from: x}], [ReLU]]
              when: $(kind == 1)
            - {name: a, Conv2d: [$c, 1]}
            - {from: a, when: $(kind == 2)}
            - {from: x, when: $(kind == 3)}
            - Conv2d: [$c, 1]
        network: [{Cell: [1, 4]}, {Cell: [2, 4]}, {Cell: [3, 4]}, {Cell: [2, 6]}, {Cell: [0, 6]}]
        """.replace("            - branch:", "            - {name: x, Conv2d: [4, 1]}\n            - branch:"),
        ["class Cell2(nn.Module)"],
    ),
    "loops_of_unlike_length": (
        """
        input: [4, 6, 6]
        blocks:
          Same(c, n):
            - repeat: [{Conv2d: {out_channels: $c, kernel_size: 3, padding: 1}}, ReLU]
              times: $n
          Widths(widths):
            - repeat: [{Conv2d: [$w, 1]}, {ReLU: , when: $(w > 2)}]
              for: w
              in: $widths
          Growing(n):
            - repeat: [{Conv2d: ["$(input.channels + 2)", 1]}]
              times: $n
            - Conv2d: [$(input.channels), 1]
          Inline(c, n):
            - residual:
                - sequential:
                    - repeat: [{Conv2d: [$c, 1]}]
                      times: $n
              shortcut: [{Conv2d: [$c, 1]}]
          Two(n, m):
            - repeat: [ReLU, {repeat: [{Conv2d: [3, 1]}, Tanh], times: $m}]
              times: $n
        network:
          - Same: [4, 1]
          - Same: [8, 3]
          - Same: [8, 0]
          - Widths: [[1, 2, 3]]
          - Widths: [[2, 4]]
          - Widths: [[]]
          - Growing: 1
          - Growing: 3
          - Inline: [8, 2]
          - Inline: [8, 3]
          - Inline: [6, 1]
          - Two: [2, 1]
          - Two: [1, 2]
          - Two: [2, 2]
        """,
        ["for _ in range(n):", "in_channels = c", "in_channels + i * 2"],
    ),
    "named_children": (
        """
        input: [4, 6, 6]
        network:
          - name: stem
            sequential:
              - {name: conv, Conv2d: [4, 1]}
              - ReLU
              - {name: pool, MaxPool2d: 2}
          - repeat:
              - name: layer$i
                sequential: [{name: conv, Conv2d: [$w, 1]}, {name: act, ReLU: }]
            for: [i, w]
            in: [[1, 4], [2, 8]]
          - sequential: [{sequential: [{name: deep, sequential: [ReLU]}]}]
        """,
        ["class Stem(nn.Sequential)", 'self.add_module("1", nn.ReLU())', "class Layer(nn.Sequential)",
        "self.layer2 = Layer("],
    ),
    "blocks_in_blocks": (
        """
        input: [4, 6, 6]
        blocks:
          Conv(c, k=1): [{Conv2d: {out_channels: $c, kernel_size: $k, padding: $(k // 2)}}, BatchNorm2d, ReLU]
          Pair(a, b): [{Conv: [$a, 3]}, {Conv: $b}]
          Tree(c): [{residual: [{Pair: [$(2 * c), $c]}], shortcut: [{Conv: $c}]}, {Pair: [$c, $c]}]
        network: [{Tree: 4}, {Tree: 6}, {Pair: [3, 2]}, {Conv: [2, 3]}]
        """,
        ["self.pair1 = Pair(4, 2 * c, c)", "k: int = 1"],
    ),
    "one_block_for_several": (
        """
        input: [4, 6, 6]
        blocks:
          A(c): [{Conv2d: [$c, 1]}]
          B(c): [{Conv2d: [$c, 1]}, ReLU]
          Stage(block, c): [{name: first, $block: $c}, {residual: [{name: second, $block: $c}]}]
        network: [{Stage: [A, 4]}, {Stage: [B, 6]}, {Stage: [A, 8]}, {Stage: [B, 4]}]
        """,
        ["block: type[nn.Module]", "Stage(4, A, 4)", "self.second = block(c, c)"],
    ),
    "nothing_in_it": (
        """
        input: [4, 6, 6]
        blocks:
          Maybe(flag): [{Conv2d: [4, 1], when: $flag}]
          Never: [{residual: [ReLU], when: false}]
        network:
          - {name: a, Maybe: false}
          - {name: b, Maybe: false}
          - Never
          - branch: [[{from: a}], [{from: b}], [{Never: }]]
        """,
        ["return x"],
    ),
    "in_place": (
        """
        input: [4, 6, 6]
        network:
          - {name: a, Conv2d: [4, 1]}
          - residual: [{ReLU: {inplace: true}}, {Conv2d: [4, 1]}]
          - branch: [[{ReLU: {inplace: true}}], [{Tanh: }], [{from: a}]]
            merge: add
          - Conv2d: [4, 1]
          - ReLU: {inplace: true}
        """,
        ["self.relu1 = nn.ReLU()", "self.relu2 = nn.ReLU()", "self.relu3 = nn.ReLU(inplace=True)"],
    ),
    "torchvisions_layers": (
        """
        input: [4, 6, 6]
        blocks:
          ConvNeXt(c, p):
            - residual:
                - Conv2d: {out_channels: $c, kernel_size: 7, padding: 3, groups: $c}
                - Permute: {dims: [0, 2, 3, 1]}
                - LayerNorm: {eps: 1.0e-6}
                - Linear: $(4 * c)
                - GELU
                - Linear: $c
                - Permute: {dims: [0, 3, 1, 2]}
                - Scale: {init: 1.0e-6}
                - {StochasticDepth: {p: $p, mode: row}, when: $(p > 0)}
        network: [{ConvNeXt: [4, 0.0]}, {ConvNeXt: [4, 0.1]}, {Conv2d: [8, 1]}, {ConvNeXt: [8, 0.2]}]
        """,
        ["from torchvision.ops import Permute, StochasticDepth", "class Scale(nn.Module):"],
    ),
    "shufflenet_unit": (
        """
        input: [8, 8, 8]
        blocks:
          Unit(c, stride=1):
            - branch:
                - []
                - &main
                  - Conv2d: {out_channels: $(c // 2), kernel_size: 1, bias: false}
                  - BatchNorm2d
                  - ReLU
                  - Conv2d: {out_channels: $(c // 2), kernel_size: 3, padding: 1, groups: $(c // 2), bias: false}
                  - BatchNorm2d
                  - Conv2d: {out_channels: $(c // 2), kernel_size: 1, bias: false}
                  - BatchNorm2d
                  - ReLU
              split: true
              when: $(stride == 1)
              else:
                - branch:
                    - - Conv2d: {out_channels: $(input.channels), kernel_size: 3, stride: $stride, padding: 1}
                      - BatchNorm2d
                      - Conv2d: {out_channels: $(c // 2), kernel_size: 1}
                      - ReLU
                    - - Conv2d: {out_channels: $(c // 2), kernel_size: 1}
                      - Conv2d: {out_channels: $(c // 2), kernel_size: 3, stride: $stride, padding: 1}
                      - ReLU
            - ChannelShuffle: 2
        network: [{Unit: 8}, {Unit: [16, 2]}, {Unit: 16}, {Unit: [32, 2]}]
        """.replace("&main\n                  -", "-"),
        ["class Unit2(nn.Module)"],
    ),
    "squeezenet_fire": (
        """
        input: [3, 16, 16]
        blocks:
          Fire(squeeze, expand):
            - {name: squeeze, Conv2d: {out_channels: $squeeze, kernel_size: 1}}
            - {name: squeeze_activation, ReLU: {inplace: true}}
            - branch:
                - - {name: expand1x1, Conv2d: {out_channels: $expand, kernel_size: 1}}
                  - {name: expand1x1_activation, ReLU: {inplace: true}}
                - - {name: expand3x3, Conv2d: {out_channels: $expand, kernel_size: 3, padding: 1}}
                  - {name: expand3x3_activation, ReLU: {inplace: true}}
        network: [{Fire: [4, 8]}, {Fire: [4, 8]}, {Fire: [6, 12]}]
        """,
        ["squeeze_activation = self.squeeze_activation(self.squeeze(x))",
        "self.expand1x1 = nn.Conv2d(squeeze, expand, 1)"],
    ),
    "mbconv_with_se": (
        """
        input: [4, 8, 8]
        blocks:
          SE(hidden):
            - branch:
                - []
                - - AdaptiveAvgPool2d: 1
                  - {name: fc1, Conv2d: {out_channels: $hidden, kernel_size: 1}}
                  - SiLU
                  - {name: fc2, Conv2d: {out_channels: $before, kernel_size: 1}}
                  - Sigmoid
              merge: multiply
          MBConv(c, expand, stride=1, drop=0.0):
            - let: {before: $(input.channels)}
            - residual:
                - {sequential: [{Conv2d: {out_channels: $(before * expand), kernel_size: 1}}, BatchNorm2d, SiLU],
                   when: $(expand != 1)}
                - Conv2d:
                    out_channels: $(before * expand)
                    kernel_size: 3
                    stride: $stride
                    padding: 1
                    groups: $(before * expand)
                - BatchNorm2d
                - SiLU
                - SE: "$(max(1, before // 4))"
                - Conv2d: {out_channels: $c, kernel_size: 1}
                - BatchNorm2d
                - {StochasticDepth: [$drop, row], when: $(drop > 0 and stride == 1 and before == c)}
              shortcut: $(stride == 1 and before == c)
        network:
          - MBConv: [4, 1]
          - MBConv: [8, 6, 2, 0.1]
          - MBConv: [8, 6, 1, 0.1]
          - MBConv: [8, 4, 1, 0.2]
        """.replace(
            "          SE(hidden):\n",
            "          SE(hidden):\n            - let: {before: $(input.channels)}\n",
        ),
        ["self.use_shortcut = stride == 1 and in_channels == c", "return x * y"],
    ),
}  # fmt: skip


def network(name: str) -> cnndsl.Network:
    return cnndsl.loads(f"name: {name}\n{dedent(SPECS[name][0])}")


@pytest.mark.parametrize("name", SPECS)
def test_it_runs_as_the_graph_says_and_reads_well(name: str) -> None:
    net = network(name)
    source = net.source()
    for line in SPECS[name][1]:
        assert line in source, source
    assert_faithful(net)


@pytest.mark.parametrize("name", SPECS)
def test_torchscript_takes_it(name: str) -> None:
    net = network(name)
    module = net.module().eval()
    with pytest.warns():
        scripted = torch.jit.script(module)
    assert_same(scripted(*samples(net)), module(*samples(net)))


def test_all_is_formatted_and_lint_clean(tmp_path: Path) -> None:
    for name in SPECS:
        (tmp_path / f"{name}.py").write_text(network(name).source())
    assert ruff_complaints(tmp_path) == ""


def test_weights_that_are_used_again_are_counted_once() -> None:
    net = network("reuse_in_a_row")
    module = net.module()
    assert net.cost.params == sum(p.numel() for p in module.parameters()) == 2 * 3 + 3 * 27 + 9
    assert [name for name, _ in module.named_children()] == ["conv", "relu1", "tail"]


@pytest.mark.parametrize(
    "steps",
    [
        'residual: [ReLU], shortcut: "$(input.height > 4)"',
        'branch: [[], [ReLU]], merge: add, when: "$(input.height > 4)", else: [ReLU]',
        'branch: [[], [ReLU], []], split: "$([1, 3, 4] if input.height > 4 else [2, 2, 4])"',
        'from: a, when: "$(input.height > 4)"',
    ],
)
def test_what_would_be_another_module_is_not_used_again(steps: str) -> None:
    """One module has one `forward`, whatever it is used on."""
    cell = f"[{{name: a, Identity: }}, Sigmoid, {{{steps}}}, Tanh]"
    network = "[{name: cell, Cell: }, {MaxPool2d: 2}, {reuse: cell}]"
    faults = cnndsl.check(cnndsl.Text(f"input: [8, 8, 8]\nblocks:\n  Cell: {cell}\nnetwork: {network}\n"))
    assert [fault.code.id for fault in faults] == ["CNN031"]
