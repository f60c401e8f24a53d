"""What does not fit the schema: jsonschema's errors in our words, at their places."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate, chain
from typing import Any

from jsonschema import Draft202012Validator

from cnndsl.diagnostics import ENOUGH, SHOWN, Code, Diagnostic, did_you_mean, got, nearest, shorten
from cnndsl.layers import LAYERS
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.foreign import BATCH, ELSEWHERE, MERGES, RECIPE, SECTIONS, STEP_OPTIONS, entry, meant_argument
from cnndsl.spec.hints import WHERE_LAYERS_ARE, meant_layer, meant_slip, meant_value, not_written, slipped_key
from cnndsl.spec.merge import defined_name
from cnndsl.spec.notation import SOME, in_torch_order
from cnndsl.spec.schema import Layers, document, schema, schema_of
from cnndsl.spec.schema_values import NAME, PARAMETER
from cnndsl.spec.scopes import Scopes
from cnndsl.spec.tree import UNKNOWN, Listing, Mapping, Scalar, Tree, plain
from cnndsl.spec.values import unclosed, unclosed_fault
from cnndsl.spec.words import COMMON, LISTS, OPTIONS, WORDS, is_word, owners

#: The most pieces into which YAML may have cut a value.
_PIECES = 12


def misfits(tree: Tree) -> tuple[list[Diagnostic], frozenset[int]]:
    """The structural faults of a document, and the ids of the faulty trees: the innermost
    steps, or the sections of the document."""
    diagnostics: list[Diagnostic] = []
    faulty: set[int] = set()
    scopes = Scopes(tree)
    twofold = {*_blocks(tree)} & LAYERS.keys()
    for error in _validator(tuple(LAYERS.values())).iter_errors(plain(tree)):
        if error.validator == "pattern" and error.validator_value in (NAME, PARAMETER):
            continue  # names.py reports it in more detail
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties" and path == ("train",):
            continue  # the recipe's reader reports it in more detail
        if not {"parametrization", "dependentSchemas"}.isdisjoint(error.absolute_schema_path):
            continue  # the step's reader reports it in more detail
        if not twofold.isdisjoint(path[1:]):
            continue  # a call of a block with the name of a layer, which is reported at its definition
        place = _locate(tree, path, scopes.at(path))
        faulty |= {place.enclosing} | ({id(place.cut)} if place.cut else set())
        if error.instance is not UNKNOWN and len(diagnostics) < ENOUGH:
            rule = error.schema if isinstance(error.schema, dict) else {}
            diagnostics += _diagnose(_Error(error.validator, error.validator_value, error.instance, rule), place, tree)
    return diagnostics, frozenset(faulty)


@lru_cache(1)
def _validator(layers: Layers) -> Draft202012Validator:
    return Draft202012Validator(schema_of(layers))


class _Error(Record, frozen=True):
    """A keyword of the schema that a value breaks; ``rule`` is the schema around it."""

    keyword: str
    wanted: Any
    value: Any
    rule: dict[str, Any]

    @property
    def signature(self) -> str:
        """The usage of the layer with the error, empty for anything else."""
        return f"`{self.rule['title']}`" if str(self.rule.get("title", "")).endswith(")") else ""

    @property
    def layer(self) -> str:
        return str(self.rule.get("title", "")).partition("(")[0] if self.signature else ""

    @property
    def is_branch(self) -> bool:
        """Whether the value is an item of a ``branch``."""
        return self.rule.get("subject") == "a branch"

    @property
    def extras(self) -> list[str]:
        known, patterns = self.rule.get("properties", ()), self.rule.get("patternProperties", ())
        return [name for name in self.value if name not in known and not any(re.search(p, name) for p in patterns)]


class _Place(Record, frozen=True, dict=True):
    """The place of an error: its node, those around it up to the step, the last key, the innermost step's id, and the
    names that ``$`` may refer to there."""

    node: Tree
    around: tuple[Tree, ...]
    key: Scalar | None
    in_list: bool
    enclosing: int
    path: tuple[str | int, ...]
    names: Container[str]
    #: The items of the innermost list up to the one with the error.
    before: tuple[Tree, ...]

    @cached_property
    def cut(self) -> Scalar | None:
        """The first part of an expression or of Python's notation that YAML has cut at commas."""
        pieces = chain(self.before, chain.from_iterable(map(_children, self.around)))
        return next((piece for piece in pieces if isinstance(piece, Scalar) and _is_cut(piece.value)), None)

    @property
    def span(self) -> Span:
        """The place of the value, or of its key if the value is empty."""
        span = self.node.span.first_line
        return self.key.span if span.start == span.end and self.key and not self.in_list else span

    @property
    def subject(self) -> str:
        return f"`{shorten(str(self.key.value))}`" if self.key else "the spec"


