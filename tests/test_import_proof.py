"""The proof of an import: two equal networks are equal, and each planted fault is found at its layer."""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from oracle_zoo import theirs
from torch import Tensor, nn

import cnndsl
from cnndsl.diagnostics import ModuleError
from cnndsl.importing.api import import_module
from cnndsl.importing.proof import Proof, Unequal, prove
from cnndsl.importing.proof.runs import Side, evaluated, trained
from cnndsl.importing.proof.samples import candidates, drawn

SPEC = """\
input: [3, 32, 32]
blocks:
  Block(channels):
    - residual:
        - {name: conv1, Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1, bias: false}}
        - {name: bn1, BatchNorm2d: {momentum: 0.2}}
        - ReLU
        - {name: conv2, Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1}}
        - {name: bn2, BatchNorm2d: {eps: 0.001}}
    - ReLU
network:
  - {name: stem, Conv2d: {out_channels: 8, kernel_size: 3, stride: 2, padding: 1}}
  - {name: first, Block: 8}
  - {name: second, Block: 8}
  - branch:
      - - {name: left, Conv2d: {out_channels: 4, kernel_size: 1}}
      - - {name: right, Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}
  - {name: norm, GroupNorm: {num_groups: 2, eps: 0.00001}}
  - AdaptiveAvgPool2d: 1
  - Flatten
  - {name: dropout, Dropout: {p: 0.3}}
  - {name: fc, Linear: 5}
"""


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, momentum=0.2)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels, eps=0.001)
        nn.init.zeros_(self.bn2.weight)  # hides the whole branch

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(x + y)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.first, self.second = Block(8), Block(8)
        self.left = nn.Conv2d(8, 4, 1)
        self.right = nn.Conv2d(8, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 8)
        self.dropout = nn.Dropout(0.3)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(self.stem(x)))
        x = self.norm(torch.cat([self.left(x), self.right(x)], 1))
        return self.fc(self.dropout(x.mean((2, 3))))


def proved(text: str = SPEC, module: nn.Module | None = None, **options: object) -> Proof:
    return prove(text, module or Net(), {"x": (3, 32, 32)}, **options)


def fault(text: str, module: nn.Module | None = None) -> str:
    with pytest.raises(Unequal) as caught:
        proved(text, module)
    assert caught.value.text == text
    (refusal,) = caught.value.refusals
    return refusal.message


def test_an_equal_network_is_equal_at_three_sizes_and_batches() -> None:
    proof = proved()
    assert proof.shapes == (((1, 3, 64, 80),), ((2, 3, 64, 96),), ((3, 3, 33, 47),))
    assert proof.inexact == {} and proof.training and proof.spare == ()
    assert proof.names == {name: name for name in Net().state_dict()}


