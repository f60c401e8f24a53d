"""Shared by tests of training: a spec that trains in a second, and a handwritten loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from cnndsl.network import loads
from cnndsl.recipe import Recipe
from cnndsl.training.data import Data, Places, open_data
from cnndsl.training.plan import derived, epoch_plan

SPEC = """\
name: tiny
input: [1, 12, 12]
params: {classes: 4}
network:
  - Conv2d: {out_channels: 6, kernel_size: 3}
  - BatchNorm2d
  - ReLU
  - MaxPool2d: 2
  - Flatten
  - Dropout: 0.2
  - Linear: $classes
train:
  dataset: {Synthetic: {size: 150, test_size: 60}}
  epochs: 3
  batch_size: 32
  optimizer: {SGD: {lr: 0.1, momentum: 0.9}}
"""


#: Without layers that distinguish one batch from several: batch normalisation and dropout.
PLAIN = SPEC.replace("  - BatchNorm2d\n", "").replace("  - Dropout: 0.2\n", "")


class LossCase(NamedTuple):
    """``call``, as a recipe has it; what the network ends with; and a learning rate that keeps its steps small."""

    call: dict[str, dict[str, Any]]
    end: str = ""
    lr: float = 0.1

    @property
    def spec(self) -> str:
        text = PLAIN.replace("  - Linear: $classes\n", f"  - Linear: $classes\n{self.end}")
        return text.replace("lr: 0.1", f"lr: {self.lr}").replace("epochs: 3", "epochs: 1")

    @property
    def by_torch(self) -> nn.Module:
        ((name, arguments),) = self.call.items()
        weight = torch.tensor(arguments["weight"]) if "weight" in arguments else None
        made: nn.Module = getattr(nn, name)(**arguments | ({} if weight is None else {"weight": weight}))
        return made


_WEIGHT = [1.0, 20.0, 0.0, 5.0]
#: Every loss, with all that makes one label count more than another. A quarter of the labels is 1, a quarter 2.
LOSSES = {
    "plain": LossCase({"CrossEntropyLoss": {}}),
    "weight": LossCase({"CrossEntropyLoss": {"weight": _WEIGHT}}),
    "ignore_index": LossCase({"CrossEntropyLoss": {"ignore_index": 1}}),
    "smoothing": LossCase({"CrossEntropyLoss": {"label_smoothing": 0.1, "ignore_index": 3}}),
    "all": LossCase({"CrossEntropyLoss": {"weight": _WEIGHT, "label_smoothing": 0.1, "ignore_index": 1}}),
    "sum": LossCase({"CrossEntropyLoss": {"weight": _WEIGHT, "reduction": "sum"}}, lr=0.0005),
    "NLLLoss": LossCase({"NLLLoss": {"weight": _WEIGHT, "ignore_index": 1}}, end="  - LogSoftmax: 1\n"),
    "MultiMarginLoss": LossCase({"MultiMarginLoss": {"weight": _WEIGHT, "p": 1}}),
    "MultiMarginLoss sum": LossCase({"MultiMarginLoss": {"p": 2, "margin": 0.5, "reduction": "sum"}}, lr=0.001),
}


def furthest(one: nn.Module, other: nn.Module) -> float:
    """The largest difference between two modules' tensors."""
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    return max(float((tensor - right[name]).abs().max()) for name, tensor in left.items())


def spec_file(folder: Path, text: str = SPEC, name: str = "tiny.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def data_of(text: str, **places: Any) -> tuple[Recipe, Data]:
    """The recipe of a spec, and its data."""
    net = loads(text)
    assert net.recipe is not None
    (x,), (out,) = net.graph.inputs.values(), net.graph.outputs.values()
    data = open_data(net.recipe, x.shape.sample, out.shape.sample, Places(**places), torch.device("cpu"))
    return net.recipe, data


def first_weights(text: str) -> nn.Module:
    """The module of a spec with the first weights of its training."""
    net = loads(text)
    assert net.recipe is not None
    torch.manual_seed(derived(net.recipe.seed, "weights"))
    return net.module()


def by_hand(
    text: str,
    make_optimizer: Any,
    loss: nn.Module,
    after_epoch: Any = None,
    clip: float = 0.0,
    after_step: Any = lambda module: None,
) -> nn.Module:
    """The plain loop over the same batches. A training must equal it bit for bit."""
    recipe, data = data_of(text)
    module = first_weights(text)
    optimizer = make_optimizer(module.parameters())
    after = after_epoch(optimizer) if after_epoch else None
    for epoch in range(recipe.epochs):
        module.train()
        plan = epoch_plan(len(data.train), recipe, epoch)
        for item, (images, labels) in zip(plan, data.train.batches([item.batch for item in plan])):
            torch.manual_seed(item.batch.seed)
            optimizer.zero_grad()
            loss(module(images), labels).backward()
            if clip:
                nn.utils.clip_grad_norm_(module.parameters(), clip)
            optimizer.step()
            after_step(module)
        if after:
            after.step()
    return module.eval()


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name
