"""The rows of a model file -> the steps of a spec, as plain data: what takes which tensors."""

from __future__ import annotations

from typing import Any

from cnndsl.importing.ultralytics.arguments import Values
from cnndsl.importing.ultralytics.calls import Calls, Step
from cnndsl.importing.ultralytics.library import library
from cnndsl.importing.ultralytics.model_file import Faults, ModelFile, Row, value_of
from cnndsl.importing.ultralytics.modules import HEADS
from cnndsl.record import Record


class Network(Record, frozen=True, eq=False):
    """The steps, each with its row, and what the document has to define for them. ``maps`` is the number of tensors
    that its heads take."""

    steps: tuple[tuple[Row, Step], ...]
    outputs: tuple[str, ...]
    blocks: frozenset[str]
    maps: int
    values: Values
    uses_large: bool
    norm: dict[str, float]


def network_of(model: ModelFile, faults: Faults) -> Network:
    """Raises :class:`~cnndsl.diagnostics.SpecError` with all faults of the file."""
    builder = _Builder(model, faults)
    for row in model.rows:
        builder.add(row)
    faults.check()
    return builder.network()


class _Builder:
    """``current`` is the row whose tensor the next step takes, and ``heads`` are the outputs of those with heads."""

    def __init__(self, model: ModelFile, faults: Faults) -> None:
        self.faults = faults
        self.calls = Calls(model, faults)
        self.steps: list[tuple[Row, Step]] = []
        self.heads: dict[int, tuple[str, ...]] = {}
        self.maps = 0
        self.current = -1
        self.last = model.rows[-1].index if model.rows else 0
        self.fetched = _fetched(model.rows)

    def network(self) -> Network:
        calls = self.calls
        return Network(
            steps=tuple(self.steps),
            outputs=self._outputs(),
            blocks=frozenset(calls.blocks),
            maps=self.maps,
            values=calls.values,
            uses_large=calls.uses_large,
            norm=calls.norm,
        )

    def _outputs(self) -> tuple[str, ...]:
        """Those of all heads, and the last tensor; none if that is the only one."""
        found = [f"{_name(index)}.{part}".rstrip(".") for index, names in self.heads.items() for part in names]
        return (*found, *([_name(self.last)] if found and self.last not in self.heads else []))

    def add(self, row: Row) -> None:
        for source in row.sources:
            if source in self.heads:
                self.faults.add(f"row {row.index} takes the tensor of row {source}, which is a head", row.span)
            elif source in self.calls.linear and row.module != "CBFuse":
                self.faults.add(f"row {source} is a `CBLinear`, whose tensors only `CBFuse` takes", row.span)
        if row.module == "Concat":
            self._concat(row)
        elif row.module == "CBFuse":
            self._fuse(row)
        elif row.module in HEADS:
            self._head(row)
        else:
            self._module(row)
        self.current = row.index

    def _fetch(self, source: int) -> list[Step]:
        """The steps after which the tensor is the current one."""
        return [] if source == self.current else [{"from": _name(source)}]

    def _module(self, row: Row) -> None:
        call = self.calls.module(row)
        if call is None:
            return
        if row.several:
            self.faults.add(f"`{row.module}` takes one tensor, and not a list", row.span, "write one number for `from`")
        self.steps += [(row, step) for step in self._fetch(row.sources[0])]
        name = {"name": _name(row.index)}
        number = 1 if self.calls.repeats(row) else self.calls.values.number(row.number)
        several = {**name, "sequential": [{"repeat": [call], "times": number}]}
        if number == 1:
            self.steps.append((row, {**name, **call}))
        elif isinstance(number, int):
            self.steps.append((row, several))
        else:  # one alone is not in an `nn.Sequential`
            self.steps.append((row, {**name, "when": f"$({number[1:]} == 1)", **call, "else": [several]}))

    def _merge(self, row: Row, branches: list[list[Step]], **how: Any) -> None:
        is_named = row.index in self.fetched or (row.index == self.last and bool(self.heads))
        self.steps.append((row, {**({"name": _name(row.index)} if is_named else {}), "branch": branches, **how}))

    def _concat(self, row: Row) -> None:
        dim = self.calls.plain(row.arguments[0]) if row.arguments else 1
        self._merge(row, [self._fetch(source) for source in row.sources], **({} if dim == 1 else {"dim": dim}))

    def _fuse(self, row: Row) -> None:
        """The last tensor, and a part of each of the others, at the size of the last."""
        *sources, target = row.sources
        chosen = value_of(row.arguments[0]) if row.arguments else None
        if not isinstance(chosen, list) or len(chosen) != len(sources):
            place = row.arguments[0].span if row.arguments else row.place
            several = f"there are {len(sources)} of these" if len(sources) != 1 else "there is one"
            self.faults.add("`CBFuse` needs a list, a number for each tensor but the last", place, several)
            return
        branches = [self._part(row, source, at, target) for source, at in zip(sources, chosen)]
        self._merge(row, [*branches, self._fetch(target)], merge="add")

    def _part(self, row: Row, source: int, at: Any, target: int) -> list[Step]:
        """One of the tensors of a CBLinear, at the size of another."""
        sizes = self.calls.linear.get(source, [])
        if not isinstance(at, int) or not 0 <= at < len(sizes):
            several = f"has {len(sizes)} tensors" if sizes else "is not a `CBLinear`"
            self.faults.add(f"`CBFuse` takes tensor {at} of row {source}, which {several}", row.arguments[0].span)
            return []
        part = [{"Slice": [sum(sizes[:at]), sum(sizes[: at + 1])]}] if len(sizes) > 1 else []
        return [{"from": _name(source)}, *part, {"Upsample": {"like": _name(target)}}]

    def _head(self, row: Row) -> None:
        if self.maps not in (0, len(row.sources)):
            self.faults.add(f"a head of {len(row.sources)} maps, and one of {self.maps}", row.span, "keep one head")
        self.maps = len(row.sources)
        block, call = self.calls.head(row)
        outputs = library()[block].outputs
        for index, names in self.heads.items():
            if shared := [name for name in outputs if name in names]:
                message = f"the heads of rows {index} and {row.index} both have an output `{shared[0]}`"
                self.faults.add(message, row.span, "keep one head")
        self.heads[row.index] = outputs
        self.steps.append((row, {"name": _name(row.index), **call, "inputs": [*map(_name, row.sources)]}))


def _name(source: int) -> str:
    return "input" if source < 0 else f"model.{source}"


def _fetched(rows: tuple[Row, ...]) -> frozenset[int]:
    """The rows whose tensors are fetched by name."""
    by_name = {source for row in rows for source in row.sources if source != row.index - 1}
    return frozenset(by_name | {source for row in rows if row.module in (*HEADS, "CBFuse") for source in row.sources})
