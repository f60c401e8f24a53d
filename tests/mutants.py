"""Specs of ``archs/`` with one thing wrong in each, and where that stands. Seeded: the same ones every time."""

from __future__ import annotations

import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from cnndsl.layers import LAYERS
from cnndsl.source import Source, Span
from cnndsl.spec.schema import schema
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, read

ARCHS = Path(__file__).parent.parent / "archs"
ROOT_KEYS = frozenset(schema()["properties"])
WORDS = frozenset(key for key in schema()["$defs"]["step"]["properties"] if key[0].islower())


@dataclass(frozen=True, slots=True)
class Edit:
    """``text`` in place of what stands at ``span``; the fault is expected there, ``offset`` characters on."""

    kind: str
    span: Span
    text: str
    offset: int = 0
    #: What was there, where it is what should be suggested.
    meant: str = ""


def typo(word: str, known: frozenset[str], random: Random) -> str:
    """``word`` with one letter inserted, deleted, replaced or swapped, and no other known word."""
    letters = string.ascii_lowercase
    while True:
        at, letter = random.randrange(len(word)), random.choice(letters)
        wrong = random.choice(
            (
                word[:at] + letter + word[at:],
                word[:at] + word[at + 1 :],
                word[:at] + letter + word[at + 1 :],
                word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :],
            )
        )
        if wrong and wrong not in known and wrong[0].isalpha() and wrong[0].isupper() == word[0].isupper():
            return wrong


def edits(path: Path, random: Random) -> Iterator[Edit]:
    """Everything that is done to a spec, each by itself."""
    tree, faults = read(Source(path.name, path.read_text()))
    assert isinstance(tree, Mapping) and not faults
    for key, value in tree.entries:
        yield misspelt("key", key, ROOT_KEYS, random)
        if key.value == "network":
            yield from in_steps(value, random)
        elif key.value == "blocks" and isinstance(value, Mapping):
            for steps in value.by_key.values():
                yield from in_steps(steps, random)
        elif key.value in ("name", "description", "extends") and isinstance(value, Scalar):
            yield Edit("list for a scalar", value.span, f"[{value.span.text}]")


def misspelt(kind: str, key: Scalar, known: frozenset[str], random: Random) -> Edit:
    word = str(key.value)
    return Edit(f"misspelt {kind}", key.span, typo(word, known, random), meant=word)


def in_steps(steps: Tree, random: Random) -> Iterator[Edit]:
    for step in steps.items if isinstance(steps, Listing) else ():
        if isinstance(step, Scalar) and step.value in LAYERS:
            yield misspelt("layer", step, frozenset(LAYERS), random)
        elif isinstance(step, Listing):  # a branch
            yield from in_steps(step, random)
        elif isinstance(step, Mapping):
            yield from in_step(step, random)


def in_step(step: Mapping, random: Random) -> Iterator[Edit]:
    for key, value in step.entries:
        word = str(key.value)
        if word in WORDS:
            yield misspelt("word", key, WORDS, random)
            yield from in_steps(value, random)
        elif word in LAYERS:
            yield misspelt("layer", key, frozenset(LAYERS), random)
            yield from in_arguments(word, value, random)
        if isinstance(value, Scalar):
            yield from unknown_name(value)
            if word in ("name", "from", "times"):
                yield Edit("mapping for a scalar", value.span, "{a: 1}")


def in_arguments(layer: str, value: Tree, random: Random) -> Iterator[Edit]:
    if isinstance(value, Mapping):
        known = frozenset(LAYERS[layer].arguments)
        for key, argument in value.entries:
            yield misspelt("argument", key, known, random)
            yield from in_argument(str(key.value), argument)
    elif isinstance(value, Listing):
        for name, argument in zip(LAYERS[layer].positional(), value.items):
            yield from in_argument(name, argument)


def in_argument(name: str, argument: Tree) -> Iterator[Edit]:
    if not isinstance(argument, Scalar):
        return
    yield from unknown_name(argument)
    yield Edit("mapping for a scalar", argument.span, "{a: 1}")
    yield Edit("list for a scalar", argument.span, "[1, 2, 3, 4, 5]")
    if name in ("out_channels", "kernel_size", "stride", "padding", "out_features"):
        yield Edit("text for a number", argument.span, "many")
        yield Edit("negative", argument.span, "-3")
    if name == "kernel_size":
        yield Edit("shapes that clash", argument.span, "1001")
    if name == "bias":
        yield Edit("number for a truth", argument.span, "3")


def unknown_name(value: Scalar) -> Iterator[Edit]:
    text = value.span.text
    if isinstance(value.value, str) and value.value.startswith("$") and text.startswith("$"):
        yield Edit("name that is not there", value.span, "$nowhere", offset=1)


def mutated(text: str, changes: list[Edit]) -> tuple[str, list[tuple[int, int]]]:
    """A text with changes that do not overlap, and where in it each of their faults stands."""
    shifted: list[int] = []
    shift = 0
    for change in sorted(changes, key=lambda change: change.span.start):
        shifted.append(change.span.start + shift + change.offset)
        shift += len(change.text) - (change.span.end - change.span.start)
    for change in sorted(changes, key=lambda change: -change.span.start):
        text = text[: change.span.start] + change.text + text[change.span.end :]
    source = Source("mutant", text)
    return text, [source.position(offset) for offset in shifted]
