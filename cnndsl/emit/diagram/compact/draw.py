"""A canvas as a picture: what is written, measured, placed and led, with coordinates."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.emit.diagram.compact import words
from cnndsl.emit.diagram.compact.items import ONCE, Canvas, Cell, Item, Stack, cells
from cnndsl.emit.diagram.compact.place import ABOVE, Plan, Size, Spot, planned
from cnndsl.emit.diagram.compact.route import EXIT, Path, Routed, Router
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.picture import Box, Line, Picture, Piece, Point, Stroke, Text, Wire
from cnndsl.graph.graph import Tensor

#: Around the text of a box, and the least size of one.
PAD, HEIGHT, WIDTH = 7.0, 19.0, 40.0
#: From a box to an output beside it.
ARROW = 16.0


def drawn(canvas: Canvas, options: Options) -> Picture:
    """The picture of one canvas, with its top left corner anywhere."""
    return _Drawer(canvas, options).picture()


class _Drawer:
    def __init__(self, canvas: Canvas, options: Options) -> None:
        self.canvas, self.options = canvas, options
        self.upright = options.rankdir in ("TB", "BT")
        self.inside = canvas.group.modules[0].path if canvas.group else ""
        self.lines = {cell: self._lines(cell) for cell in cells(canvas.stack)}
        self.labels = {cell: self._label(cell) for cell in self.lines}
        self.brackets = {
            stack: self._title(stack) for stack in _stacks(canvas.stack) if stack.name or stack.times != ONCE
        }

    def picture(self) -> Picture:
        sizes = {cell: self._size(cell) for cell in self.lines}
        texts = {stack: self._turned(line.width, line.height) for stack, line in self.brackets.items()}
        plan = planned(self.canvas.stack, sizes, texts)
        rows: dict[int, float] = {}
        for bar in plan.bars:
            rows[bar.rows[0]] = max(rows.get(bar.rows[0], 0.0), texts[bar.stack][0])
        routed = Router(plan, rows).routed()
        return self._whole(plan, routed)

    # Texts

    def _lines(self, cell: Cell) -> list[Line]:
        port = cell.kind == "end" and self.canvas.group and cell.title in ("input", "output")
        return [] if port else words.lines(cell, self.options.verbose, self.options.names, self.inside)

    def _title(self, stack: Stack) -> Line:
        name = [Piece(words.clean(stack.name), "muted")] if stack.name else []
        times = [Piece(f" {words.repeated(stack.times)}".lstrip() if not name else f" {words.repeated(stack.times)}",
                       "accent")] if stack.times != ONCE else []  # fmt: skip
        return Line((*name, *times), words.SMALL)

    def _label(self, cell: Cell) -> Line | None:
        """The shape of what comes out, if it is not that of what goes in."""
        if not self.options.show_shapes or cell.kind == "rest" or not cell.makes:
            return None
        shapes = self._shapes(cell)
        if len(shapes) != 1 or (not self.options.verbose and shapes == self._taken(cell)):
            return None
        return Line((Piece(words.shape(*shapes), "muted"),), words.SMALL)

    def _many(self, spot: Spot, routed: Routed) -> Line | None:
        """What is written beside the line out of a cell: its shape, or how many tensors go this way."""
        edges = [path.edge for path in routed.paths if path.edge.tail is spot]
        most = max((edge.count for edge in edges), default=0)
        if most > 1 and spot.cell.kind != "rest" and self.options.show_shapes:
            return Line((Piece(f"{most} tensors", "muted"),), words.SMALL)
        return self.labels[spot.cell] if edges else None

    def _shapes(self, cell: Cell) -> set[tuple[int, ...]]:
        if not cell.drawn:
            return {self._sample(tensor) for tensor in cell.makes if self.canvas.group is None}
        run = cell.times[-1]
        ends = cell.drawn[-1][run - 1 :: run] if len(cell.times) == 1 else cell.drawn[-1]
        return {self._sample(member.outputs[-1]) for member in ends}

    def _taken(self, cell: Cell) -> set[tuple[int, ...]]:
        if not cell.drawn:
            return set()
        return {self._sample(tensor) for member in cell.drawn[0][:1] for tensor in member.inputs[:]}

    def _sample(self, tensor: Tensor) -> tuple[int, ...]:
        return tensor.shape.sample

    # Sizes

    def _turned(self, width: float, height: float) -> tuple[float, float]:
        """Along and across the flow."""
        return (height, width) if self.upright else (width, height)

    def _size(self, cell: Cell) -> Size:
        lines = self.lines[cell]
        width = max((line.width for line in lines), default=0.0)
        height = sum(line.height for line in lines)
        if cell.kind == "merge":
            round_ = len(lines[0].text) == 1
            size = (17.0, 17.0) if round_ else (width + 14, 17.0)
        elif not lines:
            size = (0.0, 0.0)
        else:
            size = max(width + 2 * PAD, WIDTH), max(height + PAD, HEIGHT)
        label = self.labels[cell]
        beside = self._turned(label.width + 6, label.height) if label else (0.0, 0.0)
        exits = [Line((Piece(name),), words.SMALL).width for name in cell.exits]
        aside = self._turned(ARROW + max(exits, default=-ARROW - 10) + 10, EXIT)
        return Size(*self._turned(*size), beside, aside if exits else (0.0, 0.0))

    # Pictures

    def _whole(self, plan: Plan, routed: Routed) -> Picture:
        ids = _Ids(plan.spots, self)
        boxes = [self._box(spot, ids.of[spot.cell]) for spot in plan.spots]
        wires: list[Wire] = []
        for (spot, tensor), at in routed.forks.items():
            fork = Box(f"{ids.of[spot.cell]} fork {len(wires)}", "fork", *self._point(spot.across, at), 3, 3)
            stem = self._point(spot.across, spot.at + spot.size.along / 2), self._point(spot.across, at)
            ids.forks[spot, tensor] = fork.id
            boxes.append(fork)
            wires.append(Wire(ids.of[spot.cell], fork.id, stem, arrow=False))
        wires += [self._wire(path, ids, routed) for path in routed.paths]
        texts, strokes = [], []
        for spot in plan.spots:
            if label := self._many(spot, routed):
                texts.append(self._beside(spot, label, f"{ids.of[spot.cell]} shape"))
            for name, at in zip(spot.cell.exits, routed.exits.get(spot.cell, ())):
                box, wire = self._exit(spot, name, at, ids.of[spot.cell])
                boxes.append(box)
                wires.append(wire)
        for number, bar in enumerate(plan.bars):
            top, bottom = routed.tops[bar.rows[0]], routed.tops[bar.rows[1]] + routed.heights[bar.rows[1]]
            corners = ((bar.across + 4, top), (bar.across, top), (bar.across, bottom), (bar.across + 4, bottom))
            strokes.append(Stroke(f"{self.inside} bracket {number}", tuple(self._point(*at) for at in corners)))
            middle = top + routed.heights[bar.rows[0]] / 2
            texts.append(
                Text(
                    f"{self.inside} bracket {number} name".strip(),
                    *self._point(bar.across - 4, middle),
                    self.brackets[bar.stack],
                    "end",
                )
            )
        return Picture(tuple(boxes), tuple(wires), tuple(texts), tuple(strokes))

    def _point(self, across: float, along: float) -> Point:
        sign = -1 if self.options.rankdir in ("BT", "RL") else 1
        return (across, sign * along) if self.upright else (sign * along, across)

    def _box(self, spot: Spot, id: str) -> Box:
        cell = spot.cell
        x, y = self._point(spot.across, spot.at)
        along, across = spot.size.along, 2 * spot.half
        width, height = (across, along) if self.upright else (along, across)
        kind = {"layers": "layer"}.get(cell.kind, cell.kind)
        family = ""
        if cell.kind == "layers":
            main = next(
                (each for each in cell.layers if each.layer.family in ("convolution", "linear")), cell.layers[0]
            )
            family = main.layer.family
        paths = tuple(member.path for members in cell.drawn for member in members)
        return Box(id, kind, x, y, width, height, tuple(self.lines[cell]), family, paths=paths)  # type: ignore[arg-type]

    def _wire(self, path: Path, ids: _Ids, routed: Routed) -> Wire:
        """A line. One of several of a tensor starts at their fork."""
        edge = path.edge
        points = tuple(self._point(across, along()) for across, along in path.corners)
        tail = ids.of[edge.tail.cell]
        if (key := (edge.tail, edge.tensor)) in routed.forks:
            tail = ids.forks[key]
            points = (self._point(edge.tail.across, routed.forks[key]), *points[1:])
        return Wire(tail, ids.of[edge.head.cell], points, path.skips)

    def _beside(self, spot: Spot, label: Line, id: str) -> Text:
        along, across = self._turned(label.width, label.height)
        at = spot.at + spot.size.along / 2 + ABOVE + along / 2
        if self.upright:
            return Text(id, *self._point(spot.across + 4, at), label)
        return Text(id, *self._point(spot.across + 2 + across / 2, at), label, "middle")

    def _exit(self, spot: Spot, name: str, at: float, id: str) -> tuple[Box, Wire]:
        line = Line((Piece(words.clean(name)),), words.SMALL)
        start = spot.across + spot.half
        _, across = self._turned(line.width + 8, 12.0)
        end = start + ARROW
        box = Box(f"{id} output {name}", "end", *self._point(end + across / 2, at),
                  line.width + 8, 12.0, (line,))  # fmt: skip
        return box, Wire(id, box.id, (self._point(start, at), self._point(end, at)))


class _Ids:
    """Names of boxes: the path of the first operation, with a number if it is taken."""

    def __init__(self, spots: Sequence[Spot], drawer: _Drawer) -> None:
        self.of: dict[Cell, str] = {}
        self.forks: dict[tuple[Spot, Tensor], str] = {}
        taken: dict[str, int] = {}
        where = drawer.inside
        for spot in spots:
            cell = spot.cell
            base = (
                cell.first.path if cell.drawn else f"{'input' if cell.makes else 'output'} {cell.title} {where}".strip()
            )
            taken[base] = taken.get(base, 0) + 1
            self.of[cell] = base if taken[base] == 1 else f"{base} {taken[base]}"


def _stacks(item: Item) -> list[Stack]:
    if isinstance(item, Cell):
        return []
    inner = [stack for each in (item.items if isinstance(item, Stack) else item.arms) for stack in _stacks(each)]
    return [item, *inner] if isinstance(item, Stack) else inner
