"""What a spec defines, as far as it can be read: blocks, and the names that are in scope at a place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.context import MARK, Context
from cnndsl.editing.hints import shape_text
from cnndsl.editing.uses import Use, place
from cnndsl.graph.graph import Apply, Branch, Inline, Merge, Module, Residual
from cnndsl.record import Record
from cnndsl.spec.merge import defined_name
from cnndsl.spec.scopes import Path
from cnndsl.spec.signature import parse_signature
from cnndsl.spec.steps import last_part
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree
from cnndsl.spec.values import Fault
from cnndsl.spec.words import INPUT, LISTS, LOOP, is_word


class Parameter(Record, frozen=True):
    """A parameter and its default as written, None if it must be given."""

    name: str
    default: str | None = None


class Definition(Record, frozen=True, eq=False):
    """A block: its parameters, and its value in ``blocks``."""

    name: str
    signature: str
    parameters: tuple[Parameter, ...]
    body: Tree

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(_texts(self.body.get("inputs"))) if isinstance(self.body, Mapping) else ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of its outputs, as far as they contain no values."""
        names = _texts(self.body.get("outputs")) if isinstance(self.body, Mapping) else ()
        return tuple(last_part(name) for name in names if "$" not in name)


class Variable(Record, frozen=True):
    """A name after `$`, and what it is: a parameter with its default, the name of a loop, a ``let``."""

    name: str
    detail: str


class Named(Record, frozen=True):
    """A name that ``from`` may fetch, and what is known of it. Only a ``is_module`` can be taken by ``reuse``."""

    name: str
    detail: str = ""
    is_module: bool = False


