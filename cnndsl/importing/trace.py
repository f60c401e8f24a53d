"""Runs a module on tensors without values, and records what each of its modules did."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any

import torch
from msgspec.structs import replace
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Refusal, Tensor, Traced, Unspeakable
from cnndsl.importing.tracing.beside import beside, told_of_tensors
from cnndsl.importing.tracing.borrow import borrowed, cloned, on_meta
from cnndsl.importing.tracing.effects import NeedsValues
from cnndsl.importing.tracing.inputs import arranged
from cnndsl.importing.tracing.modules import Modules
from cnndsl.importing.tracing.nested import same_tensors, tensors
from cnndsl.importing.tracing.places import place_of_code, place_of_error
from cnndsl.importing.tracing.records import Tree, other_paths
from cnndsl.importing.tracing.run import Run
from cnndsl.importing.tracing.watching import watching

#: The batch of a run. Batch normalisation in training takes no batch of one.
BATCH = 2
#: Factors of heights and widths, what is added to them, and batches for which the path is compared too: odd sizes and
#: batches, larger and smaller than usual ones.
ELSEWHERE = (((4, 4), (1, 3), 17), ((0.5, 0.5), (1, 3), 1))

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
    if modules.refused:
        raise Unspeakable(modules.refused)
    try:
        run = _run(modules, inputs)
    except _Failed as failed:
        run = _run_with_values(modules, inputs, failed)
    if run.refusals:
        raise Unspeakable(run.refusals)
    trained = _trained(modules, inputs, run)
    tree = Tree(
        run, _resized(modules, inputs, run), trained, arguments or {}, _elsewhere(modules, inputs, run, trained)
    )
    traced = tree.traced(module)
    if tree.refusals:
        raise Unspeakable(tree.refusals)
    told = [*run.notes, *(trained.notes if isinstance(trained, Run) else ()), *told_of_tensors(module)]
    return replace(traced, notes=(*traced.notes, *dict.fromkeys(told)))


def _trained(modules: Modules, inputs: Inputs, run: Run) -> Run | Exception:
    try:
        return _run(modules, inputs, training=True, has_values=run.has_values)
    except Unspeakable as refused:
        return refused
    except _Failed as failed:
        try:
            return _run(modules, inputs, training=True, has_values=True) if failed.for_want_of_values else failed
        except (_Failed, Unspeakable) as again:
            return again


def _resized(modules: Modules, inputs: Inputs, run: Run) -> Run | None:
    """A run with another batch, and other heights and widths if the module takes them."""
    tried = ((1, 1),) if run.has_values else ((2, 3), (2, 2), (1, 1))  # with values, larger sizes take too long
    scaled = (
        {name: (*shape[:1], *(s * f for s, f in zip(shape[1:], (*factors, 2)))) for name, shape in inputs.items()}
        for factors in tried
    )
    return _other(modules, run, scaled, BATCH + 1)


def _elsewhere(modules: Modules, inputs: Inputs, run: Run, trained: Run | Exception) -> list[tuple[Run, Run]]:
    """Runs with other runs at very different sizes and batches, in evaluation and in training mode, as far as the
    module takes these."""
    found = []
    for factors, added, batch in ELSEWHERE:
        for like in (run, trained):
            if isinstance(like, Run) and not like.has_values and (batch > 1 or not like.training):
                other = _other(modules, like, (_scaled(inputs, factors, added), inputs), batch)
                found += [(like, other)] if other is not None else []
    return found


def _other(modules: Modules, like: Run, tried: Iterable[Inputs], batch: int) -> Run | None:
    for inputs in tried:
        try:
            return _run(modules, inputs, like.training, like.has_values, batch)
        except (_Failed, Unspeakable):
            continue
    return None


def _scaled(inputs: Inputs, factors: Sequence[float], added: Sequence[int]) -> Inputs:
    """Sizes that are odd if those of the inputs are even. Sizes of 1 stay, and so do those of inputs of several sizes,
    as these depend on each other."""
    if len({shape[1:] for shape in inputs.values()}) > 1:
        return inputs
    rules = (*zip(factors, added), (1, 0))
    return {
        name: (*shape[:1], *(int(s * factor) + more if s > 1 else 1 for s, (factor, more) in zip(shape[1:], rules)))
        for name, shape in inputs.items()
    }


def other_path(
    module: nn.Module, inputs: Inputs, other: Inputs, batch: int, training: bool, leaves: Collection[str]
) -> Refusal | None:
    """The first line that does something else for other inputs than for the given ones, if there is one."""
    modules = Modules(module, leaves)
    runs = []
    for shapes, samples in ((inputs, BATCH), (other, batch)):
        try:
            runs.append(_run(modules, shapes, training, batch=samples))
        except (_Failed, Unspeakable):
            return None
    return next(other_paths(*runs), None)


#: What :func:`failure` says of a size at which parts of an image become samples, as ``view(-1, 64)`` makes them.
OTHER_BATCH = "an output has another batch than the input"


def failure(module: nn.Module, inputs: Inputs) -> str:
    """Why a module does not run with these inputs, "" if it does, or if something else prevents a spec."""
    modules = Modules(module)
    try:
        run = _run(modules, inputs)
        if any(output.shape[:1] != (BATCH,) for output in tensors(run.returned) if output.dim()):
            return OTHER_BATCH
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

    def __init__(self, told: Refusal, error: BaseException) -> None:
        self.told = told
        # Some of torch's functions do not run without values.
        self.for_want_of_values = isinstance(error, (NeedsValues, NotImplementedError)) or "meta" in str(error)
        super().__init__(told.message)


def _run(modules: Modules, inputs: Inputs, training: bool = False, has_values: bool = False, batch: int = BATCH) -> Run:
    root = modules.root
    with borrowed(root, cloned if has_values else on_meta), torch.no_grad():
        root.train(training)
        run = Run(modules, has_values, training)
        like = next(filter(torch.is_floating_point, root.parameters()), torch.empty(0))
        given = {name: _tensor((batch, *shape), like, has_values) for name, shape in inputs.items()}
        for name, tensor in given.items():
            run.new(tensor, Tensor(tuple(tensor.shape), name.rpartition(".")[2]))
        args, kwargs = arranged(root, given)
        try:
            with _unheard(), watching(run):
                result = beside(run, lambda: root(*args, **kwargs))
        except Unspeakable:
            raise
        except (Exception, SystemExit) as error:
            run.refuse(Code.FORWARD, _raised(error), place_of_error(error.__traceback__))
            raise _Failed(run.refusals.pop(), error) from error
    if not same_tensors(result, run.returned):
        help = "write what it does in `forward`"
        run.refuse(Code.OPERATION, "`__call__` does more than `forward`", place_of_code(type(root).__call__), help)
    return run


@contextmanager
def _unheard() -> Iterator[None]:
    """What a module prints is not the spec, and it prints that in each run."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _raised(error: BaseException) -> str:
    return f"`forward` raises {type(error).__name__}: {error}"


def _run_with_values(modules: Modules, inputs: Inputs, failed: _Failed) -> Run:
    """What cannot run without values may run with them; torch's errors are also better then."""
    try:
        return _run(modules, inputs, has_values=True)
    except _Failed as again:
        raise Unspeakable([again.told]) from failed


def _tensor(shape: tuple[int, ...], like: torch.Tensor, has_values: bool) -> torch.Tensor:
    """Of the type of a parameter, and on its device."""
    if not has_values:
        return torch.empty(shape, dtype=like.dtype, device="meta")
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(like)
