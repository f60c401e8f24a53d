"""What one sees of a training: a line that moves on a terminal, else a line an epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from cnndsl.printable import one_line
from cnndsl.terminal import console, moves, say
from cnndsl.training.progress import Progress, Sums

#: Seconds between two looks at loss and accuracy.
PAUSE = 0.25


class Report:
    """Says nothing: what the processes after the first do."""

    def begin(self, epoch: int, batches: int, done: int) -> None:
        """Epoch ``epoch``, counted from 0, has ``batches``, of which some are done."""

    def batch(self, done: int, read: Callable[[], Sums] | None) -> None:
        """So many batches are done. ``read`` gives the sums so far; None where that would cost too much."""

    def epoch(self, progress: Progress) -> None:
        """An epoch and its test are over."""

    def message(self, text: str) -> None:
        """Something else to know."""

    def close(self) -> None:
        """Nothing more comes."""


class LineReport(Report):
    """A line an epoch on stdout."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def epoch(self, progress: Progress) -> None:
        self.message(_epoch_line(progress, self.epochs))

    def message(self, text: str) -> None:
        say(text)


class TerminalReport(LineReport):
    """The same lines, and below them a bar with loss, accuracy, examples/s and the time that is left."""

    def __init__(self, epochs: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        super().__init__(epochs)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[sums]}"),
            TimeRemainingColumn(compact=True),
        )
        # It is drawn when there is something new: no thread that draws meets a fork, or a terminal that has gone.
        self.bars = Bars(*columns, console=console(), transient=True, auto_refresh=False, redirect_stderr=False)
        self.read_at = 0.0
        self.bars.start()

    def begin(self, epoch: int, batches: int, done: int) -> None:
        for before in self.bars.task_ids:
            self.bars.remove_task(before)
        self.task = self.bars.add_task(f"epoch {epoch + 1}/{self.epochs}", total=batches, completed=done, sums="")
        self.bars.refresh()

    def batch(self, done: int, read: Callable[[], Sums] | None) -> None:
        now = time.monotonic()
        if now - self.read_at < PAUSE:
            return
        self.read_at = now
        self.bars.update(self.task, completed=done)
        if read is not None:
            sums = read()
            shown = f"loss {sums.mean_loss:.3f}  acc {sums.accuracy:.3f}  {sums.examples_per_s:,.0f} examples/s"
            self.bars.update(self.task, sums=shown)
        self.bars.refresh()

    def message(self, text: str) -> None:
        from rich.text import Text

        self.bars.print(Text(one_line(text)), soft_wrap=True)

    def close(self) -> None:
        self.bars.stop()


def report_for(epochs: int, first: bool, quiet: bool) -> Report:
    """What suits where stdout goes."""
    if quiet or not first:
        return Report()
    return TerminalReport(epochs) if moves(sys.stdout) else LineReport(epochs)


def _epoch_line(progress: Progress, epochs: int) -> str:
    line = progress.epochs[-1]
    return (
        f"epoch {line.epoch}/{epochs}: loss {line.loss:.3f}, train acc {line.train_acc:.3f}, "
        f"test acc {line.test_acc:.3f}, {line.examples_per_s:,.0f} examples/s, {line.seconds:.1f} s"
    )


def closing_lines(progress: Progress, device: str) -> tuple[str, str]:
    """What a training gave: the last epoch's figures, and the rate over all epochs."""
    line = progress.epochs[-1]
    return (
        f"loss {line.loss:.3f}, train acc {line.train_acc:.3f}, test acc {line.test_acc:.3f}",
        f"{progress.examples_per_s:.1f} examples/sec on {device}",
    )
