"""Warnings as people meet them: none in what we ship, each once, and silenced on its own line only."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch import nn, ones

import cnndsl
from cnndsl.layers.shape import unseen, window

ARCHS = sorted((Path(__file__).parent.parent / "archs").glob("*.yaml"))


@pytest.mark.parametrize("path", ARCHS, ids=lambda path: path.stem)
def test_what_we_ship_has_no_warnings(path: Path) -> None:
    assert cnndsl.check(path) == []


@pytest.mark.parametrize("size", range(7, 14))
@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_the_unseen_are_those_without_gradient(size: int, kernel: int, stride: int, padding: int) -> None:
    if stride > kernel:
        assert unseen(size, window(size, kernel, stride, 2 * padding), kernel, stride, padding, 1) == 0
        return
    x = ones(1, 1, size, requires_grad=True)
    conv = nn.Conv1d(1, 1, kernel, stride, padding)
    nn.init.ones_(conv.weight)
    out = conv(x)
    out.sum().backward()
    assert x.grad is not None
    assert unseen(size, out.shape[-1], kernel, stride, padding, 1) == int((x.grad == 0).sum())


def test_a_comment_in_a_used_file_silences_its_own_lines(tmp_path: Path) -> None:
    blocks = "blocks:\n  Stem:\n    - Conv2d: [8, 3]{}\n    - BatchNorm2d\n"
    spec = "use: parts.yaml\ninput: [1, 8, 8]\nnetwork: [Stem]\n"
    (tmp_path / "net.yaml").write_text(spec)
    (tmp_path / "parts.yaml").write_text(blocks.format(""))
    assert [item.code.id for item in cnndsl.check(tmp_path / "net.yaml")] == ["CNN102"]
    (tmp_path / "parts.yaml").write_text(blocks.format("  # cnndsl: ignore CNN102"))
    assert cnndsl.check(tmp_path / "net.yaml") == []


def test_where_there_are_errors_no_comment_is_said_to_be_useless() -> None:
    text = "input: [1, 8, 8]\nnetwork:\n  - Conv2d: [8, 9]  # cnndsl: ignore CNN102\n  - BatchNorm2d\n"
    assert [item.code.id for item in cnndsl.check(cnndsl.Text(text))] == ["CNN030"]


def test_a_block_that_is_called_with_other_parameters_is_used() -> None:
    text = """
input: [1, 8, 8]
params: {deep: false}
blocks:
  Inner: [ReLU]
  Outer: [Inner]
  Never: [Tanh]
network: [{Outer: , when: $deep}, ReLU]
"""
    assert [item.message for item in cnndsl.check(cnndsl.Text(text))] == ["the block `Never` is never used"]


def test_a_name_inside_a_used_block_hides_no_parameter_that_its_file_cannot_know(tmp_path: Path) -> None:
    (tmp_path / "parts.yaml").write_text("blocks: {Stem: [let: {width: 8}, Conv2d: [$width, 3]]}\n")
    spec = "use: parts.yaml\ninput: [1, 8, 8]\nparams: {width: 3}\nnetwork: [Stem, Conv2d: [$width, 1]]\n"
    assert cnndsl.check(cnndsl.Text(spec, folder=tmp_path)) == []
    own = spec.replace("[Stem, Conv2d", "[let: {width: 4}, Stem, Conv2d")
    (here,) = cnndsl.check(cnndsl.Text(own, folder=tmp_path))
    assert here.code.id == "CNN109"
