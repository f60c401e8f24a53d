"""The parameters of a document: arguments of the network's ``__init__``, by experiment.

The network is built again with another value of one argument. What changes in the spec, and only in its values, is
written as that parameter or as a formula over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cnndsl.emit.source.expr import Expr, Ref
from cnndsl.importing.alike import Alike, alike, filled
from cnndsl.importing.formulas import Known, simplest
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
    for changed in changes:
        spec = _with(spec, changed) or spec
    return spec


def _with(spec: Spec, changed: Changed) -> Spec | None:
    found = alike((_tree(spec), _tree(changed.other)))
    if found is None or not found.holes or changed.name in _names(spec):
        return None
    formulas = _formulas(found, changed)
    if formulas is None:
        return None
    *bodies, steps = (step.steps for step in filled(found.steps, formulas) if isinstance(step, Sequential))
    blocks = tuple(replace(block, steps=body) for block, body in zip(spec.blocks, bodies))
    return replace(spec, params=(*spec.params, (changed.name, changed.value)), blocks=blocks, steps=steps)


def _tree(spec: Spec) -> Steps:
    """All steps of a document."""
    return (*(Sequential(block.steps, _head(block)) for block in spec.blocks), Sequential(spec.steps, "network"))


def _head(block: Block) -> str:
    """A block's signature, which must not change."""
    return f"{block.name} {block.parameters} {block.inputs} {block.outputs}"


def _formulas(found: Alike, changed: Changed) -> Mapping[str, Expr] | None:
    """What is written for each hole, None if one has no formula."""
    known = [Known(Ref(changed.name), (changed.value, changed.other_value))]
    made: dict[str, Expr] = {}
    for hole in found.holes:
        formula = simplest(hole.values, known)
        if formula is None:
            return None
        made[hole.variable.name] = formula.expr
    return made


def _names(spec: Spec) -> set[str]:
    """The names that the spec uses: a parameter must not hide or be hidden."""
    names = {name for name, _ in spec.params} | {one.name for block in spec.blocks for one in block.parameters}
    for steps in (spec.steps, *(block.steps for block in spec.blocks)):
        for step in walk(steps):
            names |= {*getattr(step, "names", ())}
            names |= {name for name, _ in getattr(step, "values", ())}
    return names
