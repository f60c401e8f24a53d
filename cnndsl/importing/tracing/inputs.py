"""Inputs of a network as arguments of its ``forward``."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from cnndsl.diagnostics import Code, did_you_mean
from cnndsl.importing.recorded import Refusal, Unspeakable


def arranged(module: nn.Module, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments. ``features.0`` is the first element of a list ``features``, ``features.low``
    one of a dict, ``args.0`` the first of ``*args``. A single input may have any name. Raises :class:`Unspeakable` for
    an unknown name."""
    nested = _nested(inputs)
    parameters = inspect.signature(module.forward).parameters
    if len(nested) == 1 and not nested.keys() & parameters.keys():
        return tuple(nested.values()), {}
    args: list[Any] = []
    for name, parameter in parameters.items():
        if name not in nested or parameter.kind is parameter.KEYWORD_ONLY:
            break
        value = nested.pop(name)
        args += value if parameter.kind is parameter.VAR_POSITIONAL and isinstance(value, list) else [value]
    check_names(module, nested)
    return tuple(args), nested


def check_names(module: nn.Module, names: Collection[str]) -> None:
    """Raises :class:`Unspeakable` for an input that ``forward`` does not take."""
    parameters = inspect.signature(module.forward).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    for name in (name.partition(".")[0] for name in names):
        if name not in parameters:
            help = did_you_mean(name, list(parameters)) or f"it takes {', '.join(f'`{known}`' for known in parameters)}"
            raise Unspeakable([Refusal(Code.FORWARD, f"`forward` has no argument `{name}`", None, help)])


def _nested(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Paths become dicts, and dicts whose keys are 0, 1, 2 lists."""
    tree: dict[str, Any] = {}
    for path, value in inputs.items():
        *above, last = path.split(".")
        place = tree
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return {name: _listed(value) for name, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    items = {name: _listed(item) for name, item in value.items()}
    return list(items.values()) if [*items] == [str(i) for i in range(len(items))] else items
