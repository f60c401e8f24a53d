"""What a module did, in the words of the language: layers, merges, splits, and uses of modules inside.

``rules`` say what functions are, ``leaves`` which layers modules are, ``held`` what is done with parameters that a module
holds itself. ``dissolve`` writes classes that are no blocks into the module around, ``simplify`` joins what is one layer,
and ``finish`` names everything.
"""

from __future__ import annotations

from collections import Counter

from cnndsl.diagnostics import Code
from cnndsl.importing.body import Lifted
from cnndsl.importing.lift.dissolve import dissolved
from cnndsl.importing.lift.draft import DraftBody
from cnndsl.importing.lift.finish import Finisher, condensed
from cnndsl.importing.lift.simplify import simplified
from cnndsl.importing.lift.step import Unsaid
from cnndsl.importing.lift.writer import Writer
from cnndsl.importing.recorded import Operation, Refusal, Traced, Unspeakable


def lift(traced: Traced) -> Lifted:
    """A network in our words. Raises :class:`Unspeakable` with all that cannot be said."""
    lifter = _Lifter()
    body = lifter.next_use(traced)
    if lifter.refusals:
        raise Unspeakable(lifter.refusals)
    finisher = Finisher()
    root = finisher.finished(body)
    return Lifted(root, condensed(finisher.renames, finisher.names), _unused(traced))


class _Lifter:
    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self._runs: Counter[Traced] = Counter()
        #: The one module around each module with parameters.
        self._around: dict[Traced, Traced] = {}

    def next_use(self, module: Traced) -> DraftBody:
        """The body of a module's next run. Runs are recorded in the order in which they were."""
        use = module.uses[self._runs[module]]
        self._runs[module] += 1
        body = dissolved(Writer(module, self.next_use, self._refuse).written(use))
        return simplified(body, lambda place, fault: self._told(module, place, fault))

    def _refuse(self, module: Traced, operation: Operation, fault: Unsaid) -> None:
        self._told(module, operation.place, fault)

    def _told(self, module: Traced, place: object, fault: Unsaid) -> None:
        self.refusals.append(Refusal(fault.code, fault.message, place, fault.help, module.path, module.kind))  # type: ignore[arg-type]


def _unused(traced: Traced) -> tuple[str, ...]:
    """The outermost modules that never ran."""
    ran: set[str] = set()

    def visit(module: Traced) -> None:
        ran.update(module.paths)
        for child in module.children.values():
            visit(child)

    visit(traced)
    unused: list[str] = []
    for path, module in traced.module.named_modules():
        inside = any(path.startswith(f"{other}.") for other in unused)
        holds = any(name == path or name.startswith(f"{path}.") for name in ran)
        if path and not inside and not holds:
            unused.append(path)
    return tuple(unused)
