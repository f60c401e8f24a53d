"""The picture of the compiler in docs/compiler.md: what each stage makes of the page's spec."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import cnndsl
from cnndsl.network import compile_spec
from cnndsl.palette import BLUE, FONTS, GREEN, INK, LINE, MUTED, ORANGE, PURPLE, SKY, VERMILION
from cnndsl.spec.steps import Steps, nested

DOCS = Path(__file__).parent
PICTURE = DOCS / "images" / "pipeline.svg"
#: The size of the picture, the height of a box, and the distance between the tops of two rows.
WIDTH, HEIGHT, TALL, ROW = 660, 600, 56, 124
#: The colours in light, and in dark.
COLOURS = {
    "ground": ("#FFFFFF", "#12171E"),
    "paper": ("#F6F8FA", "#1A2129"),
    "ink": (INK, "#E6EDF3"),
    "muted": (MUTED, "#9AA5B1"),
    "line": (LINE, "#7D8790"),
}


class Box(NamedTuple):
    """What a stage makes, and where it is drawn."""

    name: str
    detail: str
    colour: str
    x: float
    row: float
    width: float = 210

    @property
    def y(self) -> float:
        return 24 + self.row * ROW


class Stage(NamedTuple):
    """A line from box to box, with the folder that does the work, what it does, and where this is written."""

    points: tuple[tuple[float, float], ...]
    folder: str = ""
    work: str = ""
    at: tuple[float, float] = (0, 0)


def main() -> None:
    PICTURE.write_text(picture(spec()))


def spec() -> str:
    """The spec that the page follows."""
    return re.findall(r"```yaml\n(.*?)```", (DOCS / "compiler.md").read_text(), re.DOTALL)[0]


def boxes(text: str) -> Iterator[Box]:
    """What the stages make of a spec: the way to a module at the left, what else there is at the right."""
    net, document = cnndsl.loads(text), compile_spec(cnndsl.Text(text)).document
    assert document is not None
    steps = sum(map(_count, [document.network, *(block.steps for block in document.blocks.values())]))
    tensors = {tensor for operation in net.graph.root.everything for tensor in operation.outputs}
    yield Box("text", f"{len(text.splitlines())} lines of YAML", SKY, 24, 0)
    yield Box("Document", f"{steps} steps, with their places", BLUE, 24, 1)
    yield Box("Graph", f"{len(tensors)} tensors, shapes known", GREEN, 24, 2)
    yield Box("source", f"{len(net.source().splitlines())} lines of Python", ORANGE, 24, 3)
    yield Box("nn.Module", f"{net.cost.params:,} parameters", PURPLE, 24, 4)
    yield Box("diagnostics", "code, place, message, help", VERMILION, 426, 1)
    yield Box("table, figure, diff, page", "emit/, compare/, questions/", GREEN, 426, 2)
    yield Box("Recipe", "optimizer, data, loss", BLUE, 426, 3)
    yield Box("run", "checkpoints, metrics, curves", PURPLE, 426, 4)


def stages() -> Iterator[Stage]:
    """The arrows, for the places of :func:`boxes`."""
    for row, (folder, work) in enumerate(
        [
            ("spec/", "reads and checks the words"),
            ("graph/", "unrolls, infers each shape"),
            ("emit/source/", "folds equal parts"),
            ("emit/module.py", "runs the source"),
        ]
    ):
        top = 24 + row * ROW + TALL
        yield Stage(((129, top), (129, top + ROW - TALL)), folder, work, (141, top + 29))
    yield Stage(((234, 176), (426, 176)))
    yield Stage(((234, 288), (346, 288), (346, 188), (426, 188)))
    yield Stage(((234, 300), (426, 300)))
    yield Stage(((234, 312), (346, 312), (346, 424), (426, 424)), "recipe/", "fits it to the shapes", (356, 365))
    yield Stage(((234, 548), (426, 548)), "training/", "", (298, 539))
    yield Stage(((531, 452), (531, 520)))


def picture(text: str) -> str:
    """The picture as SVG, for readers in light and in dark."""
    light, dark = ("".join(f"--{name}:{pair[side]};" for name, pair in COLOURS.items()) for side in (0, 1))
    return SVG.format(
        width=WIDTH,
        height=HEIGHT,
        light=light,
        dark=dark,
        fonts=", ".join(f"'{font}'" if " " in font else font for font in FONTS),
        stages="".join(map(_stage, stages())),
        boxes="".join(map(_box, boxes(text))),
    )


SVG = """\
<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">
<title>From the text of a spec to a trained network</title>
<style>
:root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}
text {{ font-family: {fonts}, sans-serif; font-size: 13px; fill: var(--muted); }}
.name {{ font-size: 15px; font-weight: bold; fill: var(--ink); text-anchor: middle; }}
.detail {{ text-anchor: middle; }}
.folder {{ font-weight: bold; fill: var(--ink); }}
path {{ fill: none; stroke: var(--line); stroke-width: 1.4; }}
marker path {{ fill: var(--line); stroke: none; }}
</style>
<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0L8 4L0 8z"/></marker></defs>
<rect width="{width}" height="{height}" rx="8" fill="var(--ground)"/>
{stages}{boxes}</svg>
"""


def _box(box: Box) -> str:
    middle = box.x + box.width / 2
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{TALL}" rx="6" '
        f'fill="var(--paper)" stroke="{box.colour}" stroke-width="1.6"/>\n'
        f'<text class="name" x="{middle:g}" y="{box.y + 24:g}">{escape(box.name)}</text>\n'
        f'<text class="detail" x="{middle:g}" y="{box.y + 43:g}">{escape(box.detail)}</text>\n'
    )


def _stage(stage: Stage) -> str:
    way = "L".join(f"{x:g} {y:g}" for x, y in stage.points)
    x, y = stage.at
    words = (
        f'<text class="folder" x="{x:g}" y="{y:g}">{escape(stage.folder)}</text>\n'
        f'<text x="{x:g}" y="{y + 16:g}">{escape(stage.work)}</text>\n'
    )
    return f'<path d="M{way}" marker-end="url(#arrow)"/>\n{words if stage.folder else ""}'


def _count(steps: Steps) -> int:
    return sum(1 + sum(map(_count, nested(step))) for step in steps)


if __name__ == "__main__":
    main()
