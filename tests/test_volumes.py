"""The picture of feature maps: what is a volume, how large it is, and that it is the same in every format."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from itertools import pairwise
from math import hypot
from pathlib import Path
from xml.etree import ElementTree

import geometry
import pytest

import cnndsl
from cnndsl.cli import cli
from cnndsl.emit.diagram import Shrunk, TooLarge, TooSmall, render
from cnndsl.emit.diagram.volumes import Volumes
from cnndsl.emit.diagram.volumes.tikz import as_tex

ROOT = Path(__file__).parent.parent
ARCHS = sorted(path for path in (ROOT / "archs").rglob("*.yaml") if path.parent.name != "blocks")
X = "\N{MULTIPLICATION SIGN}"
SVG = "{http://www.w3.org/2000/svg}"
LATEX = shutil.which("pdflatex")


def draw(text: str, **options: object) -> Volumes:
    return cnndsl.loads(f"name: net\n{text}").diagram(style="volumes", **options)


def drawn(name: str, **options: object) -> Volumes:
    return cnndsl.load(ROOT / "archs" / f"{name}.yaml").diagram(style="volumes", **options)  # type: ignore[return-value]


def texts(picture: Volumes) -> list[str]:
    root = ElementTree.fromstring(picture.svg())
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def solids(picture: Volumes) -> dict[str, list[list[tuple[float, float]]]]:
    """The faces of each volume, by its title."""
    found = {}
    for group in ElementTree.fromstring(picture.svg()).iter(f"{SVG}g"):
        faces = [face.get("points", "") for face in group.findall(f"{SVG}polygon")]
        if group.get("class") is None and faces and group.find(f"{SVG}title") is not None:
            points = [[tuple(map(float, point.split(","))) for point in face.split()] for face in faces]
            found[group.findtext(f"{SVG}title", "")] = points
    return found  # type: ignore[return-value]


def sides(faces: list[list[tuple[float, float]]]) -> tuple[float, float, float]:
    """The width and height of the front, and how far the back is to the right of it."""
    front, top = faces[0], faces[1]
    return front[1][0] - front[0][0], front[3][1] - front[0][1], top[1][0] - top[0][0]


def arrows(picture: Volumes) -> dict[str, list[tuple[float, float]]]:
    """The corners of the line of each arrow."""
    found = {}
    for group in ElementTree.fromstring(picture.svg()).iter(f"{SVG}g"):
        if group.get("class") == "edge":
            path = str(group.find(f"{SVG}path").get("d"))  # type: ignore[union-attr]
            found[group.findtext(f"{SVG}title", "")] = [
                (float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+),(-?[\d.]+)", path)
            ]
    return found


CHAIN = """
input: [3, 64, 64]
network:
  - Conv2d: [16, 3, 1, 1]
  - BatchNorm2d
  - ReLU
  - Conv2d: [64, 3, 1, 1]
  - MaxPool2d: 4
  - Conv2d: [64, 3, 1, 1]
  - AdaptiveAvgPool2d: 1
  - Flatten
  - Dropout
  - Linear: 10
