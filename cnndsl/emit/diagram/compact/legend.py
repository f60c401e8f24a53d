"""What a reader needs to know besides the boxes: only what the figure has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnndsl.emit.diagram.compact import words
from cnndsl.emit.diagram.compact.items import ONCE, Canvas, Cell, cells, stacks
from cnndsl.emit.diagram.options import Options
from cnndsl.emit.diagram.picture import Box, Line, Picture, Piece, Text
from cnndsl.emit.diagram.shading import Scale
from cnndsl.graph.graph import Module

#: The size of a swatch, the steps of a scale, and the height of a line.
SWATCH, STEPS, LEADING = 12.0, 6, 15.0


def legend(canvases: Sequence[Canvas], options: Options, scale: Scale | None) -> Picture | None:
    """The legend of a figure, if it needs one."""
    found = Picture()
    y = 0.0
    rows = [_scale(scale)] if scale else []
    rows += [_mark(mark) for mark in dict.fromkeys(options.marks.values())]
    rows += [_note(number, *note) for number, note in enumerate(_notes(canvases))]
    for row in rows:
        found += row.moved(0, y)
        y += LEADING
    return found if rows else None


def _scale(scale: Scale) -> Picture:
    """Swatches from the cheapest box to the most expensive one."""
    swatches = [
        Box(f"scale {step}", "swatch", (step + 0.5) * SWATCH, 0, SWATCH, SWATCH, share=step / (STEPS - 1))
        for step in range(STEPS)
    ]
    text = f"0 … {words.brief(scale.most)} {scale.unit} in a box"
    return Picture(tuple(swatches), texts=(_text("scale", STEPS * SWATCH + 5, text),))


def _mark(mark: str) -> Picture:
    swatch = Box(f"mark {mark}", "swatch", SWATCH / 2, 0, SWATCH, SWATCH, mark=mark)
    return Picture((swatch,), texts=(_text(f"mark {mark}", SWATCH + 5, mark),))


def _note(number: int, sign: str, meaning: str) -> Picture:
    """A sign and what it means: two texts, since only one with a single look has its place in every font."""
    line = words.line([Piece(sign, "accent")], words.SMALL)
    return Picture(texts=(Text(f"note {number} sign", 0, 0, line), _text(f"note {number}", line.width + 4, meaning)))


def _text(id: str, x: float, text: str) -> Text:
    return Text(f"legend {id}", x, 0, Line((Piece(text, "muted"),), words.SMALL))


def _notes(canvases: Sequence[Canvas]) -> Iterator[tuple[str, str]]:
    """Signs with what they mean, of those that the figure has."""
    runs = [cell for canvas in canvases for cell in cells(canvas.stack) if cell.kind == "module" and cell.times != ONCE]
    brackets = [
        stack
        for canvas in canvases
        for stack in stacks(canvas.stack)
        if stack.times != ONCE and any(cell.kind == "module" for cell in cells(stack))
    ]
    if repeated := [*(cell.times for cell in runs), *(stack.times for stack in brackets)]:
        yield words.repeated(repeated[0]), "repeated; parameters and MACs are those of all rounds"
    for cell in runs:
        first, last = _ends(cell)
        if first != last:
            yield f"{first} … {last}", "channels of the first and the last"
            return


def _ends(cell: Cell) -> tuple[int, int]:
    modules = [module for module in cell.drawn[0] if isinstance(module, Module)]
    first, last = (module.output.shape.sample[0] for module in (modules[0], modules[cell.times[-1] - 1]))
    return first, last
