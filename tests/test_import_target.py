"""What people may write as the target of an import, and the guess of its input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cnndsl
from cnndsl.diagnostics import Code, RunError
from cnndsl.importing.guess import guess_input
from cnndsl.importing.target import argument, build, find

NET = """
import torch
from torch import nn

{imports}

class Part(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)

    def forward(self, x):
        return self.conv(x)

class Net(nn.Module):
    def __init__(self, width=4, act=nn.ReLU, *, rates=()):
        super().__init__()
        self.part, self.act, self.rates = Part(width), act(), rates

    def forward(self, image):
        return self.act(self.part(image))

def make(depth):
    return nn.Sequential(*(nn.Linear(4, 4) for _ in range(depth)))

def pair():
    return Net(), Net()

class Holder:
    net = Net(7)
    make = staticmethod(make)

text = "no module"

def broken():
    raise ValueError("no luck")

if __name__ == "__main__":
    raise SystemExit("this must not run")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    path, modules = list(sys.path), set(sys.modules)
    (tmp_path / "net.py").write_text(NET.format(imports=""))
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if (file := getattr(sys.modules[name], "__file__", None)) and str(tmp_path) in file:
            del sys.modules[name]


def fails(what: Any) -> tuple[str, str]:
    with pytest.raises(RunError) as error:
        what()
    assert error.value.diagnostic.code is Code.TARGET
    return error.value.diagnostic.message, error.value.diagnostic.help


def test_classes_functions_and_modules_of_a_file(folder: Path) -> None:
    built = build(find("net.py:Net"), {"width": 6})
    assert built.module.part.conv.out_channels == 6 and built.target.name == "Net"
    assert built.arguments[built.module] == {"width": 6, "act": nn.ReLU, "rates": ()}
    assert built.arguments[built.module.part] == {"width": 6}
    assert len(build(find("net.py:make"), {"depth": 3}).module) == 3
    assert build(find("net.py:Holder.net")).module.part.conv.out_channels == 7
    assert find("net.py:Holder.make").name == "make"
    assert build(find(f"{folder}/net.py:Net")).module.part


def test_a_module_of_a_package(folder: Path) -> None:
    (folder / "models").mkdir()
    (folder / "models" / "__init__.py").write_text("")
    (folder / "models" / "own.py").write_text("from torch import nn\nclass Block(nn.ReLU): pass\n")
    (folder / "models" / "net.py").write_text(NET.format(imports="from .own import Block"))
    for text in ("models.net:Net", "models/net.py:Net"):
        assert build(find(text)).module.part
    assert sys.modules["models.net"].Net is type(build(find("models.net:Net")).module)


def test_a_file_imports_its_neighbours(folder: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "tracer_neighbour.py").write_text("width = 5\n")
    (folder / "code" / "net.py").write_text(NET.format(imports="from tracer_neighbour import width"))
    assert build(find("code/net.py:Net")).module
    assert "net" not in sys.modules


def test_what_a_file_prints_is_not_output(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "loud.py").write_text("print('loaded')\n" + NET.format(imports=""))
    find("loud.py:Net")
    assert capsys.readouterr() == ("", "loaded\n")


