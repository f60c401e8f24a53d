"""The blocks that a spec gets copies of: the definitions in ``blocks.yaml``, with their comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.signature import parse_signature

_WORD = re.compile(r"\b[A-Z]\w*\b")
_COMMENT = re.compile(r"(^|\s)#.*")
#: What a copy may change: the number of maps, and the normalisation.
_MAPS = 3
NORM = {"eps": 0.001, "momentum": 0.03}


class Definition(Record, frozen=True):
    """A block: its parameters in order, those without a default, the other blocks that it calls, and its lines."""

    name: str
    parameters: tuple[str, ...]
    required: frozenset[str]
    calls: frozenset[str]
    text: str

    def copied(self, maps: int, norm: Mapping[str, float]) -> str:
        """Its lines, for a head of so many maps and with these arguments of the normalisation."""
        text = self.text.replace(_inputs(_MAPS), _inputs(maps)).replace(f"range({_MAPS})", f"range({maps})")
        return text.replace(_norm(NORM), _norm(norm))


def _inputs(count: int) -> str:
    return f"[{', '.join(f'p{index}' for index in range(count))}]"


def _norm(arguments: Mapping[str, float]) -> str:
    inside = ", ".join(f"{name}: {value}" for name, value in arguments.items())
    return f"BatchNorm2d: {{{inside}}}" if inside else "BatchNorm2d: "


@cache
def library() -> dict[str, Definition]:
    text = Path(__file__).with_name("blocks.yaml").read_text(encoding="utf-8")
    parts = text.partition("\nblocks:\n")[2].rstrip().split("\n\n")
    signatures = {part: re.search(r"^  ([A-Z].*?):(  #.*)?$", part, re.M) for part in parts}
    names = {found[1].partition("(")[0] for found in signatures.values() if found}
    return {item.name: item for item in (_definition(part, found[1], names) for part, found in signatures.items() if found)}


def _definition(text: str, signature: str, names: set[str]) -> Definition:
    name, parameters = parse_signature(signature, Span(Source("blocks.yaml", signature), 0, len(signature)))
    calls = {word for line in text.split("\n") for word in _WORD.findall(_COMMENT.sub("", line))}
    required = frozenset(parameter.name for parameter in parameters if parameter.default is None)
    return Definition(name, tuple(one.name for one in parameters), required, frozenset(calls & names - {name}), text)


def with_inner(names: Iterable[str]) -> list[Definition]:
    """These blocks and all that they call, in the library's order."""
    found: set[str] = set()
    pending = [*names]
    while pending:
        if (name := pending.pop()) not in found:
            found.add(name)
            pending += library()[name].calls
    return [definition for name, definition in library().items() if name in found]
