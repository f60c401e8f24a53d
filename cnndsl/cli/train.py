"""``cnndsl train``: trains a network by the recipe in its spec."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from cnndsl.cli.common import device_option, ending, needs_utf_8, runs_option, spec_options, weights_options
from cnndsl.cli.completion import complete_run, complete_spec, one_of

#: Keys of the recipe that are options, with the metavar and the help.
KEYS = {
    "dataset": ("NAME", "Data set, such as FashionMNIST."),
    "resize": ("SIZE", "Size of the images, such as 96 or '[96, 128]'."),
    "augment": ("LIST", "Transforms, such as '[RandomHorizontalFlip]'."),
    "epochs": ("N", "Passes over all training samples."),
    "batch_size": ("N", "Samples in a batch, over all processes together."),
    "optimizer": ("CALL", "Optimizer, such as '{SGD: {lr: 0.1}}'."),
    "scheduler": ("CALL", "Learning rate scheduler, such as '{StepLR: 30}'."),
    "loss": ("CALL", "Loss, such as CrossEntropyLoss."),
    "seed": ("N", "Seed of the weights, the order and the augmentation."),
    "precision": ("NAME", "fp32, bf16 or fp16."),
    "clip_grad_norm": ("X", "Maximum norm of the gradient."),
    "accumulate": ("N", "Batches per optimizer step."),
    "ema": ("X", "Decay of a moving average of the weights, such as 0.999."),
    "early_stopping": ("MAP", "When to stop early, such as '{patience: 5}'."),
}


def _recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for key, (metavar, help) in reversed(KEYS.items()):
        names = one_of(partial(_words, key))
        option = click.option(f"--{key.replace('_', '-')}", key, metavar=metavar, shell_complete=names, help=help)
        command = option(command)
    return command


def _words(key: str) -> Iterable[str]:
    """The names that are values of a key of the recipe."""
    from cnndsl.recipe.reader import CALLS
    from cnndsl.recipe.recipe import PRECISIONS

    if key == "precision":
        return PRECISIONS
    return CALLS[key].functions if key in CALLS else ()


@click.command()
@click.argument("spec", required=False, type=click.Path(path_type=Path), shell_complete=complete_spec)
@click.option("--lr", metavar="X", help="Learning rate of the recipe's optimizer.")
@_recipe_options
@click.option("--compile/--no-compile", "compile_", default=None, help="Compile the module with torch.compile.")
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
    metavar="PATTERN",
    help="Module or parameters not to train, such as 'layer[12].*'; repeatable.",
)
@weights_options
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@spec_options
def train(
    spec: Path | None,
    lr: str | None,
    compile_: bool | None,
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
    if spec is None and resume is None:
        raise click.UsageError("name a SPEC to train, or a run with --resume")
    given = [f"train.{key}={value}" for key, value in recipe.items() if value is not None]
    if compile_ is not None:
        given.append(f"train.compile={str(compile_).lower()}")
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
        from cnndsl.training.options import Options
        from cnndsl.training.train import run_training

        options = Options(
            runs, data_dir, workers, device, resume, checkpoint_every or 0, tensorboard, quiet, weights, partial
        )
        run_training(spec, [*given, *settings], options, params)
