"""Every layer with every argument through the whole pipeline, held against torch; see :mod:`layer_matrix`.

One case of each value runs here, on a sample and by a notation that change from value to value. `make test-matrix` runs
all cases.
"""

from __future__ import annotations

import json
import linecache
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from math import prod
from typing import Any

import pytest
import torch
from emitting import assert_faithful, samples, torch_class
from layer_matrix import DECISIONS, MOST, Case, attempt, cases, not_asked, one_of_each, ran, values
from test_recipe_tables import CALLED, use
from torch import nn

import cnndsl
from cnndsl.diagnostics import Diagnostic
from cnndsl.graph.graph import Apply, walk
from cnndsl.layers import INITIALIZERS, LAYERS, Initializer, Layer, Refused
from cnndsl.layers.function import Calls, Function
from cnndsl.network import Compilation, Network, compile_spec
from cnndsl.recipe.transforms import Transform
from cnndsl.spec.words import MERGES, PAIRS

every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Modules of thousands of specs are not kept."""
    yield
    for name in [name for name in sys.modules if name.startswith("cnndsl._emitted")]:
        del sys.modules[name]
    linecache.clearcache()


@every_layer
def test_an_argument(layer: type[Layer]) -> None:
    assert not [*problems(one_of_each(cases(layer)))]


@pytest.mark.exhaustive
@every_layer
def test_every_argument(layer: type[Layer]) -> None:
    assert not [*problems(cases(layer))]


def problems(chosen: Iterable[Case]) -> Iterator[str]:
    """What is wrong with cases, in words; at best nothing."""
    for case in chosen:
        compiled = compile_spec(cnndsl.Text(case.spec))
        errors = [fault for fault in compiled.diagnostics if fault.is_error]
        found = refused(case, errors[0]) if errors else accepted(case, compiled)
        yield from (f"{case}: {text}" for text in found)


def refused(case: Case, fault: Diagnostic) -> Iterator[str]:
    """torch refuses it too, unless that is a decision."""
    if not_asked(case, fault):
        return
    torchs = ran(case)
    if not torchs.error and not any(decided(case, fault, torchs) for decided in DECISIONS.values()):
        yield f"torch takes it, and we say: {fault.message}"


def accepted(case: Case, compiled: Compilation) -> Iterator[str]:
    """It builds, runs and can be scripted, has the shapes that torch's has, and is laid out anew unchanged."""
    assert compiled.graph is not None
    net = Network(compiled.graph)
    (layer,) = [item for _, item in walk(compiled.graph.root.body) if isinstance(item, Apply)]
    if prod(layer.layer.padded(layer.input.shape)) > MOST:
        return
    found = attempt(net.module, case)
    if found.error:
        yield f"torch refuses it: {found.error}"
        return
    if layer.output.shape.sample != found.output:
        yield f"the output is {layer.output.shape}, torch's {found.output}"
    if (*layer.layer.parameters().values(),) != found.parameters:
        yield f"the parameters are {layer.layer.parameters()}, torch's {found.parameters}"
    if net.cost.params != sum(map(prod, found.parameters)) or len(net.shapes().rows) < 1:
        yield "the parameters are not added up"
    if compile_spec(cnndsl.Text(cnndsl.format(case.spec))).graph is None:
        yield "laid out anew it does not compile"
    if max(map(prod, (found.output, *found.parameters))) < MOST and scripts(case):
        try:
            torch.jit.script(net.module())
        except Exception as error:
            yield f"torch.jit.script refuses it: {error}"


#: torchvision's own cannot be scripted.
UNSCRIPTED = ("DropBlock2d", "DropBlock3d")


def scripts(case: Case) -> bool:
    """Whether torch can script such a layer, which it cannot where a list leaves an axis as it is, ``[null, 1]``."""
    gaps = any(isinstance(value, tuple) and None in value for value in case.arguments.values())
    return not gaps and case.name not in UNSCRIPTED


@pytest.mark.parametrize("name", UNSCRIPTED)
def test_what_is_not_scripted_cannot_be(name: str) -> None:
    with pytest.raises(RuntimeError):
        torch.jit.script(torch_class(LAYERS[name])(0.1, 3))


# --- functions of torch's ----------------------------------------------------------------------------

#: The arguments that functions need, such as fit any other.
NEEDED: dict[str, Any] = {
    "val": 1.0, "sparsity": 0.1, "max_lr": 0.5, "base_lr": 0.1, "step_size": 2, "milestones": (1, 2), "gamma": 0.5,
    "T_max": 3, "T_0": 2, "size": 8, "degrees": 10, "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5), "padding": 1,
}  # fmt: skip
#: Those whose arguments are values: schedulers of schedulers are made of these.
PLAIN = {
    name: function
    for name, function in CALLED.items()
    if not any(isinstance(argument.kind, Calls) for argument in function.arguments.values())
}
#: The layouts of weights that an initializer is tried on.
WEIGHTS = ((4,), (1,), (4, 3), (1, 1), (4, 2, 3, 3), (2, 2, 1), (1, 1, 1, 1, 1))


