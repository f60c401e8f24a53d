"""The bar that a training moves on a terminal, with as much beside it as there is room for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

#: Columns of a bar that says anything.
_SHORTEST = 10


class Bar:
    """One line below all others: the epoch, a bar, batches, loss and accuracy, rate, the time that is left.

    It is drawn when there is something new, by no thread of its own, which would meet forks and terminals that
    have gone.
    """

    def __init__(self, console: Console) -> None:
        self._line = _Line(console=console, transient=True, auto_refresh=False, redirect_stderr=False)
        self._line.start()

    def begin(self, title: str, total: int, done: int) -> None:
        """Another bar in the place of that before it."""
        for before in self._line.task_ids:
            self._line.remove_task(before)
        self._line.add_task(title, total=total, completed=done, scores="", rate="")
        self._line.refresh()

    def update(self, done: int, **fields: Any) -> None:
        """``scores`` and ``rate`` stay as they were where they are not given."""
        (task,) = self._line.task_ids
        self._line.update(task, completed=done, refresh=True, **fields)

    def close(self) -> None:
        """The line is gone."""
        self._line.stop()


class _Line(Progress):
    """Where not all columns fit, the less telling ones are left out."""

    def make_tasks_table(self, tasks: Iterable[Task]) -> Table:
        for task in tasks:
            fitting = next((some for some in _layouts() if self._width(some, task) <= self.console.width), ())
            self.columns, self.expand = fitting, any(isinstance(column, BarColumn) for column in fitting)
        return super().make_tasks_table(tasks)

    def _width(self, columns: tuple[ProgressColumn, ...], task: Task) -> int:
        """The columns of the terminal that these take at least, with gaps of one."""
        return sum(self._width_of(column, task) for column in columns) + len(columns) - 1

    def _width_of(self, column: ProgressColumn, task: Task) -> int:
        if isinstance(column, BarColumn):
            return _SHORTEST
        return Measurement.get(self.console, self.console.options.update(max_width=1000), column(task)).maximum


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
