"""``cnndsl explain``: what the code of an error or a warning means."""

from __future__ import annotations

import sys

import click

from cnndsl import explanations
from cnndsl.cli.common import USAGE
from cnndsl.diagnostics import Code, did_you_mean
from cnndsl.terminal import console, say, show


@click.command()
@click.argument("code", required=False)
def explain(code: str | None) -> None:
    """Explain CODE, such as CNN021, with a wrong spec and a right one; without CODE, list all codes."""
    if code is None:
        for known in Code:
            say(f"{known.id}  {known.severity:7}  {known.title}")
        return
    try:
        page = explanations.explain(code)
    except ValueError as error:
        near = did_you_mean(code.upper(), [known.id for known in Code])
        say(f"{error}; {near or 'see `cnndsl explain`'}", err=True)
        sys.exit(USAGE)
    if (terminal := console()).is_terminal:
        from rich.markdown import Markdown

        terminal.print(Markdown(page))
    else:
        show(page)
