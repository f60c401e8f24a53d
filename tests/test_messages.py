"""Help that is right: pasted into the spec it mends the fault, and PyTorch agrees with what it says of PyTorch."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from error_cases import FOLDER
from torch import nn
from torch.nn import functional

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code, Diagnostic, SpecError
from cnndsl.graph.graph import Apply, walk
from cnndsl.layers import LAYERS, Layer, Shape
from cnndsl.network import compile_spec
from cnndsl.spec import foreign
from cnndsl.spec.hints import meant_layer

# --- PyTorch's notation ----------------------------------------------------------------------------


def torch_order(layer: type[Layer]) -> list[str]:
    """The arguments that PyTorch itself takes by their order."""
    parameters = inspect.signature(getattr(nn, layer.__name__)).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in ("device", "dtype")]


def of_example(layer: type[Layer]) -> dict[str, Any]:
    """All arguments of a layer's example, those that are inferred too, in PyTorch's order."""
    return dict(layer.bind(layer.example, Shape(layer.example_input)).values)


def in_a_spec(step: str, layer: type[Layer]) -> dict[str, Any]:
    """The arguments of the one layer of a spec, as they were worked out."""
    net = cnndsl.loads(f"input: {list(layer.example_input[1:])}\nnetwork:\n  - {step}\n")
    (item,) = (item for _, item in walk(net.graph.root.body) if isinstance(item, Apply))
    assert item.kind == layer.__name__
    return dict(item.layer.values)


def pasted(help: str) -> str:
    found = re.fullmatch(r"(?:write |did you mean )`([^`]+)`\??", help)
    assert found, help
    return found[1]


OF_TORCH = [layer for name, layer in LAYERS.items() if hasattr(nn, name) and not layer.defined_in]


@pytest.mark.parametrize("layer", OF_TORCH, ids=lambda layer: layer.__name__)
def test_a_call_of_pytorchs_is_written_as_the_same_step(layer: type[Layer]) -> None:
    values = of_example(layer)
    order = [name for name in torch_order(layer) if name in values]
    written = [name for name in order if name in layer.example or layer.arguments[name].infer]
    needed = max((index + 1 for index, name in enumerate(order) if name in written), default=0)
    calls = [f"nn.{layer.__name__}({', '.join(repr(values[name]) for name in order[:needed])})"]
    calls.append(f"torch.nn.{layer.__name__}({', '.join(f'{name}={values[name]!r}' for name in written)})")
    for call in calls:
        given = {name: values[name] for name in (order[:needed] if call is calls[0] else written)}
        getattr(nn, layer.__name__)(**given)  # PyTorch takes it so
        assert (
            in_a_spec(pasted(meant_layer(call, LAYERS)), layer) == layer.bind(given, Shape(layer.example_input)).values
        )


@pytest.mark.parametrize("name", sorted(name for name in vars(functional) if not name.startswith("_")))
def test_a_function_of_pytorchs_takes_its_arguments_as_the_layer_does(name: str) -> None:
    """Up to the first flag, which is as far as help goes."""
    layer = {known.lower(): layer for known, layer in LAYERS.items()}.get(name.replace("_", ""))
    function = getattr(functional, name)
    if layer is None or not inspect.isfunction(function) or any(a.infer for a in layer.arguments.values()):
        return
    (_, *names), *_ = [*inspect.signature(function).parameters], ()
    for ours, theirs in zip(layer.positional(), names):
        if layer.arguments[ours].default in (True, False) and isinstance(layer.arguments[ours].default, bool):
            break
        assert ours == theirs or theirs in ("args", "kwargs", "training"), (name, names)


@pytest.mark.parametrize(
    ("call", "help"),
    [
        ("nn.Conv2d(3, 16, 3)", "write `Conv2d: [16, 3]`"),
        ("Conv2d(16, 3)", "write `Conv2d: [16, 3]`"),
        ("nn.Linear(512, 10, device=device)", "write `Linear: 10`"),
        ("nn.Conv2d(c, 2 * c, k[0])", 'write `Conv2d: [$(2 * c), "$(k[0])"]`'),
        ("nn.MaxPool2d((2, 2))", "write `MaxPool2d: [[2, 2]]`"),
        ("nn.Conv2d(*args)", "did you mean `Conv2d`?"),
        ("nn.Conv2d(3, 16, -3)", "did you mean `Conv2d`?"),
        ("nn.Conv2d(3, 16, open('x').read())", "did you mean `Conv2d`?"),
        ("nn.ReLU(inplace=True)", "write `ReLU: {inplace: true}`"),
        ("F.conv2d(x, w)", "did you mean `Conv2d`?"),
        ("F.leaky_relu(x, 0.2, True)", "did you mean `LeakyReLU`?"),
        ("x.view(-1, 10)", "`Reshape: [1, 28, 28]`, or `Flatten`"),
        ("keras.layers.Dense(10, use_bias=False)", "write `Linear: {out_features: 10, bias: false}`"),
        ("Conv2d(", "did you mean `Conv2d`?"),
        ("lambda x: x", ""),
        ("Conv2d" + "(" * 300, "did you mean `Conv2d`?"),
    ],
)  # fmt: skip
def test_calls_as_people_write_them(call: str, help: str) -> None:
    assert meant_layer(call, LAYERS) == help


# --- other tools -----------------------------------------------------------------------------------


def line_on(line: str) -> list[Diagnostic]:
    """What is said of a step on a tensor that it takes."""
    name = line.partition(":")[0]
    layer = LAYERS[name]
    shape = {"Reshape": [784]}.get(name) or [*layer.example_input[1:]]
    return [item for item in cnndsl.check(cnndsl.Text(f"input: {shape}\nnetwork:\n  - {line}\n")) if item.is_error]


@pytest.mark.parametrize("line", sorted({*foreign.LAYERS.values()}))
def test_layers_of_other_tools_are_shown_as_steps_that_compile(line: str) -> None:
    assert line_on(line) == []


@pytest.mark.parametrize("help", sorted({*foreign.STRUCTURE.values()}))
def test_what_is_said_of_structure_compiles(help: str) -> None:
    for line in re.findall(r"`([A-Z]\w+: [^`]+)`", help):
        assert line_on(line) == []


def test_words_of_other_tools_are_not_ours() -> None:
    """Except three, which merge tensors there and take one tensor here."""
    ours = {foreign.entry(name) for name in LAYERS}
    assert ours & {*foreign.LAYERS, *foreign.STRUCTURE} == {"add", "multiply", "sum"}
    known = {argument for layer in LAYERS.values() for argument in layer.arguments}
    assert {name for names in foreign.ARGUMENTS.values() for name in names} <= known


# --- pasted ----------------------------------------------------------------------------------------

#: Help whose text takes the place of what it is said of, or of the whole step.
_OF_VALUE = re.compile(r"[^`]*`([$\[\"(][^`]*)`\??")
_OF_STEP = re.compile(r"(?:write |use |did you mean )?`([A-Z]\w*(?:: [^`]*)?)`\??(?:, as in `.*`)?")
PASTED = [
    "CNN003-at", "CNN003-braces-flow", "CNN003-braces-mapping", "CNN003-index-flow", "CNN003-percent",
    "CNN003-quoted-part", "CNN003-quoted-part-flow", "CNN010-dollar", "CNN010-input-number", "CNN010-input-times",
    "CNN010-input-tuple", "CNN010-torch-order", "CNN010-tuples", "CNN014-other-tools", "CNN014-python",
    "CNN020-braces", "CNN020-comma-bare", "CNN030-channels-last", "CNN107-channels-last", "CNN107-mistaken",
]  # fmt: skip


def mended(path: Path) -> Iterator[tuple[Diagnostic, str]]:
    """Each fault of a case whose help can be pasted, with the spec as it is then."""
    for fault in compile_spec(path).diagnostics:
        text, span = path.read_text(), fault.span
        assert span is not None
        if span.source.name != str(path):
            continue
        if match := _OF_VALUE.match(fault.help):
            yield fault, text[: span.start] + match[1] + text[span.end :]
        elif match := _OF_STEP.fullmatch(fault.help):
            line = span.source.line(span.line)
            step = re.sub(r"- .*?(?=  #|$)", lambda _, step=match[1]: f"- {step}", line, count=1)
            yield fault, text.replace(line, step, 1)


def on(line: int, item: Diagnostic) -> bool:
    return item.span is not None and item.span.line == line


@pytest.mark.parametrize("name", PASTED)
def test_help_that_is_pasted_mends_the_fault(name: str) -> None:
    found = [*mended(FOLDER / f"{name}.yaml")]
    assert found
    for fault, text in found:
        assert fault.span is not None
        if fault.help.endswith("It was given as a string"):
            continue  # where it was given is another place
        after = [
            (item.code, item.message)
            for item in compile_spec(cnndsl.Text(text)).diagnostics
            if on(fault.span.line, item)
        ]
        assert (fault.code, fault.message) not in after, (fault, text)


# --- lists that are dealt out ----------------------------------------------------------------------

ROWS = """
input: [3, 8, 8]
params: {row: [8, 3], rows: [[8, 1], [4, 2]], pair: [2, 2], act: {LeakyReLU: [0.1]}, conv: {Conv2d: $row}}
blocks:
  Block(channels, kernel=1):
    - Conv2d: [$channels, $kernel]
    - $act
  Whole(widths):
    - Conv2d: ["$(widths[0])", 1]
