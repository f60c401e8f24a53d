"""``cnndsl import`` and ``cnndsl.from_module``: what they write, say and refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from safetensors.torch import load_file
from terminal import Setting, shown, streamed
from torch import nn

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Place, Refusal
from cnndsl.importing.refusals import diagnostics_of

NETS = '''\
"""Networks of one file."""
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, channels, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(channels // stride, channels, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(self.bn(self.conv(x)))


class Gate(nn.Module):
    """Reads the largest value, so it is no step of a spec."""

    def __init__(self, channels, scale=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.scale = scale

    def forward(self, x):
        order = torch.sort(x.flatten(2), 2)[0]
        return x * self.weight * self.scale + order[..., -1:].unsqueeze(-1)


class Net(nn.Module):
    """A small network."""

    def __init__(self, num_classes=10, width=8):
        super().__init__()
        self.stem = Block(2 * width, 2) if width < 0 else nn.Conv2d(3, width, 3, padding=1)
        self.one, self.two = Block(2 * width, 2), Block(4 * width, 2)
        self.fc = nn.Linear(4 * width, num_classes)
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        return self.fc(self.two(self.one(self.stem(x))).mean((2, 3)))


class Gated(Net):
    def __init__(self):
        super().__init__()
        self.gate, self.other = Gate(16), Gate(32, scale=0.5)

    def forward(self, x):
        return self.fc(self.other(self.two(self.gate(self.one(self.stem(x))))).mean((2, 3)))


class Branching(Net):
    def forward(self, x):
        y = self.one(self.stem(x))
        if y.sum() > 0:
            y = -y
        return self.fc(self.two(y).mean((2, 3)))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)

    def forward(self, left, right):
        return self.conv(left) - self.conv(right)


def raising():
    raise RuntimeError("no such thing")


def small(width=4):
    return Net(width=width)


made = Net(3)
'''

Import = Callable[..., Result]


@pytest.fixture
def run(own_folder: Path) -> Import:
    """Runs the command in a folder of its own, which has a file with networks."""
    (own_folder / "nets.py").write_text(NETS)

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(cli, ["import", *map(str, arguments)])

    return invoke


# --- what is written -----------------------------------------------------------------------------


def test_the_spec_goes_to_stdout_and_what_was_done_to_stderr(run: Import) -> None:
    result = run("nets.py:Net")
    assert result.exit_code == 0, result.stderr
    net = cnndsl.loads(result.stdout)
    assert net.graph.inputs["x"].shape == (1, 3, 224, 224) and net.cost.params == 6_410
    told = result.stderr.splitlines()
    assert told[0] == "nets.py:Net: input 3x224x224 (3 channels from the first convolution, a usual size)"
    assert told[1] == "warning[CNN113]: `unused` does not run in evaluation: the spec leaves out 2 tensors"
    assert told[3] == (
        "equal bit for bit: outputs and gradients for inputs of 1x3x64x80, 2x3x64x96 and 3x3x33x47, "
        "each with the spec compiled for it; outputs and statistics in training"
    )


def test_a_file_is_written_and_never_over_another(run: Import) -> None:
    result = run("nets.py:Net", "-o", "net.yaml", "--input", "3,32,32")
    assert (result.exit_code, result.stdout) == (0, "")
    text = Path("net.yaml").read_text()
    assert result.stderr.splitlines()[-1] == f"net.yaml: {len(text.splitlines())} lines"
    assert cnndsl.format(text) == text
    Path("net.yaml").write_text("mine")
    again = run("nets.py:Net", "-o", "net.yaml")
    assert again.exit_code == 2 and "net.yaml exists already" in again.stderr
    assert Path("net.yaml").read_text() == "mine"
    assert run("nets.py:Net", "-o", "net.yaml", "--input", "3,32,32", "--force").exit_code == 0
    assert Path("net.yaml").read_text() == text


def test_weights_load_into_the_spec(run: Import) -> None:
    assert run("nets.py:Net", "-o", "net.yaml", "--weights", "net.safetensors", "--input", "3x32x32").exit_code == 0
    module = cnndsl.load("net.yaml").module("net.safetensors")
    assert {*load_file("net.safetensors")} == {*module.state_dict()}
    built = CliRunner().invoke(cli, ["build", "net.yaml", "--weights", "net.safetensors"])
    assert built.exit_code == 0, built.stderr
    # Weights are ours, and may be replaced.
    assert run("nets.py:Net", "-o", "other.yaml", "--weights", "net.safetensors").exit_code == 0
    Path("theirs.safetensors").write_bytes(b"x")
    refused = run("nets.py:Net", "-o", "third.yaml", "--weights", "theirs.safetensors")
    assert refused.exit_code == 2 and "was not written by cnndsl" in refused.stderr
    assert not Path("third.yaml").exists()


def test_both_files_are_written_or_none(run: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnndsl.cli import import_

    def write(path: Path, data: bytes) -> None:
        if path.suffix == ".yaml":
            raise OSError(28, "No space left on device", str(path))
        path.write_bytes(data)

    monkeypatch.setattr(import_, "write_file", write)
    result = run("nets.py:Net", "-o", "net.yaml", "--weights", "net.safetensors")
    assert result.exit_code == 2 and "net.yaml cannot be written: No space left" in result.stderr
    assert [path.name for path in Path().iterdir()] == ["nets.py"] or not list(Path().glob("*.safetensors"))


@pytest.mark.parametrize(
    ("target", "options", "name", "params"),
    [
        ("nets.py:small", [], "small", 2_430),
        ("nets.py:small", ["--arg", "width=2"], "small", 1_150),
        ("nets:Net", ["--arg", "num_classes=3", "--name", "mine"], "mine", None),
        ("nets.py:made", [], "net", None),
        ("torchvision:squeezenet1_1", ["--arg", "num_classes=7"], "squezenet", None),
    ],
)  # fmt: skip
def test_targets(run: Import, target: str, options: list[str], name: str, params: int | None) -> None:
    result = run(target, *options)
    assert result.exit_code == 0, result.stderr
    assert yaml.safe_load(result.stdout)


def test_several_inputs_by_name_and_in_order(run: Import) -> None:
    both = run("nets.py:Two", "--input", "right=1,32,32", "--input", "1,32,32")
    assert both.exit_code == 0, both.stderr
    assert yaml.safe_load(both.stdout)["input"] == {"left": [1, 32, 32], "right": [1, 32, 32]}
    assert "nets.py:Two: input left 1x32x32, right 1x32x32\n" in both.stderr
    wrong = run("nets.py:Two", "--input", "rigt=1,32,32", "--input", "1,32,32")
    assert wrong.exit_code == 1 and "did you mean `right`?" in wrong.stderr


# --- what is refused -----------------------------------------------------------------------------


def test_control_flow_on_values_is_told_at_its_line(run: Import) -> None:
    result = run("nets.py:Branching", "-o", "net.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    line = NETS.splitlines().index("        if y.sum() > 0:") + 1
    assert f"nets.py:{line}:12: error[CNN217]" in result.stderr
    assert "        if y.sum() > 0:\n" in result.stderr and "more: cnndsl explain CNN217" in result.stderr
    assert not Path("net.yaml").exists()


@pytest.mark.parametrize("form", ["json", "github", "sarif", "concise"])
def test_refusals_for_programs(run: Import, form: str) -> None:
    assert run("nets.py:Net", "--format", form).exit_code == 2  # the spec and the report cannot both go to stdout
    result = run("nets.py:Branching", "--format", form, "-o", "net.yaml")
    assert result.exit_code == 1 and "CNN217" in result.stdout and "nets.py" in result.stdout
    assert "Traceback" not in result.stderr
    if form == "json":
        (found,) = json.loads(result.stdout)
        assert (found["code"], found["file"]) == ("CNN217", "nets.py") and "--leaf" in found["help"]
    fine = run("nets.py:Net", "--format", form, "-o", "net.yaml")
    assert fine.exit_code == 0 and "CNN217" not in fine.stdout
    unknown = run("nets.py:Nett", "--format", form, "-o", "other.yaml")
    assert unknown.exit_code == 2 and "CNN214" in unknown.stdout


def test_one_line_in_many_modules_is_told_once() -> None:
    place = Place(__file__, 3, 0, 4)
    refusals = [Refusal(Code.OPERATION, "`f` is no step", place, "", f"layer.{number}", "Odd") for number in range(5)]
    other = Refusal(Code.OPERATION, "`g` is no step", place, "", "layer.0", "Odd")
    several = diagnostics_of([*refusals, other])
    assert [item.message for item in several] == ["`f` is no step", "`g` is no step"]
    assert several[0].trail == ("layer.0 (Odd), layer.1 (Odd), layer.2 (Odd), and 2 more",)
    assert several[0].span is not None and several[0].span.text == "from"
    assert several[0].help == "keep the class as a layer of your own: `--leaf Odd`"


def test_columns_are_characters_whatever_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("x = 'ü'; y = f(x)\n")
    (found,) = diagnostics_of([Refusal(Code.OPERATION, "no", Place(str(path), 1, 14, 18))])
    assert found.span is not None and found.span.text == "f(x)"
    (lost,) = diagnostics_of([Refusal(Code.OPERATION, "no", Place(str(tmp_path / "gone.py"), 1, 0, 4))])
    assert lost.span is None


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nets.py:Nett"], 2, "did you mean `Net`?"),
        (["nets.py"], 2, "name one of its modules"),
        (["none.py:Net"], 2, "there is no file `none.py`"),
        (["nothing.at.all:Net"], 2, "nothing"),
        (["nets.py:Net", "--arg", "wdith=3"], 2, "did you mean `width`?"),
        (["nets.py:Net", "--arg", "width"], 2, "write `name=value`"),
        (["nets.py:raising"], 2, "no such thing"),
        (["nets.py:Net", "--input", "3,x"], 2, "3,x is not a shape"),
        (["nets.py:Net", "--input", "0,3"], 2, "is not a shape"),
        (["nets.py:Net", "--input", "4,32,32"], 1, "error[CNN215]"),
        (["nets.py:Net", "--name", "a-b"], 2, "`a-b` is not an identifier"),
        (["nets.py:Net", "--leaf", "Blok"], 2, "did you mean `Block`?"),
        (["nets.py:Net", "--weights", "x.pt"], 2, "must end in one of .safetensors"),
        (["nets.py:Net", "-o", "no/net.yaml"], 2, "there is no folder"),
        (["nets.py:Net", "-o", "net.yaml", "--weights", "no/w.safetensors"], 2, "there is no folder"),
        (["nets.py:Net", "-o", "."], 2, "exists already"),
        (["nets.py:Net", "-o", ""], 2, "the path is empty"),
        (["torchvision:resnet5"], 2, "did you mean `resnet50`?"),
        (["none.yaml"], 2, "CNN001"),
        (["none.yaml", "--leaf", "Conv"], 2, "--leaf is for modules"),
        (["none.yaml", "--arg", "size=s"], 2, "a model file takes `scale`"),
        ([], 2, "Missing argument 'TARGET'"),
    ],
)  # fmt: skip
def test_wrong_usage(run: Import, arguments: list[str], code: int, told: str) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.stderr
    assert told in result.stderr and "Traceback" not in result.stderr
    assert [path.name for path in Path().iterdir() if path.suffix != ".py" and path.name != "__pycache__"] == []


def test_a_spec_that_is_not_equal_is_kept_for_a_report_only(run: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    from cnndsl.importing import api

    real = api.convert

    def wrong(*arguments: object) -> object:
        made = real(*arguments)
        return type(made)(made.spec, made.text.replace("stride: 2", "stride: 1"), made.warnings, made.unused)

    monkeypatch.setattr(api, "convert", wrong)
    result = run("nets.py:Net", "-o", "net.yaml", "--input", "3,32,32")
    assert result.exit_code == 1 and not Path("net.yaml").exists()
    assert "error[CNN221]: the spec is not equal to the module" in result.stderr
    assert "`one.conv` (Conv2d) is the first layer that differs" in result.stderr
    kept = Path(result.stderr.splitlines()[-1].rpartition(": ")[2])
    assert "stride: 1" in kept.read_text()
    kept.unlink()


# --- layers of your own --------------------------------------------------------------------------


def test_a_leaf_is_a_plugin_from_end_to_end(run: Import, tmp_path: Path) -> None:
    refused = run("nets.py:Gated")
    assert refused.exit_code == 1 and "`--leaf Gate`" in refused.stderr
    result = run("nets.py:Gated", "--leaf", "Gate", "-o", "net.yaml", "--weights", "net.safetensors")
    assert result.exit_code == 0, result.stderr
    assert "equal bit for bit" in result.stderr and "--plugin my_layers" in result.stderr
    pasted = "\n".join(line[4:] for line in result.stderr.splitlines() if line.startswith("    ") or not line)
    Path("my_layers.py").write_text(pasted.strip() + "\n")
    command = ["build", "net.yaml", "--plugin", "my_layers", "--weights", "net.safetensors"]
    done = streamed(command, tmp_path)
    assert done.code == 0, done.stderr
    assert "from nets import Gate" in Path("build/gated/gated.py").read_text()
    assert "Gate" not in cnndsl.layers.LAYERS  # only for this import


def test_a_decorated_class_is_a_layer_without_being_named(run: Import, tmp_path: Path) -> None:
    decorated = NETS.replace("class Gate(", "import cnndsl\n@cnndsl.layer\nclass Gate(")
    Path("decorated.py").write_text(decorated)
    done = streamed(["import", "decorated:Gated", "-o", "net.yaml"], tmp_path)
    assert done.code == 0, done.stderr
    assert "the spec needs `--plugin decorated`" in done.stderr
    table = streamed(["shapes", "net.yaml", "--plugin", "decorated"], tmp_path)
    assert table.code == 0 and "Gate(32, scale=0.5)" in table.stdout


# --- Python --------------------------------------------------------------------------------------


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.spare = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x))


def test_from_module_gives_a_text_that_loads() -> None:
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    text = cnndsl.from_module(module, input=(1, 28, 28), name="tiny")
    net = cnndsl.loads(text)
    assert net.name == "tiny"
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(net.module(module.state_dict())(x), module(x))
    assert cnndsl.loads(cnndsl.from_module(module)).graph.inputs["x"].shape[1] == 1
    named = cnndsl.from_module(module, {"input": [1, 28, 28]}, prove=False)
    assert yaml.safe_load(named)["input"] in ([1, 28, 28], {"input": [1, 28, 28]})


def test_from_module_warns_of_what_is_left_out() -> None:
    with pytest.warns(UserWarning, match="CNN113.*`spare` does not run"):
        cnndsl.from_module(Plain(), (1, 8, 8))


def test_what_from_module_does_not_take() -> None:
    with pytest.raises(TypeError, match=r"a module must be an `nn\.Module`"):
        cnndsl.from_module("resnet18")  # type: ignore[arg-type]
    for shape in (28, (1, -1, 28), (), "3,4", {"x": 3}):
        with pytest.raises(TypeError, match="an input is a shape without the batch"):
            cnndsl.from_module(Plain(), shape)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the name `a b` is not an identifier"):
        cnndsl.from_module(Plain(), (1, 8, 8), name="a b")
    with pytest.raises(cnndsl.RunError, match="did you mean `Conv2d`"):
        cnndsl.from_module(Plain(), (1, 8, 8), leaves=["Conv2"])


def test_module_errors_have_all_reasons_and_can_be_pickled() -> None:
    import pickle

    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.fft2(torch.linalg.qr(x)[0]).real

    with pytest.raises(cnndsl.ModuleError) as caught:
        cnndsl.from_module(Odd(), (1, 8, 8))
    error = caught.value
    assert {item.code for item in error.diagnostics} == {Code.OPERATION} and "torch.fft.fft2(" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.draft == error.draft == ""


# --- terminals and streams -----------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 60])
def test_narrow_terminals(run: Import, tmp_path: Path, columns: int) -> None:
    screen = shown(["import", "nets.py:Branching"], tmp_path, Setting(columns))
    assert screen.code == 1 and "error[CNN217]" in screen.unbroken and "Traceback" not in screen.text
    screen = shown(["import", "nets.py:Net", "-o", "net.yaml"], tmp_path, Setting(columns))
    assert screen.code == 0 and "equal bit for bit" in screen.unbroken


def test_the_reader_of_a_pipe_may_go_away(run: Import, tmp_path: Path) -> None:
    done = streamed(["import", "nets.py:Net"], tmp_path, stdout="gone")
    assert done.code == 141 and "Traceback" not in done.stderr and "Broken" not in done.stderr


def test_a_model_file_of_ultralytics(run: Import, tmp_path: Path) -> None:
    rows = "backbone:\n  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, Conv, [32, 3, 2]]\n"
    Path("tiny.yaml").write_text(f"nc: 3\n{rows}head:\n  - [-1, 1, nn.AdaptiveAvgPool2d, [1]]\n")
    result = run("tiny.yaml", "-o", "spec.yaml")
    assert result.exit_code == 0, result.stderr
    assert cnndsl.load("spec.yaml").cost.params > 0
