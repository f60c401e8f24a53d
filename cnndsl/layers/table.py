"""The layer table: the base class of every entry, and the registry that holds them.

An entry is a class named as in ``torch.nn``. Its attributes are torch's arguments in torch's order;
its methods are the shape and cost rules. It holds everything to be known about a layer: the
JSON Schema, the argument checks, the docs page and the emitters all read this table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, cast, overload

from cnndsl.layers.kinds import EARLIER, MAX_NUMBER, MAX_SIZE, Kind
from cnndsl.layers.shape import Refused, Shape
from cnndsl.layers.windows import Windows
from cnndsl.printable import as_written

if TYPE_CHECKING:
    from cnndsl.layers.parametrizations import Parametrized

T = TypeVar("T")
REQUIRED: Any = type("Required", (), {"__repr__": lambda self: "required"})()


class Argument(Generic[T]):
    """One argument of a layer: its name, its kind, and its default or how it is inferred from the input.

    If an inferred argument is written, it must be the inferred value, or one that ``fits`` allows.
    """

    def __init__(
        self,
        kind: Kind[T],
        default: T,
        infer: Callable[[Any, Shape], T] | None = None,
        fits: Callable[[T, Shape], bool] | None = None,
        keyword: bool = False,
        name: str = "",
    ) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.infer = infer
        self.fits = fits
        self.keyword = keyword

    def __set_name__(self, owner: type[object], name: str) -> None:
        self.name = self.name or name

    @overload
    def __get__(self, layer: None, owner: type[Layer]) -> Argument[T]: ...
    @overload
    def __get__(self, layer: Layer, owner: type[Layer]) -> T: ...
    def __get__(self, layer: Layer | None, owner: type[Layer]) -> Argument[T] | T:
        return self if layer is None else cast(T, layer.values[self.name])

    @property
    def required(self) -> bool:
        return self.default is REQUIRED and self.infer is None

    def check(self, value: object, dims: int) -> None:
        """Raises :class:`Refused` for a value that is not of the argument's kind."""
        if not self.kind.accepts(value, dims):
            message = f"`{self.name}` expects {self.kind.expects(dims)}, got {_cut(as_written(value))}"
            raise Refused(message, self.name, _too_large(value))

    def agree(self, value: T, told: T, x: Shape) -> T:
        """The written ``value`` if it agrees with ``told``, inferred from the input ``x``, else :class:`Refused`."""
        if value == told or (self.fits and self.fits(value, x)):
            return value
        raise Refused(
            f"`{self.name}` is {as_written(value)}, but the input {x} makes it {as_written(told)}",
            self.name,
            f"write `{as_written(told)}`, or leave `{self.name}` out: it is inferred",
        )


class Arguments(dict[str, Argument[Any]]):
    """Arguments by name, in torch's order."""

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The defaults of all but the inferred ones."""
        return {name: argument.default for name, argument in self.items() if argument.infer is None}

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Those that must be written."""
        return tuple(name for name, argument in self.items() if argument.required)

    @cached_property
    def inferred(self) -> dict[str, Argument[Any]]:
        """Those that follow from the input."""
        return {name: argument for name, argument in self.items() if argument.infer is not None}


def argument(kind: Kind[T], default: T = REQUIRED, *, keyword: bool = False, name: str = "") -> Argument[T]:
    """An argument that must be written unless it has a default; ``keyword``: only by name.

    Its name is that of the attribute that holds it, unless ``name`` is given.
    """
    return Argument(kind, default, keyword=keyword, name=name)


def inferred(
    kind: Kind[T], infer: Callable[[Any, Shape], T], *, fits: Callable[[T, Shape], bool] | None = None
) -> Argument[T]:
    """An argument that ``infer(layer class, input shape)`` returns. If it is written, it must be equal, or
    ``fits(value, input shape)`` must hold."""
    return Argument(kind, REQUIRED, infer, fits)


def take(name: str, arguments: Arguments, given: Mapping[str, Any], dims: int = 0) -> dict[str, Any]:
    """``given``, checked and in torch's types, with defaults; inferred arguments are included only if written.

    ``name`` is the layer or function that they are arguments of. Raises :class:`Refused`.
    """
    for key, value in given.items():
        if key not in arguments:
            raise Refused(f"`{name}` has no argument `{key}`", key, f"`{name}({signature(arguments)})`")
        arguments[key].check(value, dims)
    missing = [key for key in arguments.required if key not in given]
    if missing:
        needs = " and ".join(f"`{key}`" for key in missing)
        raise Refused(f"`{name}` needs {needs}", None, f"`{name}({signature(arguments)})`")
    return arguments.defaults | {key: arguments[key].kind.convert(value, dims) for key, value in given.items()}


