"""The benchmarks of training: their data, and what processes send each other, as docs/training.md calculates it."""

from __future__ import annotations

import gzip
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torchvision.datasets import FashionMNIST
from training_cases import SPEC

import cnndsl

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

from exchange import gradient_bytes, sent
from trainings import fashion

ARCHS = Path(__file__).parent.parent / "archs"
#: Bytes of a gradient in fp32.
FP32 = 4


def idx(*shape: int) -> bytes:
    """An idx file of bytes, whose last one tells where it is."""
    header = bytes((0, 0, 8, len(shape))) + b"".join(size.to_bytes(4, "big") for size in shape)
    return header + bytes(number % 251 for number in range(math.prod(shape)))


def test_a_part_of_a_data_set_is_read_as_the_first_samples(tmp_path: Path) -> None:
    for split, samples in (("train", 9), ("t10k", 4)):
        (tmp_path / f"{split}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(samples, 28, 28)))
        (tmp_path / f"{split}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(samples)))
    with fashion(tmp_path, samples=5) as root:
        train, test = (FashionMNIST(root, train=train) for train in (True, False))
        whole = torch.arange(9 * 28 * 28).remainder(251).view(9, 28, 28)
        assert torch.equal(train.data, whole[:5].byte()) and train.targets.tolist() == [0, 1, 2, 3, 4]
        assert len(test) == 4 and test.targets.tolist() == [0, 1, 2, 3]


@pytest.fixture
def group() -> Iterator[None]:
    """One process is a group too."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("group")
@pytest.mark.parametrize("name, size, buckets", [("lenet", 28, 1), ("lenet_bn", 28, 1), ("resnet18", 32, 3)])
def test_the_gradients_are_sent_once_a_step(name: str, size: int, buckets: int) -> None:
    network = cnndsl.load(ARCHS / f"{name}.yaml")
    module = network.module()
    (x,) = network.graph.inputs.values()
    counted = sent(module, torch.rand(2, x.shape.sample[0], size, size), torch.zeros(2, dtype=torch.int64))
    assert counted.gradients == gradient_bytes(module) == network.cost.params * FP32
    assert counted.buckets == buckets


@pytest.mark.usefixtures("group")
def test_frozen_parameters_are_not_sent() -> None:
    module = cnndsl.loads(SPEC).module()
    before = gradient_bytes(module)
    frozen = module.get_submodule("0")
    frozen.requires_grad_(False)
    less = sum(parameter.numel() for parameter in frozen.parameters()) * FP32
    counted = sent(module, torch.rand(2, 1, 12, 12), torch.zeros(2, dtype=torch.int64))
    assert 0 < counted.gradients == gradient_bytes(module) == before - less < before
