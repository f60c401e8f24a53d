"""The live page in a browser: typing, errors, undo, tabs, a file that changes outside, a server that goes and comes."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Any
from urllib.parse import urlencode

import pytest
from browsing import needs_chromium
from serving import Served, free_port, served, start

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "live"
BUILT = ROOT / "cnndsl" / "serve" / "built"
#: What the live page takes from the explorer.
SHARED = ("colours.css", "html.ts", "view.ts", "words.ts")

# --- the built page ------------------------------------------------------------------------------


def test_the_page_is_built_from_its_sources() -> None:
    """Without npm, the digest of the sources, which the build writes into the script, tells whether it is stale."""
    digest = hashlib.sha256()
    names = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"]
    names += [f"src/{path.name}" for path in sorted((SOURCES / "src").iterdir())]
    names += [f"../explorer/src/{name}" for name in SHARED]
    for name in names:
        digest.update(f"{name}\0".encode() + (SOURCES / name).read_bytes())
    first, _ = (BUILT / "live.js").read_text().split("\n", 1)
    assert first == f"// sources {digest.hexdigest()}", "stale: run `npm ci && npm run build` in live/"
    style = [ROOT / "explorer" / "src" / "colours.css", SOURCES / "src" / "live.css"]
    assert (BUILT / "live.css").read_text() == "\n".join(path.read_text() for path in style)
    assert (BUILT / "live.html").read_bytes() == (SOURCES / "src" / "live.html").read_bytes()


def test_what_the_page_is_made_of_is_the_locked_one() -> None:
    """Each package with the version that npm's lock file names, and its licence."""
    locked = json.loads((SOURCES / "package-lock.json").read_text())["packages"]
    parts = (BUILT / "LICENSES.txt").read_text().split(f"\n{'-' * 80}\n\n")
    assert len(parts) > 15
    for part in parts:
        name, version, _ = part.split(" ", 2)
        assert locked[f"node_modules/{name}"]["version"] == version
        assert "Permission is hereby granted" in part


@pytest.mark.skipif(not (SOURCES / "node_modules").is_dir(), reason="npm ci was not run in live/")
def test_a_new_build_has_the_same_bytes(tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", str(tmp_path)], cwd=SOURCES, check=True, timeout=60)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in BUILT.iterdir()}
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (BUILT / path.name).read_bytes(), path.name


# --- in a browser --------------------------------------------------------------------------------

SPEC = """\
description: <img src=x onerror="alert(1)"> <script>alert(2)</script>
input: [3, 8, 8]
network:
  - {name: conv, Conv2d: [4, 3]}
  - {name: act, ReLU: }
  - Flatten
  - {name: head, Linear: 10}
"""
#: By hand: a convolution with 4 kernels of 3x3x3 and biases, then 4x6x6 values to 10.
CONV, HEAD = 4 * 27 + 4, 144 * 10 + 10


class Tab:
    """A tab with a spec. At its end, no script has failed and nothing has broken the page's policy."""

    def __init__(self, context: Any, server: Served, spec: str, **shown: str) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(10_000)
        self.said: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self.asked)
        self.page.goto(f"{server.address}&{urlencode({'spec': spec, **shown})}")
        self.page.wait_for_selector("html[data-ready]")

    def asked(self, dialog: Any) -> None:
        """Only leaving the page needs an answer, while something is not saved."""
        if dialog.type != "beforeunload":
            self.said.append(dialog.message)
        dialog.accept()

    def find(self, selector: str, text: str | re.Pattern[str] | None = None) -> Any:
        return self.page.locator(selector, has_text=text) if text else self.page.locator(selector)

    def has(self, selector: str, text: str | re.Pattern[str] | None = None, visible: bool = True) -> None:
        """Waits for an element."""
        self.find(selector, text).first.wait_for(state="visible" if visible else "hidden")

    def row(self, path: str) -> Any:
        return self.find(f'tr[data-path="{path}"]')

    def cells(self, path: str, *texts: str) -> None:
        """Waits for texts in the row of a path."""
        for text in texts:
            self.row(path).get_by_text(text, exact=True).wait_for()

    def type_behind(self, line: str, text: str) -> None:
        """Types at the end of the line that has a text."""
        self.find("#editor .cm-line", line).click()
        self.page.keyboard.press("End")
        self.page.keyboard.type(text)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    @property
    def text(self) -> str:
        """The text in the editor, without the shapes and messages that are shown in it."""
        lines = """all => all.map(line => {
            const copy = line.cloneNode(true);
            copy.querySelectorAll('.hint, .message').forEach(each => each.remove());
            return copy.textContent;
        }).join('\\n')"""
        return str(self.find("#editor .cm-line").evaluate_all(lines))

    @property
    def here(self) -> str:
        """The text of the line with the cursor."""
        return str(self.find("#editor .cm-activeLine").inner_text())

    def fragment(self) -> dict[str, str]:
        return dict(part.split("=") for part in self.page.url.partition("#")[2].split("&"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Served]:
    (folder / "net.yaml").write_text(SPEC)
    with served(folder, "net.yaml", "--port", free_port()) as server:
        yield server


@pytest.fixture
def spec(folder: Path, request: pytest.FixtureRequest) -> Path:
    """A spec of a test's own."""
    path = folder / f"{request.node.name.partition('[')[0]}.yaml"
    path.write_text(SPEC)
    return path


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1400, "height": 800})
    yield context
    context.close()


