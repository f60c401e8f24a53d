"""Where a shape comes from: the operations between the inputs of a network and one tensor, with their arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import count, pairwise
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
from cnndsl.questions.lookup import Target, failure, find, uses
from cnndsl.questions.origin import Names, Scope, of_call, of_document, of_rounds, origins, within
from cnndsl.questions.trace_table import Size, Step, Trace
from cnndsl.spec.steps import Step as SpecStep
from cnndsl.spec.steps import arms
from cnndsl.spec.values import Value
from cnndsl.spec.words import INPUT

if TYPE_CHECKING:
    from cnndsl.spec.document import Spec

#: The most operations in a row that are compared with those after them.
_LONGEST = 12


def trace(net: Network | Spec, path: str | None = None, /, **params: Any) -> Trace:
    """Where the shape at ``path`` comes from, step by step from the input.

    ``net`` is a network or a spec, which may have errors; ``params`` replace the spec's own. ``path`` is that of a
    module, layer or merge, as the table of shapes has it, ``PATH#2`` that of the second use of a layer, or a place in a
    file, ``net.yaml:16``. By default it is what fails, or else the network's output. Raises :class:`LookupError` for a
    path that leads to nothing or to several things, and :class:`SpecError` if the spec has no network at all.
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
    tracer = _Tracer(root, target)
    steps = _folded(tuple(tracer.steps()))
    asked = path or INPUT if isinstance(target, Tensor) else tracer.path(target) or "output"
    number = 0 if isinstance(target, Tensor) else sum(item.path == target.path for item in root.everything)
    made = (target,) if isinstance(target, Tensor) else () if isinstance(target, Failed) else target.outputs
    return Trace(
        root.name, asked, inputs, tuple(tensor.shape for tensor in made), steps, tuple(diagnostics), max(number, 1)
    )


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
        self.paths = uses(root)
        #: By path, the step that makes a module, and the arguments of a layer, with the names around. Later uses have
        #: the same.
        self.makes: dict[str, tuple[SpecStep | None, Names]] = {}
        self.arguments: dict[str, tuple[Mapping[str, Value], Names]] = {}
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

    def path(self, item: Operation | Failed) -> str:
        return item.path if isinstance(item, Failed) else self.paths.get(item, item.path)

    def steps(self) -> Iterator[Step]:
        yield from self._in_module(self.root, within(self.root.steps, self.document))

    def _in_module(self, item: Module, scope: Scope) -> Iterator[Step]:
        yield from self._in_body(item.body, scope)
        if isinstance(self.target, Failed) and self.target in item.failed:
            yield self._failed(self.target)

    def _in_body(self, body: Body, scope: Scope) -> Iterator[Step]:
        for item in body:
            names = scope.of(item.step)
            if isinstance(item, Module):
                inside = tuple(self._in_module(item, self._called(item, names)))
                if inside:
                    yield self._module(item, inside)
            elif isinstance(item, (Apply, Merge, Split)):
                if isinstance(item, Apply):
                    self.arguments.setdefault(item.path, (item.written, names))
                if item in self.needed:
                    yield self._operation(item)
            else:
                for inner, known in self._inside(item, names):
                    yield from self._in_body(inner, known)

    def _called(self, item: Module, names: Names) -> Scope:
        """The names inside of a module."""
        step, around = self.makes.setdefault(item.path, (item.step, names))
        return of_call(item, step, around, self.document)

    def _inside(self, item: Region, names: Names) -> Iterator[tuple[Body, Scope]]:
        """The bodies of a region, each with the names that are known there."""
        here = Scope({}, names)
        match item:
            case Inline():
                yield item.body, of_call(item, item.step, names, self.document)
            case Repeat() | Dense():
                (arm, *_) = arms(item.step)
                yield from zip(item.bodies, map(of_rounds(item.step, arm, len(item.bodies), names), count()))
            case Branch():
                yield from ((inner, here) for inner in item.bodies[:-1][: item.split is not None])
                yield from ((way.body, scope) for way, scope in zip(item.arms, self._ways(item, names)))
                yield (item.merge,), here
            case Residual():
                for inner, arm in zip((item.body, item.shortcut), arms(item.step)):
                    yield inner, of_rounds(item.step, arm, 1, names)(0)
                yield from ((inner, here) for inner in item.bodies[2:])

    def _ways(self, item: Branch, names: Names) -> Iterator[Scope]:
        """The names in each branch."""
        rounds = Counter(way.written for way in item.arms)
        known = {
            written: of_rounds(item.step, item.step.branches[written], several, names)
            for written, several in rounds.items()
        }
        return (known[way.written](way.round) for way in item.arms)

    # --- one step --------------------------------------------------------------------------------

    def _module(self, item: Module, inside: tuple[Step, ...]) -> Step:
        if inside[-1].failed:
            shapes = tuple(tensor.shape for tensor in item.inputs)
            return Step(
                self.path(item), call(item), shapes, (), self._sources(item.inputs), steps=_folded(inside), failed=True
            )
        return self._step(item, steps=_folded(inside))

    def _operation(self, item: Apply | Merge | Split) -> Step:
        shapes = [tensor.shape for tensor in item.inputs]
        out = item.outputs[0].shape
        arguments: dict[str, tuple[str, ...]] = {}
        if isinstance(item, Apply):
            told = item.layer.arithmetic(shapes[0], out)
            written, names = self.arguments[item.path]
            arguments = {name: origins(value, names) for name, value in written.items()}
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
            self.path(item), call(item), inputs, outputs, self._sources(item.inputs), place=place, maker=maker, **more
        )

    def _failed(self, target: Failed) -> Step:
        shapes = tuple(tensor.shape for tensor in target.inputs)
        return Step(target.path, target.kind, shapes, (), self._sources(target.inputs), failed=True)

    def _sources(self, tensors: Iterable[Tensor]) -> tuple[str, ...]:
        return tuple(
            self.names[tensor] if tensor in self.names else self.path(self.makers[tensor])
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
