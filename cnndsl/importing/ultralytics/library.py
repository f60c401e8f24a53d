"""The blocks that a spec gets copies of: the definitions in ``blocks.yaml``, with their comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.signature import parse_signature

_SIGNATURE = re.compile(r"^  ([A-Z].*):$", re.MULTILINE)
_OUTPUTS = re.compile(r"^    outputs: \[(.*)\]$", re.MULTILINE)
_COMMENT = re.compile(r"^ *#.*$", re.MULTILINE)
_WORD = re.compile(r"\b[A-Z]\w*\b")
#: What a copy may change: the number of maps, and the normalisation.
_MAPS = 3
NORM = {"eps": 0.001, "momentum": 0.03}


class Definition(Record, frozen=True):
    """A block: its parameters in order, those without a default, the names of its outputs (one without a name is ""),
    all words in it that may be blocks, and its lines."""

    name: str
    parameters: tuple[str, ...]
    required: frozenset[str]
    outputs: tuple[str, ...]
    words: frozenset[str]
    text: str

    def copied(self, maps: int, norm: Mapping[str, float]) -> str:
        """Its lines, for a head of so many maps and with these arguments of the normalisation."""
        text = self.text.replace(_inputs(_MAPS), _inputs(maps)).replace(f"range({_MAPS})", f"range({maps})")
        return text.replace(_norm(NORM), _norm(norm))


def _inputs(maps: int) -> str:
    return f"[{', '.join(f'p{index}' for index in range(maps))}]"


def _norm(arguments: Mapping[str, float]) -> str:
    inside = ", ".join(f"{name}: {value}" for name, value in arguments.items())
    return f"BatchNorm2d: {{{inside}}}" if inside else "BatchNorm2d: "


@cache
def library() -> dict[str, Definition]:
    """All blocks by name. Blank lines separate them, and each has its comment above it."""
    text = Path(__file__).with_name("blocks.yaml").read_text(encoding="utf-8")
    found = map(_definition, text.partition("\nblocks:\n")[2].rstrip().split("\n\n"))
    return {definition.name: definition for definition in found}


def _definition(text: str) -> Definition:
    signature = _SIGNATURE.findall(text)[0]
    name, parameters = parse_signature(signature, Span(Source("blocks.yaml", signature), 0, len(signature)))
    outputs = _OUTPUTS.search(text)
    return Definition(
        name=name,
        parameters=tuple(parameter.name for parameter in parameters),
        required=frozenset(parameter.name for parameter in parameters if parameter.default is None),
        outputs=tuple(outputs[1].split(", ")) if outputs else ("",),
        words=frozenset(_WORD.findall(_COMMENT.sub("", text))),
        text=text,
    )


def with_inner(names: Iterable[str]) -> list[Definition]:
    """These blocks and all that they call, in the library's order."""
    found: set[str] = set()
    pending = [*names]
    while pending:
        name = pending.pop()
        if name in library() and name not in found:
            found.add(name)
            pending += library()[name].words
    return [definition for name, definition in library().items() if name in found]