FC = "  - {name: fc, Linear: 5}\n"
#: A change of the spec, and what the message names.
FAULTS = {
    "stride": ("stride: 2, padding", "stride: 1, padding", "`stem` (Conv2d) is the first layer that differs"),
    "padding": ("{out_channels: $channels, kernel_size: 3, padding: 1}}", "{out_channels: $channels, kernel_size: 3, "
                "padding: 1, padding_mode: reflect}}", "`first.conv2` (Conv2d)"),
    "activation": ("bn1, BatchNorm2d: {momentum: 0.2}}\n        - ReLU\n", "bn1, BatchNorm2d: {momentum: 0.2}}\n",
                   "`first.conv2` (Conv2d)"),
    "last activation": ("eps: 0.001}}\n    - ReLU\n", "eps: 0.001}}\n", "`first` (Block)"),
    "shortcut": ("eps: 0.001}}\n    - ReLU\n", "eps: 0.001}}\n      shortcut: [Tanh]\n    - ReLU\n", "`first` (Block)"),
    "order of blocks": ("  - {name: first, Block: 8}\n  - {name: second, Block: 8}\n",
                        "  - {name: second, Block: 8}\n  - {name: first, Block: 8}\n", "`first.conv1` (Conv2d)"),
    "order of branches": ("      - - {name: left, Conv2d: {out_channels: 4, kernel_size: 1}}\n"
                          "      - - {name: right, Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}\n",
                          "      - - {name: right, Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}\n"
                          "      - - {name: left, Conv2d: {out_channels: 4, kernel_size: 1}}\n", "`norm` (GroupNorm)"),
    "pooling": ("AdaptiveAvgPool2d: 1", "AdaptiveMaxPool2d: 1", "`dropout` (Dropout)"),
    "groups": ("num_groups: 2", "num_groups: 4", "`norm` (GroupNorm)"),
    "eps": ("BatchNorm2d: {eps: 0.001}", "BatchNorm2d", "`first.bn2` (BatchNorm2d) is 1e-05 in the spec, 0.001"),
    "eps that rounding hides": ("eps: 0.00001}", "eps: 0.00000999}", "`eps` of `norm` (GroupNorm)"),
    "momentum": ("momentum: 0.2", "momentum: 0.1", "`momentum` of `first.bn1` (BatchNorm2d) is 0.1 in the spec, 0.2"),
    "p": ("p: 0.3", "p: 0.4", "`p` of `dropout` (Dropout) is 0.4 in the spec, 0.3"),
    "bias": ("padding: 1, bias: false", "padding: 1", "the module has no first.conv1.bias"),
    "a missing layer": ("  - {name: norm, GroupNorm: {num_groups: 2, eps: 0.00001}}\n", "", "has no norm.weight"),
    "channels": ("{name: right, Conv2d: {out_channels: 4", "{name: right, Conv2d: {out_channels: 6",
                 "`right.weight` is [6, 8, 3, 3] in the spec, [4, 8, 3, 3] in the module"),
    "a name": ("name: fc", "name: head", "the module has no head.weight, head.bias"),
    "one more": (FC, f"{FC}  - {{name: fc2, Linear: 5}}\n", "the module has no fc2.weight"),
    "outputs": (FC, f"{FC}outputs: [fc, dropout]\n", "it has 2 outputs, and the module 1"),
    "a size that is fixed": ("  - AdaptiveAvgPool2d: 1\n", "  - AvgPool2d: 16\n", "it does not run: mat1"),
    "syntax": ("network:", "netwrok:", "it does not compile: <text>:"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found_at_its_layer(old: str, new: str, told: str) -> None:
    assert SPEC.count(old) == 1
    message = fault(SPEC.replace(old, new))
    assert message.startswith("the spec is not equal to the module: ") and told in message


class FunctionalDropout(Net):
    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(self.stem(x)))
        x = self.norm(torch.cat([self.left(x), self.right(x)], 1))
        return self.fc(nn.functional.dropout(x.mean((2, 3)), 0.3, self.training))


def test_a_dropout_that_is_no_module_is_compared_in_training() -> None:
    plain = SPEC.replace("name: dropout, ", "")
    assert proved(plain, FunctionalDropout()).training
    assert "in training output 0 differs" in fault(plain.replace("p: 0.3", "p: 0.4"), FunctionalDropout())
    assert "in training output 0 differs" in fault(plain.replace("  - {Dropout: {p: 0.3}}\n", ""), FunctionalDropout())


class OwnMomentum(Net):
    """A statistic that the outputs do not show."""

    def __init__(self) -> None:
        super().__init__()
        self.first.bn1 = _Slow(8, momentum=0.2)


class _Slow(nn.BatchNorm2d):
    def forward(self, x: Tensor) -> Tensor:
        momentum, self.momentum = self.momentum, 0.01
        try:
            return super().forward(x)
        finally:
            self.momentum = momentum


def test_statistics_after_training_are_compared() -> None:
    assert "in training `first.bn1.running_mean` after it differs" in fault(SPEC, OwnMomentum())


def test_the_module_stays_as_it_is() -> None:
    module = Net().train()
    module.first.eval()
    module.fc.weight.requires_grad_(False)
    before = deepcopy(module.state_dict())
    states = torch.get_rng_state(), random.getstate()
    proved(module=module)
    assert all(map(torch.equal, before.values(), module.state_dict().values()))
    assert module.training and not module.first.bn1.training and module.second.bn1.training
    assert torch.equal(states[0], torch.get_rng_state()) and states[1] == random.getstate()
    assert not module.fc.weight.requires_grad and all(p.grad is None for p in module.parameters())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


def test_frozen_parameters_have_gradients_in_the_comparison() -> None:
    side = Side(
        Net().requires_grad_(False), dict(Net().named_parameters()) | dict(Net().named_buffers()), {"fc.weight": "w"}
    )
    found = evaluated(side, drawn([(3, 32, 32)], 1))
    gradient = found.others["the gradient of `w`"]
    assert gradient is not None and gradient.any()


def test_what_is_drawn_does_not_depend_on_the_order() -> None:
    class Two(nn.Module):
        def __init__(self, first: int) -> None:
            super().__init__()
            self.first = first

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            drops = [
                lambda: nn.functional.dropout(x, 0.5, self.training),
                lambda: nn.functional.dropout(x, 0.25, self.training),
            ]
            made = {number: drops[number]() for number in (self.first, 1 - self.first)}
            return made[0], made[1]

    one, other = (trained(Side(Two(first), {}, {}), drawn([(4, 8)], 2)).outputs for first in (0, 1))
    assert all(map(torch.equal, one, other)) and not torch.equal(one[0], one[1])


# --- names ---------------------------------------------------------------------------------------


class Renamed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.head_ = self.fc
        del self.fc

    def forward(self, x: Tensor) -> Tensor:
        self.__dict__["fc"] = self.head_
        try:
            return super().forward(x)
        finally:
            del self.__dict__["fc"]


def test_rename_gives_the_names_of_the_module() -> None:
    proof = proved(SPEC + "rename: {fc: head_}\n", Renamed())
    assert proof.names["fc.weight"] == "head_.weight"
    assert "the module has no fc.weight" in fault(SPEC, Renamed())


class Auxiliary(Net):
    """A head that runs in training only, and draws before the other dropout does."""

    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        if not self.training:
            return super().forward(x)
        aux = self.aux(nn.functional.dropout(x.mean((2, 3))[:, :1].expand(-1, 8), 0.5, True))
        return {"aux": aux, "out": super().forward(x)}


def test_what_only_runs_in_training_may_be_left_out() -> None:
    assert "the spec has no aux.weight" in fault(SPEC, Auxiliary())
    proof = proved(module=Auxiliary(), left_out=["aux"])
    assert proof.spare == ("aux.weight", "aux.bias") and proof.training


class Twice(nn.Module):
    """One layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 3, 3, padding=1)
        self.two = self.one

    def forward(self, x: Tensor) -> Tensor:
        return self.two(torch.relu(self.one(x)))


def test_a_shared_layer_is_one_tensor() -> None:
    conv = "Conv2d: {out_channels: 3, kernel_size: 3, padding: 1}"
    text = f"input: [3, 32, 32]\nnetwork: [{{name: one, {conv}}}, ReLU, LAST]\n"
    shared = proved(text.replace("LAST", "{reuse: one}"), Twice())
    assert shared.names == {"one.weight": "one.weight", "one.bias": "one.bias"}
    message = fault(text.replace("LAST", f"{{name: two, {conv}}}"), Twice())
    assert "one tensor of the module is several of the spec: one.weight, two.weight" in message


# --- sizes ---------------------------------------------------------------------------------------


def test_a_network_that_fixes_its_size_is_compared_at_it() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))
    text = "input: [1, 28, 28]\nnetwork: [Conv2d: {out_channels: 4, kernel_size: 3}, ReLU, Flatten, Linear: 10]\n"
    assert prove(text, module, {"input": (1, 28, 28)}).shapes == (
        ((1, 1, 28, 28),),
        ((2, 1, 28, 28),),
        ((3, 1, 28, 28),),
    )


def test_a_size_that_changes_the_batch_is_none_that_a_network_takes() -> None:
    class Viewing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 16, 5), nn.Linear(400, 10)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.conv(x).view(-1, 400))

    conv = "{name: conv, Conv2d: {out_channels: 16, kernel_size: 5}}"
    text = f"input: [3, 9, 9]\nnetwork: [{conv}, Flatten, {{name: fc, Linear: 10}}]\n"
    assert prove(text, Viewing(), {"x": (3, 9, 9)}).shapes == (((1, 3, 9, 9),), ((2, 3, 9, 9),), ((3, 3, 9, 9),))


@pytest.mark.parametrize(
    ("shapes", "first"),
    [
        ([(3, 224, 224)], ((3, 64, 80),)),
        ([(100, 1, 1)], ((100, 1, 1),)),  # a generator: a larger input would give huge pictures
        ([(100,)], ((100,),)),
        ([(1, 16000)], ((1, 1024),)),
        ([(1, 16, 64, 64)], ((1, 16, 24, 32),)),
        ([(3, 64, 64), (3, 128, 128)], ((3, 64, 80), (3, 128, 160))),
        ([(10,), (3, 64, 64)], ((10,), (3, 64, 80))),
        ([(3, 7, 7), (3, 4, 4)], ((3, 7, 7), (3, 4, 4))),  # no other size is scaled to whole numbers
    ],
)
def test_sizes_that_are_tried(shapes: list[tuple[int, ...]], first: tuple[tuple[int, ...], ...]) -> None:
    found = [*candidates(shapes)]
    assert found[0] == first and tuple(shapes) in found and len(found) == len({*found})


class Pathed(nn.Module):
    """Does something else, of a convolution's output, for some inputs."""

    def __init__(self, when: Callable[[Pathed, Tensor], bool]) -> None:
        super().__init__()
        self.conv, self.when = nn.Conv2d(3, 4, 3, padding=1), when

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self.when(self, x):
            x = nn.functional.pad(x, (0, 1))
        return x


@pytest.mark.parametrize(
    ("when", "sizes"),
    [
        (lambda self, x: x.shape[-1] % 2, [80, 96, 80]),
        (lambda self, x: x.shape[-1] < 20, [80, 96, 47]),
        (lambda self, x: x.shape[-1] > 100, [80, 96, 47]),
        (lambda self, x: x.shape[0] > 2, [80, 96]),
        (lambda self, x: x.shape[0] > 8, [80, 96, 47]),
        (lambda self, x: x.shape[0] < 2, [80, 47]),
        (lambda self, x: self.training and x.shape[0] > 8, [80, 96, 47]),
    ],
)
def test_a_path_that_only_other_inputs_take_is_told_and_not_compared(when: Any, sizes: list[int]) -> None:
    done = import_module(Pathed(when), {"x": (3, 32, 32)})
    (warning,) = done.warnings
    assert warning.code.id == "CNN113" and "`forward` does something else for inputs of another size" in warning.message
    assert warning.span is not None and "nn.functional.pad" in warning.span.text
    assert done.proof is not None and [shapes[0][-1] for shapes in done.proof.shapes] == sizes


def test_gradients_that_are_summed_in_another_order_are_equal_in_double_precision() -> None:
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3, padding=1)
            self.convs = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(3))

        def forward(self, x: Tensor) -> Tensor:
            x = self.stem(x)
            made = {number: self.convs[number](x) for number in (2, 0, 1)}
            return torch.cat([made[number] for number in range(3)], 1)

    conv = "Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}"
    branches = "".join(f"    - - {{name: convs{number}, {conv}}}\n" for number in range(3))
    text = f"input: [3, 32, 32]\nnetwork:\n- {{name: stem, {conv}}}\n- branch:\n{branches}rename: {{convs*: convs.*}}\n"
    proof = proved(text, Three())
    assert all("gradient" in name for name in proof.inexact) and all(error < 1e-14 for error in proof.inexact.values())
    assert proof.inexact


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_specs_of_torchvisions_networks(name: str) -> None:
    text = Path(__file__).parent.parent.joinpath("archs", "torchvision", f"{name}.yaml").read_text()
    if "extends" in text or "use:" in text:
        text = cnndsl.load(f"zoo:{name}").graph.document.resolved()
    proof = prove(text, theirs(name, "cpu"), {"x": (3, 224, 224)})
    assert proof.inexact == {} and proof.training


