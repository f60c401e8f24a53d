"""``cnndsl check``: every error and warning of specs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from cnndsl.cli.common import PATH, exit_code, format_option, limits_option, spec_options, tell
from cnndsl.cli.completion import complete_spec
from cnndsl.cli.specs import spec_paths
from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.limits import Limits
from cnndsl.network import compile_spec
from cnndsl.report_formats import FORMATS
from cnndsl.terminal import say, show


@click.command()
@click.argument("specs", nargs=-1, required=True, type=PATH, metavar="SPEC...", shell_complete=complete_spec)
@format_option("text", *FORMATS, help="text for people, the others for programs. Nothing else goes to stdout.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@spec_options
@limits_option
def check(
    specs: Sequence[Path], form: str, strict: bool, params: Sequence[str], settings: Sequence[str], limits: Limits
) -> None:
    """Report every error in SPECs, with its place and its fix.

    For a folder, all specs in it are checked. Nothing is built, and no memory is allocated for weights.
    """
    found: list[Diagnostic] = []
    sound: list[Path] = []
    for spec in spec_paths(specs):
        try:
            diagnostics, is_file = compile_spec(spec, given=params, settings=settings, limits=limits).diagnostics, True
        except SpecError as error:
            diagnostics, is_file = error.diagnostics, False
        diagnostics = [replace(diagnostic, strict=strict) for diagnostic in diagnostics]
        if form == "text":
            tell(diagnostics, to_stderr=not is_file)
        if not diagnostics:
            sound.append(spec)
        found += diagnostics
    if form != "text":
        show(FORMATS[form](found))
    for spec in sound:
        say(f"{spec}: ok", err=True)
    if form == "text" and found:
        codes = sorted({diagnostic.code.id for diagnostic in found})
        say(f"more: cnndsl explain {codes[0]}" + "".join(f", {code}" for code in codes[1:5]), err=True)
    sys.exit(exit_code(found))
