"""Classes and statements as lines of text, formatted as ``ruff format`` would."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cnndsl.emit.source.expr import Reference, code, text, written
from cnndsl.emit.source.layout import WIDTH, Code, call, lay_out, prefixed
from cnndsl.emit.source.program import (
    REQUIRED,
    Assign,
    Class,
    Do,
    Extend,
    For,
    Parameter,
    Return,
    Statement,
    When,
)

#: The most items of a tuple that an annotation lists one by one.
MAX_TYPES = 4


def class_lines(made: Class, docstring: Sequence[str] = (), end: Sequence[Statement] = ()) -> Iterator[str]:
    """The lines of a class; ``end`` are more statements of ``__init__``."""
    yield f"class {made.name}({'nn.Sequential' if made.is_chain else 'nn.Module'}):"
    if docstring:
        yield from (f"    {line}".rstrip() for line in docstring)
        yield ""
    yield from signature("__init__", ["self", *map(parameter, made.parameters)], "None")
    yield from (f"        {line}" for line in statement_lines((*made.init, *end)))
    if made.forward:
        yield ""
        yield from signature("forward", ["self", *(f"{name}: Tensor" for name in made.inputs)], made.returns)
        yield from (f"        {line}" for line in statement_lines(made.forward))


def signature(name: str, parameters: list[Code], returns: str) -> list[str]:
    return lay_out(call(name, *parameters), 4, "def ", f" -> {returns}:", WIDTH)


def parameter(made: Parameter) -> Code:
    if made.default is REQUIRED:
        return f"{made.name}: {annotation(made.values)}"
    return prefixed(f"{made.name}: {annotation((*made.values, made.default))} = ", written(made.default))


def statement_lines(statements: Iterable[Statement], indent: int = 0) -> Iterator[str]:
    """The lines of a method's body."""
    margin = " " * indent
    for one in statements:
        match one:
            case Assign(target=target, annotation=kind):
                yield from lay_out(code(one.value), indent, f"{target}{f': {kind}' if kind else ''} = ")
            case Extend(target=target, value=value):
                yield from lay_out(code(value), indent, f"{target} += ")
            case Return(value=value):
                yield from lay_out(code(value), indent, "return ")
            case Do(value=value):
                yield from lay_out(code(value), indent)
            case When(test=test, then=then, otherwise=otherwise):
                yield from lay_out(code(test), indent, "if ", ":")
                yield from statement_lines(then, indent + 4)
                if otherwise:
                    yield f"{margin}else:"
                    yield from statement_lines(otherwise, indent + 4)
            case For(names=names, over=over, body=body):
                yield f"{margin}for {', '.join(names)} in {text(over)}:"
                yield from statement_lines(body, indent + 4)


def annotation(values: Iterable[Any]) -> str:
    """The common type of ``values``, as an annotation."""
    listed = [*values]
    names = {_type(value) for value in listed}
    if "float" in names:
        names.discard("int")
    tuples = sorted(name for name in names if name.startswith("tuple["))
    if len(tuples) > 1:
        items = [item for value in listed if isinstance(value, tuple) for item in value]
        names = {name for name in names if name not in tuples} | {f"tuple[{annotation(items)}, ...]"}
    return " | ".join(sorted(names, key=lambda name: (name == "None", name)))


def _type(value: Any) -> str:
    if isinstance(value, tuple):
        if len(value) > MAX_TYPES:
            return f"tuple[{annotation(value)}, ...]"
        return f"tuple[{', '.join(map(_type, value)) or '()'}]"
    if isinstance(value, Reference):
        return "type[nn.Module]"
    return "None" if value is None else type(value).__name__
