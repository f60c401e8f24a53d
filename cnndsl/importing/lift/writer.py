"""Writes the body of one use of a module as drafts: layers, merges, splits and uses of modules inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cnndsl.diagnostics import Code
from cnndsl.importing.lift.draft import Draft, DraftBody
from cnndsl.importing.lift.leaves import Parametrization, arguments_of, parametrization_of, word_of
from cnndsl.importing.lift.rules import rule_of
from cnndsl.importing.lift.step import Step, Unsaid, short
from cnndsl.importing.recorded import Operation, Tensor, Traced, Use

#: What is told of a torch module that is not in the table.
_SEQUENCES = ("LSTM", "GRU", "RNN", "MultiheadAttention", "Transformer")


class Writer:
    """Writes one body. ``use_of`` gives the body of the next run of a module, ``refuse`` takes what cannot be said."""

    def __init__(
        self, module: Traced, use_of: Callable[[Traced], DraftBody], refuse: Callable[[Traced, Operation, Unsaid], None]
    ) -> None:
        self.module = module
        self._use_of = use_of
        self._refuse = refuse
        #: What each tensor of the record is here.
        self._known: dict[Tensor, Tensor] = {}
        #: Stand-ins for what could not be said, about which nothing more is told.
        self._lost: set[Tensor] = set()
        self._nodes: list[Draft] = []

    def written(self, use: Use) -> DraftBody:
        self._known.update({tensor: tensor for tensor in use.inputs.values()})
        for operation in use.operations:
            self._operation(operation)
        outputs = {name: self._resolved(tensor) for name, tensor in named(use.outputs)}
        return DraftBody(self.module, use.inputs, tuple(self._nodes), outputs)

    def _operation(self, operation: Operation) -> None:
        lost = [tensor for _, tensor in named((operation.arguments, operation.keywords)) if self._is_lost(tensor)]
        if lost:
            self._lose(operation)
            return
        try:
            self._bind(operation, self._called(operation) if operation.target == "module" else self._function(operation))
        except Unsaid as fault:
            self._refuse(self.module, operation, fault)
            self._lose(operation)

    def _is_lost(self, tensor: Tensor) -> bool:
        return tensor in self._lost or self._known.get(tensor) in self._lost

    def _lose(self, operation: Operation) -> None:
        self._lost.update(tensor for _, tensor in named(operation.results))

    def _here(self, tensor: Tensor) -> Tensor | None:
        """A tensor of the record as it is in this body; None if it is another module's."""
        return tensor if tensor in self._known.values() else self._known.get(tensor)

    def _resolved(self, value: Any) -> Any:
        """The tensors of a record as they are here."""
        if isinstance(value, Tensor):
            return self._known.get(value, value)
        if isinstance(value, (tuple, list)):
            return type(value)(map(self._resolved, value)) if not hasattr(value, "_fields") else tuple(map(self._resolved, value))
        return {key: self._resolved(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _bind(self, operation: Operation, given: Any) -> None:
        """What an operation gives is known by what the record calls it."""
        for recorded, made in _pairs(operation.results, given):
            if isinstance(made, Tensor):
                if made.shape != recorded.shape:
                    raise AssertionError(f"{operation.target}: {made.shape} for {recorded.shape}")
                self._known[recorded] = made
            else:
                self._lost.add(recorded)

    # --- functions -------------------------------------------------------------------------------

    def _function(self, operation: Operation) -> Any:
        step = Step(operation, short(operation.target), self._here)
        rule = rule_of(operation.target)
        if rule is None:
            raise Unsaid(f"`{step.name}` is not an operation of the language")
        arguments, keywords = self._resolved(operation.arguments), self._resolved(dict(operation.keywords))
        if keywords.get("out", ...) is None:
            del keywords["out"]
        try:
            given = rule(step, *arguments, **keywords)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            raise Unsaid(f"`{step.name}` with these arguments is not a layer") from None
        self._nodes += step.nodes
        return given

    # --- modules ---------------------------------------------------------------------------------

    def _called(self, operation: Operation) -> Any:
        path = operation.module
        if path.startswith("/"):
            raise Unsaid(
                f"it calls the module `{path[1:]}`, which is not inside of it",
                "a module's steps see only its own layers: call it where it belongs", Code.STATE,
            )  # fmt: skip
        child = self.module.children[path]
        inputs = tuple(self._resolved(tensor) for _, tensor in named((operation.arguments, operation.keywords)))
        if child.is_leaf:
            return self._layer(operation, child, inputs)
        return self._used(operation, self._use_of(child), inputs)

    def _layer(self, operation: Operation, child: Traced, inputs: tuple[Tensor, ...]) -> Any:
        kind = type(child.module)
        word = word_of(kind, inputs[0].shape if inputs else ())
        if not word:
            raise _no_layer(kind)
        if len(inputs) != 1:
            raise Unsaid(f"`{kind.__name__}` of {len(inputs)} tensors is not a layer")
        options, renames = {}, {}
        found = parametrization_of(child.module)
        if isinstance(found, str):
            raise Unsaid(f"`{kind.__name__}` has {found}, which the language does not have", "", Code.STATE)
        if isinstance(found, Parametrization):
            options, renames = {"parametrization": found.value}, found.renames
        step = Step(operation, f"nn.{kind.__name__}", self._here)
        state = {name: f"{operation.module}.{renames.get(name, name)}" for name in _tensors(child.module, renames)}
        said = arguments_of(word, child.module)
        shape = step.shape_of(word, said, inputs[0])
        output = Tensor(shape)
        self._nodes.append(
            Draft(word, said, inputs, (output,), operation.module, operation.place, child, state=state, options=options)
        )
        return output

    def _used(self, operation: Operation, body: DraftBody, inputs: tuple[Tensor, ...]) -> Any:
        """A use of a module that has a body. The tensors of its arguments are its inputs, in order."""
        if len(body.inputs) != len(inputs):
            raise Unsaid(f"`{body.module.kind}` is given the same tensor twice, or one that is not an argument")
        outputs = tuple(Tensor(tensor.shape) for tensor in body.outputs.values())
        self._nodes.append(
            Draft("", {}, inputs, outputs, operation.module, operation.place, body.module, body)
        )
        return _like(operation.results, iter(outputs))


def _tensors(module: Any, renames: Mapping[str, str]) -> list[str]:
    """The names of a layer's tensors as we have them."""
    ours = {theirs: name for name, theirs in renames.items()}
    return [ours.get(name, name) for name in module.state_dict()]


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
