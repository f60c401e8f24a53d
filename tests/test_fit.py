"""Figures on a page: its physical size, legible letters, columns with a line between them, and what is said."""

from __future__ import annotations

import re
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import geometry
import pytest
from geometry import Line, Page

import cnndsl
from cnndsl.cli import cli
from cnndsl.emit.diagram import Shrunk, TooSmall, UnknownPath, render
from cnndsl.emit.diagram.columns import balanced, columns, cuts
from cnndsl.emit.diagram.layers import figure
from cnndsl.emit.diagram.page import Page as Sheet
from cnndsl.emit.diagram.picture import Box, Picture, Point, Wire
from cnndsl.emit.diagram.streams import streams

ROOT = Path(__file__).parent.parent
ARCHS = sorted(path for path in (ROOT / "archs").rglob("*.yaml") if path.parent.name != "blocks")
#: One network of each shape: chains, branches, skips, many blocks, several inputs and outputs, very wide.
SAMPLE = (
    "alexnet", "densenet", "googlenet", "inception", "lenet", "resnet18", "vgg19", "beyond/attention_unet",
    "beyond/siamese", "beyond/unet", "detection/yolov8n", "timm/hrnet_w18_small", "torchvision/densenet121",
    "torchvision/efficientnet_b7", "torchvision/googlenet_aux",
)  # fmt: skip
MM = 72 / 25.4


def fitted(name: str, page: str, **options: Any) -> tuple[Page, str]:
    """The page of a network, and what was chosen."""
    drawing = cnndsl.load(ROOT / "archs" / f"{name}.yaml").diagram(fit=page, **options)
    return geometry.read(drawing.svg()), drawing.told


# --- the geometry --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SAMPLE)
def test_a_page_has_no_faults(name: str) -> None:
    page, _ = fitted(name, "a4")
    assert (page.width, page.height) == (pytest.approx(210 * MM, abs=0.5), pytest.approx(297 * MM, abs=0.5))
    assert geometry.faults(page, letters=6, margin=margin("a4")) == []


def margin(page: str) -> float:
    """What is empty around a figure, but for the thickness of its outlines and what Graphviz rounds."""
    return Sheet.of(page).margin - 0.5


PAGES = ("a4", "letter", "slide", "170x120mm")


def outside(net: cnndsl.Network, name: str) -> list[str]:
    """What leaves a page; nothing if the network does not fit it, and says so."""
    try:
        return geometry.outside(geometry.read(net.diagram(fit=name).svg()), margin(name))
    except TooSmall:
        return []


@pytest.mark.slow
@pytest.mark.parametrize("path", ARCHS, ids=lambda path: path.stem)
def test_every_network_has_a_page_without_faults(path: Path) -> None:
    net = cnndsl.load(path)
    page = geometry.read(net.diagram(fit="a4").svg())
    assert geometry.faults(page, letters=6) == []
    assert {name: found for name in PAGES if (found := outside(net, name))} == {}


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("torchvision/convnext_tiny", "a4"), ("torchvision/convnext_tiny", "slide"),
        ("torchvision/convnext_tiny", "170x120mm"), ("googlenet", "letter-landscape"), ("alexnet", "letter"),
        ("torchvision/regnet_y_400mf", "170x120mm"), ("torchvision/squeezenet1_0", "170x120mm"),
        ("timm/dpn68", "a4"),
    ],
)  # fmt: skip
def test_everything_is_inside_of_the_page(name: str, page: str) -> None:
    """Also where Graphviz measures a text that is wider than our figure."""
    read, _ = fitted(name, page)
    assert geometry.outside(read, margin(page)) == []


@pytest.mark.parametrize("name", ["resnet18", "torchvision/efficientnet_b7", "beyond/unet"])
@pytest.mark.parametrize("page", ["slide", "letter", "a4-landscape", "180x230mm"])
def test_other_pages_have_no_faults(name: str, page: str) -> None:
    read, told = fitted(name, page)
    width, height = Sheet.of(page).width, Sheet.of(page).height
    assert (read.width, read.height) == (pytest.approx(width, abs=0.5), pytest.approx(height, abs=0.5))
    assert geometry.faults(read, letters=6, margin=margin(page)) == []
    assert told.startswith(f"{page}: compact, ")


def test_a_page_holds_the_whole_network() -> None:
    """No box, no text and no line is lost."""
    net = cnndsl.load(ROOT / "archs" / "torchvision" / "resnet18.yaml")
    whole, page = geometry.read(net.diagram().svg()), geometry.read(net.diagram(fit="slide").svg())
    assert sorted(box.title for box in page.boxes) == sorted(box.title for box in whole.boxes)
    lines = [[line.title for line in each.lines if "bracket" not in line.title] for each in (page, whole)]
    assert sorted(lines[0]) == sorted(lines[1])
    assert sorted(text.content for text in page.texts) == sorted(text.content for text in whole.texts)


