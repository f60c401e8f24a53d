"""What runs of a network have recorded, as one record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import asdict
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Operation, Place, Refusal, Traced, TrainsOnly, Use
from cnndsl.importing.tracing.arguments import attributes
from cnndsl.importing.tracing.functions import drawing
from cnndsl.importing.tracing.run import Run
from cnndsl.importing.tracing.runs import Unlike, check_path, with_sizes, with_training


class Tree:
    """Makes the records of a network's modules, of a run in evaluation mode and of others that it is compared with:
    at another size, and in training mode."""

    def __init__(
        self,
        run: Run,
        resized: Run | None,
        trained: Run | Exception,
        arguments: Mapping[nn.Module, Mapping[str, Any]],
        elsewhere: Sequence[tuple[Run, Run]] = (),
    ) -> None:
        self.refusals: list[Refusal] = []
        self.run = run
        self.resized = resized
        self.trained = trained
        self.arguments = arguments
        self._lost = list(zip(run.lost, resized.lost)) if resized and len(run.lost) == len(resized.lost) else []
        self._done: dict[nn.Module, Traced] = {}
        self._elsewhere: dict[str, Refusal] = {}
        for note in (note for one, other in elsewhere for note in other_paths(one, other)):
            self._elsewhere.setdefault(note.path, note)

    def traced(self, module: nn.Module) -> Traced:
        if module not in self._done:
            modules = self.run.modules
            sized, of_size = self._sized(module)
            uses, training, of_training = self._compared(module, sized)
            called = self.run.called.get(module, {})
            self._done[module] = Traced(
                path=modules.paths[module][0],
                paths=tuple(modules.paths[module]),
                module=module,
                is_leaf=module in modules.leaves,
                arguments=self.arguments.get(module) or attributes(module),
                children={path: self.traced(child) for path, child in called.items()},
                uses=uses,
                training=training,
                notes=(*of_size, *of_training),
            )
        return self._done[module]

    def _sized(self, module: nn.Module) -> tuple[tuple[Use, ...], tuple[Refusal, ...]]:
        """The uses in evaluation mode, with formulas for all sizes, and what is to be told of that."""
        uses = self.run.whole_uses(module)
        if self.resized is None:
            return uses, self._paths(module)

        def tell(value: Any, place: Place) -> None:
            message = f"the number {value:.4g} depends on the size of the input in a way that cannot be followed"
            help = "compute it from `x.shape` with `+`, `-`, `*`, `/`, `//`, `%`, `math.ceil`, `math.floor` or `round`"
            self.refusals.append(self._refusal(Code.OPERATION, module, message, place, help))

        try:
            pairs = _pairs(uses, self.resized.whole_uses(module))
            return tuple(with_sizes(one, two, self._lost, tell) for one, two in pairs), self._paths(module)
        except Unlike as unlike:
            return uses, (_other_path(self.run, module, unlike),)

    def _paths(self, module: nn.Module) -> tuple[Refusal, ...]:
        note = self._elsewhere.get(self.run.modules.paths[module][0])
        return (note,) if note else ()

    def _compared(
        self, module: nn.Module, uses: tuple[Use, ...]
    ) -> tuple[tuple[Use, ...], tuple[Use, ...], tuple[Refusal, ...]]:
        """The uses, with what is other in training mode, those in training mode if they do other operations, and what
        is to be told of that."""
        if isinstance(self.trained, Exception):
            told = self._refusal(Code.LEFT_OUT, module, f"it does not run in training mode: {self.trained}", None)
            return uses, (), (told,) if module is self.run.modules.root else ()
        trained = self.trained.whole_uses(module)
        alone = [operation for use in trained for operation in use.operations if self._only_trains(operation, module)]
        notes = tuple(self._left_out(module, operation) for operation in alone)
        try:
            pairs = _pairs(uses, tuple(_without(use, alone) for use in trained))
            return tuple(with_training(one, two) for one, two in pairs), (), notes
        except Unlike as unlike:
            if noise := [*self._noise(module, trained)]:
                notes = (*notes, *noise)
            elif not alone or unlike.operation is not None:
                place = unlike.operation.place if unlike.operation else None
                message = "`forward` does something else in training mode"
                notes = (*notes, self._refusal(Code.LEFT_OUT, module, message, place))
            return uses, trained, notes

    def _only_trains(self, operation: Operation, module: nn.Module) -> bool:
        assert isinstance(self.trained, Run)
        if operation.target != "module":
            return False
        return self.trained.called[module][operation.module] not in self.run.uses

    def _left_out(self, module: nn.Module, operation: Operation) -> Refusal:
        message = f"`{operation.module}` runs only in training mode and is left out"
        above = self.run.modules.paths[module][0]
        path = f"{above}.{operation.module}" if above else operation.module
        told = self._refusal(Code.LEFT_OUT, module, message, operation.place)
        return TrainsOnly(**{**asdict(told), "module": path})

    def _noise(self, module: nn.Module, trained: tuple[Use, ...]) -> Iterator[Refusal]:
        """Where a module draws random numbers in training."""
        for operation in (operation for use in trained for operation in use.operations):
            if name := drawing(operation):
                message = f"`{name}` draws random numbers in training: it is left out, and training is not compared"
                told = self._refusal(Code.LEFT_OUT, module, message, operation.place)
                yield TrainsOnly(**asdict(told))

    def _refusal(self, code: Code, module: nn.Module, message: str, place: Place | None, help: str = "") -> Refusal:
        return Refusal(code, message, place, help, self.run.modules.paths[module][0], type(module).__name__)


def other_paths(run: Run, other: Run) -> Iterator[Refusal]:
    """What is to be told of modules that do other operations in another run, for inputs of another size or batch."""
    for module in run.uses:
        try:
            for one, two in _pairs(run.whole_uses(module), other.whole_uses(module)):
                check_path(one, two)
        except Unlike as unlike:
            yield _other_path(run, module, unlike)


def _other_path(run: Run, module: nn.Module, unlike: Unlike) -> Refusal:
    message = "`forward` does something else for inputs of another size or batch"
    if run.training:
        message += ", in training mode"
    help = "the spec does what the module does for inputs like the given one"
    place = unlike.operation.place if unlike.operation else None
    return Refusal(Code.LEFT_OUT, message, place, help, run.modules.paths[module][0], type(module).__name__)


def _without(use: Use, left_out: list[Operation]) -> Use:
    kept = tuple(operation for operation in use.operations if all(operation is not other for other in left_out))
    return Use(use.inputs, kept, use.outputs)


def _pairs(uses: tuple[Use, ...], others: tuple[Use, ...]) -> list[tuple[Use, Use]]:
    """Raises :class:`Unlike` if a module runs more often in the one than in the other."""
    if len(uses) != len(others):
        raise Unlike
    return list(zip(uses, others))