def signature(arguments: Mapping[str, Argument[Any]]) -> str:
    """The arguments as Python would write them, inferred ones left out."""
    written = [arg for arg in arguments.values() if arg.infer is None]
    words = [arg.name if arg.required else f"{arg.name}={arg.default!r}" for arg in written]
    first_keyword = next((index for index, arg in enumerate(written) if arg.keyword), None)
    if first_keyword is not None:
        words.insert(first_keyword, "*")
    return ", ".join(words)


class Saved(NamedTuple):
    """What a layer keeps for its backward pass, besides its parameters: its ``input``, its ``output``, a number of
    other ``values`` in the type of the activations, and a number of ``indices`` in int64.
    """

    input: bool = False
    output: bool = False
    values: int = 0
    indices: int = 0


NOTHING, INPUT, OUTPUT = Saved(), Saved(input=True), Saved(output=True)


class Layer:
    """A layer with all its arguments, inferred ones too. Frozen.

    Subclasses override the rules. Sizes are integers, shapes start with the batch, and a rule
    that is violated raises :class:`Refused` with the argument at fault.
    """

    #: The purpose of the layer; also decides its colour in diagrams.
    family: ClassVar[str]
    #: What a spec calls it: the name of the class, unless it is another form of a layer.
    word: ClassVar[str]
    #: Spatial axes: 2 for ``Conv2d``. None if the layer takes any number.
    dims: ClassVar[int | None] = None
    #: How many dimensions its input may have, batch included. Empty: ``dims`` plus two, or any.
    ranks: ClassVar[range | tuple[int, ...]] = ()
    #: The Python module that defines it, if not ``torch.nn``.
    package: ClassVar[str] = ""
    #: The module of ``cnndsl.layers.definitions`` that has its class, if neither torch nor torchvision has it. The
    #: class is copied into the emitted source.
    defined_in: ClassVar[str] = ""
    #: The expression that Python source calls to build it, and the import that this needs besides ``torch``.
    constructor: ClassVar[str]
    imports: ClassVar[str]
    #: The dimension of the weight that belongs to the outputs.
    outputs_dim: ClassVar[int] = 0
    #: Whether the output may share the input's memory, in training or in evaluation.
    shares_memory: ClassVar[bool] = False
    #: Whether it normalizes with the mean and the variance of the batch, drops values at random, or turns scores into
    #: probabilities or their logarithms. Checks of whole networks need to know.
    normalizes_batch: ClassVar[bool] = False
    drops_values: ClassVar[bool] = False
    gives_probabilities: ClassVar[bool] = False
    #: The name of an unnamed child, without its count: ``conv`` for ``conv1``, ``conv2``.
    short_name: ClassVar[str]
    #: Arguments by name, in torch's order.
    arguments: ClassVar[Arguments] = Arguments()
    #: The arguments that name earlier steps: it reads the shapes of their tensors when it runs.
    reads: ClassVar[tuple[str, ...]] = ()
    #: Arguments and an input shape for the example in the docs and for tests.
    example: ClassVar[Mapping[str, Any]] = {}
    example_input: ClassVar[tuple[int, ...]] = (1, 8, 32, 32)

    #: The arguments that are attributes, under their names.
    _attributes: ClassVar[tuple[str, ...]] = ()

    values: Mapping[str, Any]
    #: What computes the weight, if it is not a parameter itself.
    parametrization: Parametrized | None = None

    def __init_subclass__(cls) -> None:
        name = cls.__name__
        own = {value.name: value for value in vars(cls).values() if isinstance(value, Argument)}
        cls.arguments = Arguments({**cls.arguments, **own})
        cls._attributes = tuple(name for name in cls.arguments if isinstance(getattr(cls, name, None), Argument))
        cls.reads = tuple(name for name, argument in cls.arguments.items() if EARLIER in argument.kind.parts())
        cls.word = vars(cls).get("word", name)
        cls.constructor = name if cls.package or cls.defined_in else f"nn.{name}"
        cls.imports = f"from {cls.package} import {name}" if cls.package else ""
        if not (hasattr(cls, "short_name") or name.startswith("_")):
            cls.short_name = re.sub(r"\d+d?$", "", name).lower()
        if "dims" in vars(cls) and "example_input" not in vars(cls):
            cls.example_input = {1: (1, 8, 32), 2: (1, 8, 32, 32), 3: (1, 8, 16, 32, 32)}[cls.dims or 2]

    def __init__(self, **values: Any) -> None:
        attributes = self.__dict__
        attributes["values"] = values
        for name in self._attributes:  # an attribute of the object is found before that of its class, the argument
            if name in values:
                attributes[name] = values[name]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __repr__(self) -> str:
        call = f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.values.items())})"
        return f"{call} with {self.parametrization}" if self.parametrization else call

    @classmethod
    def bind(cls, given: Mapping[str, Any], x: Shape) -> Layer:
        """The layer with ``given`` arguments, checked, on an input of shape ``x``.

        Raises :class:`Refused` for an unknown argument, a wrong value, a missing argument, and a written value
        that differs from the inferred one.
        """
        values = take(cls.word, cls.arguments, given, cls.dims or 0)
        x = cls.admit(x)
        for name, arg in cls.arguments.inferred.items():
            assert arg.infer is not None
            told = arg.infer(cls, x)
            values[name] = arg.agree(values[name], told, x) if name in given else told
        return cls(**{name: values[name] for name in cls.arguments})

    @classmethod
    def admit(cls, x: Shape) -> Shape:
        """``x`` if the layer works on its number of dimensions, else :class:`Refused`."""
        if x.rank not in cls._ranks():
            raise Refused(f"`{cls.word}` works on {_layouts(cls._ranks())}, but its input is {x}", None, _mend(cls, x))
        return x

    @classmethod
    def _ranks(cls) -> range | tuple[int, ...]:
        return cls.ranks or ((cls.dims + 2,) if cls.dims else range(2, 64))

    @classmethod
    def signature(cls) -> str:
        """The arguments as Python would write them, inferred ones left out."""
        return signature(cls.arguments)

    @classmethod
    def positional(cls) -> tuple[str, ...]:
        """The names that a list of arguments fills, in torch's order: all but the inferred ones."""
        return tuple(name for name, arg in cls.arguments.items() if arg.infer is None and not arg.keyword)

    @classmethod
    def infers(cls, name: str | None) -> bool:
        """Whether an argument of this name follows from the input."""
        return name in cls.arguments.inferred

    @classmethod
    def takes_list(cls) -> bool:
        """Whether a list is the layer's single argument, as in ``Reshape: [1, 28, 28]``, instead of several."""
        names = cls.positional()
        return len(names) == 1 and "array" in cls.arguments[names[0]].kind.schema(cls.dims or 0)["type"]

    @classmethod
    def documentation(cls) -> str:
        from inspect import cleandoc  # here, because it takes longer to import than the whole table

        return cleandoc(cls.__doc__ or "")

    def axes(self, value: int | tuple[int, ...]) -> tuple[int, ...]:
        """``value`` once for each spatial axis."""
        return value if isinstance(value, tuple) else (value,) * (self.dims or 0)

    def each(self, name: str) -> tuple[str, ...]:
        """How arithmetic names an argument for each spatial axis: ``output_size``, or ``output_size[0]`` and so on."""
        listed = isinstance(self.values[name], tuple)
        return tuple(f"{name}[{axis}]" if listed else name for axis in range(self.dims or 0))

    def output(self, x: Shape) -> Shape:
        """The output shape for an input of shape ``x``."""
        return x

    def arithmetic(self, x: Shape, out: Shape) -> dict[int, str]:
        """How the sizes of the output follow from an input of shape ``x``, dimension by dimension, as Python would
        calculate them: ``floor((224 + 2*3 - 1*(7 - 1) - 1) / 2) + 1``. The names are those of arguments,
        ``out_channels``, and ``input.height`` and the like. A dimension that is left out keeps its size.
        """
        return {}

    def result(self, x: Shape, *read: Shape) -> Shape:
        """The output shape for an input of shape ``x`` and tensors of the shapes ``read``, which it reads besides."""
        return self.output(x)

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of its constructor: all but the names of tensors."""
        return {name: value for name, value in self.values.items() if name not in self.reads}

    def parameters(self) -> dict[str, tuple[int, ...]]:
        """Learned tensors, in the order of torch's ``named_parameters()``."""
        return {}

    def buffers(self) -> dict[str, tuple[int, ...]]:
        """Tensors of the ``state_dict`` that are not learned."""
        return {}

    def parametrized(self, by: Parametrized) -> Layer:
        """The same layer with its weight computed ``by`` a parametrization. Raises :class:`Refused`."""
        if "weight" not in self.parameters():
            name = type(self).__name__
            raise Refused(f"this `{name}` has no weight to parametrize", None, "remove `parametrization`")
        by.tensors(self)
        return self._copied(by)

    def _copied(self, by: Parametrized | None, **values: Any) -> Layer:
        layer = type(self)(**{**self.values, **values})
        object.__setattr__(layer, "parametrization", by)
        return layer

    def named_parameters(self) -> dict[str, tuple[int, ...]]:
        """:meth:`parameters` by their names in the ``state_dict``, those of the parametrization in place of the
        weight."""
        found = self.parameters()
        if self.parametrization is None:
            return found
        del found["weight"]
        return found | self.parametrization.tensors(self)[0]

    def named_buffers(self) -> dict[str, tuple[int, ...]]:
        """:meth:`buffers`, and those of the parametrization."""
        return self.buffers() | (self.parametrization.tensors(self)[1] if self.parametrization else {})

    def padded(self, x: Shape) -> tuple[int, ...]:
        """The shape of the padded input, if torch makes such a tensor; else empty."""
        return ()

    def macs(self, x: Shape, out: Shape) -> int:
        """Multiply-accumulates of one forward pass over the whole batch, without the bias."""
        return 0

    def works_in_place(self) -> bool:
        """Whether it overwrites its input with its output."""
        return bool(self.values.get("inplace"))

    def reads_output(self) -> bool:
        """Whether its backward pass reads its output, which must not be overwritten until then."""
        return False

    def irreversible(self) -> str:
        """Why it has no backward pass when it works in place, "" if it has one."""
        return ""

    def out_of_place(self) -> Layer:
        """The same layer, but not in place."""
        return self._copied(self.parametrization, inplace=False)

    def is_view(self, training: bool) -> bool:
        """Whether its output is a view of its input, or the input itself, and takes no memory."""
        return False

    def saves(self, x: Shape, out: Shape) -> Saved:
        """What torch, on a CPU, keeps for the backward pass of a forward pass in training."""
        return NOTHING

    def scratch(self, x: Shape, out: Shape) -> int:
        """How many values torch, on a CPU, makes besides the output and drops when it has run: by default what it would
        save for a backward pass."""
        return self.saves(x, out).values

    def windows(self, x: Shape, out: Shape) -> Mapping[int, Windows] | None:
        """For dimensions of its input, which positions each position of its output reads. A dimension that is left out
        is read position by position. None if that is not known."""
        return {}

    def arrangement(self, x: Shape, out: Shape) -> tuple[tuple[int, ...], ...]:
        """For each dimension of its output, the dimensions of its input that run along it."""
        return tuple([(dim,) for dim in range(out.rank)])

    def unseen(self, x: Shape, out: Shape) -> tuple[int, ...]:
        """For each spatial axis, how many values at its end no window reaches; empty if there are no windows."""
        return ()


