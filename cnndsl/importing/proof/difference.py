"""The first layer in which two networks differ."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from cnndsl.importing.proof.runs import Side, run, undisturbed
from cnndsl.importing.proof.samples import tensors_in
from cnndsl.importing.recorded import Place
from cnndsl.spec.renaming import Renamer


class Call(NamedTuple):
    """One call of a module: its path, its number among the calls of this module, and what it took and gave."""

    path: str
    number: int
    inputs: list[Tensor]
    outputs: list[Tensor]


class Difference(NamedTuple):
    message: str
    path: str = ""
    kind: str = ""
    place: Place | None = None


def first_difference(
    ours: Side, theirs: Side, inputs: Sequence[Tensor], renamer: Renamer, training: bool
) -> Difference:
    """The first module in running order, innermost first, that both networks have and whose outputs differ."""
    mine = {(renamer.renamed(call.path), call.number): call for call in _calls(ours, inputs, training)}
    last = ""
    for call in _calls(theirs, inputs, training):
        other = mine.get((call.path, call.number))
        if other is None:
            continue
        if _equal(call.outputs, other.outputs):
            last = call.path or last
        else:
            return _told(theirs.module, call, other, last)
    return Difference("no module differs by itself")


def _told(module: nn.Module, call: Call, other: Call, last: str) -> Difference:
    made = module.get_submodule(call.path)
    kind = type(made).__name__
    first = f"`{call.path}` ({kind}) is the first layer that differs" if call.path else "no layer in it differs"
    if [t.shape for t in call.outputs] != [t.shape for t in other.outputs]:
        how = f"it gives {_shapes(call.outputs)}, and in the spec {_shapes(other.outputs)}"
    elif _equal(call.inputs, other.inputs):
        how = "from equal inputs" if call.path else "what joins their outputs does"
    else:
        how = "its inputs differ already"
    after = f", after `{last}`, which is equal" if last else ""
    around = module.get_submodule(call.path.rpartition(".")[0])
    return Difference(f"{first}: {how}{after}", call.path, kind, place(around))


def place(module: nn.Module) -> Place | None:
    """The ``forward`` that calls the layer, if that has a line."""
    code = getattr(inspect.unwrap(type(module).forward), "__code__", None)
    return Place(code.co_filename, code.co_firstlineno) if code else None


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join(str(list(tensor.shape)) for tensor in tensors)


def _equal(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return len(some) == len(others) and all(map(torch.equal, some, others))


def _calls(side: Side, inputs: Sequence[Tensor], training: bool) -> list[Call]:
    """The calls of the modules of a network in the order in which they end; up to where it fails, if it does."""
    calls: list[Call] = []
    tensors = {name: tensor.clone() for name, tensor in side.tensors.items()}
    with undisturbed(side.module), torch.no_grad(), _recording(side.module, calls):
        side.module.train(training)
        run(side, tensors, inputs)
    return calls


@contextmanager
def _recording(module: nn.Module, calls: list[Call]) -> Iterator[None]:
    """Copies of what each module takes and gives. A layer in place changes what it took."""
    counts: dict[str, int] = {}
    taken: dict[str, list[list[Tensor]]] = {}

    def before(path: str) -> Any:
        def hook(_: nn.Module, args: Any, kwargs: Any) -> None:
            taken.setdefault(path, []).append([tensor.clone() for tensor in tensors_in((args, kwargs))])

        return hook

    def after(path: str) -> Any:
        def hook(_: nn.Module, args: Any, outputs: Any) -> None:
            counts[path] = counts.get(path, 0) + 1
            given = [tensor.clone() for tensor in tensors_in(outputs)]
            calls.append(Call(path, counts[path], taken[path].pop(), given))

        return hook

    with ExitStack() as hooks:
        for path, part in module.named_modules():
            hooks.callback(part.register_forward_pre_hook(before(path), with_kwargs=True).remove)
            hooks.callback(part.register_forward_hook(after(path)).remove)
        yield
