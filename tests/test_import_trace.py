"""The tracer, against torch: what it records is run again on real tensors."""

from __future__ import annotations

import math
import random
import sys
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from tracing import Replay, flat, operations, state

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Arithmetic, Extent, Held, Made, Number, Tensor, Traced, Unspeakable
from cnndsl.importing.trace import trace

HERE = Path(__file__).name


def traced(module: nn.Module, *shapes: tuple[int, ...], **more: Any) -> Traced:
    """Checks on the way that the record gives what the module gives, also at another size, and that the module stays
    as it was."""
    before = state(module)
    names = [f"x{i}" for i in range(len(shapes))] if len(shapes) > 1 else ["input"]
    result = trace(module, dict(zip(names, shapes)) if len(shapes) == 1 else _named(module, shapes), **more)
    assert_same(before, state(module))
    module.eval()
    inputs = [torch.randn(3, *shape) for shape in shapes]
    with torch.no_grad():
        expected = module(*(x.clone() for x in inputs))
        actual = Replay(result)(*inputs)
    assert_same(flat(expected), flat(actual))
    return result


def _named(module: nn.Module, shapes: Any) -> dict[str, tuple[int, ...]]:
    import inspect

    return dict(zip(inspect.signature(module.forward).parameters, shapes))


def assert_same(one: Any, other: Any) -> None:
    if isinstance(one, torch.Tensor):
        torch.testing.assert_close(one, other, equal_nan=True)
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other)
        for a, b in zip(one, other):
            assert_same(a, b)
    else:
        assert one == other


def refused(module: nn.Module, *shapes: tuple[int, ...], **more: Any) -> Any:
    before = state(module)
    with pytest.raises(Unspeakable) as error:
        trace(module, {"input": shapes[0]} if len(shapes) == 1 else _named(module, shapes), **more)
    assert_same(before, state(module))
    return error.value.refusals[-1]


def line(text: str) -> int:
    """The number of the line of this file that has a comment."""
    found = [i for i, row in enumerate(Path(__file__).read_text().splitlines(), 1) if row.endswith("# " + text)]
    assert len(found) == 1, text
    return found[0]


def of(forward: Any, **attributes: Any) -> nn.Module:
    """A module with this ``forward``."""
    kind = type("Net", (nn.Module,), {"forward": forward})
    module = kind()
    for name, value in attributes.items():
        setattr(module, name, value)
    return module


# Functions, methods and operators


def test_functions_methods_and_operators() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(x)
        z = 1 - y + 2 * y.sigmoid() / (1 + y.exp())
        z = torch.cat([z, -y], dim=1)
        z = z[:, 1:, ::2] @ z[:, 1:, ::2].mT
        return (2 / (z.abs() + 1)) ** 2

    result = traced(of(forward), (3, 8, 8))
    assert operations(result)[:4] == [
        "torch.nn.functional.relu", "operator.sub", "torch.Tensor.sigmoid", "torch.Tensor.mul",
    ]  # fmt: skip
    relu, minus = result.uses[0].operations[:2]
    assert minus.arguments == (1, relu.results)
    assert relu.results.name == "y"


def test_in_place_operations_make_new_tensors() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        y += x
        y.mul_(3)
        torch.relu_(y)
        z = torch.zeros_like(y)
        torch.add(x, y, out=z)
        z[:, :1] = y[:, 1:2]
        z[:, 1:] += 1
        return self.act(z) + z

    result = traced(of(forward, act=nn.ReLU(inplace=True)), (3, 8, 8))
    tensors = [operation.results for operation in result.uses[0].operations]
    assert len(set(tensors)) == len(tensors)


def test_a_function_that_returns_its_input_makes_a_new_tensor() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(self.identity(F.dropout(x, 0.5, self.training)).contiguous())
        return x + y

    result = traced(of(forward, identity=nn.Identity(), inner=of(lambda self, x: x)), (3, 4))
    *_, add = result.uses[0].operations
    x, y = add.arguments
    assert x is result.uses[0].inputs["x"] and y is not x
    inner = result.children["inner"].uses[0]
    assert inner.outputs is inner.inputs["x"]


