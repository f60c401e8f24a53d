"""An interpreter of lifted bodies: torch's own layers and functions on real tensors, with the module's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from emitting import MERGED, torch_layer
from torch import Tensor, nn

from cnndsl.emit.source.expr import text
from cnndsl.importing import recorded
from cnndsl.importing.body import Body, Lifted, Node
from cnndsl.importing.lift import lift
from cnndsl.importing.trace import trace
from cnndsl.layers import LAYERS, PARAMETRIZATIONS, Layer, Parametrized, Shape
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.functions import FUNCTIONS
from cnndsl.spec.renaming import Renamer, Renaming


def lifted(module: nn.Module, *shapes: tuple[int, ...], **named: tuple[int, ...]) -> Lifted:
    """A module in our words, on samples of these shapes."""
    names = [f"x{index}" for index in range(len(shapes))]
    return lift(trace(module, dict(zip(names, shapes)) | named))


def nodes(body: Body) -> Iterator[Node]:
    for node in body.nodes:
        yield node
        if node.body is not None:
            yield from nodes(node.body)


def words(found: Lifted) -> list[str]:
    """All layers, merges and splits in the order in which they run."""
    return [node.word for node in nodes(found.root) if node.word]


class Interpreter:
    """Runs the body of a module with its weights. It knows nothing of how the body came about."""

    def __init__(self, found: Lifted, module: nn.Module) -> None:
        self.root, self.module = found.root, module
        span = Span(Source("rename", ""), 0, 0)
        self.renamer = Renamer([Renaming(ours, theirs, span) for ours, theirs in found.rename.items()])
        assert not [line.fault for line in self.renamer.lines if line.fault]
        self.state = module.state_dict(keep_vars=True)
        self.layers: dict[str, nn.Module] = {}
        self.used: set[str] = set()

    def __call__(self, *inputs: Tensor) -> dict[str, Tensor]:
        return self._body(self.root, inputs, "")

    def _body(self, body: Body, inputs: tuple[Tensor, ...], path: str) -> dict[str, Tensor]:
        known: dict[recorded.Tensor, Tensor] = dict(zip(body.inputs.values(), inputs, strict=True))
        for index, node in enumerate(body.nodes):
            given = tuple(known[tensor] for tensor in node.inputs)
            made = self._node(node, given, f"{path}{node.name or f'unnamed{index}'}")
            for tensor, value in zip(node.outputs, made, strict=True):
                assert value.dim() == len(tensor.shape), (node, value.shape)
                known[tensor] = value
        return {name: known[tensor] for name, tensor in body.outputs.items()}

    def _node(self, node: Node, given: tuple[Tensor, ...], path: str) -> tuple[Tensor, ...]:
        if node.body is not None:
            return tuple(self._body(node.body, given, f"{path}.").values())
        if node.word == "split":
            return tuple(given[0].split(list(node.arguments["sizes"]), node.arguments.get("dim", 1)))
        if node.word == "concat":
            return (torch.cat(given, node.arguments.get("dim", 1)),)
        if node.word in MERGED:
            result = given[0]
            for other in given[1:]:
                result = MERGED[node.word](result, other)
            return (result,)
        if node.word == "Upsample" and len(given) == 2:
            return (nn.functional.interpolate(given[0], given[1].shape[2:], **node.arguments),)
        return (self._layer(node, given[0], path)(*given),)

    def _layer(self, node: Node, x: Tensor, path: str) -> nn.Module:
        if path not in self.layers:
            layer = LAYERS[node.word].bind(_values(node.arguments, x), Shape(x.shape))
            made = torch_layer(_parametrized(layer, node.options)).to(x.dtype)
            state = {name: self._tensor(f"{path}.{name}", tensor) for name, tensor in made.state_dict().items()}
            made.load_state_dict(state)
            self.layers[path] = made.train(self.module.training)
        return self.layers[path]

    def _tensor(self, name: str, like: Tensor) -> Tensor:
        found = self.renamer.renamed(name)
        if found not in self.state and found.endswith("num_batches_tracked"):
            return like
        self.used.add(found)
        return self.state[found].reshape(like.shape)

    def unused(self) -> set[str]:
        """Tensors of the module that no layer has."""
        return {name for name in self.state if not name.endswith("num_batches_tracked")} - self.used


def _parametrized(layer: Layer, options: Mapping[str, Any]) -> Layer:
    if (value := options.get("parametrization")) is None:
        return layer
    function = PARAMETRIZATIONS[value.word]
    given = dict(value.arguments)
    return layer.parametrized(Parametrized(function, given, function.bind(given)))


def _values(arguments: Mapping[str, Any], x: Tensor) -> dict[str, Any]:
    return {name: _value(value, x) for name, value in arguments.items()}


def _value(value: Any, x: Tensor) -> Any:
    if isinstance(value, tuple):
        return tuple(_value(item, x) for item in value)
    if not isinstance(value, Record):
        return value
    sizes = {"channels": x.shape[1], "width": x.shape[-1], "height": x.shape[-2], "features": x.shape[-1]}
    return eval(text(value), {"input": type("Input", (), sizes), **FUNCTIONS})  # type: ignore[arg-type]


def compare(
    module: nn.Module,
    *shapes: tuple[int, ...],
    whole: bool = True,
    others: list[Any] | None = None,
    rounding: bool = False,
) -> Lifted:
    """A module and its body give the same, bit by bit, on samples of these shapes and of ``others``, in batches of two
    and of three. All of its tensors are used if it is ``whole``. With ``rounding``, they are
    only as equal as double precision is."""
    module.eval()
    found = lifted(module, *shapes)
    for batch, sizes in ((2, shapes), (3, others or shapes)):
        interpreter = Interpreter(found, module)
        kind = torch.float64 if rounding else torch.float32
        inputs = [torch.randn(batch, *shape, dtype=kind) for shape in sizes]
        with torch.no_grad():
            made = interpreter(*(x.clone() for x in inputs))
            wanted = module(*(x.clone() for x in inputs))
        for (name, value), expected in zip(made.items(), _leaves(wanted), strict=True):
            close = 1e-12 if rounding else 0
            torch.testing.assert_close(
                value, expected, rtol=close, atol=close, msg=lambda text, name=name: f"{name}: {text}"
            )
        assert not whole or not interpreter.unused(), interpreter.unused()
    return found


def _leaves(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
