"""The JSON Schema of specs, generated from the layer table.

A step is one object with a property for each layer and each structural word, not an ``anyOf`` over
them, so an error is always about the one thing that was written. Three keywords are our own, for messages:
``expects`` describes the values that are allowed, ``subject`` names the value, and ``argument`` the argument
that it is for. Patterns of names are for editors; :mod:`cnndsl.spec.names` defines names.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from cnndsl.layers import LAYERS, PARAMETRIZATIONS, Layer
from cnndsl.layers.kinds import EXPRESSION, merge
from cnndsl.spec.recipe_keys import KEYS, Key
from cnndsl.spec.steps import MERGES

NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
PARAMETER = r"^[a-z_][A-Za-z0-9_]*$"
#: The layers that a schema knows, in order.
Layers: TypeAlias = tuple[type[Layer], ...]
_STEPS: dict[str, Any] = {"$ref": "#/$defs/steps"}


def _value(expects: str, description: str = "", **schema: Any) -> dict[str, Any]:
    """The schema of a literal; an expression is always allowed in its place."""
    described = {"description": description} if description else {}
    value = {**merge(schema, EXPRESSION), "expects": expects, **described}
    if "expects" not in schema.get("items", {"expects": ""}):
        value["items"] = {**schema["items"], "expects": expects}
    return value


def schema() -> dict[str, Any]:
    """The whole schema, Draft 2020-12, of the layers known now: plugins add more."""
    return schema_of(tuple(LAYERS.values()))


@lru_cache(1)
def schema_of(layers: Layers) -> dict[str, Any]:
    """The schema of specs with ``layers``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cnndsl",
        "description": "A convolutional network: blocks and layers, shapes inferred, compiled to PyTorch.",
        "type": "object",
        "subject": "a spec",
        "expects": "a mapping with `input` and `network`",
        "properties": _document(),
        "additionalProperties": False,
        "$defs": {
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}, "expects": "a list of steps"},
            "branch": _branch(),
            "block": _block(),
            "step": _step(layers),
            **{layer.__name__: _layer(layer) for layer in layers},
        },
    }


def _document() -> dict[str, Any]:
    shape = _value(
        "the shape of one sample without the batch, such as `[1, 28, 28]`",
        type=["array"],
        items=_value("a positive integer", type=["integer"], minimum=1),
        minItems=1,
    )
    text = {"type": "string", "expects": "a string"}
    names = {"type": "array", "items": text, "minItems": 1, "expects": "a list of names"}
    bound = {"type": ["integer", "string"], "expects": 'a number, or a comparison such as `"< 12M"`'}
    return {
        "name": {
            "type": "string",
            "pattern": NAME,
            "expects": "an identifier",
            "description": "Default: the file's stem.",
        },
        "description": {**text, "description": "What the network is, in a line or two."},
        "extends": {
            **text,
            "description": "A spec that this one starts from. Mappings merge, everything else replaces.",
        },
        "use": {
            "type": ["string", "array"],
            "items": text,
            "expects": "a path or a list of paths",
            "description": "Specs whose blocks are imported.",
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
            "expects": "the shape of one sample without the batch, such as `[1, 28, 28]`, or a mapping of named inputs",
            "description": "Shape of one sample, without the batch: C, H, W. Or a mapping of named inputs.",
        },
        "blocks": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/block"},
            "expects": "a mapping of signatures to lists of steps",
            "description": "Block definitions, `Name(parameter, parameter=default)`: steps.",
        },
        "network": {**_STEPS, "description": "The steps, in order."},
        "outputs": {
            **names,
            "type": ["array", "null"],
            "description": "Names of the steps whose tensors are returned.",
        },
        "init": {
            "type": ["object", "null"],
            "additionalProperties": {
                "type": ["string", "object", "null"],
                "expects": "a function of torch.nn.init without its `_`",
            },
            "expects": "a mapping of layers to functions of torch.nn.init",
            "description": "How weights start: layer name -> function of torch.nn.init, without its underscore.",
        },
        "expect": {
            "type": "object",
            "properties": {"output": shape, "params": bound, "macs": bound},
            "additionalProperties": False,
            "expects": "a mapping with `output`, `params` and `macs`",
            "description": "Contracts. A network that breaks one does not compile.",
        },
        "rename": {
            "type": ["object", "null"],
            "additionalProperties": {**text, "type": ["string", "null"]},
            "expects": "a mapping of names here to names in a checkpoint",
            "description": "What checkpoints call a tensor: `head: classifier.1`. Null removes what is inherited.",
        },
        "train": _train(),
    }


def _block() -> dict[str, Any]:
    """The definition of a block: its steps, or a mapping that names its inputs and outputs too."""
    names = {"type": ["array"], "minItems": 1, "items": {"type": "string", "expects": "a name"}}
    return {
        "type": ["array", "object"],
        "items": {"$ref": "#/$defs/step"},
        "properties": {
            "inputs": {
                **names,
                "expects": "a list of names, such as `[x, skip]`",
                "description": "Names of the tensors that the block is given; the first is current at its start.",
            },
            "outputs": {
                **names,
                "expects": "a list of names",
                "description": "Names of the block's steps whose tensors it returns. Default: the last tensor.",
            },
            "steps": {**_STEPS, "description": "The steps, in order."},
        },
        "required": ["steps"],
        "additionalProperties": False,
        "expects": "a list of steps, or a mapping of `inputs`, `outputs` and `steps`",
    }


