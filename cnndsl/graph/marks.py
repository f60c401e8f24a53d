"""Steps that only give a name to the current tensor: a name that nothing uses is mostly a slip, ``- name: stem`` above
the ``- Conv2d: ...`` that it was meant for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import pairwise

from cnndsl.diagnostics import Code, Diagnostic, shorten
from cnndsl.graph.scope import MANY
from cnndsl.spec.document import Document
from cnndsl.spec.steps import Arm, Mark, Step, Steps, may_be, nested, targets_in, written_name


class Marks:
    """The marks that have run, each with its names, and the steps that ``when`` left out, which may name them."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._names: dict[Mark, set[str]] = {}
        self._left_out: dict[Step | Arm, None] = {}

    def ran(self, step: Mark, name: str) -> None:
        self._names.setdefault(step, set()).add(name)

    def leave_out(self, step: Step | Arm) -> None:
        self._left_out[step] = None

    def unused(self, used: Collection[Step]) -> Iterator[Diagnostic]:
        """Warnings about marks of this file that are not among the ``used`` steps, and that nothing would use with
        other parameters. The last step of the network may have a name for those who extend it."""
        document = self.document
        kept = {*used, *document.network[-1:]}
        idle = [mark for mark in self._names if mark not in kept and mark.span.source == document.source]
        targets = {written_name(target) for step in self._left_out for target in targets_in(_steps_of(step))}
        patterns = [written for written in targets if len(written) > 1]
        if not idle or len(patterns) > MANY:
            return
        followers = dict(_followers((document.network, *(block.steps for block in document.blocks.values()))))
        for mark in idle:
            names = self._names[mark]
            wanted = any((name,) in targets or any(may_be(written, name) for written in patterns) for name in names)
            if not wanted:
                yield _warning(mark, followers.get(mark))


def _warning(mark: Mark, following: Step | None) -> Diagnostic:
    assert mark.name is not None
    name = shorten(mark.name.span.text)
    help = f"it names the current tensor, for `from: {name}`; remove it"
    if following is not None and following.name is None and not isinstance(following, Mark):
        word = shorten(following.span.text)
        help = f"`{{name: {name}, {word}: ...}}` names the step after it; `name` alone is a step of its own"
    return Diagnostic(Code.UNUSED, f"nothing uses the name `{name}`", mark.name.span.first_line, help)


def _steps_of(left_out: Step | Arm) -> Steps:
    return left_out.steps if isinstance(left_out, Arm) else (left_out,)


def _followers(lists: Iterable[Steps]) -> Iterator[tuple[Step, Step]]:
    """Each step with the one after it in its list."""
    for steps in lists:
        yield from pairwise(steps)
        for step in steps:
            yield from _followers(nested(step))
