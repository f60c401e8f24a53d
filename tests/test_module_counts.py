"""What it takes to make a module, counted: how often a source is emitted and run, and what is done to tensors."""

from __future__ import annotations

import gc
import pickle
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from oracle_zoo import theirs
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import cnndsl
from cnndsl.emit import module, source
from cnndsl.emit.source.plan import Planner

SPEC = """\
input: [3, 8, 8]
blocks:
  Unit(channels): [Conv2d: [$channels, 3], BatchNorm2d, ReLU]
network: [Unit: 4, Unit: 6, Flatten, Linear: 3]
"""
#: How torchvision initialises networks after torch did.
INITS = {
    "shufflenet_v2_x0_5": "{}",
    "densenet121": "{Conv2d: kaiming_normal, BatchNorm2d: {weight: ones, bias: zeros}, Linear: {bias: zeros}}",
    "mobilenet_v2": """
        Conv2d: {kaiming_normal: {mode: fan_out}}
        BatchNorm2d: {weight: ones, bias: zeros}
        Linear: {weight: {normal: {std: 0.01}}, bias: zeros}""",
}
#: One network of each family of torchvision.
FAMILIES = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet50",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_0", "squeezenet1_1", "vgg11", "vgg11_bn",
)  # fmt: skip


# --- the source ----------------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a source was emitted and compiled since."""
    gc.collect()  # the classes of earlier tests
    counted: Counter[str] = Counter()

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any) -> Any:
            counted[name] += 1
            return real(*arguments)

        return count

    monkeypatch.setattr(source, "emit", counting("emit", source.emit))
    monkeypatch.setattr(module, "compile", counting("compile", compile), raising=False)
    return counted


def test_a_network_emits_and_compiles_its_source_once(calls: Counter[str]) -> None:
    net = cnndsl.loads(SPEC)
    texts = [net.source()]
    for _ in range(3):
        net.module()  # and away with it
        gc.collect()
        texts.append(net.source())
    assert calls == {"emit": 1, "compile": 1}
    assert len({*texts}) == 1


def test_networks_of_one_source_share_its_classes(calls: Counter[str]) -> None:
    first, second = cnndsl.loads(SPEC), cnndsl.loads(SPEC)
    assert type(first.module()) is type(second.module())
    assert calls == {"emit": 2, "compile": 1}


def test_a_network_without_modules_emits_nothing(calls: Counter[str]) -> None:
    net = cnndsl.loads(SPEC)
    assert net.shapes() and net.diagram() and net.cost.params and repr(net)
    assert not calls


def test_equal_uses_of_a_block_are_laid_side_by_side_twice() -> None:
    units = ", ".join(["Unit: 4"] * 30 + ["Unit: 6"] * 30)
    net = cnndsl.loads(
        SPEC.replace("Conv2d: [$channels, 3]", "Conv2d: [$channels, 1]").replace("Unit: 4, Unit: 6", units)
    )
    planner = Planner(net.graph, frozenset())
    planner.plan()
    uses = {bound.name: len(bound.aligned.uses) for bound in planner.bounds}
    assert uses == {"Unit": 1 + 2 + 1 + 2, "Network": 1}  # from 3 to 4 channels, 4 to 4, 4 to 6, 6 to 6
    assert len(net.module()) == 62


def test_a_pickle_of_a_network_has_no_class() -> None:
    """Another process has no such class."""
    net = cnndsl.loads(SPEC)
    before = pickle.dumps(net)
    net.module()
    assert pickle.dumps(net) == before
    again = pickle.loads(before)
    assert again.source() == net.source() and type(again.module()) is type(net.module())


def test_a_network_of_another_size_has_its_own_source() -> None:
    net = cnndsl.loads(SPEC)
    net.module()
    other = net.at_size((3, 10, 10))
    assert other.source() != net.source()
    assert other.module()(torch.zeros(1, 3, 10, 10)).shape == (1, 3)


# --- the tensors ---------------------------------------------------------------------------------


class Counting(TorchDispatchMode):
    """Counts operations, and how often each parameter is written. It keeps the tensors, so that no two of them have one
    identity."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0
        self.written: list[Tensor] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        self.operations += 1
        if function._schema.is_mutable:
            self.written.append(arguments[0])
        return function(*arguments, **(keywords or {}))

    def writes(self, made: nn.Module) -> Iterator[int]:
        """How often each parameter was written."""
        counts = Counter(map(id, self.written))
        return (counts[id(parameter)] for parameter in made.parameters())


def counted(make: Callable[[], nn.Module]) -> tuple[nn.Module, Counting]:
    with torch.device("meta"), Counting() as counting:
        return make(), counting


@pytest.mark.parametrize("name", FAMILIES)
def test_a_module_takes_no_more_operations_than_torchvisions(name: str) -> None:
    ours, work = counted(cnndsl.load(f"zoo:torchvision/{name}").module)
    _, their_work = counted(lambda: theirs(name))
    assert 0 < work.operations <= their_work.operations
    assert max(work.writes(ours)) == 1


def test_an_initializer_writes_once_what_it_initialises() -> None:
    made, work = counted(cnndsl.loads(f"{SPEC}init: {{Linear: {{weight: xavier_normal}}}}\n").module)
    writes = dict(zip(dict(made.named_parameters()), work.writes(made), strict=True))
    assert {name for name, count in writes.items() if count == 2} == {"3.weight"}
    assert {*writes.values()} == {1, 2}


@pytest.mark.parametrize("name", INITS)
def test_with_torchvisions_initializers_the_weights_are_torchvisions(name: str) -> None:
    net = cnndsl.loads(f"extends: zoo:torchvision/{name}\ninit: {INITS[name]}\n")
    torch.manual_seed(0)
    ours = net.module().state_dict()
    torch.manual_seed(0)
    their = theirs(name, "cpu").state_dict()
    assert all(map(torch.equal, ours.values(), their.values()))
    assert [*ours] == [*their]
