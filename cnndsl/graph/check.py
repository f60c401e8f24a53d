"""What can only be said of a whole network: its contracts, and what it defines and never uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass

from cnndsl.diagnostics import Code, Diagnostic, Note
from cnndsl.graph.contract import broken_contracts
from cnndsl.graph.graph import Apply, Graph, Module, Operation, operations, walk
from cnndsl.graph.habits import doubtful_habits
from cnndsl.graph.initialization import Initialization, initializations
from cnndsl.layers import INITIALIZERS, LAYERS, Refused
from cnndsl.source import Source, Span
from cnndsl.spec.document import Parameter
from cnndsl.spec.steps import Call, Step, Steps, nested
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree
from cnndsl.spec.values import Expression, Literal, expressions_in, parse_text


def check_graph(graph: Graph) -> list[Diagnostic]:
    """Faults and warnings of a network whose every shape is known."""
    return [
        *broken_contracts(graph),
        *_unfit_initializations(graph),
        *_unused_definitions(graph),
        *_unused_tensors(graph),
        *doubtful_habits(graph),
    ]


# --- init ----------------------------------------------------------------------------------------


def _unfit_initializations(graph: Graph) -> Iterator[Diagnostic]:
    """What ``init`` says of weights that are not there, or not of a shape that its function fills."""
    layers = [item for _, item in walk(graph.root.body) if isinstance(item, Apply) and not item.reuse]
    for init in initializations(graph.document, graph.root.params)[0]:
        alike = [item for item in layers if item.kind == init.layer]
        having = [item for item in alike if init.tensor in item.layer.parameters()]
        if not alike and init.span.source == graph.document.source:
            yield Diagnostic(Code.UNUSED, f"the network has no `{init.layer}` to initialise", init.span)
        elif alike and not having and (init.tensor == "weight" or "bias" not in LAYERS[init.layer].arguments):
            message = f"no `{init.layer}` of this network has a {init.tensor} to initialise"
            yield Diagnostic(Code.SHAPE, message, init.span, "remove it")
        yield from _refused(init, having)


def _refused(init: Initialization, layers: Iterable[Apply]) -> Iterator[Diagnostic]:
    function = INITIALIZERS[init.function]
    for item in layers:
        try:
            function.admit(function.bind(init.arguments), item.layer.parameters()[init.tensor])
        except Refused as refused:
            message = f"the {init.tensor} of `{item.path}`: {refused.message}"
            yield Diagnostic(Code.SHAPE, message, init.span, refused.help)
            return


# --- what is never used --------------------------------------------------------------------------


def _unused_definitions(graph: Graph) -> Iterator[Diagnostic]:
    document = graph.document
    used = {item.block for _, item in walk(graph.root.body) if isinstance(item, Module)}
    # A block that is called where `when` is false is used with other parameters.
    pending = [document.network, *(block.steps for name, block in document.blocks.items() if name in used)]
    while pending:
        for name in {*_called_in(pending.pop())} & document.blocks.keys() - used:
            used.add(name)
            pending.append(document.blocks[name].steps)
    for block in document.blocks.values():
        if block.span.source != document.source:
            continue
        if block.name not in used:
            yield Diagnostic(Code.UNUSED, f"the block `{block.name}` is never used", block.span)
        mentioned = set(_names_in((block.parameters, block.steps)))
        for parameter in block.parameters:
            if parameter.name not in mentioned:
                yield _unused_parameter(parameter, f" of the block `{block.name}`")
    mentioned = set(_names_in(document))
    for parameter in document.params:
        if parameter.name not in mentioned and parameter.span.source == document.source:
            yield _unused_parameter(parameter, "")


def _called_in(steps: Steps) -> Iterator[str]:
    """The blocks and layers that steps name, and those inside of them."""
    for step in steps:
        if isinstance(step, Call) and isinstance(step.callee, Literal):
            yield str(step.callee.value)
        for inner in nested(step):
            yield from _called_in(inner)


def _unused_parameter(parameter: Parameter, of: str) -> Diagnostic:
    return Diagnostic(Code.UNUSED, f"the parameter `{parameter.name}`{of} is never used", parameter.span)


def _names_in(part: object) -> Iterator[str]:
    """The names that the expressions in a part of a document mention."""
    if isinstance(part, (Scalar, Listing, Mapping)):
        yield from _names_in_tree(part)
    elif isinstance(part, (tuple, list)):
        for item in part:
            yield from _names_in(item)
    elif isinstance(part, dict):
        yield from _names_in(tuple(part.values()))
    elif isinstance(part, Expression):
        yield from part.names
    elif is_dataclass(part) and not isinstance(part, (Span, Source)):
        for field in fields(part):
            if field.name != "tree":  # all of a document once more, as it was read
                yield from _names_in(getattr(part, field.name))


def _names_in_tree(tree: Tree) -> Iterator[str]:
    """The same of what has not been parsed: ``init``, ``expect`` and ``train``."""
    if isinstance(tree, Mapping):
        yield from _names_in(tuple(tree.by_key.values()))
    elif isinstance(tree, Listing):
        yield from _names_in(tree.items)
    elif isinstance(tree.value, str):
        for expression in expressions_in(parse_text(tree.value, tree.span, lambda _: None)):
            yield from expression.names


def _unused_tensors(graph: Graph) -> Iterator[Diagnostic]:
    """Steps whose tensor nothing takes, and inputs."""
    modules = [graph.root, *(item for _, item in walk(graph.root.body) if isinstance(item, Module))]
    taken = {*graph.outputs.values(), *(module.output for module in modules)}
    taken.update(tensor for module in modules for operation in operations(module.body) for tensor in operation.inputs)
    for name, tensor in graph.inputs.items():
        if tensor not in taken:
            yield Diagnostic(Code.UNUSED, f"the input `{name}` is never used", graph.document.inputs[name].span)
    made: dict[Step, list[Operation]] = {}
    for operation in (operation for module in modules for operation in operations(module.body)):
        if operation.step is not None:
            made.setdefault(operation.step, []).append(operation)
    for step, times in made.items():
        idle = [operation for operation in times if not taken.issuperset(operation.outputs)]
        if idle:
            notes, help = [], ""
            if len(idle) < len(times):
                notes = [Note(f"{len(times) - len(idle)} of the step's {len(times)} results are used")]
                help = "leave the step out there with `when`"
            message = f"nothing takes what `{idle[0].path}` gives"
            yield Diagnostic(Code.UNUSED, message, step.span, help, tuple(notes))