def calls(function: Function) -> Iterator[dict[str, Any]]:
    """A function with each argument at its extremes, as far as its table takes them."""
    needed = {name: NEEDED.get(name) for name, argument in function.arguments.items() if argument.required}
    for name, argument in function.arguments.items():
        for value in values(argument.kind, 2):
            written = needed | {name: tuple(value) if isinstance(value, list) else value}
            try:
                bound = function.bind(written)
            except Refused:
                continue
            yield {name: bound[name] for name in written}


@pytest.mark.parametrize("initializer", INITIALIZERS.values(), ids=INITIALIZERS)
def test_an_initializer_at_its_extremes(initializer: Initializer) -> None:
    for given in calls(initializer):
        for shape in WEIGHTS:
            try:
                initializer.admit(initializer.bind(given), shape)
            except Refused:
                continue
            getattr(nn.init, f"{initializer.name}_")(torch.zeros(shape), **given)


@pytest.mark.parametrize("function", PLAIN.values(), ids=PLAIN)
def test_a_function_of_a_recipe_at_its_extremes(function: Function) -> None:
    """torch makes it and it does its work once. An image of billions of pixels is refused with its network."""
    for given in calls(function):
        items = [item for value in given.values() for item in (value if isinstance(value, tuple) else (value,))]
        if not (isinstance(function, Transform) and any(type(item) is int and item > 1000 for item in items)):
            use(function, given)


# --- what the matrix found, one by one -------------------------------------------------------------


def test_numbers_are_emitted_as_floats() -> None:
    """`torch.jit.script` takes no int for a float, wherever it comes from: an argument, a list, a block, `init`."""
    net = cnndsl.loads(
        "input: [4, 8, 8]\n"
        "blocks:\n"
        "  Block(momentum, p=0):\n"
        "    - BatchNorm2d: {momentum: $momentum}\n"
        "    - Dropout: $p\n"
        "    - Scale: $(p * 2)\n"
        "network:\n"
        "  - BatchNorm2d: {eps: 1, momentum: 0}\n"
        "  - LeakyReLU: 0\n"
        "  - ELU: 2\n"
        "  - Upsample: {scale_factor: [2, 1]}\n"
        "  - StochasticDepth: [0, row]\n"
        "  - Block: 0\n"
        "  - Block: [0.25, 0.5]\n"
        "init: {Scale: {constant: 0}}\n"
    )
    source = net.source()
    for text in (
        "eps=1.0, momentum=0.0",
        "negative_slope=0.0",
        "alpha=2.0",
        "scale_factor=(2.0, 1.0)",
        'StochasticDepth(0.0, "row")',
        "momentum: float, p: float = 0.0",
        "val=0.0",
    ):
        assert text in source
    torch.jit.script(assert_faithful(net))


@pytest.mark.parametrize("split", ["true", "[4]"])
@pytest.mark.parametrize("merge", sorted({*MERGES} - {*PAIRS}))
def test_a_split_into_one_part_is_the_tensor(split: str, merge: str) -> None:
    spec = f"input: [4, 6, 6]\nnetwork: [{{branch: [[ReLU]], split: {split}, merge: {merge}}}]\n"
    assert "chunk" not in cnndsl.loads(spec).source()
    assert_faithful(cnndsl.loads(spec))


def _structures() -> Iterator[list[Any]]:
    """Steps that give structure, at the ends of what they take."""
    conv = {"Conv2d": [4, 1]}
    branches: list[list[Any]] = [[[]], [["ReLU"]], [[], []], [["Sigmoid"], ["Tanh"], []], [[conv], ["ReLU"]]]
    for merge in MERGES:
        for each in branches:
            for options in (
                {},
                {"split": True},
                {"split": [4]},
                {"split": [1, 3]},
                {"split": [2, 2]},
                *({"dim": dim} for dim in (0, 1, 2, -1, -3, -4, 4, -5)),
            ):
                yield [{"branch": each, "merge": merge, **options}]
    for word in ("repeat", "dense"):
        for body in ([], ["ReLU"], [conv], [{"branch": [["ReLU"], []], "merge": "add"}]):
            for times in (0, 1, 2):
                yield [{word: body, "times": times}]
                yield [{"residual": [{word: body, "times": times}]}, "Sigmoid"]
            yield [{word: body, "for": "i", "in": []}]
    for body in ([], ["ReLU"], [conv]):
        for shortcut in ([], ["ReLU"], True, False):
            yield [{"residual": body, "shortcut": shortcut}]
    for condition in (True, False):
        yield [{"when": condition, "ReLU": None, "else": []}]


def test_structures_at_their_ends() -> None:
    compiled = 0
    for steps in _structures():
        spec = f"input: [4, 3, 3]\nnetwork: {json.dumps(steps)}\n"
        if not any(fault.is_error for fault in cnndsl.check(cnndsl.Text(spec))):
            net = cnndsl.loads(spec)
            torch.jit.script(assert_faithful(net))(*samples(net))
            compiled += 1
    assert compiled > 100


def test_decisions_are_few() -> None:
    """Each is listed in the docs: a new one is told there."""
    assert len(DECISIONS) == 6
    assert all(len([*group]) == 1 for _, group in groupby(sorted(DECISIONS)))
