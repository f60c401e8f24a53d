"""Runs a module on tensors without values, and records what each of its modules did."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Operation, Refusal, Tensor, Traced, Unspeakable, Use
from cnndsl.importing.tracing.arguments import attributes
from cnndsl.importing.tracing.borrow import borrowed, cloned, on_meta
from cnndsl.importing.tracing.inputs import arranged
from cnndsl.importing.tracing.modules import Modules
from cnndsl.importing.tracing.places import place_of_error
from cnndsl.importing.tracing.recorder import NeedsValues, Recorder
from cnndsl.importing.tracing.runs import Unlike, with_training
from cnndsl.importing.tracing.watching import watching

#: The batch of a run. Batch normalisation in training takes no batch of one.
BATCH = 2

Inputs = Mapping[str, tuple[int, ...]]


def trace(
    module: nn.Module,
    inputs: Inputs,
    leaves: Collection[str] = (),
    arguments: Mapping[nn.Module, Mapping[str, Any]] | None = None,
) -> Traced:
    """Runs a module in evaluation mode on inputs of these shapes, without the batch, by the names of its arguments;
    ``features.0`` is in a list. ``leaves`` are names of classes that are not looked into, ``arguments`` what the
    ``__init__`` of modules was given. The module stays as it is. Raises :class:`Unspeakable`.
    """
    modules = Modules(module, leaves)
    try:
        recorder = _run(modules, inputs, training=False, has_values=False)
    except _Failed as failed:
        recorder = _run_with_values(modules, inputs, failed)
    if recorder.refusals:
        raise Unspeakable(recorder.refusals)
    trained: Recorder | Exception
    try:
        trained = _run(modules, inputs, training=True, has_values=recorder.has_values)
    except (_Failed, Unspeakable) as failed_in_training:
        trained = failed_in_training
    return _Tree(recorder, trained, arguments or {}).traced(module)


def failure(module: nn.Module, inputs: Inputs) -> str:
    """Why a module does not run with these inputs, "" if it does, or if something else prevents a spec."""
    modules = Modules(module)
    try:
        _run(modules, inputs, training=False, has_values=False)
    except _Failed as failed:
        if not failed.for_want_of_values:
            return failed.told.message
        try:
            _run_with_values(modules, inputs, failed)
        except Unspeakable as unspeakable:
            return next((r.message for r in unspeakable.refusals if r.code is Code.FORWARD), "")
    except Unspeakable:
        return ""
    return ""


class _Failed(Exception):
    """The module's own code, or torch, has raised an error."""

    def __init__(self, told: Refusal, error: Exception) -> None:
        self.told = told
        # Some of torch's functions do not run without values.
        self.for_want_of_values = isinstance(error, (NeedsValues, NotImplementedError)) or "meta" in str(error)
        super().__init__(told.message)


def _run(modules: Modules, inputs: Inputs, training: bool, has_values: bool) -> Recorder:
    refusals: list[Refusal] = []
    root = modules.root
    with borrowed(root, cloned if has_values else on_meta), torch.no_grad():
        root.train(training)
        recorder = Recorder(modules, refusals, has_values)
        given = {name: _tensor((BATCH, *shape), has_values) for name, shape in inputs.items()}
        for name, tensor in given.items():
            recorder.new(tensor, Tensor(tuple(tensor.shape), name.rpartition(".")[2]))
        args, kwargs = arranged(root, given)
        try:
            with watching(recorder):
                root(*args, **kwargs)
        except Unspeakable:
            raise
        except Exception as error:
            recorder.refuse(Code.FORWARD, _raised(error), place_of_error(error.__traceback__))
            raise _Failed(refusals.pop(), error) from error
    return recorder


def _raised(error: Exception) -> str:
    return f"`forward` raises {type(error).__name__}: {error}"


def _run_with_values(modules: Modules, inputs: Inputs, failed: _Failed) -> Recorder:
    """What cannot run without values may run with them; torch's errors are also better then."""
    try:
        return _run(modules, inputs, training=False, has_values=True)
    except _Failed as again:
        raise Unspeakable([again.told]) from failed


def _tensor(shape: tuple[int, ...], has_values: bool) -> torch.Tensor:
    if not has_values:
        return torch.empty(shape, device="meta")
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


class _Tree:
    """Makes the records of a network's modules."""

    def __init__(self, recorder: Recorder, trained: Recorder | Exception, arguments: Mapping[nn.Module, Any]) -> None:
        self.recorder = recorder
        self.trained = trained
        self.arguments = arguments
        self._done: dict[nn.Module, Traced] = {}

    def traced(self, module: nn.Module) -> Traced:
        if module not in self._done:
            modules = self.recorder.modules
            uses, training, notes = self._uses(module)
            called = self.recorder.called.get(module, {})
            self._done[module] = Traced(
                path=modules.paths[module][0],
                paths=tuple(modules.paths[module]),
                module=module,
                is_leaf=module in modules.leaves,
                arguments=self.arguments.get(module) or attributes(module),
                children={path: self.traced(child) for path, child in called.items()},
                uses=uses,
                training=training,
                notes=notes,
            )
        return self._done[module]

    def _uses(self, module: nn.Module) -> tuple[tuple[Use, ...], tuple[Use, ...], tuple[Refusal, ...]]:
        """The uses in evaluation mode, those in training mode if they differ, and what is to be told of that."""
        uses = _whole(self.recorder, module)
        if isinstance(self.trained, Exception):
            told = self._note(module, f"it does not run in training mode: {self.trained}", None)
            return uses, (), (told,) if module is self.recorder.modules.root else ()
        trained = _whole(self.trained, module)
        alone = [operation for use in trained for operation in use.operations if self._only_trains(operation, module)]
        notes = tuple(self._left_out(module, operation) for operation in alone)
        try:
            if len(uses) != len(trained):
                raise Unlike(None)
            kept = [_without(use, alone) for use in trained]
            return tuple(with_training(one, two) for one, two in zip(uses, kept)), (), notes
        except Unlike as unlike:
            place = unlike.operation.place if unlike.operation else None
            if not (alone and unlike.operation is None):
                notes = (*notes, self._note(module, "`forward` does something else in training mode", place))
            return uses, trained, notes

    def _only_trains(self, operation: Operation, module: nn.Module) -> bool:
        assert isinstance(self.trained, Recorder)
        if operation.target != "module":
            return False
        return self.trained.called[module][operation.module] not in self.recorder.uses

    def _left_out(self, module: nn.Module, operation: Operation) -> Refusal:
        return self._note(module, f"`{operation.module}` runs only in training mode and is left out", operation)

    def _note(self, module: nn.Module, message: str, where: Any) -> Refusal:
        place = where.place if isinstance(where, Operation) else where
        path = self.recorder.modules.paths[module][0]
        return Refusal(Code.LEFT_OUT, message, place, "", path, type(module).__name__)


def _whole(recorder: Recorder, module: nn.Module) -> tuple[Use, ...]:
    return tuple(use for use in recorder.uses.get(module, ()) if use is not None)


def _without(use: Use, left_out: list[Operation]) -> Use:
    kept = tuple(operation for operation in use.operations if all(operation is not other for other in left_out))
    return Use(use.inputs, kept, use.outputs)
