"""The progress bar on a terminal, with as many figures as fit."""

from __future__ import annotations

from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column

#: The least width of a useful bar.
_SHORTEST = 10
#: Free columns for the echo of two Ctrl-C. If the echo wrapped, the line could not be erased.
_ECHO = 4


class Bar:
    """One line below all others: the epoch, a bar, batches, loss and accuracy, rate, the remaining time.

    It is drawn at each update, without a thread, which would get in trouble with forks and closed terminals.
    """

    def __init__(self, console: Console) -> None:
        self._progress = Progress(console=console)
        self._live = Live(self, console=console, transient=True, auto_refresh=False, redirect_stderr=False)
        self._live.start()

    def begin(self, title: str, total: int, done: int) -> None:
        """Replaces the previous bar by a new one."""
        for before in self._progress.task_ids:
            self._progress.remove_task(before)
        self._progress.add_task(title, total=total, completed=done, scores="", rate="")
        self._live.refresh()

    def update(self, done: int, **fields: Any) -> None:
        """``scores`` and ``rate`` keep their values if they are not given."""
        (task,) = self._progress.task_ids
        self._progress.update(task, completed=done, **fields)
        self._live.refresh()

    def close(self) -> None:
        """Removes the line."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """If not all columns fit, the less important ones are left out."""
        room = options.max_width - _ECHO
        for task in self._progress.tasks:
            for columns in _layouts():
                if sum(_width(column, task, console) + 1 for column in columns) - 1 <= room:
                    self._progress.columns = columns
                    table = self._progress.make_tasks_table([task])
                    table.width = room if any(isinstance(column, BarColumn) for column in columns) else None
                    yield table
                    return


def _width(column: ProgressColumn, task: Task, console: Console) -> int:
    """The least width, in columns of the terminal."""
    if isinstance(column, BarColumn):
        return _SHORTEST
    return Measurement.get(console, console.options.update(max_width=1000), column(task)).maximum


def _layouts() -> list[tuple[ProgressColumn, ...]]:
    """All columns, then fewer and fewer of them."""
    epoch, scores, rate = map(TextColumn, ("{task.description}", "{task.fields[scores]}", "{task.fields[rate]}"))
    bar, count = BarColumn(bar_width=None, table_column=Column(ratio=1)), MofNCompleteColumn()
    left = TimeRemainingColumn(compact=True)
    return [
        (epoch, bar, count, scores, rate, left),
        (epoch, bar, count, scores, left),
        (epoch, count, scores, left),
        (epoch, count, scores),
        (epoch, scores),
        (scores,),
        (count,),
    ]
