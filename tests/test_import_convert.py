"""Whole modules as specs: the order of classes, names, and the document's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

import cnndsl
from cnndsl.importing.convert import convert
from cnndsl.importing.experiment import Rebuild
from cnndsl.importing.tree import Spec


def spec_of(module: nn.Module, rebuild: Rebuild | None = None, **others: Any) -> tuple[Spec, str]:
    """The spec and its text; its network has the module's tensors and computes the same."""
    found = convert(module, {"x": (3, 32, 32)}, rebuild=rebuild, **others)
    ours = cnndsl.loads(found.text).module()
    ours.load_state_dict(module.state_dict())
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(ours.eval()(x), module.eval()(x))
    return found.spec, found.text


class Unit(nn.Module):
    """A convolution with its norm."""

    def __init__(self, entering: int, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(entering, channels, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x)).relu()


class Stage(nn.Module):
    def __init__(self, entering: int, channels: int, depth: int) -> None:
        super().__init__()
        self.first = Unit(entering, channels, 2)
        self.rest = nn.Sequential(*(Unit(channels, channels) for _ in range(depth)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        return x + self.rest(x)


class SmallNet(nn.Module):
    """Two stages and a classifier. The rest of the text is not told."""

    def __init__(self, num_classes: int = 10, width: int = 8, dropout: float = 0.5) -> None:
        super().__init__()
        self.stem = Unit(3, width)
        self.stage1 = Stage(width, 2 * width, 1)
        self.stage2 = Stage(2 * width, 4 * width, 3)
        self.drop = nn.Dropout(dropout)
        self.fc = nn.Linear(4 * width, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stage2(self.stage1(self.stem(x))).mean((2, 3))
        return self.fc(self.drop(x))


def rebuilt(changed: Mapping[str, Any]) -> nn.Module:
    with torch.device("meta"):
        return SmallNet(**changed)


def test_classes_are_blocks_the_inner_ones_first() -> None:
    spec, text = spec_of(SmallNet())
    assert [block.name for block in spec.blocks] == ["Unit", "Stage"]
    assert spec.name == "smallnet" and spec.description == "Two stages and a classifier"
    assert "      times: " in text


def test_arguments_that_are_only_handed_on_are_parameters() -> None:
    """``width`` changes more than its own value, so it stays a number."""
    arguments = {(module := SmallNet()): {"num_classes": 10, "width": 8, "dropout": 0.5}}
    spec, text = spec_of(module, rebuilt, arguments=arguments)
    assert spec.params == (("num_classes", 10), ("dropout", 0.5))
    assert "Linear: $num_classes" in text and "Dropout: $dropout" in text
    assert cnndsl.loads(text, num_classes=7).module()(torch.randn(2, 3, 32, 32)).shape == (2, 7)


class Decides(nn.Module):
    """What it is depends on its argument, but not between 9 and 99."""

    def __init__(self, num_classes: int, how: str) -> None:
        super().__init__()
        self.num_classes, self.how = num_classes, how
        self.conv = nn.Conv2d(3, 4, 3)
        self.drop = nn.Dropout(0.5 if how == "dropout" and num_classes > 99 else 0.1)
        self.hidden = nn.Linear(4, 8 if how != "hidden" or num_classes > 2 else 4)
        least = {"least": 8, "binary": num_classes == 2 and -1}.get(how, 0)
        self.fc = nn.Linear(self.hidden.out_features, max(num_classes, least) if least != -1 else 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.fc(self.hidden(self.drop(self.conv(x).mean((2, 3)))))
        return x.sigmoid() if self.how == "forward" and self.num_classes == 1 else x


@pytest.mark.parametrize(("how", "parameters"), [
    ("", ["num_classes"]), ("dropout", []), ("hidden", []), ("least", []), ("binary", []), ("forward", []),
])  # fmt: skip
def test_an_argument_that_decides_something_else_is_no_parameter(how: str, parameters: list[str]) -> None:
    arguments = {(module := Decides(10, how)): {"num_classes": 10}}

    def rebuild(changed: Mapping[str, Any]) -> nn.Module:
        with torch.device("meta"):
            return Decides(changed["num_classes"], how)

    spec, _ = spec_of(module, rebuild, arguments=arguments)
    assert [name for name, _ in spec.params] == parameters


def test_what_cannot_be_built_again_has_no_parameters() -> None:
    def refuse(changed: Mapping[str, Any]) -> nn.Module:
        raise ValueError(changed)

    arguments = {(module := SmallNet()): {"num_classes": 10}}
    spec, _ = spec_of(module, refuse, arguments=arguments)
    assert spec.params == ()


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pool(self.conv(x))


class Once(nn.Module):
    def __init__(self, count: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(Head() for _ in range(count))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([head(x) for head in self.heads], 1)


@pytest.mark.parametrize(("count", "blocks"), [(1, []), (2, ["Head"])])
def test_a_few_layers_used_once_are_no_block(count: int, blocks: list[str]) -> None:
    spec, _ = spec_of(Once(count))
    assert [block.name for block in spec.blocks] == blocks


class Tree(nn.Module):
    """Contains itself, less deep."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.inner = Tree(depth - 1) if depth else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.inner(self.conv(x))


def test_a_class_that_contains_itself_is_a_block_for_each_depth() -> None:
    spec, _ = spec_of(Tree(2))
    assert len(spec.blocks) == 2


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("LeNet", "lenet"),
        ("ConvNeXtish", "convnextish"),
        ("SRNet", "srnet"),
        ("SmallResNet18", "small_resnet18"),
        ("Two_Inputs", "two_inputs"),
        ("SiameseNetwork", "siamese_network"),
        ("UNet", "unet"),
        ("lambda", "lambda_"),
        ("Ünet", "network"),
    ],
)
def test_the_name_is_that_of_the_class(kind: str, name: str) -> None:
    made = type(kind, (Head,), {})
    assert spec_of(made())[0].name == name


def test_the_docstring_of_a_class_of_torch_is_no_description() -> None:
    assert spec_of(nn.Sequential(nn.Conv2d(3, 4, 1)))[0].description == ""
    assert spec_of(type("Mine", (nn.Sequential,), {"__doc__": "One layer."})(nn.Conv2d(3, 4, 1)))[0].description


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_a_module_that_is_called_twice_stays_one(name: str) -> None:
    """``self.relu`` of a ResNet: the spec that comes back has the modules of the one that the network was built of."""
    net = cnndsl.load(f"zoo:{name}")
    text = cnndsl.from_module(net.module(), (3, 224, 224), name=name, prove=False)
    assert "- reuse: relu" in text
    assert not cnndsl.diff(net, cnndsl.loads(text)).changes


class Counts(nn.Module):
    """One norm in both sides, whose statistics depend on which is first."""

    def __init__(self, *, deep_first: bool, concat: bool) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.deep_first, self.concat = deep_first, concat

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.deep_first:
            deep = self.bn(self.conv(x))
            flat = self.bn(x)
        else:
            flat = self.bn(x)
            deep = self.bn(self.conv(x))
        return torch.cat([flat, deep], 1) if self.concat else flat + deep


@pytest.mark.parametrize("deep_first", [False, True])
@pytest.mark.parametrize("concat", [False, True])
def test_a_shared_norm_counts_in_the_order_in_which_it_ran(deep_first: bool, concat: bool) -> None:
    module = Counts(deep_first=deep_first, concat=concat)
    ours = cnndsl.loads(spec_of(module)[1]).module()
    ours.load_state_dict(module.state_dict())
    x = torch.randn(2, 3, 32, 32)
    ours.train()(x)
    module.train()(x)
    assert torch.equal(ours.bn.running_mean, module.bn.running_mean)