@pytest.fixture
def tabs(context: Any, server: Served, spec: Path) -> Iterator[Any]:
    """Makes tabs with the spec of the test, or another."""
    made: list[Tab] = []

    def opened(name: str = spec.name, **shown: str) -> Tab:
        made.append(Tab(context, server, name, **shown))
        return made[-1]

    yield opened
    assert [text for tab in made for text in tab.said] == []


@needs_chromium
def test_what_is_typed_is_compiled_and_undone(tabs: Any, spec: Path) -> None:
    tab = tabs(panes="table")
    tab.cells("head", "[1, 10]", f"{HEAD:,}")
    tab.has("#state", "saved")
    tab.type_behind("Linear", "")
    tab.press("ArrowLeft")
    tab.page.keyboard.type("0")
    tab.cells("head", "[1, 100]", f"{144 * 100 + 100:,}")
    tab.has("#summary", f"{(CONV + 14_500) / 1000:.2f} k parameters")
    tab.has("#state", "edited")
    tab.press("Control+z")
    tab.cells("head", "[1, 10]", f"{HEAD:,}")
    tab.has("#state", "saved")
    assert tab.text == SPEC and spec.read_text() == SPEC


@needs_chromium
def test_nothing_of_a_spec_becomes_markup(tabs: Any) -> None:
    """The fixture sees a script that runs, by its dialog, and one that is stopped, by what the browser says."""
    tab = tabs(panes="figure,source")
    tab.has(".picture .node")
    assert tab.find(".picture text", "<img src=x").count() == 1
    assert tab.find("img:not(.cm-widgetBuffer), body script").count() == 0


@needs_chromium
def test_an_error_is_in_its_line_and_mended_there(tabs: Any) -> None:
    tab = tabs(panes="table,errors")
    tab.cells("act", "ReLU")
    tab.find("#editor .cm-line", "ReLU").get_by_text("ReLU").dblclick()
    tab.page.keyboard.type("Relu")
    tab.press("Escape")
    tab.has(".cm-line .message.error", "Relu")
    tab.has("#state", "1 error")
    tab.has(".pane-table .stale-note", "This is the last network without one.")
    tab.cells("act", "ReLU")  # of the last good network
    tab.find(".problems .link", "line 5").click()
    assert "Relu" in tab.here
    tab.find(".problems .code").click()
    tab.has("#ask h2", "CNN014")
    tab.press("Escape")
    tab.find(".cm-line .fix").click()
    tab.has(".pane-errors", "No errors.")
    tab.has(".stale-note", visible=False)
    assert tab.text == SPEC


@needs_chromium
@pytest.mark.slow
def test_words_are_completed(tabs: Any) -> None:
    tab = tabs(panes="table")
    tab.type_behind("Flatten", "\n")
    tab.page.keyboard.type("- Sigm")
    tab.find(".cm-tooltip-autocomplete li", re.compile("^Sigmoid")).click()
    tab.cells("3", "Sigmoid")


@needs_chromium
@pytest.mark.slow
def test_rows_boxes_and_the_cursor_are_in_step(tabs: Any) -> None:
    tab = tabs(panes="table,figure")
    tab.row("head").click()
    assert "Linear" in tab.here
    tab.has('tr[data-path="head"].here')
    tab.find(".picture .node", "Conv2d").click()
    assert "Conv2d" in tab.here
    tab.has('tr[data-path="conv"].here')
    tab.row("conv").focus()
    tab.press("ArrowDown")
    assert "ReLU" in tab.here
    tab.press("Enter")  # on to the spec
    tab.press("End")
    tab.page.keyboard.type(" # x")
    assert "ReLU: }" in tab.here


