"""A recipe held against its network: do the data go in, and does the loss understand what comes out?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from cnndsl.diagnostics import Code, Diagnostic, Note, did_you_mean, shorten
from cnndsl.graph.elaborate import Elaboration, elaborate
from cnndsl.graph.graph import Apply, Graph, walk
from cnndsl.recipe.datasets import DATASETS
from cnndsl.recipe.losses import LOSSES
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.recipe.recipe import Recipe
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.recipe.transforms import TRANSFORMS
from cnndsl.source import Span
from cnndsl.spec.calls import FunctionCall
from cnndsl.spec.document import Document
from cnndsl.spec.values import ListValue, Literal

Size = tuple[int, ...]
#: Transforms that give images of another size: the argument that says it.
_SIZED = {"CenterCrop": "size", "RandomCrop": "size", "RandomResizedCrop": "size"}

#: Each pattern of `freeze` is held against the name of each parameter.
MAX_FROZEN = 100
#: Layers that make probabilities of scores.
_OF_PROBABILITIES = ("Softmax", "Softmax2d", "LogSoftmax", "Sigmoid", "LogSigmoid")


def check_fit(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """What keeps a network from being trained by its recipe."""
    faults = [*_one_of_each(graph, recipe), *_unfit_schedule(recipe), *_unfit_freezing(graph, recipe)]
    if faults:
        return faults
    (x,) = graph.inputs.values()
    wanted = x.shape.sample
    training, test = (prepared_shape(recipe, wanted, training) for training in (True, False))
    if training != test:
        crops = [call for call in recipe.augment if call.name in _SIZED]
        message = f"samples are {list(training)} in training and {list(test)} in tests: transforms give both one size"
        help = f"add `CenterCrop: {training[-1]}`, which tests undergo too, or `resize: {training[-1]}`"
        return [Diagnostic(Code.RECIPE, message, crops[-1].span.first_line if crops else recipe.dataset.span, help)]
    if len(wanted) != len(training) or wanted[0] != training[0]:
        return [_other_channels(recipe, wanted, training)]
    trained = at_size(graph.document, training) if training != wanted else None
    if trained is not None and trained.graph is None:
        note = Note(f"so it is at the size of training, {list(training)}; as the spec's input says, all is well")
        return [replace(fault, notes=(*fault.notes, note)) for fault in trained.faults if fault.is_error]
    graph = trained.graph if trained and trained.graph else graph
    return [*_unfit_output(graph, recipe), *_unfit_scores(graph, recipe), *unfit_batch(graph, recipe)]


def unfit_batch(graph: Graph, recipe: Recipe, processes: int = 1) -> Iterator[Diagnostic]:
    """A batch normalisation needs two values per channel, and where its input has no area each sample gives one. A
    batch is dealt out evenly to ``processes``; a smaller one at the end of an epoch is left out before it gives a
    process a single sample."""
    if recipe.batch_size // processes > 1:
        return
    layers = [item for _, item in walk(graph.root.body) if isinstance(item, Apply)]
    norms = [item for item in layers if item.kind.startswith("BatchNorm") and prod(item.input.shape.spatial) == 1]
    if norms:
        whose = "a batch of 1" if processes == 1 else f"a batch of {recipe.batch_size} on {processes} processes"
        message = f"{whose} gives `{norms[0].kind}` one value per channel, which has no variance"
        help = f"`batch_size: {2 * processes}` or more; `GroupNorm: 1` normalizes each sample by itself"
        note = Note(f"the layer is given {norms[0].input.shape}", norms[0].step.span)
        yield Diagnostic(Code.RECIPE, message, _key_span(graph, recipe, "batch_size"), help, (note,))


def frozen(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The parameters that ``freeze`` means: a module stands for all of its own, `*` and `?` for any characters."""
    asked = [*patterns]
    return [name for name in names if any(fnmatchcase(name, p) or name.startswith(f"{p}.") for p in asked)]


