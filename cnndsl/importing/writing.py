"""A spec as text, as a person would write it.

* A layer has its arguments by position if only the required ones are given, or just the probability ``p`` of a
  dropout; a block also if they are its first three at most, or names that say what they are. Else they are written by
  name. ``ReLU`` without arguments is bare.
* A step that makes one module is on one line, with its name first. What holds steps is in several lines, unless they
  are as short as ``[[], [from: skip]]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from cnndsl.emit.source import expr
from cnndsl.emit.source.expr import Expr, Ref, parts
from cnndsl.fmt import format
from cnndsl.fmt.layout import WIDTH
from cnndsl.importing.lines import NOTHING, Commented, Open, OpenList, inline, lines
from cnndsl.importing.tree import (
    Arguments,
    Arm,
    Block,
    Branch,
    Call,
    Dense,
    From,
    LayerValue,
    Let,
    Named,
    Parameter,
    Repeat,
    Residual,
    Reuse,
    Sequential,
    Spec,
    Step,
    Steps,
    Template,
    When,
    walk,
)
from cnndsl.layers import LAYERS
from cnndsl.record import Record
from cnndsl.spec.notation import Unwritable

#: The most arguments of a block that are written by position though not all of them are required.
_POSITIONAL = 3
#: What a line is worth in characters.
_LINE = 4
#: The longest list of steps that is written on one line.
_SHORT = 60


def written(spec: Spec) -> str:
    """The text of a spec. Raises :class:`~cnndsl.spec.notation.Unwritable` for a value that has no notation."""
    comments = "".join(f"# {line}".rstrip() + "\n" for line in spec.comments)
    return format(comments + "".join(f"{line}\n" for line in lines(document(spec))))


def length(known: Iterable[Block], blocks: Iterable[Block], steps: Steps) -> int:
    """How long definitions and steps are if they are written: in characters, and some for each line. ``known`` are the
    blocks that they call."""
    writer = Writer(known)
    texts = [
        *(line for block in blocks for line in definition(writer, block)),
        *lines(OpenList(map(writer.step, steps))),
    ]
    return sum(len(line.strip()) + _LINE * (1 + _breaks(line)) for line in texts)


def _breaks(line: str) -> int:
    """How many lines ``fmt`` adds for what does not fit into one: about one for each item of a list of lists, or each
    argument."""
    return 0 if len(line) <= WIDTH else line.count("], [") or line.count(", ")


# --- values --------------------------------------------------------------------------------------


def data(value: Any) -> Any:
    """A value as YAML's data."""
    if isinstance(value, Template):
        return _template(value)
    if isinstance(value, LayerValue):
        return {value.word: by_name(value.arguments)} if value.arguments else value.word
    if isinstance(value, expr.Lit):
        return data(value.value)
    if isinstance(value, expr.Reference):
        return value.name
    if isinstance(value, expr.Items | tuple | list):
        return [*map(data, value.items if isinstance(value, expr.Items) else value)]
    if isinstance(value, Record):
        return _dollar(value)
    if isinstance(value, str) and "$" in value:
        raise Unwritable(f"the text {value!r} contains a `$`")
    return value


def _dollar(value: Any) -> str:
    is_name = isinstance(value, Ref) and value.name.isidentifier() and value.name != "input"
    return f"${value.name}" if is_name else f"$({expr.text(value)})"


def _template(template: Template) -> str:
    """``layer$i``, with brackets if the text after a name would continue it."""
    made = ""
    for part in reversed(template.parts):
        if not isinstance(part, str):
            part = _dollar(part)
            if not part.endswith(")") and made[:1] and (made[0].isalnum() or made[0] in "_[("):
                part = f"$({part[1:]})"
        made = part + made
    return made


def by_name(arguments: Arguments) -> dict[str, Any]:
    return {name: data(value) for name, value in arguments}


# --- steps ---------------------------------------------------------------------------------------


class Signature(Record, frozen=True):
    """What a list of arguments fills, and how many of them are required. ``spreads`` is true if the value of an
    expression alone may be a list, which would be taken for several arguments."""

    names: tuple[str, ...]
    required: int
    at_most: int
    spreads: bool

    def place(self, name: str) -> int:
        return self.names.index(name) if name in self.names else len(self.names)


def _of_layer(word: str) -> Signature | None:
    layer = LAYERS.get(word)
    if layer is None:
        return None
    names = layer.positional()
    required = sum(layer.arguments[name].required for name in names)
    spreads = len(names) > 1 and "array" in layer.arguments[names[0]].kind.schema(layer.dims or 0)["type"]
    return Signature(names, required, max(required, names[:1] == ("p",)), spreads)


def _of_block(block: Block) -> Signature:
    names = tuple(parameter.name for parameter in block.parameters)
    required = sum(parameter.required for parameter in block.parameters)
    return Signature(names, required, max(required, _POSITIONAL), len(names) > 1)


