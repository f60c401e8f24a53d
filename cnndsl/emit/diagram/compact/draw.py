"""A canvas as a picture: what was written, measured, placed and led, with coordinates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from cnndsl.emit.diagram.compact.fuse import is_main_layer
from cnndsl.emit.diagram.compact.items import Canvas, Cell
from cnndsl.emit.diagram.compact.measure import ARROW, EXIT, EXIT_PAD, Measured
from cnndsl.emit.diagram.compact.place import ABOVE, Bar, Plan, Spot, planned
from cnndsl.emit.diagram.compact.route import Bundle, Path, Routed, Router
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.picture import Box, Line, Picture, Point, Stroke, Text, Wire

#: The diameter of a dot where lines part.
DOT = 3.0


class Names:
    """Names of boxes that are unique in a figure."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def new(self, name: str) -> str:
        """``name``, with a number if it is taken."""
        self._taken[name] += 1
        return name if self._taken[name] == 1 else self.new(f"{name} {self._taken[name]}")


def drawn(canvas: Canvas, options: Options, names: Names, shares: Mapping[Cell, float]) -> Picture:
    """The picture of one canvas, with its top left corner anywhere. ``shares`` colour cells by cost."""
    return _Drawer(canvas, options, names, shares).picture()


class _Drawer:
    def __init__(self, canvas: Canvas, options: Options, names: Names, shares: Mapping[Cell, float]) -> None:
        self.options, self.names, self.shares = options, names, shares
        self.text = Measured(canvas, options)
        titles = self.text.titles
        self.plan: Plan = planned(canvas.stack, self.text.sizes, titles)
        rows: dict[int, float] = {}
        for bar in self.plan.bars:
            rows[bar.rows[0]] = max(rows.get(bar.rows[0], 0.0), titles[bar.stack][0])
        self.routed: Routed = Router(self.plan, rows).routed()
        self.ids = {spot.cell: names.new(self._name(spot.cell)) for spot in self.plan.spots}
        self.forks: dict[Bundle, str] = {}

    def picture(self) -> Picture:
        boxes = [self._box(spot) for spot in self.plan.spots]
        wires: list[Wire] = []
        texts = [*self._labels(), *self._roles()]
        for box, wire in (*self._forked(), *self._exits()):
            boxes.append(box)
            wires.append(wire)
        wires += [self._wire(path) for path in self.routed.paths]
        brackets = [self._bracket(bar) for bar in self.plan.bars]
        texts += [text for text, _ in brackets]
        return Picture(tuple(boxes), tuple(wires), tuple(texts), tuple(stroke for _, stroke in brackets))

    def _name(self, cell: Cell) -> str:
        if cell.drawn:
            return cell.first.path
        role = {"end": "input" if cell.makes else "output"}.get(cell.kind, cell.kind)
        return " ".join(filter(None, (role, cell.title if cell.title != role else "", self.text.inside)))

    def _point(self, across: float, along: float) -> Point:
        sign = -1 if self.options.rankdir in ("BT", "RL") else 1
        return (across, sign * along) if self.text.upright else (sign * along, across)

    # Boxes

    def _box(self, spot: Spot) -> Box:
        cell = spot.cell
        along, across = spot.size.along, 2 * spot.half
        width, height = (across, along) if self.text.upright else (along, across)
        return Box(
            self.ids[cell], "layer" if cell.kind == "layers" else cell.kind, *self._point(spot.across, spot.at),
            width, height, tuple(self.text.lines[cell]), _family(cell), self.shares.get(cell), self._mark(cell),
            tuple(member.path for members in cell.drawn for member in members),
        )  # fmt: skip

    def _mark(self, cell: Cell) -> str:
        """What a comparison says of the operations in a cell: ``changed`` if it is not the same for all."""
        if not self.options.marks or not cell.drawn:
            return ""
        found = {self._mark_of(members[0].path) for members in cell.drawn}
        return found.pop() if len(found) == 1 else "changed"

    def _mark_of(self, path: str) -> str:
        """A module is ``changed`` if something in it has a mark."""
        marks = self.options.marks
        return marks.get(path) or ("changed" if any(marked.startswith(f"{path}.") for marked in marks) else "")

    def _forked(self) -> Iterator[tuple[Box, Wire]]:
        """Dots where lines of the same tensors part, with the line to each."""
        for (spot, tensors), (across, at) in self.routed.forks.items():
            fork = Box(self.names.new(f"{self.ids[spot.cell]} fork"), "fork", *self._point(across, at), DOT, DOT)
            self.forks[spot, tensors] = fork.id
            stem = self._point(across, spot.at + spot.size.along / 2), self._point(across, at)
            yield fork, Wire(self.ids[spot.cell], fork.id, stem, arrow=False)

    def _exits(self) -> Iterator[tuple[Box, Wire]]:
        """Outputs beside the boxes that make them, with their lines."""
        for spot in self.plan.spots:
            for leaving, at in zip(spot.cell.exits, self.routed.exits.get(spot.cell, ())):
                line = self.text.exit(leaving)
                width, height = line.width + EXIT_PAD, EXIT - 2
                start = spot.across + spot.half
                middle = start + ARROW + (width if self.text.upright else height) / 2
                id = self.names.new(f"output {leaving.name} {self.text.inside}".strip())
                box = Box(id, "end", *self._point(middle, at), width, height, (line,))
                yield box, Wire(self.ids[spot.cell], id, (self._point(start, at), self._point(start + ARROW, at)))

    # Lines

    def _wire(self, path: Path) -> Wire:
        """A line. One of several of a tensor starts at their fork."""
        edge = path.edge
        points = tuple(self._point(across, along()) for across, along in path.corners)
        tail = self.ids[edge.tail.cell]
        if (key := (edge.tail, edge.tensors)) in self.forks:
            tail = self.forks[key]
            points = (self._point(path.start, self.routed.forks[key][1]), *points[1:])
        label = self.text.labels[edge.tail.cell].get(edge.tensors)
        return Wire(tail, self.ids[edge.head.cell], points, path.skips, True, label.text if label else "", edge.role)

    def _bracket(self, bar: Bar) -> tuple[Text, Stroke]:
        """A bracket beside a stack, with its text beside its first row."""
        first, last = bar.rows
        top, bottom = self.routed.tops[first], self.routed.tops[last] + self.routed.heights[last]
        name = self.names.new(f"bracket {self.text.inside}".strip())
        corners = ((bar.across + 4, top), (bar.across, top), (bar.across, bottom), (bar.across + 4, bottom))
        line = self.text.brackets[bar.stack]
        along, across = self.text.turned(line.width, line.height)
        stroke = Stroke(name, tuple(self._point(*corner) for corner in corners))
        if self.text.upright:
            at = self._point(bar.across - 4, top + self.routed.heights[first] / 2)
            return Text(f"{name} name", *at, line, "end"), stroke
        return Text(f"{name} name", *self._point(bar.across - 2 - across / 2, top + along / 2), line, "middle"), stroke

    # Texts

    def _labels(self) -> Iterator[Text]:
        """What lines carry, below the cells that they leave: once if it is the same for all."""
        told: set[tuple[Spot, Line]] = set()
        for path in self.routed.paths:
            spot = path.edge.tail
            line = self.text.labels[spot.cell].get(path.edge.tensors)
            if line and (spot, line) not in told:
                told.add((spot, line))
                yield self._label(spot, path.corners[0][0], line)

    def _label(self, spot: Spot, across: float, line: Line) -> Text:
        """A text beside a line out of a cell."""
        along, beside = self.text.turned(line.width, line.height)
        at = spot.at + spot.size.along / 2 + ABOVE + along / 2
        name = self.names.new(f"{self.ids[spot.cell]} shape")
        if self.text.upright:
            return Text(name, *self._point(across + 4, at), line)
        return Text(name, *self._point(across + 2 + beside / 2, at), line, "middle")

    def _roles(self) -> Iterator[Text]:
        """What the tensors of lines are to the cells at their ends, beside these ends."""
        for path in self.routed.paths:
            if not path.edge.role:
                continue
            name = self.names.new(f"{self.ids[path.edge.head.cell]} role")
            line = self.text.role(path.edge.role)
            place = self._at_side(path) if path.edge.head.cell.kind == "merge" else self._at_top(path, line)
            yield Text(name, *self._point(*place), line, "middle")

    def _at_side(self, path: Path) -> Point:
        """Beside the end of a line into a merge, away from the other."""
        (before, _), (across, along) = path.corners[-2], path.corners[-1]
        if abs(across - before) < 0.5:
            return across + (-6 if across < path.edge.head.across - 0.5 else 6), along() - 9
        return across + (9 if before > across else -9), along() + (-6 if self.text.upright else 6)

    def _at_top(self, path: Path, line: Line) -> Point:
        """Beside the end of a line into the top of a block."""
        across, at = path.corners[-1]
        if self.text.upright:
            return across + 4 + line.width / 2, at() - 7
        return across - 6, at() - 8 - line.width / 2


def _family(cell: Cell) -> str:
    if cell.kind != "layers":
        return ""
    return next(filter(is_main_layer, cell.layers), cell.layers[0]).layer.family
