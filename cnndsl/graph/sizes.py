"""Sizes that are computed when the spec is compiled, although they are those of another tensor.

``Upsample: {size: $size}`` with ``let: {size: $(input.shape[1:])}`` gives that one size for every input of the network;
``Upsample: {like: NAME}`` follows it.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import cached_property
from itertools import islice

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.graph.graph import Apply, Tensor
from cnndsl.graph.scope import Scope
from cnndsl.graph.site import Site
from cnndsl.layers.upsampling import Interpolation
from cnndsl.spec.document import Document
from cnndsl.spec.steps import Call, Let, Name, Step, Steps, arms
from cnndsl.spec.values import Expression, Literal, Value, expressions_in

_SIZES = ("height", "width", "depth", "shape")
#: The most names and tensors that are searched for one of a size: those made last.
_MANY = 100


class FrozenSizes:
    """Warns of layers that resize to the size of an earlier tensor, which ``like`` could name."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self._seen: set[Step] = set()

    def warning(self, item: Apply, site: Site, made: Iterable[Tensor]) -> Diagnostic | None:
        """A warning about the size of a layer, once for each step. ``made`` are all tensors, the last one first."""
        if item.step in self._seen or not isinstance(item.layer, Interpolation):
            return None
        self._seen.add(item.step)
        written = [value for name in ("size", "scale_factor") if (value := item.written.get(name)) is not None]
        if not any(_comes_from_sizes(value, self._names) for value in written):
            return None
        size = item.output.shape.spatial
        like = _name_of_size(size, site.scope)
        if like is None and not _is_size(size, made, item):
            return None
        help = f"{_remedy(item, item.layer, like or 'NAME')} reads the size of `{like or 'NAME'}` when it runs"
        if like is None:
            where = (
                "give the block a second input, `inputs: [x, NAME]`" if site.calls else "`name` the step of that size"
            )
            help = f"{where}; {help}"
        message = f"this `{item.kind}` gives {list(size)}, whatever the size of the network's input"
        return Diagnostic(Code.FROZEN, message, written[0].span.first_line, help)

    @cached_property
    def _names(self) -> frozenset[str]:
        """Names whose values are computed from the sizes of a tensor, in a ``let``, by a loop, or as a block's
        parameter. A name counts in the whole document if it does anywhere."""
        leads_to: dict[str, set[str]] = defaultdict(set)
        found: set[str] = set()
        for name, value in _bindings(self.document):
            for expression in expressions_in(value):
                if _names_size(expression):
                    found.add(name)
                for other in expression.names:
                    leads_to[other].add(name)
        pending = [*found]
        while pending:
            new = leads_to[pending.pop()] - found
            found |= new
            pending += new
        return frozenset(found)


def _remedy(item: Apply, layer: Interpolation, like: str) -> str:
    kept = [f"{name}: {value.span.text}" for name, value in item.written.items() if name in ("mode", "align_corners")]
    return f"`Upsample: {{{', '.join((f'like: {like}', *(layer.mode_of_like or kept)))}}}`"


def _name_of_size(size: tuple[int, ...], scope: Scope) -> str | None:
    """The name of the last tensor of this module with these spatial sizes, None if there is none."""
    return next((name for name, tensor in islice(_named(scope), _MANY) if tensor.shape.spatial == size), None)


def _named(scope: Scope) -> Iterator[tuple[str, Tensor]]:
    """The tensors that have a name in a module, the last one first."""
    for name, named in reversed(scope.names.items()):
        if named.tensor is not None:
            yield name, named.tensor
            yield from ((f"{name}.{output}", tensor) for output, tensor in named.outputs.items())


def _is_size(size: tuple[int, ...], made: Iterable[Tensor], item: Apply) -> bool:
    others = (tensor for tensor in islice(made, _MANY) if tensor is not item.output)
    return any(tensor.shape.spatial == size for tensor in others)


def _comes_from_sizes(value: Value, names: Collection[str]) -> bool:
    expressions = [*expressions_in(value)]
    return any(_names_size(expression) or not expression.names.isdisjoint(names) for expression in expressions)


def _names_size(expression: Expression) -> bool:
    """Whether an expression contains ``input.height``, ``input.shape`` or the like."""
    return any(isinstance(node, ast.Attribute) and node.attr in _SIZES for node in ast.walk(expression.node))


# --- where names get their values ----------------------------------------------------------------


def _bindings(document: Document) -> Iterator[tuple[str, Value]]:
    """Every name of a document with the values that it is bound to."""
    yield from _in_steps(document.network, document)
    for block in document.blocks.values():
        yield from ((parameter.name, parameter.default) for parameter in block.parameters if parameter.default)
        yield from _in_steps(block.steps, document)


def _in_steps(steps: Steps, document: Document) -> Iterator[tuple[str, Value]]:
    for step in steps:
        if isinstance(step, Let):
            yield from ((name.name, value) for name, value in step.values)
        elif isinstance(step, Call):
            yield from _in_call(step, document)
        for arm in arms(step):
            if arm.loop is not None and arm.loop.elements is not None:
                yield from _each(arm.loop.names, arm.loop.elements)
            yield from _in_steps(arm.steps, document)


def _each(names: Iterable[Name], value: Value) -> Iterator[tuple[str, Value]]:
    return ((name.name, value) for name in names)


def _in_call(step: Call, document: Document) -> Iterator[tuple[str, Value]]:
    """The parameters of a block with what a call gives them."""
    given = step.arguments
    block = document.blocks.get(str(step.callee.value)) if isinstance(step.callee, Literal) else None
    if block is None:
        return
    if given.alone is not None:  # it may be a list for all of them
        yield from ((parameter.name, given.alone) for parameter in block.parameters)
    else:
        yield from zip((parameter.name for parameter in block.parameters), given.positional)
    yield from ((keyword.name, keyword.value) for keyword in given.keywords)
