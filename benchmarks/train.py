"""Training on Fashion-MNIST: ``cnndsl train``, a plain loop, Keras's fit and Lightning's Trainer.

    python benchmarks/train.py --network lenet lenet_bn --samples 60000 --workers 0 2
    python benchmarks/train.py --precision fp32 bf16 --compile --busy 0 --peer-python peers/bin/python

Keras and Lightning may have a separate environment:

    python3 -m venv peers && peers/bin/pip install torchvision lightning keras tensorflow-cpu
"""

from __future__ import annotations

import argparse
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from measure import Case, Question, main
from peers.common import NETWORKS, PRECISIONS, Task
from trainings import PLAIN, RATE, Peer, add_data, fashion, measured, ours, set_threads, task


def peers(asked: argparse.Namespace, trial: Task) -> dict[str, Peer]:
    """The others, with the number of workers that is the fastest here."""
    keras = Peer("keras_fit.py", asked.peer_python, loads=False, backend=asked.keras_backend)
    found = {"plain loop": PLAIN, "Keras": keras, "Lightning": Peer("lightning_trainer.py", asked.lightning_python)}
    return {name: peer.with_workers(trial, asked.workers) for name, peer in found.items()}


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    set_threads(asked)
    with fashion(asked.data_dir, asked.samples) as root:
        first = task(asked.network[0], root, epochs=asked.epochs, examples=asked.samples)
        others = peers(asked, first)
        loaders = [f"{name}: {peer.workers} workers in the DataLoader" for name, peer in others.items() if peer.loads]
        modes = [False, True] if asked.compile else [False]
        for network, precision, compiled, busy in itertools.product(asked.network, asked.precision, modes, asked.busy):
            work = task(network, root, epochs=asked.epochs, examples=asked.samples)
            work = replace(work, precision=precision, compile=compiled)
            trains = {"cnndsl": ours, **others}
            yield Case(
                (network, precision, "compiled" if compiled else "eager", f"{busy} of {os.cpu_count()}"),
                {name: partial(measured, train, work, busy) for name, train in trains.items()},
                notes=(f"threads: {asked.threads or 'the default of each'}", *loaders),
            )


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=["lenet"])
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS, default=["fp32"])
    parser.add_argument("--compile", action="store_true", help="add compiled rows; the plain loop stays eager")
    parser.add_argument("--busy", nargs="+", type=int, default=[0, 1], help="cores that other processes take")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=5_120, help="training samples; 60000 for all")
    parser.add_argument("--workers", nargs="+", type=int, default=[0], help="of DataLoaders; the fastest number counts")
    parser.add_argument("--lightning-python", default=PLAIN.python, help="a Python with Lightning; default: this one")
    parser.add_argument("--keras-backend", choices=["tensorflow", "torch", "jax"], default="tensorflow")
    add_data(parser)


QUESTION = Question(
    __file__,
    "Training",
    """`cnndsl train`, a loop written by hand with a DataLoader, Keras's `fit` and Lightning's `Trainer` train the same
    network on Fashion-MNIST, on the CPU, with the same batch size and learning rate and without progress bars. Each is
    a process. The rate is that of training without tests, the median of the epochs after the first. While a core is
    taken, another process computes on it without a pause.""",
    ("network", "precision", "mode", "cores taken"),
    cases,
    quantities=(RATE,),
    rounds=3,
    warm=False,
    packages=("torch", "torchvision", "keras", "tensorflow-cpu", "lightning"),
    options=options,
)

if __name__ == "__main__":
    main(QUESTION)
