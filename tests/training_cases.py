"""What tests of training share: a spec that trains in a second, and the loop that people write by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    """The module of a spec as a training begins with it."""
    net = loads(text)
    assert net.recipe is not None
    torch.manual_seed(derived(net.recipe.seed, "weights"))
    return net.module()


def by_hand(text: str, make_optimizer: Any, loss: nn.Module, after_epoch: Any = None, clip: float = 0.0) -> nn.Module:
    """The plain loop over the same batches: what a training has to equal, bit for bit."""
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
        if after:
            after.step()
    return module.eval()


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    left, right = one.state_dict(), other.state_dict()
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name