def test_a_file_without_a_name(folder: Path) -> None:
    message, help = fails(lambda: find("net.py"))
    assert message == "`net.py` defines 2 classes of modules"
    assert help == "name one of its modules: `net.py:Part`, `net.py:Net`"
    (folder / "one.py").write_text("from torch import nn\nclass Only(nn.ReLU): pass\n")
    assert find("one.py").name == "Only"
    spec = "{name: tiny, input: [3, 8, 8], blocks: {A: [{Conv2d: [3, 1]}]}, network: [A, {Reshape: [8, 24]}]}"
    (folder / "tiny.py").write_text(cnndsl.loads(spec).source())
    assert find("tiny.py").name == "Tiny"
    (folder / "none.py").write_text("from torch import nn\n")
    assert fails(lambda: find("none.py")) == (
        "`none.py` defines no class of modules", "write `none.py:NAME` for a function that gives a module",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("nat.py:Net", "there is no file `nat.py`", "did you mean `net.py`?"),
        ("net.py:Nett", "`net.py` has no `Nett`", "did you mean `Net`?"),
        ("net.py:X", "`net.py` has no `X`", "name one of its modules: `net.py:Part`, `net.py:Net`"),
        ("net.py:Holder.nat", "`Holder` has no `nat`", "did you mean `net`?"),
        ("net.py:text", "`net.py:text` is a `str`, not a class, a function or a module", ""),
        ("tracer_none.x:Net", "there is no module `tracer_none`", "it must be importable, or be in the current folder"),
        ("torch.nn:Conv2", "`torch.nn` has no `Conv2`", "did you mean `Conv2d`?"),
        ("x" * 300 + "/y.py:Net", f"there is no file `{'x' * 300}/y.py`", ""),
        ("a b", "`a b` is not a target", "write `package.module:Net`, `net.py:Net`, `timm:NAME` or `torchvision:NAME`"),
        ("", "`` is not a target", "write `package.module:Net`, `net.py:Net`, `timm:NAME` or `torchvision:NAME`"),
        ("torchvision:resnet19", "torchvision has no model `resnet19`", "did you mean `resnet18`?"),
        ("timm:resnet19", "timm has no model `resnet19`", "did you mean `resnet18`?"),
    ],
)  # fmt: skip
def test_targets_that_do_not_exist(folder: Path, text: str, message: str, help: str) -> None:
    if text.startswith("timm"):
        pytest.importorskip("timm")
    assert fails(lambda: find(text)) == (message, help)


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    assert fails(lambda: find("timm:resnet18")) == (
        "`timm:resnet18` needs timm, which is not installed", "pip install timm",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "arguments", "message", "help"),
    [
        ("net.py:Net", {"widht": 1}, "`net.py:Net` has no argument `widht`", "did you mean `width`?"),
        ("net.py:Net", {"x": 1}, "`net.py:Net` has no argument `x`", "it takes width, act, rates"),
        ("net.py:Part", {}, "`net.py:Part` needs a value for `width`",
         "write --arg width=VALUE, or name a function that makes the module with it"),
        ("net.py:broken", {}, "`net.py:broken` raises ValueError: no luck", ""),
        ("net.py:Net", {"width": "wide"}, "`net.py:Net` raises TypeError: ", ""),
        ("net.py:pair", {}, "`net.py:pair` gives a `tuple`, not an `nn.Module`",
         "write a function that gives one module"),
        ("net.py:Holder.net", {"width": 1}, "`net.py:Holder.net` is a module, which takes no arguments", ""),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(folder: Path, text: str, arguments: Any, message: str, help: str) -> None:
    said, helped = fails(lambda: build(find(text), arguments))
    assert said.startswith(message) and helped == help


def test_an_error_in_the_file_has_its_line(folder: Path) -> None:
    (folder / "bad.py").write_text("import torch\n\nwidth = 1 / 0\n")
    with pytest.raises(RunError) as error:
        find("bad.py:Net")
    assert error.value.diagnostic.message == "`bad.py` raises ZeroDivisionError: division by zero"
    assert [note.message for note in error.value.diagnostic.notes] == [f"at {folder}/bad.py:3"]
    (folder / "worse.py").write_text("import tracer_missing\n")
    assert (
        fails(lambda: find("worse.py:Net"))[0]
        == "`worse.py` raises ModuleNotFoundError: No module named 'tracer_missing'"
    )
    (folder / "worst.py").write_text("raise SystemExit(3)\n")
    assert fails(lambda: find("worst.py:Net"))[0] == "`worst.py` raises SystemExit: 3"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("width=3", 3), ("width=0.5", 0.5), ("width=[1, 2]", [1, 2]), ("width=null", None), ("width=true", True),
        ("width=wide", "wide"), ("width={a: 1}", {"a": 1}), ("width=torch.nn:SiLU", nn.SiLU), ("width=", ""),
        ("width=[torch.nn:ReLU, 'a=b']", [nn.ReLU, "a=b"]),
    ],
)  # fmt: skip
def test_values_of_arguments(text: str, value: Any) -> None:
    assert argument(text) == ("width", value)


