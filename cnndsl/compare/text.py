"""A diff for terminals, pipes and pull requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from cnndsl.compare.words import ARROW, TIMES, Group, grouped, kinds_changed
from cnndsl.diagnostics import shorten
from cnndsl.emit.table import human, literal
from cnndsl.grid import FILE, GONE, Grid, Medium, Paint, unpainted
from cnndsl.printable import in_markdown, one_line

if TYPE_CHECKING:
    from cnndsl.compare.compare import Diff, Summary
    from cnndsl.compare.fitting import Fitting

#: The widest line of a list of changes, and how many groups are listed, and of those that follow from others.
WIDEST, CAUSES, EXPLAINED = 100, 60, 8
#: The most characters of a parameter's value.
LONGEST = 200
#: Numbers that grow to so many times are told as a factor, not in percent.
MANY = 10
EQUAL = "the networks are equal"
#: The same for pull requests: groups that are not folded, and layers that only follow.
LISTED, FOLLOWING = 12, 100
#: Tensors of a kind that do not fit.
TENSORS = 20
#: The longest name of a network as the head of a column; the first line has it in full.
LONGEST_HEAD = 32
#: The heads of the other columns of the figures.
_HEADS = ("", "by")
_STYLES = {"+": "added", "-": "removed", ">": "changed", "~": "changed"}


def as_text(diff: Diff, medium: Medium = FILE, paint: Paint = unpainted, summary: bool = False) -> str:
    """The changes, what they cause, and a table of the figures of both networks; the table alone for a ``summary``."""
    shown = medium.shown
    width = min(medium.width or WIDEST, WIDEST)
    lines = [paint(shown(f"{diff.left.name} {ARROW} {diff.right.name}"), "bold")]
    for argument in diff.params:
        before, after = map(_value, (argument.before, argument.after))
        told = f"params: {argument.name} {before} {ARROW} {after}"
        lines += wrap(shown(told), width, subsequent_indent="    ")
    found = [] if summary else _changes(diff, medium, paint)
    lines += ["", *([*found, *_figures(diff, medium, paint)] if diff else [EQUAL])]
    for told in asides(diff):
        lines += ["", *wrap(shown(told), width)]
    for line in _fitting(diff.weights):
        lines += wrap(shown(line), width, subsequent_indent="    ") or [""]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    told = literal(value)
    return told if len(told) <= LONGEST else shorten(told)


def asides(diff: Diff) -> list[str]:
    """What differs of the specs besides the networks, and what is wrong with them."""
    sections = [f"The specs also differ in {' and '.join(diff.sections)}."] * bool(diff.sections)
    return [*sections, *diff.notes]


def _changes(diff: Diff, medium: Medium, paint: Paint) -> list[str]:
    """The changes and what they cause, with an empty line at the end."""
    shown, width = medium.shown, min(medium.width or WIDEST, WIDEST)
    lines: list[str] = []
    causes = grouped(diff.changes)
    for group in causes[:CAUSES]:
        lines += _group(group, width, medium, paint)
    if len(causes) > CAUSES:
        lines.append(shown(f"… {len(causes) - CAUSES} more, all in --format json"))
    if explained := explained_groups(diff):
        lines += ["", "which changes"]
        for group in explained[:EXPLAINED]:
            lines += _group(group, width, medium, paint)
        if len(explained) > EXPLAINED:
            lines.append(shown(f"… {len(explained) - EXPLAINED} more"))
    if told := consequences(diff):
        lines += ["", *wrap(shown(told), width)]
    return [*lines, ""]


def _figures(diff: Diff, medium: Medium, paint: Paint) -> list[str]:
    """The table, and how many layers of each kind there are more or fewer."""
    lines = [figures(diff).text(medium, paint)]
    if told := kinds_changed(diff.left.kinds, diff.right.kinds):
        lines += ["", *wrap(medium.shown(told), min(medium.width or WIDEST, WIDEST))]
    return lines


def _fitting(weights: Fitting | None) -> Iterator[str]:
    """What fits of a checkpoint: the counts, and a line for each tensor that does not."""
    if weights is None:
        return
    lists = {
        "of another shape": [f"{name}, {how}" for name, how in weights.unlike],
        "of another kind": [f"{name}, {how}" for name, how in weights.unusable],
        "missing": weights.missing,
        "unexpected": weights.unexpected,
    }
    counts = [f"{len(names)} {what}" for what, names in lists.items() if names]
    yield ""
    yield f"{weights.origin}: {', '.join([f'{len(weights.fit)} tensors fit', *counts])}"
    for what, names in lists.items():
        yield from (f"  {what}: {name}" for name in names[:TENSORS])
        if len(names) > TENSORS:
            yield f"  {what}: {len(names) - TENSORS} more"
    if weights.rename:
        lines = [f"{_key(ours)}: {_key(theirs)}" for ours, theirs in weights.rename.items()]
        yield f"{weights.renamed} tensors fit with this line in the right spec:"
        yield f"  rename: {{{', '.join(lines)}}}"


def _key(name: str) -> str:
    """A name as YAML reads it: in quotes if it could be a number."""
    return name if name[:1].isalpha() else f'"{name}"'


def explained_groups(diff: Diff) -> tuple[Group, ...]:
    """The changes that others explain, without other arguments of blocks, which their layers tell."""
    return grouped([each for each in diff.explained if each.what != "changed" or each.place.is_operation])


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
    told = [
        f"{number} layer{'s' * (number != 1)} {'have' if number != 1 else 'has'} {what}"
        for number, what in counts
        if number
    ]
    return f"So {' and '.join(told)}." if told else ""


def figures(diff: Diff) -> Grid:
    """The figures of both networks."""
    left, right = diff.left, diff.right
    rows = [("input", _shapes(left.inputs), _shapes(right.inputs), "")] if left.inputs != right.inputs else []
    rows.append(("output", _shapes(left.outputs), _shapes(right.outputs), ""))
    if left.field or right.field:
        rows.append(("receptive field", _pixels(left.field), _pixels(right.field), ""))
    for name, field in (("layers", "layers"), ("parameters", "params"), ("MACs", "macs")):
        one, other = getattr(left, field), getattr(right, field)
        rows.append((name, human(one), human(other), _percent(one, other)))
    before, after = _heads(left.name, right.name)
    return Grid(
        ("", f">{before}", f">{after}", ">by"), rows, ((f">{before}", 8), (f">{after}", 8), ("", 10), (">by", GONE))
    )


def _heads(*names: str) -> Sequence[str]:
    """The names of both networks, or their sides if the names are long, or could be taken for another column's."""
    fit = len({*names, *_HEADS}) == 4 and max(map(len, names)) <= LONGEST_HEAD
    return names if fit else ("left", "right")


