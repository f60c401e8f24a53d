"""The keys of a recipe, ``train``: what each may hold, its default, and what it is for.

The schema, the reader, the reference page and the options of ``cnndsl train`` are made from this table. The functions
that a key may name are in the tables of :mod:`cnndsl.recipe`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from cnndsl.layers.function import Function
from cnndsl.layers.kinds import (
    ABOVE_ZERO,
    BOOLEAN,
    INSIDE_0_AND_1,
    INTEGER,
    NATURAL,
    NOT_NEGATIVE,
    POSITIVE,
    TEXT,
    Choice,
    Kind,
    Listing,
)
from cnndsl.layers.table import REQUIRED, Argument, argument
from cnndsl.printable import as_written
from cnndsl.record import Record


class Called(Record, frozen=True):
    """A function of torch with its arguments, or a list of ``several``; ``what`` it is, in words."""

    what: str
    several: bool = False


#: What a key holds: a value, a call, or the arguments of a function that has the key's name.
Holds: TypeAlias = Kind[Any] | Called | Function


class Key(Record, frozen=True):
    """A key of a recipe.

    ``description`` is a sentence without its full stop, and ``examples`` are values, or one of several calls.
    ``metavar`` stands for the value in the usage of ``cnndsl train``. A resumed run may have another value if it
    ``may_change``.
    """

    name: str
    holds: Holds
    description: str
    examples: tuple[str, ...] = ()
    default: Any = REQUIRED
    metavar: str = "N"
    may_change: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    @property
    def several(self) -> bool:
        """Whether it holds a list of calls."""
        return isinstance(self.holds, Called) and self.holds.several

    @property
    def option(self) -> str:
        """The option of ``cnndsl train`` for it."""
        return f"--{self.name.replace('_', '-')}"

    def as_argument(self) -> Argument[Any] | None:
        """The key as an argument, None for functions, which have arguments of their own."""
        return argument(self.holds, self.default, name=self.name) if isinstance(self.holds, Kind) else None

    @property
    def written_default(self) -> str:
        """The default as a spec writes it, or "required" or "none"."""
        if self.required:
            return "required"
        return "none" if self.default in (None, ()) else as_written(self.default).strip('"')

    def explained(self, quote: Callable[[str], str] = str) -> str:
        """Its description with its examples, each as ``quote`` writes it."""
        examples = (quote(f"[{example}]" if self.several else example) for example in self.examples)
        such_as = f", such as {' or '.join(examples)}" if self.examples else ""
        return f"{self.description}{such_as}."


#: Figures of an epoch that early stopping can monitor. Losses should fall, accuracies rise.
MONITORED = ("test_loss", "test_acc", "loss", "train_acc")
EARLY_STOPPING = Function(
    "early_stopping",
    "When training ends before its last epoch.",
    {
        "monitor": argument(Choice(*MONITORED), "test_loss", keyword=True),
        "patience": argument(NATURAL, 3, keyword=True),
        "min_delta": argument(NOT_NEGATIVE, 0.0, keyword=True),
        "mode": argument(Choice("auto", "min", "max"), "auto", keyword=True),
    },
)
PRECISIONS = ("fp32", "bf16", "fp16")

_DATASET = Called("data set")
_TRANSFORMS = Called("transform of torchvision.transforms.v2", several=True)
_OPTIMIZER = Called("optimizer of torch.optim")
_SCHEDULER = Called("scheduler of torch.optim.lr_scheduler")
_LOSS = Called("loss of torch.nn for classification")

#: Every key. A value may use the plain ones before it, as ``$epochs``; calls may use all of these.
KEYS: dict[str, Key] = {
    key.name: key
    for key in (
        Key(
            "dataset",
            _DATASET,
            "A data set of torchvision",
            ("FashionMNIST", "{ImageFolder: {root: pictures}}"),
            metavar="NAME",
        ),
        Key("epochs", POSITIVE, "Passes over all training samples", may_change=True),
        Key("batch_size", POSITIVE, "Samples in a batch, over all processes together"),
        Key("accumulate", POSITIVE, "Batches per optimizer step", default=1),
        Key(
            "resize",
            POSITIVE | Listing(POSITIVE, 2),
            "Size of the images: the shorter side, cropped to a square, or height and width",
            ("96", "[96, 128]"),
            default=None,
            metavar="SIZE",
        ),
        Key(
            "augment",
            _TRANSFORMS,
            "Transforms of torchvision.transforms.v2, in order",
            ("{RandomCrop: {size: 28, padding: 4}}",),
            default=(),
            metavar="LIST",
        ),
        Key(
            "optimizer",
            _OPTIMIZER,
            "An optimizer of torch.optim, without the parameters",
            ("{SGD: {lr: 0.1}}",),
            metavar="CALL",
        ),
        Key(
            "scheduler",
            _SCHEDULER,
            "A scheduler of torch.optim.lr_scheduler, without the optimizer",
            ("{StepLR: {step_size: 30}}",),
            default=None,
            metavar="CALL",
        ),
        Key(
            "loss",
            _LOSS,
            "A loss of torch.nn, for classification",
            ("{CrossEntropyLoss: {label_smoothing: 0.1}}",),
            default="CrossEntropyLoss",
            metavar="CALL",
        ),
        Key("seed", INTEGER, "Seed of the weights, the order of the samples, and everything random", default=0),
        Key(
            "precision",
            Choice(*PRECISIONS),
            "Numbers that torch's autocast computes with: fp32, bf16 or fp16",
            default=PRECISIONS[0],
            metavar="NAME",
        ),
        Key("compile", BOOLEAN, "Whether to compile the module with torch.compile", default=False),
        Key(
            "cuda_graph",
            BOOLEAN,
            "Whether to capture a step in a CUDA graph, and replay it",
            default=False,
            may_change=True,
        ),
        Key("deterministic", BOOLEAN, "Whether to use deterministic kernels on CUDA, even if slower", default=True),
        Key("clip_grad_norm", ABOVE_ZERO, "Maximum norm of the whole gradient", default=None, metavar="X"),
        Key(
            "freeze",
            TEXT | Listing(TEXT),
            "Modules, or patterns of parameter names, that are not trained",
            ("[features, layer1.*]",),
            default=(),
            metavar="PATTERN",
        ),
        Key(
            "ema",
            INSIDE_0_AND_1,
            "Decay of the exponential moving average of the weights that is tested",
            ("0.999",),
            default=None,
            metavar="X",
        ),
        Key(
            "early_stopping",
            EARLY_STOPPING,
            "When to stop before the last epoch",
            ("{monitor: test_loss, patience: 5, min_delta: 0}",),
            default=None,
            metavar="MAP",
            may_change=True,
        ),
    )
}
