"""The words of the language that give structure, and the options of steps: one table.

The schema, the parser, the checks of options, the search for lists of steps, and the editors' completion read it. A
word also has a type in :mod:`cnndsl.spec.steps` and a method in :mod:`cnndsl.spec.parser`.
"""

from __future__ import annotations

from typing import Any

from cnndsl.layers import PARAMETRIZATIONS
from cnndsl.layers.function import Function
from cnndsl.layers.kinds import Choice, alternatives
from cnndsl.record import Record
from cnndsl.spec.schema_values import PARAMETER, STEP, STEPS, value

#: The name of the tensor that the module around was given.
INPUT = "input"
#: The name of values that nobody reads, as in Python: ``for: [_, channels]``.
THROWN_AWAY = "_"
MERGES = ("concat", "add", "subtract", "multiply", "divide", "maximum", "minimum")
#: Merges of two tensors.
PAIRS = ("subtract", "divide")


class Key(Record, frozen=True):
    """A key of a step: what it does, and the schema of its value. ``lists`` is 1 if the value is a list of steps, 2 if
    it is a list of such lists."""

    description: str
    schema: dict[str, Any]
    lists: int = 0

    @property
    def described(self) -> dict[str, Any]:
        return {**self.schema, "description": self.description}


class Word(Key, frozen=True):
    """A key that says what a step does. ``options`` are the keys that it may have beside it, ``form`` its value as
    help writes it, and ``example`` is a list of steps with it."""

    options: tuple[str, ...] = ()
    form: str = "[...]"
    example: str = ""


def _steps(description: str, example: str, *options: str) -> Word:
    return Word(description, STEPS, 1, options, example=example)


def _function(function: Function) -> dict[str, Any]:
    """The arguments of a function, by name."""
    arguments = {name: value(arg.kind.expects(0), **arg.kind.schema(0)) for name, arg in function.arguments.items()}
    return {
        "type": ["object", "null"],
        "properties": arguments,
        "additionalProperties": False,
        "description": function.documentation,
    }


_NAME = {"type": "string", "pattern": PARAMETER, "expects": "a name or a list of names"}
_EARLIER = {"type": "string", "expects": "the name of an earlier step", "refers": "tensor"}
_MODULE = {**_EARLIER, "refers": "module"}
#: Options that say how often something runs.
LOOP = ("times", "for", "in")
#: Options of every step.
COMMON = ("name", "when", "else")
#: Options of a layer or a block, and of which of the two.
CALL = {"inputs": "a block", "inline": "a block", "parametrization": "a layer"}
#: The keys of an item of a ``branch``.
ARM = ("steps", "when", *LOOP)

