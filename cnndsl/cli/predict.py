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
from cnndsl.cli.completion import complete_layer
from cnndsl.cli.pictures import PICTURE, check_files, force_option, write
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
@click.option(
    "--features",
    metavar="LAYER",
    shell_complete=complete_layer,
    help="Draw the output of a layer, channel by channel, for one PICTURE.",
)
@click.option(
    "-o",
    "--output",
    type=PICTURE,
    help="Picture to write: .png, .svg or .pdf. Without --features it shows the classes of the pixels, for networks "
    "that have them. Default with --features: PICTURE-LAYER.png.",
)
@force_option
@checkpoint_option
@plugin_option
@device_option
@text_option
def predict(
    run: Path,
    pictures: Sequence[Path],
    top: int,
    features: str | None,
    output: Path | None,
    force: bool,
    which: str,
    device: str | None,
    form: str,
) -> None:
    """Classify PICTUREs with the network of RUN.

    Pictures are resized and converted to colour or grey like the test samples. Nothing is inverted: for
    Fashion-MNIST and MNIST they must be light on black. If a picture cannot be read, it is reported, the
    others are still classified, and the exit code is 2.
    """
    if features is not None and output is None:
        output = Path(f"{pictures[0].stem}-{features}.png".replace("/", "_"))
    if output and len(pictures) > 1:
        raise click.UsageError("--features and -o are for one PICTURE")
    check_files(output, force=force)
    results: list[Prediction | RunError] = []
    figure = b""
    with ending():
        from cnndsl.training.predict import Prediction, Predictor
        from cnndsl.training.run_folder import find_run
        from cnndsl.training.trained import Trained

        predictor = Predictor(Trained.of(find_run(run), which), device)
        for picture in pictures:
            result = _tried(predictor, picture)
            if output and isinstance(result, Prediction):  # drawn first: what cannot be drawn leaves no half result
                drawn = predictor.features(picture, features) if features is not None else _masked(result)
                figure = drawn.figure().data(output.suffix)
            results.append(result)
            if form == "text":
                _show(result, top)
    if form == "json":
        plain = [{"picture": str(picture), **_plain(result, top)} for picture, result in zip(pictures, results)]
        show(json_text(plain))
    if figure and output:
        write(output, figure, to_stderr=form != "text")
    if any(isinstance(result, RunError) for result in results):
        sys.exit(USAGE)


def _tried(predictor: Predictor, picture: Path) -> Prediction | RunError:
    try:
        return predictor(picture)
    except RunError as error:
        if error.diagnostic.code is Code.SAMPLE:
            return error
        raise  # this picture is not the cause


def _masked(prediction: Prediction) -> Prediction:
    """A prediction that has a mask to draw; without one, ends the program."""
    if prediction.mask is None:
        raise click.UsageError("-o needs --features LAYER: the network classifies whole pictures, so it has no mask")
    return prediction


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
