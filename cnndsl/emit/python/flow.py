"""The data flow of a class, compared over all of its uses."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from cnndsl.emit.python.unify import Slot, Unlike
from cnndsl.emit.python.uses import Key, Keyed, signature
from cnndsl.graph.graph import Apply, Merge, Module, Operation, Split, Tensor

#: A value of the flow: the operation that makes it, and the index of the output.
Ref: TypeAlias = tuple[Key, int]
#: The operation that makes the inputs.
INPUTS: Key = (-1,)


@dataclass(frozen=True, slots=True)
class Node:
    """One operation over all uses. ``optional`` names the flag, or the child that may be None, that decides
    whether it runs; if not, its first input is passed on."""

    key: Key
    item: Operation
    arm: str
    inputs: tuple[Ref, ...]
    optional: str = ""


@dataclass(frozen=True, slots=True)
class Flow:
    """Operations in order, and inputs and returned values by name. ``flags`` are the attributes that decide
    whether an operation that is not a child runs."""

    nodes: tuple[Node, ...]
    inputs: Mapping[Ref, str]
    returned: Mapping[str, Ref]
    flags: Mapping[str, Slot]
    is_root: bool = False


class Use:
    """One module: its operations by key, and the value that each of its tensors represents."""

    def __init__(self, ops: Sequence[Keyed], inputs: Mapping[str, Tensor], returned: Mapping[str, Tensor]) -> None:
        #: Without merges of a single tensor, which do nothing.
        self.ops: dict[Key, Keyed] = {}
        self.names = tuple(inputs)
        self.taken: dict[Key, tuple[Ref, ...]] = {}
        refs: dict[int, Ref] = {id(tensor): (INPUTS, index) for index, tensor in enumerate(inputs.values())}
        for op in ops:
            # A module without steps returns its own input, so this goes operation by operation.
            taken = tuple(refs[id(tensor)] for tensor in op.item.inputs)
            if isinstance(op.item, Merge) and len(taken) == 1:
                refs[id(op.item.output)] = taken[0]
                continue
            self.ops[op.key], self.taken[op.key] = op, taken
            refs |= {id(tensor): (op.key, index) for index, tensor in enumerate(op.item.outputs)}
        self.returned = {name: refs[id(tensor)] for name, tensor in returned.items()}

    def outline(self) -> Hashable:
        """Everything about the use that its class must share."""
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
    """The value that several uses share. In a use that lacks an operation, its value is replaced by the one
    that the operation would pass on."""
    last = max(refs)
    for use, ref in zip(uses, refs):
        meant = last
        while meant[0] in through and meant[0] not in use.ops:
            meant = through[meant[0]]
        if meant != ref:
            raise Unlike
    return last


def _optional(item: Operation, present: tuple[bool, ...], flags: dict[str, Slot], taken: frozenset[str]) -> str:
    """The name of the flag or child that decides whether an operation that some uses lack runs."""
    step: Any = item.step
    if "." in item.name:
        raise Unlike
    if isinstance(item, (Apply, Module)) and step is not None and step.when is not None and not item.reuse:
        return item.name
    if isinstance(item, Merge) and hasattr(step, "shortcut") and not isinstance(step.shortcut, tuple):
        options = ("use_shortcut", *(f"use_shortcut{number}" for number in range(2, len(flags) + len(taken) + 3)))
        flag = next(option for option in options if option not in taken and option not in flags)
        flags[flag] = Slot(flag, present, step.shortcut)
        return flag
    raise Unlike


def _needed(nodes: Sequence[Node], wanted: set[Ref]) -> tuple[Node, ...]:
    """All nodes except merges and splits that nothing uses; layers always run."""
    needed: list[Node] = []
    for node in reversed(nodes):
        made = [(node.key, index) for index in range(len(node.item.outputs))]
        if isinstance(node.item, (Merge, Split)) and not any(ref in wanted for ref in made):
            continue
        wanted |= {*node.inputs}
        needed.append(node)
    return tuple(reversed(needed))
