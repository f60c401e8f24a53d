"""Names of the emitted source: which are reserved, and how new ones are found."""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterable, Iterator
from itertools import count

from cnndsl.emit.source.expr import BUILTINS

#: Names that a parameter or variable of the emitted source may not have; linters refuse those of one letter that look
#: like a digit.
RESERVED = {
    *BUILTINS,
    "self",
    "nn",
    "torch",
    "Tensor",
    "super",
    "range",
    "list",
    "type",
    "enumerate",
    "_",
    "l",
    "O",
    "I",
}
#: The longest name to generate.
MAX_NAME = 40


def safe(name: str, taken: Collection[str] = ()) -> str:
    """``name``, changed if it is reserved or taken."""
    while name in RESERVED or name in taken:
        name = f"{name}_"
    return name


def free(options: Iterable[str], taken: Collection[str]) -> str:
    """The first of some names that is neither reserved nor taken."""
    return next(name for name in options if name not in taken and name not in RESERVED)


def numbered(name: str, gap: str = "") -> Iterator[str]:
    """``name``, ``name2``, ``name3`` and so on."""
    yield name
    yield from (f"{name}{gap}{number}" for number in count(2))


def camel(name: str) -> str:
    """A name of the spec as the name of a class."""
    joined = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    return joined if joined.isidentifier() and not keyword.iskeyword(joined) else f"Net{joined}"