network:
"""


@pytest.mark.parametrize(
    ("step", "written"),
    [
        ("Block: $row", "Block: [8, 3]"),
        ("Block: $(rows[1])", "Block: [4, 2]"),
        ("Block: $(row + [])", "Block: [8, 3]"),
        ("Block: $([8])", "Block: [8]"),
        ("Conv2d: $row", "Conv2d: [8, 3]"),
        ("MaxPool2d: $pair", "MaxPool2d: [2, 2]"),
        ("MaxPool2d: [$pair]", "MaxPool2d: [[2, 2]]"),
        ("AdaptiveAvgPool2d: $pair", "AdaptiveAvgPool2d: [2, 2]"),
        ("Whole: $row", "Whole: [[8, 3]]"),
        ("$conv", "Conv2d: [8, 3]"),
        ("{repeat: [Block: $r], for: r, in: $rows}", "{repeat: [Block: [$a, $b]], for: [a, b], in: $rows}"),
    ],
)
def test_a_list_that_is_worked_out_is_dealt_out_as_a_written_one(step: str, written: str) -> None:
    worked_out, by_hand = (cnndsl.loads(f"{ROWS}  - {line}\n") for line in (step, written))
    assert worked_out.source() == by_hand.source()


def test_a_table_of_rows_is_readable_python() -> None:
    text = f"{ROWS}  - Pair: [[8, 3], [4, 1]]\n  - Pair: [[6, 2], [4, 1]]\n".replace(
        "network:", "  Pair(first, second):\n    - Block: $first\n    - Block: $second\nnetwork:"
    )
    source = cnndsl.loads(text).source()
    assert "Block(in_channels, first[0], kernel=first[1])" in source
    cnndsl.loads(text).module()


def test_the_arguments_of_a_recipe_are_dealt_out_too() -> None:
    text = """
