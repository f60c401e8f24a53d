"""The classes of an emitted source mean what the blocks mean: used with other arguments, they are other networks'.

The class of every block of `archs` is constructed with another value of one parameter, and compared with the block
itself, called so in a network of its own.
"""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cnndsl
from cnndsl.emit.source.plan import Planner
from cnndsl.graph import graph as g

ARCHS = sorted(path for path in (Path(__file__).parent.parent / "archs").rglob("*.yaml") if "blocks" not in path.parts)
SHARDS = 8
#: What the network around a block does not need.
LEFT_OUT = ("input", "network", "outputs", "expect", "init", "rename", "train", "description")

Arguments = dict[str, Any]
Shapes = dict[str, tuple[int, ...]]


def blocks(net: cnndsl.Network, seen: set[str]) -> Iterator[tuple[g.Module, type[nn.Module]]]:
    """One use of each emitted class of a block that has parameters, with the class. Those that other networks have too
    were ``seen``."""
    planner = Planner(net.graph, frozenset({"Tensor", "nn", "torch"}))
    planner.plan()
    emitted: dict[str, Any] = {}
    exec(net.source(), emitted)
    texts = {text.partition("(")[0].removeprefix("class "): text for text in net.source().split("\n\n\n")}
    for _, item in g.walk(net.graph.root.body):
        if isinstance(item, g.Module) and item.block and id(item) in planner.classes:
            bound, _ = planner.classes[id(item)]
            if bound.parameters and texts[bound.name] not in seen:
                seen.add(texts[bound.name])
                yield item, emitted[bound.name]


def plain(value: Any) -> bool:
    return isinstance(value, (int, float, str, type(None))) or (isinstance(value, tuple) and all(map(plain, value)))


def others(shapes: Shapes, params: Arguments) -> Iterator[tuple[Shapes, Arguments]]:
    """Other inputs and parameters: one number is doubled, or one truth turned."""
    for name, (channels, *sizes) in shapes.items():
        yield {**shapes, name: (2 * channels, *sizes)}, params
    for name, value in params.items():
        if isinstance(value, bool):
            yield shapes, {**params, name: not value}
        elif isinstance(value, int):
            yield shapes, {**params, name: 2 * value}
            yield {key: (2 * value, *sizes) for key, (_, *sizes) in shapes.items()}, {**params, name: 2 * value}


def alone(rest: str, block: str, shapes: Shapes, params: Arguments) -> nn.Module | None:
    """The block in a network of its own, None if it does not take these."""
    names = {"inputs": [*shapes]} if len(shapes) > 1 else {}
    network = {"input": shapes, "network": [{"name": "it", block: params, **names}]}
    try:
        net = cnndsl.loads(rest + "".join(f"\n{key}: {json.dumps(value)}\n" for key, value in network.items()))
    except cnndsl.SpecError:
        return None
    with torch.device("meta"):
        return net.module().get_submodule("it")


def arguments(
    kind: type[nn.Module], shapes: Shapes, params: Arguments, inputs: Shapes, others: Arguments
) -> Arguments | None:
    """What the class is constructed with for other inputs and parameters; None if it does not take all that differs, or
    needs what the spec does not name."""
    signature = inspect.signature(kind).parameters
    given: Arguments = {}
    for position, (name, (channels, *_)) in enumerate(inputs.items()):
        taken = {f"{name if position else 'in'}_{what}" for what in ("channels", "features")} & {*signature}
        if not taken and shapes[name] != inputs[name]:
            return None
        given |= dict.fromkeys(taken, channels)
    if any(name not in signature for name in params if params[name] != others[name]):
        return None
    given |= {name: constructor(value) for name, value in others.items() if name in signature}
    needed = [name for name, parameter in signature.items() if parameter.default is inspect.Parameter.empty]
    return given if {*needed} <= {*given} else None


def constructor(value: Any) -> Any:
    """A value as Python has it: the name of a layer is its class."""
    return getattr(nn, value) if isinstance(value, str) and value in cnndsl.layers.LAYERS else value


def layers(module: nn.Module) -> list[tuple[str, str]]:
    """The layers of a module with their arguments."""
    found = [(name, child) for name, child in module.named_modules() if not list(child.children())]
    return [(name, repr(child)) for name, child in found]


@pytest.mark.parametrize("shard", range(SHARDS))
def test_classes_mean_what_blocks_mean(shard: int) -> None:
    count, seen = 0, set[str]()
    size = -(-len(ARCHS) // SHARDS)
    for path in ARCHS[shard * size : (shard + 1) * size]:  # those of one family together
        net = cnndsl.load(path)
        rest = net.graph.document.resolved(*LEFT_OUT)
        for item, kind in blocks(net, seen):
            shapes = {name: tensor.shape.sample for name, tensor in item.given.items()}
            if not all(map(plain, item.params.values())):
                continue
            for inputs, params in others(shapes, dict(item.params)):
                given = arguments(kind, shapes, dict(item.params), inputs, params)
                wanted = None if given is None else alone(rest, item.block, inputs, params)
                if wanted is None or given is None:
                    continue
                with torch.device("meta"):
                    made = kind(**given)
                if [name for name, _ in layers(made)] == [name for name, _ in layers(wanted)]:
                    assert layers(made) == layers(wanted), f"{path.name}: {item.block} with {params} on {inputs}"
                    count += 1
    assert count


TOGETHER = """
input: [8, 12, 12]
blocks:
  M(a, b):
    - {name: s, Sigmoid: }
    - residual:
        - {when: $a, name: ex, Conv2d: [8, 3, 1, 1]}
        - {when: $b, name: a0, ReLU: }
        - {when: $b, branch: [[], [from: s]], merge: add}
        - {name: dw, Conv2d: [8, 1]}
network: [M: [FIRST], M: [SECOND]]
"""


@pytest.mark.parametrize("uses", [("true, true", "false, false"), ("true, false", "false, true")])
@pytest.mark.parametrize("other", [(True, True), (True, False), (False, True), (False, False)])
def test_conditions_that_were_true_together_stay_two(uses: tuple[str, str], other: tuple[bool, bool]) -> None:
    """The class of both uses, with other arguments, computes what the spec does with them."""
    made = cnndsl.loads(TOGETHER.replace("FIRST", uses[0]).replace("SECOND", uses[1])).module()
    ours = type(made[0])(*other)
    written = ", ".join(str(one).lower() for one in other)
    theirs = cnndsl.loads(TOGETHER.replace("FIRST", written).replace(", M: [SECOND]", "")).module()[0]
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(1, 8, 12, 12)
    assert torch.equal(ours(x), theirs(x))