def test_the_same_bytes_each_time() -> None:
    net = cnndsl.load(ROOT / "archs" / "googlenet.yaml")
    assert net.diagram(fit="a4").svg() == net.diagram(fit="a4").svg()


# --- columns -------------------------------------------------------------------------------------

CHAIN = "input: [3, 8, 8]\nnetwork:\n" + "".join(f"  - {{name: c{n}, Conv2d: [{n + 4}, 1]}}\n" for n in range(40))


def line(page: Page, title: str) -> Line:
    (found,) = (line for line in page.lines if line.title == title)
    return found


def test_a_line_leads_from_the_end_of_a_column_to_the_head_of_the_next() -> None:
    drawing = cnndsl.loads(f"name: net\n{CHAIN}").diagram(fit="150x200mm")
    page = geometry.read(drawing.svg())
    boxes = {box.title: box.extent for box in page.boxes}
    chain = [*boxes]
    turns = [(one, two) for one, two in pairwise(chain) if boxes[two].top < boxes[one].top]
    count = int(re.search(r"(\d+) columns", drawing.told)[1])  # type: ignore[index]
    assert len(turns) == count - 1 >= 1
    for one, two in turns:
        pieces = line(page, f"{one}->{two}").pieces
        (x0, y0), (x1, y1) = pieces[0][:2], (pieces[:, 0].max(), pieces[:, 1].max())
        assert boxes[one].left < x0 < boxes[one].right and y0 == pytest.approx(boxes[one].bottom, abs=1)
        assert y1 > boxes[one].bottom + 3  # below the column, and up before the next
        assert x1 <= boxes[two].right
        top = pieces[:, 1].min()
        assert top < boxes[two].top - 3
        assert pieces[-1][1] < boxes[two].top + 1
    heights = [boxes[one].bottom for one, _ in turns] + [boxes[chain[-1]].bottom]
    assert max(heights) - min(heights) < 60  # columns of one height


def picture(skip: bool) -> Picture:
    """Ten boxes below each other, and perhaps a line past all of them."""
    boxes = tuple(Box(f"{n}", "layer", 50, 40 * n, 60, 20) for n in range(10))
    wires = tuple(Wire(f"{n}", f"{n + 1}", ((50, 40 * n + 10), (50, 40 * n + 30))) for n in range(9))
    past = Wire("0", "9", ((80, 0), (95, 0), (95, 360), (80, 360)), skip=True)
    return Picture(boxes, (*wires, past) if skip else wires)


def test_a_picture_is_cut_where_few_lines_go_on() -> None:
    assert len(cuts(picture(skip=False), 1)) == 9
    assert len(cuts(picture(skip=True), 1)) == 0
    assert len(cuts(picture(skip=True), 2)) == 9
    assert {cut.tracks for cut in cuts(picture(skip=True), 2)} == {2}


@pytest.mark.parametrize(("count", "heights"), [(1, [380]), (2, [190, 190]), (3, [150, 150, 110]), (5, [70] * 5)])
def test_columns_have_equal_heights(count: int, heights: list[int]) -> None:
    whole = picture(skip=False)
    chosen = balanced(whole, cuts(whole, 1), count)
    edges = [-10, *(cut.y for cut in chosen), 370]
    assert [round(below - above) for above, below in pairwise(edges)] == pytest.approx(heights, abs=35)
    assert max(below - above for above, below in pairwise(edges)) <= max(heights) + 11


def test_lines_from_column_to_column_do_not_cross() -> None:
    whole = picture(skip=True)
    (cut,) = balanced(whole, cuts(whole, 2), 2)
    trunk, past = [wire for wire in columns(whole, [cut]).wires if len(wire.points) > 5]
    crossed = [
        (one, two)
        for one in pairwise(trunk.points)
        for two in pairwise(past.points)
        if crosses(*one, *two) or crosses(*two, *one)
    ]
    assert crossed == []


