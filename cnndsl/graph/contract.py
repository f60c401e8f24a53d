"""``expect``: what a spec promises of its network, held against what came out."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, shorten
from cnndsl.graph.cost import cost
from cnndsl.graph.graph import Graph
from cnndsl.source import Span
from cnndsl.spec import tree
from cnndsl.spec.expression import Environment, Fault, Unknown, evaluate, parse_value

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_BOUND = re.compile(r"\s*(<=|>=|==|!=|<|>)?\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([KMGT]?)\s*")
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def broken_contracts(graph: Graph) -> list[Diagnostic]:
    """A diagnostic for each promise of the document that its network does not keep."""
    expect = graph.document.expect
    if expect is None:
        return []
    total = cost(graph.root)
    faults = []
    for key, value in expect.entries:
        try:
            wanted = evaluate(parse_value(value), Environment(graph.root.params, has_input=False))
            if key.value == "output":
                found = next(iter(graph.outputs.values())).shape.sample
                if wanted != found:
                    faults.append(_broken(f"the output is {list(found)}, not {_list(wanted)} as expected", value.span))
            else:
                faults += _bound(str(key.value), getattr(total, str(key.value)), wanted, value)
        except Fault as fault:
            faults.append(fault.diagnostic)
        except Unknown:
            continue
    return faults


def _bound(what: str, found: int, wanted: object, value: tree.Tree) -> list[Diagnostic]:
    match = _BOUND.fullmatch(str(wanted))
    if not match:
        help = f"a number, or a comparison with K, M or G: `{what}: 1000`, `{what}: \"< 10M\"`"
        return [Diagnostic(Code.TYPE, f"`{shorten(str(wanted))}` is no number to compare with", value.span, help)]
    sign, number, unit = match.groups()
    bound = float(number.replace("_", "")) * _UNITS[unit]
    if _COMPARE[sign or "=="](found, bound):
        return []
    return [_broken(f"the network has {found:,} {what}, not {wanted} as expected", value.span)]


def _broken(message: str, span: Span) -> Diagnostic:
    return Diagnostic(Code.EXPECT, message, span, "change the network, or what is expected of it")


def _list(wanted: Any) -> str:
    return str(list(wanted)) if isinstance(wanted, tuple) else repr(wanted)


