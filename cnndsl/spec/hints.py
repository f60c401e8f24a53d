"""What was meant by something that is not in the language: PyTorch's notation, a forgotten bracket, YAML 1.1."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from cnndsl.diagnostics import nearest, shorten
from cnndsl.layers import Layer

#: Help for a name that is like none.
WHERE_LAYERS_ARE = "`cnndsl layers` lists the layers; `--plugin MODULE` brings in your own"

_MODULES = re.compile(r"(torch\.)?nn\.|torchvision\.ops\.")
_CALL = re.compile(r"(\w+)\((.*)\)", re.DOTALL)
_BOOLEANS = ("yes", "no", "on", "off", "y", "n")
#: Words of other languages for the constants of this one.
_CONSTANTS = {
    **dict.fromkeys(("yes", "on", "y"), "true"),
    **dict.fromkeys(("no", "off", "n"), "false"),
    **dict.fromkeys(("none", "nil", "nothing", "undefined"), "null"),
}
#: Signs of other languages that Python cannot read, as patterns, with what is written here.
_SIGNS = {
    r"&&": "and", r"\|\|": "or", r"!==": "!=", r"===": "==", r"<>": "!=", r"=>": ">=", r"=<": "<=",
    r"\?": "a if condition else b", r"!(?!=)": "not", r"~": "null", r"(?<![=<>!])=(?!=)": "==",
}  # fmt: skip


def meant_layer(written: str, known: Collection[str]) -> str:
    """Help for what is no layer and no block: ``nn.Conv2d(8, 3)`` is ``Conv2d: [8, 3]``; "" where there is none."""
    name = written.removeprefix(found[0]) if (found := _MODULES.match(written)) else written
    call = _CALL.fullmatch(name)
    right = nearest(call[1] if call else name, known)
    if call and right and call[2].strip():
        return f"arguments stand behind a colon: `{right}: {_arguments(call[2])}`"
    return f"did you mean `{right}`?" if right else ""


def not_written(layer: type[Layer]) -> str:
    """What a list of arguments in PyTorch's order has too much, of a layer that something is inferred of."""
    inferred = next(name for name, argument in layer.arguments.items() if argument.infer)
    return f"`{inferred}` is inferred, and not written"


def meant_constant(name: str) -> str:
    """Help for an undefined name that another language has for true, false or null; "" for any other."""
    meant = _CONSTANTS.get(name.lower())
    return f"write `{meant}`" if meant else ""


def meant_notation(expression: str) -> str:
    """Help for an expression that Python cannot read, by the first sign in it that is another language's."""
    outside_texts = re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)
    for sign, here in _SIGNS.items():
        if found := re.search(sign, outside_texts):
            return f"`{found[0]}` is written `{here}` here"
    return "as Python writes it: `$(2 * channels)`, `$(a if b > 0 else c)`"


def _arguments(written: str) -> str:
    """Arguments as Python writes them, as YAML does."""
    written = shorten(written.strip())
    if "=" not in written:
        return f"[{written}]"
    by_name = ": ".join(re.split(r"\s*=\s*", written))
    return f"{{{by_name}}}" if re.match(r"\w+\s*=", written) else "{...}"


def meant_value(value: Any, types: Collection[str], layer: str) -> str:
    """Help for a value that is none of the types of JSON Schema that are wanted; ``layer`` is whose argument it is."""
    if not isinstance(value, str):
        return ""
    if "boolean" in types and value.lower() in _BOOLEANS:
        return "in YAML 1.2 this is a text; write true or false"
    if ("integer" in types or "number" in types) and re.fullmatch(r"[-+]?[0-9][0-9_]*", value):
        number = shorten(value.replace("_", ""))
        return f"{number} {'without `_`' if '_' in value else 'without quotes'} is a number"
    if "array" in types and re.fullmatch(r"[\d\s,-]*,[\d\s,-]*", value):
        return f"a list stands in brackets: `[{shorten(value)}]`"
    if layer and re.match(r"\w+\s*=", value):
        return f"arguments by name are a mapping: `{layer}: {_arguments(value)}`"
    return ""
