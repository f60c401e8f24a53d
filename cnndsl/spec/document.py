"""A whole spec: the document with its parameters, blocks and steps."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingType
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeAlias

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, Note, SpecError, nearest, shorten
from cnndsl.layers import LAYERS
from cnndsl.limits import LIMITS, Limits, how_to_raise
from cnndsl.record import Record
from cnndsl.source import Source, Span
from cnndsl.spec.files import DISK, Assembly, FileFault, Files, not_in_zoo, read_text
from cnndsl.spec.merge import defined_name, from_python, override, read_setting, set_params, without
from cnndsl.spec.names import MAX_NAME, unusable, unusable_variable, usable
from cnndsl.spec.parser import StepParser
from cnndsl.spec.renaming import MAX_RENAMINGS, Renaming
from cnndsl.spec.repair import repaired
from cnndsl.spec.schema import document
from cnndsl.spec.sections import ExpectLine, InitLine, Train, parse_expect, parse_init, parse_train
from cnndsl.spec.signature import Parameter, parse_signature
from cnndsl.spec.steps import Name, Steps, calls_in, inlined, is_chain, last_part
from cnndsl.spec.tree import UNKNOWN, Listing, Mapping, Scalar, Tree, Unreadable, plain
from cnndsl.spec.validate import validate
from cnndsl.spec.values import Fault, Literal, Value, parse_text, parse_value
from cnndsl.spec.write import write
from cnndsl.writing import given_path
from cnndsl.zoo import find, is_of_zoo

__all__ = ["Block", "Document", "Kept", "Parameter", "Reading", "Spec", "Text", "read_document"]


class Block(Record, frozen=True, eq=False):
    """The definition of a block, or of a ``sequential`` or the whole network.

    ``inputs`` names the tensors that it is given, and ``outputs`` the steps whose tensors it returns, which may depend
    on its parameters; both are empty if it does not name them: it has one of each.
    """

    name: str
    parameters: tuple[Parameter, ...]
    steps: Steps
    span: Span
    inputs: tuple[Name, ...] = ()
    outputs: tuple[Value, ...] = ()
    #: Whether the steps are a plain chain, one after another: an ``nn.Sequential``.
    chain: bool = False

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(name.name for name in self.inputs) or ("x",)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of its outputs, as written if they contain values."""
        return tuple(last_part(name.span.text.strip("\"'")) for name in self.outputs) or ("output",)

    @property
    def signature(self) -> str:
        """The signature as written."""
        return self.span.text.strip("\"'")

    def chained(self, blocks: MappingType[str, Block], several: frozenset[str]) -> Block:
        """The same with ``chain``. It is false if that of one of the ``blocks`` that are written out in it is."""
        whole = all(blocks[name].chain for name in inlined(self.steps) if name in blocks)
        return replace(self, chain=whole and self.is_chain_among(several))

    def is_chain_among(self, several: frozenset[str]) -> bool:
        """Whether the steps are a chain if those of the blocks that are written out in it are. A block of ``several``,
        which return more than one tensor, cannot be in a chain."""
        names = {call.callee.value for call in calls_in(self.steps) if isinstance(call.callee, Literal)}
        return is_chain(self.steps) and not self.outputs and len(self.inputs) < 2 and names.isdisjoint(several)


def appears_twice(what: str, name: str, span: Span, first: Span) -> Diagnostic:
    """The fault that the input or output at ``span`` has the name of the ``first``."""
    note = Note("it is first listed here", first)
    return Diagnostic(Code.OUTPUT, f"the {what} `{shorten(name)}` appears twice", span, "keep one", (note,))


def returning_several(blocks: MappingType[str, Block]) -> frozenset[str]:
    """The names of blocks that return several tensors."""
    return frozenset(name for name, block in blocks.items() if len(block.outputs) > 1)


