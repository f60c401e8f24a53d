"""A whole spec: the document with its parameters, blocks and steps."""

from __future__ import annotations

import ast
import json
import keyword
import re
import unicodedata
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, Note, SpecError, shorten
from cnndsl.layers import LAYERS
from cnndsl.source import Source, Span
from cnndsl.spec.expression import Fault, Literal, Value, parse_expression, parse_value
from cnndsl.spec.files import Assembly, read_text
from cnndsl.spec.merge import override, read_setting, set_params
from cnndsl.spec.schema import validate
from cnndsl.spec.steps import StepParser, Steps
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, plain, read

MAX_NAME = 64


@dataclass(frozen=True, eq=False)
class Parameter:
    """A parameter of a block or of the document; no default means that it has to be given."""

    name: str
    default: Value | None
    span: Span


@dataclass(frozen=True, eq=False)
class Block:
    """A block's definition."""

    name: str
    parameters: tuple[Parameter, ...]
    steps: Steps
    span: Span

    @property
    def signature(self) -> str:
        """As it was written."""
        return self.span.text.strip("\"'")


@dataclass(frozen=True, eq=False)
class Document:
    """A spec with everything that it extends and uses in it. ``train`` and ``init`` are plain data."""

    name: str
    description: str
    source: Source
    inputs: MappingType[str, Value]
    params: tuple[Parameter, ...]
    blocks: MappingType[str, Block]
    network: Steps
    network_span: Span
    outputs: tuple[tuple[str, Span], ...] = ()
    init: Mapping | None = None
    expect: Mapping | None = None
    train: MappingType[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """A document, None where the text is too far off, and the faults that were found."""

    document: Document | None
    faults: tuple[Diagnostic, ...]


def read_document(
    path_or_text: str | Path, params: MappingType[str, Any] | None = None, settings: Sequence[str] = (), given: Sequence[str] = ()
) -> Reading:
    """Reads a spec from a file, or from a text that holds a line break.

    ``params`` are Python values for the document's parameters, ``given`` the same as
    ``name=value`` texts, ``settings`` are ``a.b=value`` for any key.
    """
    try:
        path = None if isinstance(path_or_text, str) and "\n" in path_or_text else Path(path_or_text)
        source = read_text(path) if path else Source("<text>", str(path_or_text).removeprefix("\ufeff"))
        folder = path.parent if path else Path()
        assembly = Assembly(folder)
        tree = assembly.assemble(source, folder, (path.resolve(),) if path else ())
        faults = assembly.faults
        if isinstance(tree, Mapping):
            tree, more = _apply(tree, params or {}, settings, given)
            faults += more
    except Unreadable as unreadable:
        if unreadable.diagnostic.code is Code.FILE and unreadable.diagnostic.span is None:
            raise SpecError([unreadable.diagnostic]) from None
        return Reading(None, (unreadable.diagnostic,))
    more, faulty = validate(tree)
    faults += more
    if not isinstance(tree, Mapping):
        return Reading(None, tuple(faults))
    parser = _DocumentParser(source, path.stem if path else "network", faults, faulty)
    return Reading(parser.document(tree), tuple(faults))


def _apply(
    tree: Mapping, params: MappingType[str, Any], settings: Sequence[str], given: Sequence[str]
) -> tuple[Mapping, list[Diagnostic]]:
    """The tree with parameters and settings put in."""
    faults: list[Diagnostic] = []
    for text in settings:
        name, value = read_setting(text, "--set")
        try:
            tree = override(tree, name.split("."), value)  # type: ignore[assignment]
        except KeyError as error:
            message = f"`--set {shorten(name)}` does not fit the spec: {error.args[0]}"
            faults.append(Diagnostic(Code.KEY, message, value.span))
    values = dict(read_setting(text, "-p") for text in given)
    values |= {name: read(Source(name, json.dumps(value)))[0] for name, value in params.items()}
    tree, more = set_params(tree, values)
    return tree, faults + more


class _DocumentParser:
    def __init__(self, source: Source, stem: str, faults: list[Diagnostic], faulty: frozenset[int]) -> None:
        self.source = source
        self.stem = stem
        self.faults = faults
        self.faulty = faulty
        self.steps = StepParser(faults.append, faulty)

    def document(self, tree: Mapping) -> Document:
        if "input" not in tree.keys:
            self._missing("input", tree, "the shape of one sample: `input: [1, 28, 28]`")
        if "network" not in tree.keys:
            self._missing("network", tree, "the list of steps: `network: [...]`")
        elif isinstance(network := tree.get("network"), Listing) and not network.items:
            self.faults.append(Diagnostic(Code.MISSING, "`network` has no steps", tree.keys["network"].span))
        description = tree.get("description")
        train = tree.get("train")
        return Document(
            name=self._name(tree),
            description=str(description.value) if isinstance(description, Scalar) else "",
            source=self.source,
            inputs=self._inputs(tree.get("input")),
            params=self._params(tree.get("params")),
            blocks=self._blocks(tree.get("blocks")),
            network=self.steps.steps(tree.get("network")),
            network_span=tree.keys["network"].span if "network" in tree.keys else tree.span.first_line,
            outputs=self._outputs(tree.get("outputs")),
            init=self._sound(tree.get("init")),
            expect=self._sound(tree.get("expect")),
            train=plain(train) if isinstance(train, Mapping) else {},
        )

    def _missing(self, key: str, tree: Mapping, help: str) -> None:
        self.faults.append(Diagnostic(Code.MISSING, f"the spec needs `{key}`", tree.span.first_line, help))

    def _name(self, tree: Mapping) -> str:
        name = tree.get("name")
        if isinstance(name, Scalar) and isinstance(name.value, str):
            self.check_name(name.value, name.span)
            return name.value
        cleaned = re.sub(r"\W", "_", self.stem, flags=re.ASCII)
        return f"_{cleaned}" if cleaned[:1].isdigit() or keyword.iskeyword(cleaned) else cleaned or "network"

    def check_name(self, name: str, span: Span) -> bool:
        reason = unusable(name)
        if reason:
            self.faults.append(Diagnostic(Code.NAME, f"`{shorten(name)}` {reason}", span))
        return not reason

    def _value(self, tree: Tree) -> Value | None:
        if id(tree) in self.faulty:
            return None
        try:
            return parse_value(tree)
        except Fault as fault:
            self.faults.append(fault.diagnostic)
            return None

    def _inputs(self, tree: Tree | None) -> dict[str, Value]:
        if tree is None or id(tree) in self.faulty:
            return {}
        named = tree.by_key if isinstance(tree, Mapping) else {"x": tree}
        if isinstance(tree, Mapping):
            for key in tree.keys.values():
                self.check_name(str(key.value), key.span)
        values = {name: self._value(value) for name, value in named.items()}
        return {name: value for name, value in values.items() if value is not None}

    def _params(self, tree: Tree | None) -> tuple[Parameter, ...]:
        if not isinstance(tree, Mapping):
            return ()
        params = []
        for key, value in tree.entries:
            if self.check_name(str(key.value), key.span):
                params.append(Parameter(str(key.value), self._value(value), key.span))
        return tuple(params)

    def _sound(self, tree: Tree | None) -> Mapping | None:
        return tree if isinstance(tree, Mapping) and id(tree) not in self.faulty else None

    def _outputs(self, tree: Tree | None) -> tuple[tuple[str, Span], ...]:
        items = tree.items if isinstance(tree, Listing) else ()
        return tuple((str(item.value), item.span) for item in items if isinstance(item, Scalar))

    def _blocks(self, tree: Tree | None) -> dict[str, Block]:
        blocks: dict[str, Block] = {}
        for key, value in tree.entries if isinstance(tree, Mapping) else ():
            try:
                name, parameters = parse_signature(str(key.value), key.span)
            except Fault as fault:
                self.faults.append(fault.diagnostic)
                continue
            block = Block(name, parameters, self.steps.steps(value), key.span)
            if name in LAYERS:
                message = f"the block `{name}` is named like a layer of torch"
                self.faults.append(Diagnostic(Code.DUPLICATE, message, key.span, "name it otherwise: both would be called alike"))
            elif name in blocks:
                note = Note("it is defined here first", blocks[name].span)
                self.faults.append(Diagnostic(Code.DUPLICATE, f"the block `{name}` is defined twice", key.span, "", (note,)))
            else:
                blocks[name] = block
        return blocks


_SIGNATURE = re.compile(r"\s*([A-Z][A-Za-z0-9_]*)\s*(\(.*\))?\s*")


def parse_signature(text: str, span: Span) -> tuple[str, tuple[Parameter, ...]]:
    """``BasicBlock(channels, stride=1)`` as a name and parameters. Raises :class:`Fault`."""
    match = _SIGNATURE.fullmatch(text)
    example = "`BasicBlock(channels, stride=1)`"
    if not match or len(match[1]) > MAX_NAME:
        message = f"`{shorten(text)}` is no signature of a block"
        raise Fault(Diagnostic(Code.NAME, message, span, f"a CamelCase name and parameters, as {example}"))
    name, parameters = match[1], match[2] or "()"
    try:
        function = ast.parse(f"def f{parameters}: ...").body[0]
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        message = f"the parameters of `{name}` cannot be read: {getattr(error, 'msg', error)}"
        raise Fault(Diagnostic(Code.EXPRESSION, message, span, f"as a Python def: {example}")) from None
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args
    plain_ones = arguments.args
    if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs or any(a.annotation for a in plain_ones):
        message = f"a block has plain parameters only, `{name}` has others"
        raise Fault(Diagnostic(Code.EXPRESSION, message, span, f"names and defaults: {example}"))
    defaults: list[ast.expr | None] = [None] * (len(plain_ones) - len(arguments.defaults)) + list(arguments.defaults)
    for argument in plain_ones:
        if reason := unusable(argument.arg) or ("is taken by the tensor" if argument.arg == "input" else ""):
            raise Fault(Diagnostic(Code.NAME, f"`{shorten(argument.arg)}` {reason}", span))
    return name, tuple(
        Parameter(argument.arg, None if default is None else _default(default, span), span)
        for argument, default in zip(plain_ones, defaults)
    )


def _default(node: ast.expr, span: Span) -> Value:
    expression = parse_expression(ast.unparse(node), span)
    return Literal(node.value, span) if isinstance(node, ast.Constant) else expression


def unusable(name: str) -> str:
    """Why a name cannot be that of a module, a tensor or a parameter; empty where it can."""
    if len(name) > MAX_NAME:
        return f"has {len(name)} characters, the limit is {MAX_NAME}"
    if not name.isascii():
        odd = next(character for character in name if not character.isascii())
        return f"holds {unicodedata.name(odd, 'a character')} (U+{ord(odd):04X}); names are of ASCII letters"
    if not name.isidentifier():
        return "is no identifier: letters, digits and `_`, no digit first"
    if keyword.iskeyword(name) or name in ("None", "True", "False"):
        return "is a keyword of Python"
    if name.startswith("__"):
        return "begins with two underscores, which Python keeps for itself"
    return ""
