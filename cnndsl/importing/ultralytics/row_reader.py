"""``[from, number, module, args]`` -> :class:`Row`."""

from __future__ import annotations

import re

from cnndsl.importing.ultralytics.model_file import Faults, Row, is_count
from cnndsl.source import Span
from cnndsl.spec.silence import COMMENT
from cnndsl.spec.tree import Listing, Scalar, Tree

SHAPE = "a row is `[from, number, module, args]`, such as `[-1, 1, Conv, [64, 3, 2]]`"
_COMMENT = re.compile(r"[ \t]*(#[ \t]*([^\r\n]*))")


def read_row(index: int, tree: Tree, faults: Faults) -> Row | None:
    """None if it has faults."""
    if not isinstance(tree, Listing) or len(tree.items) != 4:
        faults.misfit(f"row {index}", "four items", tree, SHAPE)
        return None
    origin, number, module, arguments = tree.items
    sources = [_source(index, item, faults) for item in (origin.items if isinstance(origin, Listing) else [origin])]
    if not sources:
        faults.misfit(f"`from` of row {index}", "the numbers of rows", origin, "`-1` is the row before")
    repeats = number.value if isinstance(number, Scalar) else None
    if not isinstance(repeats, int) or not is_count(repeats):
        faults.misfit(f"the number of row {index}", "a positive integer", number, SHAPE)
    name = module.value if isinstance(module, Scalar) else None
    if not isinstance(name, str):
        faults.misfit(f"the module of row {index}", "a name", module, SHAPE)
    if not isinstance(arguments, Listing):
        faults.misfit(f"`args` of row {index}", "a list", arguments, SHAPE)
    if not (sources and isinstance(repeats, int) and isinstance(name, str) and isinstance(arguments, Listing)):
        return None
    return Row(
        index=index,
        sources=tuple(sources),
        several=isinstance(origin, Listing),
        number=repeats,
        module=name,
        arguments=arguments.items,
        comment=_comment(tree.span),
        place=module.span,
        span=tree.span,
    )


def _source(index: int, tree: Tree, faults: Faults) -> int:
    """The row whose tensor is taken. Negative numbers count back from the row. If there is no such row, it is the one
    before."""
    value = tree.value if isinstance(tree, Scalar) else None
    if not isinstance(value, int) or isinstance(value, bool):
        faults.misfit(f"`from` of row {index}", "the number of a row", tree, "`-1` is the row before")
        return index - 1
    source = value if value >= 0 else index + value
    if 0 <= source < index or (index == 0 and value == -1):
        return source
    help = f"it may be 0 to {index - 1}, or count back from -1 to -{index}" if index else "the first row takes `-1`"
    faults.add(f"row {index} takes the tensor of row {value}, which is not before it", tree.span, help)
    return index - 1


def _comment(row: Span) -> str:
    """What the file says behind a row, unless it silences warnings."""
    found = _COMMENT.match(row.source.text, row.end)
    return found[2].strip() if found and not COMMENT.search(found[1]) else ""
