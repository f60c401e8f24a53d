"""What people are told of a layer, a word, an argument or a function, in Markdown, made from the tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cnndsl.emit import reference
from cnndsl.layers import LAYERS
from cnndsl.layers.function import Function
from cnndsl.layers.table import Argument
from cnndsl.spec.editor import argument_text
from cnndsl.spec.functions import USAGE
from cnndsl.spec.recipe_keys import Key
from cnndsl.spec.words import OPTIONS, WORDS


def layer_page(name: str) -> str:
    """The layer's page, as `cnndsl layers NAME` prints it."""
    return _layer_page(name, id(LAYERS[name]))


@lru_cache(1000)
def _layer_page(name: str, layer: int) -> str:
    """``layer`` tells apart layers of one name, which plugins may make."""
    return reference.layer_page(name)


@lru_cache(1000)
def function_page(function: Function) -> str:
    return reference.function_page(function)


def argument_page(name: str, argument: Argument[Any], dims: int) -> str:
    return f"`{name}`: {argument_text(argument, dims)}"


def word_page(word: str) -> str:
    """A structural word: its form, what it does, the options beside it, and an example."""
    entry = WORDS[word]
    options = [f"- `{name}`: {OPTIONS[name].description}" for name in entry.options]
    example = f"```yaml\n{entry.example}\n```" if entry.example else ""
    return "\n\n".join(filter(None, (f"`{word}: {entry.form}`", entry.description, "\n".join(options), example)))


def option_page(option: str) -> str:
    return f"`{option}`: {OPTIONS[option].description}"


def key_page(key: Key) -> str:
    """A key of a recipe."""
    default = "" if key.written_default in ("required", "none") else f" Default: `{key.written_default}`."
    return f"`{key.name}`: {key.explained('`{}`'.format)}{default}"


def function_usage(function: str) -> str:
    """A function of expressions."""
    return f"`{USAGE[function]}`"
