"""The command line. Data goes to stdout, messages to stderr.

Exit codes: 0, success; 1, errors in the spec, or a failed training; 2, wrong usage, or files that cannot be read or
written; 128 plus a signal's number, stopped by that signal.
"""

from __future__ import annotations

import signal
import sys

import click

from cnndsl.cli.build import build
from cnndsl.cli.check import check
from cnndsl.cli.completion import install
from cnndsl.cli.draw import draw
from cnndsl.cli.eval import evaluate
from cnndsl.cli.explain import explain
from cnndsl.cli.export import export
from cnndsl.cli.fmt import fmt
from cnndsl.cli.inspect import inspect
from cnndsl.cli.layers import layers
from cnndsl.cli.predict import predict
from cnndsl.cli.runs import list_runs
from cnndsl.cli.schema import schema
from cnndsl.cli.shapes import shapes
from cnndsl.cli.streams import standard_streams
from cnndsl.cli.train import train
from cnndsl.cli.zoo import new, zoo
from cnndsl.printable import one_line
from cnndsl.version import __version__


class _Verbs(click.Group):
    """Lists the verbs with the whole first sentence of their help, which click would cut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.get_short_help_str(1_000)) for name, verb in sorted(self.commands.items())])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="cnndsl")
def cli() -> None:
    """Convolutional networks in YAML: shapes, costs, source, diagrams, training."""


VERBS = (
    *(build, shapes, draw, check, explain, fmt),
    *(train, list_runs, evaluate, predict, inspect, export),
    *(zoo, new, layers, schema),
)
for command in VERBS:
    cli.add_command(command)
install()


def main() -> None:
    """The entry point of the console script."""
    with standard_streams():
        sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        # A command returns None; one that ends early, such as `--help`, returns its exit code.
        return cli.main(prog_name="cnndsl", standalone_mode=False) or 0
    except click.ClickException as error:
        error.message = one_line(error.message)  # type: ignore[misc, unused-ignore]
        error.show()
        return error.exit_code
    except click.Abort:  # click raises it for Ctrl-C
        return 128 + signal.SIGINT
