"""Checks a recipe against its network: do the data fit its input, and does the loss fit its output?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from math import prod

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, Note, did_you_mean, shorten
from cnndsl.graph.elaborate import Elaboration, elaborate
from cnndsl.graph.graph import Graph
from cnndsl.recipe.datasets import DATASETS
from cnndsl.recipe.losses import LOSSES
from cnndsl.recipe.optimizers import OPTIMIZERS
from cnndsl.recipe.recipe import Recipe
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.recipe.transforms import TRANSFORMS
from cnndsl.source import Span
from cnndsl.spec.document import Document
from cnndsl.spec.values import ListValue, Literal

Size = tuple[int, ...]

#: Each pattern of `freeze` is compared with the name of each parameter.
MAX_FROZEN = 100


def check_fit(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """The reasons why a recipe cannot train a network."""
    faults = [*_one_of_each(graph, recipe), *_unfit_schedule(recipe), *_unfit_freezing(graph, recipe)]
    if faults:
        return faults
    (x,) = graph.inputs.values()
    wanted = x.shape.sample
    training, test = (prepared_shape(recipe, wanted, training) for training in (True, False))
    if training != test:
        crops = [call for call in recipe.augment if TRANSFORMS[call.name].crops]
        message = f"samples are {list(training)} in training but {list(test)} in tests: they need one size"
        help = f"add `CenterCrop: {training[-1]}`, which also applies to tests, or `resize: {training[-1]}`"
        return [Diagnostic(Code.RECIPE, message, crops[-1].span.first_line if crops else recipe.dataset.span, help)]
    if len(wanted) != len(training) or wanted[0] != training[0]:
        return [_other_channels(recipe, wanted, training)]
    trained = at_size(graph.document, training) if training != wanted else None
    if trained is not None and trained.graph is None:
        note = Note(f"this is at the training size, {list(training)}; at the spec's `input` there is no error")
        return [replace(fault, notes=(*fault.notes, note)) for fault in trained.faults if fault.is_error]
    graph = trained.graph if trained and trained.graph else graph
    return [*_unfit_output(graph, recipe), *_unfit_scores(graph, recipe), *unfit_batch(graph, recipe)]


def unfit_batch(graph: Graph, recipe: Recipe, processes: int = 1) -> Iterator[Diagnostic]:
    """A batch normalisation needs two values per channel; if its input has no area, each sample gives one. A
    batch is divided evenly among ``processes``; a smaller one at the end of an epoch is dropped if a process would
    get a single sample."""
    if recipe.batch_size // processes > 1:
        return
    norms = [item for item in graph.root.layers if item.layer.normalizes_batch and prod(item.input.shape.spatial) == 1]
    if norms:
        whose = "a batch of 1" if processes == 1 else f"a batch of {recipe.batch_size} on {processes} processes"
        message = f"{whose} gives `{norms[0].kind}` one value per channel, which has no variance"
        help = f"`batch_size: {2 * processes}` or more; `GroupNorm: 1` normalizes each sample by itself"
        note = Note(f"the layer's input is {norms[0].input.shape}", norms[0].step.span)
        yield Diagnostic(Code.RECIPE, message, _key_span(graph, recipe, "batch_size"), help, (note,))


def frozen(names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """The parameters that match ``freeze``: a module covers all of its own, `*` and `?` match any characters."""
    asked = [*patterns]
    return [name for name in names if any(fnmatchcase(name, p) or name.startswith(f"{p}.") for p in asked)]


def _unfit_freezing(graph: Graph, recipe: Recipe) -> Iterator[Diagnostic]:
    layers = [item for item in graph.root.layers if not item.reuse]
    names = [f"{item.path}.{tensor}" for item in layers for tensor in item.layer.named_parameters()]
    span = _key_span(graph, recipe, "freeze")
    if len(recipe.freeze) > MAX_FROZEN:
        message = f"`freeze` has {len(recipe.freeze)} patterns, the limit is {MAX_FROZEN}"
        yield Diagnostic(Code.LIMIT, message, span, "a module covers all of its parameters, and `*` matches any text")
        return
    for pattern in recipe.freeze:
        if not frozen(names, [pattern]):
            modules = {name[:end] for name in names for end in range(len(name)) if name[end] == "."}
            help = did_you_mean(pattern, [*sorted(modules), *names]) or "`cnndsl shapes SPEC` lists the modules"
            message = f"`{shorten(pattern)}` in `freeze` matches no parameter of the network"
            yield Diagnostic(Code.RECIPE, message, span, help)
    if names and len(frozen(names, recipe.freeze)) == len(names):
        yield Diagnostic(Code.RECIPE, "`freeze` leaves nothing to train", span, "freeze fewer modules")


def _key_span(graph: Graph, recipe: Recipe, key: str) -> Span:
    """The place of the value of a key of the recipe."""
    spans = graph.document.train.spans if graph.document.train else {}
    return spans[key].first_line if key in spans else recipe.optimizer.span


def at_size(document: Document, shape: Size) -> Elaboration:
    """A document's network with another shape for its first input."""
    name, written = next(iter(document.inputs.items()))
    sizes = ListValue(tuple(Literal(size, written.span) for size in shape), written.span)
    return elaborate(replace(document, inputs={**document.inputs, name: sizes}))


