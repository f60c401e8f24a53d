"""The arithmetic that layers and merges tell gives the shapes that they make: it is evaluated, and compared."""

import math
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from layer_matrix import cases, one_of_each

import cnndsl
from cnndsl.graph.combine import arithmetic
from cnndsl.graph.graph import Apply, Merge, Operation
from cnndsl.layers import LAYERS, Shape
from cnndsl.layers.shape import size_name
from cnndsl.layers.table import Layer
from cnndsl.network import compile_spec
from cnndsl.spec.document import Text

ARCHS = Path(__file__).parent.parent / "archs"


def sizes(shape: Shape) -> SimpleNamespace:
    """What an expression may ask of a tensor."""
    named = {size_name(dim, shape.rank): shape[dim] for dim in range(1, shape.rank)}
    return SimpleNamespace(shape=shape.sample, **{name: size for name, size in named.items() if "[" not in name})


def evaluated(told: dict[int, str], x: Shape, rank: int, names: dict[str, Any]) -> Shape:
    """The shape that arithmetic gives; dimensions that it leaves out are those of ``x``."""
    known = {"floor": math.floor, "ceil": math.ceil, "max": max, "input": sizes(x), **names}
    found = {dim: eval(text, {"__builtins__": {}}, known) for dim, text in told.items()}
    return Shape(found[dim] if dim in found else x[dim] for dim in range(rank))


def disagreements(operations: Iterator[Operation]) -> Iterator[str]:
    seen = set()
    for item in operations:
        if isinstance(item, Merge):
            shapes = [tensor.shape for tensor in item.inputs]
            told, names, out = arithmetic(item.kind, shapes, item.dim), {}, item.output.shape
            x = shapes[0]
        elif isinstance(item, Apply) and (id(item.bound), item.inputs[-1].shape) not in seen:
            seen.add((id(item.bound), item.inputs[-1].shape))
            x, out = item.input.shape, item.output.shape
            told, names = item.layer.arithmetic(x, out), {**item.layer.values}
            if item.layer.reads:
                names["like"] = sizes(item.inputs[-1].shape)
        else:
            continue
        if evaluated(told, x, out.rank, names) != out:
            yield f"{item.kind} {item.path}: {x} -> {out}, but {told}"


@pytest.mark.parametrize("folder", ["", "beyond", "detection", "segmentation", "timm", "weights"])
def test_networks(folder: str) -> None:
    for path in (ARCHS / folder).glob("*.yaml"):
        assert not [*disagreements(iter(cnndsl.load(path).graph.root.everything))], path


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_every_argument_of_every_layer(layer: type[Layer]) -> None:
    """That of the tests' matrix: each argument at its extremes, on samples of several shapes."""
    compiled = (compile_spec(Text(case.spec)).graph for case in one_of_each(cases(layer)))
    graphs = [graph for graph in compiled if graph is not None]
    assert graphs and not [fault for graph in graphs for fault in disagreements(iter(graph.root.everything))]
