"""What compiles and is seldom meant: warnings about layers that go badly together.

Every rule is a function of one layer and its surroundings, in :data:`RULES`; its docstring says why it is a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod

from cnndsl.diagnostics import Code, Diagnostic, got
from cnndsl.graph.graph import Apply, Graph, Merge, Split, Tensor, takers, walk
from cnndsl.spec.hints import not_written
from cnndsl.spec.steps import Call
from cnndsl.spec.values import Literal

_AXES = {1: ("value",), 2: ("row", "column"), 3: ("slice", "row", "column")}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Which operations take each tensor, and which tensors have had their dimensions permuted."""

    takers: dict[Tensor, list[Apply | Merge | Split]]
    permuted: set[Tensor]
    returned: set[Tensor]

    @staticmethod
    def of(graph: Graph) -> Surroundings:
        permuted: set[Tensor] = set()
        for _, operation in walk(graph.root.body):
            if operation.kind == "Permute" or any(tensor in permuted for tensor in operation.inputs):
                permuted.update(operation.outputs)
        return Surroundings(takers(graph.root.body), permuted, {*graph.outputs.values()})

    def only_taker(self, layer: Apply) -> str:
        """The kind of the one layer that takes what ``layer`` gives, "" where there is not just one."""
        found = self.takers.get(layer.output, [])
        alone = len(found) == 1 and layer.output not in self.returned
        return found[0].kind if alone else ""


Rule = Callable[[Apply, Surroundings], Diagnostic | None]


def doubtful_habits(graph: Graph) -> Iterator[Diagnostic]:
    """Each step is warned of once, however often its block is used."""
    around = Surroundings.of(graph)
    warned: set[tuple[Code, object]] = set()
    for _, item in walk(graph.root.body):
        if not isinstance(item, Apply):
            continue
        for rule in RULES:
            warning = rule(item, around)
            if warning and (warning.code, item.step) not in warned:
                warned.add((warning.code, item.step))
                yield warning


def _bias_before_batch_norm(item: Apply, around: Surroundings) -> Diagnostic | None:
    """A batch normalisation subtracts the mean, and with it any bias before it (Ioffe and Szegedy, 2015,
    arXiv:1502.03167, section 3.2): the bias is learned for nothing. One that is written out is meant."""
    weighted = item.layer.family == "convolution" or item.kind == "Linear"
    written = item.written.get("bias")
    meant = isinstance(written, Literal) and written.value is True
    if meant or not (weighted and "bias" in item.layer.parameters()):
        return None
    if not around.only_taker(item).startswith("BatchNorm"):
        return None
    message = f"the batch normalisation behind `{item.kind}` takes its bias away again"
    return Diagnostic(Code.BIAS, message, item.step.span, "`bias: false`, or `bias: true` where it is meant")


def _unseen_pixels(item: Apply, around: Surroundings) -> Diagnostic | None:
    """A stride that does not divide what is left of an axis leaves its end unread, and its edge undetected."""
    unseen = item.layer.unseen(item.input.shape, item.output.shape)
    if not any(unseen):
        return None
    counts = [
        f"the last {axis}" if count == 1 else f"the last {count} {axis}s"
        for axis, count in zip(_AXES[len(unseen)], unseen)
        if count
    ]
    message = f"`{item.kind}` never sees {' and '.join(counts)} of its input {item.input.shape}"
    help = "another padding or input size, or `ceil_mode: true` for a pooling"
    return Diagnostic(Code.UNSEEN, message, item.step.span, help)


def _linear_on_image(item: Apply, around: Surroundings) -> Diagnostic | None:
    """A linear layer works on the last dimension alone: of an image, on each row of pixels by itself."""
    shape = item.input.shape
    if item.kind != "Linear" or shape.rank < 4 or item.input in around.permuted:
        return None
    message = f"`Linear` works on the last dimension of {shape} alone, on each row of the image by itself"
    return Diagnostic(Code.UNFLATTENED, message, item.step.span, "put `Flatten` before it")


def _dropout_before_batch_norm(item: Apply, around: Surroundings) -> Diagnostic | None:
    """Dropout changes the variance in training and not in use, while batch normalisation keeps the one it saw
    in training (Li et al., 2018, arXiv:1801.05134)."""
    if "Dropout" not in item.kind or not around.only_taker(item).startswith("BatchNorm"):
        return None
    message = f"`{item.kind}` right before a batch normalisation shifts the variance that it learns"
    return Diagnostic(Code.DROPOUT, message, item.step.span, "put it behind the last batch normalisation")


def _order_of_torch(item: Apply, around: Surroundings) -> Diagnostic | None:
    """In PyTorch a list of arguments has in it what is inferred here: ``nn.Conv2d(3, 16, 3)`` is ``Conv2d: [16, 3]``,
    and ``nn.BatchNorm2d(16)`` is ``BatchNorm2d``. Kernels of 8 and more and an ``eps`` of 1 and more are not used."""
    given = item.step.arguments.positional if isinstance(item.step, Call) else ()
    values, names = item.layer.values, item.layer.positional()[: len(given)]
    kernel = values.get("kernel_size")
    if "eps" in names and values["eps"] >= 1:
        what, meant = f"an `eps` of {values['eps']}", [values[name] for name in names[: names.index("eps")]]
    elif len(names) >= 3 and names[1] == "kernel_size" and isinstance(kernel, int) and kernel >= 8:
        if values.get("in_channels") != values["out_channels"]:
            return None
        what, meant = f"a kernel of {kernel}", [values[name] for name in names[1:]]
    else:
        return None
    message = f"this `{item.kind}` has {what}: {not_written(type(item.layer))}"
    help = f"`{item.kind}: {got(meant)}`" if meant else f"`{item.kind}`"
    return Diagnostic(Code.MISTAKEN, message, item.step.span, help)


def _upsampling_to_less(item: Apply, around: Surroundings) -> Diagnostic | None:
    """The first argument of ``Upsample`` is the size that comes out, not how many times as large that is."""
    shape, out = item.input.shape, item.output.shape
    if item.kind != "Upsample" or item.layer.values["size"] is None or prod(out) >= prod(shape):
        return None
    message = f"this `Upsample` makes {out} of {shape}, which is less"
    return Diagnostic(Code.MISTAKEN, message, item.step.span, "`Upsample: {scale_factor: 2}` doubles height and width")


RULES: tuple[Rule, ...] = (
    _bias_before_batch_norm,
    _unseen_pixels,
    _linear_on_image,
    _dropout_before_batch_norm,
    _order_of_torch,
    _upsampling_to_less,
)