class TwiceNamed(nn.Module):
    """Layers with two names each, as many classes have them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.net = nn.Sequential(self.conv, self.bn, nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.net(x)
        return y


def test_a_module_whose_layers_have_two_names_stays_as_it_is() -> None:
    module = TwiceNamed()
    tensors = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers())}
    values = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cnndsl.from_module(module, (3, 16, 16))
    after = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers())}
    assert all(after[name] is tensor for name, tensor in tensors.items()) and after.keys() == tensors.keys()
    assert all(torch.equal(after[name], value) for name, value in values.items())


# --- what no operation shows ---------------------------------------------------------------------


class Beside(nn.Module):
    """A convolution, and what a function does beside it."""

    def __init__(self, does: Callable[[Beside, Tensor], Any]) -> None:
        super().__init__()
        self.conv, self.does, self.count = nn.Conv2d(3, 4, 3), does, 0
        self.register_buffer("scale", torch.tensor(3.0))

    def forward(self, x: Tensor) -> Any:
        y = self.conv(x)
        made = self.does(self, y)
        return y if made is None else made

    def counted(self) -> None:
        self.count += 1


@pytest.mark.parametrize(
    ("does", "told"),
    [
        (lambda self, y: -y if self.training and torch.rand(1).item() < 1e-9 else y, "depends on random numbers"),
        (lambda self, y: -y if self.training and random.random() < 1e-9 else y, "depends on random numbers"),
        (lambda self, y: -y if self.training and torch.empty(1).uniform_() < 1e-9 else y, "depends on random numbers"),
        (lambda self, y: y * float(self.scale), "the value of `scale` is read"),
        (lambda self, y: y * (self.scale + 1).item(), "the value of `scale` is read"),
        (lambda self, y: self.counted(), "`forward` changes the attribute `count`"),
        (lambda self, y: (y, None, 3.5), "`forward` also returns None, 3.5"),
    ],
)
def test_what_no_operation_shows_is_told(does: Any, told: str) -> None:
    warnings = import_module(Beside(does), {"x": (3, 32, 32)}).warnings
    assert [w for w in warnings if told in w.message and w.code.id == "CNN113" and w.span is not None]


def test_frozen_parameters_and_hooks_of_gradients_are_told() -> None:
    module = Net()
    module.first.requires_grad_(False)
    module.fc.bias.requires_grad_(False)
    module.stem.weight.register_hook(lambda gradient: gradient * 0.1)
    frozen, hook = import_module(module, {"x": (3, 32, 32)}).warnings
    assert frozen.message == "the module does not train `first`, `fc.bias`, and the spec does"
    assert frozen.help == "write in the recipe `freeze: [first, fc.bias]`"
    assert hook.message == "a hook of the gradient of `stem.weight` is left out" and hook.span is not None


def test_a_layer_under_two_names_and_an_average_of_all_batches_need_no_warning() -> None:
    module = nn.Sequential(Twice(), nn.BatchNorm2d(3, momentum=None))
    assert import_module(module, {"x": (3, 32, 32)}).warnings == ()


# --- what no spec is equal to --------------------------------------------------------------------


def typed(forward: Callable[[Any, Tensor], Tensor]) -> nn.Module:
    class Typed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            self.count = 0

        def forward(self, x: Tensor) -> Tensor:
            return forward(self, x)

    return Typed()


@pytest.mark.parametrize(
    "forward",
    [
        lambda self, x: self.norm(self.conv(x / 255).float()),
        lambda self, x: self.norm(torch.relu(self.conv(x / 3).float()).to(x.dtype)),
        lambda self, x: self.norm(self.conv(x / 3)).float(),
    ],
)
def test_a_module_that_fixes_its_types_is_compared_in_single_precision(forward: Any) -> None:
    proof = import_module(typed(forward), {"x": (3, 32, 32)}).proof
    assert proof is not None and not proof.is_double and 0 < max(proof.inexact.values()) < 1e-5


def bfloat16(self: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return self.norm(self.conv(x))


def inner_bfloat16(self: Any, x: Tensor) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        x = self.conv(x)
    return self.norm(x.float())


@torch.no_grad()
def without_gradients(self: Any, x: Tensor) -> Tensor:
    return self.norm(self.conv(x))


class Unmoved(nn.Sequential):
    def train(self, mode: bool = True) -> Unmoved:
        super().train(mode)
        self[1].eval()
        return self


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (typed(bfloat16), "output 0 is bfloat16 in the module and float32 in the spec"),
        (typed(inner_bfloat16), "output 0 differs"),
        (typed(without_gradients), "no gradient comes from its outputs, as under `torch.no_grad`"),
        (Unmoved(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), "`train()` does not change the mode of `1`"),
    ],
)
def test_what_the_module_does_by_itself_is_told(module: nn.Module, told: str) -> None:
    with pytest.raises(ModuleError) as error:
        import_module(module, {"x": (3, 32, 32)})
    assert told in error.value.diagnostics[0].message


def test_a_module_that_is_nested_too_deep_is_told() -> None:
    module: nn.Module = nn.Conv2d(3, 3, 1)
    for _ in range(60):
        module = nn.Sequential(module, nn.ReLU())
    with pytest.raises(ModuleError) as error:
        import_module(module, {"input": (3, 32, 32)})
    (told,) = error.value.diagnostics
    assert told.message == "its spec would be nested more than 64 deep" and "classes of their own" in told.help
