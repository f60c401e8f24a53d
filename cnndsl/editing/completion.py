"""The words that fit at the cursor, each as it is written there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from cnndsl.editing.analysis import Analysis
from cnndsl.editing.answers import Completion
from cnndsl.editing.context import MARK, Context, context
from cnndsl.editing.grammar import AnyValue, Place, Step, callables, has_layers, parameter_place, place_of
from cnndsl.editing.known import Known
from cnndsl.editing.offers import Offer
from cnndsl.editing.paths import paths
from cnndsl.editing.snippets import snippet
from cnndsl.spec.functions import FUNCTIONS, USAGE
from cnndsl.spec.recipe_keys import KEYS
from cnndsl.spec.scopes import Path
from cnndsl.spec.values import INPUT_SIZES

#: Sections whose texts are literal, though other texts of a spec may contain values.
_LITERAL = ("name", "description", "extends", "use", "rename")
#: Sections in which a step runs, so that it has an ``input``.
_WITH_INPUT = ("network", "blocks")
#: What may stand before an operator, and operators that are words.
_OPERAND, _OPERATORS = re.compile(r"(?:[\w.]|[)\]'\"])\s+\Z"), ("and", "or", "not", "if", "else")
_AFTER_OPERATOR = re.compile(r"\b(?:and|or|not|if|else|in)\s+\Z")
_CONSTANTS = ("None", "True", "False")
#: The kinds of offers that replace all of a scalar, which may have dots, dashes or values in it.
_OF_SCALARS = ("file", "name")
#: What people write before torch's names.
_TORCH = re.compile(r"(?:torch\.)?nn\.")
#: A default in a signature, up to the cursor.
_DEFAULT = re.compile(r"=\s*[^=]*\Z")


def complete(analysis: Analysis, offset: int) -> tuple[Completion, ...]:
    """What fits at an offset, the most likely first. The words are not narrowed by what is typed of them so far, which
    editors do while more is typed; all of them replace the same span."""
    at = context(analysis, offset)
    if at is None:
        return ()
    found = {offer.label: offer for offer in _offers(Known(analysis, at), at)}
    ordered = sorted(found.values(), key=lambda offer: (offer.rank, offer.label))
    return tuple(_completion(at, offer) for offer in ordered)


def _completion(at: Context, offer: Offer) -> Completion:
    text, page = snippet(at, offer), offer.page() if offer.page else ""
    typed = _TORCH.match(at.word.text)
    return Completion(
        offer.label,
        offer.kind,
        at.scalar if offer.kind in _OF_SCALARS else at.word,
        "" if text == offer.label else text,
        offer.detail,
        page,
        offer.rank,
        f"{typed[0]}{offer.label}" if typed else "",
    )


def _offers(known: Known, at: Context) -> Iterable[Offer]:
    if at.expression is not None:
        return _in_expression(known, at, at.expression)
    if at.is_key:
        return _keys(known, at)
    place = place_of(known, at.path)
    if at.word.text[:1] == "$":
        return _fitting(known, at.path, place) if at.is_whole else _variables(known, at.path)
    if place.refers == "file":
        return paths(known.analysis, at)
    if place.refers:
        return _names(known, place.refers)
    return _values(known, at, place) if at.is_whole else ()


# --- keys ----------------------------------------------------------------------------------------


def _keys(known: Known, at: Context) -> Iterable[Offer]:
    if at.is_signature:
        return _in_expression(known, at, at.before) if _DEFAULT.search(at.before) else ()
    if not at.is_whole or at.siblings is None:
        return ()
    place = place_of(known, at.path[:-1])
    if at.word.text[:1] == "$":
        return _fitting(known, at.path, place) if isinstance(place, Step) else ()
    written = {key: value for key, value in at.siblings.by_key.items() if MARK not in key}
    return (*place.keys(written), *([] if written or at.is_flow else _items(place)))


def _items(place: Place) -> Iterator[Offer]:
    """The steps of a list, each with the dash that is not typed yet."""
    item = place.below(0)
    if isinstance(item, Step):
        yield from (replace(offer, is_item=True) for offer in item.values())


# --- values --------------------------------------------------------------------------------------


def _values(known: Known, at: Context, place: Place) -> Iterator[Offer]:
    variables = _fitting(known, at.path, place, rank=5) if place.takes_values else ()
    for offer in (*place.values(), *variables):
        yield replace(offer, is_item=True) if at.lacks_dash else offer


def _names(known: Known, refers: str) -> Iterator[Offer]:
    for named in known.names(anywhere=refers == "output"):
        if named.is_module or refers != "module":
            yield Offer(named.name, "name", named.detail)


def _variables(known: Known, path: Path, rank: int = 0) -> Iterator[Offer]:
    if path[0] not in _LITERAL:
        for variable in known.variables.values():
            yield Offer(f"${variable.name}", "parameter", variable.detail, rank=rank)
        if path[0] == "train":
            yield from (Offer(f"${name}", "parameter", KEYS[name].explained(), rank=rank + 1) for name in _plain(path))


def _fitting(known: Known, path: Path, place: Place, rank: int = 0) -> Iterator[Offer]:
    """The variables that fit at a place: if that is known of them, those whose values are layers where layers fit, and
    others elsewhere."""
    fits_layers = has_layers([place])
    for offer in _variables(known, path, rank):
        values = parameter_place(known, offer.label[1:])
        if values is None or isinstance(place, AnyValue) or _fits(values, place, fits_layers):
            yield offer


def _fits(values: AnyValue, place: Place, fits_layers: bool) -> bool:
    return values.is_layer in (None, fits_layers) and (place.takes_lists or not values.is_list)


def _plain(path: Path) -> Iterator[str]:
    """The keys of a recipe that values may use."""
    return (name for name, key in KEYS.items() if key.as_argument() is not None and name not in path[1:2])


def _in_expression(known: Known, at: Context, before: str) -> Iterator[Offer]:
    if _OPERAND.search(before) and not _AFTER_OPERATOR.search(before):
        yield from (Offer(word, "word") for word in _OPERATORS)
        return
    for offer in _variables(known, at.path):
        yield Offer(offer.label[1:], offer.kind, offer.detail, rank=offer.rank)
    if at.path and at.path[0] in _WITH_INPUT and not at.is_signature:
        for name in (*INPUT_SIZES, "shape"):
            yield Offer(f"input.{name}", "value", "of the tensor that enters this step", rank=1)
    yield from (Offer(name, "function", USAGE[name], rank=2) for name in FUNCTIONS)
    yield from (Offer(name, "value", rank=3) for name in _CONSTANTS)
    yield Offer("not", "word", rank=3)
    yield from (Offer(one.label, one.kind, one.detail, page=one.page, rank=4) for one in callables(known))
