"""Networks as people write them come in, or are refused at their line.

Each file of ``tests/field`` is one network in somebody's style, with ``NET`` and ``INPUT``. A comment
``# refused: CNN217`` at a line says that it keeps the network from being imported; at the line of ``NET``, a refusal
that has no line.
"""

from __future__ import annotations

import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnndsl

FOLDER = Path(__file__).parent / "field"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
WARNED = pytest.mark.filterwarnings("ignore::UserWarning")  # of what a spec leaves out; the tests of import read these

pytestmark = pytest.mark.usefixtures("one_thread")


def wanted(path: Path) -> set[tuple[int, str]]:
    """The lines that are refused, with their codes."""
    lines = enumerate(path.read_text().splitlines(), start=1)
    return {(number, code) for number, line in lines for code in re.findall(r"# refused: (CNN\d+)", line)}


def found(error: cnndsl.ModuleError, path: Path) -> set[tuple[int, str]]:
    last = next(number for number, line in enumerate(path.read_text().splitlines(), 1) if line.startswith("NET ="))
    spans = [(item.span, item.code.id) for item in error.diagnostics]
    assert all(span is None or Path(span.source.name).name == path.name for span, _ in spans)
    return {(last if span is None else span.line, code) for span, code in spans}


def tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    return [tensor for item in (value.values() if isinstance(value, dict) else value) for tensor in tensors(item)]


def assert_equal(net: cnndsl.Network, module: nn.Module) -> None:
    """The spec's network has the module's weights by its names, and computes what it computes at the given size."""
    ours = net.module()
    fit = net.load_weights(ours, module.state_dict(), partial=True)  # modules that never run have no place in a spec
    assert not fit.missing and not fit.unlike
    x = [torch.randn(2, *tensor.shape.sample, dtype=torch.float64) for tensor in net.graph.inputs.values()]
    with torch.no_grad():
        results = [tensors(network.double().eval()(*x)) for network in (ours, module)]
    assert len(results[0]) == len(results[1])
    for mine, theirs in zip(*results):  # a normalization that somebody wrote out adds up in another order
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-12)


@WARNED
@pytest.mark.parametrize("name", NAMES)
def test_it_comes_in_equal_or_is_refused_at_its_line(name: str) -> None:
    path = FOLDER / f"{name}.py"
    torch.manual_seed(0)
    network: Mapping[str, Any] = runpy.run_path(str(path))
    try:
        text = cnndsl.from_module(network["NET"], network["INPUT"])
    except cnndsl.ModuleError as error:
        assert found(error, path) == wanted(path)
    else:
        assert not wanted(path)
        assert_equal(cnndsl.loads(text), network["NET"])


def test_most_of_them_come_in() -> None:
    refused = [name for name in NAMES if wanted(FOLDER / f"{name}.py")]
    assert len(NAMES) >= 60
    assert len(refused) <= 0.25 * len(NAMES)
