"""Shared by the verbs: options for reading a spec, and printing diagnostics."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from cnndsl.cli.completion import (
    complete_limit,
    complete_parameter,
    complete_run,
    complete_spec,
    complete_weights,
    one_of,
)
from cnndsl.diagnostics import MOST, Code, Diagnostic, FileError, RunError, SpecError
from cnndsl.limits import LIMITS, Limits
from cnndsl.terminal import say

if TYPE_CHECKING:
    from cnndsl.network import Compilation

F = TypeVar("F", bound=Callable[..., Any])

OK, ERRORS, USAGE = 0, 1, 2
#: Python's own thresholds of its garbage collection. A cycle may hold large tensors, so commands that compute them do
#: not look for cycles as rarely as the others.
COLLECTING = (700, 10, 10)
#: Errors of files or usage, not of a file's content.
_OF_FILES = {
    Code.FILE, Code.WRITE, Code.BUSY, Code.DATA, Code.DEVICE, Code.CHECKPOINT, Code.LAYER, Code.PLUGIN, Code.TARGET
}  # fmt: skip


def format_option(*forms: str, help: str) -> Callable[[F], F]:
    """``--format``, by default the first of ``forms``."""
    choice = click.Choice(forms)
    return click.option("--format", "form", type=choice, default=forms[0], show_default=True, help=help)


table_option = format_option("table", "plain", "json", help="table for terminals, plain for diffs, json for programs.")
text_option = format_option("text", "json", help="text for people, json for programs.")


class FilePath(click.Path):
    """A path, with one of the ``endings`` if there are any. An empty text, as from a variable that is not set, is none:
    Python takes it for the current folder."""

    def __init__(self, *endings: str) -> None:
        super().__init__(path_type=Path)
        self.endings = endings

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty", param, ctx)
        path: Any = super().convert(value, param, ctx)
        if self.endings and path.suffix not in self.endings:
            self.fail(f"{path} must end in one of {', '.join(self.endings)}", param, ctx)
        return path


PATH = FilePath()
#: A path or `zoo:NAME`; never the text of a spec.
spec_argument = click.argument("spec", type=PATH, shell_complete=complete_spec)


device_option = click.option(
    "--device",
    metavar="NAME",
    shell_complete=one_of(lambda: ("cpu", "cuda", "mps")),
    help="cpu, cuda, cuda:1 or mps. Default: an accelerator if there is one.",
)
runs_option = click.option("--runs", type=PATH, default=Path("runs"), show_default=True, help="Folder of all runs.")
run_argument = click.argument("run", type=PATH, shell_complete=complete_run)
checkpoint_option = click.option(
    "--checkpoint",
    "which",
    type=click.Choice(["best", "last"]),
    default="best",
    show_default=True,
    help="The one with the best test accuracy, or the last.",
)


def _limits(context: click.Context, option: click.Parameter, text: str | None) -> Limits:
    try:
        return LIMITS.changed(text) if text else LIMITS
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _plugins(context: click.Context, option: click.Parameter, names: Sequence[str]) -> None:
    """Loads plugins before any spec is read: a spec itself cannot load code."""
    if context.resilient_parsing:  # the shell is completing a command line
        return
    from cnndsl.plugins import load_installed, load_plugin

    try:
        load_installed()
        for name in names:
            load_plugin(name)
    except RunError as error:
        tell([error.diagnostic])
        sys.exit(USAGE)


#: For every command that knows layers by name.
plugin_option = click.option(
    "--plugin",
    multiple=True,
    metavar="MODULE",
    expose_value=False,
    callback=_plugins,
    help="Python module with layers of your own, such as mypackage.layers; repeatable.",
)


def weights_options(command: F) -> F:
    """``--weights`` and ``--partial``, for commands that load weights."""
    command = click.option(
        "--partial",
        is_flag=True,
        help="Load the weights that fit, adapt the first convolutions to the input's channels, and list the others.",
    )(command)
    return click.option(
        "--weights",
        metavar="FILE",
        shell_complete=complete_weights,
        help="Trained weights: a file, or torchvision:IMAGENET1K_V1.",
    )(command)


def check_partial(weights: str | None, partial: bool) -> None:
    """Raises :class:`click.UsageError` for ``--partial`` alone, which would do nothing."""
    if partial and weights is None:
        raise click.UsageError("--partial is for weights: name them with --weights")


def spec_options(command: F) -> F:
    """``-p``, ``--set`` and ``--plugin``, for commands that read a spec."""
    command = plugin_option(command)
    command = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Set any key of the spec, such as train.epochs=3; repeatable.",
    )(command)
    return click.option(
        "-p",
        "--param",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        shell_complete=complete_parameter,
        help="Set a parameter of the spec, such as classes=100; repeatable.",
    )(command)


limits_option = click.option(
    "--limits",
    callback=_limits,
    metavar="NAME=N,...",
    shell_complete=complete_limit,
    help="Change limits on the work that a spec may cause, such as steps=40000.",
)


def read_spec(
    spec: Path, params: Sequence[str], settings: Sequence[str], limits: Limits, batch: int = 1
) -> Compilation:
    """Compiles a spec; ends the program if its file cannot be read."""
    from cnndsl.network import compile_spec

    try:
        return compile_spec(spec, given=params, settings=settings, batch=batch, limits=limits)
    except SpecError as error:
        tell(error.diagnostics)
        sys.exit(USAGE)


def tell(diagnostics: Iterable[Diagnostic], to_stderr: bool = True) -> None:
    """Prints diagnostics for people, at most :data:`MOST` of them."""
    listed = list(diagnostics)
    encoding = (sys.stderr if to_stderr else sys.stdout).encoding
    for diagnostic in listed[:MOST]:
        for number, line in enumerate(diagnostic.render(encoding).split("\n")):
            colour = {"error": "red", "warning": "yellow"}[diagnostic.severity] if number == 0 else None
            say(line, fg=colour, bold=number == 0, err=to_stderr)
        say(err=to_stderr)
    if len(listed) > MOST:
        say(f"{len(listed) - MOST} more are not shown", err=to_stderr)
    errors = sum(diagnostic.is_error for diagnostic in listed)
    if errors:
        say(f"{errors} error{'s' if errors > 1 else ''}", err=to_stderr)


def fail(message: str, help: str = "") -> NoReturn:
    """Prints an error of files or usage, and ends the program."""
    diagnostic = Diagnostic(Code.FILE, message, help=help)
    tell([diagnostic])
    sys.exit(USAGE)


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """The exit code for these diagnostics: wrong usage if an error is in the command line, that is in the spec's name
    or an option."""
    errors = [item for item in diagnostics if item.is_error]
    given = [error.span.source.is_option if error.span else error.code is Code.FILE for error in errors]
    return USAGE if any(given) else ERRORS if errors else OK


def needs_utf_8(path: str) -> None:
    """Ends the program for a path that no spec can hold."""
    try:
        path.encode()
    except UnicodeEncodeError:
        fail(f"{path} cannot be written into a spec: its name is not UTF-8", "rename it")


@contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Ends the program if a package of an ``extra`` of ours, which ``what`` needs, is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "cnndsl":
            raise
        fail(f"{what} needs {error.name}, which is not installed", f"`pip install 'cnndsl[{extra}]'`")


@contextmanager
def _own_warnings_as_lines() -> Iterator[None]:
    """Warnings of cnndsl are printed as one line each; others as Python prints them."""
    with warnings.catch_warnings():
        theirs = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if category.__module__.partition(".")[0] == "cnndsl":
                say(message, err=True)
            else:
                theirs(message, category, *place, **more)

        warnings.showwarning = show
        yield


@contextmanager
def ending() -> Iterator[None]:
    """Turns the errors of a training or a trained network into a message and an exit code."""
    from cnndsl.training.interrupt import Stopped

    gc.set_threshold(*COLLECTING)
    try:
        with _own_warnings_as_lines():
            yield
    except SpecError as error:
        tell(error.diagnostics)
        sys.exit(exit_code(error.diagnostics))
    except RunError as error:
        tell([error.diagnostic])
        of_files = isinstance(error, FileError) or error.diagnostic.code in _OF_FILES
        sys.exit(USAGE if of_files else ERRORS)
    except Stopped as stopped:
        say(stopped, err=True)
        sys.exit(128 + stopped.number)
