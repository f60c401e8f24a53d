"""What a call does to the tensors that it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from cnndsl.importing.tracing.nested import mapped, tensors
from cnndsl.importing.tracing.run import Run


class NeedsValues(Exception):
    """A tensor that comes from no input must have its values."""


def followed(run: Run, call: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, list[torch.Tensor]]:
    """The result of a call, and the tensors that it has changed in place."""
    taken = tensors((args, kwargs))
    if not run.has_values and 0 < sum(tensor.is_meta for tensor in taken) < len(taken):
        # Constants have values, what is computed from inputs has none; torch wants both on one device.
        args, kwargs = mapped((args, kwargs), lambda tensor: tensor if tensor.is_meta else tensor.to("meta"))
    given = tensors((args, kwargs))
    versions = [tensor._version for tensor in given]
    result = call(*args, **kwargs)
    changed = _changed(given, versions, result)
    if any(tensor is not own for tensor, own in zip(given, taken) if any(tensor is other for other in changed)):
        raise NeedsValues  # a constant was changed, of which the call had a copy
    for tensor in changed:
        run.changes.add(tensor)
    return result, changed


def _changed(taken: list[torch.Tensor], versions: list[int], result: Any) -> list[torch.Tensor]:
    """Of the tensors with new versions, those that were changed; others share memory with them."""
    newer = [tensor for tensor, version in zip(taken, versions) if tensor._version != version]
    returned = {id(tensor) for tensor in tensors(result)}
    return [tensor for tensor in newer if id(tensor) in returned] or (newer[:1] if result is None else newer)


def apart(result: Any, taken: list[torch.Tensor], changed: list[torch.Tensor]) -> Any:
    """A tensor that is returned as it came becomes another Python object, because it means something else."""
    same = {id(tensor) for tensor in taken} - {id(tensor) for tensor in changed}
    return mapped(result, lambda tensor: torch.ops.aten.alias(tensor) if id(tensor) in same else tensor)
