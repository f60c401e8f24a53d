"""The JSON Schema of specs, generated from the layer table.

A step is one object with a property for each layer and each structural word, not an ``anyOf`` over
them, so an error is always about the one thing that was written. Some keywords are our own. For messages,
``expects`` describes the values that are allowed, ``help`` says what to write instead of others, ``subject`` names the
value, and ``argument`` the argument that it is for. For completion, ``refers`` says what a text names: a ``tensor`` or
a ``module`` of an earlier step, an ``output``, or the ``file`` of a spec. Patterns of names are for editors;
:mod:`cnndsl.spec.names` defines names.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, TypeAlias

from cnndsl.layers import LAYERS, Layer
from cnndsl.layers.kinds import merge
from cnndsl.spec.recipe_keys import KEYS, Key
from cnndsl.spec.schema_values import NAME, PARAMETER, STEP, STEPS, value
from cnndsl.spec.tree import MINIMAL
from cnndsl.spec.words import ARM, CALL, OPTIONS, WORDS

#: Help for what should be a list of steps.
_DASHES = "begin each step with `- `"
#: The layers that a schema knows, in order.
Layers: TypeAlias = tuple[type[Layer], ...]


def schema() -> dict[str, Any]:
    """The whole schema, Draft 2020-12, of the layers known now: plugins add more."""
    return schema_of(tuple(LAYERS.values()))


@lru_cache(1)
def schema_of(layers: Layers) -> dict[str, Any]:
    """The schema of specs with ``layers``."""
    known = {layer.__name__: _layer(layer) for layer in layers}  # type: ignore[arg-type]
    return {**document(), "$defs": {**_structure(layers), **known}}


def definition(name: str) -> dict[str, Any]:
    """``#/$defs/name`` of :func:`schema`, which is made when it is needed: a spec uses few of the layers."""
    return _layer(LAYERS[name]) if name in LAYERS else _structure(tuple(LAYERS.values()))[name]  # type: ignore[arg-type]


@lru_cache(1)
def _structure(layers: Layers) -> dict[str, Any]:
    """The definitions that are not layers."""
    return {
        "steps": {"type": "array", "items": STEP, "expects": "a list of steps", "help": _DASHES},
        "branch": _branch(),
        "block": _block(),
        "step": _step(layers),
        "layer": {"enum": [layer.__name__ for layer in layers]},
    }


_SHAPE = value(
    "the shape of one sample without the batch, such as `[1, 28, 28]`",
    type=["array"],
    items=value("a positive integer", type=["integer"], minimum=1),
    minItems=1,
)
_TEXT = {"type": "string", "expects": "a string"}
_FILE = {**_TEXT, "refers": "file"}


