"""``cnndsl train``: trains a network by the recipe in its spec."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from cnndsl.cli.common import (
    check_partial,
    device_option,
    ending,
    needs_utf_8,
    runs_option,
    spec_options,
    weights_options,
)
from cnndsl.cli.completion import complete_run, complete_spec, one_of
from cnndsl.layers.kinds import BOOLEAN, Choice
from cnndsl.spec.recipe_keys import KEYS, Key
from cnndsl.training.interrupt import importing
from cnndsl.training.threads import wait_asleep


def _recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each key of a recipe, with a value of YAML; but `freeze` can be repeated, and has its own."""
    for key in reversed(KEYS.values()):
        if key.name != "freeze":
            command = _recipe_option(key)(command)
    return command


def _recipe_option(key: Key) -> Callable[..., Any]:
    help = key.explained(shlex.quote)
    if key.holds is BOOLEAN:
        return click.option(f"{key.option}/--no-{key.option[2:]}", key.name, default=None, callback=_word, help=help)
    names = one_of(partial(_words, key))
    return click.option(key.option, key.name, metavar=key.metavar, shell_complete=names, help=help)


def _word(context: click.Context, option: click.Parameter, value: bool | None) -> str | None:
    """The value of a switch as YAML has it."""
    return None if value is None else str(value).lower()


def _words(key: Key) -> Iterable[str]:
    """The names that are values of a key of the recipe."""
    from cnndsl.recipe.reader import TABLES

    if isinstance(key.holds, Choice):
        return key.holds.choices
    return () if key.several else TABLES.get(key.name, ())


class _Train(click.Command):
    """Says how torch's threads wait before any option is read: `--plugin` imports modules, which may import torch."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        wait_asleep()
        return super().parse_args(ctx, args)


def _check_usage(spec: Path | None, resume: Path | None, weights: str | None) -> None:
    """Raises :class:`click.UsageError` if there is nothing to train, and for options that only a new run can follow."""
    if spec is None and resume is None:
        raise click.UsageError("name a SPEC to train, or a run with --resume")
    if resume is None:
        return
    if click.get_current_context().get_parameter_source("runs") is ParameterSource.COMMANDLINE:
        raise click.UsageError("--runs is for new runs: a run that is resumed stays in its folder")
    if weights is not None:
        raise click.UsageError("--weights is for new runs: a run that is resumed has its own weights")


@click.command(cls=_Train)
@click.argument("spec", required=False, type=click.Path(path_type=Path), shell_complete=complete_spec)
@click.option("--lr", metavar="X", help="Learning rate of the recipe's optimizer.")
@_recipe_options
@click.option("--data", metavar="FOLDER", help="Train on the pictures in a folder: FOLDER/train/CLASS/*.png.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out pictures that cannot be read, and list them.")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Where data sets are, or where to download them to.")
@click.option("--workers", type=click.IntRange(0), help="Number of processes that decode pictures.")
@device_option
@runs_option
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="RUN",
    shell_complete=complete_run,
    help="Continue a run; SPEC may be omitted.",
)
@click.option(
    "--checkpoint-every", type=click.IntRange(1), metavar="N", help="Also save every N batches within an epoch."
)
@click.option("--tensorboard", is_flag=True, help="Write events for TensorBoard into the run.")
@click.option(
    "--freeze",
    multiple=True,
    metavar=KEYS["freeze"].metavar,
    help="Module, or pattern of parameter names, that is not trained, such as 'layer[12].*'; repeatable.",
)
@weights_options
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@spec_options
def train(
    spec: Path | None,
    lr: str | None,
    data: str | None,
    params: Sequence[str],
    settings: Sequence[str],
    skip_unreadable: bool,
    data_dir: Path | None,
    workers: int | None,
    device: str | None,
    runs: Path,
    resume: Path | None,
    checkpoint_every: int | None,
    tensorboard: bool,
    quiet: bool,
    freeze: Sequence[str],
    weights: str | None,
    partial: bool,
    **recipe: str | None,
) -> None:
    """Train the network of SPEC by the recipe in its `train`.

    The run is written to runs/NAME/TIME: checkpoints, metrics, curves, and the spec as it was trained. Exit
    codes: 0, trained; 1, an error in the spec, the data or the training; 2, wrong usage, or files that cannot
    be read or written; 130 and 143, stopped by Ctrl-C or SIGTERM, with a checkpoint.

    For several devices: torchrun --nproc-per-node=N -m cnndsl train SPEC.
    """
    _check_usage(spec, resume, weights)
    check_partial(weights, partial)
    given = [f"train.{key}={value}" for key, value in recipe.items() if value is not None]
    if data is not None:
        needs_utf_8(data)
        given.append(f"train.dataset={json.dumps({'ImageFolder': {'root': data}})}")
    if skip_unreadable:
        given.append("train.dataset.*.skip_unreadable=true")
    if freeze:
        given.append(f"train.freeze={json.dumps(freeze)}")
    if lr is not None:
        given.append(f"train.optimizer.*.lr={lr}")
    with ending():
        with importing():
            from cnndsl.training.options import Options
            from cnndsl.training.train import run_training

        every = checkpoint_every or 0
        options = Options(runs, data_dir, workers, device, resume, every, tensorboard, quiet, weights, partial)
        run_training(spec, [*given, *settings], options, params)
