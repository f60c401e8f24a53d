"""What compiles but is seldom intended: warnings about layers that do not work well together.

Every rule is a function of one layer and its surroundings, in :data:`RULES`; its docstring gives the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.graph.graph import Apply, Graph, Merge, Module, Operation, Split, Tensor
from cnndsl.graph.torch_order import mistaken
from cnndsl.layers.linear import Linear
from cnndsl.layers.shape_ops import Permute
from cnndsl.layers.upsampling import Upsample
from cnndsl.record import Record
from cnndsl.spec.document import Document
from cnndsl.spec.hints import not_written
from cnndsl.spec.values import Literal

_AXES = {1: ("value",), 2: ("row", "column"), 3: ("slice", "row", "column")}


class Surroundings(Record, frozen=True):
    """The operations that take each tensor, and the tensors with permuted dimensions."""

    takers: Mapping[Tensor, Sequence[Apply | Merge | Split]]
    permuted: set[Tensor]
    returned: set[Tensor]

    @staticmethod
    def of(root: Module, outputs: Iterable[Tensor]) -> Surroundings:
        permuted: set[Tensor] = set()
        for operation in root.everything:
            if is_permuted(operation) or (permuted and not permuted.isdisjoint(operation.inputs)):
                permuted.update(operation.outputs)
        return Surroundings(root.takers, permuted, {*outputs})

    def before_batch_norm(self, item: Apply) -> bool:
        """Whether a batch normalisation, and nothing else, takes the output of a layer."""
        found = self.takers.get(item.output, [])
        alone = len(found) == 1 and item.output not in self.returned
        return alone and isinstance(found[0], Apply) and found[0].layer.normalizes_batch


def is_permuted(operation: Operation) -> bool:
    return isinstance(operation, Apply) and isinstance(operation.layer, Permute)


#: Errors about shapes.
_OF_SHAPES = {Code.SHAPE, Code.INFERRED, Code.CONCAT, Code.RESIDUAL, Code.BRANCH}

Rule = Callable[[Apply, Surroundings], Diagnostic | None]


def doubtful_habits(graph: Graph) -> Iterator[Diagnostic]:
    """One warning for each step, however often its block is used."""
    yield from _doubts(graph.document, graph.root, graph.outputs.values(), RULES)


def explanations(document: Document, partial: Module, errors: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """Warnings that may explain why shapes do not fit, in a network whose shapes are known as far as ``partial``."""
    if any(error.code in _OF_SHAPES for error in errors):
        yield from _doubts(document, partial, (), EXPLAINING)


def _doubts(document: Document, root: Module, outputs: Iterable[Tensor], rules: Iterable[Rule]) -> Iterator[Diagnostic]:
    yield from _channels_last(document, root)
    around = Surroundings.of(root, outputs)
    warned: set[tuple[Code, object]] = set()
    for item in root.layers:
        for rule in rules:
            warning = rule(item, around)
            if warning and (warning.code, item.step) not in warned:
                warned.add((warning.code, item.step))
                yield warning


def _channels_last(document: Document, root: Module) -> Iterator[Diagnostic]:
    """The channels of images come first here, as everywhere in PyTorch; elsewhere they come last, and are 1 or 3."""
    shape = root.input.shape.sample
    permuted = any(map(is_permuted, root.layers))
    if len(shape) != 3 or permuted or min(shape[:2]) < 8:
        return
    if shape[2] == 3 or (shape[2] == 1 and shape[0] == shape[1]):
        message = f"the input {[*shape]} looks like height, width and channels: channels come first"
        span = next(iter(document.inputs.values())).span.first_line
        yield Diagnostic(Code.MISTAKEN, message, span, f"`{[shape[2], *shape[:2]]}`")


def _bias_before_batch_norm(item: Apply, around: Surroundings) -> Diagnostic | None:
    """A batch normalisation subtracts the mean, and with it any bias before it (Ioffe and Szegedy, 2015,
    arXiv:1502.03167, section 3.2): the bias is learned for nothing. An explicit one is intended."""
    layer, written = item.layer, item.written.get("bias")
    weighted = layer.family in ("convolution", "linear") and "bias" in layer.arguments
    meant = isinstance(written, Literal) and written.value is True
    if meant or not (weighted and "bias" in layer.parameters() and around.before_batch_norm(item)):
        return None
    message = f"the batch normalisation after `{item.kind}` cancels its bias"
    return Diagnostic(Code.BIAS, message, item.step.span, "`bias: false`, or `bias: true` if it is intended")


def _unseen_pixels(item: Apply, around: Surroundings) -> Diagnostic | None:
    """A stride that does not divide an axis leaves its end unread, and its edge undetected."""
    unseen = item.bound.unseen
    if not any(unseen):
        return None
    message = f"`{item.kind}` never sees {ends(unseen)} of its input {item.input.shape}"
    help = "change the padding or the input size, or set `ceil_mode: true` for pooling"
    return Diagnostic(Code.UNSEEN, message, item.step.span, help)


def ends(unseen: Sequence[int]) -> str:
    """The values at the ends of axes in words: ``the last row and the last 2 columns``."""
    counts = (
        f"the last {axis}" if count == 1 else f"the last {count} {axis}s"
        for axis, count in zip(_AXES[len(unseen)], unseen)
        if count
    )
    return " and ".join(counts)


def _linear_on_image(item: Apply, around: Surroundings) -> Diagnostic | None:
    """A linear layer works on the last dimension only: on each row of pixels of an image separately."""
    if not isinstance(item.layer, Linear):
        return None
    shape = item.input.shape
    if shape.rank < 4 or item.input in around.permuted:
        return None
    message = f"`Linear` works on the last dimension of {shape}, on each row of the image separately"
    return Diagnostic(Code.UNFLATTENED, message, item.step.span, "put `Flatten` before it")


def _dropout_before_batch_norm(item: Apply, around: Surroundings) -> Diagnostic | None:
    """Dropout changes the variance in training only, while batch normalisation keeps the one it saw
    in training (Li et al., 2018, arXiv:1801.05134)."""
    if not (item.layer.drops_values and around.before_batch_norm(item)):
        return None
    message = f"`{item.kind}` right before a batch normalisation shifts the variance it learns"
    return Diagnostic(Code.DROPOUT, message, item.step.span, "put it after the last batch normalisation")


def _order_of_torch(item: Apply, around: Surroundings) -> Diagnostic | None:
    """In PyTorch a list of arguments contains those that are inferred here: :mod:`cnndsl.graph.torch_order`."""
    found = mistaken(item)
    if found is None:
        return None
    what, meant = found
    message = f"this `{item.kind}` has {what}: {not_written(type(item.layer))}"
    return Diagnostic(Code.MISTAKEN, message, item.step.span, f"`{meant}`")


def _upsampling_to_less(item: Apply, around: Surroundings) -> Diagnostic | None:
    """The first argument of ``Upsample`` is the output size, not the scale factor."""
    if not isinstance(item.layer, Upsample) or item.layer.values.get("size") is None:
        return None
    shape, out = item.input.shape, item.output.shape
    if prod(out) >= prod(shape):
        return None
    message = f"this `Upsample` shrinks {shape} to {out}"
    return Diagnostic(Code.MISTAKEN, message, item.step.span, "`Upsample: {scale_factor: 2}` doubles height and width")


RULES: tuple[Rule, ...] = (
    _bias_before_batch_norm,
    _unseen_pixels,
    _linear_on_image,
    _dropout_before_batch_norm,
    _order_of_torch,
    _upsampling_to_less,
)
#: The rules that may explain why a later step does not fit.
EXPLAINING: tuple[Rule, ...] = (_linear_on_image, _order_of_torch, _upsampling_to_less)
