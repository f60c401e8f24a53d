"""The parameters of a document: arguments of the network's ``__init__``, by experiment.

The network is built again with another value of one argument. What changes in the spec, and only in its values, is
written as that parameter or as a formula over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cnndsl.emit.source.expr import Expr, Ref
from cnndsl.importing.alike import Alike, alike, alike_values, filled
from cnndsl.importing.blocks.formulas import Known, simplest
from cnndsl.importing.tree import Block, Sequential, Spec, Steps, walk
from cnndsl.record import Record


class Changed(Record, frozen=True):
    """The spec of the network with ``name=other_value``, instead of ``name=value``."""

    name: str
    value: Any
    other_value: Any
    other: Spec


def with_parameters(spec: Spec, changes: Sequence[Changed]) -> Spec:
    """The spec with a parameter for each argument that explains all that it changes."""
    taken = _names(spec)
    left = [one for one in changes if one.name not in taken and _is_like(spec, one.other)]
    while left:
        found = alike((_tree(spec), *(_tree(one.other) for one in left)))
        if found is None:
            return spec
        formulas, unclear = _formulas(found, left)
        if not unclear:
            return _filled(spec, found, formulas, left)
        left = [one for one in left if one not in unclear]
    return spec


def _is_like(spec: Spec, other: Spec) -> bool:
    """Whether only values differ, and some do."""
    found = alike((_tree(spec), _tree(other)))
    return found is not None and bool(found.holes)


def _filled(spec: Spec, found: Alike, formulas: Mapping[str, Expr], changes: Sequence[Changed]) -> Spec:
    *bodies, steps = (step.steps for step in filled(found.steps, formulas) if isinstance(step, Sequential))
    blocks = tuple(replace(block, steps=body) for block, body in zip(spec.blocks, bodies, strict=True))
    params = tuple((one.name, one.value) for one in changes)
    return replace(spec, params=(*params, *spec.params), blocks=blocks, steps=steps)


def _tree(spec: Spec) -> Steps:
    """All steps of a document."""
    return (*(Sequential(block.steps, _head(block)) for block in spec.blocks), Sequential(spec.steps, "network"))


def _head(block: Block) -> str:
    """A block's signature, which must not change."""
    return f"{block.name} {block.parameters} {block.inputs} {block.outputs}"


def _formulas(found: Alike, changes: Sequence[Changed]) -> tuple[dict[str, Expr], list[Changed]]:
    """What is written for each hole, and the arguments that change something in another way."""
    known = []
    for number, one in enumerate(changes):
        values = [one.value] * (1 + len(changes))
        values[1 + number] = one.other_value
        known.append(Known(Ref(one.name), tuple(values)))
    made: dict[str, Expr] = {}
    unclear: list[Changed] = []
    for hole in found.holes:
        formula = simplest(hole.values, known)
        if formula is None:
            base, *others = hole.values
            unclear += [one for one, value in zip(changes, others) if not alike_values(value, base)]
        else:
            made[hole.variable.name] = formula.expr
    return made, unclear


def _names(spec: Spec) -> set[str]:
    """The names that the spec uses: a parameter must not hide or be hidden."""
    names = {name for name, _ in spec.params} | {one.name for block in spec.blocks for one in block.parameters}
    for steps in (spec.steps, *(block.steps for block in spec.blocks)):
        for step in walk(steps):
            names |= {*getattr(step, "names", ())}
            names |= {name for name, _ in getattr(step, "values", ())}
    return names
