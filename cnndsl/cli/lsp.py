"""``cnndsl lsp``: the language server."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path

import click

from cnndsl.cli.common import PATH, fail, needing, plugin_option
from cnndsl.terminal import say


@click.command()
@click.option(
    "--log", type=PATH, metavar="FILE", help="Append every message to FILE, to find out why an editor shows nothing."
)
@plugin_option
def lsp(log: Path | None) -> None:
    """Run the language server: shapes and errors while you type.

    It speaks the Language Server Protocol over stdin and stdout. An editor starts it; docs/editors.md has the settings.
    """
    with needing("lsp", "the language server"):
        from cnndsl.lsp.server import own_stdout, serve
    if log is not None:
        _log_to(log)
    else:
        logging.disable()  # what goes wrong is told to the editor
    if sys.stdin.isatty():
        say("cnndsl lsp is for editors, and waits for one on stdin; Ctrl-C ends it", err=True)
    signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))  # a thread may wait for stdin forever
    serve(sys.stdin.buffer, own_stdout())


def _log_to(path: Path) -> None:
    try:
        logging.basicConfig(filename=path, level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