def test_parts_of_a_tensor_changed_in_place() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        a, b = (x * 1).chunk(2, dim=1)
        a += 1
        return torch.cat([a, b], 1)

    traced(of(forward), (4, 6, 6))


def test_a_change_through_another_view_is_refused() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = x * 1
        y[:, 0].add_(1)
        return y + 1  # read after a change

    refusal = refused(of(forward), (4, 6, 6))
    assert refusal.code is Code.OPERATION and refusal.place.line == line("read after a change")


def test_tensors_that_another_module_changes_or_keeps() -> None:
    class Keeping(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.kept = torch.tanh(x)
            return self.kept * 2

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = self.block(x)  # begins with a ReLU that changes x
        z = self.keeping(y)
        return x + y + z + self.keeping.kept

    block = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 3, 1))
    result = traced(of(forward, block=block, keeping=Keeping()), (3, 4, 4))
    _, _, add, _, last = result.uses[0].operations
    assert add.arguments[0] is result.children["block"].uses[0].operations[0].results
    assert last.arguments[1] is result.children["keeping"].uses[0].operations[0].results


def test_iteration_and_unpacking() -> None:
    def forward(self: Any, x: torch.Tensor) -> Any:
        a, b = x.split([1, 2], dim=1)
        rows = [row * i for i, row in enumerate(x.unbind(2))]
        first, *others = x.transpose(0, 2)
        return {"a": a, "rows": torch.stack(rows), "others": (b, [first + len(others)])}

    result = traced(of(forward), (3, 4, 4))
    assert "torch.Tensor.unbind" in operations(result)
    assert [*result.uses[0].outputs] == ["a", "rows", "others"]


def test_a_constant_that_is_filled_in_place() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        y = torch.zeros(len(x), 4, x.size(2), x.size(3))
        y[:, 1:] = x
        return F.relu(y) + 1

    result = traced(of(forward), (3, 5, 5))
    assert operations(result)[0] == "operator.setitem"


def test_constants_and_own_parameters() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean.view(1, -1, 1, 1)) * self.gamma[:, None, None]
        return x + torch.zeros(1, device=x.device) + self.plain.sum()

    module = of(forward, gamma=nn.Parameter(torch.randn(3)), plain=torch.randn(2))
    module.register_buffer("mean", torch.randn(3))
    assert trace(module, {"x": (3, 4, 4)}).uses[0].operations[-1].arguments[1].how == "torch.Tensor.sum"
    minus, times, *_ = trace(module, {"x": (3, 4, 4)}).uses[0].operations
    mean = minus.arguments[1]
    assert isinstance(mean, Made) and mean.arguments == (Held("mean", (3,), False), 1, -1, 1, 1)
    assert times.arguments[1].arguments[0] == Held("gamma", (3,), True)


# Sizes


