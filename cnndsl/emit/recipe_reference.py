"""The reference of what a recipe may name, written from the tables of ``cnndsl/recipe/``.

``python -m cnndsl.emit.recipe_reference > docs/recipes.md`` brings the page up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from cnndsl.emit.reference import _markdown
from cnndsl.layers.function import Function
from cnndsl.recipe.datasets import DATASETS, DataSet
from cnndsl.recipe.losses import LOSSES, Loss
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.recipe.transforms import TRANSFORMS, Transform

F = TypeVar("F", bound=Function)

_INTRODUCTION = """\
# Recipes

What the `train` of a spec may name, written from the tables in `cnndsl/recipe/` by
`python -m cnndsl.emit.recipe_reference`. Names, arguments, order and defaults are those of torch and
torchvision. What a training knows by itself, such as the parameters of an optimizer or the optimizer
of a scheduler, is no argument.

```yaml
train:
  dataset: FashionMNIST                             # a name alone, where no argument is needed
  epochs: 10
  batch_size: 256
  augment: [RandomHorizontalFlip, {RandomCrop: {size: 28, padding: 4}}]
  optimizer: {SGD: {lr: 0.1, momentum: 0.9}}        # arguments by name
  scheduler: {StepLR: [30]}                         # or in torch's order, up to the `*` of the signature
  loss: {CrossEntropyLoss: {label_smoothing: 0.1}}
```
"""

_DATASETS = """\
`dataset`. The samples are those for training and those for tests. Where neither they nor classes are
said, the data tell.
"""

_TRANSFORMS = """\
`augment`, a list of them, done in its order. Values count from 0 to 255 until the first of `Normalize`,
`GaussianNoise` and `RandomErasing`, and from 0 to 1 there and after it. `size` is one number for a square,
or height and width; `padding` one number for all sides, or two for left and right and for top and bottom,
or left, top, right and bottom; `fill` is the value of what lies outside of the image.
"""

_OPTIMIZERS = "`optimizer`. Variants such as `fused` are no arguments: the fastest one is taken.\n"

_SCHEDULERS = """\
`scheduler`. It moves on after each epoch or after each step of the optimizer. `SequentialLR` and
`ChainedScheduler` take a list of those that stand above `CyclicLR` in the table: `{SequentialLR:
{schedulers: [{LinearLR: {total_iters: 5}}, {CosineAnnealingLR: {T_max: 95}}], milestones: [5]}}`.
"""

_LOSSES = """\
`loss`. Without one, it is `CrossEntropyLoss`. Its mean over a step is the same however the samples are dealt out to
batches and processes, and the figures of a run are means with `reduction: sum` too. A batch without a counted label
counts nothing.
"""


def recipe_reference() -> str:
    """The whole page, in Markdown."""
    sections = (
        _section("Data sets", _DATASETS, DATASETS, _DATASET_COLUMNS),
        _section("Transforms", _TRANSFORMS, TRANSFORMS, {"done to": _done_to}),
        _section("Optimizers", _OPTIMIZERS, OPTIMIZERS, {}),
        _section("Schedulers", _SCHEDULERS, SCHEDULERS, {"moves on": lambda scheduler: f"each {scheduler.per}"}),
        _section("Losses", _LOSSES, LOSSES, {"scores": _scores}),
    )
    return "\n".join((_INTRODUCTION, *sections))


def _section(heading: str, text: str, table: Mapping[str, F], columns: Mapping[str, Callable[[F], str]]) -> str:
    """A table of functions: signature, what each does, and ``columns``."""
    rows = [
        (_signature(function), _markdown(function.documentation), *(column(function) for column in columns.values()))
        for function in table.values()
    ]
    head = ("signature", "what it does", *columns)
    lines = [f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows)]
    return f"## {heading}\n\n{text}\n{''.join(lines)}"


def _signature(function: Function) -> str:
    """The signature, with a link to torch's page of it."""
    written = f"`{function.name}({function.signature()})`"
    if not function.path:
        return written
    site = "vision" if function.path.startswith("torchvision.") else "docs"
    return f"[{written}](https://docs.pytorch.org/{site}/stable/generated/{function.path}.html)"


def _done_to(transform: Transform) -> str:
    return "training samples" if transform.random else "all samples"


def _scores(loss: Loss) -> str:
    return "`[N, C]`, `[N, C, H, W]`" if loss.per_pixel else "`[N, C]`"


_DATASET_COLUMNS: dict[str, Callable[[DataSet], str]] = {
    "a sample": lambda dataset: f"`{list(dataset.shape)}`" if dataset.shape else "",
    "classes": lambda dataset: str(len(dataset.classes) or ""),
    "samples": lambda dataset: " + ".join(f"{size:,}" for size in dataset.sizes or ()),
}


if __name__ == "__main__":
    print(recipe_reference(), end="")
