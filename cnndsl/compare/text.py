"""A diff for terminals, pipes and pull requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap

from cnndsl.compare.compare import Diff, Summary
from cnndsl.compare.words import ARROW, Group, grouped, kinds_changed, literal
from cnndsl.emit.table import human
from cnndsl.grid import FILE, GONE, Grid, Medium, Paint, unpainted

#: The widest line of a list of changes, and how many groups that follow from others are listed.
WIDEST, EXPLAINED = 100, 8
_STYLES = {"+": "added", "-": "removed", ">": "changed", "~": "changed"}


def as_text(diff: Diff, medium: Medium = FILE, paint: Paint = unpainted) -> str:
    """The changes, what they cause, and a table of the figures of both networks."""
    shown = medium.shown
    width = min(medium.width or WIDEST, WIDEST)
    lines = [paint(shown(f"{diff.left.name} {ARROW} {diff.right.name}"), "bold")]
    for argument in diff.params:
        told = f"params: {argument.name} {literal(argument.before)} {ARROW} {literal(argument.after)}"
        lines += wrap(shown(told), width, subsequent_indent="    ")
    if not diff:
        return "\n".join([*lines, "", "the networks are equal"]) + "\n"
    lines.append("")
    for group in grouped(diff.changes):
        lines += _group(group, width, medium, paint)
    if explained := grouped(diff.explained):
        lines += ["", "which changes"]
        for group in explained[:EXPLAINED]:
            lines += _group(group, width, medium, paint)
        if len(explained) > EXPLAINED:
            lines.append(shown(f"… {len(explained) - EXPLAINED} more"))
    if told := consequences(diff):
        lines += ["", *wrap(shown(told), width)]
    return "\n".join([*lines, "", figures(diff).text(medium, paint)]) + "\n"


def _group(group: Group, width: int, medium: Medium, paint: Paint) -> Iterator[str]:
    """The lines of a group: one if there is room, else the title and its details below."""
    style = _STYLES[group.sign]
    title, details = medium.shown(group.title), [*map(medium.shown, group.details)]
    costs = f" ({signed(group.params)} params)" if group.params else ""
    whole = f"{group.sign} {title}: {'; '.join(details)}{costs}"
    if len(whole) <= width:
        yield f"{paint(f'{group.sign} {title}', style)}: {'; '.join(details)}{paint(costs, 'dim')}"
        return
    head, *rest = wrap(f"{group.sign} {title}{costs}", width, subsequent_indent="    ")
    yield from (paint(line, style) for line in (head, *rest))
    for detail in details:
        yield from wrap(detail, width, initial_indent="    ", subsequent_indent="      ")


def consequences(diff: Diff) -> str:
    """How many layers changed only because others did, "" if none."""
    shapes = sum(found.left.outputs != found.right.outputs for found in diff.consequences)
    params = sum(found.left.params != found.right.params for found in diff.consequences)
    counts = ((shapes, "other output shapes"), (params, "other numbers of parameters"))
    told = [f"{number} layer{'s' * (number != 1)} {'have' if number != 1 else 'has'} {what}" for number, what in counts if number]
    return f"So {' and '.join(told)}." if told else ""


def figures(diff: Diff) -> Grid:
    """The figures of both networks."""
    left, right = diff.left, diff.right
    rows = []
    for name, before, after in (
        ("input", left.inputs, right.inputs),
        ("output", left.outputs, right.outputs),
    ):
        if name == "output" or before != after:
            rows.append((name, _shapes(before), _shapes(after), ""))
    numbers = (("layers", "layers"), ("parameters", "params"), ("MACs", "macs"))
    for name, field in numbers:
        before, after = getattr(left, field), getattr(right, field)
        rows.append((name, human(before), human(after), _percent(before, after)))
    more = kinds_changed(left.kinds, right.kinds)
    gives = ((">by", GONE), (f">{left.name} ", 8), (f">{right.name}", 8))
    return Grid(("", f">{left.name} ", f">{right.name}", ">by"), rows, gives)


def _shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    told = [str(list(shape)) if len(shapes) == 1 else f"{name} {list(shape)}" for name, shape in shapes.items()]
    return ", ".join(told)


def _percent(before: int, after: int) -> str:
    """By how much a number grew."""
    if before == after:
        return ""
    return f"{100 * (after - before) / before:+.3g} %" if before else signed(after)


def signed(number: int) -> str:
    """A difference, rounded: ``+1.23 M``."""
    return f"{'-' if number < 0 else '+'}{human(abs(number))}"
