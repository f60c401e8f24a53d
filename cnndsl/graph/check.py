"""Checks of a whole network: its contracts, and what it defines and never uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from cnndsl.diagnostics import Code, Diagnostic, Note
from cnndsl.graph.graph import Apply, Graph, Module, Operation, Tensor
from cnndsl.graph.initialization import Initialization
from cnndsl.graph.lints import doubtful_habits
from cnndsl.graph.meanings import meanings
from cnndsl.graph.renames import doubtful_renamings
from cnndsl.layers import INITIALIZERS, LAYERS, Refused
from cnndsl.spec.document import Block
from cnndsl.spec.steps import Call, Step, Steps, nested
from cnndsl.spec.values import Literal


def check_graph(graph: Graph) -> list[Diagnostic]:
    """Faults and warnings of a network whose every shape is known."""
    return [
        *_broken_contracts(graph),
        *_unfit_initializations(graph),
        *_zero_norms(graph),
        *_unused_blocks(graph),
        *_doubtful_names(graph),
        *doubtful_renamings(graph),
        *_unused_tensors(graph),
        *doubtful_habits(graph),
    ]


# --- expect and init -----------------------------------------------------------------------------


def _broken_contracts(graph: Graph) -> Iterator[Diagnostic]:
    output = next(iter(graph.outputs.values())).shape.sample
    for contract in graph.contracts:
        found = output if contract.what == "output" else getattr(graph.root.cost, contract.what)
        if broken := contract.broken(found):
            yield broken


def _unfit_initializations(graph: Graph) -> Iterator[Diagnostic]:
    """Lines of ``init`` for weights that do not exist, or whose shape does not fit the function."""
    for init in graph.initializations:
        alike = [item for item in graph.root.layers if item.kind == init.layer and not item.reuse]
        having = [item for item in alike if init.tensor in item.layer.parameters()]
        if not alike and init.span.source == graph.document.source:
            yield Diagnostic(Code.UNUSED, f"the network has no `{init.layer}` to initialise", init.span)
        elif alike and not having and (init.tensor == "weight" or "bias" not in LAYERS[init.layer].arguments):
            message = f"no `{init.layer}` in this network has a {init.tensor} to initialise"
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


def _zero_norms(graph: Graph) -> Iterator[Diagnostic]:
    """Lines of ``init`` that give a weight of zeros to a parametrization, which divides it by its norm."""
    for init in graph.initializations:
        alike = (item for item in graph.root.layers if item.kind == init.layer)
        found = next((item for item in alike if item.layer.parametrization), None)
        if found and init.tensor == "weight" and _is_zero(init):
            message = f"the weight of `{found.path}` starts as zeros, and `{found.layer.parametrization}` divides by 0"
            help = "`xavier_uniform`, or any other function with random values"
            yield Diagnostic(Code.ZERO, message, init.span, help)


def _is_zero(init: Initialization) -> bool:
    return init.function == "zeros" or (init.function == "constant" and init.arguments["val"] == 0)


# --- what is never used --------------------------------------------------------------------------


def _unused_blocks(graph: Graph) -> Iterator[Diagnostic]:
    document = graph.document
    used = {module.block for module in graph.root.modules}
    # A block that is called where `when` is false is used with other parameters.
    pending = [document.network, *(block.steps for name, block in document.blocks.items() if name in used)]
    while pending:
        for name in {*_called_in(pending.pop())} & document.blocks.keys() - used:
            used.add(name)
            pending.append(document.blocks[name].steps)
    for block in _own_blocks(graph):
        if block.name not in used:
            yield Diagnostic(Code.UNUSED, f"the block `{block.name}` is never used", block.span)


def _called_in(steps: Steps) -> Iterator[str]:
    """The blocks and layers named by steps and by the steps inside them."""
    for step in steps:
        if isinstance(step, Call) and isinstance(step.callee, Literal):
            yield str(step.callee.value)
        for inner in nested(step):
            yield from _called_in(inner)


def _doubtful_names(graph: Graph) -> Iterator[Diagnostic]:
    """Parameters that are never used, and names that hide others."""
    document = graph.document
    found = meanings(document)
    yield from found.hiding
    for parameter, covering in found.unused:
        if parameter.span.source == document.source:
            notes = (Note(f"{covering} is a different one", covering.span),) if covering else ()
            yield Diagnostic(Code.UNUSED, f"{parameter} is never used", parameter.span, notes=notes)


def _unused_tensors(graph: Graph) -> Iterator[Diagnostic]:
    """Steps, inputs and outputs whose tensor nothing uses."""
    taken = {module: _taken_in(module) for module in (graph.root, *graph.root.modules)}
    for name, tensor in graph.inputs.items():
        if tensor not in taken[graph.root]:
            yield Diagnostic(Code.UNUSED, f"the input `{name}` is never used", graph.document.inputs[name].span)
    yield from _unused_inputs(graph, taken)
    yield from _unused_outputs(graph, taken)
    yield from _unused_steps(taken)


#: The tensors that each module uses: its operations take them, or it returns them.
Taken: TypeAlias = Mapping[Module, set[Tensor]]


def _taken_in(module: Module) -> set[Tensor]:
    inside = (tensor for operation in module.operations for tensor in operation.inputs)
    return {*module.outputs, *inside}


def _own_blocks(graph: Graph) -> Iterator[Block]:
    """The blocks that the document itself defines, not a file that it uses."""
    return (block for block in graph.document.blocks.values() if block.span.source == graph.document.source)


def _unused_inputs(graph: Graph, taken: Taken) -> Iterator[Diagnostic]:
    """The named inputs of blocks that no use takes."""
    used = {(module.block, name) for module in taken for name in module.given if module.given[name] in taken[module]}
    called = {module.block for module in taken}
    for block in _own_blocks(graph):
        for name in block.inputs if block.name in called else ():
            if (block.name, name.name) not in used:
                message = f"the input `{name.name}` of `{block.name}` is never used"
                yield Diagnostic(Code.UNUSED, message, name.span)


def _unused_outputs(graph: Graph, taken: Taken) -> Iterator[Diagnostic]:
    """The outputs of blocks that nothing takes, after any call."""
    used: set[tuple[str, int]] = set()
    called = {module.block for module in taken}
    for around, tensors in taken.items():
        for module in around.operations:
            if isinstance(module, Module):
                used |= {(module.block, place) for place, tensor in enumerate(module.outputs) if tensor in tensors}
    for block in _own_blocks(graph):
        for place, name in enumerate(block.outputs if block.name in called else ()):
            if (block.name, place) not in used:
                message = f"nothing uses the output `{name.span.text}` of `{block.name}`"
                yield Diagnostic(Code.UNUSED, message, name.span)


def _unused_steps(taken: Taken) -> Iterator[Diagnostic]:
    """Steps whose result nothing uses. A module of several outputs is used if one of them is."""
    made: dict[Step, list[tuple[Operation, bool]]] = {}
    for module, tensors in taken.items():
        for operation in module.operations:
            if operation.step is not None:
                all_or_any = any if isinstance(operation, Module) else all
                used = all_or_any(tensor in tensors for tensor in operation.outputs)
                made.setdefault(operation.step, []).append((operation, used))
    for step, times in made.items():
        idle = [operation for operation, used in times if not used]
        if idle:
            notes, help = [], ""
            if len(idle) < len(times):
                notes = [Note(f"{len(times) - len(idle)} of the step's {len(times)} results are used")]
                help = "leave the step out with `when` where it is unused"
            message = f"nothing uses the output of `{idle[0].path}`"
            yield Diagnostic(Code.UNUSED, message, step.span, help, tuple(notes))
