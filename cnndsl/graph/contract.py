"""``expect``: the contracts of a spec, and whether a network keeps them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from cnndsl.diagnostics import Code, Diagnostic, got, shorten
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.document import Document
from cnndsl.spec.evaluation import Environment, Unknown, evaluate
from cnndsl.spec.sections import ExpectLine
from cnndsl.spec.values import Fault

Holds: TypeAlias = Callable[[Any], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_BOUND = re.compile(r"\s*(<=|>=|==|!=|<|>)?\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kKMGT]?)\s*")
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def comparison(text: str) -> Holds | None:
    """What a text such as ``< 12M`` or ``1000`` asks of a number, None if it is not a comparison."""
    match = _BOUND.fullmatch(text)
    if match is None:
        return None
    sign, digits, unit = match.groups()
    return partial(_holds, sign or "==", float(digits.replace("_", "")) * _UNITS[unit])


def _holds(sign: str, bound: Any, found: Any) -> bool:
    return _COMPARE[sign](found, bound)


class Contract(Record, frozen=True):
    """What ``holds`` of ``what``, the ``output``, ``params`` or ``macs`` of a network, as ``wanted`` means it."""

    what: str
    wanted: Any
    holds: Holds
    span: Span

    def broken(self, found: Any) -> Diagnostic | None:
        """The error of a network that has ``found``: the shape of a sample, or a number."""
        if self.holds(found):
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
        return Contract(what, wanted, partial(_holds, "==", wanted), span)
    holds = comparison(str(wanted))
    if holds is None:
        help = f'a number, or a comparison with K, M or G, such as `{what}: 1000` or `{what}: "< 10M"`'
        raise Fault(Code.TYPE, f"`{shorten(str(wanted))}` is not a number or a comparison", span, help)
    return Contract(what, wanted, holds, span)
