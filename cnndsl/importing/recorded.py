"""What a module did while it ran: its operations, class by class. Frozen, and without a tensor in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from cnndsl.diagnostics import Code
from cnndsl.record import Record


class Place(Record, frozen=True):
    """A line of somebody's Python file, with the bytes of it that an instruction covers, as ``co_positions`` counts
    them. ``end`` is 0 if these are not known."""

    file: str
    line: int
    start: int = 0
    end: int = 0


class Refusal(Record, frozen=True):
    """Something that a spec cannot say, at the line of Python that does it. ``path`` and ``kind`` are the module in
    which it happens and the name of its class. The message names the operation, and not the module: alike refusals at
    one line are told once."""

    code: Code
    message: str
    place: Place | None = None
    help: str = ""
    path: str = ""
    kind: str = ""


class TrainsOnly(Refusal, frozen=True):
    """A warning of something that happens in training only: the module ``module`` runs, or, if it is "", random numbers
    are drawn, so that what training gives cannot be compared."""

    module: str = ""


class Unspeakable(Exception):
    """A module cannot become a spec: all that a stage has found."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__("; ".join(refusal.message for refusal in self.refusals))


class Tensor(Record, frozen=True, eq=False):
    """A tensor that was seen, compared by identity. ``shape`` has the batch; ``name`` is the variable that held it,
    "" if none did."""

    shape: tuple[int, ...]
    name: str = ""


class Held(Record, frozen=True):
    """A parameter or buffer that a module holds itself. ``path`` is relative to the module whose operation takes it."""

    path: str
    shape: tuple[int, ...]
    is_parameter: bool


class Extent(Record, frozen=True):
    """``tensor.shape[dim]``, read while the module ran."""

    tensor: Tensor
    dim: int


class Arithmetic(Record, frozen=True):
    """An operator (``+ - * / // % neg``) or a function (``min max ceil floor round int float``) and its operands."""

    sign: str
    operands: tuple[Formula, ...]


Formula: TypeAlias = Extent | Arithmetic | int | float


class Number(Record, frozen=True):
    """A number that depends on sizes of tensors: its value in this run, and how it was computed."""

    value: int | float
    formula: Formula


class Operation(Record, frozen=True, eq=False):
    """One call in a module's ``forward``.

    ``target`` is "module" if it calls a module inside, whose path relative to this one is ``module``, and else the
    function's canonical name: "torch.cat", "torch.nn.functional.relu", "torch.Tensor.view", "operator.add",
    "torchvision.ops.stochastic_depth.stochastic_depth". Tensors among the arguments are :class:`Tensor`, sizes that
    were read :class:`Number`, own parameters :class:`Held`; tuples, lists and dicts of these are kept as they are,
    and so are tensors made on the way (``torch.zeros``) which no :class:`Tensor` stands for: these are :class:`Made`.
    ``training`` holds the arguments that differ in training mode, with their values there.
    """

    target: str
    module: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    results: Any
    place: Place
    training: Mapping[str | int, Any] = {}


class Made(Record, frozen=True, eq=False):
    """A tensor that comes from no input: a constant, or one computed from parameters. ``how`` is the name of the
    function that made it, which took ``arguments``: :class:`Held`, other :class:`Made`, :class:`Number`, plain values.
    """

    shape: tuple[int, ...]
    how: str
    place: Place
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = {}


class Use(Record, frozen=True, eq=False):
    """One run of a module's ``forward``. ``inputs`` are its tensors by the names of its arguments (``x``,
    ``features.0`` for tensors in a list), ``outputs`` what it returned: a :class:`Tensor`, or tuples, lists and dicts
    of them."""

    inputs: Mapping[str, Tensor]
    operations: tuple[Operation, ...]
    outputs: Any


class Traced(Record, frozen=True, eq=False):
    """A module with what it did. ``path`` is its first name in the whole network, "" for the network itself, and
    ``paths`` all its names. ``arguments`` are those that its ``__init__`` was given, with defaults, as far as they
    are known; ``children`` are the modules that it called, by the path relative to it. ``uses`` is empty if it is a
    layer (``is_leaf``) or never ran. ``training`` are its uses in training mode if these do other operations, and
    ``notes`` warn of what is left out for that reason."""

    path: str
    paths: tuple[str, ...]
    module: Any
    is_leaf: bool
    arguments: Mapping[str, Any]
    children: Mapping[str, Traced]
    uses: tuple[Use, ...]
    training: tuple[Use, ...] = ()
    notes: tuple[Refusal, ...] = ()

    @property
    def kind(self) -> str:
        """The name of its class."""
        return type(self.module).__name__