"""


# --- what is drawn, and how large ----------------------------------------------------------------


def test_layers_that_compute_a_new_tensor_are_volumes() -> None:
    assert list(solids(draw(CHAIN))) == [
        f"input x: input, 3{X}64{X}64",
        f"0: Conv2d, 16{X}64{X}64",
        f"3: Conv2d, 64{X}64{X}64",
        f"4: MaxPool2d, 64{X}16{X}16",
        f"5: Conv2d, 64{X}16{X}16",
        f"6: AdaptiveAvgPool2d, 64{X}1{X}1",
        "9: Linear, 10",
    ]


def test_labels_are_channels_and_the_last_of_each_size() -> None:
    assert texts(draw(CHAIN))[1:] == [
        "3", "16", "64", f"64{X}64", "64", f"16{X}16", "64", "10", "convolution", "pooling", "linear",
    ]  # fmt: skip
    assert texts(draw(CHAIN, show_shapes=False)) == ["net", "convolution", "pooling", "linear"]


def test_sides_grow_with_the_square_root_of_sizes_and_channels() -> None:
    _, first, second, pool, third, mean, linear = map(sides, solids(draw(CHAIN)).values())
    assert second[0] / first[0] == pytest.approx(2, rel=0.01)  # 64 channels and 16
    assert first[1] / third[1] == pytest.approx(2, rel=0.01)  # 64 rows and 16
    assert first[2] / third[2] == pytest.approx(2, rel=0.02)  # 64 columns and 16
    assert pool[1] == pytest.approx(third[1], abs=0.02)
    assert pool[0] < third[0] / 3
    assert mean[1] / linear[1] == pytest.approx((64 / 10) ** 0.5, rel=0.02)  # a vector is as high as it has features


def test_a_picture_that_is_not_square() -> None:
    (_, high, deep), *_ = map(sides, solids(draw("input: [8, 100, 25]\nnetwork: [Conv2d: [8, 1]]")).values())
    assert high / (deep * 2 * 2**0.5) == pytest.approx(2, rel=0.02)  # seen at 45 degrees, at half of its length


@pytest.mark.parametrize("sizes", ["[8, 64]", "[4, 8, 16, 32]", "[12]"])
def test_other_ranks(sizes: str) -> None:
    layer = {1: "Linear: 4", 2: "Conv1d: [4, 1]", 4: "Conv3d: [4, 1]"}[len(sizes.split(","))]
    picture = draw(f"input: {sizes}\nnetwork: [{layer}]")
    assert geometry.faults(geometry.read(picture.svg())) == []
    assert len(solids(picture)) == 2


def test_volumes_of_one_size_touch() -> None:
    """As do a convolution and the pooling after it, if more follows. No arrow is between them, and one label below."""
    layers = "Conv2d: [64, 3, 1, 1], Conv2d: [64, 3, 1, 1], MaxPool2d: 2, Conv2d: [32, 1]"
    picture = draw(f"input: [3, 64, 64]\nnetwork: [{layers}]")
    first, second, pool = list(solids(picture).values())[1:4]
    assert first[0][1] == second[0][0]
    assert second[0][1][0] < pool[0][0][0] < second[1][2][0]  # in front of the side of the convolution
    assert list(arrows(picture)) == ["input x->0", "0->3"]
    assert texts(picture)[1:6] == ["3", "64", f"64{X}64", "32", f"32{X}32"]


# --- branches and skips --------------------------------------------------------------------------


def test_a_skip_is_above_what_it_goes_past() -> None:
    picture = drawn("unet")
    lines = {title: line for title, line in arrows(picture).items() if line[0][1] != line[-1][1]}
    assert list(lines) == ["skip2.0->concat1", "skip1.0->concat2", "skip0.0->concat3"]
    levels = [min(y for _, y in line) for line in lines.values()]
    assert levels == sorted(levels, reverse=True)
    corners = [corner for faces in solids(picture).values() for face in faces for corner in face]
    for line, level in zip(lines.values(), levels):
        assert level < min(y for x, y in corners if line[0][0] < x < line[-1][0])


def test_a_residual_with_layers_in_its_shortcut_has_two_lanes() -> None:
    layers = "residual: [Conv2d: [8, 3, 1, 1], Conv2d: [8, 3, 1, 1]], shortcut: [Conv2d: [8, 1]]"
    picture = draw(f"input: [8, 16, 16]\nnetwork: [{{{layers}}}]")
    start, shortcut, one, two = (faces[0][0][1] for faces in solids(picture).values())
    assert start == one == two
    assert shortcut < one - 20
    assert "+" in texts(picture)


def test_a_concatenation_has_the_parts_that_it_takes() -> None:
    faces = solids(drawn("inception"))[f"0.concat1: concat, 256{X}28{X}28"]
    fronts = [face[1][0] - face[0][0] for face in faces[::3]]
    assert [round(256 * front / sum(fronts)) for front in fronts] == pytest.approx([64, 128, 32, 32], abs=2)


def test_arms_are_below_each_other_in_the_order_of_the_spec() -> None:
    found = solids(drawn("inception"))
    starts = [f"0.conv1: Conv2d, 64{X}28{X}28", f"0.conv2: Conv2d, 96{X}28{X}28", f"0.conv4: Conv2d, 16{X}28{X}28"]
    tops = [found[title][0][0][1] for title in starts]
    assert tops == sorted(tops)
    assert len(set(tops)) == 3


def test_two_inputs_have_straight_lanes() -> None:
    lines = arrows(drawn("beyond/siamese"))
    straight = [title for title, line in lines.items() if len({y for _, y in line}) == 1]
    assert len(straight) == len(lines) - 2  # all but the two that meet


# --- large networks ------------------------------------------------------------------------------


def test_equal_blocks_in_a_row_are_drawn_once() -> None:
    told = texts(drawn("torchvision/resnet50"))
    assert [text for text in told if text.startswith(X)] == [f"{X}3", f"{X}4", f"{X}6", f"{X}3"]
    assert told[-4:] == ["convolution", "pooling", "Block", "linear"]


def test_depth_opens_modules() -> None:
    assert len(solids(drawn("resnet18", depth=1))) == 8
    assert len(solids(drawn("resnet18", depth=2))) == 9
    assert len(solids(drawn("resnet18", depth=3))) == 24
    with pytest.raises(ValueError, match="depth must be 1 or more, not 0"):
        drawn("resnet18", depth=0)


def test_a_very_long_network_loses_its_middle() -> None:
    layers = "repeat: [Conv2d: [8, 1], Conv2d: [4, 1]], times: 1000"
    picture = draw(f"input: [4, 8, 8]\nnetwork: [{{{layers}}}]")
    assert 20 < len(solids(picture)) < 120
    (told,) = re.findall(r"<title>rest .*: ([\d,]+) more,", picture.svg())
    assert int(told.replace(",", "")) + len(solids(picture)) - 1 == 2000
    assert geometry.faults(geometry.read(picture.svg())) == []


@pytest.mark.parametrize("merge", ["add", "concat"])
def test_very_many_arms_lose_their_middle(merge: str) -> None:
    arms = ", ".join(["[Conv2d: [2, 1], ReLU]"] * 400)
    picture = draw(f"input: [4, 8, 8]\nnetwork: [{{branch: [{arms}], merge: {merge}}}]")
    assert picture.svg().count("<polygon") < 700
    assert len(solids(picture)) < 130
    assert "more" in picture.svg()
    assert geometry.faults(geometry.read(picture.svg())) == []


def test_no_picture_has_a_fault() -> None:
    """Of all networks of archs/: no line crosses a text, nothing is cut, nothing overlaps."""
    found = {}
    for path in ARCHS:
        page = geometry.read(cnndsl.load(path).diagram(style="volumes").svg())
        found[str(path)] = geometry.faults(page, letters=6)
    assert {path: faults for path, faults in found.items() if faults} == {}
    assert len(found) > 130


# --- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "vgg19", "beyond/siamese", "torchvision/mobilenet_v2"])
@pytest.mark.parametrize("page", ["a4", "slide", "120x150mm"])
def test_a_page_has_no_faults(name: str, page: str) -> None:
    picture = drawn(name, fit=page)
    assert geometry.faults(geometry.read(picture.svg()), letters=6) == []
    assert re.fullmatch(rf"{page}: volumes, depth \d, letters \d\.\d pt", picture.told)


def test_a_long_picture_is_broken_into_rows() -> None:
    """With a line from the end of each to the start of the next, and everything that it had before."""
    whole, picture = drawn("resnet18", depth=3), drawn("resnet18", depth=3, fit="a4")
    assert [*solids(picture)] == [*solids(whole)]
    assert sorted(texts(picture)) == sorted(texts(whole))
    assert sorted(arrows(picture)) == sorted(arrows(whole))
    lefts = [faces[0][0][0] for faces in solids(picture).values()]
    returns = [line for line in arrows(picture).values() if line[-1][0] < line[0][0]]
    assert len({line[0] for line in returns}) >= 2
    for line in returns:
        assert max(y for _, y in line[:-1]) > line[0][1]  # to a lower row
        assert min(x for x, _ in line) < min(lefts)  # from the left


def test_a_page_that_is_too_small_says_which_would_do() -> None:
    with pytest.raises(TooSmall) as raised:
        drawn("unet", fit="a4")
    assert raised.value.help == "`a4-landscape` would do"
    assert geometry.faults(geometry.read(drawn("unet", fit="a4-landscape").svg()), letters=6) == []


@pytest.mark.parametrize("theme", ["light", "dark", "print"])
def test_themes(theme: str) -> None:
    picture = drawn("torchvision/resnet50", theme=theme)
    colors = set(re.findall(r"#[0-9A-F]{6}", picture.svg()))
    grey = {color for color in colors if color[1:3] == color[3:5] == color[5:]}
    assert (colors == grey) == (theme == "print")
    assert (picture.scene.paper < "#8") == (theme == "dark")
    assert all(picture.pipe(format) for format in ("tex", "png", "pdf"))


def test_options_of_other_styles_are_refused() -> None:
    with pytest.raises(ValueError, match="names has no meaning for the style volumes"):
        drawn("lenet", names=True)


# --- the command line ----------------------------------------------------------------------------


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli(["draw", str(ROOT / "archs" / "lenet.yaml"), *arguments])
    return int(ended.value.code or 0)


def test_the_command_writes_volumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.tex"
    for _ in range(2):  # the second time over our own file
        assert run("--style", "volumes", "-o", str(path)) == 0
    assert path.read_bytes() == b"% Generated by cnndsl\n" + drawn("lenet").pipe("tex")
    assert run("--style", "volumes", "--fit", "a4", "-o", str(tmp_path / "net.svg")) == 0
    assert "a4: volumes, depth " in capsys.readouterr().err


def test_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--style", "volumes", "-o", str(tmp_path / "net.svg"), "--names") == 2
    assert "--names has no meaning for volumes: leave it out" in capsys.readouterr().err
    assert run("--style", "volumes", "-o", str(tmp_path / "net.dot")) == 2
    assert "must end in one of .svg, .png, .pdf, .tex, .mmd, .md, .html" in capsys.readouterr().err
    assert run("-o", str(tmp_path / "net.tex")) == 2
    assert ".tex is for --style volumes" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


# --- formats -------------------------------------------------------------------------------------

HOSTILE = r"</svg><script>alert(1)</script> & \input{/etc/passwd} $x^2$ 100% #1 ~_{}^\ | \" 日本 é"


def hostile() -> Volumes:
    named = HOSTILE.replace('\\"', '"')
    spec = f"name: net\ndescription: {cnndsl_text(named)}\ninput: [1, 8, 8]\nnetwork: [Conv2d: [4, 1]]"
    return cnndsl.loads(spec).diagram(style="volumes")  # type: ignore[return-value]


def cnndsl_text(text: str) -> str:
    """A text as a YAML scalar."""
    return "'" + text.replace("'", "''") + "'"


def test_texts_are_escaped_in_svg() -> None:
    root = ElementTree.fromstring(hostile().svg())
    assert not list(root.iter("{*}script"))
    assert "<script>alert(1)</script>" in " ".join(texts(hostile()))


def test_texts_are_escaped_in_tex() -> None:
    assert as_tex(r"\input{x}") == r"\textbackslash{}input\{x\}"
    assert as_tex("50% of $x_1^2$ & #3 ~ <a|b>") == (
        r"50\% of \$x\_1\textasciicircum{}2\$ \& \#3 \textasciitilde{} \textless{}a\textbar{}b\textgreater{}"
    )
    assert as_tex(f"é {X} 日") == r"é \ensuremath{\times} U+65E5"
    assert "\\input{/etc" not in hostile().pipe("tex").decode()


def test_tex_needs_tikz_alone_and_has_the_same_texts() -> None:
    picture = drawn("unet")
    document = picture.pipe("tex").decode()
    assert re.findall(r"\\(?:usepackage|usetikzlibrary|RequirePackage|input)\{(.*?)\}", document) == ["tikz"]
    written = re.findall(r"\\node\[.*?\] at \(.*?\) \{(.*)\};", document)
    assert written == [as_tex(text) for text in texts(picture)]
    assert document.count("\\filldraw") == picture.svg().count("<polygon") + picture.svg().count("<circle")


@pytest.mark.skipif(not LATEX, reason="needs pdflatex")
@pytest.mark.parametrize("picture", [lambda: drawn("unet"), lambda: drawn("torchvision/resnet50"), hostile])
def test_tex_compiles_to_one_page_of_the_size_of_the_picture(picture, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = picture()
    made.save(tmp_path / "net.tex")
    command = [str(LATEX), "-interaction=nonstopmode", "-halt-on-error", "net.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "(1 page," in done.stdout
    assert "Overfull" not in done.stdout
    width, height = media_box((tmp_path / "net.pdf").read_bytes())
    assert width == pytest.approx(made.scene.width, abs=1)
    assert height == pytest.approx(made.scene.height, abs=1)


def media_box(pdf: bytes) -> tuple[float, float]:
    """The size of the first page of a PDF, in points."""
    import zlib

    unpacked = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            unpacked.append(zlib.decompress(stream.rstrip(b"\r\n")))
        except zlib.error:
            continue
    found = re.search(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)", b"\n".join(unpacked))
    assert found
    return float(found[1]), float(found[2])


def test_pdf_and_png_have_the_size_of_the_picture(tmp_path: Path) -> None:
    picture = draw(CHAIN, dpi=100)
    width, height = picture.scene.width, picture.scene.height
    assert media_box(picture.pipe("pdf")) == (pytest.approx(width, abs=1), pytest.approx(height, abs=1))
    pixels = struct.unpack(">II", picture.save(tmp_path / "net.png").read_bytes()[16:24])
    assert pixels == (pytest.approx(width * 100 / 72, abs=1), pytest.approx(height * 100 / 72, abs=1))


def test_a_png_that_would_be_too_large_says_the_dots_that_it_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = draw(CHAIN, dpi=600)
    area = picture.scene.width * picture.scene.height / 72**2
    monkeypatch.setattr(render, "MAX_PIXELS", area * 120.5**2)
    with pytest.warns(Shrunk, match=r"the diagram is large: 120 dots per inch instead of 600"):
        data = picture.pipe("png")
    assert struct.unpack(">II", data[16:24])[0] == pytest.approx(picture.scene.width / 72 * 120, abs=1)
    monkeypatch.setattr(render, "MAX_PIXELS", area * 30**2)
    with pytest.raises(TooLarge):
        picture.pipe("png")


@pytest.mark.parametrize("format", ["svg", "tex", "pdf", "png"])
def test_the_same_bytes_each_time(format: str) -> None:
    assert draw(CHAIN).pipe(format) == draw(CHAIN).pipe(format)


def test_an_unknown_extension(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"volumes are saved as \.svg, \.png, \.pdf, \.tex, not as \.dot"):
        draw(CHAIN).save(tmp_path / "net.dot")


# --- which line is which -------------------------------------------------------------------------

#: Three inputs, the first outputs of which go far; and blocks with several inputs.
STREAMS = """
input: {a: [8, 16, 16], b: [8, 16, 16], c: [8, 16, 16]}
blocks:
  M(c):
    inputs: [p, q, r]
    outputs: [u, v]
    steps:
      - branch: [[from: r], [from: q], [from: p]]
        merge: add
      - {name: u, Conv2d: [$c, 3, 1, 1]}
      - branch: [[from: u], [from: p]]
        merge: divide
      - {name: v}
