"""The geometry of figures: what `tests/geometry.py` finds in one with faults, and that ours have none."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from xml.sax.saxutils import escape

import geometry
import pytest
from browsing import CHROMIUM

import cnndsl

ROOT = Path(__file__).parent.parent
#: Fonts with the metrics of Helvetica.
ALIKE = ("Liberation Sans", "Arimo", "Nimbus Sans", "Helvetica", "Arial")

#: A figure without faults: two nodes in a cluster, a line between them with its label, and a title.
CLEAN = """
<svg width="200pt" height="200pt" viewBox="0 0 200 200" xmlns="http://www.w3.org/2000/svg">
<g transform="translate(0 200)">
<text x="100" y="-180" text-anchor="middle" font-size="14">net</text>
<g class="cluster"><title>cluster block</title><path d="M20,-20H180V-170H20Z"/>
<text x="30" y="-158" font-size="10">block</text></g>
<g class="node"><title>a</title><rect x="70" y="-140" width="60" height="30"/>
<text x="100" y="-120" text-anchor="middle"><tspan font-size="11" font-weight="bold">Conv2d</tspan></text></g>
<g class="node"><title>b</title><ellipse cx="100" cy="-45" rx="30" ry="15"/>
<text x="100" y="-41" text-anchor="middle" font-size="11">output</text></g>
<g class="edge"><title>a->b</title><path d="M100,-110C100,-100 100,-90 100,-67"/>
<polygon points="97,-67 103,-67 100,-60"/>
<text x="106" y="-84" font-size="8">64 x 7</text></g>
</g></svg>
"""

#: What is changed in the figure, and the fault that it makes.
PLANTED = {
    "a line through its label": ('<text x="106" y="-84"', '<text x="94" y="-84"', "the line a->b crosses '64 x 7'"),
    "a curve through a title": (
        "M100,-110C100,-100 100,-90 100,-67", "M100,-110C0,-235 30,-100 100,-67", "crosses 'block' of 'block'",
    ),
    "a text wider than its node": ("Conv2d", "ConvTranspose2d", "'ConvTranspose2d' of 'a' leaves its box"),
    "a text higher than its node": ('y="-120"', 'y="-134"', "'Conv2d' of 'a' leaves its box"),
    "a text in the corner of an oval": (
        '<text x="100" y="-41"', '<text x="89" y="-50"', "'output' of 'b' leaves its box",
    ),
    "a text that leaves the page": (">net<", f">{'net ' * 12}<", "leaves the page"),
    "a box that leaves the page": ('<rect x="70"', '<rect x="-70"', "the box 'a' leaves the page"),
    "a line that leaves the page": ("90 100,-67", "90 400,-67", "the line a->b leaves the page"),
    "a text over another": ('x="30" y="-158"', 'x="84" y="-176"', "'block' of 'block' covers 'net' of ''"),
    "a label under a node": ('<text x="106" y="-84"', '<text x="126" y="-114"', "'64 x 7' of 'a->b' meets the box 'a'"),
    "nodes over each other": ('cy="-45"', 'cy="-100"', "the boxes 'b' and 'a' overlap"),
    "a node half in a cluster": ('<rect x="70"', '<rect x="150"', "the boxes 'a' and 'block' overlap"),
    "a line through a node": (
        '<title>a->b</title><path d="M100,-110', '<title>c->b</title><path d="M100,-125', "c->b goes through 'a'",
    ),
    "small letters": ('font-size="8"', 'font-size="5.9"', "'64 x 7' of 'a->b' is 5.90 pt"),
    "a page that is printed small": ('width="200pt" height="200pt"', 'width="30mm" height="30mm"', "is 3.40 pt"),
}  # fmt: skip


def test_a_figure_without_faults() -> None:
    page = geometry.read(CLEAN)
    assert [len(page.texts), len(page.boxes), len(page.lines)] == [5, 3, 1]
    assert geometry.faults(page, letters=8) == []


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_found(fault: str) -> None:
    before, after, expected = PLANTED[fault]
    assert before in CLEAN
    found = geometry.faults(geometry.read(CLEAN.replace(before, after)), letters=6)
    assert any(expected in line for line in found), found


def figure(name: str, style: str = "compact") -> str:
    return cnndsl.load(ROOT / "archs" / f"{name}.yaml").diagram(style=style, depth=2).svg()


@pytest.mark.parametrize("style", ["compact", "layers"])
@pytest.mark.parametrize("name", ["inception", "resnet18", "unet"])
def test_our_figures_have_no_faults(name: str, style: str) -> None:
    assert geometry.faults(geometry.read(figure(name, style)), letters=6) == []


def test_a_figure_has_the_same_bytes_each_time() -> None:
    assert figure("googlenet") == figure("googlenet")


def test_a_text_that_is_moved_in_our_figure_is_found() -> None:
    svg = figure("inception", "layers")
    (place,) = re.findall(r'<title>0.maxpool1</title>\n<path.*\n<text [^>]* y="(\S+)"', svg)
    moved = svg.replace(f'y="{place}"', f'y="{float(place) + 20}"')
    assert "'MaxPool2d' of '0.maxpool1' leaves its box" in geometry.faults(geometry.read(moved))


def _measured(svg: str, folder: Path) -> list[tuple[str, float]]:
    """Each text of an SVG and its width in points, as Chromium draws it."""
    script = """
      const found = [...document.querySelectorAll("text")].map(text => [text.textContent.trim(), text.getBBox().width]);
      document.querySelector("#found").textContent = JSON.stringify(found);"""
    page = folder / "page.html"
    inline = svg[svg.index("<svg") :]
    page.write_text(f'<meta charset="utf-8">{inline}<pre id="found"></pre><script>{script}</script>')
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--dump-dom"]
    printed = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120).stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', printed, re.DOTALL)
    assert found, printed[:500]
    return [(text, width) for text, width in json.loads(unescape(found[1]))]


def _like_helvetica() -> bool:
    """Whether the browser has a font with the metrics of Helvetica."""
    fontconfig = shutil.which("fc-match")
    name = fontconfig and subprocess.run([fontconfig, "Helvetica"], capture_output=True, text=True).stdout
    return bool(name) and any(font in str(name) for font in ALIKE)


STRINGS = [
    "Conv2d",
    "64\u00d728\u00d728",
    "3\u00d73, stride 2",
    "AdaptiveAvgPool2d",
    "1.2 k parameters \u2026",
    "W&M \u00b7 <q>",
]


def listed(strings: list[str]) -> str:
    """Texts below each other, each of them normal and bold."""
    texts = [(text, weight) for text in strings for weight in ("normal", "bold")]
    lines = "".join(
        f'<text x="5" y="{20 * place + 20}" font-family="Helvetica" font-size="11" font-weight="{weight}">'
        f"{escape(text)}</text>"
        for place, (text, weight) in enumerate(texts)
    )
    return f'<svg width="300pt" height="300pt" viewBox="0 0 300 300" xmlns="http://www.w3.org/2000/svg">{lines}</svg>'


@pytest.mark.skipif(not CHROMIUM or not _like_helvetica(), reason="needs Chromium and a font like Helvetica")
@pytest.mark.parametrize("make", [lambda: listed(STRINGS), lambda: figure("inception")], ids=["strings", "a figure"])
def test_a_browser_measures_the_same_widths(make: Callable[[], str], tmp_path: Path) -> None:
    """It kerns, so that texts become slightly narrower."""
    svg = make()
    ours, theirs = geometry.read(svg).texts, _measured(svg, tmp_path)
    assert sorted(text.content for text in ours) == sorted(content for content, _ in theirs)
    widths = iter(width for _, width in sorted(theirs))
    for text in sorted(ours, key=lambda text: (text.content, text.advance)):
        width = next(widths)
        assert text.advance == pytest.approx(width, rel=0.03), text
        assert text.extent.right - text.extent.left <= width * 1.03
