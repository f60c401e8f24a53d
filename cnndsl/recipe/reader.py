"""Reads the ``train`` of a document into a :class:`Recipe`, or finds its errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.layers.function import Function
from cnndsl.layers.kinds import ABOVE_ZERO, BOOLEAN, INTEGER, NATURAL, NOT_NEGATIVE, POSITIVE, TEXT, Choice, Listing
from cnndsl.layers.shape import Refused
from cnndsl.layers.table import argument
from cnndsl.recipe.datasets import DATASETS
from cnndsl.recipe.losses import LOSSES
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.recipe.recipe import MONITORED, PRECISIONS, EarlyStopping, Recipe
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.recipe.stray import stray_keys
from cnndsl.recipe.table import INSIDE_0_AND_1
from cnndsl.recipe.transforms import TRANSFORMS
from cnndsl.spec import tree
from cnndsl.spec.calls import CallReader, FunctionCall, Vocabulary
from cnndsl.spec.document import Document
from cnndsl.spec.expression import Environment, Unknown, evaluate
from cnndsl.spec.hints import meant_by
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Fault, parse_value

#: The plain values of a recipe; its other keys are calls. A value may use those before it, as `$epochs`.
VALUES = Function(
    "train",
    "A training recipe.",
    {
        "epochs": argument(POSITIVE),
        "batch_size": argument(POSITIVE),
        "accumulate": argument(POSITIVE, 1),
        "resize": argument(POSITIVE | Listing(POSITIVE, 2), None),
        "seed": argument(INTEGER, 0),
        "precision": argument(Choice(*PRECISIONS), "fp32"),
        "compile": argument(BOOLEAN, False),
        "clip_grad_norm": argument(ABOVE_ZERO, None),
        "freeze": argument(TEXT | Listing(TEXT), ()),
        "ema": argument(INSIDE_0_AND_1, None),
    },
)
EARLY_STOPPING = Function(
    "early_stopping",
    "When training ends before its last epoch.",
    {
        "monitor": argument(Choice(*MONITORED), EarlyStopping.monitor, keyword=True),
        "patience": argument(NATURAL, EarlyStopping.patience, keyword=True),
        "min_delta": argument(NOT_NEGATIVE, EarlyStopping.min_delta, keyword=True),
        "mode": argument(Choice("auto", "min", "max"), EarlyStopping.mode, keyword=True),
    },
)
CALLS = {
    "dataset": Vocabulary(DATASETS, "data set", "`FashionMNIST`, or `{ImageFolder: {root: pictures}}`"),
    "optimizer": Vocabulary(OPTIMIZERS, "optimizer of torch.optim", "`{SGD: {lr: 0.1}}`"),
    "scheduler": Vocabulary(SCHEDULERS, "scheduler of torch.optim.lr_scheduler", "`{StepLR: {step_size: 30}}`"),
    "loss": Vocabulary(LOSSES, "loss of torch.nn for classification", "`{CrossEntropyLoss: {label_smoothing: 0.1}}`"),
}
TRANSFORM = Vocabulary(TRANSFORMS, "transform of torchvision.transforms.v2", "`{RandomCrop: {size: 28, padding: 4}}`")
NEEDED = ("dataset", "epochs", "batch_size", "optimizer")
_DEFAULT_LOSS = "CrossEntropyLoss"
#: Keys that may be null.
_CLEARED = {key.name for key in fields(Recipe) if key.default is None}


def read_recipe(document: Document, params: Mapping[str, Any]) -> tuple[Recipe | None, list[Diagnostic]]:
    """The recipe of a document with the parameters ``params``. None if it has none, one with errors, or an
    incomplete one: the rest may be given when it is trained."""
    if document.train is None:
        return None, []
    reader = _Reader(document.train, params)
    recipe = reader.read()
    return recipe, reader.faults


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
    def __init__(self, train: tree.Mapping, params: Mapping[str, Any]) -> None:
        self.train = train
        self.faults: list[Diagnostic] = []
        self.environment = Environment(params, has_input=False)

    def read(self) -> Recipe | None:
        found: dict[str, Any] = {}
        faults, incomplete = stray_keys(self.train, CALLS)
        self.faults += faults
        for name in VALUES.arguments:
            if (written := self.written(name)) is not None:
                found[name] = self.value(name, written)
                self.environment = self.environment.bind({name: found[name]})
        calls = CallReader(self.environment, self.faults)
        for name, vocabulary in CALLS.items():
            if name not in incomplete and (written := self.written(name)) is not None:
                found[name] = calls.call(written, vocabulary) or UNKNOWN
        if (written := self.written("early_stopping")) is not None:
            stopping = calls.arguments(EARLY_STOPPING, written)
            found["early_stopping"] = UNKNOWN if stopping is None else EarlyStopping(**stopping)
        augment = self.train.get("augment")
        for item in augment.items if isinstance(augment, tree.Listing) else ():
            found["augment"] = (*found.get("augment", ()), calls.call(item, TRANSFORM))
        if self.faults or UNKNOWN in found.values() or not found.keys() >= set(NEEDED):
            return None
        if isinstance(frozen := found.get("freeze"), str):
            found["freeze"] = (frozen,)
        found.setdefault("loss", FunctionCall(_DEFAULT_LOSS, {}, self.train.span.first_line))
        return Recipe(**found)

    def written(self, name: str) -> tree.Tree | None:
        """The value of a key, None if there is none: ``scheduler: null`` clears that of a base spec."""
        found = self.train.get(name)
        return None if name in _CLEARED and isinstance(found, tree.Scalar) and found.value is None else found

    def value(self, name: str, written: tree.Tree) -> Any:
        """The value of a key, UNKNOWN if it has an error."""
        before = len(self.faults)
        span = written.span.first_line
        try:
            parsed = parse_value(written, self.faults.append)
            value = evaluate(parsed, self.environment)
            VALUES.arguments[name].check(value, 0)
        except Fault as fault:
            self.faults.append(fault.diagnostic)
        except Refused as refused:
            accepts = partial(VALUES.arguments[name].kind.accepts, dims=0)
            help = meant_by(parsed, value, self.environment.names, accepts) or refused.help
            self.faults.append(Diagnostic(Code.TYPE, refused.message, span, help))
        except Unknown:
            pass
        else:
            return value if len(self.faults) == before else UNKNOWN
        return UNKNOWN
