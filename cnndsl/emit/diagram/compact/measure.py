"""The texts of a canvas and the room that they take."""

from __future__ import annotations

from collections.abc import Sequence

from cnndsl.emit.diagram.compact import words
from cnndsl.emit.diagram.compact.items import ONCE, Canvas, Cell, Exit, Stack, cells, links, stacks
from cnndsl.emit.diagram.compact.place import Size
from cnndsl.emit.diagram.labels import clean, listed
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.picture import Line, Piece
from cnndsl.graph.graph import Module, Tensor

#: Around the text of a box, and the least size of one. A circle has a diameter.
PAD, HEIGHT, WIDTH, CIRCLE = 7.0, 20.0, 40.0, 17.0
#: From a box to an output beside it, the room above and below that, and around its text.
ARROW, EXIT, EXIT_PAD = 16.0, 14.0, 8.0


class Measured:
    """What is written into the cells of a canvas (``lines``), beside the lines out of them for each set of tensors
    (``labels``), at the ends of lines into them (``roles``), and beside brackets. ``bundles`` are the sets of tensors
    that lines carry out of a cell."""

    def __init__(self, canvas: Canvas, options: Options) -> None:
        self.canvas, self.options = canvas, options
        self.upright = options.rankdir in ("TB", "BT")
        self.uses = [module.path for module in canvas.group.modules] if canvas.group else []
        self.inside = self.uses[0] if self.uses else ""
        self.lines = {cell: self._lines(cell) for cell in cells(canvas.stack)}
        self.labels: dict[Cell, dict[tuple[Tensor, ...], Line]] = {cell: {} for cell in self.lines}
        self.roles: dict[Cell, list[str]] = {cell: [] for cell in self.lines}
        self.bundles: dict[Cell, set[tuple[Tensor, ...]]] = {cell: set() for cell in self.lines}
        between = links(canvas.stack)
        for link in between:
            self.bundles[link.tail].add(link.tensors)
        for link in between:
            if link.role:
                self.roles[link.head].append(link.role)
            if label := self._label(link.tail, link.tensors):
                self.labels[link.tail][link.tensors] = label
        self.brackets = {stack: _title(stack) for stack in stacks(canvas.stack) if self._is_bracketed(stack)}

    def turned(self, width: float, height: float) -> tuple[float, float]:
        """A size along and across the flow, or the other way round."""
        return (height, width) if self.upright else (width, height)

    @property
    def sizes(self) -> dict[Cell, Size]:
        return {cell: self._size(cell) for cell in self.lines}

    @property
    def titles(self) -> dict[Stack, tuple[float, float]]:
        """The sizes of the texts of brackets."""
        return {stack: self.turned(line.width, line.height) for stack, line in self.brackets.items()}

    def exit(self, leaving: Exit) -> Line:
        """The text of an output beside its box."""
        shape = leaving.shape if self.options.show_shapes else None
        told = [Piece(f"  {words.shape(shape)}", "muted")] if shape else []
        return words.line([Piece(clean(leaving.name)), *told], words.SMALL)

    def role(self, text: str) -> Line:
        """What a tensor is to the cell that takes it."""
        return words.line([Piece(clean(text), "muted")], words.SMALL)

    # Texts

    def _lines(self, cell: Cell) -> list[Line]:
        port = cell.kind == "end" and self.canvas.group and cell.title in ("input", "output")
        options = self.options
        return [] if port else words.lines(cell, options.verbose, options.names, self.uses, options.marks)

    def _is_bracketed(self, stack: Stack) -> bool:
        """Whether a stack is repeated, or has a name that says where one is in the network."""
        return stack.times != ONCE or bool(stack.name and (self.options.names or not self.canvas.group))

    def _label(self, cell: Cell, tensors: tuple[Tensor, ...]) -> Line | None:
        """What a line out of a cell carries: the names of outputs, if there are several, and the shape, if it is not
        that of what goes in. Out of what is left out, only lines that carry different tensors have it."""
        if cell.kind == "rest" and len(self.bundles[cell]) == 1:
            return None
        names = _outputs(cell, tensors)
        made = self._made(cell, tensors[0]) if self.options.show_shapes and len(tensors) == 1 else []
        if not names and cell.drawn and not self.options.verbose and {*made} == _taken(cell):
            return None
        shape = words.span(made[0], made[-1]) if made else ""
        text = "  ".join(filter(None, (clean(listed(names)), shape)))
        return words.line([Piece(text, "muted")], words.SMALL) if text else None

    def _made(self, cell: Cell, tensor: Tensor) -> list[tuple[int, ...]]:
        """The shape of a tensor that comes out; several for rounds in a bracket. Nothing if uses of a block differ."""
        uses = len(self.canvas.group.modules) if self.canvas.group else 1
        if not cell.drawn:
            return [tensor.shape.sample] if uses == 1 else []
        run = cell.times[-1]
        last = cell.drawn[-1][run - 1 :: run] if len(cell.times) == 1 else cell.drawn[-1]
        place = next((made.index(tensor) for made in (each.outputs for each in cell.drawn[-1]) if tensor in made), -1)
        shapes = [member.outputs[place].shape.sample for member in last]
        return shapes if uses == 1 or len({*shapes}) == 1 else []

    # Sizes

    def _size(self, cell: Cell) -> Size:
        across = self._across(cell)
        labels = [*self.labels[cell].values()]
        along, beside = self.turned(max((line.width for line in labels), default=0), 1.25 * words.SMALL)
        apart = len(self.bundles[cell]) - 1 if cell.kind in ("module", "rest") else 0
        pitch = beside + 10 if apart > 0 else 0.0
        deep, wide = self.turned(*self._box(cell))
        room = (along, apart * pitch / 2 + beside + 6) if labels else (0.0, 0.0)
        return Size(deep, max(wide, across, apart * pitch + 16), room, self._aside(cell), self._role(cell), pitch)

    def _role(self, cell: Cell) -> tuple[float, float]:
        """The room of the text at the end of a line into a block, which it shares with the head of the arrow."""
        if cell.kind != "module" or not self.roles[cell]:
            return 0.0, 0.0
        along, across = self.turned(max(self.role(text).width for text in self.roles[cell]), 1.25 * words.SMALL)
        return (0.0 if self.upright else along + 12), across + 8

    def _across(self, cell: Cell) -> float:
        """What a block needs for lines into it, each with its text."""
        return len(self.roles[cell]) * self._role(cell)[1] + 8

    def _aside(self, cell: Cell) -> tuple[float, float]:
        """The room of each output beside a cell along the flow, and that of all across it."""
        if not cell.exits:
            return 0.0, 0.0
        width = EXIT_PAD + max(self.exit(leaving).width for leaving in cell.exits)
        return (EXIT, ARROW + width) if self.upright else (width + 4, ARROW + EXIT)

    def _box(self, cell: Cell) -> tuple[float, float]:
        """Width and height."""
        lines = self.lines[cell]
        width = max((line.width for line in lines), default=0.0)
        if cell.kind == "merge":
            return (CIRCLE, CIRCLE) if len(lines[0].text) == 1 else (width + 2 * PAD, CIRCLE)
        if not lines:
            return 0.0, 0.0
        return max(width + 2 * PAD, WIDTH), max(sum(line.height for line in lines) + PAD, HEIGHT)


def _outputs(cell: Cell, tensors: Sequence[Tensor]) -> list[str]:
    """The names of outputs of a block, if it has several."""
    if cell.kind != "module" or len(cell.first.outputs) < 2:
        return []
    modules = [module for module in cell.drawn[0] if isinstance(module, Module)]
    names = {tensor: name for module in modules for name, tensor in module.made.items()}
    return [names[tensor] for tensor in tensors]


def _taken(cell: Cell) -> set[tuple[int, ...]]:
    return {tensor.shape.sample for member in cell.drawn[0][:1] for tensor in member.inputs}


def _title(stack: Stack) -> Line:
    name = [Piece(clean(stack.name), "muted")] if stack.name else []
    space = " " if name else ""
    times = [Piece(space + words.repeated(stack.times), "accent")] if stack.times != ONCE else []
    return words.line([*name, *times], words.SMALL)
