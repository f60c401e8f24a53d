"""Regions: ``repeat``, ``dense``, ``branch`` and ``residual``, whose layers belong to the module around them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Note, got
from cnndsl.graph.combine import combine, parts
from cnndsl.graph.context import Context, behind
from cnndsl.graph.graph import Arm, Body, Branch, Dense, Merge, Repeat, Residual, Split, Tensor
from cnndsl.graph.projection import projection
from cnndsl.graph.site import Run, Site
from cnndsl.layers import Refused
from cnndsl.limits import how_to_raise
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec import foreign
from cnndsl.spec import steps as spec
from cnndsl.spec.evaluation import holds
from cnndsl.spec.hints import meant_by
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Value
from cnndsl.spec.words import MERGES, PAIRS


class _Way(Record, frozen=True):
    """One branch: which item of the spec's list it is, in which of the ``rounds`` of the item's loop, and the names
    bound there. Whether it ``exists`` may be unknown because of a fault."""

    written: int
    round: int
    rounds: int
    arm: spec.Arm
    names: Mapping[str, Any]
    exists: bool = True


class _Join(Record, frozen=True):
    """A merge without its tensors: the step that makes it, its name, and how it merges."""

    step: spec.Step
    name: str
    kind: str
    dim: int = 1


class Structure:
    """Runs the steps that give structure. ``run`` runs the steps inside them."""

    def __init__(self, context: Context, run: Run) -> None:
        self.context = context
        self.run = run

    # --- loops -----------------------------------------------------------------------------------

    def repeat(self, step: spec.Repeat, x: Tensor | None, site: Site) -> Tensor | None:
        bindings = self._bindings(step.loop, site)
        if bindings is None:
            site.scope.lose(step.steps)
            return None
        rounds: list[Body] = []
        for inner in self._rounds(step, bindings, site):
            x = self.run(step.steps, x, inner)
            rounds.append(tuple(inner.body))
        if any(rounds):
            site.body.append(Repeat(step, tuple(rounds), x and behind(x)))
        return x

    def dense(self, step: spec.Dense, x: Tensor | None, site: Site) -> Tensor | None:
        bindings = self._bindings(step.loop, site)
        if bindings is None:
            site.scope.lose(step.steps)
            return None
        rounds: list[tuple[Body, Merge]] = []
        for inner in self._rounds(step, bindings, site):
            added = self.run(step.steps, x, inner)
            sides = {"the input of this round": x, "the output of its steps": added}
            notes = (Note(f"{what} is {side and side.shape}", step.span) for what, side in sides.items())
            merge = self._merge(_Join(step, site.scope.label("concat"), "concat"), (x, added), notes, inner)
            if merge is not None:
                rounds.append((tuple(inner.body), merge))
            else:
                site.body.extend(inner.body)
            x = merge.output if merge else None
        if rounds:
            site.body.append(Dense(step, tuple(rounds)))
        return x

    def _bindings(self, loop: spec.Loop, site: Site) -> Sequence[dict[str, Any]] | None:
        """The names bound in each round of a loop, None if unknown."""
        counted = loop.times is not None
        value = loop.times or loop.elements
        assert value is not None
        found = site.value(value)
        if found is UNKNOWN:
            return None
        if counted and (type(found) is not int or found < 0):
            help = meant_by(value, found, site.environment.names)
            message = f"`times` expects an integer, 0 or more, got {got(found)}"
            site.fault(Code.TYPE, message, value.span, help)
            return None
        if not counted and not isinstance(found, tuple):
            help = (
                meant_by(value, found, site.environment.names) or "write a list, such as `[64, 128]` or `$(range(4))`"
            )
            site.fault(Code.TYPE, f"`in` expects a list, got {got(found)}", value.span, help)
            return None
        rounds = found if counted else len(found)
        if rounds > (limit := self.context.limits.times):
            message = f"the loop has {rounds} rounds, the limit is {limit}"
            site.fault(Code.LIMIT, message, value.span, how_to_raise("times"))
            return None
        return [{}] * rounds if counted else [_unpack(loop, element, value, site) for element in found]

    def _rounds(self, step: spec.Repeat | spec.Dense, bindings: Sequence[dict[str, Any]], site: Site) -> Iterator[Site]:
        """The site of each round, with a body of its own."""
        for number, names in enumerate(bindings, 1):
            self.context.work.spend(step.span, site)
            inner = self._round(step.span.text, step.span, number, len(bindings), site)
            yield (inner.knowing(names, step.span) if names else inner).inside()

    def _round(self, word: str, span: Span, number: int, count: int, site: Site) -> Site:
        """The place in a round of the loop at ``span``. Faults tell which one, if there are several."""
        if count == 1:
            return site
        return site.within(lambda: (f"{word} {self.context.place(span)}", f"round {number} of {count}"))

    # --- branches --------------------------------------------------------------------------------

    def branch(self, step: spec.Branch, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        ways = [*self._ways(step, site)]
        certain = all(way.exists for way in ways)
        kind = _kind(step, site)
        if certain and not _can_merge(step, kind, len(ways), site):
            return None
        split, starts = self._starts(step, len(ways), x, site, certain)
        arms: list[Arm] = []
        ends: list[Tensor | None] = []
        for way, start in zip(ways, starts):
            inner = self._along(way, site)
            if not way.exists:
                site.scope.lose(way.arm.steps)
            ends.append(self.run(way.arm.steps, start, inner) if way.exists else None)
            arms.append(Arm(way.written, way.round, tuple(inner.body)))
        notes = (
            Note(f"the output of branch {number} is {end and end.shape}", way.arm.span)
            for number, (end, way) in enumerate(zip(ends, ways), 1)
        )
        merge = None
        if (dim := _dim(step, site)) is not UNKNOWN and kind is not UNKNOWN:
            label = name or site.scope.label(kind)
            merge = self._merge(_Join(step, label, kind, dim), tuple(ends), notes, site)
        if merge is None:
            site.body.extend(item for arm in arms for item in arm.body)
            return None
        site.body.append(Branch(step, split, tuple(arms), merge))
        return merge.output

    def _ways(self, step: spec.Branch, site: Site) -> Iterator[_Way]:
        """The branches of a step: those of a loop one by one, and none where ``when`` is false."""
        for written, arm in enumerate(step.branches):
            bindings = self._bindings(arm.loop, site) if arm.loop else [{}]
            if bindings is None:
                yield _Way(written, 0, 0, arm, {}, exists=False)
                continue
            for number, names in enumerate(bindings):
                way = _Way(written, number, len(bindings) if arm.loop else 0, arm, names)
                decision = self._decision(way, site)
                if decision is False:
                    self.context.leave_out(arm, site)
                else:
                    yield replace(way, exists=decision is True)

    def _decision(self, way: _Way, site: Site) -> Any:
        """Whether there is a branch, UNKNOWN if its ``when`` has no result."""
        if way.arm.loop:
            self.context.work.spend(way.arm.span, site)
        if way.arm.when is None:
            return True
        return self._along(way, site).value(way.arm.when, holds)

    def _along(self, way: _Way, site: Site) -> Site:
        """The site of a branch, with a body of its own."""
        span = way.arm.span
        known = site.knowing(way.names, span) if way.names else site
        inner = self._round("branch", span, way.round + 1, way.rounds, known) if way.arm.loop else known
        return inner.inside()

    def _starts(
        self, step: spec.Branch, count: int, x: Tensor | None, site: Site, certain: bool
    ) -> tuple[Split | None, Sequence[Tensor | None]]:
        """The tensor that each of ``count`` branches starts with: the whole tensor, or its part."""
        wanted = False if step.split is None else site.value(step.split)
        if wanted is False:
            return None, [x] * count
        if x is None or wanted is UNKNOWN or step.split is None or not certain:
            return None, [None] * count
        try:
            sizes = parts(x.shape, wanted, count)
        except Refused as refused:
            help = refused.help or meant_by(step.split, wanted, site.environment.names)
            site.fault(Code.BRANCH, refused.message, step.split.span, help)
            site.scope.fail(site.scope.label("split"), "split", x)
            return None, [None] * count
        if count == 1:  # all channels: there is nothing to split
            return None, [x]
        name = site.scope.label("split")
        outputs = tuple(Tensor(x.shape.with_channels(size)) for size in sizes)
        return Split(step, name, site.scope.path_of(name), sizes, self.context.taken(x), outputs), outputs

    def _merge(
        self, join: _Join, tensors: tuple[Tensor | None, ...], notes: Iterable[Note], site: Site
    ) -> Merge | None:
        """The merge of some tensors, None if one is unknown or they do not fit; then ``notes`` tell what they are."""
        step, kind = join.step, join.kind
        known = tuple(self.context.taken(tensor) for tensor in tensors if tensor is not None)
        if len(known) < len(tensors):
            return None
        self.context.work.spend(step.span, site, len(known))
        try:
            shape = combine(kind, [tensor.shape for tensor in known], join.dim)
        except Refused as refused:
            code = Code.CONCAT if kind == "concat" else Code.BRANCH
            written = step.dim if isinstance(step, spec.Branch) and refused.argument == "dim" else None
            site.fault(code, refused.message, written.span if written else step.span, refused.help, *notes)
            site.scope.fail(join.name, kind, *known)
            return None
        return Merge(step, join.name, site.scope.path_of(join.name), kind, join.dim, known, Tensor(shape))

    # --- residuals -------------------------------------------------------------------------------

    def residual(self, step: spec.Residual, name: str | None, x: Tensor | None, site: Site) -> Tensor | None:
        inner, side = site.inside(), site.inside()
        main, other = self.run(step.steps, x, inner), x
        if isinstance(step.shortcut, tuple):
            other = self.run(step.shortcut, x, side)
        else:
            wanted = _has_shortcut(step.shortcut, site)
            if wanted is False:
                site.body.append(Residual(step, tuple(inner.body), (), None, main and behind(main)))
                return main
            other = None if wanted is UNKNOWN else x
        if main is not None and other is not None and main.shape != other.shape:
            self._unlike(step, x, main, other, site)
            site.scope.fail(name or site.scope.label("add"), "add", main, other)
            other = None
        if main is None or other is None:
            site.body.extend((*inner.body, *side.body))
            return None
        self.context.work.spend(step.span, site, 2)
        label = name or site.scope.label("add")
        sides = self.context.taken(main), self.context.taken(other)
        merge = Merge(step, label, site.scope.path_of(label), "add", 1, sides, Tensor(main.shape))
        site.body.append(Residual(step, tuple(inner.body), tuple(side.body), merge, merge.output))
        return merge.output

    def _unlike(self, step: spec.Residual, x: Tensor | None, main: Tensor, other: Tensor, site: Site) -> None:
        """Reports that the sides differ, and which projection of the input would fix it."""
        message = f"the steps give {main.shape}, the shortcut {other.shape}: a residual adds equal shapes"
        projected = x and projection(step, x.shape, main.shape, self.context, site)
        help = "change the steps or the `shortcut`, so that both have one shape; `shortcut: false` adds nothing"
        if projected:
            what = "correct the `shortcut`" if isinstance(step.shortcut, tuple) else "project the input"
            help = f"{what}: `shortcut: [{projected}]`"
        origins = self.context.origins
        short = "the shortcut ends with" if isinstance(step.shortcut, tuple) else "the shortcut is the input"
        said = {"the steps end with": main, short: other}
        notes = [Note(f"{what} {tensor.shape}", origins.get(tensor)) for what, tensor in said.items()]
        site.fault(Code.RESIDUAL, message, step.span, help, *notes)


def _unpack(loop: spec.Loop, element: Any, value: Value, site: Site) -> dict[str, Any]:
    names = [name.name for name in loop.names]
    if not loop.unpack:
        return {names[0]: element}
    if not isinstance(element, tuple) or len(element) != len(loop.names):
        message = f"each element is unpacked into `{', '.join(names)}`, but one is {got(element)}"
        help = f"every element must be a list of {len(loop.names)}"
        site.fault(Code.TYPE, message, value.span, help)
        return dict.fromkeys(names, UNKNOWN)
    return dict(zip(names, element))


def _kind(step: spec.Branch, site: Site) -> Any:
    """How the branches are merged, UNKNOWN if that is none of the merges."""
    kind = site.value(step.merge)
    if kind is UNKNOWN or kind in MERGES:
        return kind
    meant = foreign.MERGES.get(foreign.entry(str(kind)))
    message = f"`merge` expects {', '.join(MERGES)}, got {got(kind)}"
    site.fault(Code.TYPE, message, step.merge.span, f"`{meant}`" if meant else "")
    return UNKNOWN


def _can_merge(step: spec.Branch, kind: Any, count: int, site: Site) -> bool:
    """Whether there are as many branches as it takes to merge them."""
    message, help, span = "", "", step.span
    if not count:
        message, help = "no branch is left", "leave the step itself out: put `when` beside `branch`"
    elif kind in PAIRS and count != 2:
        message, help, span = f"`{kind}` takes two branches, got {count}", "`branch: [[...], [...]]`", step.merge.span
    if message:
        site.fault(Code.BRANCH, message, span, help)
    return not message


def _dim(step: spec.Branch, site: Site) -> Any:
    """The dimension of a concat, UNKNOWN if it is not an integer."""
    dim = 1 if step.dim is None else site.value(step.dim)
    if step.dim is not None and dim is not UNKNOWN and type(dim) is not int:
        help = meant_by(step.dim, dim, site.environment.names)
        site.fault(Code.TYPE, f"`dim` expects an integer, got {got(dim)}", step.dim.span, help)
        return UNKNOWN
    return dim


def _has_shortcut(written: Value, site: Site) -> Any:
    """Whether a residual has a shortcut, UNKNOWN if that cannot be told."""
    wanted = site.value(written)
    if wanted is UNKNOWN or type(wanted) is bool:
        return wanted
    message = f"`shortcut` expects a list of steps, true or false, got {got(wanted)}"
    site.fault(Code.TYPE, message, written.span, meant_by(written, wanted, site.environment.names))
    return UNKNOWN
