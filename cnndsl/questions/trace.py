"""Where a shape comes from: the operations between the inputs of a network and one tensor, with their arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.emit.table import call
from cnndsl.graph.combine import arithmetic
from cnndsl.graph.graph import (
    Apply,
    Body,
    Branch,
    Dense,
    Failed,
    Inline,
    Merge,
    Module,
    Operation,
    Region,
    Repeat,
    Residual,
    Split,
    Tensor,
)
from cnndsl.layers.shape import axis_name
from cnndsl.network import Network, compile_spec
from cnndsl.questions.lookup import Target, failure, find
from cnndsl.questions.origin import Names, of_call, of_document, of_round, origins, within
from cnndsl.questions.trace_table import Size, Step, Trace
from cnndsl.spec.steps import arms
from cnndsl.spec.words import INPUT

if TYPE_CHECKING:
    from cnndsl.spec.document import Spec

#: The most operations in a row that are compared with those after them.
_LONGEST = 12


def trace(net: Network | Spec, path: str | None = None, /, **params: Any) -> Trace:
    """Where the shape at ``path`` comes from, step by step from the input.

    ``net`` is a network or a spec, which may have errors; ``params`` replace the spec's own. ``path`` is that of a
    module, layer or merge, as the table of shapes has it, or a place in a file, ``net.yaml:16``. By default it is what
    fails, or else the network's output. Raises :class:`LookupError` for a path that leads to nothing or to several
    things, and :class:`SpecError` if the spec has no network at all.
    """
    if isinstance(net, Network):
        if params:
            raise TypeError("a network has its parameters already: give the spec, or load it with these")
        return trace_in(net.graph.root, path)
    compilation = compile_spec(net, params)
    root = compilation.graph.root if compilation.graph else compilation.partial
    if root is None:
        raise SpecError(compilation.diagnostics)
    return trace_in(root, path, [] if compilation.graph else compilation.diagnostics)


def trace_in(root: Module, path: str | None = None, diagnostics: Iterable[Diagnostic] = ()) -> Trace:
    """:func:`trace` in a network, or in what is known of one with errors."""
    target = find(root, path) if path is not None else failure(root) or _end(root)
    inputs = {name: tensor.shape for name, tensor in _inputs(root).items()}
    steps = _folded(tuple(_Tracer(root, target).steps()))
    asked = path or INPUT if isinstance(target, Tensor) else target.path or "output"
    made = (target,) if isinstance(target, Tensor) else () if isinstance(target, Failed) else target.outputs
    return Trace(root.name, asked, inputs, tuple(tensor.shape for tensor in made), steps, tuple(diagnostics))


def _end(root: Module) -> Target:
    """The network's output, or the last thing that is known before an error."""
    known = [item for item in root.everything if not isinstance(item, Module)]
    return root if root.output.shape else known[-1] if known else root.input


def _inputs(root: Module) -> Mapping[str, Tensor]:
    """The inputs by their names; one alone is ``input``, as in a spec."""
    return root.given if len(root.given) > 1 else {INPUT: root.input}


