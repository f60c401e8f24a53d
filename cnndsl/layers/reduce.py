"""Layers that reduce dimensions of a sample to one value each."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.layers.kinds import BOOLEAN, INTEGER, NULL, NUMBER, Listing
from cnndsl.layers.shape import Refused, Shape, kept, resolve_sample_dim
from cnndsl.layers.table import Layer, Saved, argument, layer
from cnndsl.layers.windows import REDUCED, Windows
from cnndsl.printable import as_written


class _Reduction(Layer):
    family = "pooling"
    defined_in = "reduce"
    example = {"dim": (2, 3)}

    def output(self, x: Shape) -> Shape:
        dims = self._dims(x)
        sizes = [1 if dim in dims else size for dim, size in enumerate(x)]
        return Shape(size for dim, size in enumerate(sizes) if self.values["keepdim"] or dim not in dims)

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        dims = self._dims(x)
        if self.values["keepdim"]:
            return dict.fromkeys(dims, "1")
        return kept(x, (dim for dim in range(x.rank) if dim not in dims), 0)

    def _dims(self, x: Shape) -> list[int]:
        """The dimensions that are reduced. Raises :class:`Refused`."""
        given, keepdim = self.values["dim"], self.values["keepdim"]
        if given is None:
            whole = as_written(tuple(range(1, x.rank)))
            help = f"the dimensions of a whole sample are `dim: {whole}, keepdim: true`"
            raise Refused("without `dim` it would reduce the batch too", "dim", help)
        listed = given if isinstance(given, tuple) else (given,)
        dims = [resolve_sample_dim(dim, x.rank) for dim in listed]
        if len({*dims}) < len(dims):
            raise Refused(f"{as_written(listed)} names a dimension twice", "dim", f"`dim: {sorted({*dims})}`")
        if len(dims) == x.rank - 1 and not keepdim:
            raise Refused(
                "a sample would have no dimension left", "dim", "add `keepdim: true`, which leaves sizes of 1"
            )
        return dims

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows]:
        return dict.fromkeys(self._dims(x), REDUCED)

    def arrangement(self, x: Shape, out: Shape) -> tuple[tuple[int, ...], ...]:
        reduced = () if self.values["keepdim"] else self._dims(x)
        return tuple((dim,) for dim in range(x.rank) if dim not in reduced)


class _FromBoth(_Reduction):
    """Reductions whose derivative is computed from input and output."""

    def reads_output(self) -> bool:
        return True

    def saves(self, x: Shape, out: Shape) -> Saved:
        return Saved(input=True, output=True)


_DIM = INTEGER | Listing(INTEGER) | NULL


@layer
class Mean(_Reduction):
    """The mean over ``dim``, one dimension or a list: with ``[2, 3]``, ``(N, C, H, W)`` gives ``(N, C)``, and
    ``(N, C, 1, 1)`` with ``keepdim: true``. It is ``torch.mean``.

    Dimension 0, the batch, is never reduced.
    """

    dim = argument(_DIM)
    keepdim = argument(BOOLEAN, False)


@layer
class Sum(_Reduction):
    """The sum over ``dim``, one dimension or a list, as ``torch.sum``; see ``Mean``."""

    dim = argument(_DIM)
    keepdim = argument(BOOLEAN, False)


@layer
class Amax(_FromBoth):
    """The largest value over ``dim``, one dimension or a list, as ``torch.amax``; see ``Mean``."""

    dim = argument(_DIM)
    keepdim = argument(BOOLEAN, False)


@layer
class Norm(_FromBoth):
    """The norm ``sum(|x| ** ord) ** (1 / ord)`` over ``dim``, one dimension or a list, as ``torch.linalg.vector_norm``.

    ``ord: 2`` is the Euclidean length, ``ord: 1`` the sum of magnitudes, and ``ord: 0`` the number of values that are
    not 0. See ``Mean`` for ``dim`` and ``keepdim``.
    """

    ord = argument(NUMBER, 2.0)
    dim = argument(_DIM, None)
    keepdim = argument(BOOLEAN, False)
