"""``cnndsl check``: is all well with a spec?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import click

from cnndsl.cli.common import exit_code, limits_option, spec_options, tell
from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.limits import Limits
from cnndsl.network import compile_spec
from cnndsl.telling import FORMATS


@click.command()
@click.argument("specs", nargs=-1, required=True, type=click.Path(path_type=str), metavar="SPEC...")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", *FORMATS]),
    default="text",
    show_default=True,
    help="text for people; the others for programs, with nothing else on stdout.",
)
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@spec_options
@limits_option
def check(
    specs: Sequence[str], form: str, strict: bool, params: Sequence[str], settings: Sequence[str], limits: Limits
) -> None:
    """Check SPECs: every fault with its place, and what to write instead.

    Nothing is built and no memory is taken for weights.
    """
    found: list[Diagnostic] = []
    for spec in specs:
        try:
            diagnostics, is_file = compile_spec(spec, given=params, settings=settings, limits=limits).diagnostics, True
        except SpecError as error:
            diagnostics, is_file = error.diagnostics, False
        diagnostics = [replace(diagnostic, strict=strict) for diagnostic in diagnostics]
        if form == "text":
            tell(diagnostics, to_stderr=not is_file)
        if not diagnostics:
            click.echo(f"{spec}: ok", err=True)
        found += diagnostics
    if form != "text" and (text := FORMATS[form](found)):
        click.echo(text)
    if form == "text" and found:
        codes = sorted({diagnostic.code.id for diagnostic in found})
        click.echo(f"more: cnndsl explain {codes[0]}" + "".join(f", {code}" for code in codes[1:5]), err=True)
    sys.exit(exit_code(found))