OPTIONS: dict[str, Key] = {
    "name": Key(
        "Name of the step's module, or of its tensor. `convs.$i` makes modules in a list `convs`.",
        {"type": "string", "expects": "a name"},
    ),
    "when": Key(
        "true, false or an expression",
        {"type": ["boolean", "string"], "pattern": r"^\$", "expects": "true, false or an expression"},
    ),
    "else": Key("Steps that take its place if `when` is false.", STEPS, 1),
    "times": Key("How many times the steps run.", value("an integer, 0 or more", type=["integer"], minimum=0)),
    "for": Key("Names bound to each element.", {**_NAME, "type": ["string", "array"], "items": _NAME}),
    "in": Key("The list whose elements the steps are repeated for.", value("a list", type=["array"], items={})),
    "merge": Key(
        "How the results of the branches become one tensor. Default: concat.",
        value(", ".join(MERGES), **Choice(*MERGES).schema(0), examples=[*MERGES]),
    ),
    "dim": Key("Dimension of a concat. Default: 1, the channels.", value("an integer", type=["integer"])),
    "split": Key(
        "Divides the channels among the branches.",
        value(
            "true, or a list with the channels of each branch",
            type=["boolean", "array"],
            items=value("a positive integer", type=["integer"], minimum=1),
        ),
    ),
    "shortcut": Key(
        "Steps of the shortcut; true is the identity, false no shortcut.",
        {
            "type": ["array", "boolean", "string"],
            "pattern": r"^\$",
            "items": STEP,
            "expects": "a list of steps, true, false or an expression",
        },
        1,
    ),
    "inputs": Key(
        "The tensors that a block of several inputs takes, in its order.",
        value(
            "a list of names of earlier steps",
            type=["array"],
            items={**_EARLIER, "type": ["string"]},
            minItems=1,
            help="`inputs: [x, skip]`",
        ),
    ),
    "inline": Key(
        "Whether the layers of the block belong to the module around, without a module of its own.",
        {"type": "boolean", "expects": "true or false"},
    ),
    "parametrization": Key(
        "What computes the layer's weight: a function of torch.nn.utils.parametrizations.",
        {
            **value(
                alternatives([*PARAMETRIZATIONS]),
                type=["string", "object", "null"],
                pattern=f"^({'|'.join(PARAMETRIZATIONS)})$",
            ),
            "properties": {name: _function(function) for name, function in PARAMETRIZATIONS.items()},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ),
}

WORDS: dict[str, Word] = {
    "steps": _steps(
        "The steps one after another, without a module: several under one `when`.",
        "- {when: $(input.channels < 64), steps: [Conv2d: [64, 1], ReLU]}",
    ),
    "sequential": _steps(
        "The steps one after another, as one module.",
        "- {name: stem, sequential: [Conv2d: [16, 3], ReLU]}",
    ),
    "repeat": _steps(
        "The steps `times` times over, or once for each element of `in`.",
        "- {repeat: [Conv2d: [$width, 3, 2, 1], ReLU], for: width, in: [16, 32, 64]}",
        *LOOP,
    ),
    "branch": Word(
        "Every branch gets the current tensor; the results are merged.",
        {
            "type": "array",
            "items": {"$ref": "#/$defs/branch"},
            "minItems": 1,
            "expects": "a list of branches, each a list of steps",
            "help": "`branch: [[...], [...]]`",
        },
        2,
        ("merge", "dim", "split"),
        "[[...], [...]]",
        "- {branch: [[], [Conv2d: [16, 1]]], merge: concat}",
    ),
    "residual": _steps(
        "steps(x) + shortcut(x).",
        "- residual: [Conv2d: [32, 3, 2, 1], ReLU]\n  shortcut: [Conv2d: [32, 1, 2]]",
        "shortcut",
    ),
    "dense": _steps(
        "n times over: x becomes concat(x, steps(x)).",
        "- {dense: [BatchNorm2d, ReLU, Conv2d: [12, 3, 1, 1]], times: 4}",
        *LOOP,
    ),
    "from": Word(
        "The tensor of an earlier step.",
        _EARLIER,
        form="NAME",
        example="- {name: skip, ReLU: }\n- Conv2d: [16, 3, 1, 1]\n- branch: [[], [from: skip]]",
    ),
    "reuse": Word(
        "The module of an earlier step again, with the same weights.",
        _MODULE,
        options=("inputs",),
        form="NAME",
        example="- {name: shared, Conv2d: [3, 3, 1, 1]}\n- reuse: shared",
    ),
    "let": Word(
        "Binds names for the rest of the list.",
        {
            "type": "object",
            "propertyNames": {"pattern": PARAMETER, "expects": "a name such as `width`"},
            "expects": "a mapping of names to values",
        },
        form="{width: 64}",
        example="- let: {width: $(2 * input.channels)}\n- Conv2d: [$width, 1]",
    ),
}

#: The keys below which there are steps, and how many lists below: those of documents, blocks and branches too.
LISTS: dict[str, int] = {
    **{name: key.lists for name, key in {**OPTIONS, **WORDS}.items() if key.lists},
    **dict.fromkeys(("network", "steps"), 1),
}


def is_word(key: str) -> bool:
    """Whether a key says what a step does: a layer, a block, ``$name``, or a structural word."""
    return key in WORDS or key[:1] == "$" or key[:1].isupper()


def owners(option: str) -> str:
    """What an option stands beside, in words."""
    if option in COMMON:
        return "any step"
    calls = [CALL[option]] if option in CALL else []
    words = [f"`{name}`" for name, word in WORDS.items() if option in word.options]
    branches = [f"an item of `branch`, `{{{option}: ..., steps: [...]}}`"] if option in LOOP else []
    return alternatives([*calls, *words, *branches])


def options_of(word: str) -> tuple[str, ...]:
    """The options that a word may have beside it, besides those of every step."""
    return WORDS[word].options if word in WORDS else (*CALL,)