class Writer:
    """Writes the steps of one document, whose blocks it knows."""

    def __init__(self, blocks: Iterable[Block], lists: frozenset[str] = frozenset()) -> None:
        self.signatures = {block.name: _of_block(block) for block in blocks}
        self.lists = lists

    def steps(self, steps: Steps) -> list[Any]:
        """The data of steps: on one line if they are few and short."""
        made = [*map(self.step, steps)]
        short = all(isinstance(item, str) or (isinstance(item, dict) and [*item] == ["from"]) for item in made)
        return made if short and len(inline(made)) <= _SHORT else OpenList(made)

    def step(self, step: Step) -> Any:
        match step:
            case Call():
                return self._call(step)
            case Named(name=name):
                return {"name": data(name)}
            case From(tensor=tensor):
                return {"from": data(tensor)}
            case Let(values=values):
                return {"let": by_name(values)}
            case Reuse(module=module, inputs=inputs, name=name):
                return {**_name(name), "reuse": data(module), **({"inputs": data(inputs)} if inputs else {})}
            case When():
                return self._when(step)
            case Sequential(steps=steps, name=name):
                return Open({**_name(name), "sequential": self.steps(steps)})
            case Repeat(steps=steps):
                return Open({"repeat": self.steps(steps), **_loop(step)})
            case Dense(steps=steps, name=name):
                return Open({**_name(name), "dense": self.steps(steps), **_loop(step)})
            case Residual():
                return self._residual(step)
        return self._branch(step)

    def _when(self, step: When) -> Any:
        """Steps under a condition; one step has it beside its word."""
        test, (first, *others) = data(step.test), step.steps
        otherwise = {"else": self.steps(step.otherwise)} if step.otherwise else {}
        inner = {"steps": self.steps(step.steps)} if others or isinstance(first, When) else self.step(first)
        if isinstance(inner, str):
            inner = {inner: NOTHING}
        is_call = isinstance(inner, dict) and not isinstance(inner, Open) and not otherwise and "steps" not in inner
        return {**inner, "when": test} if is_call else Open({"when": test, **inner, **otherwise})

    def _residual(self, step: Residual) -> Any:
        shortcut: dict[str, Any] = {}
        if isinstance(step.shortcut, tuple):
            shortcut = {"shortcut": self.steps(step.shortcut)}
        elif step.shortcut is not True:
            shortcut = {"shortcut": data(step.shortcut)}
        return Open({**_name(step.name), "residual": self.steps(step.steps), **shortcut})

    def _branch(self, step: Branch) -> Any:
        made = [*map(self._arm, step.arms)]
        closed = not any(isinstance(arm, OpenList | Open) and arm for arm in made) and len(inline(made)) <= _SHORT
        options = {
            "merge": data(step.merge) if step.merge != "concat" else None,
            "dim": data(step.dim) if step.dim != 1 and step.merge == "concat" else None,
            "split": data(step.split) or None,
        }
        kept = {key: value for key, value in options.items() if value is not None}
        return Open({**_name(step.name), "branch": made if closed else OpenList(made), **kept})

    def _arm(self, arm: Arm) -> Any:
        steps = self.steps(arm.steps)
        if arm.when is True and arm.over is None:
            return steps
        when = {} if arm.when is True else {"when": data(arm.when)}
        return Open({**when, **_loop(arm), "steps": steps})

    def _call(self, call: Call) -> Any:
        word = data(call.word) if not isinstance(call.word, LayerValue) else call.word.word
        arguments = call.word.arguments if isinstance(call.word, LayerValue) else call.arguments
        options = {**({"inputs": data(call.inputs)} if call.inputs else {}), **by_name(call.options)}
        made = {**_name(call.name), word: self._arguments(word, arguments), **options}
        return word if made == {word: NOTHING} else made

    def _arguments(self, word: str, arguments: Arguments) -> Any:
        if not arguments:
            return NOTHING
        signature = self.signatures.get(word) or _of_layer(word)
        if signature is None:
            return by_name(arguments)
        arguments = tuple(sorted(arguments, key=lambda pair: signature.place(pair[0])))
        count = len(arguments)
        fills = tuple(name for name, _ in arguments) == signature.names[:count]
        named = all(isinstance(value, Ref) for _, value in arguments) and word in self.signatures
        if not fills or count < signature.required or not (count <= signature.at_most or named):
            return by_name(arguments)
        if count > 1:
            return [data(value) for _, value in arguments]
        return self._alone(signature, arguments, word in self.signatures)

    def _alone(self, signature: Signature, arguments: Arguments, of_block: bool) -> Any:
        """One argument: itself, unless it is a list that would spread over the arguments, a mapping, or nothing."""
        ((_, value),) = arguments
        has_no_form = value is None or (isinstance(value, LayerValue) and bool(value.arguments))
        is_list = isinstance(value, tuple | expr.Items) and (of_block or len(signature.names) > 1)
        spreads = is_list or (signature.spreads and may_be_list(value, self.lists))
        return by_name(arguments) if has_no_form or spreads else data(value)


