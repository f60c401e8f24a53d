"""Faults of cnndsl itself: told on the page, and with their traceback on the terminal, so that they can be reported."""

from __future__ import annotations

import traceback

from cnndsl.diagnostics import cause
from cnndsl.serve.messages import Refused
from cnndsl.terminal import say


def fault(error: Exception, about: str = "", id: int = 0) -> Refused:
    """The answer to a message that met a fault."""
    for line in traceback.format_exception(error):
        for each in line.rstrip().split("\n"):
            say(each, err=True)
    return Refused(about, "fault", f"a fault of cnndsl: {cause(error)}", "the terminal has the details", id)
