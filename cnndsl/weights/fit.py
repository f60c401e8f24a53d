"""Weights held against the tensors of a module: what fits, what is missing, unexpected, or of another shape."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.spec.renaming import Renaming, renamed
from cnndsl.weights.sources import Weights

#: How many tensors of a kind are listed where they do not fit.
MOST = 20
#: A counter, which checkpoints of old do not have.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True, repr=False)
class Fit:
    """``taken`` are tensors by their names in the module. ``missing`` is in the module alone, ``unexpected`` in the
    weights alone, and ``unlike`` in both: a name with the shape there and the one here."""

    origin: str
    taken: dict[str, Tensor]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    unlike: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def __repr__(self) -> str:
        return f"<Fit of {self.origin}: {self.summary}>"

    @property
    def misfits(self) -> dict[str, Sequence[str]]:
        """What does not fit, by how."""
        unlike = [f"{name}: {list(there)} there, {list(here)} here" for name, there, here in self.unlike]
        return {"missing": self.missing, "unexpected": self.unexpected, "of another shape": unlike}

    @property
    def is_whole(self) -> bool:
        return not any(self.misfits.values())

    @property
    def summary(self) -> str:
        counts = [f"{len(names)} {how}" for how, names in self.misfits.items() if names]
        return ", ".join([f"{len(self.taken)} tensors fit", *counts])

    @property
    def table(self) -> list[str]:
        """A line for each tensor that does not fit, :data:`MOST` of a kind."""
        rows = []
        for how, names in self.misfits.items():
            rows += [f"{how}: {name}" for name in names[:MOST]]
            rows += [f"{how}: {len(names) - MOST} more"] if len(names) > MOST else []
        return rows


def load_weights(
    module: nn.Module, weights: Weights, renamings: Iterable[Renaming] = (), *, partial: bool = False
) -> Fit:
    """Puts weights into a module of a spec's, whose ``rename`` tells what they may be called there.

    All of them have to fit, or with ``partial`` some. Raises :class:`RunError` with a table where they do not,
    and then leaves the module as it was.
    """
    fit = _held_against(module, weights, [*renamings])
    if not (fit.is_whole or partial) or not fit.taken:
        help = "`--partial` takes what fits" if fit.taken else "are they of another network?"
        raise RunError(Code.WEIGHTS, f"{fit.origin} does not fit: {fit.summary}", help, fit.table)
    module.load_state_dict(fit.taken, strict=False)
    return fit


def _held_against(module: nn.Module, weights: Weights, renamings: list[Renaming]) -> Fit:
    taken: dict[str, Tensor] = {}
    missing, unlike, used = [], [], set()
    for name, tensor in module.state_dict().items():
        theirs = next((each for each in (renamed(name, renamings), name) if each in weights.tensors), None)
        if theirs is None:
            missing += [name] if not name.endswith(_COUNTER) else []
            continue
        used.add(theirs)
        found = weights.tensors[theirs]
        if found.shape == tensor.shape:
            taken[name] = found
        else:
            unlike.append((name, tuple(found.shape), tuple(tensor.shape)))
    unexpected = tuple(name for name in weights.tensors if name not in used)
    return Fit(weights.origin, taken, tuple(missing), unexpected, tuple(unlike))
