"""The data flow of a class: what all of its uses run, laid side by side."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cnndsl.emit.python.unify import Slot, Unlike
from cnndsl.emit.python.uses import Key, Keyed, signature
from cnndsl.graph.graph import Apply, Merge, Module, Operation, Split, Tensor

#: A value of the flow: the operation that makes it, and which of its outputs it is.
Ref: TypeAlias = tuple[Key, int]
#: The operation that makes the inputs.
INPUTS: Key = (-1,)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation over all uses. ``optional`` names the flag, or the child that may be None, which
    tells whether it runs; if not, its first input goes on."""

    key: Key
    item: Operation
    arm: str
    inputs: tuple[Ref, ...]
    optional: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Operations in order, what goes in, and what is returned, by name. ``flags`` are the attributes
    that tell of an operation which is no child whether it runs."""

    nodes: tuple[Node, ...]
    inputs: Mapping[Ref, str]
    returned: Mapping[str, Ref]
    flags: Mapping[str, Slot]


class Use:
    """One module: its operations by key, and which value each of its tensors is."""

    def __init__(self, ops: Sequence[Keyed], inputs: Mapping[str, Tensor], returned: Mapping[str, Tensor]) -> None:
        #: Without the merges of one tensor, which are nothing but that.
        self.ops: dict[Key, Keyed] = {}
        self.names = tuple(inputs)
        self.taken: dict[Key, tuple[Ref, ...]] = {}
        refs: dict[int, Ref] = {id(tensor): (INPUTS, index) for index, tensor in enumerate(inputs.values())}
        for op in ops:
            # A module of no steps gives the very tensor that it takes, so this goes op by op.
            taken = tuple(refs[id(tensor)] for tensor in op.item.inputs)
            if isinstance(op.item, Merge) and len(taken) == 1:
                refs[id(op.item.output)] = taken[0]
                continue
            self.ops[op.key], self.taken[op.key] = op, taken
            refs |= {id(tensor): (op.key, index) for index, tensor in enumerate(op.item.outputs)}
        self.returned = {name: refs[id(tensor)] for name, tensor in returned.items()}

    def outline(self) -> Hashable:
        """All of the use that its class must share."""
        ops = tuple((op.key, signature(op.item), self.taken[op.key]) for op in self.ops.values())
        return ops, tuple(self.returned.values())


def unify_flow(uses: Sequence[Use], taken: frozenset[str]) -> Flow:
    """The data flow that all uses of a class share. ``taken`` are names that a flag may not have.

    Raises :class:`Unlike`.
    """
    through: dict[Key, Ref] = {}
    nodes: list[Node] = []
    flags: dict[str, Slot] = {}
    for key in sorted({key for use in uses for key in use.ops}):
        present = [use for use in uses if key in use.ops]
        op = present[0].ops[key]
        columns = zip(*(use.taken[key] for use in present))
        if len({signature(use.ops[key].item) for use in present}) > 1:
            raise Unlike
        inputs = tuple(_agree(present, refs, through) for refs in columns)
        optional = ""
        if len(present) < len(uses):
            optional = _optional(op.item, tuple(key in use.ops for use in uses), flags, taken)
            through[key] = inputs[0]
        nodes.append(Node(key, op.item, op.arm, inputs, optional))
    returned = {name: _agree(uses, [use.returned[name] for use in uses], through) for name in uses[0].returned}
    names = {(INPUTS, index): name for index, name in enumerate(uses[0].names)}
    return Flow(_needed(nodes, set(returned.values())), names, returned, flags)


def _agree(uses: Sequence[Use], refs: Sequence[Ref], through: Mapping[Key, Ref]) -> Ref:
    """The one value that several uses mean. In a use that lacks the operation of a value, the value
    stands for what that operation passes on."""
    last = max(refs)
    for use, ref in zip(uses, refs):
        meant = last
        while meant[0] in through and meant[0] not in use.ops:
            meant = through[meant[0]]
        if meant != ref:
            raise Unlike
    return last


def _optional(item: Operation, present: tuple[bool, ...], flags: dict[str, Slot], taken: frozenset[str]) -> str:
    """What tells whether an operation that some uses lack is there."""
    step: Any = item.step
    if isinstance(item, (Apply, Module)) and step is not None and step.when is not None and not item.reuse:
        return item.name
    if isinstance(item, Merge) and hasattr(step, "shortcut") and not isinstance(step.shortcut, tuple):
        options = ("use_shortcut", *(f"use_shortcut{number}" for number in range(2, len(flags) + len(taken) + 3)))
        flag = next(option for option in options if option not in taken and option not in flags)
        flags[flag] = Slot(flag, present, step.shortcut)
        return flag
    raise Unlike


def _needed(nodes: Sequence[Node], wanted: set[Ref]) -> tuple[Node, ...]:
    """All but the merges and splits that nothing takes; layers run in any case."""
    needed: list[Node] = []
    for node in reversed(nodes):
        made = [(node.key, index) for index in range(len(node.item.outputs))]
        if isinstance(node.item, (Merge, Split)) and not any(ref in wanted for ref in made):
            continue
        wanted |= {*node.inputs}
        needed.append(node)
    return tuple(reversed(needed))
