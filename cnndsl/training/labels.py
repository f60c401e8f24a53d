"""Labels that tell runs apart: what differs in their recipes. This module needs no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from cnndsl.diagnostics import SpecError, shorten
from cnndsl.printable import as_written
from cnndsl.spec.document import read_document
from cnndsl.spec.values import Literal
from cnndsl.training.run_folder import SPEC, RunFolder

#: Values by their keys, such as ``optimizer.lr``.
Facts: TypeAlias = dict[str, Any]

#: The most differences in a label.
MOST = 4


def labels(runs: Sequence[RunFolder]) -> list[str]:
    """A label for each run: the values of its recipe, and of its spec's parameters, that not all share, such as
    ``lr=0.1``. The number of epochs is named if nothing else differs, and the time if a label would appear twice."""
    facts = [_facts(run) for run in runs]
    keys = dict.fromkeys(key for found in facts for key in found)
    differ = [key for key in keys if len({as_written(found.get(key)) for found in facts}) > 1]
    # Other calls have other arguments; those that all have may tell more, such as the learning rate.
    differ = [key for key in differ if _call(key) not in differ or all(key in found for found in facts)]
    differ = [key for key in differ if key != "epochs"] or differ
    made = [", ".join([*_differences(found, differ)][:MOST]) for found in facts]
    often = Counter(made)
    return [", ".join(filter(None, (label, run.path.name * (often[label] > 1)))) for label, run in zip(made, runs)]


def _differences(facts: Facts, keys: Sequence[str]) -> Iterator[str]:
    """What a label says of each key: an argument without its call, if that is clear."""
    short = Counter(map(_last, keys))
    for key in keys:
        name = _last(key) if short[_last(key)] == 1 else key
        if key in facts:
            yield shorten(_written(name, facts[key], alone=not _call(key)))
        elif _call(key) in facts and _call(key) not in keys:
            yield f"default {name}"


def _last(key: str) -> str:
    return key.rpartition(".")[2]


def _call(key: str) -> str:
    """The key of the call that an argument belongs to; empty if it is not an argument."""
    return key.rpartition(".")[0]


def _written(name: str, value: Any, alone: bool) -> str:
    """``alone``: the value needs no name, if it is a word."""
    if value is None or value is False or value == []:
        return f"no {name}"
    if value is True:
        return name
    return value if alone and isinstance(value, str) else f"{name}={as_written(value)}"


def _facts(run: RunFolder) -> Facts:
    """What may differ between runs, the most telling first."""
    info = run.info
    recipe, weights = info.get("recipe"), info.get("weights")
    facts = {"network": str(info.get("name", run.path.parent.name))}
    facts |= {f"params.{name}": value for name, value in parameters(run).items()}
    facts |= _flat("", recipe) if isinstance(recipe, Mapping) else {}
    return facts | ({"weights": weights} if weights else {})


def _flat(path: str, values: Mapping[str, Any]) -> Facts:
    """The values of a recipe. A call, which is a mapping with one key, is its name, and its arguments follow."""
    facts: Facts = {}
    for key, value in values.items():
        inner = f"{path}{key}"
        if _is_call(value):
            ((facts[inner], arguments),) = value.items()
            facts |= _flat(f"{inner}.", arguments)
        elif isinstance(value, Mapping):
            facts |= _flat(f"{inner}.", value)
        elif value and isinstance(value, list) and all(map(_is_call, value)):
            facts[inner] = " + ".join(name for call in value for name in call)
        else:
            facts[inner] = value
    return facts


def _is_call(value: object) -> bool:
    return isinstance(value, Mapping) and len(value) == 1 and isinstance(next(iter(value.values())), Mapping)


def parameters(run: RunFolder) -> Facts:
    """The parameters of the spec that was trained."""
    try:
        document = read_document(run.path / SPEC).document
    except SpecError:
        return {}
    params = document.params if document else ()
    return {param.name: param.default.value for param in params if isinstance(param.default, Literal)}
