"""Shapes behind the steps of a spec, and what the network and its blocks cost above them.

A hint is at the end of the line with the step's word, before a comment: after ``- Conv2d: {...}``, after ``Conv2d:`` if
its arguments have lines of their own, after ``- branch:`` for what comes out of it. Of several steps on a line, the
outermost has the hint, and of ``[Conv2d: 8, ReLU]`` the last.

A step that runs several times has the shape of all runs, if they agree. In the rounds of a loop it has those of the
first and the last round: ``64×56×56 … 512×7×7``. In a block that is called by several steps it has that of the call at
the cursor, or else of the first, and the number of others: ``64×56×56 +7``.
"""  # noqa: RUF002

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence, Set

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.answers import Hint, Lens
from cnndsl.editing.uses import Place, Use, place
from cnndsl.editing.written import Written
from cnndsl.emit.table import human
from cnndsl.graph.cost import Cost
from cnndsl.graph.graph import Apply, Branch, Dense, Fetch, Inline, Item, Merge, Module, Repeat, Residual, Tensor
from cnndsl.network import Compilation
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.document import Block

#: The most runs that a tooltip lists, and the most outputs that a hint does.
MOST_RUNS, MOST_OUTPUTS = 8, 4
#: A line up to its comment. Quotes inside of a word are no quotes.
_CODE = re.compile(r"""(?:(?<!\w)"(?:\\.|[^"\\])*"|(?<!\w)'[^']*'|(?<!\s)#|[^#])*""")


class Known(Record, frozen=True):
    """A step of the file that is shown: its place there, and its runs, at least one, with known outputs."""

    written: Written
    runs: Sequence[Use]


def hints(analysis: Analysis, cursor: int | None = None, others: Sequence[Analysis] = ()) -> tuple[Hint, ...]:
    """The shapes of steps, one at most in a line. ``cursor`` is where a person types. The steps of a block that the
    spec itself does not use have the shapes that they have in the first of the ``others`` that uses it."""
    steps = _steps(analysis, others)
    around = _around(steps, analysis.source, cursor)
    return tuple(_hint(analysis.source, step, around) for step in _one_each_line(steps))


def _steps(analysis: Analysis, others: Sequence[Analysis]) -> Iterable[Known]:
    """The steps of the file that have shapes."""
    found: dict[Place, Known] = {}
    for one in (analysis, *others):
        for at, runs in one.uses.items():
            item = one.written.get(at) if at[0] == analysis.source.name and at not in found else None
            if item is not None and _fits(item.word, one, analysis):
                found[at] = Known(item, runs)
    return found.values()


def _fits(span: Span, one: Analysis, shown: Analysis) -> bool:
    """Whether a span of ``one`` spec says the same in the file that is ``shown``. If that is another spec, it may have
    read the file earlier."""
    if span.source.name != shown.source.name:
        return False
    return one is shown or shown.source.text[span.start : span.end] == span.text


def _one_each_line(steps: Iterable[Known]) -> Iterator[Known]:
    """Of the steps that begin in a line the outermost, and of several side by side the last."""
    lines: dict[int, Known] = {}
    for step in sorted(steps, key=lambda step: step.written.word.start):
        line = step.written.word.line
        if line not in lines or step.written.depth <= lines[line].written.depth:
            lines[line] = step
    yield from lines.values()


def _around(steps: Iterable[Known], source: Source, cursor: int | None) -> Set[Place]:
    """The steps around the cursor's line."""
    if cursor is None:
        return frozenset()
    line = source.position(cursor)[0]
    return {place(step.written.word) for step in steps if step.written.first_line <= line <= step.written.last_line}


def _hint(source: Source, step: Known, around: Set[Place]) -> Hint:
    line = step.written.word.line
    code = _CODE.match(source.line(line))
    assert code is not None
    runs = _chosen(step.runs, around)
    return Hint(source.offset(line) + len(code[0].rstrip()), _text(runs), tooltip(runs))


def _chosen(runs: Sequence[Use], around: Set[Place]) -> Sequence[Use]:
    """The runs that the call at the cursor makes, or else all."""
    near = [sum(place(call.span) in around for call in run.calls) for run in runs]
    most = max(near)
    return [run for run, count in zip(runs, near) if count == most]


def _text(runs: Sequence[Use]) -> str:
    """The shapes of some runs, in short. Those that the same steps call are rounds of loops."""
    texts = [_shapes(run) for run in runs]
    if len({*texts}) == 1:
        return texts[0]
    if len({run.calls for run in runs}) == 1 and texts[0] != texts[-1]:
        return f"{texts[0]} … {texts[-1]}"
    return f"{texts[0]} +{len(texts) - 1}"


