"""The lists and dicts of modules that names with dots make: ``convs.0`` and ``convs.1`` are in a list ``convs``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cnndsl.graph.graph import Apply, Body, Module, operations


def children(body: Body) -> list[str]:
    """The names of a module's children, in order."""
    made = (item for item in operations(body) if isinstance(item, (Apply, Module)) and not item.reuse)
    return [item.name for item in made]


def holders(names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Each holder among the children with these names, and its keys in order: ``{"convs": ("0", "1")}``. One that is in
    another follows it, under its whole name.

    Parts are registered in the order in which they first appear, as torch does.
    """
    found: dict[str, dict[str, None]] = {}
    for name in names:
        parts = name.split(".")
        for end in range(1, len(parts)):
            found.setdefault(".".join(parts[:end]), {})[parts[end]] = None
    return {name: tuple(keys) for name, keys in found.items()}


def is_list(keys: Iterable[str]) -> bool:
    """Whether a holder of ``keys`` is an ``nn.ModuleList``: they count from 0. Any other is an ``nn.ModuleDict``."""
    return all(key == str(number) for number, key in enumerate(keys))
