"""The contestants of a training: `cnndsl train`, a plain loop, Keras's fit and Lightning's Trainer, each a process."""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from measure import ARCHS, Absent, Figures, Quantity, cnndsl, run, say
from peers.common import EXAMPLES, Task, examples_per_s

HERE = Path(__file__).resolve().parent
DEBIAN = Path("/usr/share/datasets/fashion-mnist")  # from Debian's dataset-fashion-mnist
RATE = Quantity("examples/s", less_is_better=False)
ACCURACY = Quantity("test accuracy", less_is_better=False)
#: Where the name of a variable for threads differs from OpenMP's, it is TensorFlow's.
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
#: Pixels of an image, and the bytes before those of all images and before all labels.
PIXELS, BEFORE_IMAGES, BEFORE_LABELS = 28 * 28, 16, 8


def metrics(command: Sequence[str | Path], runs: Path, **environment: str) -> tuple[list[dict[str, str]], Figures]:
    """The epochs of a run that a command writes below ``runs``, and what the command took."""
    _, took = run(command, **environment)
    [path] = runs.rglob("metrics.csv")
    with path.open(newline="") as file:
        return list(csv.DictReader(file)), took


def ours(task: Task) -> Figures:
    """``cnndsl train``."""
    with TemporaryDirectory() as runs:
        command = cnndsl(
            *("train", ARCHS / f"{task.network}.yaml", "--device=cpu", f"--data-dir={task.root}", f"--runs={runs}"),
            *(f"--epochs={task.epochs}", f"--seed={task.seed}", f"--precision={task.precision}"),
            *["--compile"] * task.compile,
        )
        epochs, took = metrics(command, Path(runs))
    rate = examples_per_s([float(epoch["seconds"]) for epoch in epochs], task.examples)
    return {RATE: rate, ACCURACY: float(epochs[-1]["test_acc"]), **took}


@dataclass(frozen=True)
class Peer:
    """A script of ``peers/``. ``loads``: it has a DataLoader, which may have workers. ``compiles``: it is compiled in
    compiled rows."""

    script: str
    python: str = sys.executable
    loads: bool = True
    compiles: bool = True
    backend: str = "torch"
    workers: int = 0

    def __call__(self, task: Task) -> Figures:
        task = replace(task, workers=self.workers, compile=task.compile and self.compiles)
        command = [self.python, HERE / "peers" / self.script, *task.options()]
        output, took = run(command, KERAS_BACKEND=self.backend)
        answer = json.loads(output.splitlines()[-1])
        return {RATE: answer["examples_per_s"], ACCURACY: answer["test_acc"], **took}

    def with_workers(self, task: Task, candidates: Sequence[int]) -> Peer:
        """The same with the fastest number of workers: whether they help depends on the machine."""
        each = [replace(self, workers=workers) for workers in candidates]
        if not self.loads or len(each) == 1:
            return each[0]
        try:
            rates = [peer(task)[RATE] for peer in each]
        except Absent:
            return self
        for peer, rate in zip(each, rates, strict=True):
            say(f"{self.script}, {peer.workers} workers: {rate:,.0f} examples/s")
        return each[rates.index(max(rates))]


PLAIN = Peer("plain.py", compiles=False)


@contextmanager
def taken(cores: int) -> Iterator[None]:
    """Takes cores from the others: so many processes compute without a pause."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def measured(train: Callable[[Task], Figures], work: Task, cores: int, round: int) -> Figures:
    """One training, while other processes have so many ``cores``; each round has its own seed."""
    with taken(cores):
        return train(replace(work, seed=round))


def task(network: str, root: Path, **changes: object) -> Task:
    """A training with the batch size and the learning rate of a network's spec."""
    recipe = yaml.safe_load((ARCHS / f"{network}.yaml").read_text())["train"]
    return replace(Task(network, root, recipe["optimizer"]["SGD"]["lr"], batch_size=recipe["batch_size"]), **changes)


@contextmanager
def fashion(source: Path, samples: int = EXAMPLES) -> Iterator[Path]:
    """A folder with Fashion-MNIST, unzipped for torchvision, with so many training samples."""
    with TemporaryDirectory() as root:
        raw = Path(root, "FashionMNIST", "raw")
        raw.mkdir(parents=True)
        for path in source.glob("*-ubyte.gz"):
            content = gzip.decompress(path.read_bytes())
            if path.name.startswith("train"):
                content = _first(content, samples)
            (raw / path.stem).write_bytes(content)
        yield Path(root)


def _first(content: bytes, samples: int) -> bytes:
    """The first samples of an idx file of images or labels. Its fifth to eighth byte hold their number."""
    before, each = (BEFORE_IMAGES, PIXELS) if content[3] == 3 else (BEFORE_LABELS, 1)
    return content[:4] + samples.to_bytes(4, "big") + content[8 : before + samples * each]


def add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data-dir", type=Path, default=DEBIAN, help="the folder with the four gzipped idx files")
    parser.add_argument("--threads", type=int, help="threads of PyTorch and TensorFlow; default: of each")


def set_threads(asked: argparse.Namespace, names: Iterable[str] = THREADS) -> None:
    if asked.threads:
        os.environ |= dict.fromkeys(names, str(asked.threads))
