"""The emitted source: clean, plain, the same everywhere, harmless, and at home in torch's tools."""

import ast
import copy
import inspect
import json
import os
import pickle
import subprocess
import sys
import traceback
import warnings
from pathlib import Path

import pytest
import torch
from emitting import assert_faithful, assert_same, ruff_complaints, samples
from torch import nn

import cnndsl
from cnndsl.graph.scope import TAKEN, TAKEN_KEYS
from cnndsl.network import compile_spec

ROOT = Path(__file__).parent.parent
ARCHS = sorted((ROOT / "archs").glob("*.yaml"))
every_arch = pytest.mark.parametrize("path", ARCHS, ids=lambda path: path.stem)

#: All that the emitter writes is made of these.
SYNTAX = {
    "Module", "Import", "ImportFrom", "alias", "ClassDef", "FunctionDef", "arguments", "arg", "Expr", "Return",
    "Assign",
    "AugAssign", "AnnAssign", "If", "For", "Name", "Attribute", "Call", "keyword", "Constant", "Tuple", "List", "Dict",
    "Subscript", "Slice", "Starred", "GeneratorExp", "comprehension", "BinOp", "UnaryOp", "BoolOp", "Compare", "IfExp",
    "JoinedStr",
    "FormattedValue", "Load", "Store", "Add", "Sub", "Mult", "Div", "FloorDiv", "Mod", "BitOr", "And", "Or",
    "Not", "USub",
    "UAdd", "Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot", "In", "NotIn",
}  # fmt: skip


SIZES = {"resnet18": 32, "googlenet": 64, "densenet": 32, "unet": 16}


def small(name: str) -> cnndsl.Network:
    """A network of the archs on small images."""
    size = SIZES[name]
    graph = compile_spec(ROOT / "archs" / f"{name}.yaml", settings=[f"input=[1, {size}, {size}]", "expect={}"]).graph
    assert graph is not None
    return cnndsl.Network(graph)


# --- style -----------------------------------------------------------------------------------------------


def test_sources_are_formatted_and_lint_clean(tmp_path: Path) -> None:
    for path in ARCHS:
        (tmp_path / f"{path.stem}.py").write_text(cnndsl.load(path).source())
    assert ruff_complaints(tmp_path) == ""


@every_arch
def test_sources_import_torch_and_nothing_else(path: Path) -> None:
    tree = ast.parse(cnndsl.load(path).source())
    assert {type(node).__name__ for node in ast.walk(tree)} <= SYNTAX
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert {str(module).partition(".")[0] for module in modules} <= {"torch", "torchvision"}


def test_resnet18_reads_like_a_persons() -> None:
    source = cnndsl.load(ROOT / "archs" / "resnet18.yaml").source()
    assert len(source.splitlines()) <= 100
    assert "self.downsample = nn.Conv2d(in_channels, channels, 1, stride=stride)" in source
    assert "return self.relu2(y + x)" in source


