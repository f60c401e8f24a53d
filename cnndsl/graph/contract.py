"""``expect``: the contracts of a spec, compared with its network."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from cnndsl.diagnostics import Code, Diagnostic, got, shorten
from cnndsl.graph.cost import cost
from cnndsl.graph.graph import Graph
from cnndsl.source import Span
from cnndsl.spec.expression import Environment, Unknown, evaluate
from cnndsl.spec.values import Fault, parse_value

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_BOUND = re.compile(r"\s*(<=|>=|==|!=|<|>)?\s*([0-9][0-9_]*(?:\.[0-9]+)?)\s*([kKMGT]?)\s*")
_UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def comparison(text: str) -> Callable[[float], bool] | None:
    """What a text such as ``< 12M`` or ``1000`` asks of a number, None if it is not a comparison."""
    match = _BOUND.fullmatch(text)
    if match is None:
        return None
    sign, digits, unit = match.groups()
    bound = float(digits.replace("_", "")) * _UNITS[unit]
    return lambda number: _COMPARE[sign or "=="](number, bound)


def broken_contracts(graph: Graph) -> list[Diagnostic]:
    """A diagnostic for each contract of the document that its network breaks."""
    expect = graph.document.expect
    faults: list[Diagnostic] = []
    for key, tree in expect.entries if expect else ():
        try:
            wanted = evaluate(parse_value(tree, faults.append), Environment(graph.root.params, has_input=False))
        except Fault as fault:
            faults.append(fault.diagnostic)
        except Unknown:
            continue
        else:
            faults += _broken(graph, str(key.value), wanted, tree.span)
    return faults


def _broken(graph: Graph, what: str, wanted: object, span: Span) -> list[Diagnostic]:
    if what == "output":
        found = next(iter(graph.outputs.values())).shape.sample
        kept = wanted == found
        message = f"the output is {list(found)}, not {got(wanted)} as expected"
    else:
        number = getattr(cost(graph.root), what)
        holds = comparison(str(wanted))
        if holds is None:
            help = f'a number, or a comparison with K, M or G: `{what}: 1000`, `{what}: "< 10M"`'
            return [Diagnostic(Code.TYPE, f"`{shorten(str(wanted))}` is not a number or a comparison", span, help)]
        kept = holds(number)
        message = f"the network has {number:,} {what}, not {shorten(str(wanted))} as expected"
    if kept:
        return []
    return [Diagnostic(Code.EXPECT, message, span, "change the network or its `expect`")]