def test_sizes_keep_their_meaning() -> None:
    def forward(self: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        b, c, h, w = x.shape
        x = x.view(b, c // 2, 2, h, w).transpose(1, 2).reshape(x.size(0), -1, *x.shape[2:])
        x = F.interpolate(x, size=y.shape[-2:])
        x = F.pad(x, (0, math.ceil(w / 2), 0, -(-h // 4)))
        x = x[:, :, : x.size(2) - 1, : max(h, w) * 2]
        return x.reshape(len(x), x.numel() // x.shape[0]).narrow(1, 0, round(h / 3))

    result = traced(of(forward), (4, 6, 8), (1, 9, 12))
    view = result.uses[0].operations[0]
    x = result.uses[0].inputs["x"]
    assert view.arguments[2] == Number(2, Arithmetic("//", (Extent(x, 1), 2)))


def test_plain_numbers_that_python_makes_of_sizes() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        n = len(x)
        x = F.interpolate(x, size=(int(x.shape[2] * 1.5), int(x.size(3) / 2)))
        return x.reshape(n, int(x.shape[1] * x.shape[2] / 2), -1)

    up, reshape = traced(of(forward), (4, 6, 8)).uses[0].operations
    assert up.keywords["size"][0].formula.sign == "int"
    assert isinstance(reshape.arguments[1], Number) and not reshape.training


def test_a_size_that_cannot_be_followed_is_refused() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        size = int(math.sqrt(x.shape[2]) * 2)
        return F.adaptive_avg_pool2d(x, size)  # lost

    refusal = refused(of(forward), (4, 9, 9))
    assert refusal.code is Code.OPERATION and refusal.place.line == line("lost")
    assert refusal.message.startswith("the number 6 depends on the size of the input")


def test_a_size_that_is_another_one_elsewhere_is_refused() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return F.adaptive_avg_pool2d(x, max(x.shape[2:]))  # the larger

    assert refused(of(forward), (4, 9, 9)).place.line == line("the larger")


def test_a_path_that_depends_on_the_size_is_told() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if x.shape[2] > 12:
            x = F.max_pool2d(x, 2)  # large
        return x + 1

    (note,) = traced(of(forward), (4, 9, 9)).notes
    assert (
        note.message == "`forward` does something else for inputs of another size or batch"
        and note.place.line == line("large")
    )


@pytest.mark.parametrize(
    "use",
    [
        lambda x, n: x.view(n, -1), lambda x, n: x.reshape(-1, n), lambda x, n: x.expand(n, *x.shape[1:]),
        lambda x, n: torch.zeros(n, device=x.device) + x.sum(), lambda x, n: x.new_zeros(n, 2) + x.sum(),
        lambda x, n: x.narrow(0, 0, n), lambda x, n: x[:n], lambda x, n: x[n - 1], lambda x, n: x.unflatten(0, (n, 1)),
        lambda x, n: F.interpolate(x, size=n), lambda x, n: F.adaptive_avg_pool2d(x, (n, n)),
        lambda x, n: F.avg_pool2d(x, n), lambda x, n: F.max_pool2d(x, kernel_size=n), lambda x, n: F.pad(x, (n, n)),
        lambda x, n: F.unfold(x, n), lambda x, n: F.pixel_shuffle(x, n), lambda x, n: x.repeat(1, n, 1, 1),
        lambda x, n: torch.roll(x, n, 2), lambda x, n: x.chunk(n, 1)[0], lambda x, n: x.split(n, 1)[0],
        lambda x, n: torch.arange(n, device=x.device) + x.sum(), lambda x, n: x * n, lambda x, n: n - x,
        lambda x, n: x / (n + 0.5), lambda x, n: F.adaptive_max_pool2d(x, n), lambda x, n: F.layer_norm(x, x.shape[2:]),
        lambda x, n: torch.full((n,), 1.0, device=x.device) + x.sum(), lambda x, n: x.as_strided((n, n), (n, 1)),
        lambda x, n: x.tile(n), lambda x, n: torch.ones(x.shape, device=x.device) + x, lambda x, n: x.flatten(1)[:, :n],
        lambda x, n: F.one_hot(x.long().clamp(0, 1), n), lambda x, n: x.sum(n - 1), lambda x, n: x.unsqueeze(n),
        lambda x, n: F.conv2d(x, torch.ones(n, 4 // n, 1, 1, device=x.device), groups=n).sum(),
        lambda x, n: torch.linspace(0, 1, n, device=x.device) + x.sum(),
        lambda x, n: torch.eye(n, device=x.device) @ x[0, 0, :n],
    ],
)  # fmt: skip
def test_sizes_are_taken_wherever_torch_takes_a_size(use: Any) -> None:
    result = trace(of(lambda self, x: use(x, x.shape[0])), {"x": (4, 4, 4)})
    assert result.uses[0].operations


# Modules


def test_calls_of_modules() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.Conv2d(3, 3, 3, padding=1)
            self.blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.ReLU())) for _ in range(2)])
            self.heads = nn.ModuleDict({"a": nn.Conv2d(3, 2, 1), "b": nn.Conv2d(3, 1, 1)})
            self.backbone = nn.ModuleDict({"layer": of(lambda self, x, scale: x * scale)})

        def forward(self, x: torch.Tensor) -> Any:
            for block in self.blocks:
                x = self.shared(block(x))
            x = self.blocks[0][1](x)
            x = self.backbone["layer"](scale=2, x=nn.ReLU()(x))
            return OrderedDict((name, head(x)) for name, head in self.heads.items())

    result = traced(Net(), (3, 8, 8))
    assert operations(result) == [
        "blocks.0", "shared", "blocks.1", "shared", "blocks.0.1", "torch.nn.functional.relu", "backbone.layer",
        "heads.a", "heads.b",
    ]  # fmt: skip
    assert result.children["blocks.0.1"] is result.children["blocks.0"].children["1"]
    assert len(result.children["blocks.0.1"].uses) == 2
    assert result.children["shared"].is_leaf and not result.children["shared"].uses


def test_a_module_that_another_module_holds() -> None:
    class Part(nn.Module):
        def __init__(self, shared: nn.Module) -> None:
            super().__init__()
            self.hidden = [shared]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(self.hidden[0](x), self.hidden[0].weight)

    shared = nn.Linear(4, 4)
    result = traced(nn.Sequential(nn.Sequential(shared), Part(shared)), (4,))
    part = result.children["1"]
    assert operations(part)[0] == "/0.0"
    assert part.uses[0].operations[1].arguments[1] == Held("/0.0.weight", (4, 4), True)


def test_names_of_shared_modules() -> None:
    layer = nn.Linear(4, 4)
    result = traced(nn.Sequential(OrderedDict(a=layer, b=nn.Sequential(layer))), (4,))
    assert result.children["a"].paths == ("a", "b.0")
    assert operations(result.children["b"]) == ["0"]


def test_several_inputs_and_outputs() -> None:
    Pair = namedtuple("Pair", "low high")

    @dataclass
    class Out:
        score: torch.Tensor
        features: Any

    class Net(nn.Module):
        def forward(self, x: Any, y: Any = None, *, scale: float = 1.0) -> Any:
            return Out(x["low"] + x["high"][0], Pair(x["low"] * scale, x["high"][1]))

    module = Net()
    inputs = {"x.low": (3, 4), "x.high.0": (3, 4), "x.high.1": (2, 2)}
    result = trace(module, inputs)
    assert [*result.uses[0].inputs] == [*inputs]
    outputs = result.uses[0].outputs
    assert [*outputs] == ["score", "features"] and [*outputs["features"]] == ["low", "high"]
    assert outputs["features"]["high"] is result.uses[0].inputs["x.high.1"]


@pytest.mark.parametrize(
    ("make", "leaf"),
    [
        (lambda: nn.Conv2d(1, 1, 1), True), (lambda: nn.LSTM(1, 1), True), (lambda: nn.MultiheadAttention(4, 1), True),
        (lambda: nn.TransformerEncoderLayer(4, 1), True), (lambda: nn.Sequential(), False),
        (lambda: type("Mine", (nn.Conv2d,), {})(1, 1, 1), True),
        (lambda: type("Mine", (nn.Conv2d,), {"__init__": lambda self: nn.Conv2d.__init__(self, 1, 1, 1)})(), True),
        (lambda: type("Mine", (nn.Conv2d,), {"forward": lambda self, x: x})(1, 1, 1), False),
        (lambda: type("Mine", (nn.Conv2d,), {"_conv_forward": lambda self, *x: x})(1, 1, 1), False),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 1, 1)), True),
        (lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(1, 1)), True),
    ],
)  # fmt: skip
def test_what_is_a_layer(make: Any, leaf: bool) -> None:
    from cnndsl.importing.tracing.modules import is_layer

    module = make()
    assert is_layer(module) is leaf
    module.forward = lambda x: x
    assert not is_layer(module)