def crosses(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the level piece from ``a`` to ``b`` crosses the upright one from ``c`` to ``d``."""
    level, upright = a[1] == b[1], c[0] == d[0]
    return level and upright and min(a[0], b[0]) < c[0] < max(a[0], b[0]) and min(c[1], d[1]) < a[1] < max(c[1], d[1])


# --- what is chosen, and what is said ------------------------------------------------------------


def test_a_small_network_is_not_blown_up() -> None:
    page, told = fitted("lenet", "a4")
    assert told == f"a4: compact, 1 column, letters {page.smallest:.1f} pt"
    assert 8 <= page.smallest <= 10


def test_depth_is_chosen_unless_it_is_given() -> None:
    _, told = fitted("torchvision/efficientnet_b7", "a4")
    assert re.fullmatch(r"a4: compact, depth \d, \d columns?, letters \d\.\d pt", told)
    _, told = fitted("torchvision/efficientnet_b7", "a4", depth=1)
    assert "depth 1" in told
    with pytest.raises(TooSmall):
        fitted("torchvision/efficientnet_b7", "60x60mm", depth=3)


def test_the_letters_that_are_told_are_those_of_the_page() -> None:
    for name in ("resnet18", "unet", "torchvision/resnet50"):
        page, told = fitted(name, "a4")
        assert f"letters {page.smallest:.1f} pt" in told


def test_a_network_that_does_not_fit_says_what_would_do() -> None:
    with pytest.raises(TooSmall, match="the network does not fit 30x30mm with letters of 6 points") as raised:
        fitted("vgg16", "30x30mm")
    (size,) = re.findall(r"`(\w+)` would do", raised.value.help)
    page, _ = fitted("vgg16", size)
    assert geometry.faults(page, letters=6) == []


@pytest.mark.parametrize(
    ("text", "width", "height"),
    [
        ("a4", 210, 297), ("a4-landscape", 297, 210), ("a4-portrait", 210, 297), ("letter", 215.9, 279.4),
        ("slide", 338.67, 190.5), ("slide-portrait", 190.5, 338.67), ("84x60mm", 84, 60),
        ("84X60MM", 84, 60), ("A4", 210, 297), ("Slide-Portrait", 190.5, 338.67),
        ("8.4x6cm", 84, 60), ("4x3in", 101.6, 76.2),
    ],
)  # fmt: skip
def test_pages(text: str, width: float, height: float) -> None:
    page = Sheet.of(text)
    assert (page.width / MM, page.height / MM) == (pytest.approx(width, abs=0.01), pytest.approx(height, abs=0.01))


@pytest.mark.parametrize(
    "text", ["a5", "a4-upright", "84x60", "84mm", "0x60mm", "1x60mm", "99999x60in", "-84x60mm", "", "x"]
)
def test_what_is_not_a_page(text: str) -> None:
    with pytest.raises(ValueError, match=r"a4, letter, slide|between 0\.5in and 200in"):
        Sheet.of(text)


def size(text: str) -> tuple[int, int]:
    """The millimetres of the page that would do."""
    (found,) = re.findall(r"`(\d+x\d+)mm` would do", text)
    width, height = map(int, found.split("x"))
    return width, height


def test_the_page_that_would_do_has_the_shape_of_the_figure() -> None:
    """A wide network on a page that is high, and a high one on a page that is wide."""
    arms = ", ".join(f"[Conv2d: [{n + 4}, 1]]" for n in range(6))
    wide = f"input: [3, 8, 8]\nnetwork:\n  - branch: [{arms}]\n"
    skips = "  - residual:\n" + "".join(f"    - Conv2d: [3, {n % 3 * 2 + 1}, 1, {n % 3}]\n" for n in range(5))
    high = f"input: [3, 8, 8]\nnetwork:\n{skips}"
    for text, page, is_wide in ((wide, "40x150mm", True), (high, "90x26mm", False)):
        with pytest.raises(TooSmall) as raised:
            cnndsl.loads(text).diagram(fit=page)
        width, height = size(str(raised.value))
        assert (width > height) is is_wide
        cnndsl.loads(text).diagram(fit=f"{width}x{height}mm")
    with pytest.raises(TooSmall) as raised:
        cnndsl.load("zoo:unet").diagram(style="volumes", fit="a4-landscape")
    width, height = size(str(raised.value))
    assert width > 4 * height  # a U-Net cannot be broken into rows


# --- what is left out ----------------------------------------------------------------------------

#: Two streams, each longer than what there is room for, listed by turns.
TWO = "input: {x: [8, 8, 8], v: [12]}\nnetwork:\n" + "".join(
    f"  - {{from: {'x' if n == 0 else f'x{n - 1}'}}}\n  - {{name: x{n}, Conv2d: [{n + 8}, 1]}}\n"
    f"  - {{from: {'v' if n == 0 else f'v{n - 1}'}}}\n  - {{name: v{n}, Linear: {n + 9}}}\n"
    for n in range(80)
)


def reached(edges: set[tuple[str, str]], start: str) -> set[str]:
    found, waiting = set[str](), [start]
    while waiting:
        here = waiting.pop()
        found.add(here)
        waiting += [head for tail, head in edges if tail == here and head not in found]
    return found


@pytest.mark.parametrize(
    "options", [{"fit": "120x120mm"}, {"style": "layers"}, {"style": "volumes"}], ids=["compact", "layers", "volumes"]
)
def test_what_is_left_out_joins_no_streams(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What depends on one input does not depend on the other, also where the middle of both is left out."""
    monkeypatch.setattr(figure, "MAX_NODES", 60)
    svg = cnndsl.loads(TWO + "outputs: [x79, v79]\n").diagram(**options).svg()
    assert len(re.findall(r"\d+ more", svg)) >= 2
    page = geometry.read(svg)
    for own, other in ("xv", "vx"):
        (start,) = (box.title for box in page.boxes if box.title in (own, f"input {own}"))
        found = reached({(line.ends[0], line.ends[-1]) for line in page.lines}, start)
        assert {f"{own}0", f"{own}79"} <= found
        assert not {name for name in found if name.startswith(other)}


def test_streams() -> None:
    """Parts that depend on each other are one stream, and so are those that take the same."""
    chain = [("a", "b"), ("x", "y"), ("b", "c"), ("y", "z"), ("a", "d")]
    assert streams([({takes}, {makes}) for takes, makes in chain]) == [[0, 2, 4], [1, 3]]
    assert streams([({"a"}, {"b"}), ({"x"}, {"y"}), ({"b", "y"}, {"z"})]) == [[0, 1, 2]]
    assert streams([({f"{n}"}, {f"{n + 1}"}) for n in range(20_000)]) == [[*range(20_000)]]
    assert streams([]) == []


#: A chain, and a tensor that is taken from its middle.
FORKED = "input: [3, 8, 8]\nnetwork:\n" + "".join(f"  - {{name: c{n}, Conv2d: [{n + 70}, 1]}}\n" for n in range(60))
FORKED += "  - {name: h1, MaxPool2d: 2}\n  - {from: c30}\n  - {name: h2, MaxPool2d: 3}\noutputs: [h1, h2]\n"


@pytest.mark.parametrize(
    ("text", "page", "shapes"),
    [
        (FORKED, "120x80mm", {"129x8x8", "100x8x8"}),
        (FORKED, "120x80mm", set[str]()),
        ((ROOT / "archs/weights/mtcnn_pnet.yaml").read_text(), "132x76mm", {"2x1x1", "32x1x1"}),
    ],
    ids=["chain", "without shapes", "mtcnn_pnet"],
)
def test_different_tensors_leave_what_is_left_out_apart(text: str, page: str, shapes: set[str]) -> None:
    drawn = geometry.read(cnndsl.loads(text).diagram(fit=page, show_shapes=bool(shapes)).svg())
    (left_out,) = (each.owner for each in drawn.texts if each.content.endswith("more"))
    assert len({tuple(line.pieces[0][:2]) for line in drawn.lines if line.ends[0] == left_out}) == 2
    assert shapes <= {each.content.replace("\N{MULTIPLICATION SIGN}", "x") for each in drawn.texts}
    assert geometry.faults(drawn, letters=6, margin=margin(page)) == []


def test_branches_that_are_left_out_are_counted_as_branches() -> None:
    arms = ", ".join(f"[Conv2d: [{n + 4}, 1], ReLU]" for n in range(30))
    drawing = cnndsl.loads(f"input: [3, 8, 8]\nnetwork:\n  - branch: [{arms}]\n").diagram(fit="a4-landscape")
    page = geometry.read(drawing.svg())
    (left_out,) = (text.content for text in page.texts if "more" in text.content)
    shown = sum(text.content.startswith("Conv2d") for text in page.texts)
    assert left_out == f"{30 - shown} more branches"


# --- the command line and the other formats ------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli(["draw", *arguments])
    return int(ended.value.code or 0)


def test_the_command_says_what_it_chose(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("zoo:resnet18", "-o", str(tmp_path / "net.svg"), "--fit", "a4") == 0
    out, err = capsys.readouterr()
    assert out == f"{tmp_path / 'net.svg'}\n"
    assert re.fullmatch(r"a4: compact, (depth \d, )?\d columns?, letters \d+\.\d pt\n", err)


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "net.svg")
    assert run("zoo:resnet18", "-o", path, "--fit", "a5") == 2
    assert "a5 is not a page: a4, letter, slide" in capsys.readouterr().err
    assert run("zoo:resnet18", "-o", path, "--fit", "a4", "--style", "layers") == 2
    assert "--fit has no meaning for the style layers" in capsys.readouterr().err
    assert run("zoo:resnet18", "-o", path, "--fit", "a4", "--rankdir", "LR") == 2
    assert "--fit needs the direction TB, not LR" in capsys.readouterr().err
    assert not Path(path).exists()
    for arguments in (["--dpi", "300"], ["--dpi", "300", "--style", "volumes"]):
        assert run("zoo:resnet18", "-o", path, *arguments) == 2
        assert "--dpi has no meaning for .svg: only a PNG has dots" in capsys.readouterr().err
    (tmp_path / "folder.svg").mkdir()
    for force in ([], ["--force"]):
        assert run("zoo:resnet18", "-o", str(tmp_path / "folder.svg"), *force) == 2
        assert "folder.svg cannot be written: it is a folder" in capsys.readouterr().err
    assert run("zoo:resnet18", "-o", path, "--fit", "20x20mm") == 2
    assert re.search(r"does not fit 20x20mm.*\n.*help: `\d+x\d+mm` would do", capsys.readouterr().err)
    assert not Path(path).exists()


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"expand": "layer2.0"}, TypeError, r"expand must be a list of paths, not str: write \['layer2.0'\]"),
        ({"expand": 5}, TypeError, "expand must be a list of paths, not int"),
        ({"expand": [5]}, TypeError, "a path must be a str, not int"),
        ({"expand": ["layer2.9"]}, UnknownPath, "no module `layer2.9` to expand: did you mean `layer2.0`"),
        ({"depth": "2"}, TypeError, "depth must be an int, not str"),
        ({"depth": True}, TypeError, "depth must be an int, not bool"),
        ({"fold": "no"}, TypeError, "fold must be True or False, not str"),
        ({"fit": 4}, TypeError, "fit must be a page such as 'a4', not int"),
        ({"fit": "20x20mm"}, TooSmall, r"letters of 6 points: `\d+x\d+mm` would do"),
        ({"dpi": 9}, ValueError, "dpi must be between 10 and 600, not 9"),
        ({"dpi": 601}, ValueError, "dpi must be between 10 and 600, not 601"),
        ({"dpi": "9"}, TypeError, "dpi must be a number, not str"),
        ({"marks": ["conv1"]}, TypeError, "marks must be a dict of paths, not list"),
        (
            {"marks": {"conv1": "xx"}},
            ValueError,
            "mark of conv1 must be added, removed, changed or moved, not 'xx'",
        ),
        ({"marks": {"conv9": "changed"}}, UnknownPath, "no operation `conv9` to mark: did you mean `conv1`"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        cnndsl.load("zoo:torchvision/resnet18").diagram(**options)


def test_wrong_arguments_of_a_flowchart() -> None:
    net = cnndsl.load("zoo:torchvision/resnet18")
    with pytest.raises(TypeError, match="expand must be a list of paths, not str"):
        net.mermaid(expand="layer2.0")
    with pytest.raises(ValueError, match="fit has no meaning for a flowchart"):
        net.mermaid(fit="a4")


def test_a_drawing_says_what_it_is() -> None:
    net = cnndsl.load("zoo:lenet")
    drawn = net.diagram(fit="a4")
    assert repr(net.diagram()) == "<Diagram of lenet>"
    assert repr(drawn) == f"<Diagram of lenet, {drawn.told}>"
    assert repr(net.diagram(style="volumes")) == "<Volumes of lenet>"


def test_pdf_and_png_have_the_size_of_the_page(tmp_path: Path) -> None:
    net = cnndsl.load(ROOT / "archs" / "lenet.yaml")
    pdf = net.diagram(fit="slide").save(tmp_path / "net.pdf").read_bytes()
    box = re.search(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", pdf)
    assert box and [float(side) for side in box.groups()] == pytest.approx([960, 540], abs=1)
    # The size of the page counts, not that of what is on it.
    png = net.diagram(fit="slide", dpi=100).save(tmp_path / "net.png").read_bytes()
    assert struct.unpack(">II", png[16:24]) == (pytest.approx(1333, abs=2), pytest.approx(750, abs=2))


def test_a_png_that_would_be_too_large_says_the_dots_that_it_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if few lines of DOT make a large picture."""
    net = cnndsl.load(ROOT / "archs" / "lenet.yaml")
    for options, area in (({}, None), ({"fit": "slide"}, 13.3333 * 7.5)):
        drawing = net.diagram(dpi=300, **options)
        page = geometry.read(drawing.svg())
        monkeypatch.setattr(render, "MAX_PIXELS", (area or page.width * page.height / 72**2) * 90.5**2)
        with pytest.warns(Shrunk, match=r"the diagram is large: 9\d dots per inch instead of 300"):
            drawing.pipe("png")
