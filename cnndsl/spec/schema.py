"""The JSON Schema of specs, generated from the layer table, and its errors in our words.

A step is one object with a property for each layer and each structural word, not an ``anyOf`` over
them, so an error is always about the one thing that was written.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers import LAYERS, Layer
from cnndsl.layers.kinds import EXPRESSION, merge
from cnndsl.source import Span
from cnndsl.spec.steps import COMMON, MERGES, STRUCTURE
from cnndsl.spec.tree import Listing, Mapping, Tree, plain

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
PARAMETER = r"^[a-z_][A-Za-z0-9_]*$"
SCALAR = ["string", "number", "boolean", "null"]
_STEPS: dict[str, Any] = {"$ref": "#/$defs/steps"}


def _value(expects: str, description: str = "", **schema: Any) -> dict[str, Any]:
    """What a literal must be; an expression may always stand for it."""
    described = {"description": description} if description else {}
    return {**merge(schema, EXPRESSION), "expects": expects, **described}


@cache
def schema() -> dict[str, Any]:
    """The whole schema, Draft 2020-12. ``expects`` says in words what a value must be."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cnndsl",
        "description": "A convolutional network: blocks and layers, shapes inferred, compiled to PyTorch.",
        "type": "object",
        "expects": "a mapping with `input` and `network`",
        "properties": _document(),
        "additionalProperties": False,
        "$defs": {
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "expects": "a list of steps"},
            "step": _step(),
            "call": {
                "type": ["string", "object"],
                "maxProperties": 1,
                "minProperties": 1,
                "expects": "a name, or one name with its arguments, `{Name: {argument: value}}`",
            },
            **{name: _layer(layer) for name, layer in LAYERS.items()},
        },
    }


def _document() -> dict[str, Any]:
    shape = _value(
        "the shape of one sample without the batch, as `[1, 28, 28]`",
        type=["array"],
        items=_value("a positive integer", type=["integer"], minimum=1),
        minItems=1,
    )
    text = {"type": "string", "expects": "a text"}
    names = {"type": "array", "items": text, "minItems": 1, "expects": "a list of names"}
    bound = {"type": ["integer", "string"], "expects": 'a count such as 11_689_512 written out, or `"< 12M"`'}
    return {
        "name": {"type": "string", "pattern": NAME, "expects": "an identifier", "description": "Default: the file's stem."},
        "description": {**text, "description": "What the network is, in a line or two."},
        "extends": {**text, "description": "A spec that this one starts from. Mappings merge, everything else replaces."},
        "use": {
            "type": ["string", "array"],
            "items": text,
            "expects": "a path or a list of paths",
            "description": "Specs whose blocks are brought in.",
        },
        "params": {
            "type": "object",
            "propertyNames": {"pattern": PARAMETER, "expects": "a name such as `classes`"},
            "expects": "a mapping of names to defaults",
            "description": "The document's own parameters with their defaults.",
        },
        "input": {
            **merge(shape, {"type": ["object"]}),
            "propertyNames": {"pattern": PARAMETER, "expects": "a name such as `image`"},
            "additionalProperties": shape,
            "minProperties": 1,
            "expects": "the shape of one sample without the batch, as `[1, 28, 28]`, or a mapping of named inputs",
            "description": "Shape of one sample, without the batch: C, H, W. Or a mapping of named inputs.",
        },
        "blocks": {
            "type": "object",
            "additionalProperties": _STEPS,
            "expects": "a mapping of signatures to lists of steps",
            "description": "Block definitions, `Name(parameter, parameter=default)`: steps.",
        },
        "network": {**_STEPS, "description": "The steps, in order."},
        "outputs": {**names, "description": "Names of the steps whose tensors are returned."},
        "init": {
            "type": "object",
            "additionalProperties": {"type": ["string", "object"], "expects": "a function of torch.nn.init without its `_`"},
            "expects": "a mapping of layers to functions of torch.nn.init",
            "description": "Layer name -> torch.nn.init function, without its underscore.",
        },
        "expect": {
            "type": "object",
            "properties": {"output": shape, "params": bound, "macs": bound},
            "additionalProperties": False,
            "expects": "a mapping with `output`, `params` and `macs`",
            "description": "Contracts. A spec that breaks its own does not compile.",
        },
        "train": _train(),
    }


