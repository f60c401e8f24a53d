"""Reads the arguments of a layer from the ``__init__`` of its class: names, annotations, defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cnndsl.layers.kinds import ANYTHING, BOOLEAN, INTEGER, NULL, NUMBER, TEXT, Choice, Kind, Listing
from cnndsl.layers.shape import Refused, Shape
from cnndsl.layers.table import REQUIRED, Argument
from cnndsl.printable import as_written

#: Computes an argument from the shape of the input, which starts with the batch.
Infer = Callable[[Shape], Any]

_PLAIN: Mapping[Any, Kind[Any]] = {
    inspect.Parameter.empty: ANYTHING,
    Any: ANYTHING,
    object: ANYTHING,
    bool: BOOLEAN,
    int: INTEGER,
    float: NUMBER,
    str: TEXT,
    None: NULL,
    NoneType: NULL,
    list: Listing(ANYTHING, minimum=0),
    tuple: Listing(ANYTHING, minimum=0),
}


def arguments_of(cls: type[Any], infer: Mapping[str, Infer]) -> dict[str, Argument[Any]]:
    """The arguments that a spec may write, in order; those in ``infer`` are inferred from the input.

    An argument whose default or annotation no spec can express keeps its default. Raises TypeError if such an
    argument has no default, and for a name in ``infer`` that ``__init__`` does not take.
    """
    found: dict[str, Argument[Any]] = {}
    parameters = _parameters(cls)
    for name in infer:
        if name not in parameters:
            raise TypeError(f"`infer` has `{name}`, but `{cls.__name__}({', '.join(parameters)})` does not take it")
    for name, parameter in parameters.items():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"the argument `{name}` of `{cls.__name__}` is positional-only: remove the `/`")
        kind, keyword = kind_of(parameter.annotation), parameter.kind is parameter.KEYWORD_ONLY
        if name in infer:
            made = Argument(kind or ANYTHING, REQUIRED, _told(name, kind or ANYTHING, infer[name]), keyword=keyword)
        elif parameter.default is parameter.empty:
            if kind is None:
                said = inspect.formatannotation(parameter.annotation)
                raise TypeError(
                    f"the argument `{name}` of `{cls.__name__}` is a `{said}`, not a value of specs: give it a default"
                )
            made = Argument(kind, REQUIRED, keyword=keyword)
        else:
            default = _plain(parameter.default)
            if kind is None or not ANYTHING.accepts(default, 0):
                continue
            made = Argument(kind, default, keyword=keyword)
        made.name = name
        found[name] = made
    return found


def _parameters(cls: type[Any]) -> dict[str, inspect.Parameter]:
    """The parameters except ``*args`` and ``**kwargs``."""
    try:
        signature = inspect.signature(cls, eval_str=True)
    except Exception:  # annotations for type checkers only, whose names do not exist at run time
        signature = inspect.signature(cls)
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: parameter for name, parameter in signature.parameters.items() if parameter.kind not in several}


def _plain(value: Any) -> Any:
    """A default as a spec's value: lists are tuples."""
    return tuple(map(_plain, value)) if isinstance(value, (list, tuple)) else value


def _told(name: str, kind: Kind[Any], rule: Infer) -> Callable[[Any, Shape], Any]:
    def told(layer: type[Any], x: Shape) -> Any:
        try:
            value = _plain(rule(x))
        except Exception as error:
            raise Refused(f"`{name}` cannot be inferred from {x}: {said(error)}") from error
        if not kind.accepts(value, 0):
            raise Refused(f"`{name}` expects {kind.expects(0)}, but is inferred as {as_written(value)} from {x}")
        return value

    return told


def said(error: BaseException) -> str:
    """An exception of a user's code on one line. ValueErrors are messages for people, others need their type."""
    text = " ".join(str(error).split())
    text = text if len(text) <= 300 else f"{text[:300]}…"
    if isinstance(error, ValueError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


# --- annotations ---------------------------------------------------------------------------------


def kind_of(annotation: Any) -> Kind[Any] | None:
    """The values that an annotation allows, None if no spec can write any of them. An annotation that could not be
    evaluated allows all."""
    if isinstance(annotation, str):
        return ANYTHING
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is None:
        try:
            return _PLAIN.get(annotation)
        except TypeError:  # not hashable
            return None
    if origin is Annotated:
        return kind_of(inner[0])
    if origin in (Union, UnionType):
        return _any_of([kind for kind in map(kind_of, inner) if kind is not None])
    if origin is Literal:
        texts = [value for value in inner if isinstance(value, str)]
        others = dict.fromkeys(type(value) for value in inner if not isinstance(value, str))
        return _any_of([*([Choice(*texts)] if texts else []), *filter(None, map(kind_of, others))])
    if origin in (list, tuple, Sequence, Iterable):
        return _listing(origin, inner)
    return None


def _listing(origin: Any, inner: tuple[Any, ...]) -> Kind[Any] | None:
    fixed = origin is tuple and Ellipsis not in inner
    each = dict.fromkeys(item for item in inner if item is not Ellipsis)
    item = kind_of(*each) if len(each) == 1 else ANYTHING
    if item is None:
        return None
    return Listing(item, len(inner), minimum=len(inner)) if fixed else Listing(item, minimum=0)


def _any_of(kinds: list[Kind[Any]]) -> Kind[Any] | None:
    """The union of several kinds. A schema has one type for all lists, so several kinds of them become any list."""
    if ANYTHING in kinds:
        return ANYTHING
    lists = [kind for kind in kinds if isinstance(kind, Listing)]
    if len(lists) > 1:
        kinds = [*(kind for kind in kinds if kind not in lists), Listing(ANYTHING, minimum=0)]
    return reduce(or_, kinds) if kinds else None