def _locate(tree: Tree, path: Sequence[str | int], names: Container[str]) -> _Place:
    around, key, enclosing = [tree], None, id(tree)
    is_block = False
    before: tuple[Tree, ...] = ()
    lists = 0  # how many lists the steps are below here
    for depth, part in enumerate(path):
        node = around[-1]
        if isinstance(node, Mapping):
            key, node = node.keys[str(part)], node.by_key[str(part)]
            is_block = depth == 1 and path[0] == "blocks"
            lists = 1 if is_block else LISTS.get(str(part), 0)
        elif isinstance(node, Listing):
            before = node.items[max(int(part) - _PIECES, 0) : int(part) + 1]
            node = node.items[int(part)]
            lists -= 1
        around.append(node)
        if depth == 0 or (is_block and depth == 1) or (lists == 0 and isinstance(part, int)):
            around, enclosing = [node], id(node)
    in_list = bool(path) and isinstance(path[-1], int)
    return _Place(around[-1], tuple(around), key, in_list, enclosing, tuple(path), names, before)


def _diagnose(error: _Error, place: _Place, tree: Tree) -> Iterator[Diagnostic]:
    if place.cut:
        known = [*schema()["$defs"]["step"]["properties"], *_blocks(tree)]
        yield _to_put_together(place.cut, place.names, known)
    elif error.is_branch and isinstance(place.node, Mapping) and any(map(is_word, error.extras)):
        if error.keyword == "additionalProperties":
            message = "a branch is a list of steps, or a mapping with `steps`, and this is a step"
            yield Diagnostic(Code.TYPE, message, place.span, _as_list(place.node))
    elif error.keyword == "additionalProperties" and isinstance(place.node, Mapping):
        beside = _beside(place.node, error.extras, tree)
        if beside:
            yield _to_put_in(beside, place.node)
        for name in error.extras:
            if name not in beside:
                yield _unknown_key(name, place, place.node, error, tree)
    elif error.keyword == "required":
        yield from _missing(error, place)
    elif error.keyword == "items" and error.wanted is False and isinstance(place.node, Listing):
        if fault := _torch_order(error.layer, place.node):
            yield fault
            return
        most = len(error.rule["prefixItems"])
        takes = f"{most} argument{'s' if most > 1 else ''} at most"
        message = f"{place.subject} takes {takes}, got {len(error.value)}"
        yield Diagnostic(Code.ARGUMENT, message, place.node.items[most].span.first_line, error.signature)
    else:
        yield _unfit(error, place, tree)


def _as_list(step: Mapping) -> str:
    """Help for a step in the place of a list of steps."""
    text = step.span.text
    if "steps" in step.keys:
        return "put every step into `steps`"
    if not text.startswith("{") or "\n" in text:
        return "a list of steps in a list begins with two dashes, `- - `"
    (key, value), *more = step.entries
    if isinstance(value, Scalar) and value.value is None and not more:
        return f"`[{shorten(str(key.value))}]`"
    return f"`[{text if more else text[1:-1].strip()}]`"


def _children(node: Tree) -> Iterable[Tree]:
    return node.items if isinstance(node, Listing) else node.by_key.values() if isinstance(node, Mapping) else ()


def _is_cut(value: object) -> bool:
    if not isinstance(value, str) or "(" not in value:
        return False
    return unclosed(value) or (re.match(r"[\w.]*\(", value) is not None and value.count("(") > value.count(")"))


def _to_put_together(cut: Scalar, names: Container[str], known: Sequence[str]) -> Diagnostic:
    """The fault of a value that YAML has cut at a comma."""
    if unclosed(str(cut.value)):
        return unclosed_fault(str(cut.value), cut.span).diagnostic
    source, start = cut.span.source, cut.span.start
    line = source.text[start : start + SHOWN * 4].splitlines()[0]
    depths = accumulate((character == "(") - (character == ")") for character in line)
    opened = line.index("(")
    end = next((i for i, depth in enumerate(depths) if depth == 0 and i > opened), len(str(cut.value)) - 1) + 1
    help = meant_value(line[:end], ("array",), "", names) if opened == 0 else meant_layer(line[:end], known)
    message = f"`{shorten(line[:end])}` is Python's notation, which YAML cuts at the comma"
    help = help or "write a list in brackets: `[1, 1]`"
    return Diagnostic(Code.TYPE, message, Span(source, start, start + end), help)