def _unfit_freezing(graph: Graph, recipe: Recipe) -> Iterator[Diagnostic]:
    layers = [item for _, item in walk(graph.root.body) if isinstance(item, Apply) and not item.reuse]
    names = [f"{item.path}.{tensor}" for item in layers for tensor in item.layer.parameters()]
    span = _key_span(graph, recipe, "freeze")
    if len(recipe.freeze) > MAX_FROZEN:
        message = f"`freeze` has {len(recipe.freeze)} patterns, the limit is {MAX_FROZEN}"
        yield Diagnostic(Code.LIMIT, message, span, "a module stands for all of its parameters, `*` for any text")
        return
    for pattern in recipe.freeze:
        if not frozen(names, [pattern]):
            modules = {name[:end] for name in names for end in range(len(name)) if name[end] == "."}
            help = did_you_mean(pattern, [*sorted(modules), *names]) or "`cnndsl shapes SPEC` lists the modules"
            message = f"`freeze` names `{shorten(pattern)}`, which no parameter of the network is"
            yield Diagnostic(Code.RECIPE, message, span, help)
    if names and len(frozen(names, recipe.freeze)) == len(names):
        yield Diagnostic(Code.RECIPE, "`freeze` leaves nothing to train", span, "name less")


def _key_span(graph: Graph, recipe: Recipe, key: str) -> Span:
    """The place of what a key of the recipe says."""
    written = graph.document.train.get(key) if graph.document.train else None
    return written.span.first_line if written else recipe.optimizer.span


def at_size(document: Document, shape: Size) -> Elaboration:
    """The network of a document whose first input has another shape."""
    name, written = next(iter(document.inputs.items()))
    sizes = ListValue(tuple(Literal(size, written.span) for size in shape), written.span)
    return elaborate(replace(document, inputs={**document.inputs, name: sizes}))


def prepared_shape(recipe: Recipe, wanted: Size, training: bool) -> Size:
    """The shape of a sample as the network gets it. ``wanted`` is the network's input, which data that
    come in any shape are brought to."""
    dataset = DATASETS[recipe.dataset.name]
    shape: Size = dataset.shape or wanted
    if recipe.size and len(shape) == 3:
        shape = (shape[0], *recipe.size)
    for call in recipe.augment:
        if training or not TRANSFORMS[call.name].random:
            shape = _transformed(call, shape)
    return shape


def _transformed(call: FunctionCall, shape: Size) -> Size:
    values: Mapping[str, Any] = TRANSFORMS[call.name].bind(call.arguments)
    if call.name in _SIZED:
        size = values[_SIZED[call.name]]
        return (shape[0], *(size if isinstance(size, tuple) and len(size) == 2 else _pair(size)))
    if call.name == "Grayscale":
        return (values["num_output_channels"], *shape[1:])
    if call.name == "Pad":
        left, top, right, bottom = _sides(values["padding"])
        return (shape[0], shape[1] + top + bottom, shape[2] + left + right)
    return shape


def _pair(size: Any) -> tuple[int, int]:
    (side,) = size if isinstance(size, tuple) else (size,)
    return side, side


