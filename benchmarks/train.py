"""Training on Fashion-MNIST: `cnndsl train`, a plain loop, Keras's fit and Lightning's Trainer, in one run.

Each runs in its own process, on the CPU. They take turns, A B C D A B C D, so that other load on the machine affects
all alike. The ratios within a round count: their median, minimum and maximum are shown. All use the spec's batch size
and learning rate; each round has its own seed. Examples/s are those of the steady state: training without the
evaluation, the median of the epochs after the first.

    python benchmarks/train.py --network lenet lenet_bn --rounds 5
    python benchmarks/train.py --whole    # ten epochs as started from the shell, start-up and evaluation included

Keras and Lightning may have a separate environment:

    python3 -m venv peers && peers/bin/pip install torchvision lightning keras tensorflow-cpu
    python benchmarks/train.py --precision fp32 bf16 --compile --peer-python peers/bin/python
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Protocol

import yaml
from peers.common import NETWORKS, PRECISIONS, Task, examples_per_s

HERE = Path(__file__).resolve().parent
ARCHS = HERE.parent / "archs"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # from Debian's dataset-fashion-mnist
WORKERS = (0, 2)
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
QUIET = 0.5  # the load average of an idle machine


class Absent(Exception):
    """Why a contestant has no figures."""


@dataclass(frozen=True)
class Figures:
    examples_per_s: float
    test_acc: float
    wall: float  # seconds of the whole process
    versions: dict[str, str]


class Contestant(Protocol):
    @property
    def name(self) -> str: ...

    def train(self, task: Task) -> Figures:
        """Raises Absent."""


def run(command: Sequence[str], **environment: str) -> tuple[str, float]:
    """The output of a process without a GPU, and its seconds."""
    variables = os.environ | {"CUDA_VISIBLE_DEVICES": ""} | environment
    start = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, env=variables)
    wall = time.perf_counter() - start
    if process.returncode == 0:
        return process.stdout, wall
    if "ModuleNotFoundError" in process.stderr:
        raise Absent("not installed")
    say(*process.stderr.splitlines()[-5:])
    raise Absent("failed")


def say(*lines: str) -> None:
    """Prints progress to stderr; the tables go to stdout."""
    print(*lines, sep="\n", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Ours:
    data: Path
    name: str = "cnndsl"

    def train(self, task: Task) -> Figures:
        with tempfile.TemporaryDirectory() as runs:
            command = [sys.executable, "-m", "cnndsl", "train", str(ARCHS / f"{task.network}.yaml"), "--device=cpu"]
            command += [f"--epochs={task.epochs}", f"--seed={task.seed}", f"--precision={task.precision}"]
            command += [f"--data-dir={self.data}", f"--runs={runs}", *["--compile"] * task.compile]
            _, wall = run(command)
            [metrics] = Path(runs).rglob("metrics.csv")
            with metrics.open(newline="") as file:
                epochs = list(csv.DictReader(file))
        speed = examples_per_s([float(epoch["seconds"]) for epoch in epochs])
        versions = {name: version(name) for name in ("cnndsl", "torch")}
        return Figures(speed, float(epochs[-1]["test_acc"]), wall, versions)


@dataclass(frozen=True)
class Peer:
    name: str
    python: str
    script: str
    compiles: bool = True  # in compiled rows
    loader: bool = True  # it has a DataLoader with workers
    workers: int = 0
    backend: str = "torch"

    def train(self, task: Task) -> Figures:
        task = replace(task, workers=self.workers, compile=task.compile and self.compiles)
        command = [self.python, str(HERE / "peers" / self.script), *task.options()]
        output, wall = run(command, KERAS_BACKEND=self.backend)
        answer = json.loads(output.splitlines()[-1])
        return Figures(answer["examples_per_s"], answer["test_acc"], wall, answer["versions"])

    def with_workers(self, task: Task, candidates: Iterable[int]) -> Peer:
        """The same with the fastest number of workers: whether they help depends on the machine."""
        each = [replace(self, workers=workers) for workers in candidates]
        if not self.loader or len(each) == 1:
            return each[0]
        try:
            speeds = [peer.train(task).examples_per_s for peer in each]
        except Absent:
            return self
        for peer, speed in zip(each, speeds):
            say(f"{self.name}, {peer.workers} workers: {speed:,.0f} examples/s")
        return each[speeds.index(max(speeds))]


@dataclass(frozen=True)
class Quantity:
    unit: str
    of: Callable[[Figures], float]
    form: str
    less_is_better: bool = False


STEADY = Quantity("examples/s", attrgetter("examples_per_s"), ",.0f")
WHOLE = Quantity("s", attrgetter("wall"), ".1f", less_is_better=True)
ACCURACY = Quantity("test accuracy", attrgetter("test_acc"), ".4f")


@dataclass(frozen=True)
class Row:
    """The results of a task: each contestant's figures for each round, or why there are none."""

    task: Task
    figures: dict[str, list[Figures]]
    absent: dict[str, str]

    @property
    def label(self) -> list[str]:
        return [self.task.network, self.task.precision, "compiled" if self.task.compile else "eager"]

    def median(self, name: str, quantity: Quantity) -> str:
        if name in self.absent:
            return self.absent[name]
        return format(statistics.median(map(quantity.of, self.figures[name])), quantity.form)

    def ratio(self, one: str, other: str, quantity: Quantity) -> str:
        """How many times as fast ``one`` is as ``other``."""
        if {one, other} & self.absent.keys():
            return "n/a"
        ratios = [quantity.of(a) / quantity.of(b) for a, b in zip(self.figures[one], self.figures[other])]
        if quantity.less_is_better:
            ratios = [1 / ratio for ratio in ratios]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def interleave(contestants: Sequence[Contestant], task: Task, rounds: int) -> Row:
    """Runs all in turn, round by round. A contestant that failed is not tried again."""
    row = Row(task, {contestant.name: [] for contestant in contestants}, {})
    for seed in range(rounds):
        for contestant in contestants:
            if contestant.name in row.absent:
                continue
            try:
                got = contestant.train(replace(task, seed=seed))
                row.figures[contestant.name].append(got)
                said = (
                    f"{got.examples_per_s:,.0f} examples/s, test accuracy {got.test_acc:.4f}, {got.wall:.1f} s in all"
                )
            except Absent as reason:
                said = row.absent[contestant.name] = str(reason)
            say(f"{' '.join(row.label)}, round {seed + 1}, {contestant.name}: {said}")
    return row


