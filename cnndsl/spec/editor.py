"""The JSON Schema for editors: every key has a description, and all keywords are those of JSON Schema."""

from __future__ import annotations

from typing import Any

from cnndsl.layers import LAYERS
from cnndsl.layers.table import Argument
from cnndsl.spec.schema import schema

#: Keywords of ours, for the compiler's messages and for completion.
_OURS = ("expects", "help", "subject", "argument", "refers")


def editor_schema() -> dict[str, Any]:
    """:func:`cnndsl.spec.schema.schema` with a ``description`` of every property."""
    explained: dict[str, Any] = _explained(schema())
    for name, layer in LAYERS.items():
        for argument, described in explained["$defs"][name].get("properties", {}).items():
            described["description"] = argument_text(layer.arguments[argument], layer.dims or 0)
    return explained


def _explained(part: Any, is_property: bool = False) -> Any:
    if isinstance(part, list):
        return [_explained(item) for item in part]
    if not isinstance(part, dict):
        return part
    found: dict[str, Any] = {}
    for key, value in part.items():
        if key in ("properties", "$defs", "patternProperties"):  # their keys are names, not keywords
            found[key] = {name: _explained(inner, key == "properties") for name, inner in value.items()}
        elif key not in _OURS:
            found[key] = _explained(value)
    if is_property and "$ref" not in part:
        found.setdefault("description", _sentence(part.get("expects", "")))
    return found


def argument_text(argument: Argument[Any], dims: int) -> str:
    """What an argument must be, and its default. ``dims`` is the layer's number of spatial axes."""
    expects = _sentence(argument.kind.expects(dims))
    if argument.infer is not None:
        return f"{expects} Inferred from the input; if you write it, it must match."
    return f"{expects} Required." if argument.required else f"{expects} Default: {_yaml(argument.default)}."


def _yaml(value: object) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
