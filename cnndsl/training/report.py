"""What one sees of a training: a line that moves on a terminal, else a line an epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence

from cnndsl.diagnostics import MOST
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
        print(_epoch_line(progress, self.epochs), flush=True)

    def message(self, text: str) -> None:
        print(text, flush=True)


class TerminalReport(Report):
    """The same lines, and below them a bar with loss, accuracy, examples/s and the time that is left."""

    def __init__(self, epochs: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self.epochs = epochs
        self.console = Console()
        columns = (
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[sums]}"),
            TimeRemainingColumn(compact=True),
        )
        self.bars = Bars(*columns, console=self.console, transient=True)
        self.task = self.bars.add_task("", epoch=1, epochs=epochs, sums="")
        self.read_at = 0.0
        self.bars.start()

    def begin(self, epoch: int, batches: int, done: int) -> None:
        self.bars.reset(self.task, total=batches, completed=done, epoch=epoch + 1, sums="")

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

    def epoch(self, progress: Progress) -> None:
        self.bars.print(_epoch_line(progress, self.epochs), highlight=False)

    def message(self, text: str) -> None:
        self.bars.print(text, highlight=False, markup=False)

    def close(self) -> None:
        self.bars.stop()


def report_for(epochs: int, first: bool, quiet: bool) -> Report:
    """What suits where stdout goes."""
    if quiet or not first:
        return Report()
    return TerminalReport(epochs) if sys.stdout.isatty() else LineReport(epochs)


def _epoch_line(progress: Progress, epochs: int) -> str:
    line = progress.epochs[-1]
    return (
        f"epoch {line.epoch}/{epochs}: loss {line.loss:.3f}, train acc {line.train_acc:.3f}, "
        f"test acc {line.test_acc:.3f}, {line.examples_per_s:,.0f} examples/s, {line.seconds:.1f} s"
    )


def skipped_lines(skipped: Sequence[str]) -> Iterator[str]:
    """The pictures that were passed over, as many as are of use at once."""
    if skipped:
        yield f"{len(skipped)} picture{'s' * (len(skipped) > 1)} passed over"
        yield from (f"  {line}" for line in skipped[:MOST])
    if len(skipped) > MOST:
        yield f"  and {len(skipped) - MOST} more"


def closing_lines(progress: Progress, device: str) -> tuple[str, str]:
    """What a training gave: the last epoch's figures, and the rate over all epochs."""
    line = progress.epochs[-1]
    return (
        f"loss {line.loss:.3f}, train acc {line.train_acc:.3f}, test acc {line.test_acc:.3f}",
        f"{progress.examples_per_s:.1f} examples/sec on {device}",
    )
