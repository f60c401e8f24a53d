"""Single edits of the specs in ``archs/``, each with the changes that a diff should find. Seeded: the same every time.

How often an edit should be found is counted in the graph: an edit of a block is found in every use of the block.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

import cnndsl
from cnndsl.compare.compare import Diff
from cnndsl.graph.graph import Apply, Graph, Merge, Module
from cnndsl.layers import LAYERS
from cnndsl.spec.document import Text, read_document
from cnndsl.spec.tree import plain
from cnndsl.spec.words import LISTS

ARCHS = Path(__file__).parent.parent / "archs"
#: Sections that say nothing about the network.
ASIDE = ("name", "description", "extends", "use", "expect", "train", "init", "rename")
#: A layer that keeps every shape, and that no spec has.
NEW = "Hardshrink"
#: Arguments with values that no spec has. The last ones change shapes.
ARGUMENTS: dict[str, dict[str, Any]] = {
    "Conv2d": {"padding_mode": "circular", "out_channels": 37},
    "BatchNorm2d": {"momentum": 0.173},
    "Dropout": {"p": 0.173},
    "LeakyReLU": {"negative_slope": 0.173},
    "Linear": {"out_features": 37},
    "AdaptiveAvgPool2d": {"output_size": 3},
    "LayerNorm": {"eps": 0.173},
    "MaxPool2d": {"dilation": 3},
}
#: Edits that have many explanations if they are repeated: to swap in `a b a b` may be to move the first `a` to the end.
OUTSIDE = ("swap", "move", "duplicate")
Spec = dict[str, Any]
#: Whether a diff is the expected one.
Holds = Callable[[Diff, Graph, Graph], bool]


@dataclass(frozen=True)
class Edit:
    """A kind of edit, the networks before and after, and what their diff should be."""

    kind: str
    before: Graph
    after: Graph
    holds: Holds


@cache
def read(path: Path) -> Spec | None:
    """A spec that needs no other file, as plain data; None if the file is none."""
    document = read_document(path).document
    if document is None or not document.network:
        return None
    found = {key: value for key, value in plain(document.tree).items() if key not in ASIDE}
    return found if compiled(found) else None


def compiled(spec: Spec) -> Graph | None:
    """The network of a spec, None if it has errors. JSON is YAML."""
    try:
        return cnndsl.load(Text(json.dumps(spec), str(ARCHS))).graph
    except cnndsl.SpecError:
        return None


def specs() -> list[Path]:
    return [path for path in sorted(ARCHS.rglob("*.yaml")) if path.parent.name != "blocks"]


def edits(random: Random, number: int) -> Iterator[Edit]:
    """So many edits of random specs, each kind in turn."""
    paths = specs()
    for kind in islice(cycle(KINDS), number):
        found = None
        while found is None:
            path = random.choice(paths)
            found = edited(path, kind, random) if read(path) else None
        yield found


def edited(path: Path, kind: str, random: Random) -> Edit | None:
    """One edit of a spec; None if it is not possible there, or does not compile."""
    after = deepcopy(read(path))
    assert after is not None
    lists = [steps for steps, loops in step_lists(after) if not (loops and kind in OUTSIDE)]
    random.shuffle(lists)
    holds = next(filter(None, (KINDS[kind](steps, random) for steps in lists)), None)
    changed = compiled(after) if holds else None
    if holds is None or changed is None or not is_single(kind, before := network(path), changed):
        return None
    return Edit(kind, before, changed, holds)


@cache
def network(path: Path) -> Graph:
    found = compiled(read(path) or {})
    assert found is not None
    return found


def is_single(kind: str, before: Graph, after: Graph) -> bool:
    """Whether an edit has an effect, and only the intended one: not where it is in an arm that is left out, nor where a
    formula of the spec asks for the shape that it changes."""
    if outline(before) == outline(after):
        return False
    gone, new = contents(before) - contents(after), contents(after) - contents(before)
    if kind in ("argument", "replace", "merge"):
        return gone.total() == new.total() and len({item[0] for item in new}) == 1 and is_one_argument(gone, new)
    if kind in ("swap", "move", "wrap", "rename"):
        return not gone and not new
    if kind == "remove":
        return not contents(after, shapes=True) - contents(before, shapes=True)
    return not gone


def is_one_argument(gone: Counter[Any], new: Counter[Any]) -> bool:
    """Whether all new layers have at most the same one argument that no old one of their kind has."""
    found: set[str] = set()
    for kind, values, _ in new:
        others = [{*values} - {*before} for other, before, _ in gone if other == kind]
        found |= min(others, key=len, default=set())
    return len(found) <= 1


def contents(graph: Graph, shapes: bool = False) -> Counter[Any]:
    """The layers and merges with their arguments, and perhaps their output shapes."""
    found = (item for item in graph.root.everything if not isinstance(item, Module))
    return Counter((item.kind, own(item), item.outputs[0].shape if shapes else ()) for item in found)


def own(item: Any) -> tuple[str, ...]:
    if not isinstance(item, Apply):
        return (repr(getattr(item, "dim", None) if item.kind == "concat" else getattr(item, "sizes", None)),)
    known = item.layer.arguments
    return tuple(f"{name}={value}" for name, value in item.layer.values.items() if known[name].infer is None)


def outline(graph: Graph) -> list[Any]:
    return [(item.path, item.kind, own(item) if not isinstance(item, Module) else ()) for item in graph.root.everything]


def step_lists(spec: Spec) -> Iterator[tuple[list[Any], bool]]:
    """The lists of steps of a spec, those in steps too, and whether they are in a loop."""
    yield from _lists(spec["network"], 1, False)
    for block in (spec.get("blocks") or {}).values():
        yield from _lists(block if isinstance(block, list) else block["steps"], 1, False)


def _lists(value: Any, depth: int, loops: bool) -> Iterator[tuple[list[Any], bool]]:
    if isinstance(value, dict) and depth == 1:  # an arm of a branch
        value = value.get("steps")
    if not isinstance(value, list):
        return
    if depth == 2:
        for item in value:
            yield from _lists(item, 1, loops)
        return
    yield value, loops
    for step in value:
        for key, inner in step.items() if isinstance(step, dict) else ():
            if key in LISTS:
                yield from _lists(inner, LISTS[key], loops or key in ("repeat", "dense"))


def word(step: Any) -> str:
    """The layer or block that a step calls, "" for a structural word."""
    if isinstance(step, str):
        return step
    return next((key for key in step if key[:1].isupper()), "")


def operations(graph: Graph) -> list[Any]:
    return [item for item in graph.root.everything if not getattr(item, "reuse", False)]


def kinds(graph: Graph) -> Counter[str]:
    """The layers and merges of a network, without those in reused modules, which are told where they are made."""
    return Counter(item.kind for item in made(graph.root) if not isinstance(item, Module))


def made(module: Module) -> Iterator[Any]:
    for item in module.operations:
        if not isinstance(item, Module):
            yield item
        elif not item.reuse:
            yield item
            yield from made(item)


def layers_of(diff: Diff, what: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for change in diff.changes:
        for place in (change.right if what == "added" else change.left) if change.what == what else ():
            found.update(place.kinds)
    return found


def all_are(diff: Diff, what: str) -> bool:
    return bool(diff) and not diff.explained and {change.what for change in diff.changes} == {what}


# --- the edits -------------------------------------------------------------------------------------------


def change_argument(steps: list[Any], random: Random) -> Holds | None:
    places = [index for index, step in enumerate(steps) if word(step) in ARGUMENTS]
    if not places:
        return None
    index = random.choice(places)
    step, kind = steps[index], word(steps[index])
    name, value = random.choice([*ARGUMENTS[kind].items()])
    arguments = step.get(kind) if isinstance(step, dict) else None
    if not isinstance(arguments, dict):
        positional = arguments if isinstance(arguments, list) else [] if arguments is None else [arguments]
        arguments = dict(zip(LAYERS[kind].positional(), positional))
    steps[index] = {**(step if isinstance(step, dict) else {}), kind: {**arguments, name: value}}

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        uses = [item for item in operations(after) if item.kind == kind and has(item, name, value)]
        told = {(argument.name, as_one(argument.after)) for change in diff.changes for argument in change.arguments}
        return all_are(diff, "changed") and told == {(name, value)} and len(diff.changes) == len(uses)

    return holds


def has(item: Apply, name: str, value: Any) -> bool:
    return bool(as_one(item.layer.values[name]) == value)


def as_one(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def insert(steps: list[Any], random: Random) -> Holds | None:
    steps.insert(random.randrange(len(steps) + 1), NEW)

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        return all_are(diff, "added") and layers_of(diff, "added") == kinds(after) - kinds(before) == Counter(
            {NEW: len(diff.changes)}
        )

    return holds


def remove(steps: list[Any], random: Random) -> Holds | None:
    places = [index for index, step in enumerate(steps) if word(step)]
    if not places or len(steps) < 2:
        return None
    del steps[random.choice(places)]

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        return all_are(diff, "removed") and layers_of(diff, "removed") == kinds(before) - kinds(after)

    return holds


def duplicate(steps: list[Any], random: Random) -> Holds | None:
    places = [index for index, step in enumerate(steps) if word(step)]
    if not places:
        return None
    index = random.choice(places)
    steps.insert(index, deepcopy(steps[index]))
    return _only_added


def _only_added(diff: Diff, before: Graph, after: Graph) -> bool:
    return all_are(diff, "added") and layers_of(diff, "added") == kinds(after) - kinds(before)


def repeat(steps: list[Any], random: Random) -> Holds | None:
    places = [step for step in steps if isinstance(step, dict) and "repeat" in step and "times" in step]
    if not places:
        return None
    step = random.choice(places)
    times = step["times"]
    step["times"] = times + 1 if isinstance(times, int) else f"$({times.removeprefix('$')} + 1)"

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        counts = [change.count for change in diff.changes]
        return _only_added(diff, before, after) and all(
            count is None or count.after == count.before + 1 for count in counts
        )

    return holds


def swap(steps: list[Any], random: Random) -> Holds | None:
    places = [index for index in range(len(steps) - 1) if word(steps[index]) and word(steps[index + 1])]
    if not places:
        return None
    index = random.choice(places)
    steps[index : index + 2] = steps[index : index + 2][::-1]
    return lambda diff, before, after: all_are(diff, "moved") and kinds(before) == kinds(after)


def move(steps: list[Any], random: Random) -> Holds | None:
    places = [index for index, step in enumerate(steps) if word(step)]
    if len(places) < 3:
        return None
    step = steps.pop(random.choice(places))
    steps.insert(random.randrange(len(steps) + 1), step)
    return lambda diff, before, after: all_are(diff, "moved") and kinds(before) == kinds(after)


def rename(steps: list[Any], random: Random) -> Holds | None:
    places = [index for index, step in enumerate(steps) if word(step)]
    if not places:
        return None
    index = random.choice(places)
    step = steps[index]
    steps[index] = {**(step if isinstance(step, dict) else {step: None}), "name": "quite_new"}

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        named = [item for item in operations(after) if item.name == "quite_new"]
        told = {argument.after for change in diff.changes for argument in change.arguments}
        return all_are(diff, "renamed") and told == {"quite_new"} and len(diff.changes) == len(named)

    return holds


def replace(steps: list[Any], random: Random) -> Holds | None:
    places = [index for index, step in enumerate(steps) if word(step) in ("ReLU", "ReLU6", "SiLU", "Hardswish", "GELU")]
    if not places:
        return None
    index = random.choice(places)
    step = steps[index]
    others = {key: value for key, value in step.items() if key != word(step)} if isinstance(step, dict) else {}
    steps[index] = {**others, NEW: None}

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        new = [item for item in operations(after) if item.kind == NEW]
        return all_are(diff, "replaced") and len(diff.changes) == len(new)

    return holds


def wrap(steps: list[Any], random: Random) -> Holds | None:
    start = random.randrange(len(steps)) if steps else 0
    end = random.randrange(start, len(steps)) + 1 if steps else 0
    if start == end or not all(word(step) and "when" not in step for step in steps[start:end]):
        return None
    steps[start:end] = [{"sequential": steps[start:end]}]

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        return all_are(diff, "wrapped") and len(diff.changes) == modules(after) - modules(before)

    return holds


def modules(graph: Graph) -> int:
    return sum(isinstance(item, Module) for item in operations(graph))


def merge(steps: list[Any], random: Random) -> Holds | None:
    places = [step for step in steps if isinstance(step, dict) and step.get("merge") == "add"]
    if not places:
        return None
    random.choice(places)["merge"] = "maximum"

    def holds(diff: Diff, before: Graph, after: Graph) -> bool:
        new = [item for item in operations(after) if isinstance(item, Merge) and item.kind == "maximum"]
        return all_are(diff, "replaced") and len(diff.changes) == len(new)

    return holds


KINDS: dict[str, Callable[[list[Any], Random], Holds | None]] = {
    "argument": change_argument,
    "insert": insert,
    "remove": remove,
    "duplicate": duplicate,
    "repeat": repeat,
    "swap": swap,
    "move": move,
    "rename": rename,
    "replace": replace,
    "wrap": wrap,
    "merge": merge,
}