@needs_chromium
def test_the_address_has_what_is_shown(tabs: Any, spec: Path) -> None:
    tab = tabs()
    tab.find(".tab", "Source").first.click()
    tab.has(".pane-source .cm-line", re.compile("^class "))
    tab.find("#theme").select_option("dark")
    tab.find(".more:visible").click()
    tab.has(".frame:nth-child(2) [aria-selected='true']", "Table")
    assert tab.fragment() == {"spec": spec.name, "panes": "source,table", "theme": "dark"}
    tab.page.reload()
    tab.has(".frame:nth-child(1) [aria-selected='true']", "Source")
    tab.cells("head", "[1, 10]")
    assert tab.page.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.page.go_back()
    tab.find(".frame").nth(1).wait_for(state="hidden")
    tab.page.go_back()
    tab.has(".frame:nth-child(1) [aria-selected='true']", "Table")


@needs_chromium
@pytest.mark.slow
def test_another_spec_is_chosen_and_back(tabs: Any, spec: Path) -> None:
    tab = tabs(panes="table")
    tab.press("Control+o")
    tab.find("#chooser input").fill("lenet zoo")
    tab.has("#found [aria-selected='true']", re.compile("^classic/lenet"))
    tab.press("Enter")
    tab.has("#state", "of the zoo")
    assert tab.fragment()["spec"] == "zoo:classic/lenet"
    tab.page.go_back()
    tab.has("#spec", spec.name)
    tab.cells("head", "[1, 10]")


@needs_chromium
def test_a_file_that_changes_outside_is_followed(tabs: Any, spec: Path) -> None:
    """The page keeps its cursor, and what it shows is of the new file."""
    tab = tabs(panes="table")
    tab.row("act").click()
    spec.write_text(SPEC.replace("Linear: 10", "Linear: 20").replace("input:", "# new\ninput:"))
    tab.cells("head", "[1, 20]", f"{144 * 20 + 20:,}")
    assert tab.text == spec.read_text()
    assert "ReLU" in tab.here
    tab.has("#state", "saved")
    assert tab.find(".bar").count() == 0


@needs_chromium
@pytest.mark.parametrize("way", [pytest.param("Keep mine", marks=pytest.mark.slow), "Take theirs"])
def test_a_file_that_changes_outside_while_it_is_edited(tabs: Any, spec: Path, way: str) -> None:
    theirs, mine = SPEC.replace("Linear: 10", "Linear: 20"), SPEC.replace("Flatten", "Flatten # mine")
    tab = tabs(panes="table")
    tab.type_behind("Flatten", " # mine")
    tab.has("#state", "edited")
    spec.write_text(theirs)
    tab.has(".bar", "The file has changed outside this page")
    assert tab.text == mine
    tab.find(".bar button", "Show the difference").click()
    tab.has(".text-diff .cm-deletedChunk", "Linear: 20")
    tab.find(".bar button", way).click()
    assert tab.find(".bar").count() == 0
    if way == "Take theirs":
        tab.has("#state", "saved")
        assert tab.text == theirs
        tab.find("#editor .cm-line").first.click()
        tab.press("Control+z")
        assert tab.text == mine
    else:
        tab.press("Control+s")
        tab.has("#state", "saved")
        assert spec.read_text() == mine


@needs_chromium
@pytest.mark.slow
def test_two_tabs(tabs: Any, spec: Path) -> None:
    """What one saves the other follows; what each has not saved is its own."""
    one, other = tabs(panes="table"), tabs(panes="table")
    one.page.bring_to_front()
    one.type_behind("Flatten", " # one")
    one.press("Control+s")
    other.page.bring_to_front()
    other.has("#editor .cm-line", "# one")
    one.page.bring_to_front()
    one.type_behind("act", " # first")
    other.page.bring_to_front()
    other.type_behind("conv", " # second")
    assert "second" not in one.text and "first" not in other.text
    other.press("Control+s")
    one.page.bring_to_front()
    one.has(".bar", "The file has changed outside this page")
    assert "# second" in spec.read_text() and "# first" not in spec.read_text()
    assert "# first" in one.text


