"""The command line. Data goes to stdout, messages to stderr.

Exit codes: 0, success; 1, errors in the spec, a failed training, or networks that differ; 2, wrong usage, or files that
cannot be read or written; 128 plus a signal's number, stopped by that signal.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any

import click

from cnndsl.cli.streams import standard_streams
from cnndsl.printable import one_line
from cnndsl.version import __version__

#: Each verb: its module and function, and the first sentence of its help. Only the verb that is asked for is imported.
VERBS = {
    "build": ("build.build", "Write the PyTorch source, the diagram and the shapes of SPEC."),
    "check": ("check.check", "Report every error in SPECs, with its place and its fix."),
    "diff": ("diff.diff", "Show what differs between two networks."),
    "draw": ("draw.draw", "Draw SPEC as a figure, a flowchart, or a page to explore."),
    "eval": ("eval.evaluate", "Measure the loss and accuracy of RUN on the test set, by class."),
    "explain": ("explain.explain", "Explain the error or warning CODE, or list all codes."),
    "export": ("export.export", "Export the network of RUN for programs without cnndsl."),
    "fmt": ("fmt.fmt", "Format SPECs and keep their comments."),
    "import": ("import_.import_", "Write the spec of TARGET, a module of PyTorch."),
    "inspect": ("inspect.inspect", "Show the tensors of the network of RUN with their statistics."),
    "layers": ("layers.layers", "List the layers, or show the page of layer NAME."),
    "lsp": ("lsp.lsp", "Run the language server: shapes and errors while you type."),
    "new": ("zoo.new", "Write NAME.yaml, a spec to start from."),
    "predict": ("predict.predict", "Classify PICTUREs with the network of RUN."),
    "runs": ("runs.list_runs", "List the runs, or those of each NAME, or draw their curves."),
    "schema": ("schema.schema", "Print the JSON Schema of specs, for editors."),
    "serve": ("serve.serve", "Show SPEC in a page that follows the file."),
    "shapes": ("shapes.shapes", "Show the layers of SPEC with output shapes, parameters and MACs."),
    "sizes": ("sizes.sizes", "Show which input sizes SPEC takes, and which of them lose no pixels."),
    "sweep": ("sweep.sweep", "Compare the costs of SPEC with several values of its parameters."),
    "trace": ("trace.trace", "Show where the shape of PATH in SPEC comes from, step by step."),
    "train": ("train.train", "Train the network of SPEC by the recipe in its `train`."),
    "zoo": ("zoo.zoo", "List the specs that come with cnndsl."),
}


#: What click 8.2 raises for a command line without a verb: its message is the help.
NO_VERB = getattr(click.exceptions, "NoArgsIsHelpError", ())
#: The variable by which a shell asks for completions.
COMPLETING = "_CNNDSL_COMPLETE"


def verb(name: str) -> click.Command:
    """The command of a verb."""
    module, function = VERBS[name][0].split(".")
    command: click.Command = getattr(import_module(f"cnndsl.cli.{module}"), function)
    return command


class _Verbs(click.Group):
    """Knows the verbs by their names and first sentences, and imports one when it is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        return name, verb(name) if name and found else None, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the verbs with their whole first sentences, which click would cut."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, sentence) for name, (_, sentence) in VERBS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        if COMPLETING in os.environ:
            from cnndsl.cli.completion import install

            install()
        return super().main(*args, **kwargs)


@click.group(
    cls=_Verbs,
    commands={name: click.Command(name, help=sentence) for name, (_, sentence) in VERBS.items()},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, package_name="cnndsl")
def cli() -> None:
    """Convolutional networks in YAML: shapes, costs, source, diagrams, training."""


def main() -> None:
    """The entry point of the console script."""
    with standard_streams():
        sys.exit(_exit_code())


def _exit_code() -> int:
    try:
        # A command returns None; one that ends early, such as `--help`, returns its exit code.
        return cli.main(prog_name="cnndsl", standalone_mode=False) or 0
    except click.ClickException as error:
        if not isinstance(error, NO_VERB):
            error.message = one_line(error.message)  # type: ignore[misc, unused-ignore]
        error.show()
        return error.exit_code
    except click.Abort:  # click raises it for Ctrl-C
        return 128 + signal.SIGINT
