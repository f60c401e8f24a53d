"""The reference of the names in a recipe, generated from the tables of ``cnndsl/recipe/``.

``python -m cnndsl.emit.recipe_reference > docs/recipes.md`` updates the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from cnndsl.emit.reference import _markdown, torch_page
from cnndsl.layers.function import Function
from cnndsl.recipe.datasets import DATASETS, DataSet
from cnndsl.recipe.losses import LOSSES, Loss
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.recipe.transforms import TRANSFORMS, Transform
from cnndsl.spec.recipe_keys import KEYS, Key

F = TypeVar("F", bound=Function)

_INTRODUCTION = """\
# Recipes

Everything that the `train` of a spec may name, generated from the tables in `cnndsl/recipe/` by
`python -m cnndsl.emit.recipe_reference`. Names, arguments, order and defaults are those of torch and
torchvision. The training supplies the parameters of an optimizer and the optimizer of a scheduler, so
these are not arguments.

```yaml
train:
  dataset: FashionMNIST                             # a name alone, if no argument is required
  epochs: 10
  batch_size: 256
  augment: [RandomHorizontalFlip, {RandomCrop: {size: 28, padding: 4}}]
  optimizer: {SGD: {lr: 0.1, momentum: 0.9}}        # arguments by name
  scheduler: {StepLR: [30]}                         # or in torch's order, up to the `*` of the signature
  loss: {CrossEntropyLoss: {label_smoothing: 0.1}}
```
"""

_KEYS = """\
| key | default | what it is |
| --- | --- | --- |
"""

_DATASETS = """\
`dataset`. The samples are counted as training + test. Cells are empty where they depend on your data.
"""

_TRANSFORMS = """\
`augment`, a list of transforms, applied in order. Pixel values run from 0 to 255 before the first of `Normalize`,
`GaussianNoise` and `RandomErasing`, and from 0 to 1 from there on. `size` is one number for a square,
or height and width. `padding` is one number for all sides, or two for left and right and for top and bottom,
or left, top, right and bottom. `fill` is the value outside the image.
"""

_OPTIMIZERS = "`optimizer`. Variants such as `fused` are not arguments: the fastest one is used.\n"

_SCHEDULERS = """\
`scheduler`. It steps after each epoch or after each step of the optimizer. `SequentialLR` and
`ChainedScheduler` take a list of schedulers from the rows above `CyclicLR`: `{SequentialLR:
{schedulers: [{LinearLR: {total_iters: 5}}, {CosineAnnealingLR: {T_max: 95}}], milestones: [5]}}`.
"""

_LOSSES = """\
`loss`. The default is `CrossEntropyLoss`. Its mean over a step does not depend on how the samples are divided into
batches and processes, and the figures of a run are means with `reduction: sum` too. A batch without a counted label
counts nothing.
"""


def recipe_reference() -> str:
    """The whole page, in Markdown."""
    sections = (
        _section("Data sets", _DATASETS, DATASETS, _DATASET_COLUMNS),
        _section("Transforms", _TRANSFORMS, TRANSFORMS, {"applies to": _applies_to}),
        _section("Optimizers", _OPTIMIZERS, OPTIMIZERS, {}),
        _section("Schedulers", _SCHEDULERS, SCHEDULERS, {"steps": lambda scheduler: f"each {scheduler.per}"}),
        _section("Losses", _LOSSES, LOSSES, {"scores": _scores}),
    )
    return "\n".join((_INTRODUCTION, f"## Keys\n\n{_KEYS}{''.join(map(_key, KEYS.values()))}", *sections))


def _key(key: Key) -> str:
    """The row of a key."""
    default = key.written_default
    default = default if default in ("required", "none") else f"`{default}`"
    resumed = " A resumed run may have another value." if key.may_change else ""
    return f"| `{key.name}` | {default} | {key.explained('`{}`'.format)}{resumed} |\n"


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
    """The signature, with a link to its page in torch's documentation."""
    written = f"`{function.name}({function.signature()})`"
    return f"[{written}]({torch_page(function.path)})" if function.path else written


def _applies_to(transform: Transform) -> str:
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
