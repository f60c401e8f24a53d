"""All uses of a class as one block, or as several if they are too unlike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from msgspec.structs import replace

from cnndsl.importing.alike import Defaults, alike, of_layers
from cnndsl.importing.blocks.length import length
from cnndsl.importing.blocks.names import block_name
from cnndsl.importing.blocks.spelling import Explained, explained
from cnndsl.importing.blocks.use import Use
from cnndsl.importing.tree import Arguments, Block, bare
from cnndsl.record import Record

__all__ = ["Made", "Use", "defaults_of", "made"]

#: What a definition costs besides its steps, and a parameter.
_DEFINITION, _PARAMETER = 6, 2
#: How much longer one block may be than two, if its steps are at most that share of the steps of both.
_SLACK, _SHARE = 25, 0.85
#: The most groups of uses of which all pairs are tried.
_MANY = 24


class Made(Record, frozen=True):
    """New blocks, and for each use the block that it calls and its arguments."""

    blocks: tuple[Block, ...]
    calls: tuple[tuple[str, Arguments], ...]


class _Group(Record, frozen=True):
    """Uses that are one block, by their numbers."""

    uses: tuple[int, ...]
    result: Explained

    @property
    def length(self) -> int:
        block = self.result.block
        calls = sum(1 + len(call) for call in self.result.calls)
        return _DEFINITION + _PARAMETER * len(block.parameters) + length(block.steps) + calls


def made(kind: str, uses: Sequence[Use], blocks: Sequence[Block]) -> Made:
    """The blocks of a class called ``kind``. ``blocks`` are those made before; one of them that is equal is used."""
    defaults = defaults_of(blocks)
    groups = _joined([*_same(uses, defaults)], uses, defaults)
    new: list[Block] = []
    calls: dict[int, tuple[str, Arguments]] = {}
    for group in groups:
        block = _found(group.result.block, (*blocks, *new))
        if block is None:
            name = block_name(kind, {one.name for one in (*blocks, *new)})
            block = replace(group.result.block, name=name)
            new.append(block)
        calls |= {use: (block.name, call) for use, call in zip(group.uses, group.result.calls)}
    return Made(tuple(new), tuple(calls[number] for number in range(len(uses))))


def defaults_of(blocks: Sequence[Block]) -> Defaults:
    """The defaults of layers and of blocks."""
    known: Mapping[str, Mapping[str, Any]] = {
        block.name: {one.name: one.default for one in block.parameters if not one.required} for block in blocks
    }
    return lambda word: known[word] if word in known else of_layers(word)


def _same(uses: Sequence[Use], defaults: Defaults) -> list[_Group]:
    """Uses of the same structure."""
    groups: list[list[int]] = []
    for number, use in enumerate(uses):
        for group in groups:
            first = uses[group[0]]
            if _ends(first) == _ends(use) and alike((first.tree.steps, use.tree.steps), False, defaults):
                group.append(number)
                break
        else:
            groups.append([number])
    made: list[_Group] = []
    for numbers in groups:
        whole = _group(tuple(numbers), uses, defaults)
        each = [whole] if whole else [_group((number,), uses, defaults) for number in numbers]
        made += [group for group in each if group]
    return made


def _ends(use: Use) -> tuple[Any, ...]:
    return use.tree.inputs, use.tree.outputs


def _group(numbers: tuple[int, ...], uses: Sequence[Use], defaults: Defaults) -> _Group | None:
    chosen = [uses[number] for number in numbers]
    if any(_ends(use) != _ends(chosen[0]) for use in chosen):
        return None
    found = alike([use.tree.steps for use in chosen], True, defaults)
    return None if found is None else _Group(numbers, explained(found, chosen))


def _joined(groups: list[_Group], uses: Sequence[Use], defaults: Defaults) -> list[_Group]:
    """Groups put together as long as this makes the text shorter: all at once, or else two at a time; of many, two that
    are beside each other."""
    if len(groups) > 1 and (both := _both(groups, uses, defaults)) and _gain(groups, both) >= 0:
        return [both]
    known: dict[tuple[int, ...], _Group | None] = {}
    while len(groups) > 2:
        best, most = None, -1
        for one, other in combinations(groups, 2) if len(groups) <= _MANY else pairwise(groups):
            numbers = (*one.uses, *other.uses)
            if numbers not in known:
                known[numbers] = _both((one, other), uses, defaults)
            if (both := known[numbers]) and (gain := _gain((one, other), both)) > most:
                best, most = (one, other, both), gain
        if best is None:
            break
        groups = [best[2] if group is best[0] else group for group in groups if group is not best[1]]
    return groups


def _gain(apart: Sequence[_Group], both: _Group) -> int:
    """How much shorter the text becomes; some more if two blocks would mostly say the same."""
    steps = sum(length(group.result.block.steps) for group in apart)
    slack = _SLACK if length(both.result.block.steps) <= _SHARE * steps else 0
    return sum(group.length for group in apart) - both.length + slack * (len(apart) - 1)


def _both(groups: Sequence[_Group], uses: Sequence[Use], defaults: Defaults) -> _Group | None:
    return _group(tuple(sorted(number for group in groups for number in group.uses)), uses, defaults)


def _found(block: Block, blocks: Sequence[Block]) -> Block | None:
    """An equal block."""
    like = (one for one in blocks if one.parameters == block.parameters and _ends_of(one) == _ends_of(block))
    like = (one for one in like if len(one.steps) == len(block.steps))
    steps = bare(block.steps)
    return next((one for one in like if bare(one.steps) == steps), None)


def _ends_of(block: Block) -> tuple[Any, ...]:
    return block.inputs, block.outputs
