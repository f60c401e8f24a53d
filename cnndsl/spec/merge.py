"""Combines trees: ``extends``, ``use``, and settings from the command line."""

from __future__ import annotations

from itertools import chain
from numbers import Integral, Real

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.source import Source, Span
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, read

#: Sections that null removes, and those whose single lines it removes.
_OPTIONAL = ("description", "outputs", "init", "expect", "rename", "train")
_BY_LINE = ("init", "rename", "train")
_BLOCKS = "blocks"
#: Sections whose values may be calls, ``{SGD: {lr: 0.1}}``.
_CALLING = ("train", "params")


def merged(base: Mapping, over: Mapping, section: str = "") -> Mapping:
    """``over`` on top of ``base``: mappings merge key by key, everything else replaces.

    A block is identified by its name, whatever its parameters are, and its definition replaces another. In ``train``
    and ``params`` a call, ``{SGD: {lr: 0.1}}``, is replaced by a call with another name: a network has one optimizer.
    """
    new: dict[str, list[tuple[Scalar, Tree]]] = {}
    for key, value in over.entries:
        new.setdefault(defined_name(key), []).append((key, value))
    entries: list[tuple[Scalar, Tree]] = []
    for key, value in base.entries:
        found = new.pop(defined_name(key), None)
        entries += [(k, _over(value, v, section, str(k.value))) for k, v in found] if found else [(key, value)]
    return Mapping((*entries, *chain.from_iterable(new.values())), over.span)


def _over(base: Tree, over: Tree, section: str, key: str) -> Tree:
    if not isinstance(base, Mapping) or not isinstance(over, Mapping) or section == _BLOCKS:
        return over
    section = section or key
    calls = section in _CALLING and _called(base) and _called(over)
    return over if calls and _called(base) != _called(over) else merged(base, over, section)


def defined_name(key: Scalar) -> str:
    """The name that a key defines: ``Block(a, b)`` defines ``Block``."""
    return str(key.value).partition("(")[0].rstrip()


def _called(tree: Mapping) -> str:
    """The name of the call, if a mapping is one call, or else ""."""
    name = str(tree.entries[0][0].value) if len(tree.entries) == 1 else ""
    return name if name[:1].isupper() else ""


def without(tree: Mapping, *keys: str) -> Mapping:
    return Mapping(tuple((key, value) for key, value in tree.entries if key.value not in keys), tree.span)


def cleared(tree: Mapping) -> Mapping:
    """A spec without its null sections, and null lines of sections: null removes what is inherited. Required sections
    are kept."""
    entries = ((key, _without_nulls(value) if key.value in _BY_LINE else value) for key, value in tree.entries)
    return Mapping(tuple((k, v) for k, v in entries if not (k.value in _OPTIONAL and _is_null(v))), tree.span)


def _without_nulls(tree: Tree) -> Tree:
    if not isinstance(tree, Mapping):
        return tree
    return Mapping(tuple((key, value) for key, value in tree.entries if not _is_null(value)), tree.span)


def _is_null(tree: Tree) -> bool:
    return isinstance(tree, Scalar) and tree.value is None


def with_entry(tree: Mapping, key: Scalar, value: Tree) -> Mapping:
    """The mapping with one entry replaced, or added at its end."""
    entries = {str(k.value): (k, v) for k, v in tree.entries}
    entries[str(key.value)] = key, value
    return Mapping(tuple(entries.values()), tree.span)


def read_setting(text: str, option: str) -> tuple[str, Tree]:
    """Parses ``a.b=value`` as given to ``option``. Returns the path, and the value read as YAML.

    Raises :class:`Unreadable` for other text.
    """
    name, equals, value = text.partition("=")
    source = Source(f"{option} {shorten(name)}", value, is_option=True)
    if not equals or not name:
        message = f"`{option} {shorten(text)}` is not of the form name=value"
        raise Unreadable(Diagnostic(Code.PARAM, message, Span(source, 0, 0), f"{option} name=value"))
    if not value:
        return name, Scalar("", Span(source, 0, 0))
    tree, faults = read(source)
    if faults:
        raise Unreadable(faults[0])
    return name, tree