def all_chained(blocks: MappingType[str, Block]) -> dict[str, Block]:
    """:meth:`Block.chained` of all blocks, which may write each other out."""
    several = returning_several(blocks)
    found = {name: replace(block, chain=block.is_chain_among(several)) for name, block in blocks.items()}
    users: dict[str, list[str]] = {name: [] for name in blocks}
    for name, block in blocks.items():
        for inner in inlined(block.steps):
            users.setdefault(inner, []).append(name)
    pending = [name for name, block in found.items() if not block.chain]
    for name in pending:
        for user in users[name]:
            if found[user].chain:
                found[user] = replace(found[user], chain=False)
                pending.append(user)
    return found


class Document(Record, frozen=True, eq=False, dict=True):
    """A spec, including everything that it extends and uses.

    ``name`` is an identifier, for Python; ``label`` is what files and folders are named after.
    ``tree`` is the whole spec.
    ``lost`` are the names of blocks that are unknown because of a fault; None if any name may be
    one of them.
    """

    name: str
    description: str
    source: Source
    tree: Mapping
    inputs: MappingType[str, Value]
    params: tuple[Parameter, ...]
    blocks: MappingType[str, Block]
    network: Steps
    network_span: Span
    outputs: tuple[Value, ...] = ()
    init: tuple[InitLine, ...] = ()
    expect: tuple[ExpectLine, ...] = ()
    train: Train | None = None
    rename: tuple[Renaming, ...] = ()
    lost: frozenset[str] | None = frozenset()
    limits: Limits = LIMITS
    label: str = "network"

    @cached_property
    def _several(self) -> frozenset[str]:
        return returning_several(self.blocks)

    def chained(self, block: Block) -> Block:
        """A definition that is not a block of its own, a ``sequential`` or the whole network, with its ``chain``."""
        return block.chained(self.blocks, self._several)

    @cached_property
    def definition(self) -> Block:
        """The whole network as a block."""
        inputs = [Name(name, value.span) for name, value in self.inputs.items() if self.names_inputs]
        network = Block(self.name, self.params, self.network, self.network_span, tuple(inputs), self.outputs)
        return self.chained(network)

    @property
    def names_inputs(self) -> bool:
        """Whether the inputs have names, which a single one may leave out."""
        return isinstance(self.tree.get("input"), Mapping)

    def __repr__(self) -> str:
        return f"<Document {shorten(self.name)}>"

    def resolved(self, *left_out: str) -> str:
        """The spec as one text that needs no other file: it includes what the spec extends, uses and was given, but
        not the keys in ``left_out``."""
        name = Scalar("name", self.tree.span), Scalar(self.name, self.tree.span)
        return write(Mapping((name, *without(self.tree, "name", "extends", "use", *left_out).entries), self.tree.span))


class Reading(Record, frozen=True):
    """A document, None if the text is too broken, and the faults found."""

    document: Document | None
    faults: tuple[Diagnostic, ...]


class Text(Record, frozen=True):
    """A spec that is not in a file. Files that it extends and uses are looked up in ``folder``; ``name`` is its name in
    diagnostics."""

    text: str
    folder: str | os.PathLike[str] = "."
    name: str = "<text>"

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"the text of a spec must be a str, not {type(self.text).__name__}")

    @property
    def source(self) -> Source:
        return Source(self.name, self.text.removeprefix("\ufeff"))


class Kept(Record, frozen=True):
    """A spec that ``files`` hold at ``path``, with everything that it extends and uses."""

    path: Path
    files: Files


#: What a command line calls parameters and settings.
OPTIONS = "-p", "--set"
#: A spec: the path of a file, ``zoo:NAME``, a text, or what is kept elsewhere.
Spec: TypeAlias = str | os.PathLike[str] | Text | Kept


