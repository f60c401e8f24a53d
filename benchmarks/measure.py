"""What every benchmark shares: contestants take turns, round by round, and tables show what they took.

A benchmark is a file of this folder with a ``QUESTION``. It runs alone, ``python benchmarks/NAME.py``, and as a section
of docs/performance.md, ``make bench``.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from operator import attrgetter
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeAlias

ROOT = Path(__file__).resolve().parent.parent
ARCHS = ROOT / "archs"
#: The load average up to which a machine counts as idle.
QUIET = 0.5


@dataclass(frozen=True)
class Quantity:
    """What is measured. Ratios are above 1 where the first contestant is better."""

    unit: str
    less_is_better: bool = True


WALL = Quantity("s")
CPU = Quantity("CPU s")
MEMORY = Quantity("MiB")
CLOCKS = {"wall": WALL, "cpu": CPU}

#: What one run of a contestant took.
Figures: TypeAlias = Mapping[Quantity, float]
#: Runs a contestant in a round, of which it gets the number: 0 is not counted. Raises Absent.
Measure: TypeAlias = Callable[[int], Figures]


class Absent(Exception):
    """Why a contestant has no figures."""


@dataclass(frozen=True)
class Case:
    """A row of a table: its contestants, of which the first is compared with each other one.

    ``rivals`` is false if the others are there for scale only. The notes appear below the table.
    """

    label: tuple[str, ...]
    contestants: Mapping[str, Measure]
    rivals: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What a benchmark answers. ``script`` is its file; ``text``, in Markdown, tells what is measured, and how.

    ``cases`` makes the rows, one by one, so that what a row needs is released after it. ``columns`` are the headings of
    their labels. With ``warm``, a first round is not counted: it fills caches.
    """

    script: str
    title: str
    text: str
    columns: tuple[str, ...]
    cases: Callable[[argparse.Namespace], Iterable[Case]]
    quantities: tuple[Quantity, ...] = (WALL,)
    rounds: int = 7
    warm: bool = True
    packages: tuple[str, ...] = ()
    options: Callable[[argparse.ArgumentParser], object] = lambda parser: None


# --- runs ----------------------------------------------------------------------------------------


def timed(work: Callable[[], object]) -> Figures:
    """The seconds of one call in this process."""
    gc.collect()  # or it pays for the garbage of the one before
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {WALL: time.perf_counter() - wall, CPU: time.process_time() - cpu}


def prepared(make: Callable[[], Callable[[], object]]) -> Measure:
    """A contestant in this process. ``make`` imports and builds what it needs, once and untimed, and gives the work."""
    made = cache(make)
    return lambda round: timed(made())


#: Starts a command, ends it after some seconds, and writes what it took to a file. Linux counts the memory of a process
#: from that of the one which starts it: this one is small.
_LAUNCHER = """
import os, signal, sys, time
limit, target, *command = sys.argv[1:]
start = time.perf_counter()
pid = os.posix_spawnp(command[0], command, os.environ)
signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
signal.setitimer(signal.ITIMER_REAL, float(limit))
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - start
with open(target, "w") as file:
    print(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, file=file)
sys.exit(status != 0)
"""


def run(command: Sequence[str | Path], limit: float = 600, **environment: str) -> tuple[str, Figures]:
    """The output of a process without a GPU, and what it took, from its start to its end. Raises Absent if it fails or
    runs for more than ``limit`` seconds."""
    variables = os.environ | {"CUDA_VISIBLE_DEVICES": ""} | environment
    variables.pop("PYTHONDONTWRITEBYTECODE", None)  # or each process compiles what it imports
    with NamedTemporaryFile() as took:
        launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(limit), took.name, *map(str, command)]
        done = subprocess.run(launcher, capture_output=True, cwd=ROOT, env=variables)
        wall, cpu, memory = map(float, took.read().split())
    if wall > limit:
        raise Absent(f"more than {limit:.0f} s")
    if done.returncode:
        raise _failed(done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="replace"), {WALL: wall, CPU: cpu, MEMORY: memory}


def process(*command: str | Path, limit: float = 600) -> Measure:
    """A contestant that is a process."""
    return lambda round: run(command, limit)[1]


