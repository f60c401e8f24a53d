"""Compares weights with the tensors of a module: which fit, which are missing, unexpected, or of another shape."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnndsl.diagnostics import Code, Diagnostic, Note, RunError
from cnndsl.graph.graph import Graph
from cnndsl.spec.renaming import Renamer
from cnndsl.weights.naming import bare, is_counter
from cnndsl.weights.sources import Weights
from cnndsl.weights.stem import adapted, first_convolutions

#: How many tensors of a kind are listed if they do not fit.
MOST = 20


@dataclass(frozen=True, repr=False)
class Fit:
    """``taken`` are tensors by their names in the module. ``missing`` ones are only in the module, ``unexpected`` ones
    only in the weights. ``unlike`` ones are in both but with another shape, and ``unusable`` ones in both but not as
    plain numbers in the weights, each with the difference.

    ``adapted`` are the ``taken`` tensors that were converted to other input channels, with how. ``notes`` give what
    was removed from names, and which of several states was used. ``doubts`` list suspicious values.
    """

    origin: str
    taken: dict[str, Tensor]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unlike: tuple[tuple[str, str], ...] = ()
    unusable: tuple[tuple[str, str], ...] = ()
    adapted: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<Fit of {self.origin}: {self.summary}>"

    @property
    def misfits(self) -> dict[str, Sequence[str]]:
        """The tensors that do not fit, by reason."""
        return {
            "missing": self.missing,
            "unexpected": self.unexpected,
            "of another shape": _rows(self.unlike),
            "of another kind": _rows(self.unusable),
        }

    @property
    def is_whole(self) -> bool:
        return not any(self.misfits.values())

    @property
    def summary(self) -> str:
        counts = [f"{len(names)} {how}" for how, names in self._listed.items() if names]
        return ", ".join([f"{len(self.taken)} tensors fit", *self.notes, *counts])

    @property
    def table(self) -> list[str]:
        """A line for each tensor that was adapted or does not fit, at most :data:`MOST` of a kind."""
        rows = []
        for how, names in self._listed.items():
            rows += [f"{how}: {name}" for name in names[:MOST]]
            rows += [f"{how}: {len(names) - MOST} more"] if len(names) > MOST else []
        return rows

    @property
    def warning(self) -> Diagnostic | None:
        """A warning if loaded values are suspicious."""
        if not self.doubts:
            return None
        message = f"{self.origin} was loaded, but looks wrong"
        more = [f"{len(self.doubts) - MOST} more"] if len(self.doubts) > MOST else []
        return Diagnostic(Code.DOUBTFUL, message, notes=tuple(map(Note, [*self.doubts[:MOST], *more])))

    @property
    def _listed(self) -> dict[str, Sequence[str]]:
        return {"adapted": _rows(self.adapted), **self.misfits}


def _rows(names: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{name}: {how}" for name, how in names]


def load_weights(module: nn.Module, weights: Weights, graph: Graph, *, partial: bool = False) -> Fit:
    """Loads weights into the module of a graph, whose ``rename`` gives their names in the checkpoint.

    All of them must fit, or with ``partial`` some; ``partial`` also adapts the first convolutions to the channels of
    the input. Otherwise raises :class:`RunError` with a table, and leaves the module unchanged.
    """
    fit, adaptable = _fitted(module, weights, graph, partial)
    if not (fit.is_whole or partial) or not fit.taken:
        raise RunError(Code.WEIGHTS, f"{fit.origin} does not fit: {fit.summary}", _help(fit, adaptable), fit.table)
    module.load_state_dict(fit.taken, strict=False)
    return fit


def is_shaped_alike(shape: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two shapes are equal but for sizes of 1 at their ends: a factor for each channel is ``(C,)`` or
    ``(C, 1, 1)`` or ``(1, C, 1, 1)``, and torch 0.3 saved one number as ``(1,)``."""
    if len(shape) == len(other):
        return tuple(shape) == tuple(other)
    return _without_ones(shape) == _without_ones(other)


def _without_ones(shape: Sequence[int]) -> tuple[int, ...]:
    sizes = tuple(shape)
    while sizes and sizes[-1] == 1:
        sizes = sizes[:-1]
    while sizes and sizes[0] == 1:
        sizes = sizes[1:]
    return sizes


def fit_of(module: nn.Module, weights: Weights, graph: Graph) -> Fit:
    """Which weights fit the module of a graph. Nothing is loaded."""
    return _fitted(module, weights, graph, partial=False)[0]


def _fitted(module: nn.Module, weights: Weights, graph: Graph, partial: bool) -> tuple[Fit, Collection[str]]:
    """What fits, and the first convolutions that ``partial`` adapts."""
    state = module.state_dict()
    sources, notes = _sources(state, weights, graph)
    adaptable = {
        name
        for name in first_convolutions(graph) & sources.keys()
        if _differs_in_channels(weights.tensors[sources[name]], state[name])
    }
    return _held_against(state, weights, sources, adaptable if partial else set(), notes), adaptable


def _help(fit: Fit, adaptable: Collection[str]) -> str:
    if fit.taken:
        stem = "".join(f", and adapts `{name}` to the channels of the input" for name in sorted(adaptable)[:1])
        return f"`--partial` loads the tensors that fit{stem}"
    return "save dense tensors of real numbers" if fit.unusable else "do they belong to another network?"


