"""`Upsample: {like: name}`, and networks at sizes that they were not compiled for."""

import re
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from emitting import assert_faithful
from test_diagram import Drawn
from torch import Tensor, nn
from torch.nn.functional import interpolate
from values import assert_values

import cnndsl
from cnndsl.graph.graph import Apply, walk

ARCHS = Path(__file__).parent.parent / "archs"
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")

U_NET = """
input: [3, 32, 32]
blocks:
  Double(channels):
    - Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1, bias: false}
    - BatchNorm2d
    - ReLU: {inplace: true}
  Up(channels):
    inputs: [x, skip]
    steps:
      - Upsample: {like: skip, mode: bilinear, align_corners: true}
      - branch: [[from: skip], []]
      - Double: $channels
network:
  - {name: c1, Double: 8}
  - MaxPool2d: 2
  - {name: c2, Double: 16}
  - MaxPool2d: 2
  - {name: c3, Double: 16}
  - {name: up1, Up: 16, inputs: [c3, c2]}
  - {name: up2, Up: 8, inputs: [up1, c1]}
  - Conv2d: [2, 1]
"""


def double(given: int, channels: int) -> nn.Sequential:
    conv = nn.Conv2d(given, channels, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(channels), nn.ReLU())


class Up(nn.Module):
    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.double1 = double(given, channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = interpolate(x, skip.shape[2:], mode="bilinear", align_corners=True)
        return self.double1(torch.cat([skip, x], 1))


class UNet(nn.Module):
    """Ronneberger et al., 2015, with bilinear interpolation."""

    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c2, self.c3 = double(3, 8), double(8, 16), double(16, 16)
        self.up1, self.up2 = Up(32, 16), Up(24, 8)
        self.conv1 = nn.Conv2d(8, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        c1 = self.c1(x)
        c2 = self.c2(nn.functional.max_pool2d(c1, 2))
        c3 = self.c3(nn.functional.max_pool2d(c2, 2))
        return self.conv1(self.up2(self.up1(c3, c2), c1))


FPN = """
input: [3, 64, 64]
blocks:
  Backbone:
    outputs: [c3, c4, c5]
    steps:
      - Conv2d: {out_channels: 8, kernel_size: 3, stride: 4, padding: 1}
      - {name: c3, Conv2d: {out_channels: 8, kernel_size: 3, stride: 2, padding: 1}}
      - {name: c4, Conv2d: {out_channels: 16, kernel_size: 3, stride: 2, padding: 1}}
      - {name: c5, Conv2d: {out_channels: 32, kernel_size: 3, stride: 2, padding: 1}}
network:
  - {name: backbone, Backbone: }
  - {name: l5, Conv2d: [8, 1]}
  - branch: [[from: backbone.c4, {name: l4, Conv2d: [8, 1]}], [from: l5, Upsample: {like: backbone.c4}]]
    merge: add
    name: t4
  - branch: [[from: backbone.c3, {name: l3, Conv2d: [8, 1]}], [from: t4, Upsample: {like: backbone.c3}]]
    merge: add
  - {name: p3, Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}
  - from: t4
  - {name: p4, Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}
  - from: l5
  - {name: p5, Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}
outputs: [p3, p4, p5]
"""


class FPNByHand(nn.Module):
    """Lin et al., 2017."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.conv1 = nn.Conv2d(3, 8, 3, 4, 1)
        self.backbone.c3, self.backbone.c4 = nn.Conv2d(8, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)
        self.backbone.c5 = nn.Conv2d(16, 32, 3, 2, 1)
        self.l5, self.l4, self.l3 = nn.Conv2d(32, 8, 1), nn.Conv2d(16, 8, 1), nn.Conv2d(8, 8, 1)
        self.p3, self.p4, self.p5 = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        c3 = self.backbone.c3(self.backbone.conv1(x))
        c4 = self.backbone.c4(c3)
        l5 = self.l5(self.backbone.c5(c4))
        t4 = self.l4(c4) + interpolate(l5, c4.shape[2:])
        t3 = self.l3(c3) + interpolate(t4, c3.shape[2:])
        return {"p3": self.p3(t3), "p4": self.p4(t4), "p5": self.p5(l5)}


SIZES = [(32, 32), (64, 64), (65, 63), (97, 41), (33, 128)]


def without_shapes(source: str) -> str:
    return re.sub(r'""".*?"""', "", source, flags=re.DOTALL)


@pytest.mark.parametrize("path", sorted(ARCHS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_source_names_no_size(path: Path) -> None:
    """That of another size is the same, except for a `Linear` that takes all values of a picture."""
    net = cnndsl.load(path)
    channels, *sizes = next(iter(net.graph.inputs.values())).shape.sample
    try:
        other = net.at_size((channels, *(2 * size for size in sizes)))
    except cnndsl.SpecError as error:
        assert "`Reshape`" in str(error)
        return
    one, two = (without_shapes(each.source()).splitlines() for each in (net, other))
    assert len(one) == len(two)
    assert all("nn.Linear(" in line for line, changed in zip(one, two) if line != changed)


@pytest.mark.parametrize("spec, by_hand", [(U_NET, UNet), (FPN, FPNByHand)], ids=["U-Net", "FPN"])
def test_a_network_at_every_size(spec: str, by_hand: type[nn.Module]) -> None:
    """One compile; the source names no size, and the module gives what one written by hand does."""
    net = cnndsl.loads(spec)
    module, theirs = net.module(), by_hand()
    theirs.load_state_dict(module.state_dict())
    for size in SIZES:
        x = torch.randn(2, 3, *size)
        for training in (True, False):
            torch.testing.assert_close(module.train(training)(x), theirs.train(training)(x))
        assert without_shapes(net.at_size((3, *size)).source()) == without_shapes(net.source())
    scripted = torch.jit.script(module)
    torch.testing.assert_close(scripted(x), theirs(x))
    assert_faithful(net)
    assert_values(net)


@pytest.mark.parametrize("axes, mode", [(1, "linear"), (2, "area"), (3, "trilinear"), (3, "nearest-exact")])
def test_any_number_of_axes(axes: int, mode: str) -> None:
    size = [9, 7, 6][:axes]
    net = cnndsl.loads(
        f"input: {[2, *size]}\nnetwork: [{{name: a, Tanh: }}, MaxPool{axes}d: 2, Upsample: {{like: a, mode: {mode}}}]\n"
    )
    module = assert_faithful(net)
    x = torch.randn(1, 2, *(2 * n + 1 for n in size))
    pooled = getattr(nn, f"MaxPool{axes}d")(2)(x.tanh())
    torch.testing.assert_close(module(x), interpolate(pooled, x.shape[2:], mode=mode))


#: Specs by name: all that reads a tensor where it may be overwritten, given or made elsewhere.
SPECS = {
    "in place": """
        input: [4, 8, 8]
        network:
          - {name: a, Conv2d: [4, 1]}
          - ReLU: {inplace: true}
          - MaxPool2d: 2
          - Upsample: {like: a}
        """,
    "input": """
        input: [4, 8, 8]
        blocks: {Down: [MaxPool2d: 2, Conv2d: [4, 1], Upsample: {like: input, mode: bicubic}]}
        network: [Down, residual: [Down], Conv2d: [4, 1]]
        """,
    "some uses": """
        input: [4, 8, 8]
        blocks:
          Block(down=true, back=true):
            - {name: a, Conv2d: [4, 1]}
            - {when: $down, MaxPool2d: 2}
            - {when: $back, Upsample: {like: a}}
            - ReLU
        network: [Block, Block: [false, true], Block: [true, false], Block: [false, false]]
        """,
    "some modes": """
        input: [4, 8, 8]
        blocks:
          Block(mode, corners=null):
            - residual: [MaxPool2d: 2, Upsample: {like: input, mode: $mode, align_corners: $corners}]
        network: [Block: nearest, Block: [bilinear, true], Upsample: {scale_factor: 2}]
        """,
    "a layer of a parameter": """
        input: [4, 8, 8]
        blocks:
          Block(resize):
            - {name: a, Conv2d: [4, 1]}
            - MaxPool2d: 2
            - $resize: {like: a}
            - Upsample: {like: $('a' if True else 'b'), mode: area}
        network: [Block: Upsample, Block: {resize: {Upsample: {mode: bicubic}}}]
        """,
    "again": """
        input: [4, 8, 8]
        blocks: {Down: [MaxPool2d: 2, Conv2d: [4, 1], Upsample: {like: input}]}
        network:
          - {name: down, Down: }
          - AvgPool2d: 2
          - reuse: down
          - dense: [Down]
            times: 2
          - {name: small, AvgPool2d: 2}
          - {name: up, Upsample: {like: down}}
          - {branch: [[], [from: small, reuse: up]], merge: add}
        """,
    "in every round": """
        input: [4, 8, 8]
        network:
          - repeat: [{name: a$i, Conv2d: [4, 1]}, MaxPool2d: 2, Upsample: {like: a$i}]
            for: i
            in: [0, 1, 2]
        """,
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_wherever_it_is(spec: str) -> None:
    net = cnndsl.loads(dedent(spec))
    torch.jit.script(assert_faithful(net))
    assert_values(net)
    assert not cnndsl.check(cnndsl.Text(dedent(spec)))


def test_a_layer_may_overwrite_a_tensor_whose_size_is_read() -> None:
    net = cnndsl.loads(dedent(SPECS["in place"]))
    assert [item.layer.works_in_place() for _, item in walk(net.graph.root.body) if isinstance(item, Apply)][1]


def test_it_is_drawn_past_what_is_between() -> None:
    net = cnndsl.loads(
        "input: [4, 8, 8]\nnetwork: [{name: a, Tanh: }, AvgPool2d: 2, {name: up, Upsample: {like: a}}]\n"
    )
    drawn = Drawn(net.diagram(style="layers").pipe("svg", encoding="utf-8"))
    assert "like a" in drawn.nodes["up"]
    (row,) = [row for row in net.shapes().rows if row.path == "up"]
    assert (row.layer, dict(row.arguments)) == ("Upsample", {"like": "a"})
    assert row.input == ((1, 4, 4, 4), (1, 4, 8, 8))
