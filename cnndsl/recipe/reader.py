"""Reads the ``train`` of a document into a :class:`Recipe`, or finds its errors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.layers.function import Function
from cnndsl.layers.shape import Refused
from cnndsl.layers.table import Argument
from cnndsl.recipe.datasets import DATASETS
from cnndsl.recipe.losses import LOSSES
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.recipe.recipe import EarlyStopping, Recipe
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.recipe.stray import stray_keys
from cnndsl.recipe.transforms import TRANSFORMS
from cnndsl.spec.calls import CallReader, FunctionCall, Vocabulary
from cnndsl.spec.document import Document
from cnndsl.spec.evaluation import Environment, Unknown, evaluate
from cnndsl.spec.hints import meant_by
from cnndsl.spec.recipe_keys import KEYS, Called, Key
from cnndsl.spec.sections import Train
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import CallValue, Fault, ListValue, Literal, Value

#: The functions that each key may call.
TABLES: dict[str, Mapping[str, Function]] = {
    "dataset": DATASETS,
    "augment": TRANSFORMS,
    "optimizer": OPTIMIZERS,
    "scheduler": SCHEDULERS,
    "loss": LOSSES,
}
CALLS = {
    key.name: Vocabulary(TABLES[key.name], key.holds.what, ", or ".join(f"`{example}`" for example in key.examples))
    for key in KEYS.values()
    if isinstance(key.holds, Called)
}
NEEDED = tuple(key.name for key in KEYS.values() if key.required)


def read_recipe(train: Train, params: Mapping[str, Any]) -> tuple[Recipe | None, list[Diagnostic]]:
    """The recipe of a document with the parameters ``params``. None if it has errors, or is incomplete: the rest may be
    given when it is trained."""
    reader = _Reader(train, params)
    recipe = reader.read()
    return recipe, reader.faults


def in_full(recipe: Recipe) -> Recipe:
    """The recipe with all arguments of its calls, so that two that mean the same are equal."""
    return replace(recipe, **{name: _in_full(getattr(recipe, name), table) for name, table in TABLES.items()})


def _in_full(value: Any, table: Mapping[str, Function]) -> Any:
    """``value`` with the defaults of every call in it. The calls in a call are of the same ``table``."""
    if isinstance(value, tuple):
        return tuple(_in_full(item, table) for item in value)
    if not isinstance(value, FunctionCall):
        return value
    given = {name: _in_full(each, table) for name, each in value.arguments.items()}
    return replace(value, arguments=table[value.name].bind(given))


def not_whole(document: Document) -> Diagnostic | None:
    """The error of a document whose ``train`` is incomplete."""
    train = document.train
    missing = [name for name in NEEDED if train is None or name not in train.keys]
    if not missing:
        return None
    help = "`train: {dataset: FashionMNIST, epochs: 10, batch_size: 256, optimizer: {SGD: {lr: 0.1}}}`"
    subject = "`train`" if train else "to be trained, the spec"
    needs = " and ".join(f"`{name if train else f'train.{name}'}`" for name in missing)
    key = document.tree.keys.get("train")
    return Diagnostic(Code.MISSING, f"{subject} needs {needs}", key.span if key else None, help)


class _Reader:
    def __init__(self, train: Train, params: Mapping[str, Any]) -> None:
        self.train = train
        self.faults: list[Diagnostic] = []
        self.environment = Environment(params, has_input=False)

    def read(self) -> Recipe | None:
        faults, incomplete = stray_keys(self.train, CALLS)
        self.faults += faults
        found = self.values()
        calls = CallReader(self.environment, self.faults)
        for key in KEYS.values():
            written = self.written(key)
            if written is not None and key.as_argument() is None and key.name not in incomplete:
                found[key.name] = self.called(key, written, calls)
        if self.faults or UNKNOWN in found.values() or not found.keys() >= set(NEEDED):
            return None
        if isinstance(frozen := found.get("freeze"), str):
            found["freeze"] = (frozen,)
        found.setdefault("loss", FunctionCall(KEYS["loss"].default, {}, self.train.span.first_line))
        return Recipe(**found)

    def written(self, key: Key) -> Value | None:
        """The value of a key, None if there is none: ``scheduler: null`` clears that of a base spec."""
        found = self.train.get(key.name)
        cleared = key.default is None and isinstance(found, Literal) and found.value is None
        return None if cleared else found

    def values(self) -> dict[str, Any]:
        """The plain values, UNKNOWN for those with an error."""
        found: dict[str, Any] = {}
        for key in KEYS.values():
            argument, written = key.as_argument(), self.written(key)
            if argument is not None and written is not None:
                found[key.name] = self.value(argument, written)
                self.environment = self.environment.bind({key.name: found[key.name]})
        return found

    def called(self, key: Key, written: Value, calls: CallReader) -> Any:
        """The call of a key, or its calls; UNKNOWN if there is an error."""
        if isinstance(key.holds, Function):
            assert isinstance(written, CallValue)
            given = calls.arguments(key.holds, written)
            return UNKNOWN if given is None else EarlyStopping(**given)
        items = written.items if isinstance(written, ListValue) else (written,)
        found = [calls.call(item, CALLS[key.name]) for item in items]
        if None in found:
            return UNKNOWN
        return tuple(found) if isinstance(written, ListValue) else found[0]

    def value(self, argument: Argument[Any], written: Value) -> Any:
        """The value of a key, UNKNOWN if it has an error."""
        try:
            value = evaluate(written, self.environment)
            argument.check(value, 0)
        except Fault as fault:
            self.faults.append(fault.diagnostic)
        except Refused as refused:
            accepts = partial(argument.kind.accepts, dims=0)
            help = meant_by(written, value, self.environment.names, accepts) or refused.help
            self.faults.append(Diagnostic(Code.TYPE, refused.message, written.span.first_line, help))
        except Unknown:
            pass
        else:
            return value
        return UNKNOWN
