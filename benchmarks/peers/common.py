"""Shared by all peers: the task, which they get as options, and the line of JSON that they print.

No framework is imported here, so the process that starts a peer needs none.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

#: Training samples of Fashion-MNIST.
EXAMPLES = 60_000
NETWORKS = ("lenet", "lenet_bn")
PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Task:
    """A training that is the same for every contestant."""

    network: str
    root: Path  # torchvision's root, with the unzipped files in FashionMNIST/raw
    lr: float
    epochs: int = 3
    batch_size: int = 256
    precision: str = "fp32"
    compile: bool = False
    workers: int = 0
    seed: int = 0
    examples: int = EXAMPLES

    @property
    def raw(self) -> Path:
        return self.root / "FashionMNIST" / "raw"

    def options(self) -> list[str]:
        """The command line for `parse`."""
        values = asdict(self)
        flags = ["--compile"] if values.pop("compile") else []
        return [f"--{name.replace('_', '-')}={value}" for name, value in values.items()] + flags

    @classmethod
    def parse(cls, description: str | None) -> Task:
        default = {field.name: field.default for field in fields(cls)}
        parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--network", choices=NETWORKS, required=True)
        parser.add_argument("--root", type=Path, required=True, help="torchvision's root, which has FashionMNIST/raw")
        parser.add_argument("--lr", type=float, required=True)
        parser.add_argument("--precision", choices=PRECISIONS, default=default["precision"])
        parser.add_argument("--compile", action="store_true")
        for name in ("epochs", "batch_size", "workers", "seed", "examples"):
            parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default[name])
        return cls(**vars(parser.parse_args()))


def examples_per_s(epoch_seconds: Sequence[float], examples: int) -> float:
    """The steady state: without the first epoch, which warms caches and compiles, if there are more."""
    return examples / statistics.median(epoch_seconds[1:] or epoch_seconds)


def report(task: Task, epoch_seconds: Sequence[float], test_acc: float) -> None:
    """Prints the last line of a peer's output. Evaluation is not timed."""
    answer = {"examples_per_s": examples_per_s(epoch_seconds, task.examples), "test_acc": test_acc}
    print(json.dumps(answer), flush=True)
