"""What may be written at each place of a spec: a tree of places that follows the schema and the tables.

A place knows the keys of a mapping there, the values of a scalar there, and the places below it. A layer, a word, an
argument or a function that is added to a table has its place without a change here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from cnndsl.editing.answers import Kind
from cnndsl.editing.known import Definition, Known, Parameter
from cnndsl.editing.offers import HOLE, Offer
from cnndsl.editing.pages import argument_page, function_page, key_page, layer_page, word_page
from cnndsl.layers import INITIALIZERS, LAYERS, Layer
from cnndsl.layers.function import Calls, Function
from cnndsl.layers.table import Argument, signature
from cnndsl.recipe.reader import TABLES
from cnndsl.record import Record
from cnndsl.spec.recipe_keys import KEYS, Called
from cnndsl.spec.schema import definition, document
from cnndsl.spec.scopes import Path
from cnndsl.spec.sections import TENSORS
from cnndsl.spec.tree import Listing, Scalar, Tree
from cnndsl.spec.tree import Mapping as MappingTree
from cnndsl.spec.words import CALL, COMMON, LOOP, MERGES, OPTIONS, WORDS, is_word, options_of

Schema = Mapping[str, Any]
#: The values of a schema for a few words, in its pattern: ``^(zeros|reflect)$``.
_CHOICES = re.compile(r"\^\(([^()]+)\)\$")
#: What numbers, lists and quoted texts begin with.
_PLAIN = frozenset("-+.0123456789[\"'")


class Place(Record, frozen=True, eq=False):
    """A place about which nothing is known."""

    #: What a text there names, see :mod:`cnndsl.spec.schema`.
    refers = ""
    #: Whether a value with a `$` fits, and whether that may be a list.
    takes_values = False
    takes_lists = True

    def keys(self, written: Mapping[str, Tree]) -> Iterable[Offer]:
        """The keys that fit beside those that are ``written``."""
        return ()

    def values(self) -> Iterable[Offer]:
        """The words that fit as a scalar."""
        return ()

    def below(self, part: str | int) -> Place:
        """The place under a key, or at a position."""
        return NOWHERE


NOWHERE = Place()


def place_of(known: Known, path: Path) -> Place:
    """The place that a path leads to."""
    found: Place = Document(known, document())
    for part in path:
        found = found.below(part)
    return found


# --- by schema -----------------------------------------------------------------------------------


class BySchema(Place, frozen=True, eq=False):
    """A place that a schema describes."""

    known: Known
    schema: Schema

    @property
    def refers(self) -> str:  # type: ignore[override]
        return str(self.schema.get("refers", ""))

    @property
    def takes_values(self) -> bool:  # type: ignore[override]
        return r"\$" in self.schema.get("pattern", "")

    @property
    def takes_lists(self) -> bool:  # type: ignore[override]
        return "array" in self.schema.get("type", ())

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        required = self.schema.get("required", ())
        for name, schema in self.schema.get("properties", {}).items():
            if name not in written and not _excluded(name, written):
                yield keyed(name, schema, rank=int(name not in required))

    def values(self) -> Iterator[Offer]:
        yield from (Offer(text, "value") for text in literals(self.schema))

    def below(self, part: str | int) -> Place:
        if isinstance(part, str):
            found = self.schema.get("properties", {}).get(part, self.schema.get("additionalProperties"))
        else:
            first = self.schema.get("prefixItems", ())
            found = first[part] if part < len(first) else self.schema.get("items")
        return resolved(self.known, found)


def resolved(known: Known, schema: Schema | bool | None) -> Place:
    """The place of a schema, which may refer to a definition."""
    if not isinstance(schema, Mapping):
        return NOWHERE
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    if name == "step":
        return Step(known)
    return BySchema(known, definition(name) if name else schema)


def literals(schema: Schema) -> Iterator[str]:
    """The values that a schema lists."""
    types = schema.get("type", ())
    if "enum" in schema:
        yield from (str(value).lower() if isinstance(value, bool) else str(value) for value in schema["enum"])
    elif "boolean" in types:
        yield from ("true", "false")
    for choices in _CHOICES.findall(schema.get("pattern", "")):
        yield from (re.sub(r"\\(.)", r"\1", choice) for choice in choices.split("|"))
    if "null" in types and "object" not in types:
        yield "null"


def keyed(name: str, schema: Schema, kind: Kind = "key", rank: int = 0) -> Offer:
    """The offer of a key with a value of a schema."""
    lists = {"#/$defs/steps": 1}.get(schema.get("$ref", ""), 0)
    types = schema.get("type", ())
    first = types if isinstance(types, str) else next(iter(types), "")
    value = {"array": f"[{HOLE}]", "object": f"{{{HOLE}}}"}.get(first, HOLE)
    return Offer(name, kind, str(schema.get("description", "")), value, lists=lists, rank=rank)


class Document(BySchema, frozen=True, eq=False):
    """A spec."""

    def below(self, part: str | int) -> Place:
        sections = {"train": Recipe, "init": Init, "params": Params}
        return sections[part](self.known) if part in sections else super().below(part)


# --- steps ---------------------------------------------------------------------------------------


class Step(Place, frozen=True, eq=False):
    """An item of a list of steps."""

    known: Known
    takes_values = True

    def values(self) -> Iterator[Offer]:
        yield from self._words()
        yield Offer("name", "word", OPTIONS["name"].description, HOLE, rank=4)
        yield Offer("when", "word", OPTIONS["when"].description, HOLE, more=(("steps", f"[{HOLE}]"),), rank=4)

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        word = next(filter(is_word, written), "")
        if not written:
            yield from self.values()
            return
        options = {name for name in written if name in OPTIONS and name not in COMMON}
        if not word:
            yield from (one for one in self._words() if options <= {*self._options(one.label)})
        fitting = self._options(word) if word else ()
        for name in (*fitting, *COMMON):
            if name not in written and not _excluded(name, written):
                yield keyed(name, OPTIONS[name].described, "word", rank=3 if name in COMMON else 1)

    def _words(self) -> Iterator[Offer]:
        yield from callables(self.known)
        yield from (_word(word) for word in WORDS)

    def _options(self, word: str) -> Iterator[str]:
        """The options that a word takes. Those of layers and of blocks differ."""
        layer = LAYERS.get(word)
        for name in options_of(word):
            owner = CALL.get(name, "")
            is_block, has_weight = word in self.known.blocks, layer is None or layer.parameters is not Layer.parameters
            if not (layer and owner == "a block") and not (owner == "a layer" and (is_block or not has_weight)):
                yield name

    def below(self, part: str | int) -> Place:
        if str(part)[:1] == "$":
            found = self.known.parameter(str(part)[1:])
            default = found[0].default if found else None
            return self.below(default) if default and is_word(default) and default[0] != "$" else NOWHERE
        if part in LAYERS:
            return of_layer(self.known, LAYERS[str(part)])
        if part in self.known.blocks:
            return of_block(self.known, self.known.blocks[str(part)])
        if part == "let":
            return Lets(self.known)
        entry = {**OPTIONS, **WORDS}.get(str(part))
        return resolved(self.known, entry.schema) if entry else NOWHERE


def _excluded(name: str, written: Mapping[str, Tree]) -> bool:
    """Whether a key contradicts one that is written: `times` counts, `for` and `in` go through a list, and only a
    concat has a `dim`. An `else` needs a `when`."""
    if name == "dim" and (merge := written.get("merge")) is not None:
        return isinstance(merge, Scalar) and merge.value in MERGES and merge.value != "concat"
    if name == "else":
        return "when" not in written
    return name in LOOP and any(other in written for other in LOOP if (other == "times") != (name == "times"))


def _word(word: str) -> Offer:
    entry = WORDS[word]
    value = "[[" + HOLE + "], [" + HOLE + "]]" if entry.lists == 2 else f"[{HOLE}]"
    if not entry.lists:
        value = f"{{{HOLE}: {HOLE}}}" if entry.schema.get("type") == "object" else HOLE
    more = (("times", HOLE),) if {*LOOP} <= {*entry.options} else ()
    return Offer(word, "word", entry.description, value, entry.lists, more, partial(word_page, word), 2)


def callables(known: Known) -> Iterator[Offer]:
    """The layers and blocks, with the arguments that they need. Those of the spec come first."""
    used = known.words
    for name, block in known.callable_blocks.items():
        needed = [one.name for one in block.parameters if one.default is None]
        yield Offer(name, "block", block.signature, arguments(needed), page=partial(block_page, block), rank=1)
    for name, layer in LAYERS.items():
        needed = [*layer.arguments.required]
        page, rank = partial(layer_page, name), 1 if name in used else 3
        yield Offer(name, "layer", f"{name}({layer.signature()})", arguments(needed), page=page, rank=rank)


def arguments(names: Collection[str]) -> str:
    """Arguments to fill in, in flow style."""
    return f"{{{', '.join(f'{name}: {HOLE}' for name in names)}}}" if names else ""


def block_page(block: Definition) -> str:
    inputs = f"Inputs: {', '.join(f'`{name}`' for name in block.inputs)}." if block.inputs else ""
    outputs = f"Outputs: {', '.join(f'`{name}`' for name in block.outputs)}." if block.outputs else ""
    return "\n\n".join(filter(None, (f"`{block.signature}`", inputs, outputs)))


class Lets(Place, frozen=True, eq=False):
    """Names with values."""

    known: Known

    def below(self, part: str | int) -> Place:
        return AnyValue(self.known)


# --- arguments -----------------------------------------------------------------------------------


class Slot(Record, frozen=True, eq=False):
    """An argument: its place, how it is listed, and whether a list may fill it."""

    offer: Offer
    place: Place
    is_positional: bool = True


class Arguments(Place, frozen=True, eq=False):
    """The arguments of a layer, a block or a function: by name, in order, or the first alone."""

    slots: Mapping[str, Slot]
    takes_list: bool = False

    @property
    def _positional(self) -> list[Place]:
        return [slot.place for slot in self.slots.values() if slot.is_positional]

    @property
    def first(self) -> Place:
        """The place of an argument alone."""
        return self._positional[0] if self._positional else NOWHERE

    @property
    def refers(self) -> str:  # type: ignore[override]
        return self.first.refers

    @property
    def takes_values(self) -> bool:  # type: ignore[override]
        return bool(self._positional)

    @property
    def takes_lists(self) -> bool:  # type: ignore[override]
        return self.takes_list

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        yield from (slot.offer for name, slot in self.slots.items() if name not in written)

    def values(self) -> Iterable[Offer]:
        return self.first.values()

    def below(self, part: str | int) -> Place:
        if isinstance(part, str):
            return self.slots[part].place if part in self.slots else NOWHERE
        if self.takes_list:
            return self.first.below(part)
        return self._positional[part] if part < len(self._positional) else NOWHERE


def of_layer(known: Known, layer: type[Layer]) -> Arguments:
    positional, dims = layer.positional(), layer.dims or 0
    slots = {name: _slot(known, name, argument, dims, name in positional) for name, argument in layer.arguments.items()}
    inferred = {name: slots.pop(name) for name in layer.arguments.inferred}
    return Arguments({**slots, **inferred}, layer.takes_list())


def of_function(known: Known, function: Function) -> Arguments:
    positional = function.positional()
    slots = {name: _slot(known, name, one, 0, name in positional) for name, one in function.arguments.items()}
    return Arguments(slots, function.takes_list())


def _slot(known: Known, name: str, argument: Argument[Any], dims: int, is_positional: bool) -> Slot:
    rank = 2 if argument.infer is not None else 0 if argument.required else 1
    default = "required" if argument.required else signature({name: argument}) or "inferred"
    page = partial(argument_page, name, argument, dims)
    offer = Offer(name, "argument", f"{default}: {argument.kind.expects(dims)}", HOLE, page=page, rank=rank)
    if isinstance(argument.kind, Calls):
        return Slot(offer, Call(known, argument.kind.table, several=True), is_positional)
    return Slot(offer, Argued(known, argument.kind.schema(dims)), is_positional)


class Argued(BySchema, frozen=True, eq=False):
    """The value of an argument, which an expression may give."""

    takes_values = True

    def below(self, part: str | int) -> Place:
        items = self.schema.get("items")
        return Argued(self.known, items) if isinstance(part, int) and isinstance(items, Mapping) else NOWHERE


def of_block(known: Known, block: Definition) -> Arguments:
    return Arguments({one.name: _parameter_slot(known, block, one) for one in block.parameters})


def _parameter_slot(known: Known, block: Definition, parameter: Parameter) -> Slot:
    required = parameter.default is None
    detail = "required" if required else f"{parameter.name}={parameter.default}"
    offer = Offer(parameter.name, "argument", detail, HOLE, rank=int(not required))
    return Slot(offer, AnyValue(known, parameter, block.body, ("blocks", block.signature)))


# --- values --------------------------------------------------------------------------------------


class AnyValue(Place, frozen=True, eq=False):
    """A value of any kind: that of a parameter fits where the ``body`` uses it, which is under ``path``."""

    known: Known
    parameter: Parameter | None = None
    body: Tree | None = None
    path: Path = ()
    takes_values = True

    def values(self) -> Iterator[Offer]:
        found: dict[str, Offer] = {}
        for place in self.places():
            found |= {offer.label: offer for offer in place.values()}
        yield from found.values()

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        if not written:
            yield from (offer for offer in self.values() if offer.kind in ("layer", "block", "function"))

    def below(self, part: str | int) -> Place:
        return Step(self.known).below(part) if isinstance(part, str) and part[:1].isupper() else AnyValue(self.known)

    def places(self) -> Sequence[Place]:
        """The places whose values fit: those that are :meth:`found`; if there are none, all kinds of values, but for a
        parameter that is a number or a list by default."""
        return self.found() or ([] if self._is_plain else [BOOLEANS, Layers(self.known)])

    def found(self, seen: set[tuple[Path, str]] | None = None) -> list[Place]:
        """The places that hold just this parameter, also in blocks that it is passed on to, which are ``seen`` once
        each, and those that its default fits."""
        default = self.parameter.default if self.parameter else None
        found: list[Place] = [Layers(self.known)] if default in LAYERS or default in self.known.blocks else []
        found += [BOOLEANS] if default in ("true", "false", "True", "False") else []
        found += self._uses(set() if seen is None else seen)
        layers = [place for place in found if isinstance(place, Layers)]
        return [*layers[:1], *(place for place in found if not isinstance(place, Layers))]

    @property
    def _is_plain(self) -> bool:
        """Whether it is a number, a list or a quoted text by default."""
        return self.parameter is not None and (self.parameter.default or "")[:1] in _PLAIN

    @property
    def is_list(self) -> bool:
        return self.parameter is not None and (self.parameter.default or "").startswith("[")

    @property
    def is_layer(self) -> bool | None:
        """Whether the value is a layer, None if that is not known."""
        found = self.found()
        return has_layers(found) if found or self._is_plain else None

    def _uses(self, seen: set[tuple[Path, str]]) -> Iterator[Place]:
        if self.parameter is None or self.body is None or (self.path, self.parameter.name) in seen:
            return
        seen.add((self.path, self.parameter.name))
        for path in _holding(self.body, f"${self.parameter.name}", ()):
            place = place_of(self.known, (*self.path, *path))
            if isinstance(place, Arguments):
                place = place.first
            if isinstance(place, AnyValue):
                yield from place.found(seen)
            else:
                yield Layers(self.known) if isinstance(place, Step) else place


def has_layers(places: Iterable[Place]) -> bool:
    """Whether a layer fits at one of the places."""
    return any(offer.kind == "layer" for place in places for offer in place.values())


class Layers(Place, frozen=True, eq=False):
    """A layer or block as a value."""

    known: Known

    def values(self) -> Iterator[Offer]:
        yield from callables(self.known)
        yield Offer("null", "value", "no layer", rank=4)


class Booleans(Place, frozen=True, eq=False):
    """True, false or null."""

    def values(self) -> Iterator[Offer]:
        yield from (Offer(text, "value") for text in ("true", "false", "null"))


BOOLEANS = Booleans()


def _holding(tree: Tree, text: str, path: Path) -> Iterator[Path]:
    """The paths to scalars and keys of steps that are a text."""
    if isinstance(tree, Scalar):
        if tree.value == text:
            yield path
    elif isinstance(tree, Listing):
        for number, item in enumerate(tree.items):
            yield from _holding(item, text, (*path, number))
    elif isinstance(tree, MappingTree):
        if text in tree.keys:
            yield path
        for key, value in tree.entries:
            yield from _holding(value, text, (*path, str(key.value)))


class Params(Place, frozen=True, eq=False):
    """The document's parameters with their defaults."""

    known: Known

    def below(self, part: str | int) -> Place:
        return parameter_place(self.known, str(part)) or AnyValue(self.known)