def read_document(
    spec: Spec,
    params: MappingType[str, Any] | None = None,
    settings: Sequence[str] = (),
    given: Sequence[str] = (),
    limits: Limits = LIMITS,
    options: tuple[str, str] = OPTIONS,
) -> Reading:
    """Reads a spec.

    ``params`` are Python values for the document's parameters, ``given`` the same as
    ``name=value`` strings, ``settings`` are ``a.b=value`` for any key, and ``options`` what a command line calls these
    two. Raises :class:`SpecError` only if there is no file, and TypeError for anything but a path or a :class:`Text`.
    """
    files = spec.files if isinstance(spec, Kept) else DISK
    place = spec if isinstance(spec, Text) else spec.path if isinstance(spec, Kept) else _found(spec)
    folder = given_path(place.folder) if isinstance(place, Text) else place.parent
    assembly = Assembly(folder, limits, files)
    try:
        source = place.source if isinstance(place, Text) else read_text(place, limits=limits, files=files)
        tree = assembly.assemble(source, folder, () if isinstance(place, Text) else (place.resolve(),))
    except FileFault as fault:
        raise SpecError(fault.diagnostics) from None
    except Unreadable as unreadable:
        return Reading(None, (*assembly.faults, *unreadable.diagnostics))
    faults = assembly.faults
    if isinstance(tree, Mapping):
        tree = _set(tree, params or {}, settings, given, options, faults, "extends" not in assembly.missing)
    if isinstance(tree, Scalar) and tree.value is UNKNOWN:
        return Reading(None, tuple(faults))
    more, faulty = validate(tree)
    faults += more
    if not isinstance(tree, Mapping):
        return Reading(None, tuple(faults))
    if (meant := repaired(tree)) is not tree:
        tree = meant
        more, faulty = validate(tree)
        faults += more
    parser = _DocumentParser(source, "network" if isinstance(place, Text) else place.stem, faults, faulty, assembly)
    document = parser.document(tree)
    return Reading(None if "extends" in assembly.missing else document, tuple(faults))


def _found(spec: str | os.PathLike[str]) -> Path:
    """The file of a spec. Raises :class:`SpecError` for a ``zoo:NAME`` that does not exist, and for a text."""
    path = given_path(spec, "a spec must be a path, `zoo:NAME`, or a `cnndsl.Text(text)`")
    text = str(path)
    if spec == "":  # which is the current folder to Python
        raise SpecError([Diagnostic(Code.FILE, "the path of the spec is empty")])
    if isinstance(spec, str) and "\n" in text and not os.path.lexists(path):
        help = "use `cnndsl.loads(text)`, or pass `cnndsl.Text(text)` in place of a path"
        raise SpecError([Diagnostic(Code.FILE, "expected a path, got the text of a spec", help=help)])
    if not is_of_zoo(text):
        return path
    found = find(text)
    if found is None:
        raise SpecError([not_in_zoo(text)])
    return found


def _set(
    tree: Mapping,
    params: MappingType[str, Any],
    settings: Sequence[str],
    given: Sequence[str],
    options: tuple[str, str],
    faults: list[Diagnostic],
    whole: bool,
) -> Mapping:
    """The tree with parameters and settings applied. ``whole`` is true if all of the spec could be read."""
    if params or given:  # a contract describes the network with the spec's own parameters
        tree = without(tree, "expect")
    values: dict[str, Tree] = {}
    param, setting = options
    for text in settings:
        try:
            name, value = read_setting(text, setting)
            changed = override(tree, name.split("."), value)
            tree = changed if isinstance(changed, Mapping) else tree
        except Unreadable as unreadable:
            faults += unreadable.diagnostics
        except KeyError as error:
            message = f"`{setting} {shorten(name)}` does not fit the spec: {error.args[0]}"
            faults.append(Diagnostic(Code.KEY, message, value.span))
    reads = [partial(read_setting, text, param) for text in given]
    reads += [partial(from_python, name, value) for name, value in params.items()]
    for read_one in reads:
        try:
            name, value = read_one()
            values[name] = value
        except Unreadable as unreadable:
            faults += unreadable.diagnostics
    tree, unknown = set_params(tree, values)
    faults += unknown if whole else []
    return tree


