"""Runs as rows of a table. This module needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from pathlib import Path
from typing import Any

from cnndsl.printable import as_written
from cnndsl.training.labels import parameters
from cnndsl.training.run_folder import RunFolder


@dataclass(frozen=True)
class RunRow:
    """A run: ``epoch`` of ``epochs`` are done; ``loss``, ``train_acc`` and ``test_acc`` are of the last one. Unknown
    figures, as of a run that has just begun, are None. ``params`` are the values of the spec's parameters."""

    path: Path
    name: str
    time: str
    params: Mapping[str, Any]
    state: str
    epoch: int
    epochs: int | None
    loss: float | None
    train_acc: float | None
    test_acc: float | None
    best_test_acc: float | None
    examples_per_s: float | None
    device: str

    @classmethod
    def of(cls, run: RunFolder) -> RunRow:
        info, results, recipe = run.info, _mapping(run.info.get("results")), _mapping(run.info.get("recipe"))
        epochs = _number(recipe.get("epochs"))
        return cls(
            run.path,
            run.path.parent.name,
            run.path.name,
            parameters(run),
            run.state,
            int(_number(results.get("epoch")) or 0),
            None if epochs is None else int(epochs),
            _number(results.get("loss")),
            _number(results.get("train_acc")),
            _number(results.get("test_acc")),
            _number(results.get("best_test_acc")),
            _number(results.get("examples_per_s")),
            _device(info),
        )


def run_rows(runs: Sequence[RunFolder], sort: str = "time") -> list[RunRow]:
    """Runs in their order, or the best test accuracy first."""
    rows = [RunRow.of(run) for run in runs]
    if sort == "test_acc":
        rows.sort(key=lambda row: -inf if row.best_test_acc is None else row.best_test_acc, reverse=True)
    return rows


def telling_params(rows: Sequence[RunRow]) -> list[Mapping[str, Any]]:
    """Of each run's parameters those in which the listed runs of its network differ."""
    values: dict[str, dict[str, set[str]]] = {}
    for row in rows:
        found = values.setdefault(row.name, {})
        for name, value in row.params.items():
            found.setdefault(name, set()).add(as_written(value))
    return [{name: value for name, value in row.params.items() if len(values[row.name][name]) > 1} for row in rows]


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and isfinite(value) else None


def _device(info: Mapping[str, Any]) -> str:
    """``cuda:0``, or ``4 x cuda`` for several processes."""
    device, processes = str(info.get("device", "")), info.get("processes", 1)
    return f"{processes} x {device.partition(':')[0]}" if isinstance(processes, int) and processes > 1 else device
