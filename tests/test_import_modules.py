"""Modules as people have them: wrapped, compiled, not initialised, registered twice, noisy in training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.importing.guess import guess_input


def small() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())


def refusal(module: nn.Module, shape: Any = (3, 16, 16), **options: Any) -> Diagnostic:
    with pytest.raises(cnndsl.ModuleError) as error:
        cnndsl.from_module(module, shape, **options)
    (found,) = error.value.diagnostics
    return found


def line(diagnostic: Diagnostic) -> str:
    assert diagnostic.span
    return diagnostic.span.source.line(diagnostic.span.line).strip()


@pytest.mark.parametrize(
    ("made", "code", "told"),
    [
        (lambda: nn.Sequential(nn.LazyConv2d(4, 3)), Code.FORWARD, "`LazyConv2d` have no shapes yet"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, device="meta")), Code.FORWARD, "the device `meta`"),
        (lambda: torch.jit.trace(small(), torch.zeros(1, 3, 8, 8)), Code.OPERATION, "`torch.jit.trace`"),
        (lambda: torch.jit.script(small()), Code.OPERATION, "`torch.jit.script`"),
    ],
)
@pytest.mark.parametrize("shape", [None, (3, 16, 16)])
@pytest.mark.filterwarnings("ignore:.*(Lazy modules|torch.jit).*")
def test_modules_that_cannot_run(made: Callable[[], nn.Module], code: Code, told: str, shape: Any) -> None:
    found = refusal(made(), shape)
    assert found.code is code and told in found.message and found.help


def test_a_module_without_values_becomes_a_spec_without_a_comparison() -> None:
    with torch.device("meta"):
        module = small()
    assert cnndsl.from_module(module, (3, 16, 16), prove=False) == cnndsl.from_module(small(), (3, 16, 16))


def test_wrappers_are_taken_off() -> None:
    plain = cnndsl.from_module(small())
    assert cnndsl.from_module(nn.DataParallel(small())) == plain
    assert cnndsl.from_module(torch.compile(nn.DataParallel(small()))) == plain  # type: ignore[arg-type]


@pytest.mark.parametrize("module", [nn.Identity(), nn.Sequential()])
def test_a_module_that_computes_nothing(module: nn.Module) -> None:
    found = refusal(module)
    assert found.code is Code.OPERATION and "computes nothing" in found.message


class TwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.net = nn.Sequential(self.conv, nn.ReLU())
        self.idle = nn.Linear(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def test_second_names_are_not_left_out_and_load() -> None:
    module = TwoNames()
    with pytest.warns(UserWarning) as told:
        net = cnndsl.loads(cnndsl.from_module(module, (3, 16, 16)))
    (warning,) = told
    assert "`idle` does not run in evaluation: the spec leaves out 2 tensors" in str(warning.message)
    del module.idle
    x = torch.rand(1, 3, 16, 16)
    assert torch.equal(net.module(module.state_dict())(x), module(x))
    apart = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(cnndsl.RunError, match="2 unexpected"):
        net.module(apart)


class Noisy(nn.Module):
    def __init__(self, made: bool) -> None:
        super().__init__()
        self.conv, self.made = nn.Conv2d(3, 3, 1), made

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            x = x + 0.1 * (torch.randn(x.shape[1:]) if self.made else torch.randn_like(x))
        return self.conv(x)


@pytest.mark.parametrize(("made", "name"), [(False, "randn_like"), (True, "randn")])
def test_noise_in_training_is_left_out_with_its_line(made: bool, name: str) -> None:
    with pytest.warns(UserWarning, match=f"`{name}` draws random numbers in training") as told:
        text = cnndsl.from_module(Noisy(made), (3, 16, 16))
    assert len(told) == 1 and "x = x + 0.1 * (" in str(told[0].message)
    assert "Conv2d" in text and "Dropout" not in text


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(x.mean((2, 3))).squeeze(1)


def test_an_output_without_a_size_is_told_how_to_keep_it() -> None:
    found = refusal(Head())
    assert "no size but the batch" in found.message and "[N, 1]" in found.help and "--leaf" not in found.help


class Outer:
    class Inner(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cumsum(x, 1)


def test_a_class_in_a_class_must_move_to_be_a_leaf() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), Outer.Inner())
    help = "move `class Inner` to the top level of its file"
    assert refusal(module).help.startswith(help)
    with pytest.raises(cnndsl.RunError) as error:
        cnndsl.from_module(module, (3, 16, 16), leaves=["Inner"])
    assert error.value.diagnostic.help.startswith(help)


class Cifar(nn.Module):
    """At 224 pixels, 49 places of each image become samples."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3, 4, 1), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(nn.functional.avg_pool2d(self.conv(x), 8).view(-1, 4))


def test_the_guess_keeps_the_batch() -> None:
    assert guess_input(Cifar())[0] == {"x": (3, 32, 32)}


class Library(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from torchvision.transforms.functional import rotate

        return self.conv(rotate(x, 30))


def test_the_place_is_the_line_of_the_user() -> None:
    assert "rotate(x, 30)" in line(refusal(Library()))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.b.weight = self.a.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        return self.b(x)


def test_tied_weights_are_told_at_the_line_that_uses_them() -> None:
    found = refusal(Tied())
    assert found.code is Code.STATE and line(found) == "return self.b(x)"
    assert found.help.startswith("give each its own parameter")


def test_an_input_must_have_a_name_of_forward() -> None:
    found = refusal(small(), {"z": (3, 16, 16)})
    assert found.code is Code.FORWARD and "`forward` has no argument `z`" in found.message


AUX = """
from torch import nn

class Aux(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.aux = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)

    def forward(self, x):
        if self.training:
            return self.conv(x), self.aux(x)
        return self.conv(x)
"""


def test_warnings_are_told_once_in_the_format_that_is_asked_for(own_folder: Path) -> None:
    Path("aux_net.py").write_text(AUX)

    def run(*options: str) -> tuple[str, str]:
        result = CliRunner().invoke(cli, ["import", "aux_net.py:Aux", "-o", "a.yaml", "--force", *options])
        assert result.exit_code == 0, result.stderr
        return result.stdout, result.stderr

    out, told = run()
    assert not out and told.count("CNN113") == 1 and "`aux` runs only in training mode" in told
    out, told = run("--format", "json")
    assert [warning["code"] for warning in json.loads(out)] == ["CNN113"] and "CNN113" not in told
    out, told = run("--format", "concise")
    assert out.startswith("aux_net.py:11:") and out.count("CNN113") == 1 and "CNN113" not in told
