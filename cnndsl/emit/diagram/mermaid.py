"""A network as a Mermaid flowchart, for READMEs: the boxes of a compact figure, and its blocks as subgraphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from msgspec.structs import replace

from cnndsl.emit.diagram.compact.sheet import Panel, panels
from cnndsl.emit.diagram.options import Options, paths
from cnndsl.emit.diagram.picture import Box, Picture
from cnndsl.emit.diagram.themes import Fill
from cnndsl.emit.diagram.written import filled
from cnndsl.graph.graph import Graph, walk
from cnndsl.printable import one_line

#: The most characters and edges of a chart that Mermaid draws, by default: its `maxTextSize` and `maxEdges`.
CHARACTERS, EDGES = 50_000, 500
#: What a label may have besides letters and digits. Everything else is written as a code, so that nothing in it is
#: syntax, HTML, Markdown or a formula for Mermaid.
PLAIN = frozenset(" .,()/+-='\u00b7\u00d7\u2026\u2191\u2192\u2212")
#: The brackets of a box by its kind. Others are rectangles.
BRACKETS = {"end": ("([", "])"), "merge": ("((", "))"), "module": ("[[", "]]")}
#: Options of figures that a flowchart does not have.
NOT_FOR_CHARTS = {"style", "dpi", "fit"}


def mermaid(graph: Graph, **options: Any) -> str:
    """The text of a flowchart, which GitHub and GitLab draw in a block of the language ``mermaid``.

    The options are those of a compact diagram. A chart that is larger than what Mermaid draws has less depth, and
    finally only the ends of long lists. Raises what :func:`~cnndsl.emit.diagram.diagram` does.
    """
    for name in NOT_FOR_CHARTS & options.keys():
        raise ValueError(f"{name} has no meaning for a flowchart")
    asked = Options(**{**options, "expand": paths(options.get("expand", ()))})
    asked.check(graph)
    for coarser, longest in _coarser(graph, asked):
        found = panels(graph, coarser, longest)
        text = _Chart(graph.root.name, found, coarser).text
        if len(text) <= CHARACTERS and sum(len(panel.picture.wires) for panel in found) <= EDGES:
            break
    return text


def _coarser(graph: Graph, options: Options) -> Iterator[tuple[Options, int | None]]:
    """What to try: with less and less depth, and finally without the middle of long lists."""
    yield options, None
    deepest = max((level for level, _ in walk(graph.root.body)), default=1)
    for depth in range(min(options.depth or deepest, deepest) - 1, 0, -1):
        yield replace(options, depth=depth), None
    for longest in (64, 16, 4):
        yield replace(options, depth=1), longest


class _Chart:
    """``looks`` has the names of what has each fill."""

    def __init__(self, name: str, found: Sequence[Panel], options: Options) -> None:
        self.name, self.direction, self.theme = name, options.rankdir, options.colours
        self.count = 0
        self.looks: dict[Fill, list[str]] = {}
        # Mermaid places subgraphs from the last to the first.
        drawn = [panel.picture for panel in reversed(found) if panel.picture.wires]  # without the legend
        flow = [line for picture in drawn for line in self._panel(picture)]
        self.text = "\n  ".join([f"flowchart {self.direction}", *flow, *self._styles()]) + "\n"

    def _id(self, look: Fill) -> str:
        """A new name, for something with a look."""
        self.count += 1
        self.looks.setdefault(look, []).append(f"n{self.count}")
        return f"n{self.count}"

    def _panel(self, picture: Picture) -> Iterator[str]:
        """The trunk, or a block, as a subgraph with its name."""
        texts = {text.id: text.line.text for text in picture.texts}
        frame = next((f"{box.id} name" for box in picture.boxes if box.kind == "panel"), "")
        look = (self.theme.levels[0], self.theme.frame) if frame else (self.theme.paper, self.theme.paper)
        yield f"subgraph {self._id(look)}[{quoted(texts.get(frame, self.name))}]"
        yield f"  direction {self.direction}"
        yield from (f"  {line}" for line in self._flow(picture, texts))
        yield "end"

    def _flow(self, picture: Picture, texts: dict[str, str]) -> Iterator[str]:
        ids: dict[str, str] = {}
        dots = {box.id for box in picture.boxes if box.kind == "fork"}
        before = {wire.head: wire.tail for wire in picture.wires if wire.head in dots}
        for box in picture.boxes:
            if box.kind not in ("panel", "fork", "swatch"):
                ids[box.id] = self._id(filled(box, self.theme))
                yield ids[box.id] + _box(box)
        seen: set[tuple[str, str]] = set()
        for wire in picture.wires:
            if wire.head in dots:
                continue
            tail = before.get(wire.tail, wire.tail)
            # What a line carries is told once for all lines from a box, what it is to its head always.
            label = "" if (tail, wire.label) in seen else wire.label
            seen.add((tail, wire.label))
            told = " \N{RIGHTWARDS ARROW} ".join(part for part in (label, wire.role) if part)
            yield f"{ids[tail]} -->{f'|{quoted(told)}|' if told else ''} {ids[wire.head]}"

    def _styles(self) -> Iterator[str]:
        for number, ((fill, border), names) in enumerate(self.looks.items(), 1):
            yield f"classDef c{number} fill:{fill},stroke:{border},color:{self.theme.ink}"
            yield f"class {','.join(names)} c{number}"


def _box(box: Box) -> str:
    parts = [" ".join(line.text.strip() for line in alike) for _, alike in groupby(box.lines, lambda line: line.size)]
    text = "<br/>".join(map(escaped, parts))
    left, right = BRACKETS.get(box.kind, ("[", "]"))
    if box.kind == "merge" and box.width != box.height:
        left, right = "([", "])"
    return f'{left}"{text or " "}"{right}'


def quoted(text: str) -> str:
    return f'"{escaped(text.strip())}"'


def escaped(text: str) -> str:
    """A label, with all that could mean something as a code of Mermaid: ``#35;`` is ``#``."""
    line = one_line(text.replace("\u00a0", " "))
    return "".join(char if char.isalnum() or char in PLAIN else f"#{ord(char)};" for char in line)