def test_torchvisions_layers() -> None:
    from torchvision import ops

    from cnndsl.importing.tracing.modules import is_layer

    assert is_layer(ops.StochasticDepth(0.5, "row")) and is_layer(ops.FrozenBatchNorm2d(3))
    assert not is_layer(ops.Conv2dNormActivation(3, 4)) and not is_layer(ops.SqueezeExcitation(4, 2))


def test_leaves_by_name() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    result = trace(nn.Sequential(nn.ReLU(), Odd()), {"x": (3,)}, leaves=["Odd"])
    assert result.children["1"].is_leaf and operations(result) == ["0", "1"]


@pytest.mark.filterwarnings("ignore")
def test_hooks_and_norms_of_weights() -> None:
    seen = []
    watched = nn.Conv2d(3, 3, 1)
    watched.register_forward_hook(lambda module, args, result: seen.append(result.mean()))
    block = nn.Sequential(nn.ReLU())
    block.register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    block.register_forward_hook(lambda module, args, result: result + 1)
    old = nn.utils.weight_norm(nn.Conv2d(3, 3, 1))
    new = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 3, 1))
    result = traced(nn.Sequential(watched, block, old, new, nn.utils.spectral_norm(nn.Linear(4, 4))), (3, 4, 4))
    assert operations(result) == ["0", "1", "2", "3", "4"]
    assert operations(result.children["1"]) == ["torch.Tensor.mul", "0", "torch.Tensor.add"]


