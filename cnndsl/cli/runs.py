"""``cnndsl runs``: lists runs, or draws their curves."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import USAGE, ending, format_option, runs_option
from cnndsl.cli.completion import complete_named_run
from cnndsl.cli.pictures import PICTURE, check_files, force_option, naming, write
from cnndsl.grid import GONE, Grid
from cnndsl.json_text import json_text
from cnndsl.printable import as_written
from cnndsl.terminal import say, show, show_grid

if TYPE_CHECKING:
    from cnndsl.training.listing import RunRow

#: The picture of --plot.
DEFAULT = Path("runs.svg")
_COLUMNS = ("run", "params", "state", ">epochs", ">loss", ">train acc", ">test acc", ">best", ">examples/s", "device")
#: The path and the best accuracy are never removed.
_GIVES = tuple(
    (column, GONE)
    for column in ("device", ">examples/s", ">train acc", ">loss", ">test acc", ">epochs", "state", "params")
)


@click.command("runs")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_named_run)
@runs_option
@click.option(
    "--sort",
    type=click.Choice(["time", "test_acc"]),
    default="time",
    show_default=True,
    help="The oldest of each NAME first, or the best test accuracy.",
)
@format_option("table", "plain", "json", "csv", help="table for terminals, plain for diffs, json and csv for programs.")
@click.option("--plot", is_flag=True, help="Draw their curves in one picture instead.")
@click.option("-o", "--output", type=PICTURE, help=f"Picture of --plot: .png, .svg or .pdf. Default: {DEFAULT}.")
@force_option
def list_runs(
    names: Sequence[str], runs: Path, sort: str, form: str, plot: bool, output: Path | None, force: bool
) -> None:
    """List the runs, or those of each NAME, or draw their curves.

    A NAME is a network, or a run by its folder or its time.

    Losses, accuracies and examples/s are of the last epoch; `best` is the best test accuracy. If runs of a network have
    different parameters, `params` has these. With --plot, the label of each run is what differs in the recipes.
    """
    if output is not None and not plot:
        raise click.UsageError("-o is for --plot")
    with ending(), naming("-o" if plot else "--plot -o", names):
        from cnndsl.training import run_folder
        from cnndsl.training.listing import run_rows

        found = run_folder.named_runs(runs, names) if names else run_folder.list_runs(runs)
        rows = run_rows(found, sort)
        if plot and rows:
            _plot([row.path for row in rows], output or DEFAULT, force)
            return
    if not rows:
        say(f"there are no runs in {runs}: `cnndsl train SPEC` starts one, `--runs` names another folder", err=True)
    if plot:
        sys.exit(USAGE)
    if form == "json":
        show(json_text([_plain(row) for row in rows]))
    elif form == "csv":
        _write_csv(rows)
    elif rows:
        show_grid(_grid(rows), form)


def _plot(paths: Sequence[Path], output: Path, force: bool) -> None:
    check_files(output, force=force)
    from cnndsl.training.plot import plot_runs

    write(output, plot_runs(*paths).data(output.suffix))


def _grid(rows: Sequence[RunRow]) -> Grid:
    """The table. It tells parameters only if they tell runs apart."""
    from cnndsl.training.listing import telling_params

    params = [_params(found) for found in telling_params(rows)]
    cells = [_cells(row, told) for row, told in zip(rows, params)]
    if any(params):
        return Grid(_COLUMNS, cells, _GIVES)
    place = _COLUMNS.index("params")
    shown = [(*row[:place], *row[place + 1 :]) for row in cells]
    return Grid((*_COLUMNS[:place], *_COLUMNS[place + 1 :]), shown, [each for each in _GIVES if each[0] != "params"])


def _params(params: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={as_written(value)}" for name, value in params.items())


def _cells(row: RunRow, params: str) -> tuple[str, ...]:
    def shown(number: float | None, form: str = ".3f") -> str:
        return "" if number is None else format(number, form)

    return (
        str(row.path),
        params,
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
    writer.writerows({**_plain(row), "params": _params(row.params)} for row in rows)
    show(text.getvalue())
