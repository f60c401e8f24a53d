"""The sizes of tensors as expressions, found by asking the layers' own shape rules.

A rule is a function of numbers. It is asked about a shape whose sizes can be told apart: if it returns one of
them, or a product or a part of some, that is the formula.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import chain, combinations
from math import prod
from typing import Any, TypeAlias

from cnndsl.emit.source.expr import Expr, Lit, Opaque, choice, free_names, items, product, scaled, total
from cnndsl.graph.graph import Apply, Merge
from cnndsl.layers import Layer, Refused, Shape
from cnndsl.layers.table import Argument
from cnndsl.plugins import OwnLayer

#: The sizes of one sample.
Sizes: TypeAlias = tuple[Expr, ...]

#: Sizes that can be told apart, of many divisors.
_BIG = 2**8 * 3**2 * 5 * 7
_PROBES = tuple(_BIG * prime for prime in (11, 13, 17, 19, 23, 29, 31, 37))
#: The largest multiple, or part, of a size that is one by its rule and not by chance.
_MOST = 4096
#: The arguments that are sizes of the output, with their axes.
OUT = {"out_channels": 0, "out_features": -1}


def known(shape: Shape) -> Sizes:
    return tuple(map(Lit, shape.sample))


def opaque(*exprs: Expr) -> Opaque:
    """What depends on the same names as some expressions."""
    return Opaque(frozenset[str]().union(*map(free_names, exprs)))


def inferred(argument: Argument[Any], layer: type[Layer], x: Sizes) -> Expr:
    """An argument that is inferred from an input with these sizes."""
    if len(x) > len(_PROBES):
        return opaque(*x)
    try:
        assert argument.infer is not None
        found = argument.infer(layer, Shape((1, *_PROBES[: len(x)])))
    except Refused:
        return opaque(*x)
    return _decoded(found, x)


def _decoded(found: Any, x: Sizes) -> Expr:
    if isinstance(found, tuple):
        return items(_decoded(item, x) for item in found)
    return x[_PROBES.index(found)] if found in _PROBES[: len(x)] else Lit(found)


def applied(item: Apply, arguments: Mapping[str, Expr], x: Sizes) -> Sizes:
    """The sizes after a layer with these arguments."""
    layer, out = item.layer, item.output.shape
    if not free_names(items((*x, *arguments.values()))):
        return known(out)
    sizes = [*(_kept(item, x) if isinstance(layer, OwnLayer) else _ruled(layer, arguments, x, out))]
    for name, axis in OUT.items():
        if name in layer.arguments:
            sizes[axis] = arguments.get(name, Lit(layer.values[name]))
    return tuple(sizes)


def _kept(item: Apply, x: Sizes) -> Sizes:
    """The sizes after a layer of a user, whose code is not asked again: those that it left as they were."""
    before, after = item.input.shape.sample, item.output.shape.sample
    if len(before) != len(after):
        return (opaque(*x),) * len(after)
    return tuple(size if a == b else opaque(*x) for size, a, b in zip(x, before, after))


def _ruled(layer: Layer, arguments: Mapping[str, Expr], x: Sizes, out: Shape) -> Sizes:
    if type(layer).output is Layer.output:
        return x
    given = [value for name, value in arguments.items() if layer.arguments[name].infer is None and name not in OUT]
    fixed = not free_names(items(given))
    made: list[Expr] = []
    for axis, (size, rule) in enumerate(zip(out.sample, _rules(layer, len(x), len(out.sample)))):
        decides = (*(x[1:] if axis else x), *given)
        if rule == ((axis,), Fraction(1)) and len(x) == len(out.sample):  # kept, whatever the arguments are
            made.append(x[axis])
        elif rule is None or not fixed:
            made.append(opaque(*decides) if free_names(items(decides)) else Lit(size))
        elif isinstance(rule, int):
            made.append(Lit(rule))
        else:
            axes, ratio = rule
            made.append(scaled(product(x[one] for one in axes), ratio.numerator, ratio.denominator))
    return tuple(made)


#: How a size of the output follows from those of the input: a multiple of the product of some, or a number.
Rule: TypeAlias = tuple[tuple[int, ...], Fraction] | int


def _rules(layer: Layer, rank: int, count: int) -> Sequence[Rule | None]:
    """The rules of a layer's output for an input of ``rank`` sizes; None for a size that has no simple rule."""
    if not 1 <= rank <= len(_PROBES) // 2:
        return (None,) * count
    probes = _PROBES[:rank], _PROBES[-rank:]
    try:
        outputs = [layer.output(Shape((1, *probe))).sample for probe in probes]
    except Refused:
        return (None,) * count
    return [_rule(found, probes) for found in zip(*outputs)]


def _rule(found: tuple[int, ...], probes: Sequence[tuple[int, ...]]) -> Rule | None:
    if len(set(found)) == 1:
        return found[0]
    rank = len(probes[0])
    for axes in chain.from_iterable(combinations(range(rank), count) for count in range(1, rank + 1)):
        ratios = {Fraction(size, prod(probe[axis] for axis in axes)) for size, probe in zip(found, probes)}
        ratio = ratios.pop()
        if not ratios and max(ratio.numerator, ratio.denominator) <= _MOST:
            return axes, ratio
    return None


def merged(item: Merge, operands: Sequence[Sizes], tests: Sequence[Expr | None]) -> Sizes:
    """The sizes of a merge; an operand with a test is there if that is true. Operands are broadcast: each size is that
    of the first that is not repeated."""
    sure = [operand for operand, test in zip(operands, tests) if test is None]
    if item.kind == "concat":
        axis = item.dim % len(item.output.shape) - 1
        sizes = [o[axis] if test is None else choice(test, o[axis], Lit(0)) for o, test in zip(operands, tests)]
        return (*sure[0][:axis], total(sizes), *sure[0][axis + 1 :])
    if len(sure) < len(operands):
        return sure[0]
    made = []
    rank = len(item.output.shape)
    for axis, size in enumerate(item.output.shape.sample, 1 - rank):
        fit = (o[axis] for o, t in zip(operands, item.inputs) if len(t.shape) > -axis and t.shape[axis] == size)
        made.append(next(fit))
    return tuple(made)
