"""Long tables become parameters of the document, where a reader sees them first."""

from __future__ import annotations

from msgspec.structs import replace

from cnndsl.emit.source.expr import Ref
from cnndsl.importing.lines import inline
from cnndsl.importing.tree import Arguments, Dense, Repeat, Spec, Step, Steps, inside, names_in, nested
from cnndsl.importing.writing import data

#: The longest list that stays in its loop.
_SHORT = 90


def with_tables(spec: Spec) -> Spec:
    """The spec with a parameter for each long table in its own steps."""
    tables = _Tables({name for name, _ in spec.params} | names_in(spec.steps))
    steps = tables.without(spec.steps)
    return replace(spec, params=(*spec.params, *tables.found), steps=steps)


class _Tables:
    def __init__(self, taken: set[str] | frozenset[str]) -> None:
        self.taken = {*taken}
        self.found: Arguments = ()

    def without(self, steps: Steps) -> Steps:
        return tuple(self._step(step) for step in steps)

    def _step(self, step: Step) -> Step:
        if isinstance(step, Repeat | Dense) and isinstance(step.over, tuple) and len(inline(data(step.over))) > _SHORT:
            name = self._name(step)
            self.found += ((name, step.over),)
            step = replace(step, over=Ref(name))
        return inside(step, self.without)

    def _name(self, loop: Repeat | Dense) -> str:
        """``stages`` if there are loops in each round, else ``rows``, or what the one column is called."""
        has_loops = any(_has_loop(steps) for steps in nested(loop))
        name = "stages" if has_loops else "rows" if len(loop.names) > 1 else f"{loop.names[0].rstrip('s')}s"
        names = (name, *(f"{name}{number}" for number in range(2, 99)))
        chosen = next(one for one in names if one not in self.taken)
        self.taken.add(chosen)
        return chosen


def _has_loop(steps: Steps) -> bool:
    return any(isinstance(step, Repeat | Dense) or any(map(_has_loop, nested(step))) for step in steps)