class _DocumentParser:
    """Reads a document's sections. ``assembly`` knows whether the files that it extends or uses could be read."""

    def __init__(
        self, source: Source, stem: str, faults: list[Diagnostic], faulty: frozenset[int], assembly: Assembly
    ) -> None:
        self.source = source
        self.stem = stem
        self.faults = faults
        self.faulty = faulty
        self.missing = assembly.missing
        self.limits = assembly.limits
        self.lost: set[str] = set()
        self.steps = StepParser(faults.append, faulty)

    def fault(self, code: Code, message: str, span: Span, help: str = "", *notes: Note) -> None:
        self.faults.append(Diagnostic(code, message, span, help, notes))

    def document(self, tree: Mapping) -> Document:
        self._needs(tree, "input", "the shape of one sample: `input: [1, 28, 28]`")
        self._needs(tree, "network", "the list of steps: `network: [...]`")
        network = tree.get("network")
        if isinstance(network, Listing) and not network.items:
            self.fault(
                Code.MISSING,
                "`network` has no steps",
                tree.keys["network"].span,
                "write a list of steps: `network: [...]`",
            )
        description = tree.get("description")
        blocks = self._blocks(tree.get("blocks"))
        whole = tree.get("blocks") is None or isinstance(tree.get("blocks"), Mapping)
        return Document(
            name=self._name(tree.get("name")),
            label=self._label(tree.get("name")),
            description=str(description.value) if isinstance(description, Scalar) else "",
            source=self.source,
            tree=tree,
            inputs=self._inputs(tree.get("input")),
            params=self._params(tree.get("params")),
            blocks=blocks,
            network=self.steps.steps(network),
            network_span=tree.keys["network"].span if "network" in tree.keys else tree.span.first_line,
            outputs=self._outputs(tree.get("outputs")),
            init=parse_init(self._sound(tree.get("init")), self.faults.append),
            expect=parse_expect(self._sound(tree.get("expect")), self.faults.append),
            train=parse_train(tree.get("train"), self.faults.append),
            rename=self._renamings(self._sound(tree.get("rename"))),
            limits=self.limits,
            lost=None if self.missing or not whole else frozenset(self.lost),
        )

    def _needs(self, tree: Mapping, key: str, help: str) -> None:
        known = document()["properties"]
        meant = any(other == key or (other not in known and nearest(other, known) == key) for other in tree.keys)
        if not meant and "extends" not in self.missing:
            self.fault(Code.MISSING, f"the spec needs `{key}`", tree.span.first_line, help)

    def _name(self, name: Tree | None) -> str:
        if isinstance(name, Scalar) and isinstance(name.value, str):
            self._check_name(name, unusable)
            return name.value
        cleaned = re.sub(r"\W+", "_", self.stem, flags=re.ASCII).strip("_")[:MAX_NAME] or "network"
        return f"_{cleaned}"[:MAX_NAME] if cleaned[0].isdigit() or keyword.iskeyword(cleaned) else cleaned

    def _label(self, name: Tree | None) -> str:
        """The written name, or that of the file, which is as unique as the file system makes it."""
        written = name.value if isinstance(name, Scalar) else None
        return written if isinstance(written, str) else self.stem if self.stem.strip(".") else "network"

    def _check_name(self, name: Scalar, refused: Callable[[str], str]) -> None:
        written = str(name.value)
        if reason := refused(written):
            self.fault(Code.NAME, f"`{shorten(written)}` {reason}", name.span, usable(written, refused=refused))

    def _variables(self, tree: Mapping) -> None:
        for key, _ in tree.entries:
            self._check_name(key, unusable_variable)

    def _value(self, tree: Tree) -> Value | None:
        return None if id(tree) in self.faulty else parse_value(tree, self.faults.append)

    def _inputs(self, tree: Tree | None) -> dict[str, Value]:
        if tree is None or id(tree) in self.faulty:
            return {}
        if not isinstance(tree, Mapping):
            return {"x": parse_value(tree, self.faults.append)}
        self._variables(tree)
        return {name: parse_value(value, self.faults.append) for name, value in tree.by_key.items()}

    def _params(self, tree: Tree | None) -> tuple[Parameter, ...]:
        if not isinstance(tree, Mapping):
            return ()
        self._variables(tree)
        return tuple(Parameter(str(key.value), self._value(value), key.span) for key, value in tree.entries)

    def _sound(self, tree: Tree | None) -> Mapping | None:
        return tree if isinstance(tree, Mapping) and id(tree) not in self.faulty else None

    def _renamings(self, tree: Mapping | None) -> tuple[Renaming, ...]:
        entries = tree.entries if tree else ()
        if tree and len(entries) > MAX_RENAMINGS:
            message = f"`rename` has {len(entries)} lines, the limit is {MAX_RENAMINGS}"
            self.fault(Code.LIMIT, message, entries[MAX_RENAMINGS][0].span, "a `*` matches many names in one line")
            return ()
        found = [
            Renaming(str(key.value), str(plain(value)), key.span) for key, value in entries if plain(value) is not None
        ]
        for renaming in found:
            if renaming.fault:
                help = '`head: fc`, `stages.*.block_*: stages.*.block-*`, or `"**.norm": "**.bn"`'
                self.fault(Code.TYPE, f"`{shorten(renaming.ours)}`: {renaming.fault}", renaming.span, help)
        return tuple(renaming for renaming in found if not renaming.fault)

    def _outputs(self, tree: Tree | None) -> tuple[Value, ...]:
        return tuple(parse_text(str(item.value), item.span, self.faults.append) for item in self._names(tree, "output"))

    def _names(self, tree: Tree | None, what: str) -> tuple[Scalar, ...]:
        """A list of names of tensors, as written, the last parts of which must differ: ``fpn.p3`` is called ``p3``."""
        items = tree.items if isinstance(tree, Listing) and id(tree) not in self.faulty else ()
        found: dict[str, Scalar] = {}
        for item in items:
            if not isinstance(item, Scalar) or not isinstance(item.value, str):
                continue
            if (own := last_part(item.value)) in found:
                self.faults.append(appears_twice(what, own, item.span, found[own].span))
            found.setdefault(own, item)
        return tuple(found.values())

    def _ports(self, block: Mapping) -> tuple[tuple[Name, ...], tuple[Value, ...]]:
        """The inputs and outputs that a block names."""
        inputs = tuple(Name(str(item.value), item.span) for item in self._names(block.get("inputs"), "input"))
        for name in inputs:
            if reason := unusable_variable(name.name):
                help = usable(name.name, refused=unusable_variable)
                self.fault(Code.NAME, f"`{shorten(name.name)}` {reason}", name.span, help)
        return inputs, self._outputs(block.get("outputs"))

    def _blocks(self, tree: Tree | None) -> dict[str, Block]:
        blocks: dict[str, Block] = {}
        entries = tree.entries if isinstance(tree, Mapping) else ()
        for key, value in entries:
            if len(blocks) == self.limits.blocks:
                self.fault(Code.LIMIT, f"more than {self.limits.blocks} blocks", key.span, how_to_raise("blocks"))
                self.lost.update(defined_name(other) for other, _ in entries)
                break
            steps = self.steps.steps(value.get("steps") if isinstance(value, Mapping) else value)
            try:
                name, parameters = parse_signature(str(key.value), key.span)
            except Fault as fault:
                self.faults.append(fault.diagnostic)
                self.lost.add(defined_name(key))
                continue
            if name in LAYERS:
                help = "give it another name: both would be called alike"
                whose = LAYERS[name].package or "torch"
                self.fault(Code.DUPLICATE, f"the block `{name}` has the name of a layer of {whose}", key.span, help)
                self.lost.add(name)
            elif name in blocks:
                note = Note("it is defined here first", blocks[name].span)
                self.fault(Code.DUPLICATE, f"the block `{name}` is defined twice", key.span, "rename one", note)
            elif isinstance(value, Listing):
                blocks[name] = Block(name, parameters, steps, key.span)
            elif isinstance(value, Mapping) and id(value) not in self.faulty:
                blocks[name] = Block(name, parameters, steps, key.span, *self._ports(value))
            else:
                self.lost.add(name)
        return all_chained(blocks)