def test_a_hook_that_changes_what_a_layer_does_is_refused() -> None:
    layer = nn.Conv2d(3, 3, 1)
    layer.register_forward_hook(lambda module, args, result: result * 2)  # the hook
    refusal = refused(nn.Sequential(layer), (3, 4, 4))
    assert refusal.place.line == line("the hook") and "hook" in refusal.message


def test_a_parametrized_weight_that_a_function_takes() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 3))
            nn.utils.parametrizations.weight_norm(self)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return F.linear(x, self.weight)

    result = trace(Net(), {"x": (3,)})
    weight = result.uses[0].operations[0].arguments[1]
    assert weight.how == "torch.nn.utils.parametrize"
    assert [held.path for held in weight.arguments] == [
        "parametrizations.weight.original0", "parametrizations.weight.original1",
    ]  # fmt: skip


# Other ways to run code


@pytest.mark.filterwarnings("ignore")
def test_checkpoints() -> None:
    from torch.utils.checkpoint import checkpoint, checkpoint_sequential

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = checkpoint(self.block, x, use_reentrant=True)
        x = checkpoint(lambda x: self.block(x) + 1, x, use_reentrant=False)
        return checkpoint_sequential(self.block, 2, x, use_reentrant=False)

    block = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    result = traced(of(forward, block=block), (4,))
    assert operations(result) == ["block", "block", "torch.Tensor.add", "block.0", "block.1"]


