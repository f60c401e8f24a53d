"""One operation as its rule sees it: what it may take, and how it says what the operation is."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.lift.draft import Draft
from cnndsl.importing.lift.formulas import evaluated, expression, extent_of, value
from cnndsl.importing.lift.leaves import shortest, written
from cnndsl.importing.recorded import Arithmetic, Held, Made, Number, Operation, Tensor
from cnndsl.layers import LAYERS, Refused, Shape

#: Merges that torch broadcasts.
COMMUTING = ("add", "multiply", "maximum", "minimum")

#: Stands for the dimension of a parameter with one value.
SINGLE = 0


class Unsaid(Exception):
    """What an operation does is not in the language."""

    def __init__(self, message: str, help: str = "", code: Code = Code.OPERATION) -> None:
        super().__init__(message)
        self.message, self.help, self.code = message, help, code


class Step:
    """Writes the nodes of one operation. A rule returns the tensor that it gives, or several as torch does."""

    def __init__(
        self, operation: Operation, name: str, known: Callable[[Tensor], Tensor | None], module: nn.Module,
        training: Mapping[str, Any] = {},
    ) -> None:  # fmt: skip
        self.operation = operation
        #: The module whose operation it is.
        self.module = module
        #: What a tensor of the record is in the body; None if it is in another.
        self.known = known
        #: The function, as a person calls it: ``torch.cat``, ``Tensor.view``.
        self.name = name
        self.nodes: list[Draft] = []
        #: The arguments that differ in training, and those of them that the rule has asked for.
        self._training = training
        self._read: set[str] = set()

    # --- what it takes -----------------------------------------------------------------------------

    def tensor(self, given: Any) -> Tensor:
        """A tensor that comes from the input."""
        if isinstance(given, Tensor):
            return given
        if isinstance(given, (Held, Made)):
            raise self.constant(given)
        raise Unsaid(f"`{self.name}` of {_kind(given)} is not an operation of the language")

    def tensors(self, given: Iterable[Any]) -> list[Tensor]:
        return [self.tensor(item) for item in given]

    def constant(self, given: Held | Made) -> Unsaid:
        """The refusal of a tensor that comes from no input."""
        if isinstance(given, Held):
            what = "parameter" if given.is_parameter else "buffer"
            return Unsaid(f"no layer uses a {what} as `{self.name}` does here", "", Code.CONSTANT)
        source = "computes from parameters" if _has_parameter(given) else "makes from no input"
        return Unsaid(f"`{self.name}` takes a tensor that `{short(given.how)}` {source}", "", Code.CONSTANT)

    def number(self, given: Any, x: Tensor) -> Any:
        """A number, or several, as values of an argument: formulas over the sizes of ``x``."""
        if isinstance(given, (tuple, list)):
            return tuple(self.number(item, x) for item in given)
        found = expression(given, x, self.known)
        if found is None and given is not None:
            raise self.other_size(value(given))
        return found

    def other_size(self, size: Any) -> Unsaid:
        """The refusal of a size that depends on another tensor than the layer's input."""
        sizes = " x ".join(map(str, size)) if isinstance(size, tuple) else size
        return Unsaid(
            f"`{self.name}` takes a number that depends on the batch, or on the size of another tensor: here {sizes}",
            "`Upsample` and `CenterCrop` read the size of another tensor, `{like: NAME}`",
        )

    def sizes_of(self, sizes: Sequence[Any], axes: int) -> Tensor | None:
        """The tensor of this body whose spatial sizes these are."""
        extents = [extent_of(size) for size in sizes]
        found = [extent for extent in extents if extent is not None]
        if len(found) == axes and [dim for _, dim in found] == [*range(2, axes + 2)]:
            first = self.known(found[0][0])
            if first is not None and len(first.shape) == axes + 2:
                return first if all(self.known(tensor) is first for tensor, _ in found) else None
        return None

    def trains(self, name: str, given: Any) -> Any:
        """An argument's value in training mode."""
        self._read.add(name)
        return self._training.get(name, given)

    def drops(self, training: Any) -> bool:
        """Whether a dropout does anything. One that drops values in evaluation is refused."""
        if training:
            help = "`training=self.training` does it in training only"
            raise Unsaid(f"`{self.name}` drops values in evaluation too", help)
        return bool(self.trains("training", training))

    def check_training(self) -> None:
        """Refuses what is done otherwise in training."""
        if left := [name for name in self._training if name not in self._read]:
            raise Unsaid(f"`{self.name}` has another `{left[0]}` in training")

    # --- what it says ------------------------------------------------------------------------------

    def layer(self, word: str, x: Any, **arguments: Any) -> Tensor:
        """A layer on a tensor."""
        return self.held(word, x, {}, **arguments)

    def held(self, word: str, x: Any, state: Mapping[str, Held | None], **arguments: Any) -> Tensor:
        """A layer whose parameters and buffers are the module's own. Those that are None do not exist."""
        tensor = self.tensor(x)
        said = written(word, {key: self.number(item, tensor) for key, item in arguments.items()})
        existing = {key: held for key, held in state.items() if held is not None}
        self._check_state(word, existing)
        paths = {key: held.path for key, held in existing.items()}
        if word == "Scale" and (start := self._start(existing["weight"])) is not None:
            said |= written(word, {"init": start})
        return self._node(word, said, (tensor,), self.shape_of(word, said, tensor), state=paths)

    def value_of(self, held: Held) -> torch.Tensor:
        """A parameter or buffer itself."""
        found: torch.Tensor = operator.attrgetter(held.path)(self.module)
        return found.detach()

    def _start(self, held: Held) -> float | None:
        """The value of a parameter all of whose values are equal, as they are before it is trained."""
        tensor = self.value_of(held)
        if tensor.is_meta or not bool((tensor == tensor.flatten()[0]).all()):
            return None
        return shortest(float(tensor.flatten()[0]))

    def _check_state(self, word: str, state: Mapping[str, Held]) -> None:
        """Refuses a buffer in place of a parameter, or the other way round."""
        for key, held in state.items():
            learned = word != "FrozenBatchNorm2d" and not key.startswith("running_")
            if held.is_parameter != learned:
                raise self.constant(held)
            if held.path.startswith("/"):
                message = f"`{self.name}` takes a parameter of the module `{held.path[1:].rpartition('.')[0]}`"
                raise Unsaid(message, "a layer has its own parameters", Code.STATE)

    def like(self, word: str, x: Any, other: Tensor, **arguments: Any) -> Tensor:
        """A layer that gives a tensor the size of another one."""
        tensor = self.tensor(x)
        shape = (*tensor.shape[:2], *other.shape[2:])
        return self._node(word, written(word, arguments), (tensor, other), shape)

    def shape_of(self, word: str, said: Mapping[str, Any], x: Tensor) -> tuple[int, ...]:
        """The shape that a layer gives. Refuses what the layer does not take."""
        given = {key: evaluated(item, x.shape) for key, item in said.items()}
        try:
            return tuple(LAYERS[word].bind(given, Shape(x.shape)).output(Shape(x.shape)))
        except Refused as fault:
            help = f"{fault.help[:1].upper()}{fault.help[1:]}" if fault.help else ""
            raise Unsaid(f"`{self.name}` as `{word}`: {fault.message}", help) from None

    def merge(self, word: str, *given: Any) -> Tensor:
        tensors = self.tensors(given)
        ranks = {len(tensor.shape) for tensor in tensors}
        if len(ranks) > 1:
            shapes = " and ".join(str(list(tensor.shape)) for tensor in tensors)
            raise Unsaid(f"`{self.name}` broadcasts tensors with unlike numbers of dimensions, {shapes}")
        shape = tuple(max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors)))
        return self._node(word, {}, tuple(tensors), shape)

    def concat(self, given: Sequence[Any], dim: int) -> Tensor:
        tensors = self.tensors(given)
        dim = self.dim(dim, tensors[0])
        if len(tensors) == 1:
            return tensors[0]
        shape = [*tensors[0].shape]
        shape[dim] = sum(tensor.shape[dim] for tensor in tensors)
        return self._node("concat", {} if dim == 1 else {"dim": dim}, tuple(tensors), tuple(shape))

    def split(self, x: Any, sizes: Sequence[int], dim: int) -> tuple[Tensor, ...]:
        tensor = self.tensor(x)
        dim = self.dim(dim, tensor)
        if len(sizes) == 1:
            return (tensor,)
        shapes = [tuple(size if at == dim else n for at, n in enumerate(tensor.shape)) for size in sizes]
        outputs = tuple(map(Tensor, shapes))
        arguments = {"sizes": tuple(sizes)} | ({} if dim == 1 else {"dim": dim})
        self.nodes.append(Draft("split", arguments, (tensor,), outputs, place=self.operation.place))
        return outputs

    def _node(
        self, word: str, said: Mapping[str, Any], inputs: tuple[Tensor, ...], shape: tuple[int, ...], **more: Any
    ) -> Tensor:
        output = Tensor(shape)
        self.nodes.append(Draft(word, said, inputs, (output,), place=self.operation.place, **more))
        return output

    def pseudo(self, word: str, *given: Any, shape: tuple[int, ...] = (), **arguments: Any) -> Tensor:
        """A part of something that a later pass may know as a whole; refused if none does."""
        tensors = tuple(self.tensors(given))
        return self._node(f"?{word}", arguments, tensors, shape or tensors[0].shape, options={"?": self.name})

    def size(self, given: Any, x: Tensor) -> Any:
        """A size as it was written: a number, a formula over the sizes of ``x``, or None if it has none."""
        return expression(given, x, self.known)

    def sum(self, first: Any, second: Any) -> Any:
        """Two numbers together."""
        if not isinstance(first, Number) and not isinstance(second, Number):
            return first + second
        operands = tuple(one.formula if isinstance(one, Number) else one for one in (first, second))
        return Number(value(first) + value(second), Arithmetic("+", operands))

    def negative(self, number: Any) -> Any:
        """A number with the other sign."""
        if isinstance(number, Number):
            return Number(-number.value, Arithmetic("neg", (number.formula,)))
        return -number

    def inverse(self, number: Any) -> Any:
        """``1 / number``."""
        if isinstance(number, Number):
            return Number(1 / number.value, Arithmetic("/", (1, number.formula)))
        if not number:
            raise Unsaid(f"`{self.name}` divides by 0")
        return 1 / number

    def merged(self, what: str) -> Unsaid:
        return Unsaid(f"`{what}` of these tensors is not a layer")

    def dim(self, dim: Any, x: Tensor) -> int:
        """A dimension of a sample, counted from the batch."""
        resolved = int(value(dim)) % len(x.shape)
        if resolved == 0:
            raise self.batch()
        return resolved

    def batch(self) -> Unsaid:
        return Unsaid(f"`{self.name}` works on the batch", "a layer works on each sample by itself")


def short(name: str) -> str:
    """A function's name as people write it: ``F.relu``, ``torch.cat``, ``Tensor.view``, ``+``."""
    signs = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "matmul": "@", "getitem": "[...]"}
    home, _, last = name.rpartition(".")
    if home.endswith("operator"):
        return signs.get(last.removeprefix("i"), signs.get(last, last))
    return f"{ {'torch.nn.functional': 'F', 'torch.Tensor': 'Tensor'}.get(home, home) }.{last}".replace(" ", "")


def _has_parameter(given: Any) -> bool:
    """Whether a tensor is computed from a parameter of a module."""
    if isinstance(given, Made):
        return any(map(_has_parameter, (*given.arguments, *given.keywords.values())))
    if isinstance(given, (tuple, list)):
        return any(map(_has_parameter, given))
    return isinstance(given, Held) and given.is_parameter


def _kind(given: Any) -> str:
    return f"a {type(given).__name__}" if given is not None else "None"