input: [1, 28, 28]
params: {crop: [28, 4]}
network: [Flatten, Linear: 10]
train: {dataset: FashionMNIST, epochs: 1, batch_size: 2, optimizer: SGD, augment: [RandomCrop: $crop]}
"""
    recipe = compile_spec(cnndsl.Text(text)).recipe
    assert recipe is not None
    assert [dict(call.arguments) for call in recipe.augment] == [{"size": 28, "padding": 4}]


# --- inputs by their names -------------------------------------------------------------------------


def test_the_first_input_goes_by_its_name_too() -> None:
    text = """
input: {left: [3, 8, 8]}
network:
  - Conv2d: [8, 1]
  - {name: deep, ReLU: }
  - branch: [[from: left], [from: deep]]
"""
    net = cnndsl.loads(text)
    assert tuple(net.graph.outputs["output"].shape) == (1, 11, 8, 8)
    assert "torch.cat([left," in net.source()
    net.module()


def test_an_input_without_a_name_takes_none() -> None:
    text = "input: [3, 8, 8]\nnetwork:\n  - {name: x, ReLU: }\n  - {from: x}\n"
    assert [item.code for item in cnndsl.check(cnndsl.Text(text)) if item.is_error] == []
    (fault,) = cnndsl.check(cnndsl.Text("input: [3, 8, 8]\nnetwork:\n  - ReLU\n  - {from: x}\n"))
    assert fault.code is Code.FROM


# --- one fault, one message ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["CNN016-outputs", "CNN017-layer", "CNN010-torch-order", "CNN010-tuples"])
def test_consequences_of_a_fault_are_not_told(name: str) -> None:
    lines = [item.span.line for item in compile_spec(FOLDER / f"{name}.yaml").diagnostics if item.span]
    assert len(lines) == len({*lines})


# --- wrong options ---------------------------------------------------------------------------------

SPEC = "input: [1, 8, 8]\nparams: {width: 4, classes: 10}\nnetwork: [Flatten, Linear: $classes]\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC.replace("$classes", "$(classes + width)"))
    return path


@pytest.mark.parametrize(
    "option",
    [("-p", "widht=3"), ("-p", "width"), ("--set", "network.9=ReLU"), ("--set", "nmae=x"), ("-p", "width=[1")],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "command", [("check",), ("shapes",), ("build",), ("draw", "-o", "net.svg"), ("train",)], ids=" ".join
)
def test_a_wrong_option_is_wrong_usage(
    spec: Path, option: tuple[str, str], command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(spec.parent)
    done = CliRunner().invoke(cli, [*command, spec.name, *option])
    assert done.exit_code == 2
    assert [path.name for path in spec.parent.iterdir()] == ["net.yaml"]


@pytest.mark.parametrize("form", ["text", "concise", "json", "github", "sarif"])
def test_every_format_tells_an_unknown_parameter(spec: Path, form: str) -> None:
    done = CliRunner().invoke(cli, ["check", str(spec), "--format", form, "-p", "depth=3"])
    assert done.exit_code == 2
    assert "the spec has no parameter `depth`" in done.output
    assert form == "concise" or "there are `width`, `classes`" in done.output
    if form == "json":
        assert [item["code"] for item in json.loads(done.stdout)] == ["CNN018"]


def test_a_fault_of_the_spec_is_none_of_usage(spec: Path) -> None:
    spec.write_text(SPEC.replace("$classes", "$clases"))
    assert CliRunner().invoke(cli, ["check", str(spec), "-p", "width=3"]).exit_code == 1


def test_python_is_told_the_parameters_that_there_are() -> None:
    with pytest.raises(SpecError) as caught:
        cnndsl.loads(SPEC, widht=3)
    (fault,) = (item for item in caught.value.diagnostics if item.is_error)
    assert (fault.code, fault.help) == (Code.PARAM, "did you mean `width`? there are `width`, `classes`")


SHAPES = ([8], [3, 5], [3, 8, 8], [3, 4, 8, 8], [2, 3, 4, 8, 8])
LISTS = ("", "8", "[8, 3]", "[3, 8, 3]", "[3, 8, 3, 1, 1, 1, 1, false, zeros]", "$w", "$row", "[[2, 2]]")


@pytest.mark.parametrize("name", LAYERS)
def test_any_list_of_arguments_ends_in_a_network_or_in_diagnostics(name: str) -> None:
    for shape, arguments in product(SHAPES, LISTS):
        spec = f"input: {shape}\nparams: {{w: 3, row: [3, 8, 3]}}\nnetwork:\n  - {name}: {arguments}\n"
        for item in cnndsl.check(cnndsl.Text(spec)):
            item.render()
