"""``expect``: the contracts of a spec, and whether a network keeps them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, got, shorten
from cnndsl.source import Span
from cnndsl.spec.document import Document
from cnndsl.spec.expression import Environment, Unknown, evaluate
from cnndsl.spec.sections import ExpectLine
from cnndsl.spec.values import Fault

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_BOUND = re.compile(r"\s*(<=|>=|==|!=|<|>)?\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kKMGT]?)\s*")
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True, slots=True)
class Contract:
    """``what``, the ``output``, ``params`` or ``macs`` of a network, compared with the ``bound`` that ``wanted``
    means."""

    what: str
    wanted: Any
    comparison: str
    bound: Any
    span: Span

    def broken(self, found: Any) -> Diagnostic | None:
        """The error of a network that has ``found``: the shape of a sample, or a number."""
        if _COMPARE[self.comparison](found, self.bound):
            return None
        message = (
            f"the output is {list(found)}, not {got(self.wanted)} as expected"
            if self.what == "output"
            else f"the network has {found:,} {self.what}, not {shorten(str(self.wanted))} as expected"
        )
        return Diagnostic(Code.EXPECT, message, self.span, "change the network or its `expect`")


def contracts(document: Document, params: Mapping[str, Any]) -> tuple[tuple[Contract, ...], tuple[Diagnostic, ...]]:
    """The contracts of a document, and the faults of its ``expect``."""
    found: list[Contract] = []
    faults: list[Diagnostic] = []
    for line in document.expect:
        try:
            found.append(_contract(line, Environment(params, has_input=False)))
        except Fault as fault:
            faults.append(fault.diagnostic)
        except Unknown:
            continue
    return tuple(found), tuple(faults)


def _contract(line: ExpectLine, environment: Environment) -> Contract:
    what, span = line.what.name, line.wanted.span
    wanted = evaluate(line.wanted, environment)
    if what == "output":
        return Contract(what, wanted, "==", wanted, span)
    match = _BOUND.fullmatch(str(wanted))
    if not match:
        help = f'a number, or a comparison with K, M or G: `{what}: 1000`, `{what}: "< 10M"`'
        raise Fault(Code.TYPE, f"`{shorten(str(wanted))}` is not a number or a comparison", span, help)
    sign, digits, unit = match.groups()
    return Contract(what, wanted, sign or "==", float(digits.replace("_", "")) * _UNITS[unit], span)
