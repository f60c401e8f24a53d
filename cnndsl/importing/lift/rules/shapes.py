"""Functions that rearrange values, and those that only make sure of something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnndsl.emit.source.expr import Lit, Op, Ref
from cnndsl.importing.lift.crops import sliced_like
from cnndsl.importing.lift.formulas import value
from cnndsl.importing.lift.regroup import regrouped
from cnndsl.importing.lift.rules.table import rule
from cnndsl.importing.lift.step import Step, Unsaid
from cnndsl.importing.recorded import Number, Tensor
from cnndsl.layers.shape import size_name


@rule("contiguous", "clone", "alias", "float", "requires_grad", "type_as", "cpu")
def unchanged(step: Step, input: Any, *given: Any, **more: Any) -> Tensor:
    return step.tensor(input)


#: The word of a tensor without gradients. It may be asked for its sizes; no layer takes it.
DETACHED = "?detach"


@rule("detach", "data")
def detach(step: Step, input: Any) -> Tensor:
    return step.pseudo(
        "detach", input, why="stops gradients, which a spec cannot say", help="the spec would train another network"
    )


@rule("to", "type")
def to(step: Step, input: Any, *given: Any, **more: Any) -> Tensor:
    if odd := [
        one for one in (*given, *more.values()) if str(one) in ("torch.float16", "torch.bfloat16", "torch.float64")
    ]:
        raise Unsaid(f"`{step.name}` to {odd[0]}: a spec has one type", "train with `precision`")
    return step.tensor(input)


# --- other shapes of the same values -------------------------------------------------------------


def _shaped(step: Step, input: Any, sizes: Sequence[Any]) -> Tensor:
    """The same values in the shape that the operation gave, in which ``sizes`` tell what follows from what."""
    x = step.tensor(input)
    out = step.operation.results.shape
    if not out or not x.shape or out[0] != x.shape[0]:
        raise step.batch()
    if len(out) == 1 < len(x.shape):
        help = "leave it out: a network gives `[N, 1]`; take the size away where the loss is computed"
        raise Unsaid(f"`{step.name}` leaves no size but the batch", help)
    return regrouped(step, x, out, [step.size(size, x) for size in sizes])


def _listed(sizes: tuple[Any, ...]) -> Sequence[Any]:
    return sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


@rule("view", "reshape")
def view(step: Step, input: Any, *sizes: Any, shape: Any = None) -> Tensor:
    return _shaped(step, input, _listed(sizes) if shape is None else shape)


@rule("flatten")
def flatten(step: Step, input: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    x = step.tensor(input)
    start, end = start_dim % len(x.shape), end_dim % len(x.shape)
    if start == end:
        return x
    last = end_dim if end != len(x.shape) - 1 else -1
    return step.layer("Flatten", x, start_dim=step.dim(start_dim, x), end_dim=last)


@rule("unflatten")
def unflatten(step: Step, input: Any, dim: int, sizes: Any) -> Tensor:
    x = step.tensor(input)
    return step.layer("Unflatten", x, dim=step.dim(dim, x), unflattened_size=sizes)


@rule("squeeze")
def squeeze(step: Step, input: Any, *dims: Any, dim: Any = None) -> Tensor:
    x = step.tensor(input)
    if not dims and dim is None and 1 in x.shape[:1]:
        raise step.batch()
    return _shaped(step, x, [])


@rule("unsqueeze")
def unsqueeze(step: Step, input: Any, dim: int) -> Tensor:
    x = step.tensor(input)
    if dim % (len(x.shape) + 1) == 0:
        raise step.batch()
    return _shaped(step, x, [])


@rule("permute")
def permute(step: Step, input: Any, *dims: Any) -> Tensor:
    x = step.tensor(input)
    order = tuple(dim % len(x.shape) for dim in _listed(dims))
    if order[0] != 0:
        raise step.batch()
    return x if order == tuple(range(len(order))) else step.layer("Permute", x, dims=order)


@rule("transpose", "swapaxes", "swapdims")
def transpose(step: Step, input: Any, dim0: int, dim1: int) -> Tensor:
    x = step.tensor(input)
    order = [*range(len(x.shape))]
    first, second = step.dim(dim0, x), step.dim(dim1, x)
    order[first], order[second] = order[second], order[first]
    return permute(step, x, order)


@rule("movedim", "moveaxis")
def movedim(step: Step, input: Any, source: Any, destination: Any) -> Tensor:
    x = step.tensor(input)
    if not isinstance(source, int):
        raise Unsaid(f"`{step.name}` of several dimensions is not a layer", "`permute` says the order")
    order = [dim for dim in range(len(x.shape)) if dim != step.dim(source, x)]
    order.insert(step.dim(destination, x), step.dim(source, x))
    return permute(step, x, order)


@rule("expand", "expand_as", "broadcast_to")
def expand(step: Step, input: Any, *sizes: Any) -> Tensor:
    """A merge broadcasts by itself; what else takes the tensor gets it in the new size."""
    x = step.tensor(input)
    out = step.operation.results.shape
    if len(out) != len(x.shape):
        raise Unsaid(f"`{step.name}` gives a tensor more dimensions", "give it them by `unsqueeze`")
    return _expanded(step, x, _listed(sizes))


def _expanded(step: Step, x: Tensor, sizes: Any) -> Tensor:
    """``x`` with the spatial ``sizes`` of another tensor, or of the tensor that they are."""
    out, axes = step.operation.results.shape, len(x.shape) - 2
    if out == x.shape:
        return x
    other = sizes[0] if isinstance(sizes[0], Tensor) else step.sizes_of(sizes[2:], axes)
    is_like = other is not None and other.shape[2:] == out[2:] and x.shape[:2] == out[:2] and axes in (1, 2, 3)
    if other is not None and is_like and all(size == 1 for size in x.shape[2:]):
        return step.pseudo("expand", x, other, shape=out)
    return step.pseudo("expand", x, shape=out)


# --- parts ---------------------------------------------------------------------------------------


@rule("unbind")
def unbind(step: Step, input: Any, dim: int = 0) -> tuple[Tensor, ...]:
    x = step.tensor(input)
    return tuple(_selected(step, x, step.dim(dim, x), index) for index in range(x.shape[step.dim(dim, x)]))


@rule("select")
def select(step: Step, input: Any, dim: int, index: int) -> Tensor:
    x = step.tensor(input)
    return _selected(step, x, step.dim(dim, x), index)


@rule("narrow")
def narrow(step: Step, input: Any, dim: int, start: int, length: Any) -> Tensor:
    x, stop = step.tensor(input), step.sum(start, length)
    return _part(step, x, step.dim(dim, x), start, stop if value(stop) else None)  # -3 and 3 after it: up to the last


@rule("getitem")
def getitem(step: Step, input: Any, index: Any) -> Any:
    """Slices, new axes, and single indices of a tensor; an element of what gave several."""
    if isinstance(input, (tuple, list)):
        return input[index]
    x, dim = step.tensor(input), 0
    parts = _whole(index if isinstance(index, tuple) else (index,), x)
    if (cropped := sliced_like(step, x, parts)) is not None:
        return cropped
    for one in parts:
        if one is None:
            x = _with_axis(step, x, dim)
        elif isinstance(one, slice):
            x = _sliced(step, x, dim, one)
        elif isinstance(one, (int, Number)) and not isinstance(one, bool):
            x, dim = _selected(step, x, step.dim(dim, x), value(one)), dim - 1
        else:
            raise Unsaid("indexing with a tensor or a list is not a layer")
        dim += 1
    return x


def _whole(index: tuple[Any, ...], x: Tensor) -> tuple[Any, ...]:
    """An index without its ellipsis."""
    at = next((at for at, one in enumerate(index) if one is Ellipsis), None)
    if at is None:
        return index
    taken = sum(one is not None and one is not Ellipsis for one in index)
    return (*index[:at], *[slice(None)] * (len(x.shape) - taken), *index[at + 1 :])


def _with_axis(step: Step, x: Tensor, dim: int) -> Tensor:
    if dim == 0:
        raise step.batch()
    return regrouped(step, x, (*x.shape[:dim], 1, *x.shape[dim:]), [])


def _sliced(step: Step, x: Tensor, dim: int, part: slice) -> Tensor:
    size, stride = x.shape[dim], value(part.step) or 1
    if range(size)[slice(value(part.start), value(part.stop), stride)] == range(size):
        return x
    return _part(step, x, step.dim(dim, x), 0 if part.start is None else part.start, part.stop, stride)


def _part(step: Step, x: Tensor, dim: int, start: Any, stop: Any, stride: int = 1) -> Tensor:
    """Negative ends count from the size, which may be another one when the network runs."""
    size = x.shape[dim]
    stop = None if stop is None or value(stop) >= size else _from_end(step, x, dim, stop)
    arguments = {"start": _from_end(step, x, dim, start)} | ({} if stop is None else {"stop": stop})
    return step.layer("Slice", x, **arguments, dim=dim, step=stride)


def _from_end(step: Step, x: Tensor, dim: int, end: Any) -> Any:
    """An end that is counted from the size is negative. The channels are the same at every size, so they are counted
    from the first."""
    if not isinstance(end, Number):
        return x.shape[dim] + int(end) if dim == 1 and end < 0 else end
    match step.size(end, x):
        case Op("-", (Ref(name), Lit(int(left)))) if dim > 1 and name == f"input.{size_name(dim, len(x.shape))}":
            return -left
    return end


def _selected(step: Step, x: Tensor, dim: int, index: int) -> Tensor:
    """One index of a dimension, which it loses."""
    part = _part(step, x, dim, index, None if index == -1 else index + 1) if x.shape[dim] > 1 else x
    return regrouped(step, part, (*part.shape[:dim], *part.shape[dim + 1 :]), [])


@rule("stack")
def stack(step: Step, tensors: Sequence[Any], dim: int = 0) -> Tensor:
    given = step.tensors(tensors)
    at = dim % (len(given[0].shape) + 1)
    if at == 0:
        return step.pseudo("stack", *given, shape=(len(given), *given[0].shape))
    return step.concat([_with_axis(step, x, at) for x in given], at)


@rule("repeat", "tile")
def repeat(step: Step, input: Any, *sizes: Any) -> Tensor:
    x, times = step.tensor(input), [value(size) for size in _listed(sizes)]
    if len(times) == len(x.shape) and times[:2] == [1, 1] and all(size == 1 for size in x.shape[2:]):
        return _expanded(step, x, _listed(sizes))
    if len(times) != len(x.shape) or times[0] != 1 or sum(size != 1 for size in times) > 1:
        raise Unsaid(f"`{step.name}` of several dimensions is not a layer")
    dim = next((dim for dim, size in enumerate(times) if size != 1), 1)
    return step.concat([x] * times[dim], dim)
