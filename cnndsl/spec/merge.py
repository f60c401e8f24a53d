"""Trees combined: ``extends``, ``use``, and what the command line sets."""

from __future__ import annotations

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.source import Source, Span
from cnndsl.spec.tree import Listing, Mapping, Scalar, Tree, Unreadable, read


def merged(base: Tree, over: Tree) -> Tree:
    """``over`` on top of ``base``: mappings merge key by key, everything else replaces.

    A call, a mapping whose one key is CamelCase such as ``{SGD: {lr: 0.1}}``, is replaced by a call
    of another name: a network has one optimizer.
    """
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    if _called(base) and _called(over) and _called(base) != _called(over):
        return over
    entries = {name: (key, value) for name, key, value in _entries(base)}
    for name, key, value in _entries(over):
        entries[name] = (key, merged(entries[name][1], value) if name in entries else value)
    return Mapping(tuple(entries.values()), over.span)


def _entries(tree: Mapping) -> list[tuple[str, Scalar, Tree]]:
    """Entries by what they define: ``Block(a, b)`` is the definition of ``Block``."""
    return [(str(key.value).partition("(")[0], key, value) for key, value in tree.entries]


def _called(tree: Mapping) -> str | None:
    name = str(tree.entries[0][0].value) if len(tree.entries) == 1 else ""
    return name if name[:1].isupper() and "(" not in name else None


def without(tree: Mapping, *keys: str) -> Mapping:
    return Mapping(tuple((key, value) for key, value in tree.entries if key.value not in keys), tree.span)


def with_entry(tree: Mapping, name: str, key: Scalar, value: Tree) -> Mapping:
    """The mapping with one entry replaced, or added at its end."""
    entries = {str(k.value): (k, v) for k, v in tree.entries}
    entries[name] = (entries[name][0] if name in entries else key, value)
    return Mapping(tuple(entries.values()), tree.span)


def read_setting(text: str, option: str) -> tuple[str, Tree]:
    """``a.b=value`` as given to ``option``: the path, and the value read as YAML."""
    name, equals, value = text.partition("=")
    source = Source(f"{option} {shorten(text)}", value)
    if not equals or not name:
        raise Unreadable(Diagnostic(Code.PARAM, f"`{option} {shorten(text)}` has no `=`", None, f"{option} name=value"))
    if not value:
        return name, Scalar("", Span(source, 0, 0))
    tree, faults = read(source)
    if faults:
        raise Unreadable(faults[0])
    return name, tree


def override(tree: Tree, path: list[str], value: Tree) -> Tree:
    """``tree`` with what stands at ``path`` replaced: keys, and positions from 0 in lists.

    Keys that are not there are added to mappings; anything else raises KeyError with a reason.
    """
    if not path:
        return value
    first, *rest = path
    if isinstance(tree, Listing):
        if not (first.isdecimal() and int(first) < len(tree.items)):
            raise KeyError(f"`{shorten(first)}` is no position in a list of {len(tree.items)}")
        index = int(first)
        items = (*tree.items[:index], override(tree.items[index], rest, value), *tree.items[index + 1 :])
        return Listing(items, tree.span)
    if isinstance(tree, Mapping):
        inner = tree.get(first) or Mapping((), value.span)
        return with_entry(tree, first, Scalar(first, value.span), override(inner, rest, value))
    raise KeyError(f"there is nothing below it to set `{shorten(first)}` in")


def set_params(tree: Mapping, given: dict[str, Tree]) -> tuple[Mapping, list[Diagnostic]]:
    """The document with its parameters' defaults replaced by what is given."""
    params = tree.get("params")
    if not isinstance(params, Mapping):
        params = Mapping((), tree.span)
    faults = []
    for name, value in given.items():
        if name in params.keys:
            params = with_entry(params, name, params.keys[name], value)
            continue
        listed = ", ".join(f"`{shorten(key)}`" for key in params.keys)
        help = did_you_mean(name, params.keys) or (f"it has {listed}" if listed else "it has no `params`")
        faults.append(Diagnostic(Code.PARAM, f"the spec has no parameter `{shorten(name)}`", value.span, help))
    return (with_entry(tree, "params", tree.keys["params"], params) if params.entries else tree), faults
