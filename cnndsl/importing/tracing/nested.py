"""Tensors in tuples, lists, dicts and dataclasses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch


def parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """What a value holds, with its key; nothing if it is not a collection."""
    if isinstance(value, (tuple, list)):
        yield from enumerate(value) if not hasattr(value, "_fields") else zip(value._fields, value)
    elif isinstance(value, dict):
        yield from value.items()
    elif is_dataclass(value):
        for name in value.__dataclass_fields__:
            yield name, getattr(value, name)


def is_dataclass(value: Any) -> bool:
    return hasattr(value, "__dataclass_fields__") and not isinstance(value, type)


def tensors(value: Any) -> list[torch.Tensor]:
    return [tensor for _, tensor in named_tensors(value, "")]


def named_tensors(value: Any, path: str) -> Iterator[tuple[str, torch.Tensor]]:
    """With their paths, ``features.0``."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif not isinstance(value, (str, int, float)):
        for key, part in parts(value):
            yield from named_tensors(part, f"{path}.{key}")


def mapped(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same value with other tensors; the same object if none of them changes."""
    if isinstance(value, torch.Tensor):
        return change(value)
    changed = {key: mapped(part, change) for key, part in parts(value)}
    if all(changed[key] is part for key, part in parts(value)):
        return value
    return _remade(value, changed)


def _remade(value: Any, items: dict[Any, Any]) -> Any:
    if isinstance(value, dict):
        copy = value.copy()
        copy.update(items)
        return copy
    if is_dataclass(value) or hasattr(value, "_fields"):
        return type(value)(**items)
    return type(value)(items.values())


def same_tensors(one: Any, other: Any) -> bool:
    """Whether two values hold the same tensors in the same order."""
    first, second = tensors(one), tensors(other)
    return len(first) == len(second) and all(a is b for a, b in zip(first, second))