def _shapes(run: Use) -> str:
    """The shapes that a step makes, with their names if it is a block with several outputs."""
    item, tensors = run.item, run.outputs
    if isinstance(item, (Module, Inline)) and len(tensors) > 1:
        named = [f"{name} {shape_text(tensor)}" for name, tensor in zip(item.made, tensors)]
        more = [f"+{len(named) - MOST_OUTPUTS}"] if len(named) > MOST_OUTPUTS else []
        return ", ".join((*named[:MOST_OUTPUTS], *more))
    return ", ".join(map(shape_text, tensors))


def shape_text(tensor: Tensor) -> str:
    """The shape of one sample: ``64×56×56``, or ``512`` for a vector."""  # noqa: RUF002
    return "×".join(map(str, tensor.shape.sample))  # noqa: RUF001


# --- tooltips ------------------------------------------------------------------------------------


def tooltip(runs: Sequence[Use]) -> str:
    lines = [told(run) for run in runs[:MOST_RUNS]]
    if len(runs) == 1:
        return lines[0]
    more = [f"{len(runs) - MOST_RUNS} more"] if len(runs) > MOST_RUNS else []
    return "\n".join(f"- {line}" for line in (*lines, *more))


def told(run: Use) -> str:
    """One run in Markdown: the path of what it makes, input and output, and what it costs."""
    path = f"`{run.item.path}`: " if isinstance(run.item, (Apply, Module)) else ""
    whence = _whence(run.item)
    cost = cost_text(run.cost)
    return path + (f"{whence} → " if whence else "") + ", ".join(filter(None, (_quoted(run.outputs), cost)))


def _whence(item: Item | Fetch) -> str:
    """What a step makes its output of."""
    match item:
        case Apply(inputs=inputs) | Module(inputs=inputs):
            return _quoted(inputs)
        case Inline(given=given):
            return _quoted([*given.values()])
        case Branch(merge=merge) | Residual(merge=Merge() as merge):
            return f"{merge.kind} of {_quoted(merge.inputs)}"
        case Repeat(rounds=rounds) | Dense(rounds=rounds) if len(rounds) > 1:
            return f"{len(rounds)} rounds"
    return ""


def _quoted(tensors: Sequence[Tensor]) -> str:
    return ", ".join(f"`{shape_text(tensor)}`" for tensor in tensors)


def cost_text(cost: Cost) -> str:
    """Parameters and MACs, "" if there are none: ``25.56 M parameters, 4.09 G MACs``."""
    counts = (cost.params, "parameters"), (cost.macs, "MACs")
    return ", ".join(f"{human(count)} {what}" for count, what in counts if count)


# --- lenses --------------------------------------------------------------------------------------


def lenses(analysis: Analysis, others: Sequence[Analysis] = ()) -> tuple[Lens, ...]:
    """What the network costs, and each block in one use. A block that the spec itself does not use is told as the first
    of the ``others`` uses it."""
    found: dict[Place, Lens] = {}
    for one in (analysis, *others):
        for lens in _lenses(one):
            at = place(lens.span)
            is_told = at in found and (found[at].uses or not lens.uses)
            if not is_told and (lens.uses or one is analysis) and _fits(lens.span, one, analysis):
                found[at] = lens
    return tuple(found[at] for at in sorted(found))


def _lenses(analysis: Analysis) -> Iterator[Lens]:
    document, root = analysis.alive.document, analysis.alive.partial
    if document is None or root is None:
        return
    if "network" in document.tree.keys:
        yield Lens(document.tree.keys["network"].span, _network_text(root, _is_whole(analysis.compilation)))
    calls: dict[Place, list[Use]] = {}
    for run in (run for runs in analysis.uses.values() for run in runs):
        if isinstance(run.item, (Module, Inline)):
            calls.setdefault(place(run.item.definition.span), []).append(run)
    for block in document.blocks.values():
        yield _block_lens(block, calls.get(place(block.span), ()))


def _is_whole(compilation: Compilation) -> bool:
    """Whether the network is known to its end. One that breaks its contract is."""
    return compilation.sound is not None


def _network_text(root: Module, is_whole: bool) -> str:
    cost = cost_text(root.cost) or "no parameters"
    if not is_whole:
        return f"{cost} so far"
    named = zip(root.made, map(shape_text, root.outputs))
    return f"{cost}, output {', '.join(f'{name} {shape}' if len(root.made) > 1 else shape for name, shape in named)}"


def _block_lens(block: Block, runs: Sequence[Use]) -> Lens:
    """The cost of a block in one use, which is the first if they differ, and the places of its calls."""
    if not runs:
        return Lens(block.span, "not used")
    costs = [run.cost for run in runs]
    alike = "each" if len({*costs}) == 1 else "the first"
    where = ", used once" if len(runs) == 1 else f" in {alike} of {len(runs)} uses"
    spans = {place(run.item.step.span): run.item.step.span for run in runs if run.item.step is not None}
    return Lens(block.span, f"{cost_text(costs[0]) or 'no parameters'}{where}", (*spans.values(),))