def cnndsl(*arguments: str | Path) -> tuple[str | Path, ...]:
    """The command ``cnndsl``."""
    return (sys.executable, "-m", "cnndsl", *arguments)


def _failed(errors: str) -> Absent:
    missing = re.search(r"^ModuleNotFoundError: No module named '(\w+)", errors, re.MULTILINE)
    if missing:
        return Absent(f"{missing[1]} is not installed")
    say(*errors.splitlines()[-5:])
    return Absent("failed")


def say(*lines: str) -> None:
    """Prints progress to stderr; the tables go to stdout."""
    print(*lines, sep="\n", file=sys.stderr, flush=True)


# --- rounds --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """How many times as good the first contestant was within each round: median, minimum and maximum of the rounds."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.least)} to {short(self.most)})"


@dataclass(frozen=True, eq=False)
class Row:
    """The results of a case: each contestant's figures for each round, or why there are none."""

    label: tuple[str, ...]
    figures: Mapping[str, Sequence[Figures]]
    absent: Mapping[str, str]
    rivals: bool
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.figures,)

    def median(self, name: str, quantity: Quantity) -> str:
        if name in self.absent:
            return self.absent[name]
        return short(statistics.median(figures[quantity] for figures in self.figures[name]))

    def ratio(self, other: str, quantity: Quantity) -> Spread | None:
        """The first contestant compared with another; None if one of them has no figures."""
        first = self.names[0]
        if {first, other} & self.absent.keys():
            return None
        pairs = zip(self.figures[first], self.figures[other], strict=True)
        ratios = [theirs[quantity] / ours[quantity] for ours, theirs in pairs]
        if not quantity.less_is_better:
            ratios = [1 / ratio for ratio in ratios]
        return Spread(statistics.median(ratios), min(ratios), max(ratios))


def interleave(case: Case, rounds: int, warm: bool) -> Row:
    """Runs all in turn, round by round. A contestant that failed is not tried again."""
    figures: dict[str, list[Figures]] = {name: [] for name in case.contestants}
    absent: dict[str, str] = {}
    for number, (name, measure) in itertools.product(range(0 if warm else 1, rounds + 1), case.contestants.items()):
        if name in absent:
            continue
        try:
            got = measure(number)
        except (Absent, ModuleNotFoundError) as reason:
            absent[name] = f"{reason.name} is not installed" if isinstance(reason, ImportError) else str(reason)
            said = absent[name]
        else:
            figures[name] += [got] if number else []
            said = ", ".join(f"{short(value)} {quantity.unit}" for quantity, value in got.items())
        say(f"{' '.join(case.label)}, {f'round {number}' if number else 'warming up'}, {name}: {said}")
    return Row(case.label, figures, absent, case.rivals, case.notes)


def short(value: float) -> str:
    """A number with three digits that count."""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(digits, 0)}f}"


# --- pages ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """The results of a question, which travel between processes."""

    script: str
    title: str
    text: str
    columns: tuple[str, ...]
    quantities: tuple[Quantity, ...]
    rows: tuple[Row, ...]
    rounds: int
    versions: Mapping[str, str]

    def section(self) -> str:
        """The answer as a section of a page."""
        repeat = f"Rounds: {self.rounds}. Repeat with `python benchmarks/{self.script}`."
        notes = dict.fromkeys(note for row in self.rows for note in row.notes)
        parts = [f"## {self.title}", filled(self.text), repeat, *self.tables()]
        return "\n\n".join([*parts, *["\n".join(f"- {note}" for note in notes)] * bool(notes)])

    def tables(self) -> Iterator[str]:
        """A table for each group of contestants and each quantity."""
        for names, rows in itertools.groupby(self.rows, attrgetter("names")):
            group = list(rows)
            for quantity in self.quantities:
                yield _table(self.columns, names, group, quantity)

    def rivals(self) -> dict[str, dict[Row, Spread]]:
        """For each rival and quantity, the rows in which it was met, and how."""
        found: dict[str, dict[Row, Spread]] = {}
        for quantity, row in itertools.product(self.quantities, self.rows):
            for other in row.names[1:] if row.rivals else ():
                if spread := row.ratio(other, quantity):
                    found.setdefault(f"{other}, {quantity.unit}", {})[row] = spread
        return found