def markdown(rows: Sequence[Row], names: Sequence[str], quantity: Quantity, ratios: bool) -> str:
    """A table of a quantity's medians, and of the ratios of the first contestant to the others."""
    others = names[1:] if ratios else []
    label = ["network", "precision", "mode"]
    table = [
        [*label, *(f"{name}, {quantity.unit}" for name in names), *(f"{names[0]} : {other}" for other in others)],
        [*["---"] * len(label), *["---:"] * (len(names) + len(others))],
    ]
    for row in rows:
        medians = [row.median(name, quantity) for name in names]
        table.append([*row.label, *medians, *(row.ratio(names[0], other, quantity) for other in others)])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def busy() -> float:
    """The load of other processes, with a warning if it is high. PyTorch's threads wait for each other at every layer:
    if one of their cores is taken, contestants on PyTorch drop to a fifth of their speed or less, and the figures are
    worthless."""
    load = os.getloadavg()[0]
    if load > QUIET:
        say(f"warning: the machine is busy, load {load:.1f}; measure again when it is idle, or with --threads 1")
    return load


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def notes(rows: Sequence[Row], peers: Sequence[Peer], asked: argparse.Namespace, load: float) -> list[str]:
    """The conditions of the measurement, without which a table is worthless."""
    task = rows[0].task
    versions = {name: got[0].versions for row in rows for name, got in row.figures.items() if got}
    said = [
        f"{cpu()}; {platform.system()}, Python {platform.python_version()}; load {load:.1f} before the start",
        *(f"{name}: {', '.join(map(' '.join, packages.items()))}" for name, packages in versions.items()),
        f"batches of {task.batch_size}, {task.epochs} epochs, {asked.rounds} rounds; medians are shown",
        f"threads: {asked.threads or 'the default of each'}",
        "A : B: how many times as fast A is as B in the same round; the median of the rounds (minimum to maximum)",
        *(f"{peer.name}: {peer.workers} workers in the DataLoader" for peer in peers if peer.loader),
        "progress bars are off",
    ]
    if any(row.task.compile for row in rows):
        said.append("compiled: Keras with jit_compile=True, Lightning with torch.compile; the plain loop stays eager")
    return said


