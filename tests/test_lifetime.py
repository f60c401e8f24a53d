"""Emitted sources live as long as what is of their classes, and no longer."""

from __future__ import annotations

import copy
import gc
import inspect
import io
import linecache
import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import cnndsl

ROOT = Path(__file__).parent.parent
BLOCKS = """\
input: [4, 6, 6]
blocks:
  Pair(channels): [Conv2d: [$channels, 3], {residual: [Conv2d: [$channels, 1]]}, ReLU]
network: [Pair: %d, Pair: 6, Flatten, Linear: 3]
init: {Linear: {weight: zeros}}
"""


def registered() -> set[str]:
    gc.collect()
    return {name for name in [*sys.modules, *linecache.cache] if "cnndsl._emitted" in name}


def made(width: int = 5) -> nn.Module:
    return cnndsl.loads(BLOCKS % width).module()


def test_nothing_is_left_of_modules_that_are_gone() -> None:
    before = registered()
    modules = [made(width) for width in range(4, 8)]
    assert len(registered() - before) == 2 * len(modules)
    del modules
    assert registered() == before


@pytest.mark.parametrize("kept", ["a block", "its class", "a copy", "a bound method"])
def test_whatever_is_of_its_classes_keeps_the_source(kept: str) -> None:
    before = registered()
    module: Any = made()
    held = {"a block": module[0], "its class": type(module[0]), "a copy": copy.deepcopy(module)}.get(
        kept, module.forward
    )
    del module
    gc.collect()
    assert len(registered() - before) == 2
    if kept == "a block":
        assert "class Pair(" in inspect.getsource(type(held))
        assert "class Pair(" in inspect.getsource(sys.modules[type(held).__module__].Pair)
    del held
    assert registered() == before


def test_a_traceback_shows_its_lines_even_when_the_module_is_gone() -> None:
    before = registered()
    with pytest.raises(RuntimeError) as caught:
        made()(torch.zeros(1, 9, 6, 6))
    gc.collect()
    lines = "".join(traceback.format_exception(caught.value))
    assert "cnndsl._emitted" in lines and "self.conv1(x)" in lines
    caught.value.__traceback__ = None
    del caught
    assert registered() == before


@pytest.mark.parametrize("protocol", [0, 2, pickle.HIGHEST_PROTOCOL])
def test_a_pickle_outlives_the_classes(protocol: int) -> None:
    before = registered()
    module = made().eval()
    images = torch.rand(2, 4, 6, 6)
    expected = module(images)
    data = pickle.dumps(module, protocol)
    del module
    assert registered() == before
    again = pickle.loads(data)
    assert torch.equal(again(images), expected)
    assert again.training is False and type(again[0]) is type(again[1])
    buffer = io.BytesIO()
    torch.save(again, buffer)
    del again
    assert registered() == before
    assert torch.equal(torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)(images), expected)


def test_a_pickle_is_read_by_another_process(tmp_path: Path) -> None:
    module = made().eval()
    torch.save(module, tmp_path / "module.pt")
    code = (
        "import torch\nmodule = torch.load('module.pt', weights_only=False)\n"
        "print(module(torch.ones(1, 4, 6, 6)).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == str(module(torch.ones(1, 4, 6, 6)).tolist()), done.stderr


def test_a_derived_class_is_pickled_as_any() -> None:
    module = made()
    derived = type("Derived", (type(module),), {})
    globals()["Derived"] = derived
    try:
        assert type(pickle.loads(pickle.dumps(derived()))) is derived
    finally:
        del globals()["Derived"]


def test_scripted_and_exported_it_does_the_same() -> None:
    module = made().eval()
    images = torch.rand(2, 4, 6, 6)
    assert torch.equal(torch.jit.script(module)(images), module(images))
    exported = torch.export.export(module, (images,)).module()
    assert torch.equal(exported(images), module(images))
