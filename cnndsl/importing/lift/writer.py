"""Writes the body of one use of a module as drafts: layers, merges, splits and uses of modules inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any, Protocol

from cnndsl.diagnostics import Code
from cnndsl.importing.lift.draft import Draft, DraftBody, connected
from cnndsl.importing.lift.dropping import Unknown, dropping
from cnndsl.importing.lift.formulas import value
from cnndsl.importing.lift.leaves import Parametrization, arguments_of, own_layer, parametrization_of, word_of, written
from cnndsl.importing.lift.rules import DETACHED, Rule, is_refusal, rule_of
from cnndsl.importing.lift.step import Step, Unsaid, short
from cnndsl.importing.recorded import Operation, Place, Tensor, Traced, Use
from cnndsl.layers import LAYERS

#: What is told of a torch module that is not in the table.
_SEQUENCES = ("LSTM", "GRU", "RNN", "MultiheadAttention", "Transformer")


class Lifter(Protocol):
    """What a writer needs of the network around its body."""

    def next_use(self, module: Traced, wanted: frozenset[Tensor]) -> DraftBody:
        """The body of a module's next run. ``wanted`` are tensors that the modules around take."""

    def refuse(self, module: Traced, place: Place | None, fault: Unsaid) -> None:
        """Takes what cannot be said."""

    def is_elsewhere(self, child: Traced, around: Traced) -> bool:
        """Whether a module with parameters was called by another module before."""

    def understood(self, module: Traced) -> None:
        """Takes that it is known what a module does in training."""