def test_the_same_bytes_whatever_the_hash_seed() -> None:
    program = "import sys, cnndsl\nfor path in sys.argv[1:]: print(cnndsl.load(path).source())"
    names = ["resnet18", "densenet", "unet", "googlenet"]
    command = [sys.executable, "-c", program, *(str(ROOT / "archs" / f"{name}.yaml") for name in names)]
    outputs = {
        subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(outputs) == 1


def test_resnet18_has_types(tmp_path: Path) -> None:
    file = tmp_path / "resnet18.py"
    file.write_text(cnndsl.load(ROOT / "archs" / "resnet18.yaml").source())
    command = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--cache-dir", str(tmp_path), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_file_of_it_is_all_that_a_program_needs(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(cnndsl.load(ROOT / "archs" / "lenet.yaml").source())
    program = (
        "import sys, torch, net\nprint(tuple(net.Lenet()(torch.zeros(2, 1, 28, 28)).shape), 'cnndsl' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "(2, 10) False\n"


# --- torch's tools -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "densenet", "unet", "googlenet"])
def test_torchscript(name: str) -> None:
    net = small(name)
    module = net.module().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(module)
    assert_same(scripted(*samples(net)), module(*samples(net)))


@pytest.mark.parametrize("name", ["resnet18", "unet"])
def test_export(name: str) -> None:
    net = small(name)
    module = net.module().eval()
    exported = torch.export.export(module, tuple(samples(net)))
    assert_same(exported.module()(*samples(net)), module(*samples(net)))


@pytest.mark.parametrize("name", ["resnet18", "densenet"])
def test_compile_as_one_graph(name: str) -> None:
    net = small(name)
    module = net.module().eval()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    assert_same(compiled(*samples(net)), module(*samples(net)))


def test_training_with_splits_compiles_as_one_graph() -> None:
    module = cnndsl.load("zoo:torchvision/shufflenet_v2_x0_5").module().train()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    assert compiled(torch.rand(2, 3, 64, 64)).shape == (2, 1000)


def test_deepcopy_pickle_hooks_and_print(tmp_path: Path) -> None:
    net = small("resnet18")
    module = net.module().eval()
    copied = copy.deepcopy(module)
    assert_same(copied(*samples(net)), module(*samples(net)))
    other = net.module().eval()
    other.load_state_dict(pickle.loads(pickle.dumps(module.state_dict())))
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert_same(other(*samples(net)), module(*samples(net)))
    whole = pickle.loads(pickle.dumps(module))
    assert_same(whole(*samples(net)), module(*samples(net)))
    seen: list[str] = []
    for path, child in module.named_modules():
        child.register_forward_hook(lambda layer, x, y, path=path: seen.append(path))
    module(*samples(net))
    assert sorted(seen) == sorted(path for path, _ in module.named_modules())
    assert "(downsample): Conv2d(64, 128, kernel_size=(1, 1), stride=(2, 2))" in str(module)


def test_the_source_can_be_read_where_it_runs() -> None:
    net = small("resnet18")
    module = net.module()
    assert inspect.getsource(type(module)) in net.source()
    assert "y = self.bn2(self.conv2(y))" in inspect.getsource(type(module[1][0]).forward)
    try:
        module(torch.zeros(1, 3, 32, 32))
    except RuntimeError as error:
        lines = [
            frame.line for frame in traceback.extract_tb(error.__traceback__) if "cnndsl._emitted" in frame.filename
        ]
        with pytest.raises(RuntimeError):
            module[1][0](torch.zeros(1, 3, 32, 32))
        assert not lines  # a plain nn.Sequential has no lines of its own
    with pytest.raises(RuntimeError) as caught:
        module[1][0](torch.zeros(1, 3, 32, 32))
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert "y = self.relu1(self.bn1(self.conv1(x)))" in [frame.line for frame in frames]


def test_a_module_is_built_once_a_source() -> None:
    first, second = small("unet"), small("unet")
    assert type(first.module()) is type(second.module())


# --- names -------------------------------------------------------------------------------------------------


def test_the_names_that_modules_have_are_taken() -> None:
    """What begins with `__` can be no name at all."""
    own = {name for module in (nn.Module(), nn.Sequential()) for name in dir(module) if not name.startswith("__")}
    assert own <= TAKEN
    assert {name for name in dir(nn.ModuleDict()) if not name.startswith("__")} <= TAKEN_KEYS


@pytest.mark.parametrize("name", ["forward", "training", "parameters", "add_module", "_modules", "_apply", "append"])
@pytest.mark.parametrize("step", ["ReLU: ", "sequential: [ReLU]"])
def test_names_that_modules_have_are_refused(name: str, step: str) -> None:
    faults = cnndsl.check(cnndsl.Text(f"input: [1, 8, 8]\nnetwork: [{{name: {name}, {step}}}]\n"))
    assert [fault.code.id for fault in faults] == ["CNN016"]


ODD = ["self", "torch", "nn", "layers", "layer", "i", "x", "y", "z", "range", "super", "list", "type", "init_weights",
       "in_channels", "branch1", "shortcut", "use_shortcut", "min", "len", "int", "str", "print", "_",
       "_1"]  # fmt: skip


def odd(name: str) -> cnndsl.Network:
    """`name` as that of a network, an input, a block's parameter, a step and an output."""
    image = name if name[0].islower() else "image"
    child = "child" if name in TAKEN else name
    return cnndsl.loads(
        f"""
name: {name}
input: {{{image}: [3, 6, 6], other: [3, 6, 6]}}
blocks:
  Block({name}, depth, flag=True):
    - residual:
        - {{name: {child}, Conv2d: {{out_channels: $({name} + 1), kernel_size: 3, padding: 1}}}}
        - repeat: [{{Conv2d: {{out_channels: $(input.channels), kernel_size: 1}}}}]
          times: $depth
        - Conv2d: {{out_channels: "$(max({name}, 2))", kernel_size: 1}}
      shortcut: [{{Conv2d: {{out_channels: "$(max({name}, 2))", kernel_size: 1}}, when: $flag}}]
  Chain({name}, act, n):
    - repeat:
        - Conv2d: {{out_channels: $({name}), kernel_size: 3, padding: 1}}
        - $act
      times: $n
network:
  - {{name: step, Block: [4, 1]}}
  - {{name: other_{name}, Block: [5, 1]}}
  - Chain: [4, ReLU, 2]
  - Chain: [6, SiLU, 3]
  - branch:
      - [{{from: other}}]
      - []
      - [{{from: step}}, ReLU]
  - {{name: last, Conv2d: [3, 1]}}
  - {{name: {child}, ReLU: }}
outputs: [last, {child}]
init: {{Conv2d: kaiming_normal}}
"""
    )


@pytest.mark.parametrize("name", ODD)
def test_odd_names_mean_nothing_else(name: str) -> None:
    assert_faithful(odd(name))


def test_odd_names_are_formatted(tmp_path: Path) -> None:
    for name in ODD:
        (tmp_path / f"odd_{name}.py").write_text(odd(name).source())
    assert ruff_complaints(tmp_path) == ""


@pytest.mark.parametrize(
    "name", ["Tensor", "Sequential2", "Torch", "Nn", "NotImplemented", "Net", "Reshaped", "Permuted"]
)
def test_odd_names_of_blocks(name: str) -> None:
    net = cnndsl.loads(
        f"""
name: {name.lower()}
input: [3, 6, 6]
blocks:
  {name}(c):
    - residual: [{{Conv2d: {{out_channels: $c, kernel_size: 3, padding: 1}}}}]
      shortcut: [{{Conv2d: [$c, 1]}}]
    - Permute: {{dims: [0, 2, 3, 1]}}
    - Permute: {{dims: [0, 3, 1, 2]}}
  Sequential:
    - ReLU
network:
  - Reshape: [3, 6, 6]
  - {name}: 4
  - {{name: sequential2, sequential: [{{name: a, ReLU: }}]}}
  - Sequential
  - {name}: 5
"""
    )
    assert_faithful(net)


@pytest.mark.parametrize("name", ["_", "_1", "_3d", "none", "tensor", "nn", "torch", "x", "permute", "a__b", "block"])
def test_odd_names_of_networks(name: str) -> None:
    net = cnndsl.loads(
        f"""
name: {name}
input: [3, 6, 6]
blocks:
  Block:
    - Permute: {{dims: [0, 2, 3, 1]}}
network: [Block, Block]
"""
    )
    assert_faithful(net)


# --- hostile texts -----------------------------------------------------------------------------------------

HOSTILE = [
    'ends with a quote"', '"""', "'''", '""" + __import__("os").getcwd() + """', "back\\slash \\",
    "\\" * 200, "\\N{DASH} \\x41 \\u12",
    "new\nline\n\n- x", "tab\tand\r\nreturn", "\x1b[31mred\x07", "\u202eright to left",
    "zero\u200bwidth \ufeff", "emoji 🧠 é ß",
    "{braces} %s $x ${x}", "# comment", "", "   ", "x" * 500, "x " * 300, "\u2028line\u2029", "a\u0085b",
    "\U000e0041 tag",
]  # fmt: skip


def described(text: str) -> cnndsl.Network | None:
    """A network with a description, None where that is refused."""
    try:
        return cnndsl.loads(f"description: {json.dumps(text)}\ninput: [1, 4, 4]\nnetwork: [ReLU]\n")
    except cnndsl.SpecError:
        return None


def parametrised(text: str) -> cnndsl.Network | None:
    """A network in which a text becomes a parameter of a class, None where it is refused."""
    steps = [
        {"Conv2d": [2, 1], "when": "$(mode == other)"},
        {"Conv2d": [3, 1], "when": "$(mode + 'x' != other)"},
    ]
    network = [{"Block": [text, "a"]}, {"Block": ["a", text]}, {"Block": ["b", "b"]}]
    spec = {"input": [1, 4, 4], "blocks": {"Block(mode, other)": steps}, "network": network}
    try:
        return cnndsl.loads(json.dumps(spec) + "\n")
    except cnndsl.SpecError:
        return None


def test_hostile_texts_are_not_all_refused() -> None:
    assert sum(described(text) is not None for text in HOSTILE) > len(HOSTILE) // 2
    assert sum(parametrised(text) is not None for text in HOSTILE) > len(HOSTILE) // 2


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_descriptions_stay_text(text: str) -> None:
    net = described(text)
    if net is None:
        return
    source = net.source()
    (network,) = (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef))
    documentation = ast.get_docstring(network)
    assert documentation is not None and documentation.endswith("Input: (N, 1, 4, 4); output: (N, 1, 4, 4).")
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(text.replace('"', "'").split()))
    assert "".join(documentation.rpartition("Input:")[0].split()) == "".join(shown.split())
    assert all(line.isprintable() for line in source.split("\n"))
    assert_faithful(net)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_stay_values(text: str) -> None:
    net = parametrised(text)
    if net is None:
        return
    assert {type(node).__name__ for node in ast.walk(ast.parse(net.source()))} <= SYNTAX
    assert_faithful(net)


def test_hostile_texts_are_formatted(tmp_path: Path) -> None:
    for number, text in enumerate(HOSTILE):
        for kind in (described, parametrised):
            if net := kind(text):
                (tmp_path / f"{kind.__name__}_{number}.py").write_text(net.source(), encoding="utf-8")
    assert ruff_complaints(tmp_path) == ""


def test_values_are_the_same_only_if_they_are_written_alike() -> None:
    """In Python 0.0 equals -0.0, and 1 equals 1.0 and True."""
    spec = "input: [2, 4, 4]\nblocks: {B(n): [Multiply: $n, ReLU]}\nnetwork:\n"
    steps = ["Multiply: 0.0", "Multiply: -0.0", "Multiply: -0.0", "B: 0.0", "B: -0.0", "B: 1", "B: 1.0"]
    network = cnndsl.loads(spec + "".join(f"  - {step}\n" for step in steps))
    for line in (
        "Multiply(0.0)",
        "*(Multiply(-0.0) for _ in range(2))",
        "B(0.0)",
        "B(-0.0)",
        "*(B(1.0) for _ in range(2))",
    ):
        assert f"            {line},\n" in network.source()