def _name(name: Any) -> dict[str, Any]:
    return {"name": data(name)} if name else {}


def _loop(step: Repeat | Dense | Arm) -> dict[str, Any]:
    if step.over is None:
        return {} if isinstance(step, Arm) else {"times": data(step.times)}
    return {"for": step.names[0] if len(step.names) == 1 else [*step.names], "in": data(step.over)}


# --- the document --------------------------------------------------------------------------------


def document(spec: Spec) -> Open:
    writer = Writer(spec.blocks, listed(spec))
    inputs = {name: [*shape] for name, shape in spec.inputs}
    made = {
        "name": spec.name,
        "description": data(spec.description),
        "input": inputs if len(inputs) > 1 else next(iter(inputs.values())),
        "params": _params(spec),
        "blocks": Open({signature(block): _definition(writer, block) for block in spec.blocks}),
        "network": OpenList(map(writer.step, spec.steps)),
        "outputs": data(spec.outputs),
        "rename": dict(spec.rename),
    }
    return Open({key: value for key, value in made.items() if value})


def _params(spec: Spec) -> Open:
    """The parameters; a table has a comment with what its columns are called in the loop over it."""
    columns = {
        loop.over.name: ", ".join(loop.names) for loop in _loops(spec) if isinstance(loop.over, Ref) and loop.names[1:]
    }
    made = by_name(spec.params)
    return Open({name: Commented(value, columns[name]) if name in columns else value for name, value in made.items()})


def definition(writer: Writer, block: Block) -> Iterator[str]:
    """The lines of a block."""
    return lines(Open({signature(block): _definition(writer, block)}))


def _definition(writer: Writer, block: Block) -> Any:
    steps = OpenList(map(writer.step, block.steps))
    if not block.inputs and not block.outputs:
        return steps
    several = {"inputs": [*block.inputs], "outputs": data(block.outputs)}
    return Open({**{key: names for key, names in several.items() if names}, "steps": steps})


def signature(block: Block) -> str:
    """``Block(channels, stride=1)``."""
    return f"{block.name}({', '.join(map(_parameter, block.parameters))})" if block.parameters else block.name


def _parameter(parameter: Parameter) -> str:
    return parameter.name if parameter.required else f"{parameter.name}={_code(parameter.default)}"


def _code(value: Any) -> str:
    """A value in the signature of a block, where it is written as in Python."""
    if isinstance(value, LayerValue) and not value.arguments:
        return value.word
    if isinstance(value, Template | LayerValue):
        raise Unwritable(f"{value} as the default of a parameter")
    return expr.text(cast(Expr, value)) if isinstance(value, Record) else expr.literal(value)


# --- names that may hold lists -------------------------------------------------------------------


def _all_steps(spec: Spec) -> Iterator[Step]:
    for steps in (spec.steps, *(block.steps for block in spec.blocks)):
        yield from walk(steps)


def _loops(spec: Spec) -> Iterator[Repeat | Dense | Arm]:
    for step in _all_steps(spec):
        yield from (one for one in (step, *getattr(step, "arms", ())) if getattr(one, "over", None) is not None)


def listed(spec: Spec) -> frozenset[str]:
    """The names of values that may be lists."""
    found: frozenset[str] = frozenset()
    bound = [*_bound(spec)]
    while len(more := found | {name for name, value in bound if may_be_list(value, found)}) > len(found):
        found = more
    return found


def _bound(spec: Spec) -> Iterator[tuple[str, Any]]:
    """What names are bound to, anywhere."""
    params = dict(spec.params)
    yield from spec.params
    for block in spec.blocks:
        yield from ((parameter.name, parameter.default) for parameter in block.parameters)
    for step in _all_steps(spec):
        if isinstance(step, Call):
            yield from step.arguments
        if isinstance(step, Let):
            yield from step.values
    for loop in _loops(spec):
        over = params.get(loop.over.name) if isinstance(loop.over, Ref) else loop.over
        over = over.value if isinstance(over, expr.Lit) else over
        if isinstance(over, tuple):
            rows = over if len(loop.names) > 1 else [(element,) for element in over]
            yield from (pair for row in rows for pair in zip(loop.names, row))
        elif not (isinstance(over, expr.Call) and expr.text(over.callee) == "range"):
            yield from ((name, ()) for name in loop.names)


def may_be_list(value: Any, names: frozenset[str]) -> bool:
    if isinstance(value, Ref):
        return value.name in names
    if isinstance(value, expr.Lit):
        return may_be_list(value.value, names)
    if isinstance(value, expr.Op | expr.If | expr.Index):
        return any(may_be_list(part, names) for part in parts(value))
    return isinstance(value, tuple | expr.Items) or (
        isinstance(value, expr.Call) and expr.text(value.callee) == "range"
    )