def from_python(name: str, value: object) -> tuple[str, Tree]:
    """A parameter with its value from Python; see :func:`written`."""
    tree, faults = read(_argument(name, written(name, value)))
    if faults:
        raise Unreadable(faults[0])
    return name, tree


def written(name: str, value: object) -> str:
    """The value of ``name`` from Python as a spec writes it: numbers, also those of NumPy, strings, None, lists and
    mappings of these.

    Raises :class:`Unreadable` for anything else.
    """
    import json  # here, because few values come from Python

    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, check_circular=False, default=_number)
    except TypeError as error:
        reason = str(error)
    except ValueError:
        reason = "a number is not finite, or far beyond 2^53"
    except RecursionError:
        reason = "it contains itself, or is nested too deep"
    message = f"`{shorten(name)}` cannot be a value of a spec: {reason}"
    help = "use finite numbers, strings, booleans, None and lists of these"
    raise Unreadable(Diagnostic(Code.TYPE, message, Span(_argument(name, ""), 0, 0), help))


def _argument(name: str, text: str) -> Source:
    return Source(f"argument {shorten(name)}", text, is_option=True)


def _number(value: object) -> int | float:
    """A number that is not of Python's own types."""
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not a type that specs have")


def override(tree: Tree, path: list[str], value: Tree) -> Tree:
    """``tree`` with the value at ``path`` replaced: keys, and positions from 0 in lists.

    `*` is the one call in a place, whatever its name. Missing keys are added to
    mappings; anything else raises KeyError with a reason.
    """
    if not path:
        return value
    first, *rest = path
    if first == "*":
        return _override_call(tree, rest, value)
    if isinstance(tree, Listing):
        if not (first.isdecimal() and first.isascii() and len(first) < 7 and int(first) < len(tree.items)):
            raise KeyError(
                f"there is no position `{shorten(first)}` in a list of {len(tree.items)}; positions begin at 0"
            )
        index = int(first)
        items = (*tree.items[:index], override(tree.items[index], rest, value), *tree.items[index + 1 :])
        return Listing(items, tree.span)
    if isinstance(tree, Mapping):
        key = next((key for key, _ in tree.entries if first in (key.value, defined_name(key))), None)
        inner = tree.by_key[str(key.value)] if key else Mapping((), value.span)
        return with_entry(tree, key or Scalar(first, value.span), override(inner, rest, value))
    raise KeyError(f"there is nothing to set `{shorten(first)}` in")


def _override_call(tree: Tree, path: list[str], value: Tree) -> Tree:
    """A call, ``SGD`` or ``{SGD: {lr: 0.1}}``, with an argument replaced."""
    if isinstance(tree, Scalar) and isinstance(tree.value, str):
        return Mapping(((tree, override(Mapping((), value.span), path, value)),), tree.span)
    if not isinstance(tree, Mapping) or len(tree.entries) != 1:
        raise KeyError("there is no call that `*` matches")
    ((key, arguments),) = tree.entries
    if isinstance(arguments, Scalar) and arguments.value is None:
        arguments = Mapping((), value.span)
    return with_entry(tree, key, override(arguments, path, value))


def set_params(tree: Mapping, given: dict[str, Tree]) -> tuple[Mapping, list[Diagnostic]]:
    """The document with the defaults of its parameters replaced by the given values."""
    params = tree.get("params")
    if not isinstance(params, Mapping):
        params = Mapping((), tree.span)
    faults = []
    for name, value in given.items():
        if name in params.keys:
            params = with_entry(params, params.keys[name], value)
            continue
        listed = ", ".join(f"`{shorten(key)}`" for key in params.keys)
        there = f"there are {listed}" if listed else "it has no `params`"
        help = " ".join(filter(None, (did_you_mean(name, params.keys), there)))
        faults.append(Diagnostic(Code.PARAM, f"the spec has no parameter `{shorten(name)}`", value.span, help))
    return (with_entry(tree, tree.keys["params"], params) if params.entries else tree), faults
