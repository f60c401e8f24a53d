"""``cnndsl runs``: lists runs."""

from __future__ import annotations

import io
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import USAGE, format_option, runs_option
from cnndsl.cli.completion import complete_network
from cnndsl.diagnostics import did_you_mean
from cnndsl.grid import GONE, Grid
from cnndsl.json_text import json_text
from cnndsl.terminal import say, show, show_grid

if TYPE_CHECKING:
    from cnndsl.training.listing import RunRow

_COLUMNS = ("run", "state", ">epochs", ">loss", ">train acc", ">test acc", ">best", ">examples/s", "device")
#: The path and the best accuracy are never removed.
_GIVES = tuple(
    (column, GONE) for column in ("device", ">examples/s", ">train acc", ">loss", ">test acc", ">epochs", "state")
)


@click.command("runs")
@click.argument("name", required=False, shell_complete=complete_network)
@runs_option
@click.option(
    "--sort",
    type=click.Choice(["time", "test_acc"]),
    default="time",
    show_default=True,
    help="The oldest first, or the best test accuracy first.",
)
@format_option("table", "plain", "json", "csv", help="table for terminals, plain for diffs, json and csv for programs.")
def list_runs(name: str | None, runs: Path, sort: str, form: str) -> None:
    """List the runs, or those of the network NAME.

    Losses, accuracies and examples/s are of the last epoch; `best` is the best test accuracy.
    """
    from cnndsl.training.listing import run_rows

    rows = run_rows(runs, name, sort)
    if form == "json":
        show(json_text([_plain(row) for row in rows]))
    elif form == "csv":
        _write_csv(rows)
    elif rows:
        show_grid(Grid(_COLUMNS, [_cells(row) for row in rows], _GIVES), form)
    if not rows:
        _say_none(name, runs)


def _say_none(name: str | None, runs: Path) -> None:
    if name is None:
        say(f"there are no runs in {runs}: `cnndsl train SPEC` starts one, `--runs` names another folder", err=True)
        return
    from cnndsl.training.listing import run_rows

    help = did_you_mean(name, {row.name for row in run_rows(runs)}) or "`cnndsl runs` lists all"
    say(f"there are no runs of `{name}` in {runs}; {help}", err=True)
    sys.exit(USAGE)


def _cells(row: RunRow) -> tuple[str, ...]:
    def shown(number: float | None, form: str = ".3f") -> str:
        return "" if number is None else format(number, form)

    return (
        str(row.path),
        row.state,
        f"{row.epoch}/{row.epochs or '?'}",
        *map(shown, (row.loss, row.train_acc, row.test_acc, row.best_test_acc)),
        shown(row.examples_per_s, ",.0f"),
        row.device,
    )


def _plain(row: RunRow) -> dict[str, object]:
    return {**asdict(row), "path": str(row.path)}


def _write_csv(rows: list[RunRow]) -> None:
    import csv

    from cnndsl.training.listing import RunRow

    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(RunRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_plain, rows))
    show(text.getvalue())
