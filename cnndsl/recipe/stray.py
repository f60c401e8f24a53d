"""Unknown keys of a recipe: arguments next to the call that they belong to, and words of other tools."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean, shorten
from cnndsl.layers.function import Function
from cnndsl.spec.calls import Vocabulary
from cnndsl.spec.foreign import OPTIONS, RECIPE, entry
from cnndsl.spec.notation import step
from cnndsl.spec.recipe_keys import KEYS
from cnndsl.spec.sections import Train
from cnndsl.spec.values import CallValue, Value


def stray_keys(train: Train, calls: Mapping[str, Vocabulary]) -> tuple[list[Diagnostic], set[str]]:
    """An error for each unknown key of ``train``, and the keys whose calls lack an argument because of it.

    ``calls`` are the keys whose values are calls.
    """
    strays = {key: RECIPE.get(entry(key), key) for key in train.keys if key not in KEYS}
    places = {key: _place(name, train, calls) for key, name in strays.items()}
    faults = []
    for key, name in strays.items():
        help = _with_beside(places[key], strays, train, calls) or _other(name, key, calls)
        faults.append(Diagnostic(Code.KEY, f"`train` has no key `{shorten(key)}`", train.keys[key], help))
    return faults, {*places.values()}


def _place(name: str, train: Train, calls: Mapping[str, Vocabulary]) -> str:
    """The key whose call has an argument of this name, "" if there is none."""
    for place, vocabulary in calls.items():
        function, _ = _called(train.get(place), vocabulary)
        if function and name in function.arguments:
            return place
    return ""


def _with_beside(place: str, strays: Mapping[str, str], train: Train, calls: Mapping[str, Vocabulary]) -> str:
    """Help that writes the call at a place with all its arguments, including those next to it."""
    function, given = _called(train.get(place), calls[place]) if place else (None, {})
    if function is None:
        return ""
    spans = {name: value.span for name, value in given.items()}
    spans |= {name: train.spans[key] for key, name in strays.items() if name in function.arguments}
    texts = {argument: span.first_line.text for argument, span in spans.items()}
    return f"`{place}: {{{step(function.name, (), texts)}}}`"


def _called(written: Value | None, vocabulary: Vocabulary) -> tuple[Function | None, dict[str, Value]]:
    """The function that a key calls, and its arguments."""
    function = vocabulary.functions.get(written.name) if isinstance(written, CallValue) else None
    if function is None or not isinstance(written, CallValue):
        return None, {}
    given = written.arguments
    by_name = {keyword.name: keyword.value for keyword in given.keywords}
    return function, dict(zip(function.positional(), given.positional)) | by_name


def _other(name: str, key: str, calls: Mapping[str, Vocabulary]) -> str:
    if option := OPTIONS.get(entry(key)):
        return f"it is an option of the command: `cnndsl train {option}`"
    if name in KEYS:
        return f"did you mean `{name}`?"
    for place, vocabulary in calls.items():
        if any(name in function.arguments for function in vocabulary.functions.values()):
            return f"it belongs to `{place}`, as in {vocabulary.example}"
    return did_you_mean(key, KEYS) or f"its keys are {', '.join(KEYS)}"