def _sides(padding: Any) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, as torchvision reads one, two or four numbers."""
    numbers = padding if isinstance(padding, tuple) else (padding,)
    left, top = numbers[0], numbers[1] if len(numbers) > 1 else numbers[0]
    right, bottom = numbers[2:] if len(numbers) == 4 else (left, top)
    return left, top, right, bottom


def _one_of_each(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """A data set gives one image and one label for it."""
    span = _place(graph)
    message = ""
    if len(graph.inputs) > 1:
        message = f"the network has {len(graph.inputs)} inputs, and `{recipe.dataset.name}` gives one image at a time"
    elif len(graph.outputs) > 1:
        message = f"the network has {len(graph.outputs)} outputs, and a loss is taken of one"
    help = "remove `train`; the emitted module can be trained by a loop of your own"
    return [Diagnostic(Code.RECIPE, message, span, help)] if message else []


def _place(graph: Graph) -> Span:
    tree = graph.document.tree
    key = tree.keys.get("train")
    return key.span if key else tree.span.first_line


def _other_channels(recipe: Recipe, wanted: Size, given: Size) -> Diagnostic:
    message = f"`{recipe.dataset.name}` gives samples of shape {list(given)}, the network takes {list(wanted)}"
    help = f"`input: {list(given)}`"
    if len(wanted) == 3 and wanted[0] in (1, 3):
        help += f", or bring the images to the network: `augment: [Grayscale: {wanted[0]}]`"
    return Diagnostic(Code.RECIPE, message, recipe.dataset.span.first_line, help)


def _unfit_schedule(recipe: Recipe) -> list[Diagnostic]:
    """What moves the momentum too needs an optimizer that has one."""
    call = recipe.scheduler
    if call is None or call.name not in ("CyclicLR", "OneCycleLR"):
        return []
    moves = SCHEDULERS[call.name].bind(call.arguments)["cycle_momentum"]
    if not moves or {"momentum", "betas"} & OPTIMIZERS[recipe.optimizer.name].arguments.keys():
        return []
    message = f"`{call.name}` moves the momentum, and `{recipe.optimizer.name}` has none"
    return [Diagnostic(Code.RECIPE, message, call.span.first_line, "`cycle_momentum: false`")]


def _unfit_scores(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """A loss that takes the softmax itself learns badly behind another; one that does not wants log-probabilities."""
    (output,) = graph.outputs.values()
    layers = [item for _, item in walk(graph.root.body) if isinstance(item, Apply)]
    last = next((item for item in reversed(layers) if item.output is output), None)
    loss, kind = recipe.loss.name, last.kind if last else ""
    if loss == "NLLLoss" and kind != "LogSoftmax":
        message = "`NLLLoss` takes log-probabilities, and the network does not end with `LogSoftmax`"
        span, help = recipe.loss.span.first_line, "end with `LogSoftmax`, or write `loss: CrossEntropyLoss`"
    elif loss != "NLLLoss" and last and kind in _OF_PROBABILITIES:
        message = f"`{loss}` takes scores of any size, and `{kind}` squeezes them before it"
        span, help = last.step.span, f"remove `{kind}`: `predict` gives probabilities all the same"
    else:
        return []
    return [Diagnostic(Code.SCORES, message, span, help)]


def _unfit_output(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """A class needs a score of its own; only made-up data have labels for pixels."""
    out = next(iter(graph.outputs.values())).shape.sample
    classes = DATASETS[recipe.dataset.name].classes
    span = recipe.dataset.span.first_line
    if len(out) > 1 and recipe.dataset.name != "Synthetic":
        message = f"the network gives {list(out)}, and `{recipe.dataset.name}` has one label for each image"
        return [Diagnostic(Code.RECIPE, message, span, "end with `Flatten` and `Linear`, one output for each class")]
    if len(classes) > out[0]:
        message = f"`{recipe.dataset.name}` has {len(classes)} classes, the network's output {out[0]}"
        help = f"the last layer needs {len(classes)} outputs, such as `Linear: {len(classes)}`"
        return [Diagnostic(Code.RECIPE, message, span, help)]
    if len(out) > 1 and not LOSSES[recipe.loss.name].per_pixel:
        message = f"`{recipe.loss.name}` takes one label for each image, and the network gives {list(out)}"
        return [
            Diagnostic(Code.RECIPE, message, recipe.loss.span.first_line, "`CrossEntropyLoss` takes one for each pixel")
        ]
    weight = recipe.loss.arguments.get("weight")
    if weight is not None and len(weight) != out[0]:
        message = f"`weight` has {len(weight)} numbers, the network's output {out[0]} classes"
        return [Diagnostic(Code.RECIPE, message, recipe.loss.span.first_line, "one number for each class")]
    return []
