"""The intended meaning of something that is not in the language: PyTorch's notation, a forgotten bracket, YAML 1.1."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Container, Mapping
from math import ceil
from typing import Any

from cnndsl.diagnostics import nearest, shorten
from cnndsl.layers import LAYERS, Layer
from cnndsl.layers.function import Function
from cnndsl.spec import foreign, notation
from cnndsl.spec.foreign import entry
from cnndsl.spec.functions import FUNCTIONS
from cnndsl.spec.notation import SOME, Unwritable, python
from cnndsl.spec.slips import meant_constant, with_colon
from cnndsl.spec.values import Expression, ListValue, Literal, Template, Value

#: Help for a name that resembles no known one.
WHERE_LAYERS_ARE = "`cnndsl layers` lists the layers; `--plugin MODULE` adds your own"
#: The modules of functions whose first argument is the tensor.
_FUNCTIONAL = ("F", "functional", "nn.functional", "torch.nn.functional", "torch")
#: The name of a step.
_STEP_NAME = re.compile(r"[^\W\d]\w*(\.\w+)*")
_BOOLEANS = ("yes", "no", "on", "off", "y", "n")


# --- layers --------------------------------------------------------------------------------------


def meant_layer(written: str, known: Collection[str], *, as_value: bool = False) -> str:
    """Help for an unknown layer or block: ``nn.Conv2d(8, 16, 3)`` is ``Conv2d: [16, 3]``; "" if there is none.

    ``known`` are the names of layers and blocks, and whatever else is allowed in their place. ``as_value`` is true for
    the value of a parameter.
    """
    written = re.sub(r"^[\w.]+\s*=\s*(?=[\w.]+\()", "", written)
    if slip := meant_slip(written):
        return slip
    node = python(written)
    call = node if isinstance(node, ast.Call) else None
    name = written.partition("(")[0].strip()
    module, _, name = name.rpartition(".")
    right = _same(name, known)
    other = entry(name) in foreign.STRUCTURE and right in LAYERS and not call  # `add` is rather a merge than `Add`
    if right and not other:
        return _as_step(call, right, module, as_value)
    if help := _foreign(call, name, module, as_value):
        return help
    right = nearest(name, known)
    return _as_step(call, right, module, as_value) if right else ""


def _foreign(call: ast.Call | None, name: str, module: str, as_value: bool) -> str:
    """Help for a word of another tool, "" for other words."""
    line = foreign.LAYERS.get(entry(name), "")
    here = line.partition(":")[0]
    if call and line and (call.args or call.keywords):
        return _as_step(call, here, module, as_value)
    as_in = f", as in `{line}`" if line != here else ""
    return f"use `{here}`{as_in}" if line else foreign.STRUCTURE.get(entry(name), "")


def _same(name: str, known: Collection[str]) -> str:
    """The known name that differs at most in case and underscores: ``MaxPool2d`` for ``max_pool2d``."""
    if name in known:
        return name
    return next((other for other in known if other.lower() == name.lower().replace("_", "")), "")


def _as_step(call: ast.Call | None, name: str, module: str, as_value: bool) -> str:
    """Help that names a layer or block, and writes a Python call as the step that it is."""
    line = ""
    if call and name[:1].isupper():
        try:
            functional = module in _FUNCTIONAL or (isinstance(call.func, ast.Name) and call.func.id.islower())
            line = _function(call, name, module) if functional else notation.call_of(call, LAYERS, name)
        except Unwritable:
            pass
    if line in ("", name):
        return f"did you mean `{name}`?"
    return f"write `{{{line}}}`" if as_value else f"write `{line}`"


def _function(call: ast.Call, name: str, module: str) -> str:
    """A function of a tensor as the layer of the same name. The arguments of both agree up to the first flag."""
    layer = LAYERS.get(name)
    if layer is None:
        return name
    tensor = module in _FUNCTIONAL or (call.args and notation.literal(call.args[0]) is SOME)
    given = call.args[1:] if tensor else call.args
    learns = any(argument.infer for argument in layer.arguments.values())
    values = list(map(notation.literal, given))
    if learns or SOME in values or any(isinstance(value, bool) for value in values):
        return name
    own = [keyword for keyword in call.keywords if keyword.arg in layer.arguments]
    return notation.call_of(ast.Call(call.func, [*given], own), LAYERS, name)


def not_written(layer: type[Layer]) -> str:
    """The superfluous argument of a list in PyTorch's order, for a layer with an inferred argument."""
    inferred = next(name for name, argument in layer.arguments.items() if argument.infer)
    return f"`{inferred}` is inferred, not written"


