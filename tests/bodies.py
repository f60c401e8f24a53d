"""Bodies made by hand, and an oracle for the steps that are made of them: both are run on numbers.

A tensor is a list of numbers, one for each channel. A layer gives numbers that depend on it and on all that it takes;
merges compute as torch does, so sums of three depend on the order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from cnndsl.importing.body import Body, Node
from cnndsl.importing.recorded import Tensor, Traced
from cnndsl.importing.structure import structured
from cnndsl.importing.tree import Block, Branch, Call, From, Named, Residual, Reuse, Spec, Steps
from cnndsl.importing.writing import written

Value = tuple[float, ...]
MERGES: dict[str, Callable[[float, float], float]] = {
    "add": lambda a, b: a + b,
    "multiply": lambda a, b: a * b,
    "subtract": lambda a, b: a - b,
    "divide": lambda a, b: a / b,
    "maximum": max,
    "minimum": min,
}


class Kind:
    """Stands for a module's class."""


def traced(kind: str, path: str = "") -> Traced:
    return Traced(path, (path,), type(kind, (), {})(), False, {}, {}, ())


class Recorder:
    """Records a body. ``channels`` are those of the inputs."""

    def __init__(self, path: str = "", kind: str = "Net", **channels: int) -> None:
        self.module = traced(kind, path)
        self.inputs = {name: Tensor((2, count, 8, 8), name) for name, count in (channels or {"x": 4}).items()}
        self.nodes: list[Node] = []
        self.ran: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        return self.inputs[name]

    def module_of(self, word: str, name: str, *inputs: Tensor, channels: int = 0, called: str = "") -> Tensor:
        out = self._tensor(channels or inputs[0].shape[1], called, inputs[0].shape[2])
        self._node(word, name, {"id": name}, inputs, (out,))
        return out

    def layer(self, name: str, x: Tensor, channels: int = 0, called: str = "") -> Tensor:
        """A convolution."""
        return self.module_of("Conv2d", name, x, channels=channels, called=called)

    def relu(self, x: Tensor, name: str = "", called: str = "") -> Tensor:
        out = self._tensor(x.shape[1], called, x.shape[2])
        self._node("ReLU", name, {"id": name} if name else {}, (x,), (out,))
        return out

    def pool(self, x: Tensor) -> Tensor:
        """Halves height and width."""
        out = self._tensor(x.shape[1], "", x.shape[2] // 2)
        self._node("MaxPool2d", "", {"kernel_size": 2}, (x,), (out,))
        return out

    def grown(self, name: str, x: Tensor) -> Tensor:
        """A transposed convolution, which doubles them."""
        out = self._tensor(x.shape[1], "", x.shape[2] * 2)
        self._node("ConvTranspose2d", name, {"id": name}, (x,), (out,))
        return out

    def up(self, x: Tensor, like: Tensor) -> Tensor:
        out = self._tensor(x.shape[1], "", like.shape[2])
        self._node("Upsample", "", {}, (x, like), (out,))
        return out

    def child(self, name: str, body: Body, *inputs: Tensor) -> tuple[Tensor, ...]:
        """A module with a body of its own."""
        outputs = tuple(Tensor(tensor.shape, tensor.name) for tensor in body.outputs.values())
        node = Node("", name, {}, inputs, outputs, child=body.module, body=body, reuse=name in self.ran)
        self.ran.add(name)
        self.nodes.append(node)
        return outputs

    def merge(self, word: str, *operands: Tensor, called: str = "") -> Tensor:
        channels = sum(x.shape[1] for x in operands) if word == "concat" else operands[0].shape[1]
        out = self._tensor(channels, called, operands[0].shape[2])
        self._node(word, "", {}, operands, (out,))
        return out

    def cat(self, *operands: Tensor, called: str = "") -> Tensor:
        return self.merge("concat", *operands, called=called)

    def add(self, *operands: Tensor, called: str = "") -> Tensor:
        return self.merge("add", *operands, called=called)

    def split(self, x: Tensor, *sizes: int) -> tuple[Tensor, ...]:
        parts = tuple(self._tensor(size, f"part{i}", x.shape[2]) for i, size in enumerate(sizes))
        self._node("split", "", {"sizes": sizes}, (x,), parts)
        return parts

    def body(self, *results: Tensor, **outputs: Tensor) -> Body:
        found = outputs or ({"": results[0]} if len(results) == 1 else dict(zip(map(str, range(9)), results)))
        return Body(self.module, self.inputs, tuple(self.nodes), found)

    def _tensor(self, channels: int, called: str, size: int = 8) -> Tensor:
        return Tensor((2, channels, size, size), called)

    def _node(
        self, word: str, name: str, arguments: Mapping[str, Any], inputs: Sequence[Tensor], outputs: tuple[Tensor, ...]
    ) -> None:
        self.nodes.append(Node(word, name, arguments, tuple(inputs), outputs, reuse=bool(name) and name in self.ran))
        self.ran.add(name)


# --- the oracle ----------------------------------------------------------------------------------


def ran(body: Body, given: Sequence[Value]) -> list[Value]:
    """The outputs of a body."""
    values: dict[Tensor, Value] = dict(zip(body.inputs.values(), given))
    for node in body.nodes:
        taken = [values[tensor] for tensor in node.inputs]
        if node.word == "split":
            start = 0
            for tensor in node.outputs:
                values[tensor] = taken[0][start : start + tensor.shape[1]]
                start += tensor.shape[1]
        elif node.body is not None:
            values |= zip(node.outputs, ran(node.body, taken))
        elif node.word in MERGES or node.word == "concat":
            values[node.outputs[0]] = merged(node.word, taken)
        else:
            values[node.outputs[0]] = computed(node.word, node.arguments, taken, node.outputs[0].shape[1])
    return [values[tensor] for tensor in body.outputs.values()]


def merged(word: str, values: Sequence[Value]) -> Value:
    if word == "concat":
        return tuple(number for value in values for number in value)
    return tuple(reduce(MERGES[word], numbers) for numbers in zip(*values, strict=True))


def computed(word: str, arguments: Mapping[str, Any], taken: Sequence[Value], channels: int) -> Value:
    if word == "Slice":
        return taken[0][arguments["start"] : arguments.get("stop")]
    source = random.Random(repr((word, arguments.get("id"), taken)))
    return tuple(source.uniform(0.5, 2.0) for _ in range(channels))


class Interpreter:
    """Runs the steps of a block. ``widths`` has the channels that each module gives, ``children`` the blocks of modules
    that are not layers."""

    def __init__(self, block: Block, body: Body) -> None:
        self.block = block
        self.modules: dict[str, Call] = {}
        self.named: dict[str, Value] = {}
        nodes = [node for node in body.nodes if node.name]
        self.widths = {node.name: node.outputs[0].shape[1] for node in nodes if node.word == "Conv2d"}
        self.children = {node.name: node.body for node in nodes if node.body is not None}
        self.index = 0
        self.is_chain = all(isinstance(step, Call) and "." not in step.name for step in block.steps)

    def run(self, given: Sequence[Value]) -> list[Value]:
        names = self.block.inputs or ("input",)
        self.given = self.named = dict(zip(names, given, strict=True))
        self.named.setdefault("input", given[0])
        last = self.steps(self.block.steps, given[0])
        return [self.named[name] for name in self.block.outputs] if self.block.outputs else [last]

    def steps(self, steps: Steps, x: Value) -> Value:
        for step in steps:
            x = self.step(step, x)
        return x

    def step(self, step: Any, x: Value) -> Value:
        name = getattr(step, "name", "")
        match step:
            case From(tensor=tensor):
                return self.named[tensor]
            case Named():
                pass
            case Residual(steps=steps, shortcut=shortcut):
                main = self.steps(steps, x)
                x = merged("add", [main, x if shortcut is True else self.steps(shortcut, x)])
            case Branch():
                x = self.branch(step, x)
            case Reuse(module=module, inputs=inputs):
                return self.call(self.modules[module], module, inputs, x, name)
            case Call():
                own = name or (str(self.index) if self.is_chain else "")
                self.index += 1
                assert not own or own not in self.modules, f"two steps are called {own}"
                self.modules[own] = step
                return self.call(step, own, step.inputs, x, own)
        if name:
            self.named[name] = x
        return x

    def call(self, call: Call, module: str, inputs: Sequence[str], x: Value, name: str) -> Value:
        arguments = dict(call.arguments)
        taken = [self.named[tensor] for tensor in inputs] or [x]
        if module in self.children:
            body = self.children[module]
            results = Interpreter(structured(body), body).run(taken)
            outputs = [output.rpartition(".")[2] for output in structured(body).outputs]
            self.named |= {f"{name}.{output}": result for output, result in zip(outputs, results)}
            self.named[name] = results[-1]
            return results[-1]
        if "id" in arguments:
            assert arguments["id"] == module
        if "like" in arguments:
            taken.append(self.named[arguments["like"]])
        value = computed(str(call.word), arguments, taken, self.widths.get(module, len(taken[0])))
        if name:
            self.named[name] = value
        return value

    def branch(self, step: Branch, x: Value) -> Value:
        starts = [x] * len(step.arms)
        if step.split:
            even = (len(x) // len(step.arms),) * len(step.arms)
            sizes = even if step.split is True else step.split
            ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
            assert ends[-1] == len(x)
            starts = [x[end - size : end] for end, size in zip(ends, sizes)]
        return merged(step.merge, [self.steps(arm.steps, start) for arm, start in zip(step.arms, starts, strict=True)])


def check(body: Body) -> Block:
    """The block of a body, which computes the same."""
    block = structured(body)
    given = [tuple(1.5 + n + 3 * i for n in range(x.shape[1])) for i, x in enumerate(body.inputs.values())]
    assert Interpreter(block, body).run(given) == ran(body, given)
    return block


def shown(block: Block) -> str:
    """The steps as text, without the ids of modules."""
    text = written(Spec("x", "", (("x", (1, 2, 2)),), (), (block,), ()))
    lines = text[text.index("blocks:\n") :].splitlines()[1:]
    return "\n".join(line.removeprefix("  ") for line in lines if not line.startswith("network"))
