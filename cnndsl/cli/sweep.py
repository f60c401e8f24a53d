"""``cnndsl sweep``: the costs of a network with several values of its parameters."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from cnndsl.cli.common import (
    exit_code,
    fail,
    format_option,
    limits_option,
    read_spec,
    spec_argument,
    spec_options,
    tell,
)
from cnndsl.cli.pictures import PICTURE, check_files, force_option, write
from cnndsl.diagnostics import SpecError
from cnndsl.limits import Limits
from cnndsl.network import Compilation
from cnndsl.questions.sweep import holding_lists, listed, swept
from cnndsl.questions.sweep_table import Sweep, as_csv, as_json, as_markdown, as_plain, as_text
from cnndsl.terminal import medium, paint, show, show_painted


@click.command()
@spec_argument
@format_option(
    "table", "plain", "json", "csv", "markdown", help="table for terminals, plain for diffs, the others for programs."
)
@click.option(
    "--sort", metavar="COLUMN", help="params, macs or memory, the largest first, or a parameter; -macs reverses."
)
@click.option("-o", "--output", type=PICTURE, help="Picture of parameters and MACs to write: .svg, .png or .pdf.")
@force_option
@spec_options
@limits_option
def sweep(
    spec: Path,
    form: str,
    sort: str | None,
    output: Path | None,
    force: bool,
    params: Sequence[str],
    settings: Sequence[str],
    limits: Limits,
) -> None:
    """Compare the costs of SPEC with several values of its parameters.

    -p takes several values: -p width=32,64,128, or a range, -p depth=1..4 or -p rate=0.1..0.5..0.2. Every combination
    is compiled, and one with errors has them in its row. With -o, a picture shows parameters against MACs.
    """
    check_files(output, force=force)

    def compiled(chosen: Mapping[str, str]) -> Compilation:
        return read_spec(spec, [f"{name}={value}" for name, value in chosen.items()], settings, limits)

    try:
        found = swept(compiled, _values(spec, params))
        found = found.sorted(sort) if sort else found
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    except SpecError as error:
        tell(error.diagnostics)
        sys.exit(exit_code(error.diagnostics))
    _show(found, form)
    if output is not None:
        _draw(found, output)


def _values(spec: Path, params: Sequence[str]) -> dict[str, list[str]]:
    """The values of each parameter. Raises ValueError, and :class:`SpecError` if the spec cannot be read."""
    if not params:
        raise ValueError("name the parameters to change: -p width=32,64,128")
    lists = holding_lists(spec)
    values: dict[str, list[str]] = {}
    for text in params:
        name, equals, several = text.partition("=")
        if not name or not equals:
            raise ValueError(f"-p {text} is not of the form name=value,value")
        values[name] = [*values.get(name, ()), *listed(several, name in lists)]
    return values


def _show(found: Sweep, form: str) -> None:
    if form == "table":
        show_painted(as_text(found, medium(), paint()))
        return
    show({"plain": as_plain, "json": as_json, "csv": as_csv, "markdown": as_markdown}[form](found))


def _draw(found: Sweep, path: Path) -> None:
    try:
        data = found.picture().data(path.suffix)
    except ValueError as error:
        fail(str(error))
    write(path, data, to_stderr=True)  # the table is on stdout
