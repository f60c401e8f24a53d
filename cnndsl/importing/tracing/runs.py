"""Two runs of a module side by side: in evaluation and in training mode, or at two sizes of the input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace

from cnndsl.importing.recorded import Formula, Made, Number, Operation, Place, Tensor, Use
from cnndsl.importing.tracing import numbers


class Unlike(Exception):
    """Two runs do not do the same operations. ``operation`` is the first one that is alone."""

    def __init__(self, operation: Operation | None = None) -> None:
        self.operation = operation
        super().__init__()


class _Differs(Exception):
    """Two arguments are not equal."""


def with_training(use: Use, other: Use) -> Use:
    """A use in evaluation mode, whose operations know the arguments that differ in the other, in training mode.
    Raises :class:`Unlike`."""

    def compared(one: Operation, two: Operation, pair: _Pair) -> Operation:
        differing: dict[str | int, Any] = {}
        theirs = _arguments(two)
        for key, value in _arguments(one).items():
            try:
                pair.merged(value, theirs[key], _differs)
            except _Differs:
                differing[key] = theirs[key]
        return replace(one, training=differing) if differing else one

    return _paired(use, other, compared)


def with_sizes(use: Use, other: Use, lost: Sequence[tuple[Number, Number]], tell: Callable[[Any, Place], None]) -> Use:
    """A use whose numbers are formulas if they are others at another size of the input. ``lost`` are the numbers, in
    the two runs, of which Python made plain ones: an argument that is equal to one of them in both runs is that.
    Others are told. Raises :class:`Unlike`."""
    formulas = {(one.value, two.value): one.formula for one, two in lost}

    def compared(one: Operation, two: Operation, pair: _Pair) -> Operation:
        def found(a: Any, b: Any) -> Any:
            if isinstance(a, Number) and isinstance(b, Number):
                if not pair.agrees(a.formula, b.value):
                    tell(a.value, one.place)
                return a
            if not _is_number(a) or not _is_number(b):
                raise Unlike(one)
            if (a, b) in formulas:
                return Number(a, formulas[a, b])
            tell(a, one.place)
            return a

        arguments = pair.merged(one.arguments, two.arguments, found)
        keywords = pair.merged(dict(one.keywords), dict(two.keywords), found)
        if arguments == one.arguments and keywords == one.keywords:
            return one
        return replace(one, arguments=arguments, keywords=keywords)

    return _paired(use, other, compared)


def check_path(use: Use, other: Use) -> None:
    """Raises :class:`Unlike` if two uses differ in more than numbers."""

    def compared(one: Operation, two: Operation, pair: _Pair) -> Operation:
        pair.merged(one.arguments, two.arguments, lambda a, b: a)
        pair.merged(dict(one.keywords), dict(two.keywords), lambda a, b: a)
        return one

    _paired(use, other, compared)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _differs(a: Any, b: Any) -> Any:
    raise _Differs


def _arguments(operation: Operation) -> dict[str | int, Any]:
    found: dict[str | int, Any] = dict(enumerate(operation.arguments))
    found.update(operation.keywords.items())
    return found


def _paired(use: Use, other: Use, compared: Callable[[Operation, Operation, _Pair], Operation]) -> Use:
    pair = _Pair()
    operations = []
    for one, two in zip(use.operations, other.operations):
        if (one.target, one.module, [*_arguments(one)]) != (two.target, two.module, [*_arguments(two)]):
            raise Unlike(two)
        try:
            operations.append(compared(one, two, pair))
            pair.merged(one.results, two.results, _differs)
        except (Unlike, _Differs) as unlike:
            raise Unlike(two) from unlike
    if len(use.operations) != len(other.operations):
        longer = max(use.operations, other.operations, key=len)
        raise Unlike(longer[len(operations)])
    try:
        pair.merged(use.outputs, other.outputs, lambda a, b: a if _is_number(a) else _differs(a, b))
    except _Differs as differs:
        raise Unlike from differs
    return replace(use, operations=tuple(operations))


class _Pair:
    """Which tensor of the one run is which of the other."""

    def __init__(self) -> None:
        self._same: dict[Tensor, Tensor] = {}
        self._constants: dict[Made, Made] = {}

    def merged(self, a: Any, b: Any, unequal: Callable[[Any, Any], Any]) -> Any:
        """The first of two values, with what ``unequal`` says in place of parts that differ. Raises Unlike for
        tensors that are not the same."""
        match a, b:
            case Tensor(), Tensor():
                if self._same.setdefault(a, b) is not b:
                    raise Unlike
                return a
            case Made(), Made():
                return self._made(a, b, unequal) if a.how == b.how else unequal(a, b)
            case Number(), Number():
                return a if a.value == b.value else unequal(a, b)
            case Number(), int() | float():
                return a if a.value == b else unequal(a, b)
            case slice(), slice():
                return slice(*(self.merged(getattr(a, x), getattr(b, x), unequal) for x in ("start", "stop", "step")))
            case (tuple(), tuple()) | (list(), list()) if len(a) == len(b):
                return type(a)(self.merged(x, y, unequal) for x, y in zip(a, b))
            case dict(), dict() if [*a] == [*b]:
                return {key: self.merged(a[key], b[key], unequal) for key in a}
            case (Tensor(), _) | (_, Tensor()):
                raise Unlike
        return a if _equal(a, b) else unequal(a, b)

    def agrees(self, formula: Formula, value: int | float) -> bool:
        """Whether a formula has this value in the other run, as far as its tensors are known there."""
        try:
            return numbers.evaluated(formula, lambda extent: self._same[extent.tensor].shape[extent.dim]) == value
        except KeyError:
            return True

    def _made(self, a: Made, b: Made, unequal: Callable[[Any, Any], Any]) -> Made:
        if a not in self._constants:
            arguments = self.merged(a.arguments, b.arguments, unequal)
            keywords = self.merged(dict(a.keywords), dict(b.keywords), unequal)
            same = arguments == a.arguments and keywords == a.keywords
            self._constants[a] = a if same else replace(a, arguments=arguments, keywords=keywords)
        return self._constants[a]


def _equal(a: Any, b: Any) -> bool:
    """Whatever the values are: arrays have no truth."""
    try:
        return a is b or (type(a) is type(b) and bool(a == b))
    except Exception:
        return False
