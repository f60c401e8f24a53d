"""``cnndsl serve``: a local page that follows a spec."""

from __future__ import annotations

import os
import webbrowser
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import PATH, fail, limits_option, needing, plugin_option
from cnndsl.cli.completion import complete_spec
from cnndsl.limits import Limits
from cnndsl.spec.folder import ENDINGS
from cnndsl.terminal import say
from cnndsl.zoo import PREFIX, find, is_of_zoo

if TYPE_CHECKING:
    from cnndsl.serve.project import Project
    from cnndsl.serve.server import Live


@click.command()
@click.argument("spec", type=PATH, required=False, shell_complete=complete_spec)
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 is any. Default: the first free one from 4266.")
@click.option("--browser/--no-browser", default=True, help="Open the page in a browser.")
@plugin_option
@limits_option
def serve(spec: Path | None, port: int | None, browser: bool, limits: Limits) -> None:
    """Show SPEC in a page that follows the file.

    The page shows errors, shapes, the table, the figure, the source and what differs from the saved spec, while you
    type in your editor or in the page. Without SPEC it opens a new one and lists those of the zoo. Only this machine
    can open the page, by the address that is printed. Ctrl-C ends it.
    """
    with needing("serve", "`cnndsl serve`"):
        from cnndsl.serve.server import Live, listen
    project, name = _opened(spec, limits)
    try:
        listening = listen(port)
    except OSError as error:
        fail(f"port {port} cannot be used: {error.strerror}", "choose another: `--port 0` takes any")
    live = Live(project, name, listening, keeps_key=bool(port))
    say(live.address)
    if browser:
        _browse(live)
    live.run()


def _opened(spec: Path | None, limits: Limits) -> tuple[Project, str]:
    """The project, and the name of the spec in it. Ends the program if it cannot be read."""
    from cnndsl.serve.project import Denied, Project, is_utf_8

    if spec is None or is_of_zoo(str(spec)):
        project, name = Project(Path.cwd(), None, limits), str(spec or "")
    elif spec.suffix not in ENDINGS:
        fail(f"{spec} cannot be served: the name of a spec ends in .yaml or .yml", _meant(spec))
    elif not is_utf_8(str(spec)):
        fail(f"{spec} cannot be served: its name is not UTF-8", "rename it")
    else:
        project = Project(Path.cwd(), spec, limits)
        name = project.spec_of(project.named or spec)
    try:
        project.read(name)
    except Denied as denied:
        fail(denied.message, denied.help)
    return project, name


def _meant(spec: Path) -> str:
    if find(f"{PREFIX}{spec}"):
        return f"did you mean `{PREFIX}{spec}`?"
    return f"`cd {spec} && cnndsl serve` lists the specs in it" if spec.is_dir() else "rename it"


def _browse(live: Live) -> None:
    """Opens a browser, which may take its time, if there is one with a window of its own. Other users can see its
    command line, so the address is valid once."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is not webbrowser.GenericBrowser or "BROWSER" in os.environ:
        Thread(target=browser.open, args=(live.address_for_once(),), daemon=True).start()
