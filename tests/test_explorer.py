"""The explorer: its data against the table's, and the page in a browser without a network."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from browsing import needs_chromium

import cnndsl
from cnndsl.cli import cli
from cnndsl.compare.compare import compare
from cnndsl.emit.table import Row, Table
from cnndsl.explorer.comparison import compared
from cnndsl.explorer.data import MOST, as_data
from cnndsl.graph.graph import Module
from cnndsl.layers import Shape
from cnndsl.measure.memory import output_bytes
from cnndsl.measure.receptive import receptive_fields

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "explorer"
BUILT = ROOT / "cnndsl" / "explorer" / "built"
X = "\N{MULTIPLICATION SIGN}"
NETWORKS = ("zoo:resnet18", "unet", "zoo:efficientnet_b0", "zoo:hrnet_w18_small", "zoo:siamese", "zoo:attention_unet")


def loaded(name: str) -> cnndsl.Network:
    return cnndsl.load(name if name.startswith("zoo:") else ROOT / "archs" / f"{name}.yaml")


# --- the data ------------------------------------------------------------------------------------


def places(data: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Path and node of every operation, as the page works them out."""

    def inside(number: int, around: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for name, child in data["nodes"][number].get("children", ()):
            node = data["nodes"][child]
            path = f"{around}{name}"
            if not node.get("group"):
                yield path, node
            yield from inside(child, around if node.get("group") else f"{path}.")

    return inside(data["root"], "")


def sizes(row: Row) -> list[tuple[int, ...]]:
    shapes = row.output
    several = shapes.values() if isinstance(shapes, dict) else (shapes,) if isinstance(shapes, Shape) else shapes
    return [shape.sample for shape in several]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_data_has_every_row_of_the_table(name: str) -> None:
    net = loaded(name)
    found = list(places(as_data(net.graph)))
    rows = Table.of(net.graph).rows
    assert [(re.sub(r" \d+(?=\.|$)", "", path), node["title"]) for path, node in found] == [
        (row.path, row.layer) for row in rows
    ]
    for (path, node), row in zip(found, rows):
        assert (node["params"], node["macs"]) == (row.params, row.macs), path
        assert [tuple(shape) for _, shape in node["outputs"]] == sizes(row), path


def check_edges(data: dict[str, Any]) -> None:
    """Every input has one edge, from a tensor of its shape."""
    for node in data["nodes"]:
        if "edges" not in node:
            continue
        inside = [data["nodes"][child] for _, child in node["children"]]
        taken = []
        for tail, output, head, port, size in node["edges"]:
            left = node["inputs"][output] if tail < 0 else inside[tail]["outputs"][output]
            right = node["outputs"][port] if head < 0 else inside[head]["inputs"][port]
            assert left[1] == right[1]
            assert not size or port > 0
            taken.append((head, port))
        ports = [(number, port) for number, child in enumerate(inside) for port in range(len(child["inputs"]))]
        assert sorted(taken) == sorted([*ports, *((-1, port) for port in range(len(node["outputs"])))])


@pytest.mark.parametrize("name", NETWORKS)
def test_every_input_has_one_edge_of_its_shape(name: str) -> None:
    check_edges(as_data(loaded(name).graph))


TWICE = """
input: [8, 4, 4]
blocks:
  Two:
    inputs: [x, skip]
    steps:
      - {repeat: [ReLU], times: 200}
      - {branch: [[], [from: skip]], merge: add}
      - {repeat: [ReLU], times: 200}
      - {branch: [[], [from: skip], [from: x]], merge: add}
network:
  - {name: a, ReLU: }
  - {name: two, Two: , inputs: [a, a]}
"""


def test_a_tensor_that_is_given_twice_comes_in_by_two_ways() -> None:
    """Also into the groups of a long module."""
    data = as_data(cnndsl.loads(TWICE).graph)
    check_edges(data)
    (two,) = [node for node in data["nodes"] if node["title"] == "Two"]
    first, *_, last = ({edge[1] for edge in two["edges"] if edge[0] == -1 and edge[2] == head} for head in range(5))
    assert first == {0} and last == {0, 1}


@pytest.mark.parametrize("name", NETWORKS)
def test_activations_and_fields_are_those_that_are_measured(name: str) -> None:
    net = loaded(name)
    data, memory, seen = as_data(net.graph), output_bytes(net.graph), receptive_fields(net.graph)
    operations = net.graph.root.everything
    root = data["nodes"][data["root"]]
    assert root["memory"] == sum(memory[each] for each in operations if not isinstance(each, Module))
    for operation, (_, node), number in zip(operations, places(data), data["field"], strict=True):
        assert node["memory"] == memory[operation]
        said, _ = data["fields"][number]
        fields = {name: axes for name, axes in seen[operation.outputs[-1]].inputs.items() if axes}
        told = [
            "the whole input" if any(axis.whole for axis in axes) else X.join(str(axis.size) for axis in axes)
            for axes in fields.values()
        ]
        named = [f"{name} {each}" for name, each in zip(fields, told)] if len(fields) > 1 else told
        assert said == ", ".join(named)


@cache
def chain(times: int) -> cnndsl.Network:
    block = "{sequential: [{Conv2d: [8, 3, 1, 1]}, BatchNorm2d, ReLU]}"
    limits = cnndsl.Limits(times=20_000, steps=80_000)
    return cnndsl.loads(f"input: [8, 8, 8]\nnetwork: [{{repeat: [{block}], times: {times}}}]", limits=limits)


def test_equal_parts_are_one() -> None:
    few, many = as_data(chain(10).graph), as_data(chain(100).graph)
    assert len(few["nodes"]) == len(many["nodes"]) == 5


def test_many_children_are_grouped() -> None:
    net = chain(5_000)
    data = as_data(net.graph)
    assert max(len(node.get("children", ())) for node in data["nodes"]) <= MOST
    assert sum(1 for _ in places(data)) == 20_000 == len(Table.of(net.graph).rows)
    assert next(name for name, _ in data["nodes"][data["root"]]["children"]) == "0 … 99"
    assert len(json.dumps(data)) < 500_000


def test_many_long_edges_make_groups() -> None:
    """Each of 40 steps takes all steps before: laid out as it is, that would take minutes."""
    steps = ["{name: s0, ReLU: }"]
    for step in range(1, 40):
        arms = ", ".join(f"[from: s{other}]" for other in range(step))
        steps.append(f"{{name: s{step}, branch: [{arms}], merge: add}}")
    data = as_data(cnndsl.loads(f"input: [8, 4, 4]\nnetwork: [{', '.join(steps)}]").graph)
    check_edges(data)
    assert len(data["nodes"][data["root"]]["children"]) == 10
    assert [path for path, _ in places(data)] == [f"s{step}" for step in range(40)]


def test_tensors_pass_through_groups() -> None:
    """A skip past hundreds of layers leaves the group in which it begins, and enters that in which it ends."""
    layers = "[{repeat: [ReLU], times: 400}]"
    data = as_data(cnndsl.loads(f"input: [8, 8, 8]\nnetwork: [ReLU, {{residual: {layers}}}]").graph)
    root = data["nodes"][data["root"]]
    inside = [data["nodes"][child] for _, child in root["children"]]
    assert all(node.get("group") for node in inside)
    assert [len(node["outputs"]) for node in inside] == [2, 1, 1, 1, 1]
    first, last = (
        [port for tail, port, head, *_ in root["edges"] if (tail, head) == ends] for ends in ((0, 1), (0, 4))
    )
    assert len(first) == len(last) == 1 and first != last


@pytest.mark.parametrize("name", ["efficientnet_b7", "densenet201", "inception_resnet_v2", "hrnet_w18_small", "dpn68"])
def test_pages_are_small(name: str) -> None:
    assert len(cnndsl.explore(cnndsl.load(f"zoo:{name}")).html.encode()) < 1_500_000


def test_names_of_sources_tell_nothing_of_the_machine(tmp_path: Path) -> None:
    html = cnndsl.explore(cnndsl.load("zoo:efficientnet_b7")).html
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', html)[1])  # type: ignore[index]
    assert [source["name"] for source in data["networks"][0]["sources"]] == [
        "efficientnet_b7.yaml",
        "blocks/common.yaml",
        "efficientnet_b0.yaml",
    ]
    assert str(ROOT) not in html


# --- the built page ------------------------------------------------------------------------------


def test_the_page_is_built_from_its_sources() -> None:
    """Without npm, the digest of the sources, which the build writes into the script, tells whether it is stale."""
    digest = hashlib.sha256()
    names = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"]
    names += [f"src/{path.name}" for path in sorted((SOURCES / "src").iterdir())]
    for name in names:
        digest.update(f"{name}\0".encode() + (SOURCES / name).read_bytes())
    sources, layout, _ = (BUILT / "explorer.js").read_text().split("\n", 2)
    assert sources == f"// sources {digest.hexdigest()}", "stale: run `npm ci && npm run build` in explorer/"
    assert layout == f"// layout {hashlib.sha256((BUILT / 'elk-worker.js').read_bytes()).hexdigest()}"
    style = "\n".join((SOURCES / "src" / name).read_text() for name in ("colours.css", "explorer.css"))
    assert (BUILT / "explorer.css").read_text() == style
    assert (BUILT / "explorer.html").read_bytes() == (SOURCES / "src" / "explorer.html").read_bytes()


def test_the_layout_is_the_locked_one() -> None:
    """The digest of what npm's lock file names, written down when it was built."""
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    version = lock["packages"]["node_modules/elkjs"]["version"]
    assert f"elkjs {version} " in (BUILT / "NOTICE").read_text()
    assert "Eclipse Public License" in (BUILT / "LICENSE-elkjs.md").read_text()


@pytest.mark.skipif(not (SOURCES / "node_modules").is_dir(), reason="npm ci was not run in explorer/")
def test_a_new_build_has_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=SOURCES, check=True, timeout=60)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in BUILT.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (BUILT / path.name).read_bytes(), path.name


