"""Limits on the work that a spec can cause: counted before the work is done, never measured by a clock.

A spec cannot raise its limits. Its user can, with ``--limits steps=40000`` or ``limits=Limits(steps=40_000)``.
The limits of single words and expressions are fixed, and defined where these are read.
"""

from __future__ import annotations

from msgspec.structs import asdict, replace

from cnndsl.diagnostics import did_you_mean, got
from cnndsl.record import Record


class Limits(Record, frozen=True):
    """Each limit is the largest number that is allowed."""

    #: Bytes of a spec, with everything that it extends and uses.
    file: int = 256 * 1024
    #: YAML nodes of the same, with aliases written out.
    nodes: int = 50_000
    #: Files that a spec extends and uses.
    files: int = 100
    #: Nested levels of YAML.
    nesting: int = 64
    #: Uses of YAML anchors.
    aliases: int = 100
    #: Block definitions.
    blocks: int = 1000
    #: Blocks that call each other in a chain.
    calls: int = 32
    #: Rounds of one loop.
    times: int = 1024
    #: Steps of the network with all blocks and loops written out, and rounds of loops.
    steps: int = 20_000
    #: Tensors that concatenations and sums take.
    edges: int = 100_000
    #: Operations of all values together; a list counts once per item.
    evaluation: int = 1_000_000
    #: Parameters of the whole network.
    parameters: int = 10**10
    #: Elements of one tensor.
    elements: int = 2**31

    def __post_init__(self) -> None:
        for name, number in self.as_dict().items():
            if type(number) is not int or number < 1:
                raise ValueError(f"the limit `{name}` must be a positive integer, not {got(number)}")

    def changed(self, text: str) -> Limits:
        """These limits, changed by ``name=number,name=number``. Raises ValueError for other text."""
        known = self.__struct_fields__
        changes = {}
        for part in text.split(","):
            name, _, number = (word.strip() for word in part.partition("="))
            if name not in known:
                raise ValueError(f"there is no limit {got(name)}; {did_you_mean(name, known) or ', '.join(known)}")
            digits = number.replace("_", "")
            if not (digits.isascii() and digits.isdigit() and len(digits) <= 18 and int(digits) > 0):
                raise ValueError(f"the limit `{name}` must be a positive integer, not {got(number)}")
            changes[name] = int(digits)
        return replace(self, **changes)

    def as_dict(self) -> dict[str, int]:
        return asdict(self)


LIMITS = Limits()


def how_to_raise(name: str) -> str:
    """Help for raising a limit; "" for a fixed one, which has no name."""
    return f"if this is intended, raise the limit: `--limits {name}=...`" if name else ""