def _table(columns: Sequence[str], names: Sequence[str], rows: Iterable[Row], quantity: Quantity) -> str:
    """The medians of a quantity, and the first contestant's ratio to each other one."""
    first, *others = names
    heads = [*columns, *(f"{name}, {quantity.unit}" for name in names), *(f"{first} : {other}" for other in others)]
    lines = [
        [*row.label, *(row.median(name, quantity) for name in names)]
        + [str(row.ratio(other, quantity) or "n/a") for other in others]
        for row in rows
    ]
    return markdown(heads, lines, labels=len(columns))


def filled(text: str) -> str:
    """A paragraph in lines that fit a screen. Words stay whole: a command in it can be copied."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def markdown(heads: Sequence[str], lines: Iterable[Sequence[str]], labels: int) -> str:
    """A table with the numbers on the right; the first columns are labels."""
    rule = ["---"] * labels + ["---:"] * (len(heads) - labels)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *lines))


LEGEND = filled(
    """A : B is how many times as good A is as B: as fast, or with as little memory. Above 1, A is better. It is
    computed within each round, in which all take turns; the median of the rounds is shown, with minimum and maximum.
    The other columns show medians."""
)


# --- the machine ---------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """The conditions of a measurement, without which a table is worthless."""
    return {
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {_memory():.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "date": date.today().isoformat(),
        "commit": _commit(),
    }


def versions(packages: Iterable[str], peer_python: str = sys.executable) -> dict[str, str]:
    """The versions of installed packages, here or in the peers' environment."""
    code = "import importlib.metadata; print(importlib.metadata.version({!r}))"
    found: dict[str, str] = {}
    for package in sorted(packages):
        for python in dict.fromkeys((sys.executable, peer_python)):
            done = subprocess.run([python, "-c", code.format(package)], capture_output=True, text=True)
            if done.returncode == 0:
                found.setdefault(package, done.stdout.strip())
    return found


def listed(versions: Mapping[str, str]) -> str:
    return ", ".join(map(" ".join, sorted(versions.items())))


def busy() -> float:
    """The load of other processes, with a warning if it is high. PyTorch's threads wait for each other at every layer:
    if one of their cores is taken, contestants on PyTorch drop to a fifth of their speed or less, and the figures are
    worthless."""
    load = os.getloadavg()[0]
    if load > QUIET:
        say(f"warning: the machine is busy, load {load:.1f}; measure again when it is idle")
    return load


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.strip()

    changed = " with uncommitted changes" if git("status", "--porcelain", "cnndsl") else ""
    return f"{git('rev-parse', '--short', 'HEAD') or 'unknown'}{changed}"


# --- a benchmark alone ---------------------------------------------------------------------------


def answer(question: Question, arguments: Sequence[str] | None = None) -> Answer:
    """Measures, with options from the command line unless they are given."""
    asked = parsed(question, arguments)
    rounds = asked.rounds or question.rounds
    quantities = tuple(CLOCKS[asked.clock] if quantity is WALL else quantity for quantity in question.quantities)
    rows = tuple(interleave(case, rounds, question.warm) for case in question.cases(asked))
    found = versions(question.packages, asked.peer_python)
    script = Path(question.script).name
    return Answer(script, question.title, question.text, question.columns, quantities, rows, rounds, found)


def parsed(question: Question, arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of a benchmark. Its text is for a page; a terminal gets no links."""
    parser = options(re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", f"{question.title}. {question.text}"))
    question.options(parser)
    return parser.parse_args(arguments)


def options(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, help="default: each benchmark's own number")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu on a busy machine; it adds up all threads")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has the large peers")
    return parser


def main(question: Question) -> None:
    """Runs a benchmark alone and prints its section."""
    parsed(question)  # `--help` ends here
    load = busy()
    got = answer(question)
    print(got.section(), end="\n\n")
    facts = machine() | {"versions": listed(got.versions), "load before the start": f"{load:.1f}"}
    print(LEGEND, *(f"- {what}: {fact}" for what, fact in facts.items()), sep="\n")