def test_autograd_functions() -> None:
    class Swish(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx: Any, *grads: Any) -> Any:
            return grads

    assert operations(traced(of(lambda self, x: Swish.apply(x) + x), (4,))) == [
        "torch.sigmoid", "torch.Tensor.mul", "torch.Tensor.add",
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
def test_scripted_functions_are_one_operation_and_scripted_modules_refused() -> None:
    @torch.jit.script
    def swish(x):  # type: ignore[no-untyped-def]
        return x * torch.sigmoid(x)

    result = trace(of(lambda self, x: swish(x) + 1), {"x": (4,)})
    assert operations(result) == ["torch.jit.swish", "torch.Tensor.add"]
    with pytest.raises(Unspeakable, match=r"torch.jit.script"):
        trace(nn.Sequential(torch.jit.script(nn.Linear(4, 4))), {"x": (4,)})


def test_graph_modules() -> None:
    from torch import fx

    module = fx.symbolic_trace(of(lambda self, x: F.relu(self.conv(x)) + 1, conv=nn.Conv2d(3, 3, 1)))
    assert operations(traced(module, (3, 4, 4))) == ["conv", "torch.nn.functional.relu", "torch.Tensor.add"]


def test_functions_of_torchvision_are_one_operation() -> None:
    from torchvision.ops import StochasticDepth, stochastic_depth
    from torchvision.ops import deform_conv2d as deform

    assert stochastic_depth and deform

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        import torchvision

        return self.drop(torchvision.ops.stochastic_depth(x, 0.5, "row", self.training)) + x

    result = trace(of(forward, drop=StochasticDepth(0.5, "row")), {"x": (3, 4)})
    depth, drop, add = result.uses[0].operations
    assert depth.target == "torchvision.ops.stochastic_depth.stochastic_depth" and depth.training == {3: True}
    assert drop.module == "drop" and add.arguments[0] is drop.results


# Training mode


def test_arguments_that_differ_in_training() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        x = F.batch_norm(x, None, None, training=True) + F.dropout(x, p=0.3, training=self.training)
        return x * (2 if self.training else 1)

    one, two, _, times = traced(of(forward), (3, 4)).uses[0].operations
    assert not one.training and two.training == {"training": True} and times.training == {1: 2}


def test_what_runs_only_in_training_is_told() -> None:
    def forward(self: Any, x: torch.Tensor) -> Any:
        y = self.main(x)
        if self.training:
            return y, self.auxiliary(x)  # only in training
        return y

    result = traced(of(forward, main=nn.Linear(4, 4), auxiliary=nn.Linear(4, 2)), (4,))
    (note,) = result.notes
    assert note.code is Code.LEFT_OUT and "`auxiliary`" in note.message and note.place.line == line("only in training")
    assert operations(result) == ["main"]


def test_another_path_in_training_is_told() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x = x * torch.empty(len(x), 1, device=x.device).bernoulli_(0.5)  # noise
        return x + 1

    (result,) = traced(nn.Sequential(of(forward)), (4,)).children.values()
    assert [note.place.line for note in result.notes] == [line("noise")]
    assert result.training[0].operations[0].target == "torch.Tensor.mul" and operations(result) == ["torch.Tensor.add"]


def test_nothing_of_the_module_changes() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        self.count = getattr(self, "count", 0) + 1
        self.buffer = self.buffer + 1
        self.last = x
        return self.layers(x) + random.random() + torch.rand(1, device=x.device)

    module = of(
        forward, layers=nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.utils.spectral_norm(nn.Conv2d(3, 3, 1)))
    )
    module.register_buffer("buffer", torch.zeros(1))
    module.train()
    module.layers[1].eval()
    module(torch.randn(2, 3, 4, 4)).sum().backward()
    grads = [parameter.grad for parameter in module.parameters()]
    before, torch_state, python_state = state(module), torch.get_rng_state(), random.getstate()
    trace(module, {"x": (3, 4, 4)})
    assert_same(before, state(module))
    assert all(parameter.grad is grad for parameter, grad in zip(module.parameters(), grads))
    assert torch.equal(torch.get_rng_state(), torch_state) and random.getstate() == python_state
    assert module.training and not module.layers[1].training and module.count == 1
    assert nn.Module.__call__.__module__ == "torch.nn.modules.module"


