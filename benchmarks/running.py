"""Running a module: the emitted one beside torchvision's, step by step and compiled.

python benchmarks/running.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from measure import Case, Measure, Question, main, timed

if TYPE_CHECKING:
    from torch import Tensor, nn

    Step = Callable[[nn.Module, Tensor], object]

#: The size of a batch, and of its pictures: so small that what is not a kernel counts.
BATCH, SIZE = 2, 64
#: Networks of chains, blocks, branches, splits and dense blocks.
NETWORKS = ("resnet18", "googlenet", "mobilenet_v3_small", "shufflenet_v2_x1_0", "densenet121")
COMPILED = ("resnet18", "shufflenet_v2_x1_0")
#: How many steps are one measurement.
STEPS = 5


def forward(module: nn.Module, batch: Tensor) -> object:
    import torch

    with torch.no_grad():
        return module(batch)


def forward_backward(module: nn.Module, batch: Tensor) -> object:
    module.zero_grad()
    return module(batch).sum().backward()


def pair(name: str) -> Mapping[str, nn.Module]:
    """Both modules with the same weights."""
    import torchvision

    import cnndsl

    options = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    theirs = torchvision.models.get_model(name, weights=None, **options)
    ours = cnndsl.load(f"zoo:torchvision/{name}").module(theirs.state_dict())
    return {"cnndsl": ours.train(), "torchvision": theirs.train()}


def steps(module: Callable[..., object], step: Step) -> Measure:
    """Several steps in a row with the same batch."""
    import torch

    batch = torch.rand(BATCH, 3, SIZE, SIZE)

    def run() -> None:
        for _ in range(STEPS):
            step(module, batch)

    return lambda round: timed(run)


def compared(label: tuple[str, ...], modules: Mapping[str, Callable[..., object]], step: Step) -> Case:
    return Case(label, {who: steps(module, step) for who, module in modules.items()})


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    import torch

    for name in NETWORKS:
        modules = pair(name)
        yield compared((name, "eager", "forward"), modules, forward)
        yield compared((name, "eager", "forward and backward"), modules, forward_backward)
    for name in COMPILED:
        compiled = {who: torch.compile(module, fullgraph=True) for who, module in pair(name).items()}
        yield compared((name, "compiled", "forward and backward"), compiled, forward_backward)


QUESTION = Question(
    __file__,
    "Running a module",
    f"""{STEPS} steps of the emitted module are compared with as many of torchvision's, with the same weights and
    batches of {BATCH} pictures of {SIZE} x {SIZE}: so few that the calls between the kernels count. The compiled ones
    come from `torch.compile(fullgraph=True)`, which refuses a module that is not one graph; compiling is not timed.""",
    ("network", "module", "steps"),
    cases,
    packages=("torch", "torchvision"),
)

if __name__ == "__main__":
    main(QUESTION)
