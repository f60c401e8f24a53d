"""``cnndsl explain``: the meaning of a code."""

from __future__ import annotations

import sys

import click

from cnndsl import explanations
from cnndsl.cli.common import USAGE
from cnndsl.cli.completion import one_of
from cnndsl.diagnostics import Code, did_you_mean
from cnndsl.terminal import console, say, show


@click.command()
@click.argument("code", required=False, shell_complete=one_of(lambda: [code.id for code in Code]))
def explain(code: str | None) -> None:
    """Explain the error or warning CODE, or list all codes.

    The page of a code, such as CNN021, shows a wrong spec and a right one.
    """
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
    if sys.stdout.isatty():
        from rich.markdown import Markdown

        console().print(Markdown(explanations.labelled(page)))
    else:
        show(page)
