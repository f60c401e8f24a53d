"""``cnndsl diff``: edits are found, and nothing else; numbers are those of the tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import edits
import pytest

import cnndsl
from cnndsl.compare import edit as edit_module
from cnndsl.compare.changes import Change
from cnndsl.compare.compare import Diff, compare
from cnndsl.compare.text import as_text
from cnndsl.emit.table import rows
from cnndsl.graph.graph import Graph

ARCHS = Path(__file__).parent.parent / "archs"
SPECS = edits.specs()


def graph(spec: str | Path) -> Graph:
    return cnndsl.load(spec).graph


def mirrored(change: Change) -> tuple[Any, ...]:
    """A change seen from the other side, without the parts that tell where it is."""
    names = {"added": "removed", "removed": "added", "wrapped": "unwrapped", "unwrapped": "wrapped"}
    arguments = [(argument.name, argument.after, argument.before) for argument in change.arguments]
    count = change.count and (change.count.unit, change.count.after, change.count.before)
    return names.get(change.what, change.what), repr(change.right), repr(change.left), repr(arguments), count


def told(change: Change) -> tuple[Any, ...]:
    arguments = [(argument.name, argument.before, argument.after) for argument in change.arguments]
    count = change.count and (change.count.unit, change.count.before, change.count.after)
    return change.what, repr(change.left), repr(change.right), repr(arguments), count


def assert_mirrored(one: Diff, other: Diff) -> None:
    assert Counter(map(told, one.changes)) == Counter(map(mirrored, other.changes))
    assert Counter(map(told, one.explained)) == Counter(map(mirrored, other.explained))
    pairs = Counter((repr(found.left), repr(found.right)) for found in one.consequences)
    assert pairs == Counter((repr(found.right), repr(found.left)) for found in other.consequences)


# --- single edits ----------------------------------------------------------------------------------------


def check(edit: edits.Edit) -> None:
    found = compare(edit.before, edit.after)
    assert edit.holds(found, edit.before, edit.after), f"{edit.kind}\n{as_text(found)}"
    assert_mirrored(found, compare(edit.after, edit.before))


def test_each_edit_is_found_and_nothing_else() -> None:
    for edit in edits.edits(Random(0), 2 * len(edits.KINDS)):
        check(edit)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_a_thousand_edits_are_found_and_nothing_else(seed: int) -> None:
    for edit in edits.edits(Random(seed), 100):
        check(edit)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_network_is_equal_to_itself(path: Path) -> None:
    network = graph(path)
    found = compare(network, network)
    assert not found and not found.explained and not found.consequences and not found.params
    assert "the networks are equal" in as_text(found)


@pytest.mark.parametrize("seed", range(8))
def test_any_two_networks(seed: int) -> None:
    """The diff of two networks that have little in common is the mirror image of the opposite one, and its figures are
    those of the tables."""
    random = Random(seed)
    left, right = (graph(path) for path in random.sample(SPECS, 2))
    found = compare(left, right)
    assert_mirrored(found, compare(right, left))
    for side, network in ((found.left, left), (found.right, right)):
        assert (side.params, side.macs) == (network.root.cost.params, network.root.cost.macs)
    tables = [{row.path: row for row in rows(network.root)} for network in (left, right)]
    for change in (*found.changes, *found.explained):
        for places, table in zip((change.left, change.right), tables):
            for place in places:
                if place.path:
                    row = table[place.path]
                    assert place.kind == row.layer
    _check_balance(found)


def _check_balance(found: Diff) -> None:
    """What is added, removed and replaced accounts for the number of layers."""
    more: Counter[str] = Counter()
    for change in (*found.changes, *found.explained):
        told = change.what in ("added", "removed")
        if change.what == "replaced":  # the content of modules is told apart
            told = any(place.is_operation for place in (*change.left, *change.right))
        if told:
            for place in change.right:
                more.update(place.kinds)
            for place in change.left:
                more.subtract(place.kinds)
    expected = Counter(found.right.kinds)
    expected.subtract(found.left.kinds)
    assert {kind: n for kind, n in more.items() if n} == {kind: n for kind, n in expected.items() if n}


# --- what is seen from outside ---------------------------------------------------------------------------

#: A network with every kind of wiring, as plain data.
WIRED: dict[str, Any] = {
    "input": {"p": [8, 6, 6], "q": [8, 6, 6]},
    "blocks": {
        "Two(c)": {
            "outputs": ["u", "v"],
            "steps": [{"name": "u", "Conv2d": ["$c", 1]}, {"name": "v", "Conv2d": ["$c", 1]}],
        }
    },
    "init": {"Conv2d": "xavier_uniform"},
    "network": [
        {"from": "p"},
        {"name": "one", "Conv2d": [8, 3, 1, 1]},
        {"name": "two", "Conv2d": [8, 3, 1, 1]},
        {"name": "again", "reuse": "one"},
        {"name": "pair", "Two": 8},
        {"name": "three", "Conv2d": [8, 1], "parametrization": "weight_norm"},
        {"from": "q"},
        {"name": "four", "Conv2d": [8, 1]},
        {"name": "less", "branch": [[{"from": "three"}], [{"from": "pair.u"}]], "merge": "subtract"},
        {"name": "last", "branch": [[{"from": "less"}], [{"from": "four"}]], "merge": "add"},
    ],
    "outputs": ["last", "less"],
}
#: What a random edit writes for a text of that network.
WORDS = {
    "u": ["v"], "v": ["u"], "pair.u": ["pair.v"], "xavier_uniform": ["kaiming_uniform", {"normal": {"std": 0.1}}],
    "subtract": ["divide", "maximum"], "add": ["maximum", "subtract"], "weight_norm": ["spectral_norm"],
    **{name: ["one", "two", "three", "four", "less", "again", "q"] for name in ("one", "three", "less", "four", "p")},
}  # fmt: skip


def values(data: Any) -> Iterator[tuple[Any, Any]]:
    """The places of texts, numbers and lists of texts in plain data, but not those that give names."""
    for key, value in data.items() if isinstance(data, dict) else enumerate(data):
        if isinstance(value, (dict, list)):
            yield from values(value)
        if key != "name" and not isinstance(value, dict):
            yield data, key


def edited(spec: dict[str, Any], random: Random) -> Graph | None:
    """The network after a small edit, None if it has errors."""
    spec = deepcopy(spec)
    data, key = random.choice([*values(spec)])
    value = data[key]
    if isinstance(value, list):
        data[key] = value[::-1] if random.random() < 0.5 else value[:-1]
    elif isinstance(value, int):
        data[key] = value + 1
    else:
        data[key] = random.choice(WORDS.get(value, [value]))
    if random.random() < 0.1:
        spec["input"] = dict(reversed(spec["input"].items()))
    return edits.compiled(spec)


def as_seen(graph: Graph) -> str:
    """The emitted source, where additions are in one order."""
    source = cnndsl.network.Network(graph).source()
    return re.sub(r"(\w+) \+ (\w+)", lambda sides: " + ".join(sorted(sides.groups())), source)


def test_networks_with_other_sources_differ() -> None:
    """And only these do. No sentence has the same before and after."""
    random = Random(0)
    before = edits.compiled(WIRED)
    assert before is not None
    source, differing = as_seen(before), 0
    for _ in range(400):
        after = edited(WIRED, random)
        if after is None:
            continue
        found = compare(before, after)
        assert bool(found) == (as_seen(after) != source), f"{as_text(found)}\n{as_seen(after)}"
        assert_mirrored(found, compare(after, before))
        differing += bool(found)
        for line in as_text(found).splitlines()[1:]:
            step = re.search(r"([\w.]+) → ([\w.]+)$", line)
            assert step is None or step[1] != step[2]
    assert differing > 50


# --- bounded work ----------------------------------------------------------------------------------------

N = 500
KINDS = ["ReLU", "Tanh", "GELU", "SiLU"]
#: Long modules, whose children cannot all be compared with all others.
LONG: dict[str, tuple[list[str], list[str]]] = {
    "one of many equal": (["ReLU"] * N, ["ReLU"] * (N // 2) + ["GELU"] + ["ReLU"] * (N // 2)),
    "all changed": (["Dropout: 0.5"] * N, ["Dropout: 0.4"] * N),
    "a third": (["Dropout: 0.5"] * N, ["Dropout: 0.4"] * (N // 3)),
    "others": (Random(0).choices(KINDS, k=N), Random(1).choices(KINDS, k=N)),
    "reversed": ([f"Dropout: {i / N}" for i in range(N)], [f"Dropout: {i / N}" for i in reversed(range(N))]),
}


@pytest.mark.parametrize("name", LONG)
def test_work_grows_with_the_number_of_layers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = cnndsl.Limits(file=10**7, nodes=10**6)
    left, right = (
        cnndsl.loads("input: [4, 8, 8]\nnetwork:\n" + "".join(f"  - {step}\n" for step in steps), limits=limits).graph
        for steps in LONG[name]
    )
    cells = 0
    step = edit_module._Table._step

    def counted(*arguments: Any) -> Any:
        nonlocal cells
        cells += 1
        return step(*arguments)

    monkeypatch.setattr(edit_module._Table, "_step", counted)
    found = compare(left, right)
    assert cells <= 100 * N
    _check_balance(found)
    assert len(as_text(found).splitlines()) < 250
