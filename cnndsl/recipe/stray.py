"""Unknown keys of a recipe: arguments next to the call that they belong to, and words of other tools."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers.function import Function
from cnndsl.spec import tree
from cnndsl.spec.calls import Vocabulary
from cnndsl.spec.foreign import OPTIONS, RECIPE, entry
from cnndsl.spec.notation import step
from cnndsl.spec.schema import schema


def stray_keys(train: tree.Mapping, calls: Mapping[str, Vocabulary]) -> tuple[list[Diagnostic], set[str]]:
    """An error for each unknown key of ``train``, and the keys whose calls lack an argument because of it.

    ``calls`` are the keys whose values are calls.
    """
    known = schema()["properties"]["train"]["properties"]
    strays = {key: RECIPE.get(entry(key), key) for key in train.keys if key not in known}
    places = {key: _place(name, train, calls) for key, name in strays.items()}
    faults = []
    for key, name in strays.items():
        help = _with_beside(places[key], strays, train, calls) or _other(name, key, known, calls)
        faults.append(Diagnostic(Code.KEY, f"`train` has no key `{shorten(key)}`", train.keys[key].span, help))
    return faults, {*places.values()}


def _place(name: str, train: tree.Mapping, calls: Mapping[str, Vocabulary]) -> str:
    """The key whose call has an argument of this name, "" if there is none."""
    for place, vocabulary in calls.items():
        function, _ = _called(train.get(place), vocabulary)
        if function and name in function.arguments:
            return place
    return ""


def _with_beside(place: str, strays: Mapping[str, str], train: tree.Mapping, calls: Mapping[str, Vocabulary]) -> str:
    """Help that writes the call at a place with all its arguments, including those next to it."""
    function, given = _called(train.get(place), calls[place]) if place else (None, {})
    if function is None:
        return ""
    beside = {name: train.by_key[key] for key, name in strays.items() if name in function.arguments}
    texts = {argument: value.span.first_line.text for argument, value in (given | beside).items()}
    return f"`{place}: {{{step(function.name, (), texts)}}}`"


def _called(written: tree.Tree | None, vocabulary: Vocabulary) -> tuple[Function | None, dict[str, tree.Tree]]:
    """The function that a key calls, and its arguments."""
    arguments: tree.Tree | None = None
    if isinstance(written, tree.Mapping) and len(written.entries) == 1:
        written, arguments = written.entries[0]
    function = vocabulary.functions.get(str(written.value)) if isinstance(written, tree.Scalar) else None
    if function is None or arguments is None:
        return function, {}
    if isinstance(arguments, tree.Mapping):
        return function, dict(arguments.by_key)
    listed = arguments.items if isinstance(arguments, tree.Listing) else (arguments,)
    given = [item for item in listed if not (isinstance(item, tree.Scalar) and item.value is None)]
    return function, dict(zip(function.positional(), given))


def _other(name: str, key: str, known: Mapping[str, object], calls: Mapping[str, Vocabulary]) -> str:
    if option := OPTIONS.get(entry(key)):
        return f"it is an option of the command: `cnndsl train {option}`"
    if name in known:
        return f"did you mean `{name}`?"
    for place, vocabulary in calls.items():
        if any(name in function.arguments for function in vocabulary.functions.values()):
            return f"it belongs to `{place}`, as in {vocabulary.example}"
    return did_you_mean(key, known) or f"its keys are {', '.join(known)}"