network:
  - {name: m1, M: 8, inputs: [a, b, c]}
  - {name: m2, M: 8, inputs: [m1.v, c, m1.u]}
  - {name: m3, M: 8, inputs: [m2.u, m1.u, a]}
  - branch: [[from: m3.u], [from: m2.v], [from: m1.v], [from: a], [Conv2d: [8, 1]], []]
  - {name: z, Conv2d: [8, 1]}
  - branch: [[from: b], [from: z]]
    merge: subtract
  - {name: fin}
outputs: [m1.u, z, fin]
"""


def shared(picture: Volumes) -> list[str]:
    """Pairs of lines of different tensors, to different volumes, that are one line for a part of their length."""
    found = []
    lines = [(title.split("->"), [*pairwise(points)]) for title, points in arrows(picture).items()]
    for index, ((tail, head), pieces) in enumerate(lines):
        for (other_tail, other_head), others in lines[:index]:
            if tail != other_tail and head != other_head:
                found += [f"{tail}->{head} and {other_tail}->{other_head}" for a in pieces for b in others if on(a, b)]
    return found


def on(one: tuple[tuple[float, float], ...], other: tuple[tuple[float, float], ...]) -> bool:
    """Whether two upright or level pieces of lines have more than a point in common."""
    for across in (0, 1):
        if len({round(point[across], 1) for point in (*one, *other)}) == 1:
            (a, b), (c, d) = (sorted(point[1 - across] for point in piece) for piece in (one, other))
            return min(b, d) - max(a, c) > 1
    return False


@pytest.mark.parametrize("depth", [1, 2])
def test_lines_of_different_tensors_are_apart(depth: int) -> None:
    picture = draw(STREAMS, depth=depth)
    assert shared(picture) == []
    assert geometry.faults(geometry.read(picture.svg())) == []


@pytest.mark.parametrize("name", ["beyond/unet", "timm/hrnet_w18_small", "beyond/attention_unet", "detection/yolov8n"])
def test_lines_of_different_tensors_are_apart_in_the_zoo(name: str) -> None:
    assert shared(drawn(name)) == []


def test_inputs_and_outputs_have_names_if_there_are_several() -> None:
    found = texts(draw(STREAMS))
    assert [text for text in found if text in "abc"] == ["a", "b", "c"]
    assert [text for text in found if text.startswith("output")] == ["output u", "output z", "output fin"]
    assert not {"input", "output"} & {*texts(draw(CHAIN))}


def test_a_name_that_is_long_is_cut() -> None:
    name = "n" * 64
    found = texts(draw(f"input: {{{name}: [4], b: [4]}}\nnetwork:\n  - Linear: 2\n  - {{from: {name}}}\n"))
    assert f"{'n' * 22}.." in found and name not in found


def test_the_order_of_operands_is_told() -> None:
    """At the ends of the lines: swapped inputs make another picture."""

    def orders(first: str, second: str, merge: str) -> dict[str, str]:
        picture = draw(
            "input: {a: [8, 4, 4], b: [8, 4, 4]}\nnetwork:\n"
            f"  - branch: [[from: {first}], [from: {second}]]\n    merge: {merge}\n"
        )
        page = geometry.read(picture.svg())

        def apart(line: geometry.Line, text: geometry.Text) -> float:
            return min(hypot(x - text.extent.left, y - text.extent.top) for x, y in line.pieces.reshape(-1, 2))

        numbers = [text for text in page.texts if re.fullmatch(r"[12](, 2)?", text.content)]
        return {min(page.lines, key=lambda line: apart(line, text)).ends[0]: text.content for text in numbers}

    for merge in ("subtract", "divide"):
        assert orders("a", "b", merge) == {"input a": "1", "input b": "2"}
        assert orders("b", "a", merge) == {"input b": "1", "input a": "2"}
    assert orders("a", "b", "add") == {}
    assert orders("a", "a", "subtract") == {"input a": "1, 2"}


def test_weights_that_are_used_again_are_marked() -> None:
    picture = draw("input: [8]\nnetwork:\n  - {name: a, Linear: 8}\n  - ReLU\n  - reuse: a\n  - Linear: 3\n")
    assert texts(picture).count("reused") == 1
    assert "reused" not in texts(draw(CHAIN))
    closed = drawn("beyond/siamese", depth=1)
    assert "reused" in texts(closed)
