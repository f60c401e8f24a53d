"""``cnndsl check``: is all well with a spec?"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from cnndsl.cli.common import ERRORS, read_spec, spec_options, tell


@click.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=str), metavar="SPEC...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@spec_options
def check(specs: Sequence[str], form: str, params: Sequence[str], settings: Sequence[str]) -> None:
    """Check SPECs: every fault with its place, and what to write instead.

    Nothing is built and no memory is taken for weights.
    """
    failed = False
    found = []
    for spec in specs:
        diagnostics = read_spec(spec, params, settings).diagnostics
        failed |= any(diagnostic.is_error for diagnostic in diagnostics)
        if form == "json":
            found += [diagnostic.as_dict() for diagnostic in diagnostics]
        else:
            tell(diagnostics, to_stderr=False)
            if not diagnostics:
                click.echo(f"{spec}: ok", err=True)
    if form == "json":
        click.echo(json.dumps(found, indent=2))
    if failed:
        sys.exit(ERRORS)