def _train() -> dict[str, Any]:
    """The keys of a recipe. :mod:`cnndsl.recipe.reader` checks their values."""
    return {
        "type": ["object", "null"],
        "properties": {key.name: _key(key) for key in KEYS.values()},
        "additionalProperties": False,
        "expects": "a training recipe",
        "description": "The training recipe, with the names of torch and torchvision.",
    }


def _key(key: Key) -> dict[str, Any]:
    default = "" if key.written_default in ("required", "none") else f" Default: {key.written_default}."
    described = {"description": key.explained() + default}
    return described | ({"type": "array", "expects": "a list of transforms"} if key.several else {})


def _rounds() -> dict[str, Any]:
    """What says whether and how often steps run."""
    name = {"type": "string", "pattern": PARAMETER, "expects": "a name or a list of names"}
    names = {**name, "type": ["string", "array"], "items": name}
    elements = _value("a list", "The list whose elements the steps are repeated for.", type=["array"], items={})
    any_value = {"description": "true, false or an expression", "expects": "true, false or an expression"}
    return {
        "when": {"type": ["boolean", "string"], "pattern": r"^\$", **any_value},
        "times": _value("an integer, 0 or more", type=["integer"], minimum=0),
        "for": {**names, "description": "Names bound to each element."},
        "in": elements,
    }


def _branch() -> dict[str, Any]:
    """A list of steps, or a mapping of them and of what decides how many branches they are."""
    return {
        "type": ["array", "object"],
        "items": {"$ref": "#/$defs/step"},
        "properties": {"steps": {**_STEPS, "description": "The steps of the branch."}, **_rounds()},
        "required": ["steps"],
        "additionalProperties": False,
        "subject": "a branch",
        "expects": "a list of steps, such as `- - Conv2d: [64, 3]`",
    }


def _step(layers: Sequence[type[Layer]]) -> dict[str, Any]:
    branches = {
        "type": "array",
        "items": {"$ref": "#/$defs/branch"},
        "minItems": 1,
        "expects": "a list of branches, each a list of steps",
    }
    properties: dict[str, Any] = {
        "name": {
            "type": "string",
            "expects": "a name",
            "description": "Name of the step's module, or of its tensor. `convs.$i` makes modules in a list `convs`.",
        },
        **_rounds(),
        "else": {**_STEPS, "description": "Steps that take its place if `when` is false."},
        "inline": {
            "type": "boolean",
            "expects": "true or false",
            "description": "Whether the layers of the block belong to the module around, without a module of its own.",
        },
        "parametrization": {
            "type": ["string", "object", "null"],
            "expects": " or ".join(PARAMETRIZATIONS),
            "description": "What computes the layer's weight: a function of torch.nn.utils.parametrizations.",
        },
        "sequential": {**_STEPS, "description": "The steps one after another, as one module."},
        "repeat": {**_STEPS, "description": "The steps `times` times over, or once for each element of `in`."},
        "branch": {**branches, "description": "Every branch gets the current tensor; the results are merged."},
        "merge": {"type": "string", "enum": [*MERGES], "expects": ", ".join(MERGES)},
        "dim": _value("an integer", "Dimension of a concat. Default: 1, the channels.", type=["integer"]),
        "split": _value(
            "true, or a list with the channels of each branch",
            "Divides the channels among the branches.",
            type=["boolean", "array"],
            items=_value("a positive integer", type=["integer"], minimum=1),
        ),
        "residual": {**_STEPS, "description": "steps(x) + shortcut(x)."},
        "shortcut": {
            "type": ["array", "boolean", "string"],
            "pattern": r"^\$",
            "items": {"$ref": "#/$defs/step"},
            "expects": "a list of steps, true, false or an expression",
            "description": "Steps of the shortcut; true is the identity, false no shortcut.",
        },
        "dense": {**_STEPS, "description": "n times over: x becomes concat(x, steps(x))."},
        "from": {
            "type": "string",
            "expects": "the name of an earlier step",
            "description": "The tensor of an earlier step.",
        },
        "reuse": {
            "type": "string",
            "expects": "the name of an earlier step",
            "description": "The module of an earlier step again, with the same weights.",
        },
        "inputs": _value(
            "a list of names of earlier steps",
            "The tensors that a block of several inputs takes, in its order.",
            type=["array"],
            items={"type": ["string"], "expects": "the name of an earlier step"},
            minItems=1,
        ),
        "let": {
            "type": "object",
            "propertyNames": {"pattern": PARAMETER, "expects": "a name such as `width`"},
            "expects": "a mapping of names to values",
            "description": "Binds names for the rest of the list.",
        },
        **{layer.__name__: {"$ref": f"#/$defs/{layer.__name__}"} for layer in layers},
    }
    return {
        "type": ["string", "object"],
        "pattern": r"^(\$|[A-Z])",
        "properties": properties,
        "patternProperties": {r"^(\$|[A-Z])": True},
        "additionalProperties": False,
        "minProperties": 1,
        "subject": "a step",
        "expects": "a name, or a mapping with one layer, block or structural word",
    }


def _layer(layer: type[Layer]) -> dict[str, Any]:
    """Keyword arguments, or a list in torch's order, or only the first argument."""
    dims = layer.dims or 0
    arguments = {
        name: {**_value(arg.kind.expects(dims), **arg.kind.schema(dims)), "argument": name}
        for name, arg in layer.arguments.items()
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
    described = {"title": f"{layer.__name__}({layer.signature()})", "description": layer.documentation()}
    return {"expects": "no arguments", **merged, **described}


def _by_position(positional: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": ["array"], "prefixItems": positional, "items": False} if positional else {}