class Known(Record, frozen=True, eq=False, dict=True):
    """What is known of a spec at a context."""

    analysis: Analysis
    context: Context

    @property
    def tree(self) -> Mapping:
        tree = self.context.tree
        return tree if isinstance(tree, Mapping) else Mapping((), tree.span)

    @cached_property
    def whole(self) -> Mapping:
        """The spec with everything that it extends and uses."""
        for compilation in (self.analysis.compilation, self.analysis.alive):
            if compilation.document is not None:
                return compilation.document.tree
        return self.tree

    def section(self, key: str) -> Iterator[tuple[Scalar, Tree]]:
        """The entries of a section, those that are inherited first."""
        for tree in (self.whole, self.tree):
            found = tree.get(key)
            if isinstance(found, Mapping):
                yield from found.entries

    @cached_property
    def blocks(self) -> dict[str, Definition]:
        found: dict[str, Definition] = {}
        for key, value in self.section("blocks"):
            name, is_marked = defined_name(key), MARK in str(key.value)
            if name.isidentifier() and not (is_marked and name in found):
                found[name] = _definition(name, key, value)
        return found

    @cached_property
    def callable_blocks(self) -> dict[str, Definition]:
        """The blocks that may be called here: not the one that this is in, nor those that call it."""
        here = self.block
        if here is None:
            return self.blocks
        return {name: block for name, block in self.blocks.items() if here.name not in self._called_by(block, {name})}

    def _called_by(self, block: Definition, seen: set[str]) -> set[str]:
        """``seen``, and the blocks that one calls, and those that these call."""
        for name in _words(block.body) & self.blocks.keys() - seen:
            seen.add(name)
            self._called_by(self.blocks[name], seen)
        return seen

    def defined_by(self, signature: str) -> Definition | None:
        """The block that a signature defines, which may be half typed."""
        return self.blocks.get(signature.partition("(")[0].strip())

    @property
    def block(self) -> Definition | None:
        """The block whose definition this is in."""
        path = self.context.path
        is_inside = path[:1] == ("blocks",) and len(path) > 1
        return self.defined_by(str(path[1])) if is_inside else None

    @cached_property
    def params(self) -> dict[str, Variable]:
        """The document's parameters."""
        entries = [(str(key.value), f"parameter, default {_text(value)}") for key, value in self.section("params")]
        return {name: Variable(name, detail) for name, detail in entries if MARK not in name}

    def parameter(self, name: str) -> tuple[Parameter, Tree, Path] | None:
        """A parameter or another name in scope, what may use it, and the path of that; None for other names."""
        block = self.block
        body, path = (block.body, ("blocks", block.signature)) if block else (self.whole, ())
        for one in block.parameters if block else ():
            if one.name == name:
                return one, body, path
        default = next((value for key, value in self.section("params") if key.value == name), None)
        if default is not None:
            return Parameter(name, default.span.text), self.whole, ()
        return (Parameter(name), body, path) if name in self.variables else None

    @cached_property
    def words(self) -> frozenset[str]:
        """The names of layers and blocks that the spec uses."""
        return frozenset(re.findall(r"\b[A-Z]\w*", self.context.source.text))

    # --- values ----------------------------------------------------------------------------------

    @cached_property
    def variables(self) -> dict[str, Variable]:
        """The names that `$` may refer to here, those of the innermost scopes last."""
        path, found = self.context.path, dict(self.params)
        if path[:1] == ("params",):
            return {name: found[name] for name in _before(self.tree.get("params"), path[1:2]) if name in found}
        if path[:1] == ("blocks",) and len(path) > 1 and isinstance(path[1], str):
            found |= self._parameters(path[1])
        for node, part in zip(self.context.around, path):
            found |= {one.name: one for one in _bound(node, part)}
        return found

    def _parameters(self, key: str) -> dict[str, Variable]:
        """The parameters of the block whose key is ``key``, only those before the mark if that is in it."""
        written, mark, _ = key.partition(MARK)
        written = re.sub(r"\w+\s*=[^=]*\Z", "", written) if mark else written
        definition = self.defined_by(written)
        names = {one.name: one for one in definition.parameters} if definition else {}
        found = [names.get(name, Parameter(name)) for name in re.findall(r"(?:[(,]\s*)([a-z_]\w*)", written)]
        return {one.name: Variable(one.name, parameter_text(one)) for one in found}

    # --- steps -----------------------------------------------------------------------------------

    def names(self, *, anywhere: bool = False) -> Iterator[Named]:
        """The tensors that ``from`` may fetch here: the inputs of the module around, and earlier steps of it with their
        outputs; all steps if ``anywhere``."""
        steps, path = self._module()
        if not anywhere:
            yield Named(INPUT, "the tensor that the module around was given")
        yield from (Named(name, "an input") for name in self._inputs())
        seen: set[str] = set()
        later = [] if anywhere else self._later_rounds()
        for step in (*_steps(steps, None if anywhere else path), *later):
            for named in self._named(step):
                if named.name not in seen:
                    seen.add(named.name)
                    yield named

    def _later_rounds(self) -> Iterator[Tree]:
        """The steps of the loops around whose names differ from round to round: those of an earlier round."""
        for node in self.context.around:
            if isinstance(node, Mapping) and not {*LOOP}.isdisjoint(node.keys):
                for key, value in node.by_key.items():
                    for step in _steps(value, None, LISTS[key]) if key in LISTS else ():
                        name = step.get("name") if isinstance(step, Mapping) else None
                        if isinstance(name, Scalar) and "$" in str(name.value):
                            yield step

    def _inputs(self) -> Iterable[str]:
        if self.block is not None:
            return self.block.inputs
        written = self.whole.get("input")
        return [*written.by_key] if isinstance(written, Mapping) else ()

    def _module(self) -> tuple[Tree | None, Path]:
        """The list of steps of the module around, and the path from there."""
        path, around = self.context.path, self.context.around
        found: tuple[Tree | None, Path] = (self.tree.get("network") or self.whole.get("network"), ())
        for depth, part in enumerate(path[:-1], 1):
            is_body = part == "sequential" or (depth == 1 and part == "network") or (depth == 2 and path[0] == "blocks")
            if is_body and depth < len(around):
                node, rest = around[depth], path[depth:]
                if isinstance(node, Mapping):
                    node, rest = node.get("steps") or node, rest[1:] if rest[:1] == ("steps",) else ()
                found = node, rest
        return found

    def _named(self, step: Tree) -> Iterator[Named]:
        """The names that a step gives to tensors, in the values that they have in the network."""
        name = step.get("name") if isinstance(step, Mapping) else None
        if not isinstance(step, Mapping) or not isinstance(name, Scalar) or not name.value or MARK in str(name.value):
            return
        word = next(filter(is_word, step.keys), "")
        is_module = word == "sequential" or word[:1] == "$" or word[:1].isupper()
        runs = self.analysis.uses.get(place((step.keys[word] if word else step).span), ())
        called = {_called(run): run for run in runs if _called(run)} if "$" in str(name.value) else {}
        for written in {str(name.value): None, **called}:
            run = called.get(written) or (runs[0] if runs else None)
            shapes = ", ".join(shape_text(tensor) for tensor in (run.outputs if run else ()) if tensor.shape)
            yield Named(written, shapes or word, is_module)
            yield from (Named(f"{written}.{output}", shape) for output, shape in self._outputs(word, run))

    def _outputs(self, word: str, run: Use | None) -> Iterator[tuple[str, str]]:
        """The outputs of a block by name, with their shapes if they are known."""
        item = run.item if run else None
        if isinstance(item, (Module, Inline)) and item.definition.outputs:
            yield from ((name, shape_text(tensor)) for name, tensor in item.made.items())
        elif word in self.blocks:
            yield from ((name, f"an output of {word}") for name in self.blocks[word].outputs)