class Writer:
    """Writes the body of one use of a module."""

    def __init__(self, module: Traced, lifter: Lifter, wanted: frozenset[Tensor]) -> None:
        self.module = module
        self._lifter = lifter
        #: Tensors that are taken here or around, and those that are taken around.
        self._wanted = self._outer = wanted
        #: What each tensor of the record is here.
        self._known: dict[Tensor, Tensor] = {}
        #: Stand-ins for what could not be said, about which nothing more is told.
        self._lost: set[Tensor] = set()
        #: Tensors that may only be asked for their sizes, with those that have the same.
        self._sizes: dict[Tensor, Tensor] = {}
        self._nodes: list[Draft] = []

    def written(self, use: Use) -> DraftBody:
        self._known.update({tensor: tensor for tensor in use.inputs.values()})
        taken = [(operation.arguments, operation.keywords) for operation in use.operations]
        self._wanted |= {tensor for _, tensor in named((taken, use.outputs))}
        for operation in use.operations:
            self._operation(operation)
        outputs = {name: self._resolved(tensor) for name, tensor in named(use.outputs)}
        leaked = self._leaked(use)
        more = {f"{tensor.name or 'changed'}{index or ''}": self._known[tensor] for index, tensor in enumerate(leaked)}
        called = self._called_so()
        nodes = tuple(connected(node, called) for node in self._nodes)
        given = {name: called.get(tensor, tensor) for name, tensor in (outputs | more).items()}
        return DraftBody(self.module, use.inputs, nodes, given, leaked)

    def _called_so(self) -> dict[Tensor, Tensor]:
        """Our tensors with those of the record, which know the variables that held them."""
        ours = {tensor for node in self._nodes for tensor in node.outputs}
        found: dict[Tensor, Tensor] = {}
        for recorded, made in self._known.items():
            if made in ours and recorded.name:
                found.setdefault(made, recorded)
        return found

    def _leaked(self, use: Use) -> tuple[Tensor, ...]:
        """Tensors that modules around take and that it does not return: it changed its input in place, or kept one."""
        mine = {*use.inputs.values(), *(tensor for _, tensor in named(use.outputs))}
        inner = {tensor for _, tensor in named([operation.results for operation in use.operations])}
        return tuple(
            tensor for tensor in self._known if tensor in self._outer and tensor not in mine and tensor in inner
        )

    def _operation(self, operation: Operation) -> None:
        taken = [tensor for _, tensor in named((operation.arguments, operation.keywords))]
        try:
            if any(map(self._is_lost, taken)):
                self._after_lost(operation)
                return
            if any(self._here(tensor) is None for tensor in taken):
                raise Unsaid("a tensor is taken that another module made, and did not return", "return it there")
            self._bind(
                operation, self._called(operation) if operation.target == "module" else self._function(operation)
            )
        except Unsaid as fault:
            self._lifter.refuse(self.module, operation.place, fault)
            self._lose(operation)

    def _after_lost(self, operation: Operation) -> None:
        """An operation on what could not be said. Only what is refused on every tensor is told."""
        self._lose(operation)
        if operation.target == "module":
            child = self.module.children[operation.module]
            if not child.is_leaf:
                self._lifter.next_use(child, self._wanted)
            elif not _word(child, ()):
                raise _no_layer(type(child.module))
        else:
            rule = self._rule(operation)
            if is_refusal(rule):
                rule(self._step(operation, rule))

    def _is_lost(self, tensor: Tensor) -> bool:
        return tensor in self._lost or self._known.get(tensor) in self._lost

    def _lose(self, operation: Operation) -> None:
        self._lost.update(tensor for _, tensor in named(operation.results))

    def _here(self, tensor: Tensor) -> Tensor | None:
        """A tensor of the record as it is in this body; None if it is another module's."""
        here = self._known.get(tensor)
        return here if here is None else self._sizes.get(here, here)

    def _resolved(self, value: Any) -> Any:
        """The tensors of a record as they are here."""
        if isinstance(value, Tensor):
            return self._known.get(value, value)
        if isinstance(value, (tuple, list)):
            return (
                [self._resolved(item) for item in value]
                if isinstance(value, list)
                else tuple(map(self._resolved, value))
            )
        return {key: self._resolved(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _bind(self, operation: Operation, given: Any) -> None:
        """What an operation gives is known by what the record calls it."""
        for recorded, made in _pairs(operation.results, given):
            if isinstance(made, Tensor):
                if made.shape != recorded.shape:
                    sizes = f"{list(recorded.shape)}, and its layer {list(made.shape)}"
                    raise Unsaid(f"`{short(operation.target)}` gives {sizes}")
                self._known[recorded] = made
            else:
                self._lost.add(recorded)

    # --- functions -------------------------------------------------------------------------------

    def _function(self, operation: Operation) -> Any:
        rule = self._rule(operation)
        step = self._step(operation, rule)
        arguments, keywords = self._resolved(operation.arguments), self._resolved(dict(operation.keywords))
        if keywords.get("out", ...) is None:
            del keywords["out"]
        try:
            given = rule(step, *arguments, **keywords)
        except (TypeError, ValueError, LookupError, AttributeError):  # of a call that the rule does not expect
            raise Unsaid(f"`{step.name}` with these arguments is not a layer") from None
        step.check_training()
        self._nodes += step.nodes
        self._sizes.update({node.outputs[0]: node.inputs[0] for node in step.nodes if node.word == DETACHED})
        return given

    def _rule(self, operation: Operation) -> Rule:
        rule = rule_of(operation.target)
        if rule is None:
            raise Unsaid(f"`{short(operation.target)}` is not an operation of the language")
        return rule

    def _step(self, operation: Operation, rule: Rule) -> Step:
        return Step(operation, short(operation.target), self._here, self.module.module, _in_training(operation, rule))

    # --- modules ---------------------------------------------------------------------------------

    def _called(self, operation: Operation) -> Any:
        child = self.module.children[operation.module]
        body = None if child.is_leaf else self._lifter.next_use(child, self._wanted)
        self._check_place(operation, child)
        inputs = tuple(self._resolved(tensor) for _, tensor in named((operation.arguments, operation.keywords)))
        if body is None:
            return self._layer(operation, child, inputs)
        if not body.nodes and len(inputs) == 1 and (*body.inputs.values(),) == (*body.outputs.values(),):
            return self._dropping(operation, child, inputs[0])
        return self._used(operation, body, inputs)

    def _check_place(self, operation: Operation, child: Traced) -> None:
        """Refuses a module that belongs to another one, or to two."""
        if operation.module.startswith("/"):
            raise Unsaid(
                f"it calls the module `{operation.module[1:]}`, which is not inside of it",
                "a module's steps see only its own layers: call it where it belongs", Code.STATE,
            )  # fmt: skip
        if self._lifter.is_elsewhere(child, self.module):
            raise Unsaid(
                f"`{child.kind}` at `{child.path}` is called by two modules",
                "`reuse` calls a layer again in the module that has it", Code.STATE,
            )  # fmt: skip

    def _dropping(self, operation: Operation, child: Traced, x: Tensor) -> Any:
        """A module that does nothing in evaluation."""
        if not child.module.state_dict():
            try:
                word, said = dropping(child.module, x.shape)
            except Unknown as fault:
                raise Unsaid(f"`{child.kind}` {fault}") from None
            self._lifter.understood(child)
            if word:
                return self._draft(operation, word, said, (x,), x.shape)
        return self._draft(operation, "Identity", {}, (x,), x.shape)

    def _draft(
        self, operation: Operation, word: str, said: Mapping[str, Any], inputs: tuple[Tensor, ...],
        shape: tuple[int, ...], **more: Any,
    ) -> Tensor:  # fmt: skip
        output = Tensor(shape)
        self._nodes.append(Draft(word, said, inputs, (output,), operation.module, operation.place, **more))
        return output

    def _layer(self, operation: Operation, child: Traced, inputs: tuple[Tensor, ...]) -> Any:
        kind = type(child.module)
        word = _word(child, inputs[0].shape if inputs else ())
        if not word:
            raise _no_layer(kind)
        if len(inputs) != 1:
            raise Unsaid(f"`{kind.__name__}` of {len(inputs)} tensors is not a layer")
        options: dict[str, Any] = {}
        renames: Mapping[str, str] = {}
        found = parametrization_of(child.module)
        if isinstance(found, str):
            raise Unsaid(f"`{kind.__name__}` has {found}, which the language does not have", "", Code.STATE)
        if isinstance(found, Parametrization):
            options, renames = {"parametrization": found.value}, found.renames
        step = Step(operation, f"nn.{kind.__name__}", self._here, child.module)
        state = {name: f"{operation.module}.{renames.get(name, name)}" for name in _tensors(child.module, renames)}
        said = own_arguments(word, child) if own_layer(kind) else arguments_of(word, child.module)
        shape = step.shape_of(word, said, inputs[0])
        return self._draft(operation, word, said, inputs, shape, child=child, state=state, options=options)

    def _used(self, operation: Operation, body: DraftBody, inputs: tuple[Tensor, ...]) -> Any:
        """A use of a module that has a body. The tensors of its arguments are its inputs, in order."""
        if len(body.inputs) != len(inputs):
            raise Unsaid(f"`{body.module.kind}` is given the same tensor twice, or one that is not an argument")
        outputs = tuple(Tensor(tensor.shape) for tensor in body.outputs.values())
        self._nodes.append(Draft("", {}, inputs, outputs, operation.module, operation.place, body.module, body))
        given = outputs[: len(outputs) - len(body.leaked)]
        self._known.update(zip(body.leaked, outputs[len(given) :]))
        return _like(operation.results, iter(given))


def _in_training(operation: Operation, rule: Rule) -> dict[str, Any]:
    """The arguments that differ in training, by the names of the rule."""
    _, *names = signature(rule).parameters
    found = {}
    for key, trained in operation.training.items():
        given = operation.keywords.get(key) if isinstance(key, str) else operation.arguments[key]
        if value(given) != value(trained):
            found[key if isinstance(key, str) else names[key]] = trained
    return found


def _tensors(module: Any, renames: Mapping[str, str]) -> list[str]:
    """The names of a layer's tensors as we have them."""
    ours = {theirs: name for name, theirs in renames.items()}
    return [ours.get(name, name) for name in module.state_dict()]


def _word(child: Traced, shape: tuple[int, ...]) -> str:
    """The layer that a module is, "" if it is none."""
    return own_layer(type(child.module)) or word_of(type(child.module), shape)


def own_arguments(word: str, child: Traced) -> dict[str, Any]:
    """Those of a class of somebody's own, as its ``__init__`` was given them."""
    known = {name: given for name, given in child.arguments.items() if name in LAYERS[word].arguments}
    for name, given in known.items():
        if not isinstance(given, (int, float, str, tuple, list, type(None))):
            raise Unsaid(f"the argument `{name}` of `{word}` is a `{type(given).__name__}`, which a spec cannot write")
    return written(word, known)


def _no_layer(kind: type) -> Unsaid:
    if any(word in kind.__name__ for word in _SEQUENCES):
        what = "attention" if "Attention" in kind.__name__ or "Transformer" in kind.__name__ else "recurrent"
        return Unsaid(f"`{kind.__name__}` is {what}", "", Code.SEQUENCE)
    return Unsaid(f"`{kind.__name__}` is not in the table of layers")


def named(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in a value by their places: ``0``, ``features.1``; "" for one alone."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, (tuple, list, dict)):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            yield from named(item, f"{name}.{key}" if name else str(key))


def _pairs(recorded: Any, made: Any) -> Iterator[tuple[Tensor, Any]]:
    if isinstance(recorded, Tensor):
        yield recorded, made
    elif isinstance(recorded, (tuple, list)):
        items = made if isinstance(made, (tuple, list)) else [None] * len(recorded)
        for one, other in zip(recorded, items):
            yield from _pairs(one, other)
    elif isinstance(recorded, dict):
        for key, one in recorded.items():
            yield from _pairs(one, made[key] if isinstance(made, dict) else None)


def _like(value: Any, tensors: Iterator[Tensor]) -> Any:
    """The same value with other tensors, in order."""
    if isinstance(value, Tensor):
        return next(tensors)
    if isinstance(value, (tuple, list)):
        return tuple(_like(item, tensors) for item in value)
    return {key: _like(item, tensors) for key, item in value.items()} if isinstance(value, dict) else value