def _sources(state: Mapping[str, Tensor], weights: Weights, graph: Graph) -> tuple[dict[str, str], list[str]]:
    """The tensors of a module that the weights have, each with its name there; and what was removed from these names.

    A tensor has the name that ``rename`` gives it, else its own name, if no other tensor has that.
    """
    renamer = Renamer(() if weights.own else graph.document.rename)
    called = {name: renamer.renamed(name) for name in state}
    there, notes = bare(weights.tensors, (set(called.values()), state.keys()))
    sources = {name: there[other] for name, other in called.items() if other in there}
    claimed = set(sources.values())
    by_own_name = {name: there[name] for name in state if name in there and there[name] not in claimed}
    return by_own_name | sources, notes


def _held_against(
    state: Mapping[str, Tensor],
    weights: Weights,
    sources: Mapping[str, str],
    adaptable: Collection[str],
    notes: Sequence[str],
) -> Fit:
    taken: dict[str, Tensor] = {}
    unlike, unusable, changed = [], [], []
    for name, tensor in state.items():
        if name not in sources:
            continue
        found = weights.tensors[sources[name]]
        if how := _no_plain_numbers(found, tensor):
            unusable.append((name, how))
        elif name in adaptable:
            taken[name], how = adapted(found, tensor.shape[1])
            changed.append((name, how))
        elif is_shaped_alike(found.shape, tensor.shape):
            taken[name] = found.reshape(tensor.shape)
        else:
            unlike.append((name, f"{list(found.shape)} there, {list(tensor.shape)} here"))
    used = set(sources.values())
    left = [name for name in weights.tensors if name not in used and not is_counter(name)]
    memory = {_memory(weights.tensors[name]) for name in used} - {None}
    second = [name for name in left if _memory(weights.tensors[name]) in memory]
    left = [name for name in left if name not in second]
    spare = [name for name in left if name.startswith(weights.spare)] if weights.spare else []
    return Fit(
        weights.origin,
        taken,
        missing=tuple(name for name in state if name not in sources and not is_counter(name)),
        unexpected=tuple(name for name in left if name not in spare),
        unlike=tuple(unlike),
        unusable=tuple(unusable),
        adapted=tuple(changed),
        notes=(*weights.notes, *notes, *_notes(spare, second)),
        doubts=(*_doubts(state, taken), *_shared(sources, taken)),
    )


def _notes(spare: Sequence[str], second: Sequence[str]) -> Iterator[str]:
    if spare:
        yield f"{len(spare)} of auxiliary heads left out"
    if second:
        yield f"{len(second)} are second names of these"


def _memory(tensor: Tensor) -> tuple[object, ...] | None:
    """What is equal for two names of one tensor, as a module has them that is registered twice; None if not known."""
    if tensor.is_nested or tensor.is_meta or tensor.layout is not torch.strided or not tensor.numel():
        return None
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _differs_in_channels(found: Tensor, tensor: Tensor) -> bool:
    """Whether a convolution's weight, ``[out, in, ...]``, differs in its number of input channels only."""
    if _no_plain_numbers(found, tensor) or found.dim() != tensor.dim() or not found.numel():
        return False
    differing = [axis for axis, sizes in enumerate(zip(found.shape, tensor.shape)) if sizes[0] != sizes[1]]
    return differing == [1]


def _no_plain_numbers(found: Tensor, tensor: Tensor) -> str:
    """Why a tensor cannot be loaded whatever its shape, "" if it can."""
    if found.is_nested:
        return "a nested tensor"
    if found.is_meta:
        return "a tensor of the meta device, which has no values"
    if found.is_quantized:
        return "a quantized tensor"
    if found.layout is not torch.strided:
        return f"a sparse tensor ({_name(found.layout)})"
    return f"{_name(found.dtype)} there, {_name(tensor.dtype)} here" if found.is_complex() > tensor.is_complex() else ""


def _doubts(state: Mapping[str, Tensor], taken: Mapping[str, Tensor]) -> Iterator[str]:
    """Values that no training produces, in the type that they have here."""
    for name, found in taken.items():
        tensor = state[name]
        if not tensor.is_floating_point():
            continue
        values = found.to(tensor.dtype)
        count = values.numel() - int(values.isfinite().sum())
        if count and bool(tensor.isfinite().all()):  # a mask has infinities from the start
            where = f" in {_name(tensor.dtype)}" if bool(found.isfinite().all()) else ""
            yield f"{name}: {count} of {values.numel()} values are not finite{where}"
        if name.rpartition(".")[2] == "running_var" and (count := int((values < 0).sum())):
            yield f"{name}: {count} of {values.numel()} variances are negative"
        if not found.is_floating_point():
            yield f"{name}: {_name(found.dtype)} there, {_name(tensor.dtype)} here"


def _shared(sources: Mapping[str, str], taken: Mapping[str, Tensor]) -> Iterator[str]:
    """Tensors of the weights that are loaded into several tensors of the module."""
    users: dict[str, list[str]] = defaultdict(list)
    for name in taken:
        users[sources[name]].append(name)
    for source, names in users.items():
        if len(names) > 1:
            yield f"{' and '.join(names)}: all are loaded from {source}"


def _name(torch_constant: object) -> str:
    return str(torch_constant).removeprefix("torch.")
