"""What a module did, in the words of the language: layers, merges, splits, and uses of modules inside.

``rules`` say what functions are, ``leaves`` which layers modules are, ``held`` what is done with parameters that a
module holds itself. ``dissolve`` writes classes that are no blocks into the module around, ``simplify`` joins what is
one layer, and ``finish`` names everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.body import Lifted, does_the_same
from cnndsl.importing.lift.dissolve import dissolved
from cnndsl.importing.lift.draft import Draft, DraftBody
from cnndsl.importing.lift.finish import Finisher, condensed
from cnndsl.importing.lift.simplify import simplified
from cnndsl.importing.lift.step import Unsaid
from cnndsl.importing.lift.writer import Writer
from cnndsl.importing.recorded import Place, Refusal, Tensor, Traced, Unspeakable
from cnndsl.weights.naming import is_counter


def lift(traced: Traced) -> Lifted:
    """A network in our words. Raises :class:`Unspeakable` with all that cannot be said."""
    lifter = _Lifter()
    body = lifter.next_use(traced, frozenset())
    lifter.refusals += _tied(traced)
    if lifter.refusals:
        raise Unspeakable(lifter.refusals)
    finisher = Finisher()
    root = finisher.finished(body)
    rename = condensed(finisher.renames, finisher.names)
    return Lifted(root, rename, _unused(traced.module, finisher), lifter.notes(traced))


def _tied(traced: Traced) -> list[Refusal]:
    """The refusals of parameters that several modules have. A module with several names has its parameters once."""
    owners: dict[int, dict[tuple[int, str], str]] = {}
    for path, module in traced.module.named_modules():
        for name, tensor in module._parameters.items():
            if tensor is not None:
                owners.setdefault(id(tensor), {})[id(module), name] = f"{path}.{name}" if path else name
    places = {called: (place, user) for called, place, user in _calls(traced)}
    refusals = []
    for names in owners.values():
        if len(names) > 1:
            message = f"{' and '.join(f'`{name}`' for name in names.values())} are one parameter"
            *_, (last, _) = names
            place, user = places.get(last, (None, traced))
            refusals.append(Refusal(Code.STATE, message, place, _TIED, user.path, user.kind))
    return refusals


#: Help for tied weights.
_TIED = "give each its own parameter, or call one of the two modules twice"


def _calls(module: Traced) -> Iterator[tuple[int, Place, Traced]]:
    """The modules that a module and those inside of it call, by their ids, each with its line and who calls it."""
    for use in module.uses:
        for operation in use.operations:
            if operation.module in module.children:
                yield id(module.children[operation.module].module), operation.place, module
    for child in module.children.values():
        yield from _calls(child)


#: Help for a module that does what it is told by an argument.
_UNLIKE = "`reuse` calls a module again as it is: do outside of the module what differs"


class _Lifter:
    def __init__(self) -> None:
        self.refusals: list[Refusal] = []
        self._runs: Counter[Traced] = Counter()
        #: The one module around each module with parameters.
        self._around: dict[Traced, Traced] = {}
        #: The layer that takes each tensor.
        self._owners: dict[tuple[Traced, str], object] = {}
        #: The body of each module's first run.
        self._first: dict[Traced, DraftBody] = {}
        self._understood: set[Traced] = set()

    def next_use(self, module: Traced, wanted: frozenset[Tensor]) -> DraftBody:
        """The body of a module's next run. Runs are recorded in the order in which they were."""
        use = module.uses[self._runs[module]]
        self._runs[module] += 1
        body = dissolved(Writer(module, self, wanted).written(use))
        for node in body.nodes:
            self._check_owner(module, node)
            first = self._first.setdefault(node.body.module, node.body) if node.body else None
            if node.body and first and not self.refusals and not does_the_same(first, node.body):
                message = f"`{node.name}` (`{node.body.module.kind}`) does other steps here than when it ran first"
                self.refuse(module, node.place, Unsaid(message, _UNLIKE, Code.STATE))
        return simplified(body, lambda place, fault: self.refuse(module, place, fault))

    def _check_owner(self, module: Traced, node: Draft) -> None:
        """Refuses a tensor that two unlike layers take, as ``F.conv2d(x, w)`` and ``F.conv2d(x, w, stride=2)`` do."""
        said = (node.word, repr([*node.arguments.items()]), repr(sorted(node.state.items())))
        for path in node.state.values():
            if self._owners.setdefault((module, path), said) != said:
                self.refuse(module, node.place, Unsaid(f"`{path}` is taken by two unlike layers", _TIED, Code.STATE))
                return

    def refuse(self, module: Traced, place: Place | None, fault: Unsaid) -> None:
        self.refusals.append(Refusal(fault.code, fault.message, place, fault.help, module.path, module.kind))

    def is_elsewhere(self, child: Traced, around: Traced) -> bool:
        """A module without parameters may be called everywhere: it is as many layers."""
        return bool(child.module.state_dict()) and self._around.setdefault(child, around) is not around

    def understood(self, module: Traced) -> None:
        self._understood.add(module)

    def notes(self, root: Traced) -> tuple[Refusal, ...]:
        """What is left out of modules that do something else in training."""
        found = {root: None} | _inside(root)
        return tuple(note for module in found if module not in self._understood for note in module.notes)


def _inside(module: Traced) -> dict[Traced, None]:
    found: dict[Traced, None] = {}
    for child in module.children.values():
        found |= {child: None} | _inside(child)
    return found


def _unused(module: nn.Module, finisher: Finisher) -> tuple[str, ...]:
    """The outermost modules whose tensors no layer has, and single tensors that none has."""
    used = {finisher.renames.get(name, name) for name in finisher.names}
    left = [name for name in module.state_dict() if name not in used and not is_counter(name)]
    idle = [
        path
        for path, inside in module.named_modules()
        if path and inside.state_dict() and not any(name.startswith(f"{path}.") for name in used)
    ]
    outermost = [path for path in idle if not any(path.startswith(f"{other}.") for other in idle)]
    single = [name for name in left if not any(name.startswith(f"{path}.") for path in outermost)]
    return (*outermost, *single)
