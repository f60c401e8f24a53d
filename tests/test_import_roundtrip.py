"""The module of a spec comes back as a spec with the same graph."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
import torch
import yaml
from fuzzing import outcome_back, whole_grammar
from same_graph import difference

import cnndsl
from cnndsl import zoo

#: Networks with each structure: chains, residuals, dense layers, branches, splits, several inputs and outputs.
QUICK = (
    "resnet18", "densenet121", "shufflenet_v2_x0_5", "siamese", "unet", "fpn_resnet50", "crepe_tiny", "mtcnn_pnet",
    "dcgan_generator", "volume3d", "classic/googlenet", "timm/res2net50_26w_4s",
)  # fmt: skip
NAMES = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in zoo.specs()]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", NAMES)
def test_the_module_of_a_spec_gives_its_graph(name: str) -> None:
    net = cnndsl.load(zoo.specs()[name])
    with torch.device("meta"):
        module = net.module()
    inputs = {key: tuple(tensor.shape.sample) for key, tensor in net.graph.inputs.items()}
    given = inputs if len(inputs) > 1 else next(iter(inputs.values()))  # a Sequential calls its one `input`
    again = cnndsl.loads(cnndsl.from_module(module, given, name=net.name, prove=False))
    assert difference(net, again) == []


@pytest.mark.parametrize("key", ["out_channels: 64", "stride: 2", "name: conv1"])
def test_the_comparison_sees_a_change(key: str) -> None:
    text = yaml.safe_dump(yaml.safe_load(BLOCKS))
    assert key in text
    changed = text.replace(key, {"out_channels: 64": "out_channels: 32", "stride: 2": "stride: 1"}.get(key, "name: c"))
    assert difference(cnndsl.loads(text), cnndsl.loads(text)) == []
    assert difference(cnndsl.loads(text), cnndsl.loads(changed)) != []


BLOCKS = """
input: [3, 32, 32]
network:
  - {name: conv1, Conv2d: {out_channels: 64, kernel_size: 3, stride: 2}}
  - ReLU
  - branch: [[], [{Conv2d: {out_channels: 8, kernel_size: 1}}]]
"""


def test_names_that_the_language_gives_by_itself_are_left_out() -> None:
    text = "network: [{Conv2d: [8, 3]}, {residual: [ReLU]}, {AvgPool2d: 2}, {name: act, ReLU: }, ReLU, Flatten]"
    net = cnndsl.loads(f"input: [3, 32, 32]\n{text}")
    again = cnndsl.from_module(net.module(), (3, 32, 32), prove=False)
    assert not any(name in again for name in ("relu", "avgpool", "flatten"))
    assert "name: act" in again
    assert difference(net, cnndsl.loads(again)) == []


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("seed", range(30))
def test_random_networks_come_back(seed: int, tmp_path: Path) -> None:
    outcome_back(whole_grammar(Random(f"back {seed}")), tmp_path)


def test_every_slice_and_a_reshape_come_back() -> None:
    net = cnndsl.loads("""
input: [8, 12, 10]
network:
  - Slice: {start: 1, step: 2}
  - Slice: {start: -9, stop: -1, step: 3, dim: 2}
  - Slice: {start: -5, dim: 3}
  - Slice: {start: 1, stop: 3}
  - Reshape: [2, 3, 5]
""")
    again = cnndsl.loads(cnndsl.from_module(net.module(), (8, 12, 10)))
    assert difference(net, again) == []
