"""The rules of docs/language.md, each by a small spec."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import cnndsl
from cnndsl.diagnostics import Diagnostic
from cnndsl.emit.table import Shapes
from cnndsl.source import Source, Span
from cnndsl.spec.evaluation import Environment, evaluate
from cnndsl.spec.functions import FUNCTIONS
from cnndsl.spec.tree import Scalar, plain, read
from cnndsl.spec.values import Fault, parse_value


def _sample(output: Shapes) -> tuple[int, ...]:
    """The shape of a sample; of the current tensor, if a module returns several."""
    shape = [*output.values()][-1] if isinstance(output, Mapping) else output
    return tuple(shape[1:])


def rows(network: str, shape: str = "[3, 8, 8]", **params: object) -> list[tuple[str, str, tuple[int, ...]]]:
    """Path, layer and shape of a sample for every row of a network."""
    head = f"input: {shape}\n" if "network:" in network else f"input: {shape}\nnetwork:\n"
    body = dedent(network) if "network:" in network else "\n".join(f"  {line}" for line in dedent(network).splitlines())
    net = cnndsl.loads(f"{head}{body}\n", **params)
    return [(row.path, row.layer, _sample(row.output)) for row in net.shapes().rows]


def codes(spec: str) -> list[tuple[str, int, int]]:
    """Code, line and column of every error."""
    found = [fault for fault in cnndsl.check(cnndsl.Text(dedent(spec))) if fault.is_error]
    return [(fault.code.id, fault.span.line, fault.span.column) for fault in found if fault.span]


# --- steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        "Conv2d: [6, 3]",
        "Conv2d: {out_channels: 6, kernel_size: 3}",
        "Conv2d: {in_channels: 3, out_channels: 6, kernel_size: [3, 3]}",
    ],
)
def test_arguments_by_name_and_by_position(written: str) -> None:
    assert rows(f"- {written}") == [("0", "Conv2d", (6, 6, 6))]


def test_a_list_is_the_one_argument_of_a_layer_that_takes_one_list() -> None:
    assert [shape for *_, shape in rows("- Reshape: [12, 16]\n- Permute: [0, 2, 1]")] == [(12, 16), (16, 12)]
    assert rows("- ZeroPad2d: [1, 0, 2, 0]")[0][2] == (3, 10, 9)


def test_children_of_a_chain_are_called_by_index_others_by_kind_and_count() -> None:
    chain = "- ReLU\n- {name: second, ReLU: }\n- repeat: [ReLU]\n  times: 2"
    assert [path for path, *_ in rows(chain)] == ["0", "second", "2", "3"]
    other = "- Conv2d: [3, 1]\n- residual: [Conv2d: [3, 1], BatchNorm2d, {name: mine, ReLU: }, ReLU]\n- Conv2d: [3, 1]"
    assert [path for path, *_ in rows(other)] == ["conv1", "conv2", "bn1", "mine", "relu2", "add1", "conv3"]


def test_blocks_and_sequentials_are_modules_lists_are_not() -> None:
    spec = """
    blocks:
      B(c): [Conv2d: [$c, 1]]
    network:
      - B: 4
      - {name: stem, sequential: [ReLU, repeat: [ReLU], times: 1]}
      - repeat: [B: 5]
        times: 1
    """.replace("repeat: [ReLU], times: 1", "{repeat: [ReLU], times: 1}")
    assert [path for path, *_ in rows(spec)] == ["0", "0.0", "stem", "stem.0", "stem.1", "2", "2.0"]


def test_repeat_over_lists_and_numbers() -> None:
    spec = """
    - repeat: [Conv2d: [$c, $k]]
      for: [c, k]
      in: [[4, 1], [5, 3]]
    - repeat: [Conv2d: [$(i + 1), 1]]
      for: i
      in: $(range(2))
    """
    assert [shape for *_, shape in rows(spec)] == [(4, 8, 8), (5, 6, 6), (1, 6, 6), (2, 6, 6)]
    assert rows("- repeat: [ReLU]\n  times: 0\n- Flatten") == [("0", "Flatten", (192,))]


def test_branches_concatenate_add_multiply_and_split() -> None:
    assert rows("- branch: [[], [Conv2d: [5, 1]]]")[-1] == ("concat1", "concat", (8, 8, 8))
    assert rows("- branch: [[], [Conv2d: [3, 1]]]\n  merge: add")[-1] == ("add1", "add", (3, 8, 8))
    scale = "- branch: [[], [AdaptiveAvgPool2d: 1]]\n  merge: multiply"
    assert rows(scale)[-1] == ("multiply1", "multiply", (3, 8, 8))
    assert rows("- branch: [[], []]\n  dim: 2")[-1][2] == (3, 16, 8)
    even = rows("- branch: [[], [Conv2d: [9, 1]]]\n  split: true", "[4, 8, 8]")
    assert even[-1][2] == (11, 8, 8)
    uneven = "- branch: [[Conv2d: [7, 1]], []]\n  split: [1, 2]"
    assert rows(uneven)[-1][2] == (9, 8, 8)


@pytest.mark.parametrize(
    ("shortcut", "merged"),
    [
        ("", True),
        ("shortcut: true", True),
        ("shortcut: false", False),
        ("shortcut: $(input.channels == 4)", False),
        ("shortcut: [Conv2d: [3, 1]]", True),
    ],
)
def test_shortcuts(shortcut: str, merged: bool) -> None:
    kinds = [layer for _, layer, _ in rows(f"- residual: [ReLU]\n  {shortcut}")]
    assert ("add" in kinds) is merged


def test_dense_concatenates_to_its_input() -> None:
    shapes = [
        shape for _, layer, shape in rows("- dense: [BatchNorm2d, Conv2d: [2, 1]]\n  times: 3") if layer == "concat"
    ]
    assert shapes == [(5, 8, 8), (7, 8, 8), (9, 8, 8)]


def test_from_reaches_any_earlier_step_of_the_module() -> None:
    spec = """\
    - repeat: [{name: skip$i, Conv2d: [$(4 + i), 1]}]
      for: i
      in: [0, 1]
    - branch: [[from: skip0], []]
    """
    assert rows(spec)[-1][2] == (9, 8, 8)


def test_reuse_counts_parameters_once_and_macs_twice() -> None:
    once = cnndsl.loads("input: [3, 8, 8]\nnetwork:\n  - {name: c, Conv2d: [3, 1]}\n")
    twice = cnndsl.loads("input: [3, 8, 8]\nnetwork:\n  - {name: c, Conv2d: [3, 1]}\n  - reuse: c\n")
    assert twice.cost.params == once.cost.params == sum(p.numel() for p in twice.module().parameters())
    assert twice.cost.macs == 2 * once.cost.macs


def test_when_else_let_and_input() -> None:
    spec = """\
    - let: {width: $(2 * input.channels)}
    - {Conv2d: [$width, 1], when: $(input.height > 4), else: [Flatten]}
    - {Conv2d: [1, 1], when: $(input.height > 8), else: [Flatten, Linear: $(input.features // 2)]}
    """
    assert rows(spec) == [("0", "Conv2d", (6, 8, 8)), ("1", "Flatten", (384,)), ("2", "Linear", (192,))]


@pytest.mark.parametrize("condition", ["$wide", "$(not wide)", "$(True if wide else False)"])
def test_a_text_is_no_condition(condition: str) -> None:
    spec = f"input: [3, 8, 8]\nparams: {{wide: no}}\nnetwork:\n  - {{ReLU: , when: {condition}}}\n"
    (fault,) = cnndsl.check(cnndsl.Text(spec))
    assert "the string 'no' is not a condition" in fault.message and "write `true` or `false`" in fault.help
    assert rows("params: {act: ReLU}\nnetwork:\n  - {$act: , when: $act}") == [("0", "ReLU", (3, 8, 8))]


def test_blocks_with_defaults_and_layers_as_parameters() -> None:
    spec = """
    params: {width: 4}
    blocks:
      B(c, act=ReLU, hidden=c * width):
        - Conv2d: [$hidden, 1]
        - {$act: , when: $(act != None)}
    network:
      - B: 1
      - B: {c: 2, act: {LeakyReLU: 0.1}}
      - B: {c: 2, act: null, hidden: 3}
    """
    assert [(layer, shape[0]) for _, layer, shape in rows(spec) if layer != "B"] == [
        ("Conv2d", 4),
        ("ReLU", 4),
        ("Conv2d", 8),
        ("LeakyReLU", 8),
        ("Conv2d", 3),
    ]


def test_named_inputs_and_several_outputs() -> None:
    import torch

    net = cnndsl.loads(
        dedent("""\
        input: {left: [3, 8, 8], right: [3, 8, 8]}
        outputs: [pair, score]
        network:
          - branch: [[{name: encoder, Conv2d: [4, 3]}], [from: right, reuse: encoder]]
            name: pair
          - Flatten
          - {name: score, Linear: 1}
        """)
    )
    left, right = torch.randn(2, 2, 3, 8, 8)
    out = net.module()(left, right)
    assert {name: tuple(tensor.shape) for name, tensor in out.items()} == {"pair": (2, 8, 6, 6), "score": (2, 1)}


def test_init_sets_the_weights_that_it_names() -> None:
    net = cnndsl.loads(
        "input: [3, 8, 8]\ninit: {Conv2d: {weight: {constant: {val: 2}}, bias: zeros}, Linear: {normal: {std: 0}}}\n"
        "network: [Conv2d: [4, 3], Flatten, Linear: 2]\n"
    ).module()
    assert (net[0].weight == 2).all() and (net[0].bias == 0).all()  # type: ignore[index,union-attr]
    assert (net[2].weight == 0).all() and (net[2].bias != 0).any()  # type: ignore[index,union-attr]


@pytest.mark.parametrize(
    ("expect", "kept"),
    [
        ("{output: [4, 6, 6]}", True),
        ("{output: [4, 6]}", False),
        ("{params: 112}", True),
        ('{params: "< 0.1K"}', False),
        ('{macs: ">= 3K"}', True),
    ],
)
def test_contracts(expect: str, kept: bool) -> None:
    spec = f"input: [3, 8, 8]\nexpect: {expect}\nnetwork: [Conv2d: [4, 3]]\n"
    assert codes(spec) == [] if kept else [code for code, *_ in codes(spec)] == ["CNN037"]


def test_extends_merges_and_calls_replace(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "input: [3, 8, 8]\nparams: {a: 1, b: 2}\n"
        "train: {epochs: 3, optimizer: {SGD: {lr: 0.1}}}\nnetwork: [Conv2d: [$(a + b), 1]]\n"
    )
    (tmp_path / "own.yaml").write_text("extends: base.yaml\nparams: {b: 5}\ntrain: {optimizer: {Adam: {lr: 0.2}}}\n")
    net = cnndsl.load(tmp_path / "own.yaml")
    assert net.name == "own"
    assert net.shapes().rows[0].output == (1, 6, 8, 8)
    assert plain(net.graph.document.tree.by_key["train"]) == {"epochs": 3, "optimizer": {"Adam": {"lr": 0.2}}}


@pytest.mark.parametrize("path", ["../out.yaml", "/etc/passwd", "http://example.org/x.yaml"])
def test_extends_does_not_leave_the_project(tmp_path: Path, path: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "out.yaml").write_text("input: [3]\nnetwork: [ReLU]\n")
    (project / "own.yaml").write_text(f"extends: {path}\ninput: [3]\nnetwork: [ReLU]\n")
    assert [fault.code.id for fault in cnndsl.check(project / "own.yaml")] == ["CNN008"]


def test_a_link_out_of_the_project_and_a_ring_are_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "out.yaml").write_text("input: [3]\nnetwork: [ReLU]\n")
    (project / "link.yaml").symlink_to(tmp_path / "out.yaml")
    (project / "own.yaml").write_text("use: link.yaml\ninput: [3]\nnetwork: [ReLU]\n")
    assert [fault.code.id for fault in cnndsl.check(project / "own.yaml")] == ["CNN008"]
    (project / "a.yaml").write_text("extends: b.yaml\ninput: [3]\nnetwork: [ReLU]\n")
    (project / "b.yaml").write_text("extends: a.yaml\n")
    assert [fault.code.id for fault in cnndsl.check(project / "a.yaml")] == ["CNN009"]


# --- faults --------------------------------------------------------------------------------------


def test_ten_independent_faults_are_ten_messages_in_one_run() -> None:
    spec = """\
    inputt: 3
    input: [3, 16, 16]
    blocks:
      Unlike:
        - residual: [Conv2d: [4, 3]]
      Large:
        - MaxPool2d: 99
    network:
      - branch:
          - [Conv2D: [4, 3]]
          - [Conv2d: {out_channels: 4, kernel: 3}]
          - [Conv2d: {out_channels: "4", kernel_size: 3}]
          - [Conv2d: [$widht, 3]]
          - [Conv2d: [$(7 / 2), 3]]
          - [Linear: {in_features: 4, out_features: 2}]
          - [Unlike]
          - [Large]
          - [from: nowhere]
    """
    assert codes(spec) == [
        ("CNN011", 1, 1),
        ("CNN033", 5, 7),
        ("CNN030", 7, 18),
        ("CNN014", 10, 10),
        ("CNN015", 11, 36),
        ("CNN010", 12, 33),
        ("CNN021", 13, 20),
        ("CNN010", 14, 19),
        ("CNN031", 15, 32),
        ("CNN035", 18, 16),
    ]


def test_one_fault_gives_one_message() -> None:
    spec = """\
    input: [3, 16, 16]
    network:
      - Conv2d: [4, 99]
      - BatchNorm2d
      - {Conv2d: [$(input.channels * 2), 3], when: $(input.height > 3)}
      - Linear: {in_features: 7, out_features: 3}
    """
    assert codes(spec) == [("CNN030", 3, 17)]


# --- texts, trees, expressions -------------------------------------------------------------------


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = "[no, on, 1e-3, 0x10, .5, ~, null, true, 1:30, 2024-01-01, '7', +3]\n"
    tree, faults = read(Source("x", text))
    assert faults == []
    assert plain(tree) == ["no", "on", 1e-3, 16, 0.5, None, None, True, "1:30", "2024-01-01", "7", 3]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_scalar_keeps_its_place(words: list[str], end: str) -> None:
    """Whatever stands before it on the line, and whatever ends the lines."""
    quoted = ['"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words]
    text = f"# é😀{end}- [{', '.join(quoted)}]{end}"
    tree, _ = read(Source("x", text))
    for item, written in zip(tree.items[0].items, quoted):  # type: ignore[union-attr]
        assert item.span.text == written
        assert (item.span.line, item.span.column) == (2, 1 + text.splitlines()[1].index(written, item.span.column - 1))


def value_of(text: str, **names: object) -> object:
    """What a text is worth. Raises Fault."""
    faults: list[Diagnostic] = []
    value = parse_value(Scalar(text, Span(Source("x", text), 0, len(text))), faults.append)
    if faults:
        raise Fault(faults[0].code, faults[0].message, faults[0].span or value.span)
    return evaluate(value, Environment(names))


NAMES = {"a": 3, "b": 2.5, "flag": True, "sizes": (1, 2, 4)}
ATOMS = st.sampled_from(["1", "2", "7", "0.5", "a", "b", "flag", "sizes[1]", "len(sizes)", "True", "max(a, 2)"])


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    binary = st.sampled_from(["+", "-", "*", "/", "//", "%", "<", "<=", "==", "!=", ">", "and", "or"])
    return st.one_of(
        st.tuples(inner, binary, inner).map(lambda parts: f"({' '.join(parts)})"),
        inner.map(lambda text: f"(not {text})"),
        inner.map(lambda text: f"(-{text})"),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
        st.tuples(inner, inner).map(lambda p: f"min({p[0]}, {p[1]})"),
    )


@settings(max_examples=500, derandomize=True, deadline=None)
@given(st.recursive(ATOMS, nested, max_leaves=8))
def test_arithmetic_is_pythons(text: str) -> None:
    try:
        wanted: object = eval(text, {"__builtins__": {}, "min": min, "max": max, "len": len}, dict(NAMES))
    except ArithmeticError:
        with pytest.raises(Fault):
            value_of(f"$({text})", **NAMES)
        return
    found = value_of(f"$({text})", **NAMES)
    assert type(found) is type(wanted) and found == wanted


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')", "a.real", "lambda: 1", "[x for x in sizes]", "f'{a}'", "(a := 3)", "a[0:1]",
        "{1: 2}", "{1}", "a << 3", "a @ a", "open('x')", "input.__class__", "sizes.count(1)", "9**9**9",
        "'a' * 10**9", "[0] * 10**9", "range(10**9)", "1 / 0", "sizes[9]", "a if b", "", "10**16", "a()()",
    ],
)  # fmt: skip
def test_what_expressions_have_not_is_refused(text: str) -> None:
    with pytest.raises(Fault):
        value_of(f"$({text})", **NAMES)


def test_functions_are_pythons_and_divisible_is_mobilenets() -> None:
    for name in ("min", "max", "abs", "round", "int", "len", "sum"):
        assert name in FUNCTIONS
    assert value_of("$(floor(2.7) + ceil(2.1))") == math.floor(2.7) + math.ceil(2.1)
    assert [value_of(f"$(divisible({v}))") for v in (1, 11, 12, 33, 37.5)] == [8, 16, 16, 32, 40]
    assert value_of("layer$(1 + 1)_$a", a=3) == "layer2_3"


# --- names with dots -----------------------------------------------------------------------------


def test_names_with_dots_make_lists_and_dicts() -> None:
    net = cnndsl.loads(
        dedent("""\
        input: [3, 8, 8]
        network:
          - {repeat: [{name: convs.$i, Conv2d: [4, 1]}, {name: norms.$(2 * i), BatchNorm2d: }], for: i, in: [0, 1]}
          - {name: heads.lambda.0, sequential: [Conv2d: [2, 1], ReLU]}
          - {name: x.0, branch: [[], [from: convs.0], [Conv2d: [4, 1], reuse: norms.0]]}
        """)
    )
    module = net.module()
    kinds = {name: type(child).__name__ for name, child in module.named_children()}
    assert kinds == {"convs": "ModuleList", "norms": "ModuleDict", "heads": "ModuleDict", "conv3": "Conv2d"}
    assert [*module.get_submodule("norms")._modules] == ["0", "2"]
    assert {"convs.1.weight", "norms.2.running_mean", "heads.lambda.0.0.bias"} <= module.state_dict().keys()
    assert net.shapes().rows[-1].path == "x.0"


def test_steps_with_dots_in_their_names_are_no_nn_sequential() -> None:
    spec = "- {name: convs.0, Conv2d: [4, 1]}\n- ReLU\n- {name: mid, sequential: [{name: a.b, ReLU: }, ReLU]}"
    assert [path for path, *_ in rows(spec)] == ["convs.0", "relu1", "mid", "mid.a.b", "mid.relu2"]


def test_a_tensor_with_dots_in_its_name_leaves_a_chain_a_chain() -> None:
    assert [path for path, *_ in rows("- ReLU\n- {name: a.b}\n- ReLU")] == ["0", "1"]


def test_an_output_of_a_module_in_a_list_goes_by_its_last_part() -> None:
    spec = """
    input: [3, 8, 8]
    blocks:
      Head: {outputs: [box, score], steps: [{name: box, Conv2d: [4, 1]}, {name: score, Conv2d: [2, 1]}]}
    network:
      - {name: heads.$(0), Head: }
      - {name: heads.1, Head: }
      - branch: [[from: heads.0.box], [from: heads.1.box], [from: heads.1]]
    """
    assert cnndsl.loads(dedent(spec)).graph.root.output.shape.sample == (10, 8, 8)


# --- blocks that are written out -----------------------------------------------------------------


def test_an_inlined_block_continues_the_numbers_of_a_chain() -> None:
    spec = """
    blocks:
      ConvReLU(c): [Conv2d: [$c, 1], ReLU]
      Twice(c): [{ConvReLU: $c, inline: true}, {ConvReLU: "$(2 * c)", inline: true}]
    network:
      - {Twice: 4, inline: true}
      - {name: last, sequential: [Sigmoid, {ConvReLU: 5, inline: true}]}
      - {ConvReLU: 6}
    """
    paths = ["0", "1", "2", "3", "last", "last.0", "last.1", "last.2", "5", "5.0", "5.1"]
    assert [path for path, *_ in rows(spec)] == paths


def test_an_inlined_block_that_is_no_chain_makes_none_of_the_module_around() -> None:
    spec = """
    blocks: {Plus: [ReLU, residual: [Conv2d: [3, 1]]], Around: [Sigmoid, {Plus: , inline: true, when: false}, ReLU]}
    network: [Around, {Plus: , inline: true}]
    """
    assert [path for path, *_ in rows(spec)] == [
        *("around1", "around1.sigmoid1", "around1.relu1", "relu1", "conv1", "add1"),
    ]


def test_names_of_an_inlined_block_are_names_of_the_module_around_and_not_the_other_way() -> None:
    spec = """
    blocks:
      Pair: {inputs: [x, skip], outputs: [both, one], steps: [
        {name: both, branch: [[from: input], [from: skip]]}, {name: one, Conv2d: [2, 1]}]}
    network:
      - {name: skip, Conv2d: [5, 1]}
      - {name: stem, Conv2d: [4, 1]}
      - {name: pair, Pair: , inputs: [stem, input], inline: true}
      - branch: [[from: both], [from: pair.both], [from: pair], [from: pair.one], [from: skip], [from: input]]
      - from: both
      - reuse: one
    """
    assert [row for row in rows(spec) if "." in row[0]] == []
    assert [row[2][0] for row in rows(spec)] == [5, 4, 7, 2, 7 + 7 + 2 + 2 + 5 + 3, 2]


def test_inline_changes_where_layers_are_and_not_what_they_compute() -> None:
    import torch

    text = dedent("""\
        input: [4, 6, 6]
        params: {width: 4}
        blocks:
          SE(hidden):
            - let: {c: $(input.channels)}
            - branch:
                - [from: input]
                - [AdaptiveAvgPool2d: 1, Conv2d: [$hidden, 1], ReLU, Conv2d: [$c, 1], Sigmoid]
              merge: multiply
        network:
          - Conv2d: [$width, 3]
          - {SE: 2}
          - Conv2d: [6, 1]
          - {SE: 3}
          - ReLU
        """)
    apart, flat = cnndsl.loads(text).module(), cnndsl.loads(re.sub(r"(SE: \d)", r"\1, inline: true", text)).module()
    assert [*flat.state_dict()] == [f"conv{n}.{tensor}" for n in range(1, 7) for tensor in ("weight", "bias")]
    flat.load_state_dict(dict(zip(flat.state_dict(), apart.state_dict().values())))
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(flat(x), apart(x), rtol=0, atol=0)


def test_a_flat_sequential_has_torchvisions_names() -> None:
    import torchvision

    spec = """
    input: [3, 32, 32]
    blocks:
      ConvBN(c): [Conv2d: {out_channels: $c, kernel_size: 3, padding: 1}, BatchNorm2d, ReLU]
      Stage(c, depth): [{repeat: [{ConvBN: $c, inline: true}], times: $depth}, MaxPool2d: [2, 2]]
      Features(stages): [{repeat: [{Stage: [$c, $depth], inline: true}], for: [c, depth], in: $stages}]
    network:
      - {name: features, Features: {stages: [[64, 1], [128, 1], [256, 2], [512, 2], [512, 2]]}}
    """
    features = cnndsl.loads(dedent(spec)).module().get_submodule("features")
    theirs = torchvision.models.vgg11_bn().features
    features.load_state_dict(theirs.state_dict())
    assert [type(layer) for layer in features] == [type(layer) for layer in theirs]  # type: ignore[arg-type]


def test_steps_without_a_module_share_a_condition() -> None:
    spec = """
    blocks:
      B(k): [{when: $(k > 1), steps: [Conv2d: [$k, 1], BatchNorm2d], else: [Identity]}, ReLU]
    network:
      - B: 1
      - B: 4
      - {name: both, steps: [Conv2d: [3, 1], {let: {w: 2}}, Conv2d: [$w, 1]]}
      - branch: [[from: both], [steps: [ReLU]]]
    """
    net = cnndsl.loads(f"input: [3, 8, 8]\n{dedent(spec)}")
    assert [row.path for row in net.shapes().rows] == [
        "b1", "b1.0", "b1.1", "b2", "b2.0", "b2.1", "b2.2", "conv1", "conv2", "relu1", "concat1",
    ]  # fmt: skip
    assert net.module()(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 8, 8)
    hidden = "input: [3, 8, 8]\nnetwork: [{steps: [let: {w: 2}]}, Conv2d: [$w, 1]]\n"
    assert [fault.code.id for fault in cnndsl.check(cnndsl.Text(hidden))] == ["CNN021"]
