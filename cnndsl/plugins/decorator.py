"""``@cnndsl.layer`` adds a class to the layer table."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from cnndsl.layers import LAYERS
from cnndsl.layers.table import Argument, Arguments
from cnndsl.plugins.plugin_layer import OwnLayer, Rules
from cnndsl.plugins.signature import Infer, arguments_of
from cnndsl.spec.names import unusable

C = TypeVar("C", bound=type[Any])
#: Names that the emitted source uses itself.
_RESERVED = ("Tensor",)


@overload
def layer(cls: C, /) -> C: ...
@overload
def layer(
    *,
    shape: Callable[..., Any] | None = None,
    infer: Mapping[str, Infer] | None = None,
    macs: Callable[..., Any] | None = None,
    family: str = "own",
) -> Callable[[C], C]: ...
def layer(
    cls: Any = None,
    /,
    *,
    shape: Callable[..., Any] | None = None,
    infer: Mapping[str, Infer] | None = None,
    macs: Callable[..., Any] | None = None,
    family: str = "own",
) -> Any:
    """Makes a layer from an ``nn.Module`` class, which is returned unchanged; specs call the layer by its name.

    The layer's arguments are those of ``__init__``, with their annotations and defaults. ``shape(x)`` returns the
    output shape for an input shape, both starting with the batch, such as ``(N, C, H, W)``; without it, the
    module is run on torch's meta device. ``infer`` computes arguments from the shape of the input, as ``Conv2d``
    does its ``in_channels``. ``macs(x)`` returns the multiply-accumulates of the whole batch; without it, torch's
    flop counter does. Rules may also take the layer's arguments, by name. ``family`` groups layers and
    colours them in diagrams.

    >>> @cnndsl.layer(infer={"channels": lambda x: x[1]})
    ... class Gate(nn.Module):
    ...     def __init__(self, channels: int, bias: float = 0.0) -> None: ...

    Raises TypeError for a class that cannot be a layer, ValueError for a name that another layer has.
    """
    if cls is None:
        return lambda cls: _enter(cls, infer or {}, {"shape": shape, "macs": macs}, family)
    return _enter(cls, {}, {}, family)


def _enter(cls: Any, infer: Mapping[str, Infer], rules: Mapping[str, Any], family: str) -> Any:
    _check_class(cls)
    name, home = cls.__name__, cls.__module__
    arguments = arguments_of(cls, infer)
    given = {which: rule for which, rule in rules.items() if rule is not None}
    takes = {which: _takes(which, rule, cls, arguments) for which, rule in given.items()}
    _check_name(name, home)
    said = {"__doc__": cls.__doc__, "package": home, "family": family, "rules": Rules(cls, takes=takes, **given)}
    LAYERS[name] = type(name, (OwnLayer,), said)
    # Not as attributes of the class: an argument may be named `output`.
    LAYERS[name].arguments = Arguments(arguments)
    return cls


def _check_class(cls: Any) -> None:
    torch = sys.modules.get("torch")  # if it is not imported, nobody can have subclassed its class
    if not (isinstance(cls, type) and torch and issubclass(cls, torch.nn.Module)):
        shown = getattr(cls, "__name__", repr(cls))
        raise TypeError(f"`{shown}` is not a subclass of `nn.Module`, which `@cnndsl.layer` requires")
    if cls.__qualname__ != cls.__name__ or cls.__module__ not in sys.modules:
        raise TypeError(
            f"`{cls.__qualname__}` must be at the top level of a module, so that the emitted source can import it"
        )


def _check_name(name: str, home: str) -> None:
    reason = unusable(name) or ("means a tensor in the emitted source" if name in _RESERVED else "")
    if not (reason or name[0].isupper()):
        reason = "begins with a lowercase letter or `_`; layers are CamelCase"
    if reason:
        raise ValueError(f"`{name}` {reason}")
    other = LAYERS.get(name)
    # The same module may have been reloaded, or a notebook cell run twice.
    if other is not None and not (issubclass(other, OwnLayer) and other.package == home):
        whose = f"`{other.package}`" if other.package else "cnndsl" if other.defined_in else "torch"
        raise ValueError(f"`{name}` of `{home}` has the name of a layer of {whose}: rename it")


def _takes(which: str, rule: Any, cls: type[Any], arguments: Mapping[str, Argument[Any]]) -> tuple[str, ...]:
    """The names of the layer's arguments that a rule takes after the shape."""
    _, *rest = inspect.signature(rule).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in rest):
        return tuple(arguments)
    for parameter in rest:
        if parameter.name not in arguments and parameter.default is parameter.empty:
            message = (
                f"the {which} rule of `{cls.__name__}` takes `{parameter.name}`, which is not one of its arguments"
            )
            raise TypeError(f"{message}: {', '.join(arguments) or 'there are none'}")
    return tuple(parameter.name for parameter in rest if parameter.name in arguments)
