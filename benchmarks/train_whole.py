"""A whole training as started from a shell: start, ten epochs of Fashion-MNIST, tests and files.

python benchmarks/train_whole.py --rounds 5
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

from measure import WALL, Case, Question, main
from peers.common import NETWORKS
from trainings import PLAIN, add_data, fashion, measured, ours, set_threads, task


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    set_threads(asked)
    with fashion(asked.data_dir) as root:
        for network in asked.network:
            work = task(network, root, epochs=asked.epochs)
            trains = {"cnndsl": ours, "plain loop": PLAIN}
            yield Case((network,), {name: partial(measured, train, work, 0) for name, train in trains.items()})


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=["lenet"])
    parser.add_argument("--epochs", type=int, default=10)
    add_data(parser)


QUESTION = Question(
    __file__,
    "A training from the shell",
    """Whole processes, from a cold start to the end: ten epochs of all of Fashion-MNIST, with a test after each. cnndsl
    also writes checkpoints, metrics and curves; the plain loop writes nothing.""",
    ("network",),
    cases,
    quantities=(WALL,),
    rounds=1,
    warm=False,
    packages=("torch", "torchvision"),
    options=options,
)

if __name__ == "__main__":
    main(QUESTION)
