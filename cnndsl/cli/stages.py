"""The result of each compiler stage as text: ``cnndsl build --stop-after``."""

from __future__ import annotations

from cnndsl.emit.source import source
from cnndsl.graph.graph import Graph, walk
from cnndsl.spec.document import Document
from cnndsl.spec.steps import Arm, Branch, Call, Residual, Steps


def stage(graph: Graph, name: str) -> str:
    """The text of a stage: ``steps``, ``graph`` or ``source``."""
    if name == "steps":
        return "\n".join(_document(graph.document)) + "\n"
    return source(graph) if name == "source" else _graph(graph)


def _document(document: Document) -> list[str]:
    lines = [f"{name} = {value.span.text}" for name, value in document.inputs.items()]
    for block in document.blocks.values():
        lines += [f"{block.signature}:", *_steps(block.steps, 1)]
    return [*lines, "network:", *_steps(document.network, 1)]


def _steps(steps: Steps, depth: int) -> list[str]:
    """Each step with its kind and its place; nested steps are indented."""
    margin = "  " * depth
    lines: list[str] = []
    for step in steps:
        inline = " inline" if isinstance(step, Call) and step.inline else ""
        lines.append(f"{margin}{type(step).__name__} {step.span.text}{inline}  # {step.span.line}:{step.span.column}")
        if isinstance(step, Branch):
            for arm in step.branches:
                lines += [f"{margin}  -{_rounds(arm)}", *_steps(arm.steps, depth + 2)]
        else:
            lines += _steps(getattr(step, "steps", ()), depth + 1)
        if isinstance(step, Residual) and isinstance(step.shortcut, tuple):
            lines += [f"{margin}  shortcut", *_steps(step.shortcut, depth + 2)]
        if step.otherwise:
            lines += [f"{margin}  else", *_steps(step.otherwise, depth + 2)]
    return lines


def _rounds(arm: Arm) -> str:
    """What decides whether and how often a branch exists."""
    loop = arm.loop
    values = {"when": arm.when, "times": loop and loop.times, "in": loop and loop.elements}
    return "".join(f" {key} {value.span.text}" for key, value in values.items() if value)


def _graph(graph: Graph) -> str:
    lines = [f"{name}: {tensor.shape}" for name, tensor in graph.inputs.items()]
    for depth, operation in walk(graph.root.body):
        taken, given = (
            " ".join(str(tensor.shape) for tensor in side) for side in (operation.inputs, operation.outputs)
        )
        lines.append(f"{'  ' * depth}{operation.path}: {operation.kind}  {taken} -> {given}")
    return "\n".join(lines) + "\n"
