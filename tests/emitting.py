"""What tests of the emitter share: an interpreter of graphs, and the comparison of a module with its graph."""

import copy
import subprocess
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import cnndsl
from cnndsl.graph import graph as g
from cnndsl.layers import Layer, definitions

BATCH = 2
#: What torch computes for the merges of two tensors that are not a concat.
MERGED = {
    "add": torch.add, "subtract": torch.sub, "multiply": torch.mul, "divide": torch.div, "maximum": torch.maximum,
    "minimum": torch.minimum,
}  # fmt: skip


def samples(net: cnndsl.Network, batch: int = BATCH, seed: int = 0) -> list[Tensor]:
    """A batch for every input of a network."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(batch, *t.shape.sample, generator=generator) for t in net.graph.inputs.values()]


# --- the graph, interpreted ----------------------------------------------------------------------------


def interpret(net: cnndsl.Network, module: nn.Module, inputs: Iterable[Tensor]) -> Tensor | dict[str, Tensor]:
    """What the graph says that comes out, with the layers of `module` looked up by their paths.

    This reads the graph's tensors alone. It shares nothing with the emitter's `forward`.
    """
    known = dict(zip(net.graph.inputs.values(), inputs))
    _run(net.graph.root.body, module, known)
    outputs = {name: known[tensor] for name, tensor in net.graph.outputs.items()}
    return outputs if len(outputs) > 1 else next(iter(outputs.values()))


def _run(body: g.Body, module: nn.Module, known: dict[g.Tensor, Tensor]) -> None:
    for op in g.operations(body):
        taken = [known[tensor] for tensor in op.inputs]
        if isinstance(op, g.Apply):
            known[op.output] = module.get_submodule(op.path)(*taken)
        elif isinstance(op, g.Module):
            _run(op.body, module, known)
        elif isinstance(op, g.Split):
            start = 0
            for size, output in zip(op.sizes, op.outputs):
                known[output] = taken[0].narrow(1, start, size)
                start += size
        elif op.kind == "concat":
            known[op.output] = torch.cat(taken, op.dim)
        else:
            result = taken[0]
            for other in taken[1:]:
                result = MERGED[op.kind](result, other)
            known[op.output] = result
        for tensor in op.outputs:
            assert known[tensor].shape[1:] == tuple(tensor.shape.sample), op.path


# --- a module and its graph ------------------------------------------------------------------------------


def constructed(body: g.Body) -> Iterator[g.Apply | g.Module]:
    """The layers and modules that a network is made of, each before what is in it."""
    for op in g.operations(body):
        if isinstance(op, (g.Apply, g.Module)) and not op.reuse:
            yield op
        if isinstance(op, g.Module) and not op.reuse:
            yield from constructed(op.body)


def holders_of(op: g.Apply | g.Module) -> list[str]:
    """The paths of the lists and dicts that hold a module with dots in its name."""
    around = op.path.removesuffix(op.name)
    ends = [place for place, character in enumerate(op.name) if character == "."]
    return [around + op.name[:end] for end in ends]


def registered(paths: Iterable[str], names: Iterable[str]) -> list[str]:
    """Names of tensors in the order of a ``state_dict``: those of one of the modules at ``paths`` are together."""
    tree: dict[str, Any] = {}
    for path in (*paths, *names):
        inside = tree
        for part in path.split("."):
            inside = inside.setdefault(part, {})
    return [*_leaves(tree, {*names})]


def _leaves(tree: dict[str, Any], names: Container[str], around: str = "") -> Iterator[str]:
    for part, inside in tree.items():
        if around + part in names:
            yield around + part
        yield from _leaves(inside, names, f"{around}{part}.")


def torch_class(layer: type[Layer]) -> type[nn.Module]:
    """The class that the emitted source calls or holds a copy of."""
    ours = f"{definitions.__name__}.{layer.defined_in}" if layer.defined_in else ""
    found: type[nn.Module] = getattr(import_module(ours or layer.package or "torch.nn"), layer.__name__)
    return found


def torch_layer(layer: Layer) -> nn.Module:
    """The same layer, made from the layer table without the emitter."""
    made = torch_class(type(layer))(**layer.settings)
    if by := layer.parametrization:
        return getattr(torch.nn.utils.parametrizations, by.function.name)(made, **by.values)
    return made


def assert_same(found: Tensor | Mapping[str, Tensor], wanted: Tensor | Mapping[str, Tensor]) -> None:
    """Bit for bit; what is not a number equals itself."""
    if isinstance(wanted, Mapping):
        assert isinstance(found, Mapping)
        assert list(found) == list(wanted)
        for name in wanted:
            assert_same(found[name], wanted[name])
    else:
        assert isinstance(found, Tensor)
        torch.testing.assert_close(found, wanted, rtol=0, atol=0, equal_nan=True)


def assert_faithful(net: cnndsl.Network, module: nn.Module | None = None) -> nn.Module:
    """The emitted module has the graph's modules, layers, arguments, tensors and costs, and gives what the
    graph says, in evaluation and in training."""
    module = module or net.module()
    made = list(constructed(net.graph.root.body))
    holders = [path for op in made for path in holders_of(op)]
    named = module.named_modules(remove_duplicate=False)
    modules = {path: child for path, child in named if path and "parametrizations" not in path.split(".")}
    assert sorted(modules) == sorted({*holders, *(op.path for op in made)})
    for path in holders:
        keys = [name for name, _ in modules[path].named_children()]
        kind = nn.ModuleList if keys == [*map(str, range(len(keys)))] else nn.ModuleDict
        assert type(modules[path]) is kind, path
    wanted = {}
    for op in made:
        child = module.get_submodule(op.path)
        if isinstance(op, g.Apply):
            layer = torch_layer(op.layer)
            assert type(child).__name__ == type(layer).__name__ and repr(child) == repr(layer), op.path
            wanted |= {f"{op.path}.{name}": value.shape for name, value in layer.state_dict().items()}
    assert registered([op.path for op in made], wanted) == [*module.state_dict()]
    assert wanted == {name: value.shape for name, value in module.state_dict().items()}
    cost = net.cost
    assert cost.params == sum(p.numel() for p in module.parameters())
    assert cost.buffers == sum(b.numel() for b in module.buffers())
    for training in (False, True):
        assert_runs(net, module, training)
    return module


def assert_runs(net: cnndsl.Network, module: nn.Module, training: bool) -> None:
    first, second = (copy.deepcopy(module).train(training) for _ in range(2))
    outcomes = []
    for run in (lambda: first(*samples(net)), lambda: interpret(net, second, samples(net))):
        torch.manual_seed(1)
        try:
            with torch.no_grad():
                outcomes.append(run())
        except ValueError as error:  # a batch norm that sees one value per channel
            assert training and "more than 1 value" in str(error)
            outcomes.append(None)
    found, wanted = outcomes
    assert (found is None) == (wanted is None)
    if wanted is not None:
        assert_same(found, wanted)


# --- tools ---------------------------------------------------------------------------------------------


def ruff_complaints(folder: Path) -> str:
    """What ruff's formatter and linter, as they come, say of the files of a folder."""
    commands = (["format", "--check"], ["check", "--output-format", "concise"])
    said = ""
    for command in commands:
        arguments = [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", str(folder)]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        said += (done.stdout + done.stderr) * (done.returncode != 0)
    return said