# --- the command ---------------------------------------------------------------------------------


def test_draw_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "net.html"
    for _ in range(2):  # our own file is written over
        cli(["draw", "zoo:resnet18", "-o", str(out)], standalone_mode=False)
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert capsys.readouterr().out.splitlines() == [str(out)] * 2


def test_a_page_refuses_options_of_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli(["draw", "zoo:resnet18", "-o", str(tmp_path / "net.html"), "--dpi", "100"])
    assert ended.value.code == 2
    assert "--dpi has no meaning for an HTML page" in capsys.readouterr().err


def test_diff_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code is that of the text."""
    out = tmp_path / "x.html"
    for other, code in (("zoo:resnet34", 1), ("zoo:resnet18", 0)):
        with pytest.raises(SystemExit) as ended:
            cli(["diff", "zoo:resnet18", other, "-o", str(out)])
        assert ended.value.code == code
    assert out.read_text().startswith("<!DOCTYPE html>")
    assert '"comparison":{"changes":[]' in out.read_text()
    out.write_text("mine")
    with pytest.raises(SystemExit) as ended:
        cli(["diff", "zoo:resnet18", "zoo:resnet34", "-o", str(out)])
    assert ended.value.code == 2 and out.read_text() == "mine"


def test_from_python(tmp_path: Path) -> None:
    net = cnndsl.load("zoo:resnet18")
    page = cnndsl.explore(net, depth=1)
    assert page.save(tmp_path / "x.html").read_text() == page.html
    assert '"depth":1' in page.html
    assert repr(page).startswith("<Page resnet18: ")
    with pytest.raises(ValueError, match="depth must be 1 or more, not 0"):
        cnndsl.explore(net, depth=0)


# --- in a browser --------------------------------------------------------------------------------


class Opened:
    """A page in the browser. It fails on any error of a script and on any request but the page itself."""

    def __init__(self, browser: Any, path: Path, net: cnndsl.Network, anchor: str = "", **options: Any) -> None:
        cnndsl.explore(net, **options).save(path)
        self.page = browser.new_page(viewport={"width": 1400, "height": 900})
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(f"{path.as_uri()}{anchor}")
        self.page.wait_for_selector("html[data-ready]")

    def close(self) -> None:
        assert self.said == []
        # The page and the worker, which the page makes itself.
        assert [url.partition(":")[0] for url in self.asked] == ["file", "blob"]
        self.page.close()

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            self.close()

    def box(self, path: str) -> Any:
        return self.page.locator(f'.picture .box[data-path="{path}"]')

    def row(self, path: str) -> Any:
        return self.page.locator(f'tbody tr[data-path="{path}"]')

    def header(self, path: str) -> Any:
        return self.box(path).locator("> .shape-of-box")

    def selected(self) -> list[str]:
        """What is selected in the picture and in the table."""
        return [
            str(self.page.locator(f'{where}[aria-selected="true"]').get_attribute("data-path"))
            for where in (".picture .box", "tbody tr")
        ]

    def paths(self, where: str) -> list[str]:
        found = self.page.locator(where)
        return [str(path) for path in found.evaluate_all("all => all.map(each => each.dataset.path)")]

    def in_step(self) -> list[str]:
        """The paths in the picture, which are those in the table."""
        rows, boxes = self.paths("tbody tr"), self.paths(".picture .box")
        assert sorted(rows) == sorted(boxes)
        return rows

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def drawn(self, path: str) -> None:
        self.box(path).wait_for(state="attached")


@pytest.fixture(scope="module")
def resnet() -> cnndsl.Network:
    return cnndsl.load("zoo:resnet18")


@needs_chromium
def test_clicks_fold_and_unfold_in_step(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        top = [operation.name for operation in resnet.graph.root.operations]
        assert opened.in_step() == top
        opened.header("layer2").click()
        opened.drawn("layer2.0")
        assert opened.in_step() == [*top[:6], "layer2.0", "layer2.1", *top[6:]]
        assert opened.selected() == ["layer2", "layer2"]
        opened.row("layer2.0").locator(".fold").click()
        opened.drawn("layer2.0.conv1")
        assert "layer2.0.downsample" in opened.in_step()
        opened.row("layer2.0.conv2").click()
        assert opened.selected() == ["layer2.0.conv2"] * 2
        opened.header("layer2").click()
        opened.box("layer2.0").wait_for(state="detached")
        assert opened.in_step() == top


@needs_chromium
def test_the_panel_tells_everything(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, anchor="#layer2.0.conv1") as opened:
        assert opened.selected() == ["layer2.0.conv1"] * 2  # a deep link opens what is around
        panel = opened.page.locator("#panel")
        facts = dict(zip(panel.locator("dt").all_inner_texts(), panel.locator("dd").all_inner_texts()))
        assert facts["input"] == X.join(["64", "56", "56"]) and facts["weight"] == X.join(["128", "64", "3", "3"])
        assert facts["parameters"] == "73,728 (73.73 k)" and facts["MACs"] == "57,802,752 (57.80 M)"
        assert facts["stride"] == "2" and facts["dilation"] == "1"
        place = next(op for op in resnet.graph.root.everything if op.path == "layer2.0.conv1").step.span
        assert panel.locator(".where").inner_text() == f"resnet18.yaml:{place.line}"
        assert panel.locator(".line.here .line-text").inner_text() == place.source.line(place.line)
        opened.page.get_by_role("button", name="layer2", exact=True).click()
        assert opened.selected() == ["layer2"] * 2
        assert opened.page.evaluate("decodeURIComponent(location.hash)") == "#layer2"


@needs_chromium
def test_everything_by_keyboard(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        opened.page.locator(".pane").focus()
        opened.press("ArrowDown", "ArrowDown")
        assert opened.selected() == ["bn1"] * 2
        opened.press("End", "Home", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")
        assert opened.selected() == ["layer1"] * 2
        opened.press("Enter")
        opened.drawn("layer1.0")
        opened.press("ArrowRight", "ArrowRight")
        opened.drawn("layer1.0.conv1")
        opened.press("ArrowRight")
        assert opened.selected() == ["layer1.0.conv1"] * 2
        active = opened.page.locator(".pane").get_attribute("aria-activedescendant")
        assert opened.box("layer1.0.conv1").get_attribute("id") == active
        opened.press("ArrowLeft", "ArrowLeft")
        opened.box("layer1.0.conv1").wait_for(state="detached")
        opened.press("ArrowLeft", "ArrowLeft", "Escape")
        assert opened.page.locator('[aria-selected="true"]').count() == 0
        opened.press("?")
        assert opened.page.get_by_role("dialog").is_visible()
        opened.press("Escape")
        assert not opened.page.get_by_role("dialog").is_visible()
        # In the table, the focus moves along.
        opened.row("conv1").focus()
        opened.press("ArrowDown")
        assert opened.page.evaluate("document.activeElement.dataset.path") == "bn1"


def scale(opened: Opened) -> float:
    transform = opened.page.locator(".picture > g").get_attribute("transform")
    return float(re.search(r"scale\((.*)\)", transform)[1])  # type: ignore[index]


@needs_chromium
def test_pan_and_zoom(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        before = scale(opened)
        opened.press("+")
        assert scale(opened) == pytest.approx(before * 1.3)
        opened.press("-", "-")
        assert scale(opened) == pytest.approx(before / 1.3)
        box = opened.box("conv1").bounding_box()
        opened.page.mouse.move(box["x"] + 5, box["y"] + 5)
        opened.page.mouse.wheel(0, -200)
        opened.page.wait_for_timeout(100)
        assert scale(opened) > before
        near = opened.box("conv1").bounding_box()
        assert near["x"] < box["x"] + 5 < near["x"] + near["width"]  # what is under the pointer stays there
        opened.page.mouse.down()
        opened.page.mouse.move(box["x"] + 105, box["y"] + 45)
        opened.page.mouse.up()
        moved = opened.box("conv1").bounding_box()
        assert (moved["x"] - near["x"], moved["y"] - near["y"]) == (pytest.approx(100, abs=1), pytest.approx(40, abs=1))
        assert opened.page.locator('[aria-selected="true"]').count() == 0  # a drag is no click
        opened.press("0")
        whole, seen = opened.page.locator(".picture > g").bounding_box(), opened.page.locator(".pane").bounding_box()
        assert whole["height"] <= seen["height"] and whole["y"] >= seen["y"]


#: The rectangles of all texts, and the straight parts of all lines, on the screen.
DRAWN = """() => {
    const root = document.querySelector('.picture > g');
    const texts = [...root.querySelectorAll('text')].filter(text => text.textContent).map(text => {
        const { left, top, right, bottom } = text.getBoundingClientRect();
        return [left, top, right, bottom];
    });
    const lines = [...root.querySelectorAll('.wire')].flatMap(wire => {
        const { a, e, f } = wire.getScreenCTM();
        const ends = [...wire.getAttribute('d').matchAll(/(?:[ML]|Q[-.\\d]+ [-.\\d]+ )([-.\\d]+) ([-.\\d]+)/g)];
        const points = ends.map(([, x, y]) => [a * x + e, a * y + f]);
        return points.slice(1).map((end, i) => [...points[i], ...end]);
    });
    return { scale: root.getScreenCTM().a, texts, lines };
}"""


@needs_chromium
@pytest.mark.parametrize("name", ["unet", "googlenet", "zoo:hrnet_w18_small", "zoo:yolov8n"])
def test_no_line_crosses_a_text_and_no_texts_overlap(browser: Any, tmp_path: Path, name: str) -> None:
    with Opened(browser, tmp_path / "x.html", loaded(name), depth=9) as opened:
        drawn = opened.page.evaluate(DRAWN)
    texts = np.array(drawn["texts"])
    lines = np.array(drawn["lines"])
    lines = np.hstack([np.minimum(lines[:, :2], lines[:, 2:]), np.maximum(lines[:, :2], lines[:, 2:])])
    assert len(texts) > 50 and len(lines) > 50
    # A text's rectangle has room above its letters and below.
    inset = drawn["scale"] * np.array([1, 3, -1, -3])
    assert not overlapping(texts + inset, lines).any()
    assert overlapping(texts + inset, texts + inset).sum() == len(texts)  # each only itself


def overlapping(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which rectangles of ``some`` and ``others`` overlap: left, top, right, bottom."""
    a, b = some[:, None], others[None]
    return (a[..., :2] < b[..., 2:]).all(-1) & (b[..., :2] < a[..., 2:]).all(-1)