@pytest.mark.parametrize("text", ["width", "=3", "wide width=3", "width=[1", "width=torch.nn:SiLUU", "width={1: {"])
def test_arguments_that_are_none(text: str) -> None:
    fails(lambda: argument(text))


def test_torchvision_without_weights() -> None:
    target = find("torchvision:googlenet")
    built = build(target, {"num_classes": 7}, "meta")
    assert built.module.fc.out_features == 7 and built.module.fc.weight.is_meta
    assert built.arguments[built.module]["num_classes"] == 7
    assert build(find("torchvision:regnet_x_400mf"), {}, "meta").module  # computes with tensors when it is made
    assert find("torchvision:inception_v3").sizes == (299,)
    assert find("torchvision:fcn_resnet50").fixed == {"weights": None, "weights_backbone": None}
    assert build(find("torchvision:ops.StochasticDepth"), {"p": 0.5, "mode": "row"}).module.p == 0.5


def test_the_same_network_with_another_argument(folder: Path) -> None:
    built = build(find("net.py:Net"), {"width": 6})
    other: Any = built.again({"width": 12})
    assert other.part.conv.weight.shape[0] == 12 and other.part.conv.weight.is_meta
    assert fails(lambda: built.again({"depth": 1}))[0] == "`net.py:Net` has no argument `depth`"
    assert fails(lambda: build(find("net.py:Holder.net")).again({"width": 1}))


def test_timm() -> None:
    pytest.importorskip("timm")
    built = build(find("timm:resnet10t"), {"num_classes": 3}, "meta")
    assert guess_input(built.module) == ({"x": (3, 176, 176)}, "from its `default_cfg`")


class Fixed(nn.Module):
    """Takes one size only."""

    def __init__(self, size: int, channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 2, 3)
        self.fc = nn.Linear(2 * (size - 2) ** 2, 3)

    def forward(self, image: torch.Tensor, other: Any = None) -> torch.Tensor:
        return self.fc(self.conv(image).flatten(1))


class LateStem(nn.Module):
    """Declares its first convolution last."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.stem = nn.Conv2d(8, 8, 3), nn.Conv2d(1, 8, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.body(self.stem(image))


class Double(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        return self.conv(left - right)


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (nn.Conv2d(5, 1, 3), {"input": (5, 224, 224)}),
        (nn.Sequential(nn.Conv1d(2, 1, 3)), {"input": (2, 224)}),
        (nn.Conv3d(1, 1, 3), {"input": (1, 32, 32, 32)}),
        (nn.Linear(12, 2), {"input": (12,)}),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 2)), {"input": (784,)}),
        (Fixed(28), {"image": (1, 28, 28)}),
        (Fixed(227, 3), {"image": (3, 227, 227)}),
        (LateStem(), {"image": (1, 224, 224)}),
        (Double(), {"left": (3, 224, 224), "right": (3, 224, 224)}),
        (nn.Sequential(nn.ConvTranspose2d(8, 4, 2)), {"input": (8, 224, 224)}),
    ],
)
def test_guesses(module: nn.Module, inputs: Any) -> None:
    assert guess_input(module)[0] == inputs


def test_what_cannot_be_guessed() -> None:
    with pytest.raises(RunError) as error:
        guess_input(Fixed(57))
    diagnostic = error.value.diagnostic
    assert diagnostic.code is Code.FORWARD and "20 shapes" in diagnostic.message and "--input" in diagnostic.help
    assert diagnostic.notes[0].message.startswith(
        "with 1,224,224: `forward` raises RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x98568 and 6050x3)"
    )
    assert f", at {__file__}:" in diagnostic.notes[0].message
    with pytest.raises(RunError, match="neither a convolution nor a linear layer"):
        guess_input(nn.ReLU())


def test_the_guess_takes_the_known_size_first() -> None:
    assert guess_input(nn.Conv2d(3, 1, 3), (299, 299))[0] == {"input": (3, 299, 299)}