class _Tracer:
    """The steps to one target: the operations that it depends on, in the order in which they run."""

    def __init__(self, root: Module, target: Target) -> None:
        self.root = root
        self.target = target
        self.makers: dict[Tensor, Operation] = {}
        for operation in root.everything:
            if not isinstance(operation, Module):
                self.makers |= dict.fromkeys(operation.outputs, operation)
        self.names = {tensor: name for name, tensor in reversed([*_inputs(root).items()])}
        self.document = of_document(root)
        self.needed = self._needed()

    def _needed(self) -> set[Operation]:
        """The operations that the target depends on."""
        target = self.target
        pending = [target] if isinstance(target, Tensor) else [*getattr(target, "outputs", target.inputs)]
        needed: set[Operation] = set()
        while pending:
            maker = self.makers.get(pending.pop())
            if maker is not None and maker not in needed:
                needed.add(maker)
                pending += maker.inputs
        return needed

    def steps(self) -> Iterator[Step]:
        yield from self._in_body(self.root.body, within(self.root.definition.steps, self.document))
        if isinstance(self.target, Failed):
            yield self._failed(self.target)

    def _in_body(self, body: Body, names: Names) -> Iterator[Step]:
        for item in body:
            if isinstance(item, Module):
                inside = tuple(self._in_body(item.body, of_call(item, names, self.document)))
                if inside:
                    yield self._module(item, inside)
            elif isinstance(item, (Apply, Merge, Split)):
                if item in self.needed:
                    yield self._operation(item, names)
            else:
                for inner, known in self._inside(item, names):
                    yield from self._in_body(inner, known)

    def _inside(self, item: Region, names: Names) -> Iterator[tuple[Body, Names]]:
        """The bodies of a region, each with the names that are known there."""
        match item:
            case Inline():
                yield item.body, of_call(item, names, self.document)
            case Repeat() | Dense():
                (arm, *_) = arms(item.step)
                for number, inner in enumerate(item.bodies):
                    yield inner, of_round(item.step, arm, number, len(item.bodies), names)
            case Branch():
                yield from ((inner, names) for inner in item.bodies[:-1][: item.split is not None])
                rounds = Counter(arm.written for arm in item.arms)
                for way in item.arms:
                    arm = item.step.branches[way.written]
                    yield way.body, of_round(item.step, arm, way.round, rounds[way.written], names)
                yield (item.merge,), names
            case Residual():
                for inner, arm in zip((item.body, item.shortcut), arms(item.step)):
                    yield inner, of_round(item.step, arm, 0, 1, names)
                yield from ((inner, names) for inner in item.bodies[2:])

    # --- one step --------------------------------------------------------------------------------

    def _module(self, item: Module, inside: tuple[Step, ...]) -> Step:
        return self._step(item, steps=_folded(inside))

    def _operation(self, item: Apply | Merge | Split, names: Names) -> Step:
        shapes = [tensor.shape for tensor in item.inputs]
        out = item.outputs[0].shape
        arguments: dict[str, tuple[str, ...]] = {}
        if isinstance(item, Apply):
            told = item.layer.arithmetic(shapes[0], out)
            arguments = {name: origins(value, names) for name, value in item.written.items()}
        elif isinstance(item, Merge):
            told = arithmetic(item.kind, shapes, item.dim)
        else:
            told = {1: f"{shapes[0].channels} / {len(item.sizes)}"} if len({*item.sizes}) == 1 else {}
        sizes = tuple(Size(axis_name(dim, out.rank), told[dim], out[dim]) for dim in sorted(told))
        return self._step(item, sizes=sizes, arguments={name: links for name, links in arguments.items() if links})

    def _step(self, item: Operation, **more: Any) -> Step:
        inputs, outputs = (tuple(tensor.shape for tensor in side) for side in (item.inputs, item.outputs))
        place = str(item.step.span) if item.step else ""
        (maker,) = self._sources(item.outputs[-1:]) or ("",)
        return Step(
            item.path, call(item), inputs, outputs, self._sources(item.inputs), place=place, maker=maker, **more
        )

    def _failed(self, target: Failed) -> Step:
        shapes = tuple(tensor.shape for tensor in target.inputs)
        return Step(target.path, target.kind, shapes, (), self._sources(target.inputs), failed=True)

    def _sources(self, tensors: Iterable[Tensor]) -> tuple[str, ...]:
        return tuple(
            self.names[tensor] if tensor in self.names else self.makers[tensor].path
            for tensor in tensors
            if tensor in self.names or tensor in self.makers
        )


# --- folding -------------------------------------------------------------------------------------


def _folded(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps with equal ones in a row folded: one module, or several operations that come again and again."""
    numbers: dict[Hashable, int] = {}
    follows = [True, *(after.sources[:1] == (step.maker,) for step, after in pairwise(steps))]
    keys = [numbers.setdefault((step.key, chained), len(numbers)) for step, chained in zip(steps, follows)]
    found: list[Step] = []
    start = 0
    while start < len(steps):
        length, times = max(
            ((length, _times(keys, follows, start, length)) for length in range(1, _LONGEST + 1)),
            key=lambda run: run[0] * (run[1] - 1),
        )
        if length > 1 and _times(keys, follows, start + 1, length) == times:
            length = times = 1  # the run is as long from the next step on, which may be a better place to begin
        found.append(_run(steps[start : start + length * times], length, times))
        start += length * times
    return tuple(found)


def _times(keys: Sequence[int], follows: Sequence[bool], start: int, length: int) -> int:
    """How often the ``length`` keys from ``start`` on come in a row, each time on what was made the time before."""
    first = keys[start : start + length]
    after = start + length
    while after + length <= len(keys) and follows[after] and keys[after : after + length] == first:
        after += length
    return (after - start) // length


def _run(steps: Sequence[Step], length: int, times: int) -> Step:
    """The first ``length`` steps, which come ``times`` times, as one."""
    first, last = steps[0], steps[-1]
    if times == 1:
        return first
    if length == 1:
        return replace(first, times=times, last=last.path, maker=last.maker)
    output = steps[length - 1].output
    return replace(
        first,
        layer="",
        output=output,
        sizes=(),
        steps=tuple(steps[:length]),
        times=times,
        last=last.path,
        maker=last.maker,
    )
