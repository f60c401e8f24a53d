"""Whole documents: what they extend and use, parameters, settings, signatures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import cnndsl
from cnndsl.diagnostics import Code
from cnndsl.network import compile_spec
from cnndsl.source import Source, Span
from cnndsl.spec.document import read_document
from cnndsl.spec.signature import parse_signature
from cnndsl.spec.tree import plain
from cnndsl.spec.values import Fault

BASE = """\
name: base
input: [1, 8, 8]
params: {width: 4, double: $(2 * width), act: {LeakyReLU: {negative_slope: 0.1}}}
blocks:
  Stem(c): [{Conv2d: [$c, 1]}]
  Tail: [Flatten]
init: {Conv2d: xavier_uniform}
train: {epochs: 1, optimizer: {SGD: {lr: 0.1, momentum: 0.9}}}
network: [{Stem: $double}, $act, Tail]
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "base.yaml"
    path.write_text(BASE)
    return path


def extended(base: Path, text: str) -> Path:
    path = base.with_name("own.yaml")
    path.write_text(f"extends: base.yaml\n{text}")
    return path


def layers(path: Path, **params: object) -> list[tuple[str, tuple[int, ...]]]:
    return [(row.layer, tuple(row.output[1:])) for row in cnndsl.load(path, **params).shapes().rows]


# --- extends and use -----------------------------------------------------------------------------


def test_an_overridden_parameter_keeps_its_place(base: Path) -> None:
    assert layers(extended(base, "params: {width: 5}\n"))[0] == ("Stem", (10, 8, 8))


def test_a_misspelt_extends_or_use_costs_one_error_not_all_that_it_brings(base: Path) -> None:
    own = base.with_name("own.yaml")
    own.write_text("extnds: base.yaml\nuses: parts.yaml\nnetwork: [Stem: 4, Part]\n")
    base.with_name("parts.yaml").write_text("blocks: {Part: [ReLU]}\n")
    assert [(item.code.id, item.help) for item in cnndsl.check(own) if item.is_error] == [
        ("CNN011", "did you mean `extends`?"),
        ("CNN011", "did you mean `use`?"),
    ]


def test_single_blocks_and_inits_merge_though_they_look_like_calls(base: Path) -> None:
    path = extended(base, "blocks: {Other: [ReLU]}\ninit: {Linear: ones}\n")
    document = read_document(path).document
    assert document is not None
    assert set(document.blocks) == {"Stem", "Tail", "Other"}
    assert {line.layer.name for line in document.init} == {"Conv2d", "Linear"}


def test_calls_of_one_name_merge_and_of_another_replace(base: Path) -> None:
    def train(text: str) -> object:
        document = read_document(extended(base, text)).document
        assert document is not None
        return plain(document.tree.by_key["train"])["optimizer"]

    assert train("train: {optimizer: {SGD: {lr: 1}}}\n") == {"SGD": {"lr": 1, "momentum": 0.9}}
    assert train("train: {optimizer: {Adam: {lr: 1}}}\n") == {"Adam": {"lr": 1}}
    assert layers(extended(base, "params: {act: {ELU: 2}}\n"))[2][0] == "ELU"


def test_a_block_replaces_the_one_of_its_name_whatever_the_signature(base: Path) -> None:
    assert layers(extended(base, "blocks:\n  Stem(c, k=1): [{Conv2d: [$(c + k), 1]}]\n"))[0][1] == (9, 8, 8)


def test_the_same_block_may_come_on_two_ways(tmp_path: Path) -> None:
    (tmp_path / "d.yaml").write_text("blocks: {D: [ReLU]}\n")
    for name in "bc":
        (tmp_path / f"{name}.yaml").write_text(f"use: d.yaml\nblocks: {{{name.upper()}: [D]}}\n")
    (tmp_path / "a.yaml").write_text("use: [b.yaml, c.yaml]\ninput: [3]\nnetwork: [B, C]\n")
    assert cnndsl.check(tmp_path / "a.yaml") == []


def test_specs_that_use_two_that_use_two_are_read_once_each(tmp_path: Path) -> None:
    for number in range(25):
        following = f"use: [n{number + 1}.yaml, n{number + 1}.yaml]\n" if number < 24 else ""
        (tmp_path / f"n{number}.yaml").write_text(f"{following}blocks: {{B{number}: [ReLU]}}\n")
    (tmp_path / "net.yaml").write_text("use: n0.yaml\ninput: [3]\nnetwork: [B24]\n")
    assert cnndsl.check(tmp_path / "net.yaml") == []


# --- parameters and settings ---------------------------------------------------------------------


