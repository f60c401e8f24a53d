"""Several processes beside one: the same training under torchrun, and what the processes send each other.

python benchmarks/scale_out.py --processes 2 4
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import ARCHS, Absent, Case, Figures, Question, main, run
from trainings import RATE, metrics

HERE = Path(__file__).resolve().parent
#: Each process has one thread, however many there are.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Work:
    """A training on generated images of ``size`` times ``size``, with batches that the processes divide."""

    network: str
    batch: int
    size: int
    samples: int

    @property
    def spec(self) -> Path:
        return ARCHS / f"{self.network}.yaml"

    @property
    def options(self) -> tuple[str, ...]:
        data = f"--dataset={{Synthetic: {{size: {self.samples}, test_size: {self.batch}}}}}"
        return (data, f"--batch-size={self.batch}", f"--resize={self.size}", "--epochs=3", "--device=cpu")


#: One with little to send for its work, and one with much.
WORKS = (Work("lenet", 256, 28, 7_680), Work("resnet18", 64, 32, 512))


def torchrun(processes: int) -> tuple[str | Path, ...]:
    return (sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}")


def train(work: Work, processes: int, round: int) -> Figures:
    """The rate of the last epoch."""
    with TemporaryDirectory() as runs:
        command = (*torchrun(processes), "-m", "cnndsl", "train", work.spec, *work.options)
        epochs, took = metrics([*command, f"--runs={runs}", f"--seed={round}"], Path(runs), **ONE_THREAD)
    return {RATE: float(epochs[-1]["examples_per_s"]), **took}


def exchange(work: Work, processes: int) -> str:
    """What the processes send each other in a step, and how long that takes."""
    command = (*torchrun(processes), HERE / "exchange.py", work.spec, str(work.batch), str(work.size))
    try:
        output, _ = run(command, **ONE_THREAD)
    except Absent as reason:
        return f"{work.network}, {processes} processes: {reason}"
    told = json.loads(output.splitlines()[-1])
    return (
        f"{work.network}, {processes} processes: {told['gradients']:,} bytes of gradients in {told['buckets']} "
        f"bucket{'s' * (told['buckets'] != 1)}; a step takes {told['alone']:.1f} ms without and {told['together']:.1f} "
        f"ms with their exchange, which takes {told['exchange']:.1f} ms alone, and one number {told['latency']:.2f} ms"
    )


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    for work in WORKS:
        for processes in asked.processes:
            contestants = {"several": partial(train, work, processes), "one": partial(train, work, 1)}
            label = (work.network, str(processes), str(os.cpu_count()))
            yield Case(label, contestants, rivals=False, notes=(exchange(work, processes),))


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--processes", nargs="+", type=int, default=[2, 4])


QUESTION = Question(
    __file__,
    "Several processes",
    """`torchrun -m cnndsl train` with several processes, over gloo, beside one. All have one thread for each process
    and the same batches, which the processes divide. The rate is that of the third epoch. No more than the number of
    cores can be gained. The bytes are those that the hook of DistributedDataParallel sees;
    [training.md](training.md#scaling-out) calculates with them.""",
    ("network", "processes", "cores"),
    cases,
    quantities=(RATE,),
    rounds=2,
    warm=False,
    packages=("torch",),
    options=options,
)

if __name__ == "__main__":
    main(QUESTION)
