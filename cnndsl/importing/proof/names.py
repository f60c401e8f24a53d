"""The tensors of a spec's module and those of the module that it was made of, name by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cnndsl.spec.renaming import Renamer
from cnndsl.weights.fit import is_shaped_alike

#: How many names a message lists.
MOST = 3
#: The settings of layers that only training shows, or that other numbers may hide.
HIDDEN = ("eps", "momentum", "p", "track_running_stats")


@dataclass(frozen=True)
class Counterparts:
    """For the names of a spec's tensors their names in the module; of several names of one tensor there, the first.
    ``spare`` are the module's tensors that the spec leaves out."""

    names: Mapping[str, str]
    spare: tuple[str, ...]


class Misfit(Exception):
    """The tensors of two networks differ; the message says how."""


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers, each once, by its first name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def counterparts(ours: nn.Module, theirs: nn.Module, renamer: Renamer, left_out: Collection[str]) -> Counterparts:
    """Matches the tensors of a spec's module with those of a module, which may have more of them below the paths in
    ``left_out``. Raises :class:`Misfit`."""
    state = theirs.state_dict(keep_vars=True)
    first = {id(tensor): name for name, tensor in reversed(named_tensors(theirs).items())}
    mine = {name: tensor for name, tensor in named_tensors(ours).items() if name in ours.state_dict()}
    called = {name: other if (other := renamer.renamed(name)) in state else name for name in mine}
    _refuse("the module has no {}", (other for other in called.values() if other not in state))
    _refuse("{}", (f"`{called[name]}` {how}" for name in mine if (how := _unlike(mine[name], state[called[name]]))))
    matched = {id(state[other]) for other in called.values()}
    missing = [name for name, tensor in state.items() if id(tensor) not in matched]
    _refuse("the spec has no {}", (name for name in missing if not is_below(name, left_out)))
    names = {name: first[id(state[other])] for name, other in called.items()}
    by_tensor: dict[str, list[str]] = {}
    for name, other in names.items():
        by_tensor.setdefault(other, []).append(called[name])
    _refuse("one tensor of the module is several of the spec: {}", (", ".join(n) for n in by_tensor.values() if n[1:]))
    return Counterparts(names, tuple(missing))


def is_below(name: str, paths: Collection[str]) -> bool:
    """Whether a name is one of the paths, or a name inside of one."""
    return any(name == path or name.startswith(f"{path}.") for path in paths)


def _unlike(mine: Tensor, other: Tensor) -> str:
    if not is_shaped_alike(mine.shape, other.shape):
        return f"is {list(mine.shape)} in the spec, {list(other.shape)} in the module"
    kinds = ["a parameter" if isinstance(tensor, nn.Parameter) else "a buffer" for tensor in (mine, other)]
    if kinds[0] != kinds[1]:
        return f"is {kinds[0]} in the spec, {kinds[1]} in the module"
    return ""


def _refuse(message: str, found: Iterator[str]) -> None:
    if names := [*found]:
        more = f", and {len(names) - MOST} more" if len(names) > MOST else ""
        raise Misfit(message.format(", ".join(names[:MOST]) + more))


def check_settings(ours: nn.Module, theirs: nn.Module, renamer: Renamer) -> None:
    """Compares the settings of equal layers at equal paths that outputs may hide. Raises :class:`Misfit`."""
    others = dict(theirs.named_modules(remove_duplicate=False))
    for path, mine in ours.named_modules():
        other = others.get(renamer.renamed(path))
        if type(mine).__module__.startswith("torch.nn.") and isinstance(other, type(mine)):
            for name in HIDDEN:
                values = getattr(mine, name, None), getattr(other, name, None)
                if values[0] != values[1]:
                    what = f"`{path}` ({type(mine).__name__})"
                    raise Misfit(f"`{name}` of {what} is {values[0]} in the spec, {values[1]} in the module")


@torch.no_grad()
def perturbed(module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a module as copies on the CPU in float32, in which everything counts: what is constant, such as
    the zeros that end residual branches, and the statistics of normalisations are drawn. Other buffers are kept: they
    are constants, such as the kernel of a blur."""
    generator = torch.Generator().manual_seed(0)
    parameters = dict(module.named_parameters())
    made = {}
    for name, tensor in named_tensors(module).items():
        copy = tensor.detach().to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        made[name] = _drawn(name, copy, generator) if _is_drawn(name, copy, name in parameters) else copy
    return made


def _is_drawn(name: str, tensor: Tensor, is_parameter: bool) -> bool:
    if not is_parameter:
        return name.endswith(("running_mean", "running_var"))
    return tensor.numel() > 0 and bool((tensor == tensor.flatten()[0]).all())


def _drawn(name: str, tensor: Tensor, generator: torch.Generator) -> Tensor:
    if name.endswith(("running_mean", "bias")):
        return tensor.normal_(0, 0.1, generator=generator)
    return tensor.uniform_(0.5, 1.5, generator=generator)