def test_parameters_from_python_and_from_the_command_line(base: Path) -> None:
    assert layers(base, width=3)[0][1] == (6, 8, 8)
    graph = compile_spec(base, given=["width=3", "act=ReLU"]).graph
    assert graph is not None and graph.root.params["width"] == 3 and graph.root.params["act"] == "ReLU"
    assert layers(base, double=7)[0][1] == (7, 8, 8)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"widht": 3}, Code.PARAM), ({"width": object()}, Code.TYPE),
        ({"width": float("nan")}, Code.TYPE), ({"width": 2**60}, Code.SCALAR),
    ],
)  # fmt: skip
def test_parameters_that_are_refused(base: Path, params: Mapping[str, object], code: Code) -> None:
    assert [fault.code for fault in cnndsl.check(base, **params)] == [code]


def _within_itself() -> list[object]:
    found: list[object] = []
    found.append(found)
    return found


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"widht": 3}, "the spec has no parameter `widht`"),
        ({"width": [1, float("inf")]}, "a number is not finite, or far beyond 2^53"),
        ({"width": 10**5000}, "a number is not finite, or far beyond 2^53"),
        ({"width": _within_itself()}, "it contains itself, or is nested too deep"),
        ({"width": {1}}, "set is not a type that specs have"),
        ({"width": 2**60}, "is beyond 2^53"),
    ],
)
def test_the_place_of_an_argument_is_its_name(base: Path, params: Mapping[str, object], message: str) -> None:
    (fault,) = cnndsl.check(base, **params)
    first, *more = fault.render().splitlines()
    assert first.startswith(f"argument {next(iter(params))}: error[{fault.code.id}]: ")
    assert first.endswith(message)
    assert all(line.startswith("  = help: ") for line in more)


@pytest.mark.parametrize("given", ["widht=3", "width", "=3", "width=[1", "width=010"])
def test_command_line_parameters_that_are_refused(base: Path, given: str) -> None:
    faults = [fault for fault in compile_spec(base, given=[given]).diagnostics if fault.is_error]
    assert len(faults) == 1 and faults[0].span is not None
    assert faults[0].span.source.name.startswith("-p ")


def test_settings_reach_keys_positions_and_blocks(base: Path) -> None:
    settings = ["network.1=ReLU", "blocks.Stem.0.Conv2d.1=3", "input.0=2", "train.epochs=9"]
    graph = compile_spec(base, settings=settings).graph
    assert graph is not None
    assert [tuple(t.shape) for t in (*graph.inputs.values(), *graph.outputs.values())] == [(1, 2, 8, 8), (1, 288)]
    assert plain(graph.document.tree.by_key["train"])["epochs"] == 9


@pytest.mark.parametrize("setting", ["network.9=ReLU", "network.x=ReLU", "name.x=3", "nmae=x", "network", "input.-1=3"])
def test_settings_that_do_not_fit(base: Path, setting: str) -> None:
    faults = [fault for fault in compile_spec(base, settings=[setting]).diagnostics if fault.is_error]
    assert len(faults) == 1 and faults[0].code in (Code.KEY, Code.PARAM)


# --- signatures ----------------------------------------------------------------------------------


def signature(text: str) -> tuple[str, list[tuple[str, str]]]:
    name, parameters = parse_signature(text, Span(Source("x", text), 0, len(text)))
    return name, [(parameter.name, parameter.span.text) for parameter in parameters]


def test_signatures_and_the_places_in_them() -> None:
    assert signature("Pair") == ("Pair", [])
    assert signature("Pair()") == ("Pair", [])
    assert signature("B(c, k=3,  act=ReLU)") == ("B", [("c", "c"), ("k", "k"), ("act", "act")])


@pytest.mark.parametrize(
    "text",
    [
        "b", "B(", "B(a", "B(a, a)", "B(*a)", "B(a, /)", "B(*, a)", "B(**a)", "B(a: int)", "B(a=1, b)", "B(a=$b)",
        "B(a): pass; x = (1)",
        "B(a: 0 #)", "B(a) -> (b)", "B(a): (b)", "B(a: 0, lambda b)", "B(a=open('x'))",
        "B(class)", "B(input)", "B(A)", "B(__a)", "B(é)",
        "B.C(a)", "B" * 65, "B(" + "a" * 65 + ")", "B(a=" + "(" * 300 + ")",
    ],
)  # fmt: skip
def test_signatures_that_are_refused(text: str) -> None:
    with pytest.raises(Fault):
        signature(text)


def test_blocks_past_the_limit_are_refused_and_nothing_else_is_said() -> None:
    names = [f"Block{number}" for number in range(1002)]
    blocks = "".join(f"  {name}: [ReLU]\n" for name in names)
    text = "input: [1, 8, 8]\nblocks:\n" + blocks + "network:\n" + "".join(f"  - {name}\n" for name in names)
    (fault,) = cnndsl.check(cnndsl.Text(text))
    assert (fault.code, fault.message) == (Code.LIMIT, "more than 1000 blocks")


def test_an_empty_path_is_not_the_current_folder() -> None:
    with pytest.raises(cnndsl.SpecError, match="the path of the spec is empty"):
        cnndsl.load("")
