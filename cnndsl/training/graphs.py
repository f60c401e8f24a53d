"""Steps that are captured in a CUDA graph once, and then replayed: the device never waits for Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, optim

from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe import Recipe
from cnndsl.training.learner import Learner, can_skip

#: Images and labels of a batch.
Loaded: TypeAlias = tuple[Tensor, Tensor]
#: A step, as a function of its batches.
Compute: TypeAlias = Callable[[Sequence[Loaded]], None]
#: The steps that run as usual before one is captured. In them kernels are compiled, chosen and loaded, and the
#: optimizer makes its state.
WARM_UP = 3


class Graph(Protocol):
    """Recorded work of a device."""

    def replay(self) -> None:
        """Does the work again, with the same tensors."""


class Replayed:
    """A step that replays a graph. All its batches have the shapes of the first ones.

    A graph has fixed addresses, so batches are copied into its own tensors. It also has fixed numbers, so a step is
    captured anew if a schedule has changed the optimizer's settings. What the step draws at random depends on
    the seed that torch has when it is replayed.
    """

    def __init__(self, compute: Compute, optimizer: optim.Optimizer) -> None:
        self.compute, self.optimizer = compute, optimizer
        self.warm = 0
        self.inputs: list[Loaded] = []
        self.graph: Graph | None = None
        self.settings: list[dict[str, Any]] = []

    def __call__(self, batches: Sequence[Loaded]) -> None:
        if self.warm < WARM_UP:
            self.warm += 1
            self.compute(batches)
            return
        self._load(batches)
        settings = _settings(self.optimizer)
        if self.graph is None or self.settings != settings:
            self.graph = None  # the next one can have its memory
            with _capturable(self.optimizer):
                self.graph = captured(lambda: self.compute(self.inputs))
            self.settings = settings
        self.graph.replay()

    def _load(self, batches: Sequence[Loaded]) -> None:
        if not self.inputs:
            self.inputs = [(torch.empty_like(images), torch.empty_like(labels)) for images, labels in batches]
        for own, given in zip(self.inputs, batches):
            for mine, new in zip(own, given):
                mine.copy_(new)


def captured(work: Callable[[], None]) -> Graph:
    """``work`` as a CUDA graph; it is not done yet. Raises :class:`RunError` if it cannot be captured."""
    graph = torch.cuda.CUDAGraph()
    try:
        # Only this thread's calls are restricted: another one may be pinning memory for pictures.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        # The end of a failed capture raises another error, which hides the first.
        said = str(error.__context__ or error).strip().splitlines()[:1]
        message = "a step of this network cannot be captured in a CUDA graph"
        raise RunError(Code.BROKEN, message, "`--no-cuda-graph`", said) from error
    return graph


def obstacle(recipe: Recipe, device: torch.device, processes: int, learner: Learner) -> str:
    """Why the steps of a training are not captured; empty if they are."""
    if device.type != "cuda":
        return f"the device is {device.type}"
    if processes > 1:
        return "several processes exchange their gradients"
    if not can_skip(learner.optimizer):
        return f"`{recipe.optimizer.name}` has no fused kernel"
    if learner.each_step:
        assert recipe.scheduler
        return f"`{recipe.scheduler.name}` changes the optimizer's settings after each step"
    return ""


def _settings(optimizer: optim.Optimizer) -> list[dict[str, Any]]:
    return [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]


@contextmanager
def _capturable(optimizer: optim.Optimizer) -> Iterator[None]:
    """Tells torch that the optimizer's step can be captured, as that of each fused kernel can. The mark would otherwise
    be in checkpoints, and disturb those who resume them on a CPU."""
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    before = [group["capturable"] for group in groups]
    for group in groups:
        group["capturable"] = True
    try:
        yield
    finally:
        for group, value in zip(groups, before):
            group["capturable"] = value