def _one_list(layer: str, arguments: Tree | None) -> str:
    """Help for a list that was meant as the first argument, ``Mean: [2, 3]``."""
    if layer not in LAYERS or not isinstance(arguments, Listing):
        return ""
    first = LAYERS[layer].positional()[0]
    accepts = LAYERS[layer].arguments[first].kind.accepts
    meant = accepts(tuple(map(_known, arguments.items)), LAYERS[layer].dims or 0)
    return f"`{layer}: {{{first}: [{', '.join(item.span.text for item in arguments.items)}]}}`" if meant else ""


def _torch_order(layer: str, arguments: Tree | None) -> Diagnostic | None:
    """The one fault of a list of arguments that is valid in PyTorch's order and not in ours."""
    if layer not in LAYERS or not isinstance(arguments, Listing):
        return None
    texts = [item.span.text for item in arguments.items]
    line = in_torch_order(LAYERS[layer], list(map(_known, arguments.items)), texts)
    if not line:
        return None
    message = f"the arguments of this `{layer}` are in PyTorch's order: {not_written(LAYERS[layer])}"
    return Diagnostic(Code.TYPE, message, arguments.span.first_line, f"`{line}`")


def _known(item: Tree) -> Any:
    """A value as far as it is known before evaluation, with tuples for lists."""
    if isinstance(item, Listing):
        inner = tuple(map(_known, item.items))
        return SOME if SOME in inner else inner
    return SOME if isinstance(item, Mapping) or str(item.value)[:1] == "$" else item.value


def _meant(word: str, known: Sequence[str]) -> str:
    """The argument that an unknown key was meant to be, "" if it resembles none."""
    return slipped_key(word) if slipped_key(word) in known else meant_argument(word, known) or nearest(word, known)


def _owner(error: _Error, place: _Place) -> str:
    """What has a key too many or too few."""
    return "a branch" if error.is_branch else place.subject


def _missing(error: _Error, place: _Place) -> Iterator[Diagnostic]:
    """One fault for all missing arguments, except those that an unknown one was meant to be."""
    known = list(error.rule.get("properties", ()))
    meant = {_meant(extra, known) for extra in error.extras}
    missing = [name for name in error.wanted if name not in error.value and name not in meant]
    if missing == ["steps"]:
        if not any(map(is_word, error.extras)):
            yield Diagnostic(Code.MISSING, f"{place.subject} needs `steps`", place.span, "`steps: [...]`")
        return
    if missing and not any(extra in place.names for extra in error.extras):
        message = f"{_owner(error, place)} needs {' and '.join(f'`{name}`' for name in missing)}"
        span = place.key.span if place.key and not place.in_list else place.span
        yield Diagnostic(Code.MISSING, message, span, error.signature)


def _unknown_key(name: str, place: _Place, node: Mapping, error: _Error, tree: Tree) -> Diagnostic:
    span, known = node.keys[name].span, list(error.rule["properties"])
    written = f"`{shorten(name)}`"
    if error.signature:
        elsewhere = ELSEWHERE.get(entry(name)) if place.subject.strip("`") in LAYERS else ""
        help = elsewhere or _meant_key(name, node, place.names, known) or error.signature
        return Diagnostic(Code.ARGUMENT, f"{place.subject} has no argument {written}", span, help)
    if "patternProperties" not in error.rule:
        help = _meant_section(name) if node is tree else ""
        if is_word(name) and "steps" in known:
            help = "a block is a list of steps: begin each with `- `"
        help = help or did_you_mean(name, known) or f"its keys are {', '.join(known)}"
        return Diagnostic(Code.KEY, f"{_owner(error, place)} has no key {written}", span, help)
    if any(is_word(key) for key in node.keys):
        options = [option for option in known if not is_word(option)]
        help = STEP_OPTIONS.get(entry(name)) or _meant_key(name, node, place.names, options)
        help = help or f"the options of every step are {', '.join(COMMON)}"
        return Diagnostic(Code.KEY, f"a step has no key {written}", span, help)
    return _no_layer(name, span, [*known, *_blocks(tree)])


def _meant_key(name: str, node: Mapping, names: Container[str], known: Sequence[str]) -> str:
    """Help for an unknown argument or option."""
    value = node.by_key[name]
    if isinstance(value, Scalar) and value.value is None:
        if name in names:
            return f"did you mean `${name}`?"
        if slip := meant_slip(name):
            return slip
    meant = _meant(name, known)
    return f"did you mean `{meant}`?" if meant else ""


def _meant_section(name: str) -> str:
    """Help for an unknown key of the document."""
    if meant := SECTIONS.get(entry(name)):
        return f"did you mean `{meant}`?"
    if name in document()["properties"]["train"]["properties"] or entry(name) in RECIPE:
        return "put it into the recipe, `train: {...}`"
    return ""