def described(summary: Summary) -> str:
    """A network in one line."""
    sides = f"{_shapes(summary.inputs)} {ARROW} {_shapes(summary.outputs)}"
    return f"{summary.name}, {sides}, {human(summary.params)} parameters, {human(summary.macs)} MACs"


def _shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    told = [str(list(shape)) if len(shapes) == 1 else f"{name} {list(shape)}" for name, shape in shapes.items()]
    return ", ".join(told)


def _pixels(field: Sequence[int | None]) -> str:
    """A receptive field along each axis."""
    if all(size is None for size in field):
        return "all" if field else "unknown"
    return TIMES.join("all" if size is None else str(size) for size in field)


def _percent(before: int, after: int) -> str:
    """By how much a number grew."""
    if before == after:
        return ""
    if after >= MANY * before > 0:
        return f"{TIMES}{after / before:.3g}" if after < 1000 * before else f"{TIMES}{after // before:,}"
    return f"{100 * (after - before) / before:+.3g} %" if before else signed(after)


def signed(number: int) -> str:
    """A difference, rounded: ``+1.23 M``."""
    return f"{'-' if number < 0 else '+'}{human(abs(number))}"


# --- pull requests and programs --------------------------------------------------------------------------


def as_markdown(diff: Diff, summary: bool = False) -> str:
    """The same as GitHub shows it: short, with the long lists folded."""
    names = f"{_code(diff.left.name)} {ARROW} {_code(diff.right.name)}"
    if not diff:
        return "\n\n".join([f"**{names}**: {EQUAL}", *map(in_markdown, asides(diff)), *_weights(diff.weights)]) + "\n"
    changed = [] if summary else [_item(group) for group in grouped(diff.changes)]
    following = [] if summary else _following(explained_groups(diff), diff)
    grid = figures(diff)
    parts = [
        f"**{names}**",
        *filter(None, ["\n".join(changed[:LISTED])]),
        *_folded("more changes", changed[LISTED:]),
        "\n".join([_cells(grid.columns), "| --- | ---: | ---: | ---: |", *(_cells(row) for row in grid.rows)]),
        *filter(None, [in_markdown(kinds_changed(diff.left.kinds, diff.right.kinds))]),
        *_folded(consequences(diff) or "What follows", following),
        *map(in_markdown, asides(diff)),
        *_weights(diff.weights),
    ]
    return "\n\n".join(parts) + "\n"


def _weights(weights: Fitting | None) -> list[str]:
    if weights is None:
        return []
    _, summary, *lines = map(str.strip, _fitting(weights))
    return [in_markdown(summary), *_folded("Tensors that do not fit", [f"- {_code(line)}" for line in lines])]


def _following(explained: Sequence[Group], diff: Diff) -> list[str]:
    lines = [_item(group) for group in explained]
    for found in diff.consequences[:FOLLOWING]:
        before, after = (", ".join(str(list(shape)) for shape in place.outputs) for place in (found.left, found.right))
        shapes = f" {before} {ARROW} {after}" if before != after else ""
        params = f" {found.left.params:,} {ARROW} {found.right.params:,} parameters"
        lines.append(f"- {_code(found.right.path)}:{shapes}{params if found.left.params != found.right.params else ''}")
    more = len(diff.consequences) - FOLLOWING
    return [*lines, *([f"- … {more} more"] if more > 0 else [])]


def _item(group: Group) -> str:
    """An item of a list."""
    sign = {"+": "**added**", "-": "**removed**"}.get(group.sign, "")
    costs = f" ({signed(group.params)} params)" if group.params else ""
    told = "; ".join(map(in_markdown, group.details))
    return f"- {' '.join(filter(None, (sign, _code(group.title))))}: {told}{costs}"


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    return ["\n".join(["<details>", f"<summary>{in_markdown(title)}</summary>", "", *lines, "", "</details>"])]


def _cells(cells: Sequence[object]) -> str:
    return f"| {' | '.join(in_markdown(str(cell).removeprefix('>').strip()) for cell in cells)} |"


def _code(text: str) -> str:
    """Text as code, which GitHub shows as it is, whatever it holds."""
    text = one_line(text)
    ticks = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{ticks}{text}{ticks}" if len(ticks) == 1 else f"{ticks} {text} {ticks}"


def as_json(diff: Diff) -> str:
    """Everything, as plain data: the records' own fields."""
    from msgspec import to_builtins

    from cnndsl.json_text import json_text

    data = to_builtins(diff, enc_hook=str)
    groups = [{"title": group.title, "sign": group.sign, "details": group.details} for group in grouped(diff.changes)]
    return json_text({"equal": not diff, **data, "groups": groups})