def tasks(root: Path, asked: argparse.Namespace) -> list[Task]:
    """The tasks, with the batch size and learning rate of the specs."""
    found = []
    for network, precision, compiled in itertools.product(
        asked.network, asked.precision, [False, True] if asked.compile else [False]
    ):
        recipe = yaml.safe_load((ARCHS / f"{network}.yaml").read_text())["train"]
        lr, epochs = recipe["optimizer"]["SGD"]["lr"], asked.epochs or (10 if asked.whole else 4)
        found.append(Task(network, root, lr, epochs, recipe["batch_size"], precision, compiled))
    return found


def unpack(source: Path, raw: Path) -> None:
    """Unzips the files for torchvision."""
    raw.mkdir(parents=True)
    for path in source.glob("*-ubyte.gz"):
        with gzip.open(path) as packed, (raw / path.stem).open("wb") as file:
            shutil.copyfileobj(packed, file)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=["lenet"])
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["fp32"])
    parser.add_argument("--compile", action="store_true", help="add compiled rows")
    parser.add_argument("--epochs", type=int, help="default: 4, or 10 with --whole")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", action="store_true", help="time whole processes of cnndsl and the plain loop only")
    parser.add_argument("--workers", type=int, help="workers of the DataLoaders; default: 0 or 2, whichever is faster")
    parser.add_argument("--threads", type=int, help="threads of PyTorch and TensorFlow; use 1 on a busy machine")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python with Keras and Lightning")
    parser.add_argument("--keras-backend", choices=["tensorflow", "torch", "jax"], default="tensorflow")
    parser.add_argument("--data-dir", type=Path, default=DEBIAN, help="the folder with the four gzipped idx files")
    return parser.parse_args()


def main() -> None:
    asked = arguments()
    load = busy()
    if asked.threads:
        os.environ |= dict.fromkeys(THREADS, str(asked.threads))
    peers = [Peer("plain loop", sys.executable, "plain.py", compiles=False)]
    if not asked.whole:
        keras = f"Keras ({asked.keras_backend})"
        peers += [
            Peer(keras, asked.peer_python, "keras_fit.py", loader=False, backend=asked.keras_backend),
            Peer("Lightning", asked.peer_python, "lightning_trainer.py"),
        ]
    with tempfile.TemporaryDirectory() as root:
        todo = tasks(Path(root), asked)
        unpack(asked.data_dir, todo[0].raw)
        candidates = WORKERS if asked.workers is None else [asked.workers]
        peers = [peer.with_workers(replace(todo[0], epochs=3), candidates) for peer in peers]
        contestants: list[Contestant] = [Ours(asked.data_dir), *peers]
        if asked.whole:
            say("a first run, to warm the disk's cache:")
            interleave(contestants, replace(todo[0], epochs=1), 1)
        rows = [interleave(contestants, task, asked.rounds) for task in todo]
    names = [contestant.name for contestant in contestants]
    print(markdown(rows, names, WHOLE if asked.whole else STEADY, ratios=True), end="\n\n")
    print(markdown(rows, names, ACCURACY, ratios=False), end="\n\n")
    for note in notes(rows, peers, asked, load):
        print(f"- {note}")


if __name__ == "__main__":
    main()
