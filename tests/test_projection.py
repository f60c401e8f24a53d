"""The shortcut that the help of CNN033 proposes: pasted, it fits every use of the residual, and is free where the
input fits already."""

from __future__ import annotations

from textwrap import indent

import pytest

import cnndsl
from cnndsl.diagnostics import Code, SpecError
from cnndsl.remedies import remedies

RES = """
Res(channels, stride=1):
  - residual:
      - Conv2d: {out_channels: $channels, kernel_size: 3, stride: $stride, padding: 1}
      - BatchNorm2d
"""
BOTTLENECK = """
Res(planes, stride=1):
  - residual:
      - Conv2d: [$planes, 1]
      - Conv2d: [$planes, 3, $stride, 1]
      - Conv2d: [$(4*planes), 1]
"""
TWO_STRIDES = """
Res(channels, first=1, second=1):
  - residual:
      - sequential: [{Conv2d: [$channels, 3, $first, 1]}, ReLU]
      - Conv2d: [$channels, 3, $second, 1]
"""
INNER = """
Conv(channels, stride=1):
  - Conv2d: [$channels, 3, $stride, 1]
Res(channels, stride=1):
  - residual: [{Conv: [$channels, $stride]}, ReLU, {Conv: $channels}]
"""
FIXED = "\nRes():\n  - residual: [{Conv2d: [8, 3, 1, 1]}]\n"
HALF = "\nRes(channels):\n  - residual: [{Conv2d: [$channels, 3, 2, 1]}]\n"


def spec(block: str, calls: list[str], shortcut: str = "") -> str:
    """A spec that calls a block; its residual has a shortcut if one is given."""
    if shortcut:
        block = block.replace("- residual", f"- {shortcut}\n    residual")
    steps = "".join(f"  - {call}\n" for call in calls)
    return f"input: [8, 32, 32]\nblocks:{indent(block, '  ')}network:\n{steps}"


def helped(text: str) -> str:
    """What the help of CNN033 says to write."""
    with pytest.raises(SpecError) as raised:
        cnndsl.loads(text)
    (fault,) = raised.value.diagnostics
    assert fault.code is Code.RESIDUAL
    (code,) = remedies(fault.help)
    return code


@pytest.mark.parametrize(
    ("block", "calls"),
    [
        (RES, ["Res: 8", "Res: [16, 2]", "Res: [16]", "Res: 24", "Res: [24, 2]"]),
        (BOTTLENECK, ["Res: 2", "Res: 4", "Res: [4, 2]", "Res: [8, 2]"]),
        (TWO_STRIDES, ["Res: 8", "Res: [16, 2]", "Res: [16, 1, 2]", "Res: [16, 2, 2]"]),
        (INNER, ["Res: 8", "Res: [16, 2]", "Res: [16, 2]", "Res: 32"]),
        (FIXED, ["Conv2d: [4, 1]", "Res", "Conv2d: [2, 1]", "Res", "Res"]),
        (HALF, ["Res: 8", "Res: 16"]),
    ],
)
def test_the_shortcut_fits_all_calls_of_a_block(block: str, calls: list[str]) -> None:
    shortcut = helped(spec(block, calls))
    cnndsl.loads(spec(block, calls, shortcut))


@pytest.mark.parametrize("block", [RES, INNER])
def test_a_shortcut_that_is_not_needed_has_no_parameters(block: str) -> None:
    shortcut = helped(spec(block, ["Res: [16, 2]"]))
    projected, plain = spec(block, ["Res: 8"], shortcut), spec(block, ["Res: 8"])
    assert cnndsl.loads(projected).cost.params == cnndsl.loads(plain).cost.params


def test_a_wrong_shortcut_is_corrected() -> None:
    text = spec(RES, ["Res: [16, 2]", "Res: 8"], "shortcut: [{Conv2d: [16, 1]}]")
    cnndsl.loads(text.replace("shortcut: [{Conv2d: [16, 1]}]", helped(text)))


def test_a_network_without_blocks_gets_numbers() -> None:
    text = "input: [3, 8, 8]\nnetwork:\n  - residual: [{Conv2d: [8, 3, 2, 1]}]\n"
    assert helped(text) == "shortcut: [Conv2d: {out_channels: 8, kernel_size: 1, stride: 2}]"