def _train() -> dict[str, Any]:
    call = {"$ref": "#/$defs/call"}
    count = _value("a positive integer", type=["integer"], minimum=1)
    return {
        "type": "object",
        "properties": {
            "dataset": {**call, "description": "A data set of torchvision."},
            "resize": _value("a size, or a list of two", type=["integer", "array"], minimum=1),
            "augment": {"type": "array", "items": call, "expects": "a list of transforms"},
            "epochs": count,
            "batch_size": count,
            "optimizer": {**call, "description": "Of torch.optim, without the parameters."},
            "scheduler": {**call, "description": "Of torch.optim.lr_scheduler, without the optimizer."},
            "loss": {**call, "description": "Of torch.nn."},
            "seed": _value("an integer", type=["integer"]),
            "precision": _value("fp32, bf16 or fp16", type=["string"], pattern="^(fp32|bf16|fp16)$"),
            "compile": _value("true or false", type=["boolean"]),
            "clip_grad_norm": _value("a number", type=["number"]),
            "accumulate": count,
        },
        "additionalProperties": False,
        "expects": "a training recipe",
        "description": "The training recipe, in torch's and torchvision's own names.",
    }


def _step() -> dict[str, Any]:
    any_value = {"description": "true, false or an expression", "expects": "true, false or an expression"}
    steps_list = {"type": "array", "items": _STEPS, "expects": "a list of branches, each a list of steps", "minItems": 1}
    names = {"type": ["string", "array"], "pattern": PARAMETER, "items": {"type": "string", "pattern": PARAMETER}}
    elements = _value("a list", "What the rounds are made for.", type=["array"], items={})
    properties: dict[str, Any] = {
        "name": {"type": "string", "expects": "a name", "description": "Names the step's module, or its tensor."},
        "when": {"type": ["boolean", "string"], "pattern": r"^\$", **any_value},
        "else": {**_STEPS, "description": "Stands in where `when` is false."},
        "sequential": {**_STEPS, "description": "The steps one after another, as one module."},
        "repeat": {**_STEPS, "description": "The steps `times` over, or once for each element of `in`."},
        "times": _value("an integer, 0 or more", type=["integer"], minimum=0),
        "for": {**names, "expects": "a name or a list of names", "description": "Names bound in each round."},
        "in": elements,
        "branch": {**steps_list, "description": "Every branch gets the current tensor; their results are merged."},
        "merge": {"type": "string", "enum": [*MERGES], "expects": ", ".join(MERGES)},
        "dim": _value("an integer", "The dimension of a concat; 1, the channels, by default.", type=["integer"]),
        "split": _value(
            "true, or a list with the channels of each branch",
            "Deals the channels out among the branches.",
            type=["boolean", "array"],
            items=_value("a positive integer", type=["integer"], minimum=1),
        ),
        "residual": {**_STEPS, "description": "steps(x) + shortcut(x)."},
        "shortcut": {
            "type": ["array", "boolean", "string"],
            "pattern": r"^\$",
            "items": {"$ref": "#/$defs/step"},
            "expects": "a list of steps, true, false or an expression",
            "description": "Steps of the other side; true is the identity, false none.",
        },
        "dense": {**_STEPS, "description": "n times over: x becomes concat(x, steps(x))."},
        "from": {"type": "string", "expects": "the name of an earlier step", "description": "Back to an earlier tensor."},
        "reuse": {"type": "string", "expects": "the name of an earlier step", "description": "An earlier module again."},
        "let": {
            "type": "object",
            "propertyNames": {"pattern": PARAMETER, "expects": "a name such as `width`"},
            "expects": "a mapping of names to values",
            "description": "Binds names for the rest of the list.",
        },
        **{name: {"$ref": f"#/$defs/{name}"} for name in LAYERS},
    }
    return {
        "type": ["string", "object"],
        "pattern": r"^(\$|[A-Z])",
        "properties": properties,
        "patternProperties": {r"^(\$|[A-Z])": True},
        "additionalProperties": False,
        "minProperties": 1,
        "expects": "a step: a name, or a mapping with one layer, block or structural word",
    }


def _layer(layer: type[Layer]) -> dict[str, Any]:
    """Keyword arguments, or a list in torch's order, or the first argument alone."""
    dims = layer.dims or 0
    arguments = {
        name: _value(arg.kind.expects(dims), **arg.kind.schema(dims)) for name, arg in layer.arguments.items()
    }
    positional = [arguments[name] for name in layer.positional()]
    takes_list = layer.takes_list()
    alone = positional[0] if positional else {}
    mapping = {
        "type": ["object"],
        "properties": arguments,
        "required": [name for name, arg in layer.arguments.items() if arg.required],
        "additionalProperties": False,
    }
    by_position = _by_position(positional) if not takes_list else {}
    first = alone if takes_list else {k: v for k, v in alone.items() if k not in ("items", "minItems", "maxItems")}
    first = {**first, "type": [name for name in first.get("type", []) if takes_list or name != "array"]}
    merged = merge(mapping, by_position, {"type": ["null"]}, first)
    expects = "its arguments" if positional else "no arguments"
    return {
        **merged,
        "title": f"{layer.__name__}({layer.signature()})",
        "description": layer.documentation(),
        "expects": f"{expects}: `{layer.__name__}({layer.signature()})`",
    }