# Refusals


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x if x.sum() > 0 else -x, lambda x: x * x.max().item(), lambda x: x[x > 0], lambda x: x.nonzero(),
        lambda x: x[int(x.sum()) :], lambda x: x * x.tolist()[0][0], lambda x: torch.where(x > 0), lambda x: x.unique(),
        lambda x: torch.masked_select(x, x > 0), lambda x: x * float(x.mean()), lambda x: x.detach().numpy(),
        lambda x: [1, 2][x.sum().long()], lambda x: x + 1 if torch.equal(x, x) else x,
    ],
)  # fmt: skip
def test_values_of_tensors_are_refused(use: Any) -> None:
    refusal = refused(nn.Sequential(of(lambda self, x: use(x))), (4,))
    assert refusal.code is Code.VALUES and Path(refusal.place.file).name == HERE
    assert refusal.path == "0" and refusal.kind == "Net"


def test_the_message_of_a_refused_condition() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if x.max() > 1:  # a condition
            x = x / x.max()
        return x

    refusal = refused(of(forward), (4,))
    assert refusal.message == "the path depends on the values of a tensor"
    assert refusal.place.line == line("a condition")
    row = Path(refusal.place.file).read_bytes().splitlines()[refusal.place.line - 1]
    assert row[refusal.place.start : refusal.place.end] == b"x.max() > 1"


def test_values_of_constants_may_be_read() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        rates = [rate.item() for rate in torch.linspace(0, 1, 3)]
        return x * rates[1] + float(self.scale)

    module = of(forward)
    module.register_buffer("scale", torch.tensor(2.0))
    assert traced(module, (4,)).uses[0].operations[1].arguments[1] == 2.0


def test_errors_of_the_module_itself() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.flatten(1))  # does not fit

    refusal = refused(of(forward, fc=nn.Linear(5, 4)), (3, 4))
    assert refusal.code is Code.FORWARD and refusal.place.line == line("does not fit")
    assert "mat1 and mat2 shapes cannot be multiplied (2x12 and 5x4)" in refusal.message
    missing = refused(of(lambda self, x, y: x + y), (4,))
    assert missing.code is Code.FORWARD and "'y'" in missing.message


def test_names_of_inputs() -> None:
    def forward(self: Any, *args: torch.Tensor, **more: torch.Tensor) -> torch.Tensor:
        return torch.cat([*args, *more.values()])

    def inputs(forward: Any, *names: str) -> list[str]:
        return [*trace(of(forward), dict.fromkeys(names, (4,))).uses[0].inputs]

    assert inputs(forward, "args.0", "args.1", "y") == ["args.0", "args.1", "y"]
    assert inputs(forward, "args") == ["args.0"]
    assert inputs(forward, "y", "z") == ["y", "z"]
    assert inputs(lambda self, x, *, y: x + y, "x", "y") == ["x", "y"]
    assert inputs(lambda self, x, y=None: x + 1, "anything") == ["x"]
    assert inputs(lambda this, x, y: x + y, "y", "x") == ["x", "y"]


def test_the_type_of_the_input_is_that_of_the_parameters() -> None:
    assert operations(trace(nn.Sequential(nn.Linear(4, 4)).double(), {"x": (4,)})) == ["0"]
    assert operations(trace(nn.Sequential(nn.Linear(4, 4)).to("meta"), {"x": (4,)})) == ["0"]


def test_an_unknown_input() -> None:
    with pytest.raises(Unspeakable) as error:
        trace(of(lambda self, image, mask=None: image), {"image": (4,), "masc": (4,)})
    (refusal,) = error.value.refusals
    assert refusal.message == "`forward` has no argument `masc`" and refusal.help == "did you mean `mask`?"


def test_a_network_that_overrides_call_is_refused() -> None:
    class Net(nn.Module):
        def __call__(self, x: torch.Tensor) -> torch.Tensor:  # own call
            return super().__call__(x) * 2

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    assert refused(Net(), (4,)).place.line == line("own call")
    assert operations(traced(nn.Sequential(Net()), (4,))) == ["0", "torch.Tensor.mul"]