def meant_function(written: str, known: Mapping[str, Function]) -> str:
    """Help for a function or class of torch in Python's notation: ``Adam(model.parameters(), lr=0.1)`` is
    ``{Adam: {lr: 0.1}}``; "" for other text."""
    node = python(written)
    call = node if isinstance(node, ast.Call) else None
    name = _same(written.partition("(")[0].strip().rpartition(".")[2].removesuffix("_"), known)
    if not name:
        return ""
    try:
        line = notation.function_of(call, known[name]) if call else ""
    except Unwritable:
        line = ""
    return f"write `{{{line}}}`" if line not in ("", name) else f"did you mean `{name}`?"


# --- typing errors -------------------------------------------------------------------------------


def meant_slip(text: str) -> str:
    """Help for text that is one character away from a key with its value, or from a name; "" for other text."""
    if found := with_colon(text):
        place, meant = found
        what = "put a space after the colon" if text[place] == ":" else "write a colon, not `=`"
        return f"{what}: `{shorten(meant)}`"
    if re.fullmatch(r"[\w$]+,", text):
        return f"remove the comma: `{shorten(text[:-1])}`"
    if match := re.match(r"([a-z]\w*|\w+\([^()]*\)) - ", text):
        return f"a `:` is missing: `{match[1]}:`"
    return ""


def slipped_key(key: str) -> str:
    """The key in a key that contains its value, such as ``out_channels:16``; "" for others."""
    found = with_colon(key)
    return found[1].partition(":")[0] if found else ""


# --- values --------------------------------------------------------------------------------------


def meant_value(value: Any, types: Collection[str], layer: str, names: Container[str] = ()) -> str:
    """Help for a value that has none of the expected JSON Schema types; ``layer`` is the layer of the argument,
    ``names`` are those that ``$`` may refer to there."""
    if isinstance(value, dict) and len(value) == 1:  # `{width}` is a mapping of `width` to null
        ((name, inner),) = value.items()
        return f"did you mean `${name}`?" if inner is None and name in names else ""
    if "boolean" in types and "integer" not in types and type(value) is int and value in (0, 1):
        return f"write `{'true' if value else 'false'}`"
    if not isinstance(value, str):
        return ""
    if value == "None":
        return "write `null`" if "null" in types else "leave it out to use the default"
    if "boolean" in types and value.lower() in _BOOLEANS and value not in names:
        return f"in YAML 1.2 this is a string; {meant_constant(value)}"
    number = "integer" in types or "number" in types
    if number and re.fullmatch(r"[-+]?[0-9][0-9_]*", value):
        return f"`{shorten(value.replace('_', ''))}` {'without `_`' if '_' in value else 'without quotes'} is a number"
    if number and (match := re.fullmatch(r"[\"']?([-+]?[0-9.]+)[,\"']", value)):
        return f"remove the `{value[-1]}`: `{shorten(match[1])}`"
    if "array" in types and (listed := _list(value)):
        return f"write a list in brackets: `{shorten(listed)}`"
    if layer in LAYERS and (reads := LAYERS[layer].reads) and value not in names and _STEP_NAME.fullmatch(value):
        return f"the tensor of an earlier step is `{layer}: {{{reads[0]}: {shorten(value)}}}`"
    if layer and re.match(r"\w+\s*=", value):
        return _by_name(layer, value)
    return meant_expression(value, names) or (_tuple(value, names) if "array" in types else "")