@needs_chromium
def test_two_fingers_zoom(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        before = scale(opened)
        touch = opened.page.context.new_cdp_session(opened.page)

        def touched(kind: str, *fingers: int) -> None:
            points = [{"x": x, "y": 400, "id": number} for number, x in enumerate(fingers)]
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

        touched("touchStart", 700, 800)
        touched("touchMove", 650, 850)
        touched("touchEnd")
        assert scale(opened) == pytest.approx(2 * before, rel=0.05)


@needs_chromium
def test_the_page_forbids_itself_any_connection(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        asked = "fetch('https://example.com').then(() => 'reached', error => error.name)"
        assert opened.page.evaluate(asked) == "TypeError"
        assert all("Content Security Policy" in text for text in opened.said) and opened.said
        opened.said.clear()


@needs_chromium
def test_search(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        opened.press("/")
        opened.page.keyboard.type("layer3 conv2d stride 2")
        found = opened.page.locator("#found li")
        assert found.locator(".found-path").all_inner_texts() == ["layer3.0.conv1", "layer3.0.downsample.0"]
        opened.press("ArrowDown", "Enter")
        opened.drawn("layer3.0.downsample.0")
        opened.page.wait_for_selector('tbody tr[aria-selected="true"]')
        assert opened.selected() == ["layer3.0.downsample.0"] * 2
        opened.page.locator("#search").fill("nothing like it")
        assert opened.page.locator("#found").inner_text() == "nothing found"
        opened.press("Escape")
        assert opened.page.locator("#search").input_value() == ""


@needs_chromium
def test_overlays_depths_themes_and_the_picture_as_a_file(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        page = opened.page
        page.locator("#overlay").select_option("params")
        fills = {
            path: opened.header(path).evaluate("box => getComputedStyle(box).fill")
            for path in ("conv1", "layer1", "layer4")
        }
        red = {path: int(re.findall(r"\d+", fill)[2]) for path, fill in fills.items()}
        assert red["conv1"] > red["layer1"] > red["layer4"]  # less blue, the more parameters
        assert "share of 11.69 M parameters" in page.locator("#legend").inner_text()
        page.locator("#overlay").select_option("memory")
        assert "activations" in page.locator("#legend").inner_text()
        assert opened.header("layer1").evaluate("box => getComputedStyle(box).fill") != fills["layer1"]
        page.locator("#depth").select_option("2")
        opened.drawn("layer4.1")
        assert len(opened.in_step()) == 19
        paper = "getComputedStyle(document.querySelector('.picture')).backgroundColor"
        light = page.evaluate(paper)
        page.locator("#theme").click()
        assert page.evaluate(paper) != light
        with page.expect_download() as download:
            page.locator("#save").click()
        saved = Path(download.value.path()).read_text()
        assert download.value.suggested_filename == "resnet18.svg"
        texts = {text.text for text in ElementTree.fromstring(saved).iter("{http://www.w3.org/2000/svg}text")}
        assert {"layer4", "Conv2d", f"input 3{X}224{X}224"} <= texts
        assert "class=" not in saved and 'fill="rgb' in saved


@needs_chromium
def test_nothing_in_a_spec_is_markup(browser: Any, tmp_path: Path) -> None:
    evil = "</script><script>window.hacked = 1</script><!-- <img src=x onerror='hacked=1'> \U0001f642 \"'`&amp;"
    spec = tmp_path / "<img src=x onerror=hacked=1>\U0001f642 '.yaml"
    description = json.dumps(evil, ensure_ascii=False)
    text = f"description: {description}\ninput: [3, 8, 8]\nnetwork:\n  - Conv2d: [8, 3]  # {evil}\n"
    spec.write_text(text, encoding="utf-8")
    with Opened(browser, tmp_path / "x.html", cnndsl.load(spec), anchor="#0") as opened:
        page = opened.page
        assert page.evaluate("window.hacked") is None
        assert page.locator("img, script:not([id]):not(:last-child)").count() == 0
        assert evil in page.locator(".line.here").text_content()
        assert page.locator(".where").inner_text() == f"{spec.name}:4"
        page.keyboard.press("Escape")
        assert page.locator(".description").text_content() == evil


@needs_chromium
def test_a_huge_network_opens_folded(browser: Any, tmp_path: Path) -> None:
    with Opened(browser, tmp_path / "x.html", chain(5_000)) as opened:
        assert len(opened.in_step()) == 50
        deepest = opened.page.locator("#depth option").last
        assert deepest.is_disabled() and "20,051 boxes" in deepest.inner_text()
        opened.press("/")
        opened.page.keyboard.type("4321.1")
        opened.press("Enter")
        opened.drawn("4321.1")
        opened.page.wait_for_selector('tbody tr[aria-selected="true"]')
        assert opened.selected() == ["4321.1"] * 2


# --- what is written beside lines ----------------------------------------------------------------


@pytest.mark.parametrize(
    "spec, inputs, outputs",
    [
        ("input: [8]\nnetwork: [ReLU]", ["input"], ["output"]),
        ("input: {x: [8]}\nnetwork: [ReLU]", ["x"], ["output"]),
        (
            "input: [8]\nnetwork: [{name: x, ReLU: }, {name: input, ReLU: }]\noutputs: [x, input]",
            ["input"],
            ["x", "input"],
        ),
    ],
)
def test_only_an_input_without_a_name_is_called_input(spec: str, inputs: list[str], outputs: list[str]) -> None:
    data = as_data(cnndsl.loads(spec).graph)
    root = data["nodes"][data["root"]]
    assert [name for name, _ in root["inputs"]] == inputs
    assert [name for name, _ in root["outputs"]] == outputs


ORDERS = """
input: {x: [8, 4, 4], output: [8, 4, 4]}
blocks:
  Two: {inputs: [p, q], steps: [{branch: [[], [from: q]], merge: add}]}
  Many: {outputs: MANY, steps: [{repeat: [{name: "o$i", ReLU: }], for: i, in: $(range(9))}]}
  Fold: {inputs: MANY, steps: [{branch: [{for: i, in: $(range(9)), steps: [from: "o$i"]}], merge: add}]}
network:
  - {branch: [[from: output], [from: x]], merge: subtract}
  - {name: m1}
  - {branch: [[from: output], [from: x]], merge: divide}
  - {name: m2}
  - {branch: [[from: output], [from: x]], merge: concat}
  - {name: m3}
  - {name: two, Two: , inputs: [output, x]}
  - {branch: [[from: output], [from: x]], merge: add}
  - {name: input}
  - {name: many, Many: }
  - {name: sum, Fold: , inputs: TAKEN}
outputs: [m1, m2, m3, two, input, sum]
"""

#: For each text beside a line, itself and the input at which the line that ends nearest to it begins.
BESIDE = """() => {
    const root = document.querySelector('.picture > g');
    const middle = each => { const { x, y, width, height } = each.getBBox(); return [x + width / 2, y + height / 2]; };
    const inputs = [...root.querySelectorAll('.end')].slice(0, 2).map(each => each.getBBox());
    const wires = [...root.querySelectorAll(':scope > g > .wire, :scope > .wire')].map(wire =>
        [wire.getPointAtLength(0), wire.getPointAtLength(wire.getTotalLength())]);
    return [...root.querySelectorAll(':scope > g > .shape, :scope > .shape')].map(text => {
        const [x, y] = middle(text);
        const away = ([, end]) => Math.hypot(end.x - x, end.y - y);
        const [start] = wires.sort((one, other) => away(one) - away(other))[0];
        const of = inputs.findIndex(box => box.x <= start.x && start.x <= box.x + box.width);
        return text.textContent + (['x', 'output'][of] ?? '');
    });
}"""


@needs_chromium
def test_the_order_of_inputs_is_visible(browser: Any, tmp_path: Path) -> None:
    """By numbers at what makes something else of them in another order, and by names at a block. Those of the network
    have their own names, whatever they are. Nine tensors from a block to another are one line."""
    many = [f"o{number}" for number in range(9)]
    taken = [f"many.{name}" for name in many]
    spec = ORDERS.replace("MANY", f"[{', '.join(many)}]").replace("TAKEN", f"[{', '.join(taken)}]")
    with Opened(browser, tmp_path / "x.html", cnndsl.loads(spec), depth=1) as opened:
        found = [text for text in opened.page.evaluate(BESIDE) if X not in text]
        ends = opened.page.locator(".end-text").all_text_contents()
    assert sorted(found) == [*["1output"] * 3, *["2x"] * 3, "9 tensors", "poutput", "qx"]
    assert [text.split()[0] for text in ends] == ["x", "output", "m1", "m2", "m3", "two", "input", "sum"]


@needs_chromium
def test_many_parallel_tensors_are_one_line(browser: Any, tmp_path: Path) -> None:
    arms = "{for: i, in: $(range(500)), steps: [Conv2d: [4, 1]]}"
    net = cnndsl.loads(f"input: [4, 8, 8]\nnetwork: [branch: [{arms}], Conv2d: [4, 1]]")
    with Opened(browser, tmp_path / "x.html", net, depth=1) as opened:
        counts = opened.page.locator(".picture .shape").all_text_contents()
        assert [text for text in counts if "tensors" in text] == ["100 tensors"] * 5
        assert opened.page.locator(".wire").count() == 5 + 5 + 1
        cells = opened.page.locator("td.output")
        assert cells.all_inner_texts()[:5] == ["100 tensors"] * 5
        # While ELK works, the page says so.
        choose = """select => {
            select.value = [...select.options].at(-1).value;
            select.dispatchEvent(new Event('change'));
            return document.getElementById('busy').textContent;
        }"""
        said = opened.page.locator("#depth").evaluate(choose)
        assert said == f"Arranging {6 + 502} boxes…"
        opened.page.wait_for_selector("#busy:not(.seen)", state="attached")
        assert opened.page.locator("#busy").is_hidden() and len(opened.in_step()) == 6 + 502


@needs_chromium
def test_groups_of_groups_count_steps(browser: Any, tmp_path: Path) -> None:
    limits = cnndsl.Limits(times=20_000, steps=80_000)
    net = cnndsl.loads("input: [8]\nnetwork: [{repeat: [ReLU], times: 20000}]", limits=limits)
    with Opened(browser, tmp_path / "x.html", net) as opened:
        kinds = opened.page.locator(".picture .module > .detail").all_text_contents()
        assert kinds == ["10,000 steps"] * 2


# --- what is seen --------------------------------------------------------------------------------


@needs_chromium
def test_the_selected_row_is_never_hidden(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    covered = """() => {
        const [head, row, foot] = ['thead th', 'tbody [aria-selected="true"]', 'tfoot td'].map(
            each => document.querySelector(each).getBoundingClientRect());
        return row.top < head.bottom - 1 || row.bottom > foot.top + 1;
    }"""
    with Opened(browser, tmp_path / "x.html", resnet, depth=9) as opened:
        opened.page.set_viewport_size({"width": 1400, "height": 300})
        opened.press("ArrowDown")  # from the start, before anything has the focus
        assert opened.selected() == ["conv1"] * 2
        for key, times in (("ArrowDown", 14), ("ArrowUp", 12)):
            opened.press(*[key] * times)
            assert not opened.page.evaluate(covered)


@needs_chromium
def test_long_names_leave_room_for_shapes(browser: Any, tmp_path: Path) -> None:
    names = [f"the_{which}_convolution_with_a_name_of_great_length_indeed" for which in ("first", "second")]
    steps = ", ".join(f"{{name: {name}, Conv2d: [16, 1]}}" for name in names)
    net = cnndsl.loads(f"input: [3, 32, 32]\nnetwork: [{steps}]\noutputs: [{', '.join(names)}]")
    with Opened(browser, tmp_path / "x.html", net) as opened:
        shapes = opened.page.locator("#panel dd").filter(has_text=X.join(["16", "32", "32"]))
        assert shapes.count() == 2
        lines = """all => all.map(each => {
            const range = document.createRange();
            range.selectNodeContents(each);
            return new Set([...range.getClientRects()].map(({ y }) => y)).size;
        })"""
        assert shapes.evaluate_all(lines) == [1, 1]
        table = opened.page.locator(".table")
        assert table.evaluate("each => each.scrollWidth <= each.clientWidth")  # the costs are in the window
        assert opened.page.locator("td.name").first.get_attribute("title") == names[0]


@needs_chromium
def test_a_dark_page_prints_light(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    colors = """() => {
        const fill = document.querySelector('[data-path="layer4"] > .shape-of-box');
        return [getComputedStyle(document.querySelector('.picture')).backgroundColor, getComputedStyle(fill).fill];
    }"""
    with Opened(browser, tmp_path / "x.html", resnet, depth=1) as opened:
        page = opened.page
        page.locator("#overlay").select_option("params")
        light = page.evaluate(colors)
        page.locator("#theme").click()
        dark = page.evaluate(colors)
        assert light[0] != dark[0] and light[1] != dark[1]
        page.evaluate(f"addEventListener('beforeprint', () => {{ window.printed = ({colors})(); }})")
        page.pdf()
        assert page.evaluate("printed") == light
        assert page.evaluate(colors) == dark
        page.emulate_media(media="print")
        adjusted = "bar => getComputedStyle(bar).printColorAdjust"
        assert page.locator(".legend-bar").evaluate(adjusted) == "exact"


@needs_chromium
def test_an_unknown_link_says_so(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    with Opened(browser, tmp_path / "x.html", resnet, anchor="#layer9.0", depth=1) as opened:
        notice = opened.page.locator("#notice")
        assert notice.is_visible()
        assert notice.inner_text() == "The address names layer9.0, which this network does not have."


@needs_chromium
def test_a_notebook_shows_the_page(browser: Any, tmp_path: Path, resnet: cnndsl.Network) -> None:
    shown = tmp_path / "notebook.html"
    shown.write_text(f"<!DOCTYPE html><body>{cnndsl.explore(resnet, depth=1)._repr_html_()}</body>", encoding="utf-8")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(shown.as_uri())
    frame = page.frame_locator("iframe")
    frame.locator('.picture [data-path="layer2"] > .shape-of-box').click()
    frame.locator('.picture [data-path="layer2.0"]').wait_for(state="attached")
    assert frame.locator('tbody [aria-selected="true"]').get_attribute("data-path") == "layer2"
    assert said == []
    page.close()


# --- two networks --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def vgg() -> tuple[cnndsl.Network, cnndsl.Network]:
    return cnndsl.load("zoo:vgg11"), cnndsl.load("zoo:vgg16")


@needs_chromium
def test_two_networks_are_in_step(browser: Any, tmp_path: Path, vgg: tuple[cnndsl.Network, cnndsl.Network]) -> None:
    left, right = vgg
    with Opened(browser, tmp_path / "x.html", left, other=right) as opened:
        page = opened.page
        assert page.locator("#summary").inner_text().startswith("132.86 M → 138.36 M parameters")
        assert page.locator(".pane").count() == 2
        diff = compare(left.graph, right.graph)
        added = [place.path for change in diff.changes if change.what == "added" for place in change.right]
        assert added and opened.paths(".pane:last-child .changed-added") == added
        # A layer and its partner, which has another number, are selected together.
        partners = compared(left.graph, right.graph, diff).partners
        one, other = next(pair for pair in partners.items() if pair[1] is not None)
        page.locator(f'.pane:last-child [data-path="{other}"] > .shape-of-box').click()
        page.wait_for_selector('tbody [aria-selected="true"]')
        assert opened.paths('.picture [aria-selected="true"]') == [one, other]
        assert opened.paths('tbody [aria-selected="true"]') == [one, other]
        page.keyboard.press("Escape")
        page.locator("button.change").first.click()
        assert opened.paths('.picture [aria-selected="true"]') == added[:1]  # it has no partner


def test_a_comparison_has_every_change(vgg: tuple[cnndsl.Network, cnndsl.Network]) -> None:
    left, right = vgg
    diff = compare(left.graph, right.graph)
    found = compared(left.graph, right.graph, diff)
    for change in diff.changes:
        assert all(place.path in found.left for place in change.left)
        assert all(place.path in found.right for place in change.right)
    kinds = {operation.path: operation.kind for operation in right.graph.root.everything}
    for operation in left.graph.root.everything:
        other = found.partners.get(operation.path, operation.path)
        assert other is None or kinds[other] == operation.kind


def test_equal_networks_have_no_changes(vgg: tuple[cnndsl.Network, cnndsl.Network]) -> None:
    found = compared(vgg[0].graph, vgg[0].graph, compare(vgg[0].graph, vgg[0].graph))
    assert not (found.changes or found.partners or found.left or found.right)


def test_what_a_change_affects_has_its_shapes_and_parameters() -> None:
    text = "input: [3, 8, 8]\nnetwork: [Conv2d: [{}, 3], ReLU, Conv2d: [4, 3]]"
    left, right = (cnndsl.loads(text.format(channels)).graph for channels in (8, 16))
    found = compared(left, right, compare(left, right))
    assert {path: status for path, (status, _) in found.right.items()} == {
        "0": "changed",
        "1": "affected",
        "2": "affected",
    }
    assert found.left["1"][1] == f"output 8{X}6{X}6 → 16{X}6{X}6"
    assert found.left["2"][1] == "292 → 580 parameters"
    (change,) = found.changes
    assert change["status"] == "changed" and change["left"] == change["right"] == ["0"]
