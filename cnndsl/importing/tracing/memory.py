"""Tensors that share memory: whether a change of one is a change of the other."""

from __future__ import annotations

import torch

#: The largest memory that is looked at element by element.
MOST_ELEMENTS = 100_000_000


class Changes:
    """What was changed in place, by memory, with the versions that memory had afterwards."""

    def __init__(self) -> None:
        self._changes: dict[int, list[tuple[int, torch.Tensor]]] = {}

    def add(self, tensor: torch.Tensor) -> None:
        self._changes.setdefault(_memory(tensor), []).append((tensor._version, tensor))

    def reach(self, tensor: torch.Tensor, since: int, except_in: torch.Tensor | None = None) -> bool:
        """Whether an element was changed after a version of the tensor, other than those of ``except_in``."""
        later = [changed for version, changed in self._changes.get(_memory(tensor), []) if version > since]
        if not later or tensor.untyped_storage().nbytes() > MOST_ELEMENTS:
            return True
        return any(_overlap(tensor, changed, except_in) for changed in later)


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _overlap(tensor: torch.Tensor, changed: torch.Tensor, except_in: torch.Tensor | None) -> bool:
    marks = torch.zeros(tensor.untyped_storage().nbytes() // tensor.element_size(), dtype=torch.bool)
    _window(marks, changed).fill_(True)
    if except_in is not None:
        _window(marks, except_in).fill_(False)
    return bool(_window(marks, tensor).any())


def _window(marks: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    return marks.as_strided(tensor.size(), tensor.stride(), tensor.storage_offset())