def prepared_shape(recipe: Recipe, wanted: Size, training: bool) -> Size:
    """The shape of a sample as the network gets it. ``wanted`` is the network's input, to which data of
    any shape are converted."""
    dataset = DATASETS[recipe.dataset.name]
    shape: Size = dataset.shape or wanted
    if recipe.size and len(shape) == 3:
        shape = (shape[0], *recipe.size)
    for call in recipe.augment:
        if training or not TRANSFORMS[call.name].random:
            shape = TRANSFORMS[call.name].output(call.arguments, shape)
    return shape


def _one_of_each(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """A data set gives one image and its label."""
    span = _place(graph)
    message = ""
    if len(graph.inputs) > 1:
        message = f"the network has {len(graph.inputs)} inputs, but `{recipe.dataset.name}` gives one image at a time"
    elif len(graph.outputs) > 1:
        message = f"the network has {len(graph.outputs)} outputs, but a loss takes one"
    help = "remove `train`, and train the emitted module with your own loop"
    return [Diagnostic(Code.RECIPE, message, span, help)] if message else []


def _place(graph: Graph) -> Span:
    tree = graph.document.tree
    key = tree.keys.get("train")
    return key.span if key else tree.span.first_line


def _other_channels(recipe: Recipe, wanted: Size, given: Size) -> Diagnostic:
    message = f"`{recipe.dataset.name}` gives samples of shape {list(given)}, but the network takes {list(wanted)}"
    help = f"`input: {list(given)}`"
    if len(wanted) == 3 and wanted[0] in (1, 3):
        help += f", or convert the images: `augment: [Grayscale: {wanted[0]}]`"
    return Diagnostic(Code.RECIPE, message, recipe.dataset.span.first_line, help)


def _unfit_schedule(recipe: Recipe) -> list[Diagnostic]:
    """A schedule that also changes the momentum needs an optimizer that has one."""
    call = recipe.scheduler
    moves = call is not None and SCHEDULERS[call.name].bind(call.arguments).get("cycle_momentum")
    if call is None or not moves or {"momentum", "betas"} & OPTIMIZERS[recipe.optimizer.name].arguments.keys():
        return []
    message = f"`{call.name}` changes the momentum, but `{recipe.optimizer.name}` has none"
    return [Diagnostic(Code.RECIPE, message, call.span.first_line, "`cycle_momentum: false`")]


def _unfit_scores(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """A loss that includes the softmax learns badly after another one; `NLLLoss` needs log-probabilities."""
    (output,) = graph.outputs.values()
    last = next((item for item in reversed(graph.root.layers) if item.output is output), None)
    loss, after = recipe.loss.name, LOSSES[recipe.loss.name].after
    if after and not (last and isinstance(last.layer, after)):
        message = f"`{loss}` takes log-probabilities, but the network does not end with `{after.__name__}`"
        span, help = recipe.loss.span.first_line, f"end with `{after.__name__}`, or write `loss: CrossEntropyLoss`"
    elif not after and last and last.layer.gives_probabilities:
        message = f"`{loss}` takes unbounded scores, but `{last.kind}` squashes them first"
        span, help = last.step.span, f"remove `{last.kind}`: `predict` gives probabilities anyway"
    else:
        return []
    return [Diagnostic(Code.SCORES, message, span, help)]


def _unfit_output(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    """Each class needs a score; only synthetic data have labels for pixels."""
    out = next(iter(graph.outputs.values())).shape.sample
    classes = DATASETS[recipe.dataset.name].classes
    span = recipe.dataset.span.first_line
    if len(out) > 1 and recipe.dataset.name != "Synthetic":
        message = f"the network's output is {list(out)}, but `{recipe.dataset.name}` has one label per image"
        return [Diagnostic(Code.RECIPE, message, span, "end with `Flatten` and `Linear`, one output for each class")]
    if len(classes) > out[0]:
        message = f"`{recipe.dataset.name}` has {len(classes)} classes, but the network has {out[0]} outputs"
        help = f"the last layer needs {len(classes)} outputs, such as `Linear: {len(classes)}`"
        return [Diagnostic(Code.RECIPE, message, span, help)]
    if len(out) > 1 and not LOSSES[recipe.loss.name].per_pixel:
        message = f"`{recipe.loss.name}` takes one label per image, but the network's output is {list(out)}"
        return [Diagnostic(Code.RECIPE, message, recipe.loss.span.first_line, "`CrossEntropyLoss` takes one per pixel")]
    weight = recipe.loss.arguments.get("weight")
    if weight is not None and len(weight) != out[0]:
        message = f"`weight` has {len(weight)} numbers, but the network has {out[0]} outputs"
        return [Diagnostic(Code.RECIPE, message, recipe.loss.span.first_line, "give one number for each class")]
    return []
