"""Shapes and costs in a process that runs already: ``cnndsl.load`` beside analyses of a module that is built already.

python benchmarks/compile.py
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Iterator
from functools import partial

from measure import Case, Question, main, prepared
from networks import INPUT, NETWORKS, model, spec


def load(network: str) -> Callable[[], object]:
    import cnndsl

    return lambda: cnndsl.load(spec(network)).cost


def summary(network: str, device: str) -> Callable[[], object]:
    import torch
    import torchinfo

    with torch.device(device):
        module = model(network)
    return partial(torchinfo.summary, module, input_size=INPUT, device=device, verbose=0)


def flops(network: str) -> Callable[[], object]:
    import torch
    from fvcore.nn import FlopCountAnalysis

    logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
    module, image = model(network).eval(), torch.rand(INPUT)
    return lambda: FlopCountAnalysis(module, image).total()


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    for network in NETWORKS:
        contestants = {
            "cnndsl": partial(load, network),
            "torchinfo": partial(summary, network, "cpu"),
            "torchinfo on meta": partial(summary, network, "meta"),
            "fvcore": partial(flops, network),
        }
        yield Case((network,), {name: prepared(make) for name, make in contestants.items()})


QUESTION = Question(
    __file__,
    "Shapes and costs in a running process",
    """`cnndsl.load(spec).cost`, from the file to parameters and MACs, is compared with `torchinfo.summary` and with
    fvcore's `FlopCountAnalysis`. These get a module that is built already, whose construction is not timed, and a
    picture of 224 x 224; torchinfo's on the device `meta` computes no values. Everything is imported before.""",
    ("network",),
    cases,
    packages=("torch", "torchvision", "torchinfo", "fvcore"),
)

if __name__ == "__main__":
    main(QUESTION)