def _beside(step: Mapping, extras: Sequence[str], tree: Tree) -> list[str]:
    """The keys of a step that are arguments of its layer or block."""
    words = [key for key in step.keys if is_word(key)]
    if len(words) != 1:
        return []
    arguments = schema()["$defs"].get(words[0], {}).get("properties") or _parameters(words[0], tree)
    return [name for name in extras if name in arguments]


def _parameters(block: str, tree: Tree) -> list[str]:
    signatures = [str(key.value) for key in _signatures(tree) if defined_name(key) == block]
    return [name for signature in signatures for name in re.findall(r"\w+", signature)[1:]]


def _to_put_in(names: Sequence[str], step: Mapping) -> Diagnostic:
    word, value = next((key, value) for key, value in step.by_key.items() if is_word(key))
    listed = " and ".join(f"`{name}`" for name in names)
    message = f"{listed} {'is' if len(names) == 1 else 'are'} beside `{shorten(word)}`, not in it"
    help = f"indent {'it' if len(names) == 1 else 'them'} further than `{shorten(word)}`"
    if not isinstance(value, Scalar) or value.value is not None:
        help = f"write arguments by name together: `{shorten(word)}: {{..., {names[0]}: ...}}`"
    return Diagnostic(Code.KEY, message, step.keys[names[0]].span, help)


def _no_layer(name: str, span: Span, known: Sequence[str]) -> Diagnostic:
    message = f"`{shorten(name)}` is not a layer, a block or a structural word"
    help = meant_layer(name, known) or f"layers and blocks are CamelCase; {WHERE_LAYERS_ARE}"
    return Diagnostic(Code.LAYER, message, span, help)


def _blocks(tree: Tree) -> list[str]:
    return [defined_name(key) for key in _signatures(tree)]


def _signatures(tree: Tree) -> list[Scalar]:
    blocks = tree.get("blocks") if isinstance(tree, Mapping) else None
    return [key for key, _ in blocks.entries] if isinstance(blocks, Mapping) else []


def _unfit(error: _Error, place: _Place, tree: Tree) -> Diagnostic:
    """The fault of a value with the wrong type or range."""
    value, rule = error.value, error.rule
    types = rule.get("type", ())
    help = _unfit_input(place) or meant_value(value, types, error.layer, place.names) or error.signature
    if "help" in rule:
        help = (isinstance(value, str) and meant_slip(value)) or rule["help"]
        if place.key and place.key.value in ("repeat", "dense") and isinstance(value, int):
            help = f"`{place.key.value}: [...]`, and `times: {got(value)}` beside it"
    if "patternProperties" in rule:
        if isinstance(value, str) and value in OPTIONS:
            message = f"`{value}` is an option, not a step"
            return Diagnostic(Code.STEP, message, place.span, f"it belongs to {owners(value)}")
        if isinstance(value, str) and value not in WORDS:
            return _no_layer(value, place.span, [*LAYERS, *WORDS, *_blocks(tree)])
        if isinstance(value, dict):
            return Diagnostic(Code.STEP, "the step is empty", place.span, "write a layer, a block or a structural word")
        help = f"`{value}: {WORDS[value].form}`" if isinstance(value, str) else ""
    if place.in_list and place.key and (fault := _torch_order(str(place.key.value), (None, *place.around)[-2])):
        return fault
    if place.in_list and place.key and not help:
        help = _one_list(str(place.key.value), (None, *place.around)[-2])
    if place.key and place.key.value == "merge" and (merge := MERGES.get(entry(str(value)))):
        help = f"`merge: {merge}`"
    expects = rule.get("expects", "something else")
    if error.is_branch and isinstance(value, str):
        help = f"`[{shorten(value)}]`"
    if "subject" in rule:
        message = f"{rule['subject']} is {expects}, not {got(value)}"
    else:
        subject = f"`{rule['argument']}`" if "argument" in rule else place.subject
        message = f"{subject} expects {expects}, got {got(value)}"
    return Diagnostic(Code.TYPE, message, place.span, help)


def _unfit_input(place: _Place) -> str:
    """Help for the shape of an input that contains the batch, or is not a list."""
    if place.path[:1] != ("input",):
        return ""
    sizes = (None, *place.around)[-2] if place.in_list else place.node
    if isinstance(sizes, Scalar) and type(sizes.value) is int:
        return f"write a list in brackets: `[{sizes.value}]`"
    texts = [item.span.text for item in sizes.items] if isinstance(sizes, Listing) else []
    first = texts[0].strip("\"'") if texts else ""
    if place.path[-1] == 0 and len(texts) > 1 and entry(first) in BATCH:
        return f"leave the batch out: `[{', '.join(texts[1:])}]`"
    return ""
