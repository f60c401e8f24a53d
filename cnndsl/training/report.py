"""The output of a training: a bar on a terminal, and a line per epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence

from cnndsl.diagnostics import MOST
from cnndsl.printable import one_line
from cnndsl.terminal import console, moves, say
from cnndsl.training.progress import Progress, Sums

#: Seconds between two updates of loss and accuracy.
PAUSE = 0.25


class Report:
    """Prints nothing: for all processes but the first."""

    def begin(self, epoch: int, batches: int, done: int) -> None:
        """Epoch ``epoch``, counted from 0, begins. ``done`` of its ``batches`` are done already."""

    def batch(self, done: int, read: Callable[[], Sums] | None) -> None:
        """``done`` batches are done. ``read`` returns the sums so far; it is None if that would cost too much."""

    def epoch(self, progress: Progress) -> None:
        """An epoch and its test are done."""

    def message(self, text: str) -> None:
        """Prints any other line."""

    def close(self) -> None:
        """The training has ended."""


class LineReport(Report):
    """A line per epoch on stdout."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def epoch(self, progress: Progress) -> None:
        self.message(_epoch_line(progress, self.epochs))

    def message(self, text: str) -> None:
        say(text)


class TerminalReport(LineReport):
    """The same lines, and below them a bar."""

    def __init__(self, epochs: int) -> None:
        from cnndsl.training.bars import Bar

        super().__init__(epochs)
        self.console = console()
        self.bar = Bar(self.console)
        self.read_at = 0.0

    def begin(self, epoch: int, batches: int, done: int) -> None:
        self.bar.begin(f"epoch {epoch + 1}/{self.epochs}", batches, done)

    def batch(self, done: int, read: Callable[[], Sums] | None) -> None:
        now = time.monotonic()
        if now - self.read_at < PAUSE:
            return
        self.read_at = now
        self.bar.update(done, **(_shown(read()) if read else {}))

    def message(self, text: str) -> None:
        from rich.text import Text

        self.console.print(Text(one_line(text)), soft_wrap=True)

    def close(self) -> None:
        self.bar.close()


class NotebookReport(LineReport):
    """In a notebook: one line of progress and one picture of the curves, which change in place."""

    def __init__(self, name: str, epochs: int) -> None:
        from cnndsl.training.live import Live

        super().__init__(epochs)
        self.live = Live(name)
        self.shown, self.read_at = "", 0.0

    def begin(self, epoch: int, batches: int, done: int) -> None:
        self.shown, self.batches = f"epoch {epoch + 1}/{self.epochs}", batches
        self.live.progress(self.shown, done, batches)

    def batch(self, done: int, read: Callable[[], Sums] | None) -> None:
        now = time.monotonic()
        if now - self.read_at < PAUSE:
            return
        self.read_at = now
        figures = _shown(read()) if read else {}
        self.live.progress(", ".join([self.shown, *figures.values()]), done, self.batches)

    def epoch(self, progress: Progress) -> None:
        self.live.progress(_epoch_line(progress, self.epochs), self.batches, self.batches)
        self.live.curves(progress.epochs)

    def close(self) -> None:
        self.live.close()


def _shown(sums: Sums) -> dict[str, str]:
    return {
        "scores": f"loss {sums.mean_loss:.3f}  acc {sums.accuracy:.3f}",
        "rate": f"{sums.examples_per_s:,.0f} examples/s",
    }


def report_for(name: str, epochs: int, first: bool, quiet: bool) -> Report:
    """The report for a notebook, or for this stdout. ``name`` is the network's."""
    if quiet or not first:
        return Report()
    if in_notebook():
        return NotebookReport(name, epochs)
    return TerminalReport(epochs) if moves(sys.stdout) else LineReport(epochs)


def in_notebook() -> bool:
    """Whether this is the process of a notebook, a kernel of Jupyter's."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _epoch_line(progress: Progress, epochs: int) -> str:
    line = progress.epochs[-1]
    return (
        f"epoch {line.epoch}/{epochs}: loss {line.loss:.3f}, train acc {line.train_acc:.3f}, "
        f"test acc {line.test_acc:.3f}, {line.examples_per_s:,.0f} examples/s, {line.seconds:.1f} s"
    )


def skipped_lines(skipped: Sequence[str]) -> Iterator[str]:
    """The pictures that were left out, at most :data:`MOST` of them."""
    if skipped:
        yield f"{len(skipped)} picture{'s' * (len(skipped) > 1)} left out"
        yield from (f"  {line}" for line in skipped[:MOST])
    if len(skipped) > MOST:
        yield f"  and {len(skipped) - MOST} more"


def closing_lines(progress: Progress, device: str) -> tuple[str, str]:
    """The results of a training: the last epoch's figures, and the rate over all epochs."""
    line = progress.epochs[-1]
    return (
        f"loss {line.loss:.3f}, train acc {line.train_acc:.3f}, test acc {line.test_acc:.3f}",
        f"{progress.examples_per_s:.1f} examples/sec on {device}",
    )