def _list(text: str) -> str:
    """Several numbers as a list: ``3, 32``, ``3x32``; "" for other text."""
    found = re.fullmatch(r"\d+(\s*[,x]\s*\d+)+|-?\d+(\s*,\s*-?\d+)+", text.strip().strip("()"))
    return f"[{', '.join(re.findall(r'-?[0-9]+', text))}]" if found else ""


def _tuple(text: str, names: Container[str]) -> str:
    node = python(text)
    if not isinstance(node, ast.Tuple) or not all(name in names for name in notation.names_in(node)):
        return ""
    try:
        return f"write a list in brackets: `{shorten(notation.written(node))}`"
    except Unwritable:
        return ""


def _by_name(layer: str, text: str) -> str:
    """``out_channels=8, kernel_size=3`` as the mapping that it is."""
    call = python(f"{layer}({text})")
    try:
        line = notation.by_name(layer, call) if isinstance(call, ast.Call) else ""
    except Unwritable:
        line = ""
    return f"write arguments by name as a mapping: `{line or f'{layer}: {{...}}'}`"


def meant_expression(text: str, names: Container[str]) -> str:
    """Help for text that lacks its ``$`` to be a value: a name, or something to compute; "" for other text."""
    stripped = re.sub(r"\$(?=\w)|\$(?=\()", "", text)
    node = python(stripped)
    if node is None or isinstance(node, (ast.Tuple, ast.List)):
        return ""
    taken = notation.names_in(node)
    if not all(name in names or name == "input" for name in taken) or not (taken or notation.is_calculation(node)):
        return ""
    try:
        line = f"${stripped}" if isinstance(node, ast.Name) else notation.expression(ast.unparse(node))
    except Unwritable:
        return ""
    return f"did you mean `{line}`?" if line != text else ""


def meant_by(value: Value, worth: Any, names: Container[str], accepts: Callable[[Any], bool] | None = None) -> str:
    """Help for a value whose result is not what is expected, by how it is written; "" if there is none.

    ``accepts`` decides what is expected: integers if it is not given.
    """
    if isinstance(value, Template):
        line = notation.of_template(value)
        return f"write `{line}`" if line else ""
    if isinstance(worth, str) and (help := meant_expression(worth, names)):
        return help if isinstance(value, Literal) else f"{help} It was given as a string"
    return _integer_help(worth, value, accepts)


def _integer_help(found: Any, written: Value, accepts: Callable[[Any], bool] | None = None) -> str:
    """Help for a value with a float where integers are expected, by how it was ``written``; "" for any other.

    If ``accepts`` is given, integers are expected if it accepts the value rounded up but not the value itself.
    """
    if accepts and (accepts(found) or not accepts(_rounded_up(found))):
        return ""
    if isinstance(found, tuple):
        items = written.items if isinstance(written, ListValue) else (written,) * len(found)
        return next(filter(None, map(_integer_help, found, items)), "")
    if not isinstance(found, float):
        return ""
    if not isinstance(written, Expression):
        return f"write `{int(found)}`" if found.is_integer() else ""
    return as_integer(found, written.text)


def as_integer(found: float, text: str) -> str:
    """What to write if ``text`` gave a float and an integer is expected."""
    if "/" in text.replace("//", ""):
        return "`/` gives a float, `//` an integer"
    if not found.is_integer():
        function = "round" if round(found) else "ceil"
        return f"`{function}({shorten(text)})` is {FUNCTIONS[function](found)}"
    power = "; a negative exponent gives a float: divide by the power with `//`" if "**" in text else ""
    return f"`int({shorten(text)})` is {int(found)}{power}"


def _rounded_up(found: Any) -> Any:
    if isinstance(found, tuple):
        return tuple(map(_rounded_up, found))
    return ceil(found) if isinstance(found, float) else found
