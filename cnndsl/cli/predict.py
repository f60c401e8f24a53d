"""``cnndsl predict``: classifies pictures with a trained network."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import (
    PATH,
    USAGE,
    checkpoint_option,
    device_option,
    ending,
    plugin_option,
    run_argument,
    tell,
    text_option,
)
from cnndsl.diagnostics import Code, RunError
from cnndsl.grid import Grid
from cnndsl.json_text import json_text
from cnndsl.terminal import say, show, show_grid

if TYPE_CHECKING:
    from cnndsl.training.predict import Prediction, Predictor


@click.command()
@run_argument
@click.argument("pictures", nargs=-1, required=True, type=PATH, metavar="PICTURE...")
@click.option(
    "--top", type=click.IntRange(1), default=5, show_default=True, help="Number of classes to show for each picture."
)
@checkpoint_option
@plugin_option
@device_option
@text_option
def predict(run: Path, pictures: Sequence[Path], top: int, which: str, device: str | None, form: str) -> None:
    """Classify PICTUREs with the network of RUN.

    Pictures are resized and converted to colour or grey like the test samples. Nothing is inverted: for
    Fashion-MNIST and MNIST they must be light on black. If a picture cannot be read, it is reported, the
    others are still classified, and the exit code is 2.
    """
    results: list[Prediction | RunError] = []
    with ending():
        from cnndsl.training.predict import Predictor
        from cnndsl.training.run_folder import find_run
        from cnndsl.training.trained import Trained

        predictor = Predictor(Trained.of(find_run(run), which), device)
        for picture in pictures:
            results.append(_tried(predictor, picture))
            if form == "text":
                _show(results[-1], top)
    if form == "json":
        plain = [{"picture": str(picture), **_plain(result, top)} for picture, result in zip(pictures, results)]
        show(json_text(plain))
    if any(isinstance(result, RunError) for result in results):
        sys.exit(USAGE)


def _tried(predictor: Predictor, picture: Path) -> Prediction | RunError:
    try:
        return predictor(picture)
    except RunError as error:
        if error.diagnostic.code is Code.SAMPLE:
            return error
        raise  # this picture is not the cause


def _show(result: Prediction | RunError, top: int) -> None:
    if isinstance(result, RunError):
        tell([result.diagnostic])
        return
    say(f"{result.path}{', shares of its pixels' * result.pixels}", bold=True)
    rows = [(f"  {guess.name}", f"{guess.probability:.4f}") for guess in result.guesses[:top]]
    show_grid(Grid(("", ">"), rows, gives=(("", 8),)))


def _plain(result: Prediction | RunError, top: int) -> dict[str, Any]:
    if isinstance(result, RunError):
        return {"error": result.diagnostic.as_dict()}
    key = "share" if result.pixels else "probability"
    guesses = result.guesses[:top]
    return {"classes": [{"class": guess.name, "label": guess.label, key: guess.probability} for guess in guesses]}