def _by_position(positional: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": ["array"], "prefixItems": positional, "items": False} if positional else {}


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def validate(tree: Tree) -> tuple[list[Diagnostic], frozenset[int]]:
    """The structural faults of a document, and the ids of the step trees that have one."""
    diagnostics: list[Diagnostic] = []
    faulty: set[int] = set()
    for error in _validator().iter_errors(plain(tree)):
        diagnostics += _diagnose(error, tree)
        faulty.add(_enclosing(tree, error))
    return diagnostics, frozenset(faulty)


_STEP_LISTS = {"network", "sequential", "repeat", "residual", "dense", "shortcut", "else"}


def _enclosing(tree: Tree, error: ValidationError) -> int:
    """The id of the innermost step that an error is in, else of the document's key, else of the document."""
    path = list(error.absolute_path)
    node, enclosing, lists = tree, id(tree), 0
    for depth, key in enumerate(path):
        node = _child(node, key)
        if isinstance(key, str):
            lists = 1 if key in _STEP_LISTS or (depth == 1 and path[0] == "blocks") else 2 if key == "branch" else 0
        elif lists:
            lists -= 1
            if not lists:
                enclosing = id(node)
        if depth == 0:
            enclosing = id(node)
    return enclosing


def _child(node: Tree, key: str | int) -> Tree:
    if isinstance(node, Listing) and isinstance(key, int):
        return node.items[key]
    assert isinstance(node, Mapping)
    return node.by_key[str(key)]


def _diagnose(error: ValidationError, tree: Tree) -> list[Diagnostic]:
    node, key_span, subject = tree, None, "the spec"
    for key in error.absolute_path:
        if isinstance(node, Mapping):
            key_span, subject = node.keys[str(key)].span, f"`{shorten(str(key))}`"
        node = _child(node, key)
    match error.validator:
        case "additionalProperties":
            assert isinstance(node, Mapping)
            return [_unknown_key(name, node.keys[name].span, error.schema, subject) for name in _extras(error)]
        case "required":
            missing = str(error.message).split("'")[1]
            span = key_span or node.span.first_line
            title = error.schema.get("title", "")
            help = f"`{title}`" if title else ""
            return [Diagnostic(Code.MISSING, f"{subject} needs `{missing}`", span, help)]
        case "pattern" if error.absolute_schema_path and "propertyNames" in error.absolute_schema_path:
            span = node.keys[error.instance].span if isinstance(node, Mapping) else node.span
            return [Diagnostic(Code.NAME, f"`{shorten(error.instance)}` is not {error.schema['expects']}", span)]
    expects = error.schema.get("expects") if isinstance(error.schema, dict) else None
    if expects is None:
        expects = "fewer arguments" if error.schema is False else f"something else ({error.message[:100]})"
    help = ""
    if isinstance(error.instance, str) and error.instance.lower() in ("yes", "no", "on", "off"):
        help = "in YAML 1.2 this is a text; write true or false"
    elif isinstance(error.instance, str) and error.instance.lstrip("-").isdigit():
        help = f"{error.instance} without quotes is a number"
    elif isinstance(error.instance, str) and error.instance[:1].islower():
        help = did_you_mean(error.instance, LAYERS) if "patternProperties" in error.schema else ""
    message = f"{subject} expects {expects}, got {_got(error.instance)}"
    return [Diagnostic(Code.TYPE, message, _place(node, key_span), help)]


def _extras(error: ValidationError) -> list[str]:
    patterns = error.schema.get("patternProperties", {})
    return [
        name
        for name in error.instance
        if name not in error.schema.get("properties", {}) and not any(re.search(p, name) for p in patterns)
    ]


def _unknown_key(name: str, span: Span, schema: dict[str, Any], subject: str) -> Diagnostic:
    known = list(schema["properties"])
    is_layer = "title" in schema and "prefixItems" in schema or schema.get("title", "").endswith(")")
    help = did_you_mean(name, known)
    if is_layer:
        help = help or f"`{schema['title']}`"
        return Diagnostic(Code.ARGUMENT, f"{subject} has no argument `{shorten(name)}`", span, help)
    if "sequential" in known:
        what, fallback = "a step", f"options of any step are {', '.join(COMMON)}"
    else:
        what, fallback = subject, f"what it may have: {', '.join(known)}"
    return Diagnostic(Code.KEY, f"{what} has no key `{shorten(name)}`", span, help or fallback)


def _got(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        long = len(value) > 6 or any(isinstance(item, (dict, list)) for item in value)
        return f"a list of {len(value)}" if long else shorten(f"{value}")
    if isinstance(value, str):
        return f'"{shorten(value)}"'
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    return str(value)


def _place(node: Tree, key_span: Span | None) -> Span:
    """The value's place, or its key's where the value is nothing."""
    span = node.span.first_line
    return key_span if span.start == span.end and key_span else span
