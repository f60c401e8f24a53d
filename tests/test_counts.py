"""Regressions of speed that show without a clock: what is loaded, called, visited and allocated is counted.

What was counted is in tests/cases/counts; ``pytest tests/test_counts.py --update`` counts again.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from counting import ROOT, Done, done, loaded, memory, visits

import cnndsl
from cnndsl.cli import VERBS, cli
from cnndsl.emit.table import Table, as_plain
from cnndsl.fmt import format
from cnndsl.graph.graph import Graph

sys.path.insert(0, str(ROOT / "benchmarks"))

from growth import FORMS, LARGE, spec

COUNTS = Path(__file__).parent / "cases" / "counts"
#: How much more than was counted is let through: Python's own functions and data differ between versions.
MARGIN = 1.2


def recorded(file: str, key: str, found: Any, update: bool) -> Any:
    """What was counted before; with ``update``, what is found takes its place."""
    path = COUNTS / f"{file}.yaml"
    known = yaml.safe_load(path.read_text()) if path.exists() else {}
    if update:
        known[key] = found
        path.write_text(yaml.safe_dump(known, width=120, default_flow_style=None))
    return known[key]


# --- what a command loads ------------------------------------------------------------------------

#: Never loaded by a command that computes no tensor: packages, and the slowest modules of Python's own.
FORBIDDEN = {
    *("torch", "torchvision", "numpy", "matplotlib", "rich", "jsonschema", "referencing", "attrs", "rapidfuzz"),
    *("importlib.metadata", "importlib.resources", "email", "http", "html", "csv", "difflib", "hashlib", "secrets"),
    *("random", "tempfile", "zipfile", "socket", "asyncio"),
}
#: What some commands need of it: suggestions, labels and what Graphviz's packages import, the table of a build. click
#: imports difflib for options of one letter. The language server is pygls.
_DIAGRAM = {"hashlib", "html", "random", "tempfile"}
ALLOWED = {"wrong": {"rapidfuzz"}, "draw": {*_DIAGRAM, "difflib"}, "sweep": {"difflib"}, "build": {*_DIAGRAM, "csv"}}
ALLOWED |= {"lsp": {"asyncio", "attrs", "difflib", "socket"}}
COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "build": ["build", "net.yaml"],
    "check": ["check", "net.yaml"],
    "wrong": ["check", "wrong.yaml"],
    "recipe": ["check", "recipe.yaml"],
    "diff": ["diff", "net.yaml", "wider.yaml"],
    "draw": ["draw", "net.yaml", "-o", "net.svg"],
    "explain": ["explain", "CNN030"],
    "fmt": ["fmt", "net.yaml"],
    "import": ["import", "model.yaml"],
    "layers": ["layers"],
    "layer": ["layers", "Conv2d"],
    "lsp": ["lsp"],
    "new": ["new", "mine"],
    "runs": ["runs"],
    "schema": ["schema"],
    "shapes": ["shapes", "net.yaml"],
    "sizes": ["sizes", "net.yaml"],
    "sweep": ["sweep", "wide.yaml", "-p", "width=8,16"],
    "trace": ["trace", "net.yaml", "0"],
    "zoo": ["zoo", "lenet"],
}
NET = "input: [1, 28, 28]\nnetwork: [Conv2d: [8, 3], ReLU, Flatten, Linear: 10]\n"
FILES = {
    "net.yaml": NET,
    "wider.yaml": NET.replace("[8, 3]", "[16, 3]"),
    "wrong.yaml": NET.replace("ReLU", "ReLUU"),
    "wide.yaml": f"{NET.replace('[8,', '[$width,')}params: {{width: 8}}\n",
    "model.yaml": "nc: 2\nbackbone:\n  - [-1, 1, Conv, [16, 3, 2]]\nhead:\n  - [-1, 1, Conv, [16, 3]]\n",
    "recipe.yaml": f"{NET}train: {{dataset: FashionMNIST, optimizer: {{SGD: 0.1}}, epochs: 1, batch_size: 8}}\n",
}
#: Verbs that compute tensors.
WITH_TENSORS = {"train", "eval", "predict", "inspect", "export"}
#: Verbs that run until they are stopped.
SERVERS = {"lsp", "serve"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_loads_what_it_needs(name: str, tmp_path: Path, update: bool) -> None:
    for file, text in FILES.items():
        (tmp_path / file).write_text(text)
    found = loaded(COMMANDS[name], tmp_path)
    assert found.code == (name in ("wrong", "diff"))
    unwanted = (FORBIDDEN - ALLOWED.get(name, set())) & {*found.packages, *found.standard}
    assert not unwanted
    ours = by_folder(found.cnndsl)
    counted = {"cnndsl": ours, "packages": found.packages, "standard library": len(found.standard)}
    known = recorded("loaded", name, counted, update)
    assert ours == known["cnndsl"], "other modules than before: review them, then `--update`"
    assert {*found.packages} <= {*known["packages"]}
    assert len(found.standard) <= MARGIN * known["standard library"], found.standard


def by_folder(modules: list[str]) -> dict[str, list[str]]:
    """Modules of cnndsl by the folder that they are in."""
    found: dict[str, list[str]] = {}
    for module in modules:
        folder, _, name = module.rpartition(".")
        found.setdefault(folder or module, []).append(name)
    return found


def test_every_verb_without_tensors_is_watched() -> None:
    assert {command[0] for command in COMMANDS.values()} >= VERBS.keys() - WITH_TENSORS - SERVERS


@pytest.mark.parametrize("verb", ["check", "shapes"])
def test_a_spec_and_what_it_extends_and_uses_are_opened_once(verb: str, tmp_path: Path) -> None:
    opened = [Path(path).name for path in loaded([verb, "zoo:resnet152"], tmp_path).specs]
    assert sorted(opened) == ["resnet152.yaml", "resnet18.yaml", "resnet50.yaml"]


# --- what is done once ---------------------------------------------------------------------------

#: How often a command does what it needs to do once.
ONCE = {
    "check": {"spec/tree.py:read": 3, "graph/elaborate.py:elaborate": 1, "graph/check.py:check_graph": 1},
    "shapes": {"spec/tree.py:read": 3, "graph/elaborate.py:elaborate": 1, "emit/table/rows.py:Table.of": 1},
    "draw": {"spec/tree.py:read": 3, "graph/elaborate.py:elaborate": 1, "emit/diagram/__init__.py:diagram": 1},
    "build": {
        **{"spec/tree.py:read": 3, "graph/elaborate.py:elaborate": 1, "emit/source/torch/file.py:emit": 1},
        **{"emit/diagram/__init__.py:diagram": 1, "emit/table/rows.py:Table.of": 1},
    },
}


@pytest.mark.parametrize("verb", ONCE)
def test_a_command_does_once_what_is_needed_once(verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = {"draw": ["-o", "net.svg"]}.get(verb, [])

    def command() -> None:
        with suppress(SystemExit):
            cli.main([verb, "zoo:resnet152", *options], prog_name="cnndsl", standalone_mode=False)

    found = done(command).calls
    assert {name: found[name] for name in ONCE[verb]} == ONCE[verb]


# --- what grows with a network -------------------------------------------------------------------

LIMITS = cnndsl.Limits(**LARGE)
BY_NAME = {form.__name__: form for form in FORMS}
#: Forms that differ in what a stage does: modules, merges, and no two layers alike.
VARIED = ["nested", "branch", "different"]
#: Stages of a network that is compiled already.
STAGES: dict[str, Callable[[cnndsl.Network], object]] = {
    "table": lambda net: as_plain(Table.of(net.graph, None)),
    "diagram": lambda net: net.diagram(fold=False).source,
    "source": lambda net: net.source(),
}
SIZES = (250, 500, 750)
STEP = 250


def network(form: str, layers: int) -> cnndsl.Network:
    return cnndsl.loads(spec(BY_NAME[form], layers), limits=LIMITS)


def check_growth(key: str, counted: list[Done], update: bool) -> None:
    """Calls and lines grow with the number of layers, and by no more per layer than was counted before."""
    calls, lines = (
        [(more - less) / STEP for less, more in pairwise(numbers)]
        for numbers in ([each.calls.total() for each in counted], [each.lines for each in counted])
    )
    known = recorded("growth", key, {"calls": round(calls[1], 1), "lines": round(lines[1], 1)}, update)
    most = [f"{number / STEP:.1f} {name}" for name, number in (counted[2].calls - counted[1].calls).most_common(12)]
    for what, (first, second) in {"calls": calls, "lines": lines}.items():
        assert second <= 1.02 * first, f"more {what} for each layer in a larger network: {most}"
        assert second <= MARGIN * known[what], f"{what} of each layer: {most}"


@pytest.mark.parametrize("form", BY_NAME)
def test_a_compile_grows_with_the_layers(form: str, update: bool) -> None:
    _ = network(form, SIZES[0]).cost  # imports and first-time caches
    check_growth(f"compile, {form}", [done(lambda size=size: network(form, size).cost) for size in SIZES], update)


@pytest.mark.parametrize("form", VARIED)
@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_grows_with_the_layers(stage: str, form: str, update: bool) -> None:
    work = STAGES[stage]
    work(network(form, SIZES[0]))
    nets = [network(form, size) for size in SIZES]
    check_growth(f"{stage}, {form}", [done(lambda net=net: work(net)) for net in nets], update)


@pytest.mark.parametrize("form", ["flat", "different"])
def test_formatting_grows_with_the_layers(form: str, update: bool) -> None:
    texts = [spec(BY_NAME[form], size) for size in SIZES]
    format(texts[0])
    check_growth(f"fmt, {form}", [done(lambda text=text: format(text)) for text in texts], update)


@pytest.mark.parametrize("form", VARIED)
def test_memory_grows_with_the_layers(form: str, update: bool) -> None:
    _ = network(form, SIZES[0])
    found = [memory(lambda size=size: network(form, size)) for size in SIZES]
    kept = [(more[0] - less[0]) / STEP for less, more in pairwise(found)]
    peak = found[2][1] / SIZES[2]
    counted = {"kept": round(kept[1]), "peak": round(peak)}
    known = recorded("bytes", form, counted, update)
    assert kept[1] <= 1.15 * kept[0], f"more bytes for each layer in a larger network: {kept}"
    assert kept[1] <= MARGIN * known["kept"] and peak <= MARGIN * known["peak"]


# --- rules and passes ----------------------------------------------------------------------------

NETWORKS = ["resnet152", "densenet201", "efficientnet_b7", "googlenet", "vgg11"]


def different_calls(graph: Graph) -> int:
    """The number of different calls of layers: of different arguments, or on different shapes. A reuse is its own."""
    layers = graph.root.layers
    made = {(repr(item.layer), (*item.written,), item.input.shape) for item in layers if not item.reuse}
    return len(made) + sum(item.reuse for item in layers)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_rules_of_a_layer_run_once_for_equal_calls(name: str) -> None:
    found = done(lambda: cnndsl.load(f"zoo:torchvision/{name}").cost).calls
    rules = Counter[str]()
    for function, number in found.items():
        if function.startswith("layers/"):
            rules[function.rpartition(".")[2]] += number
    most = different_calls(cnndsl.load(f"zoo:torchvision/{name}").graph)
    for rule in ("bind", "result", "output", "macs"):
        assert 0 < rules[rule] <= most, rule


@pytest.mark.parametrize("name", NETWORKS)
def test_a_compile_passes_over_the_network_a_few_times(
    name: str, update: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = len(cnndsl.load(f"zoo:torchvision/{name}").graph.root.everything)
    found = round(visits(lambda: cnndsl.load(f"zoo:torchvision/{name}").cost, monkeypatch) / size, 1)
    assert found <= recorded("passes", name, found, update)


# --- imports -------------------------------------------------------------------------------------


def chain(count: int) -> Any:
    """Equal layers, whose runs could be parted anywhere."""
    from torch import nn

    return nn.Sequential(*(layer for _ in range(count) for layer in (nn.Conv2d(3, 3, 1), nn.ReLU())))


def blocks(count: int) -> Any:
    """Blocks of one class, which are rounds of a loop."""
    from torch import nn
    from torchvision.ops import Conv2dNormActivation

    return nn.Sequential(Conv2dNormActivation(3, 8, 1), *(Conv2dNormActivation(8, 8) for _ in range(count)))


IMPORTED = {"chain": chain, "blocks": blocks}


@pytest.mark.parametrize("form", IMPORTED)
def test_an_import_grows_with_the_module(form: str) -> None:
    from cnndsl.importing.convert import convert

    make = IMPORTED[form]
    convert(make(12), {"x": (3, 8, 8)})  # imports and first-time caches
    less, more = (done(lambda size=size: convert(make(size), {"x": (3, 8, 8)})).calls.total() for size in (100, 200))
    assert more <= 2.1 * less