def _called(run: Use) -> str:
    """The name of what a step has made, "" if it has none."""
    match run.item:
        case Apply(name=name) | Module(name=name) | Merge(name=name):
            return name
        case Branch(merge=merge) | Residual(merge=Merge() as merge):
            return merge.name
    return ""


def _definition(name: str, key: Scalar, body: Tree) -> Definition:
    text = str(key.value)
    try:
        _, parameters = parse_signature(text, key.span)
    except Fault:
        return Definition(name, text, tuple(map(Parameter, re.findall(r"[(,]\s*([a-z_]\w*)", text))), body)
    found = (Parameter(one.name, one.default.span.text if one.default else None) for one in parameters)
    return Definition(name, text, tuple(found), body)


def _words(tree: Tree) -> set[str]:
    """The keys and the items of lists in a tree, blocks that are called among them."""
    if isinstance(tree, Listing):
        own = {str(item.value) for item in tree.items if isinstance(item, Scalar)}
        return own.union(*map(_words, tree.items))
    return {*tree.keys}.union(*map(_words, tree.by_key.values())) if isinstance(tree, Mapping) else set()


def parameter_text(parameter: Parameter) -> str:
    return "parameter" if parameter.default is None else f"parameter, default {parameter.default}"


def _text(tree: Tree) -> str:
    return tree.span.first_line.text or "null"


def _texts(tree: Tree | None) -> list[str]:
    items = tree.items if isinstance(tree, Listing) else ()
    return [str(item.value) for item in items if isinstance(item, Scalar) and MARK not in str(item.value)]


def _before(section: Tree | None, path: Path) -> Iterator[str]:
    """The keys of a section before the one at a path."""
    for key in section.by_key if isinstance(section, Mapping) else ():
        if path and key == path[0]:
            return
        yield key


def _bound(node: Tree, part: str | int) -> Iterator[Variable]:
    """The names that a node binds for what is under ``part`` of it."""
    if isinstance(node, Mapping) and part not in ("for", "in", "times"):
        names, elements = node.get("for"), node.get("in")
        detail = f"in {_text(elements)}" if elements is not None else "a loop"
        for name in names.items if isinstance(names, Listing) else (names,):
            if isinstance(name, Scalar) and name.value:
                yield Variable(str(name.value), detail)
    elif isinstance(node, Listing):
        for step in node.items[: int(part)]:
            bound = step.get("let") if isinstance(step, Mapping) else None
            for key, value in bound.entries if isinstance(bound, Mapping) else ():
                yield Variable(str(key.value), f"let {_text(value)}")


def _steps(tree: Tree | None, path: Path | None, lists: int = 1) -> Iterator[Tree]:
    """The steps of a module in order, as far as the one that ``path`` leads to, which is left out; all for None. Those
    of a ``sequential`` belong to another module. ``lists`` is how many lists the steps are below ``tree``."""
    for number, item in enumerate(tree.items if isinstance(tree, Listing) else ()):
        is_last = path is not None and path[:1] == (number,)
        rest = path[1:] if path is not None and is_last else None
        if lists > 1:
            yield from _steps(item.get("steps") if isinstance(item, Mapping) else item, _in_arm(item, rest))
        elif isinstance(item, Mapping):
            for key, value in item.entries:
                inside = rest is not None and rest[:1] == (str(key.value),)
                if str(key.value) in LISTS and str(key.value) != "sequential":
                    yield from _steps(value, rest[1:] if rest and inside else None, LISTS[str(key.value)])
                if inside:
                    return
            if not is_last:
                yield item
        if is_last:
            return


def _in_arm(item: Tree, path: Path | None) -> Path | None:
    """The path from the steps of an item of a ``branch``."""
    return path[1:] if path and isinstance(item, Mapping) and path[:1] == ("steps",) else path