def test_modules_that_cannot_run_yet() -> None:
    with pytest.raises(Unspeakable) as error:
        trace(nn.Sequential(nn.ReLU(), nn.LazyLinear(3)), {"x": (4,)})
    (refusal,) = {refusal.message: refusal for refusal in error.value.refusals}.values()
    assert refusal.code is Code.FORWARD and refusal.path == "1" and "`LazyLinear`" in refusal.message


def test_what_a_module_prints_is_not_heard(capsys: pytest.CaptureFixture[str]) -> None:
    trace(of(lambda self, x: (print("here"), x + 1)[1]), {"x": (4,)})
    assert capsys.readouterr() == ("", "")


def test_code_that_leaves_is_told() -> None:
    refusal = refused(of(lambda self, x: sys.exit(3)), (4,))
    assert refusal.message == "`forward` raises SystemExit: 3"


def test_recursion_is_refused() -> None:
    def forward(self: Any, x: torch.Tensor, depth: int = 2) -> torch.Tensor:
        return self(x, depth - 1) if depth else x

    assert "calls itself" in refused(of(forward), (4,)).message


def test_a_tensor_that_goes_around_forward_is_refused() -> None:
    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        return x + self.store["x"]  # from elsewhere

    store: dict[str, torch.Tensor] = {}

    def keep(self: Any, x: torch.Tensor) -> torch.Tensor:
        store["x"] = x * 2
        return x + 1

    reader = of(forward)
    reader.store = store
    assert refused(nn.Sequential(of(keep), reader), (4,)).place.line == line("from elsewhere")


def test_arguments_of_init() -> None:
    from cnndsl.importing.tracing.arguments import kept_arguments

    class Base(nn.Module):
        def __init__(self, width: int, *, depth: int = 2, **more: Any) -> None:
            super().__init__()
            self.width = width

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    class Net(Base):
        def __init__(self, scale: float, *rest: int, **more: Any) -> None:
            super().__init__(int(8 * scale), **more)

    with kept_arguments() as kept:
        module = Net(0.5, 1, depth=3, act=nn.ReLU)
    expected = {"width": 4, "depth": 3, "act": nn.ReLU, "scale": 0.5, "rest": (1,)}
    assert trace(module, {"x": (4,)}, arguments=kept).arguments == expected
    assert trace(Base(4), {"x": (4,)}).arguments == {"width": 4}
    assert nn.Module.__init__.__module__ == "torch.nn.modules.module"


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "mobilenet_v3_small", "squeezenet1_1"])
def test_networks_of_torchvision(name: str) -> None:
    import torchvision

    traced(torchvision.models.get_model(name, weights=None), (3, 64, 64))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "hrnet_w18_small", "dla34", "dpn68", "skresnet18", "resnest14d", "mixnet_s", "tf_efficientnet_b0", "selecsls42",
        "rexnet_100", "ghostnet_050", "mobileone_s0", "dm_nfnet_f0", "res2net50_14w_8s", "cspresnet50", "densenet121",
        "ese_vovnet19b_dw", "convmixer_768_32", "resnetblur18", "resnetv2_50", "starnet_s1", "nf_regnet_b0",
    ],
)  # fmt: skip
def test_networks_of_timm(name: str) -> None:
    timm = pytest.importorskip("timm")
    module = timm.create_model(name, pretrained=False)
    traced(module, (3, 64, 64))


class OverList(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        halves = [q.relu() for q in [u * 2 for u in x.chunk(2, 1)]]
        whole = halves[0] + halves[1]
        return whole.sigmoid()


def test_the_variable_of_a_comprehension_names_no_tensor() -> None:
    (use,) = traced(OverList(), (4, 8, 8)).uses
    names = {one.results.name for one in use.operations if isinstance(one.results, Tensor)}
    assert "whole" in names and names.isdisjoint({"q", "u"})