def parameter_place(known: Known, name: str) -> AnyValue | None:
    """The place of the values of a parameter that is in scope, None for other names."""
    found = known.parameter(name)
    return None if found is None else AnyValue(known, *found)


# --- recipes and weights -------------------------------------------------------------------------


class Call(Place, frozen=True, eq=False):
    """A function of a table with its arguments, or a list of ``several``."""

    known: Known
    table: Mapping[str, Function]
    several: bool = False
    takes_values = True

    def values(self) -> Iterator[Offer]:
        if not self.several:
            yield from (function_offer(function) for function in self.table.values())

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        if not written:
            yield from self.values()

    def below(self, part: str | int) -> Place:
        if isinstance(part, int):
            return Call(self.known, self.table)
        return of_function(self.known, self.table[part]) if part in self.table else NOWHERE


def function_offer(function: Function) -> Offer:
    detail, page = f"{function.name}({function.signature()})", partial(function_page, function)
    return Offer(function.name, "function", detail, arguments(function.arguments.required), page=page)


class Recipe(Place, frozen=True, eq=False):
    """``train``."""

    known: Known

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        for name, key in KEYS.items():
            if name not in written:
                value = f"[{HOLE}]" if key.several else f"{{{HOLE}}}" if isinstance(key.holds, Function) else HOLE
                page = partial(key_page, key)
                yield Offer(name, "key", key.explained(), value, page=page, rank=int(not key.required))

    def below(self, part: str | int) -> Place:
        holds = KEYS[str(part)].holds if part in KEYS else None
        if isinstance(holds, Called):
            return Call(self.known, TABLES[str(part)], holds.several)
        if isinstance(holds, Function):
            return of_function(self.known, holds)
        return Argued(self.known, holds.schema(0)) if holds else NOWHERE


class Init(Place, frozen=True, eq=False):
    """``init``: layers with the functions that fill their weights."""

    known: Known

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        for name, layer in LAYERS.items():
            if name not in written and layer.parameters is not Layer.parameters:
                rank = int(name not in self.known.words)
                yield Offer(name, "layer", layer.signature(), HOLE, page=partial(layer_page, name), rank=rank)

    def below(self, part: str | int) -> Place:
        return Weights(self.known, INITIALIZERS)


class Weights(Call, frozen=True, eq=False):
    """What fills the tensors of a layer: a function for the weight, or one for each tensor."""

    def keys(self, written: Mapping[str, Tree]) -> Iterator[Offer]:
        if not any(name in self.table for name in written):
            yield from (Offer(name, "key", "", HOLE) for name in TENSORS if name not in written)
        yield from super().keys(written)

    def below(self, part: str | int) -> Place:
        return Call(self.known, self.table) if part in TENSORS else super().below(part)
