"""``cnndsl eval``: tests a trained network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import (
    PATH,
    FilePath,
    checkpoint_option,
    device_option,
    ending,
    plugin_option,
    run_argument,
    text_option,
)
from cnndsl.cli.pictures import PICTURE, check_files, force_option, write
from cnndsl.grid import GONE, Grid
from cnndsl.json_text import json_text
from cnndsl.palette import ENDINGS
from cnndsl.terminal import say, show, show_grid

if TYPE_CHECKING:
    from cnndsl.training.evaluate import Evaluation

#: The most classes that are shown without ``--classes``.
FEW = 20
#: The mistakes that are drawn without ``--worst``.
WORST = 24


@click.command("eval")
@run_argument
@checkpoint_option
@plugin_option
@device_option
@click.option("--data-dir", type=PATH, help="Where data sets are, or where to download them to.")
@click.option("--data", metavar="FOLDER", help="Test on the pictures in a folder, laid out as for `train --data`.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out pictures that cannot be read, and list them.")
@click.option("--workers", type=click.IntRange(0), help="Number of processes that decode pictures.")
@click.option("--classes/--no-classes", default=None, help=f"Show each class. Default: if there are at most {FEW}.")
@click.option(
    "--confusion",
    type=FilePath(*ENDINGS, ".csv", ".json"),
    metavar="FILE",
    help="Write the confusion matrix: a picture, or a table as .csv or .json.",
)
@click.option(
    "--mistakes", type=PICTURE, metavar="FILE", help="Draw the mistakes of which the network was most certain."
)
@click.option("--worst", type=click.IntRange(1, 600), help=f"Number of mistakes to draw. Default: {WORST}.")
@force_option
@text_option
def evaluate(
    run: Path,
    which: str,
    device: str | None,
    data_dir: Path | None,
    data: str | None,
    skip_unreadable: bool,
    workers: int | None,
    classes: bool | None,
    confusion: Path | None,
    mistakes: Path | None,
    worst: int | None,
    force: bool,
    form: str,
) -> None:
    """Measure the loss and accuracy of RUN on the test set, by class.

    RUN is a run's folder, or a checkpoint. On the device of the training, the figures equal those of
    the training. A picture is a .png, .svg or .pdf.
    """
    if worst and not mistakes:
        raise click.UsageError("--worst is for --mistakes")
    check_files(confusion, mistakes, force=force)
    with ending():
        from cnndsl.training.evaluate import evaluate_trained
        from cnndsl.training.run_folder import find_run
        from cnndsl.training.trained import Trained

        trained = Trained.of(find_run(run), which)
        asked = (worst or WORST) if mistakes else 0
        result = evaluate_trained(trained, device, data_dir, data, workers, skip_unreadable, asked)
    if form == "json":
        show(json_text(_plain(result)))
    else:
        _show(result, trained.title, classes)
    if confusion:
        write(confusion, _confusion(result, confusion.suffix), to_stderr=form == "json")
    if mistakes and result.mistakes:
        write(mistakes, result.mistakes_figure().data(mistakes.suffix), to_stderr=form == "json")
    elif mistakes:
        say(f"there are no mistakes to draw: {mistakes} was not written", err=True)


def _show(result: Evaluation, title: str, classes: bool | None) -> None:
    from cnndsl.training.report import skipped_lines

    for line in skipped_lines(result.skipped):
        say(line)
    say(f"{title}, on {result.samples:,} test samples of {result.dataset}, {result.device}")
    say(f"loss {result.loss:.3f}, test acc {result.accuracy:.4f}")
    if classes if classes is not None else len(result.classes) <= FEW:
        say()
        show_grid(_grid(result))


def _confusion(result: Evaluation, ending: str) -> bytes:
    """The confusion matrix in the format of a file."""
    names = [each.name for each in result.classes]
    if ending == ".csv":
        import csv

        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["true \\ predicted", *names])
        writer.writerows([name, *row] for name, row in zip(names, result.confusion))
        return text.getvalue().encode()
    if ending == ".json":
        return f"{json_text({'classes': names, 'confusion': result.confusion})}\n".encode()
    return result.confusion_figure().data(ending)


def _grid(result: Evaluation) -> Grid:
    labels = sum(each.count for each in result.classes)
    counted = "samples" if labels <= result.samples else "pixels"
    rows = [
        (
            each.name,
            f"{each.count:,}",
            "" if each.accuracy is None else f"{each.accuracy:.3f}",
            each.taken_for or "",
            f"{each.taken / each.count:.1%}" if each.taken_for else "",
        )
        for each in result.classes
    ]
    gives = (("mostly taken for", 16), ("class", 12), (">share", GONE), ("mostly taken for", GONE), ("class", 6))
    return Grid(("class", f">{counted}", ">accuracy", "mostly taken for", ">share"), rows, gives)


def _plain(result: Evaluation) -> dict[str, object]:
    classes = [
        {"class": each.name, "count": each.count, "correct": each.correct, "accuracy": each.accuracy}
        for each in result.classes
    ]
    facts = {key: getattr(result, key) for key in ("name", "epoch", "dataset", "device", "samples", "loss", "accuracy")}
    plain = {**facts, "skipped": result.skipped, "classes": classes, "confusion": result.confusion}
    mistakes = [{key: value for key, value in vars(mistake).items() if key != "picture"} for mistake in result.mistakes]
    return {**plain, "mistakes": mistakes} if mistakes else plain
