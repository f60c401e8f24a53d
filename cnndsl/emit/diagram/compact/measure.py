"""The texts of a canvas and the room that they take."""

from __future__ import annotations

from cnndsl.emit.diagram.compact import words
from cnndsl.emit.diagram.compact.items import ONCE, Canvas, Cell, Item, Stack, cells
from cnndsl.emit.diagram.compact.place import Size
from cnndsl.emit.diagram.labels import clean
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.picture import Line, Piece

#: Around the text of a box, and the least size of one. A circle has a diameter.
PAD, HEIGHT, WIDTH, CIRCLE = 7.0, 20.0, 40.0, 17.0
#: From a box to an output beside it, the room above and below that, and around its text.
ARROW, EXIT, EXIT_PAD = 16.0, 14.0, 8.0


class Measured:
    """What is written into the cells of a canvas (``lines``), below them (``labels``), and beside brackets."""

    def __init__(self, canvas: Canvas, options: Options) -> None:
        self.canvas, self.options = canvas, options
        self.upright = options.rankdir in ("TB", "BT")
        self.inside = canvas.group.modules[0].path if canvas.group else ""
        self.lines = {cell: self._lines(cell) for cell in cells(canvas.stack)}
        self.labels = {cell: self._label(cell) for cell in self.lines}
        self.brackets = {stack: _title(stack) for stack in _stacks(canvas.stack) if self._is_bracketed(stack)}

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

    def exit(self, name: str) -> Line:
        """The text of an output beside its box."""
        return words.line([Piece(clean(name))], words.SMALL)

    # Texts

    def _lines(self, cell: Cell) -> list[Line]:
        port = cell.kind == "end" and self.canvas.group and cell.title in ("input", "output")
        options = self.options
        return [] if port else words.lines(cell, options.verbose, options.names, self.inside, options.marks)

    def _is_bracketed(self, stack: Stack) -> bool:
        """Whether a stack is repeated, or has a name that says where one is in the network."""
        return stack.times != ONCE or bool(stack.name and (self.options.names or not self.canvas.group))

    def _label(self, cell: Cell) -> Line | None:
        """The shape of what comes out, if it is not that of what goes in."""
        if not self.options.show_shapes or cell.kind == "rest" or not cell.makes:
            return None
        made = self._made(cell)
        if len(made) != 1 or (cell.drawn and not self.options.verbose and made == _taken(cell)):
            return None
        return words.line([Piece(words.shape(*made), "muted")], words.SMALL)

    def _made(self, cell: Cell) -> set[tuple[int, ...]]:
        """The shapes that come out: several if uses of a block differ."""
        if not cell.drawn:
            tensors = cell.makes if not self.canvas.group or len(self.canvas.group.modules) == 1 else ()
            return {tensor.shape.sample for tensor in tensors}
        run = cell.times[-1]
        last = cell.drawn[-1][run - 1 :: run] if len(cell.times) == 1 else cell.drawn[-1]
        return {member.outputs[-1].shape.sample for member in last}

    # Sizes

    def _size(self, cell: Cell) -> Size:
        label = self.labels[cell]
        if label is None and cell.kind == "module" and len(cell.first.outputs) > 1:
            label = words.several(len(cell.first.outputs))  # it may be written instead
        beside = self.turned(label.width + 6, label.height) if label else (0.0, 0.0)
        return Size(*self.turned(*self._box(cell)), beside, self._aside(cell))

    def _aside(self, cell: Cell) -> tuple[float, float]:
        """The room of each output beside a cell along the flow, and that of all across it."""
        if not cell.exits:
            return 0.0, 0.0
        width = EXIT_PAD + max(self.exit(name).width for name in cell.exits)
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


def _taken(cell: Cell) -> set[tuple[int, ...]]:
    return {tensor.shape.sample for member in cell.drawn[0][:1] for tensor in member.inputs}


def _title(stack: Stack) -> Line:
    name = [Piece(clean(stack.name), "muted")] if stack.name else []
    space = " " if name else ""
    times = [Piece(space + words.repeated(stack.times), "accent")] if stack.times != ONCE else []
    return words.line([*name, *times], words.SMALL)


def _stacks(item: Item) -> list[Stack]:
    if isinstance(item, Cell):
        return []
    inner = [stack for each in (item.items if isinstance(item, Stack) else item.arms) for stack in _stacks(each)]
    return [item, *inner] if isinstance(item, Stack) else inner
