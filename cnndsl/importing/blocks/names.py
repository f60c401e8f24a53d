"""The names of blocks and of their parameters."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection

from cnndsl.importing.alike import Hole
from cnndsl.layers import LAYERS

#: What arguments and layers are called as parameters, if that is not their own name.
_CALLED = {
    "out_channels": "channels", "inner": "channels", "out_features": "features", "times": "depth", "over": "rows",
    "tensor": "source", "activation": "act", "normalization": "norm", "pooling": "pool", "convolution": "conv",
    "when": "use", "p": "drop",
}  # fmt: skip


def wanted(hole: Hole) -> str:
    """What a parameter for a hole is called, after what it is."""
    if hole.role == "argument":
        return _CALLED.get(hole.argument, hole.argument)
    if hole.role == "word":
        family = LAYERS[hole.word].family if hole.word in LAYERS else "block"
        return _CALLED.get(family, family)
    if hole.role == "when" and (hole.step or hole.word):
        return identifier(hole.step or re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", hole.word).lower())
    return _CALLED.get(hole.role, hole.role)


def identifier(text: str) -> str:
    """A text as the name of a parameter: it begins with a lowercase letter."""
    made = re.sub(r"\W+", "_", text).strip("_")
    made = made[:1].lower() + made[1:]
    made = made if made[:1].isalpha() else f"use_{made}"
    return f"{made}_" if keyword.iskeyword(made) or made == "input" else made


def free(name: str, taken: Collection[str]) -> str:
    """The name, with a number if it is taken."""
    number, made = 1, name
    while made in taken:
        number += 1
        made = f"{name}{number}"
    return made


def block_name(kind: str, taken: Collection[str]) -> str:
    """The name of a class as the name of a block: ``_DenseLayer`` is ``DenseLayer``, ``conv_block`` ``ConvBlock``."""
    words = [word for word in kind.split("_") if word]
    made = "".join(word[:1].upper() + word[1:] for word in words) or "Block"
    made = made if made[0].isalpha() else f"Block{made}"
    if made in LAYERS or made in ("None", "True", "False"):
        made += "Block"
    return free(made, taken)