LAYERS: dict[str, type[Layer]] = {}
L = TypeVar("L", bound=Layer)


def layer(cls: type[L]) -> type[L]:
    """Adds a layer to the table."""
    if cls.__name__ in LAYERS:
        raise ValueError(f"layer {cls.__name__} is already in the table")
    LAYERS[cls.__name__] = cls
    return cls


def _too_large(value: object) -> str:
    """Help for a value that is out of range only because it is too large."""
    items = value if isinstance(value, tuple) else (value,)
    numbers = [abs(item) for item in items if isinstance(item, (int, float))]
    if any(number > MAX_NUMBER for number in numbers):
        return "the largest number of float32 is about 3.4e38"
    return f"the largest size is {MAX_SIZE}" if any(number > MAX_SIZE for number in numbers) else ""


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"


_LAYOUTS = {2: "[N, C]", 3: "[N, C, L]", 4: "[N, C, H, W]", 5: "[N, C, D, H, W]"}


def _layouts(ranks: range | tuple[int, ...]) -> str:
    """The layouts of tensors with these numbers of dimensions, in words."""
    named = [layout for rank, layout in _LAYOUTS.items() if rank in ranks]
    if 6 not in ranks:
        return " or ".join(named)
    return f"tensors with at least {min(ranks)} dimensions, batch included"


def _mend(cls: type[Layer], x: Shape) -> str:
    """Help for a tensor with the wrong number of dimensions."""
    sibling = re.sub(r"[123]d$", f"{max(x.rank - 2, 1)}d", cls.__name__)
    if sibling in LAYERS and x.rank in LAYERS[sibling]._ranks():
        image = "; an image has its channels first, such as [1, 32, 32]" if (cls.dims, x.rank) == (2, 3) else ""
        return f"`{sibling}` works on it{image}"
    return "move it before `Flatten`, or restore the axes with `Unflatten`" if x.rank == 2 else ""