@cache
def document() -> dict[str, Any]:
    """The schema without its definitions."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cnndsl",
        "description": "A convolutional network: blocks and layers, shapes inferred, compiled to PyTorch.",
        "type": "object",
        "subject": "a spec",
        "expects": "a mapping with `input` and `network`",
        "help": MINIMAL,
        "properties": {**_whole(), **_network(), **_about_weights(), "train": _train()},
        "additionalProperties": False,
    }


def _whole() -> dict[str, Any]:
    """What a spec is called, and what it starts from."""
    return {
        "name": {
            "type": "string",
            "pattern": NAME,
            "expects": "an identifier",
            "description": "Default: the file's stem.",
        },
        "description": {**_TEXT, "description": "What the network is, in a line or two."},
        "extends": {
            **_FILE,
            "description": "A spec that this one starts from. Mappings merge, everything else replaces.",
        },
        "use": {
            "type": ["string", "array", "null"],
            "items": _FILE,
            "refers": "file",
            "expects": "a path or a list of paths",
            "description": "Specs whose blocks are imported.",
        },
        "params": {
            "type": "object",
            "propertyNames": {"pattern": PARAMETER, "expects": "a name such as `classes`"},
            "expects": "a mapping of names to defaults",
            "description": "The document's own parameters with their defaults.",
        },
    }


def _network() -> dict[str, Any]:
    """What goes in, what is done with it, and what comes out."""
    return {
        "input": {
            **merge(_SHAPE, {"type": ["object"]}),
            "propertyNames": {"pattern": PARAMETER, "expects": "a name such as `image`"},
            "additionalProperties": _SHAPE,
            "minProperties": 1,
            "expects": "the shape of one sample without the batch, such as `[1, 28, 28]`, or a mapping of named inputs",
            "description": "Shape of one sample, without the batch: C, H, W. Or a mapping of named inputs.",
        },
        "blocks": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/block"},
            "expects": "a mapping of signatures to lists of steps",
            "help": "`Block: [...]`, without a `- ` before it",
            "description": "Block definitions, `Name(parameter, parameter=default)`: steps.",
        },
        "network": {**STEPS, "description": "The steps, in order."},
        "outputs": {
            "type": ["array", "null"],
            "items": {**_TEXT, "refers": "output"},
            "minItems": 1,
            "expects": "a list of names",
            "description": "Names of the steps whose tensors are returned.",
        },
    }


def _about_weights() -> dict[str, Any]:
    """How weights start, what checkpoints call them, and contracts."""
    bound = {"type": ["integer", "string"], "expects": 'a number, or a comparison such as `"< 12M"`'}
    return {
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
            "properties": {"output": _SHAPE, "params": bound, "macs": bound},
            "additionalProperties": False,
            "expects": "a mapping with `output`, `params` and `macs`",
            "description": "Contracts. A network that breaks one does not compile.",
        },
        "rename": {
            "type": ["object", "null"],
            "additionalProperties": {**_TEXT, "type": ["string", "null"]},
            "expects": "a mapping of names here to names in a checkpoint",
            "description": "What checkpoints call a tensor: `head: classifier.1`. Null removes what is inherited.",
        },
    }


def _block() -> dict[str, Any]:
    """The definition of a block: its steps, or a mapping that names its inputs and outputs too."""
    names: dict[str, Any] = {"type": ["array"], "minItems": 1, "items": {"type": "string", "expects": "a name"}}
    return {
        "type": ["array", "object"],
        "items": STEP,
        "properties": {
            "inputs": {
                **names,
                "expects": "a list of names, such as `[x, skip]`",
                "help": "`inputs: [x, skip]`",
                "description": "Names of the tensors that the block is given; the first is current at its start.",
            },
            "outputs": {
                **names,
                "items": {**names["items"], "refers": "output"},
                "expects": "a list of names",
                "description": "Names of the block's steps whose tensors it returns. Default: the last tensor.",
            },
            "steps": {**STEPS, "description": "The steps, in order."},
        },
        "required": ["steps"],
        "additionalProperties": False,
        "expects": "a list of steps, or a mapping of `inputs`, `outputs` and `steps`",
        "help": _DASHES,
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


def _branch() -> dict[str, Any]:
    """A list of steps, or a mapping of them and of what decides how many branches they are."""
    return {
        "type": ["array", "object"],
        "items": STEP,
        "properties": {
            "steps": {**STEPS, "description": "The steps of the branch."},
            **{key: OPTIONS[key].described for key in ARM if key in OPTIONS},
        },
        "required": ["steps"],
        "additionalProperties": False,
        "subject": "a branch",
        "expects": "a list of steps, or a mapping with `steps`",
    }


def _step(layers: Sequence[type[Layer]]) -> dict[str, Any]:
    properties: dict[str, Any] = {
        **{name: key.described for name, key in {**OPTIONS, **WORDS}.items()},
        **{layer.__name__: {"$ref": f"#/$defs/{layer.__name__}"} for layer in layers},
    }
    return {
        "type": ["string", "object"],
        "pattern": r"^(\$|[A-Z])",
        "properties": properties,
        "patternProperties": {r"^(\$|[A-Z])": True},
        "additionalProperties": False,
        "dependentSchemas": {option: {"propertyNames": {"not": _others(option)}} for option in CALL},
        "minProperties": 1,
        "subject": "a step",
        "expects": "a name, or a mapping with one layer, block or structural word",
    }


def _others(option: str) -> dict[str, Any]:
    """The words that do not take an option of layers and blocks, as far as their names tell."""
    words = {"enum": [name for name, word in WORDS.items() if option not in word.options]}
    return words if option == "parametrization" else {"anyOf": [words, {"$ref": "#/$defs/layer"}]}


@lru_cache(1000)
def _layer(layer: type[Layer]) -> dict[str, Any]:
    """Keyword arguments, or a list in torch's order, or only the first argument."""
    dims = layer.dims or 0
    arguments = {
        name: {**value(arg.kind.expects(dims), **arg.kind.schema(dims)), "argument": name}
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
