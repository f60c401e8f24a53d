"""What a training's processes send each other, as docs/training.md calculates it. One process is a group too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from training_cases import SPEC

import cnndsl

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from exchange import gradient_bytes, sent

ARCHS = Path(__file__).parent.parent / "archs"
#: Bytes of a gradient in fp32.
FP32 = 4


@pytest.fixture(scope="module", autouse=True)
def group() -> Iterator[None]:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("name, size, buckets", [("lenet", 28, 1), ("lenet_bn", 28, 1), ("resnet18", 32, 3)])
def test_the_gradients_are_sent_once_a_step(name: str, size: int, buckets: int) -> None:
    network = cnndsl.load(ARCHS / f"{name}.yaml")
    module = network.module()
    (x,) = network.graph.inputs.values()
    counted = sent(module, torch.rand(2, x.shape.sample[0], size, size), torch.zeros(2, dtype=torch.int64))
    assert counted.gradients == gradient_bytes(module) == network.cost.params * FP32
    assert counted.buckets == buckets


def test_frozen_parameters_are_not_sent() -> None:
    module = cnndsl.loads(SPEC).module()
    before = gradient_bytes(module)
    frozen = module.get_submodule("0")
    frozen.requires_grad_(False)
    less = sum(parameter.numel() for parameter in frozen.parameters()) * FP32
    counted = sent(module, torch.rand(2, 1, 12, 12), torch.zeros(2, dtype=torch.int64))
    assert 0 < counted.gradients == gradient_bytes(module) == before - less < before
