"""``cnndsl zoo`` and ``cnndsl new``: the included specs, and a new spec to start from."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import click

from cnndsl.cli.common import PATH, USAGE, fail, needs_utf_8, table_option, tell
from cnndsl.cli.completion import complete_spec, families, one_of
from cnndsl.diagnostics import SpecError
from cnndsl.emit.table import human
from cnndsl.graph.contract import comparison
from cnndsl.grid import GONE, Grid
from cnndsl.network import Network, load
from cnndsl.printable import one_line
from cnndsl.spec.names import unusable, usable
from cnndsl.spec.starter import starter
from cnndsl.spec.tree import Mapping
from cnndsl.spec.write import write
from cnndsl.terminal import say, show, show_grid
from cnndsl.writing import write_file
from cnndsl.zoo import PREFIX, SOURCES, family, specs
from cnndsl.zoo import source as source_of

_COLUMNS = ("family", "name", ">parameters", ">MACs", ">input", "description")
Bound: TypeAlias = Callable[[float], bool]
#: The name is never cut.
_GIVES = (
    ("description", 24),
    *((column, GONE) for column in (">input", "description", "family", ">MACs", ">parameters")),
)


def _bound(context: click.Context, option: click.Parameter, text: str | None) -> Bound:
    holds = comparison(text) if text else lambda number: True
    if holds is None:
        raise click.BadParameter(f"`{text}` is not a comparison, such as '< 10M'")
    return holds


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]...", shell_complete=one_of(families))
@table_option
@click.option("--source", type=click.Choice(list(SOURCES)), help="List the specs of one source.")
@click.option("--params", callback=_bound, metavar="BOUND", help="List the specs of a size, such as '< 10M'.")
def zoo(words: tuple[str, ...], form: str, source: str | None, params: Bound) -> None:
    """List the specs that come with cnndsl.

    With WORDs, list those whose name or family contains one of them. zoo:NAME works wherever a command takes
    a SPEC: cnndsl shapes zoo:resnet50.
    """
    chosen = [
        name
        for name in specs()
        if source in (None, source_of(name))
        and (not words or any(word in name or word in family(name) for word in words))
    ]
    nets = ((name, load(f"{PREFIX}{name}")) for name in chosen)  # one at a time: together they take much memory
    described = _plain if form == "json" else _cells
    found: list[Any] = [described(name, net) for name, net in nets if params(net.cost.params)]
    if not found:
        fail("no spec of the zoo matches", "`cnndsl zoo` lists all")
    if form == "json":
        show(json.dumps(found, indent=2))
        return
    rows: list[tuple[str, ...]] = found
    # Only the first row of a family names it.
    families = [row[0] if index == 0 or rows[index - 1][0] != row[0] else "" for index, row in enumerate(rows)]
    named = [(kind, *row[1:]) for kind, row in zip(families, rows)] if form == "table" else rows
    show_grid(Grid(_COLUMNS, named, _GIVES), form)


def _plain(name: str, net: Network) -> dict[str, object]:
    return {
        "name": name,
        "family": family(name),
        "source": source_of(name),
        "parameters": net.cost.params,
        "macs": net.cost.macs,
        "inputs": {key: list(tensor.shape.sample) for key, tensor in net.graph.inputs.items()},
        "description": net.graph.document.description,
    }


def _cells(name: str, net: Network) -> tuple[str, ...]:
    inputs = ", ".join("x".join(map(str, tensor.shape.sample)) for tensor in net.graph.inputs.values())
    cost = net.cost
    return family(name), name, human(cost.params), human(cost.macs), inputs, net.graph.document.description


@click.command()
@click.argument("name")
@click.option(
    "--from",
    "base",
    type=PATH,
    metavar="SPEC",
    shell_complete=complete_spec,
    help="Spec to extend: zoo:resnet18, or a path.",
)
def new(name: str, base: Path | None) -> None:
    """Write NAME.yaml, a spec to start from.

    It is a small network, or it extends the SPEC of --from.
    """
    path = Path(f"{name.removesuffix('.yaml')}.yaml")
    if reason := unusable(path.stem):
        fail(f"`{path.stem}` {reason}", usable(path.stem))
    if os.path.lexists(path):
        fail(f"{path} already exists", "choose another name, or move it away")
    try:
        text = _extending(path.stem, base, load(base)) if base else starter(path.stem)
        write_file(path, text.encode())
    except SpecError as error:
        tell(error.diagnostics)
        sys.exit(USAGE)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    say(f"{path}: edit it, then run `cnndsl shapes {path}`")


def _extending(name: str, base: Path, net: Network) -> str:
    params = net.graph.document.tree.get("params")
    listed = "".join(f"  {line}\n" for line in write(params).splitlines()) if isinstance(params, Mapping) else ""
    head = (
        f"# What you write here overrides {one_line(str(base))}: params, blocks by their names, train.\n"
        f"extends: {_quoted(str(base))}\nname: {name}\n"
    )
    return head + (f"\n# All of its parameters; delete those that stay the same.\nparams:\n{listed}" if listed else "")


def _quoted(path: str) -> str:
    """A path in YAML, in JSON's quotes if it may need them."""
    needs_utf_8(path)
    return path if re.fullmatch(r"[A-Za-z./][\w:./-]*", path, re.ASCII) else json.dumps(path, ensure_ascii=False)