@needs_chromium
@pytest.mark.slow
def test_saving_under_another_name(tabs: Any, spec: Path, folder: Path) -> None:
    (folder / "taken.yaml").write_text("mine")
    tab = tabs("zoo:lenet")
    tab.press("Control+s")
    tab.find("#asked").fill("taken.yaml")
    tab.press("Enter")
    tab.has("#ask h2", "Write over taken.yaml?")
    tab.find("#ask button", "Cancel").click()
    assert (folder / "taken.yaml").read_text() == "mine"
    tab.find("#save-as").click()
    assert tab.find("#asked").input_value() == "lenet.yaml"
    tab.find("#asked").fill("../out.yaml")
    tab.press("Enter")
    tab.has("#notice.seen")
    assert not (folder.parent / "out.yaml").exists()
    tab.find("#save-as").click()
    tab.find("#asked").fill("mine.yaml")
    tab.press("Enter")
    tab.has("#spec", "mine.yaml")
    tab.has("#state", "saved")
    assert tab.fragment()["spec"] == "mine.yaml"
    assert (folder / "mine.yaml").read_text() == (ROOT / "archs" / "lenet.yaml").read_text()
    tab.type_behind("name: lenet", "_2")
    tab.press("Control+s")
    tab.has("#state", "saved")
    assert "name: lenet_2" in (folder / "mine.yaml").read_text()


@needs_chromium
@pytest.mark.slow
def test_what_is_not_saved_comes_back(tabs: Any, spec: Path) -> None:
    tab = tabs(panes="table")
    tab.type_behind("Flatten", " # mine")
    tab.page.reload()
    tab.has("#notice.seen", "Your text that is not saved is back.")
    assert "# mine" in tab.text
    tab.press("Control+o")
    tab.has("#found .unsaved", "not saved")
    tab.press("Escape")
    tab.find("#notice button").click()
    assert tab.text == SPEC


@needs_chromium
@pytest.mark.parametrize("dark", [pytest.param(False, marks=pytest.mark.slow), True], ids=["light", "dark"])
def test_a_narrow_page(browser: Any, server: Served, spec: Path, dark: bool) -> None:
    """On a phone the spec is a tab, and nothing is wider than the window. The figure has the page's theme."""
    size = {"width": 400, "height": 800}
    context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
    tab = Tab(context, server, spec.name, panes="figure")
    tab.has(".picture .node")
    paper = tab.find(".picture polygon").first.get_attribute("fill")
    assert (paper == "white") is not dark
    wide = "document.documentElement.scrollWidth"
    for name in ("Spec", "Table", "Figure", "Source", "Diff", "Errors"):
        tab.find(".tab:visible", name).click()
        assert tab.page.evaluate(wide) == 400
        assert tab.find("#editor").is_visible() is (name == "Spec")
    tab.find(".tab:visible", "Table").click()
    tab.row("head").click()
    assert "Linear" in tab.here
    assert tab.find("#editor").is_visible()
    context.close()
    assert tab.said == []


@needs_chromium
@pytest.mark.slow
def test_a_server_that_goes_and_comes_back(context: Any, folder: Path, spec: Path) -> None:
    """What is typed meanwhile stays, and is compiled by the server that comes. The browser tells that it is gone."""
    first = start(folder, spec.name, "--port", free_port())
    try:
        tab = Tab(context, first, spec.name, panes="table")
        tab.cells("head", "[1, 10]")
        first.stop(SIGKILL)
        tab.has(".bar", "The server is gone.")
        tab.has("#state", "server gone")
        tab.type_behind("act, ", "\n- BatchNorm2d")
        tab.press("Control+s")
        tab.has("#notice.seen", "Your text is kept here")
        with served(folder, spec.name, "--port", first.port):
            tab.has(".bar", visible=False)
            tab.cells("2", "BatchNorm2d")
            tab.has("#state", "edited")
            tab.press("Control+s")
            tab.has("#state", "saved")
            assert "- BatchNorm2d" in spec.read_text()
    finally:
        first.process.kill()
        first.process.communicate()


@needs_chromium
@pytest.mark.slow
def test_a_file_that_changes_while_the_server_is_gone(context: Any, folder: Path, spec: Path) -> None:
    first = start(folder, spec.name, "--port", free_port())
    try:
        tab = Tab(context, first, spec.name, panes="table")
        tab.cells("head", "[1, 10]")
        first.stop(SIGKILL)
        tab.has(".bar", "The server is gone.")
        tab.type_behind("Flatten", " # mine")
        spec.write_text(SPEC.replace("Linear: 10", "Linear: 20"))
        with served(folder, spec.name, "--port", first.port):
            tab.has("#bar-outside", "The file has changed outside this page")
            assert "# mine" in tab.text
            tab.find(".bar button", "Take theirs").click()
            tab.cells("head", "[1, 20]")
            tab.has("#state", "saved")
    finally:
        first.process.kill()
        first.process.communicate()
