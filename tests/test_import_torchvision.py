"""torchvision's convolutional networks become specs: with the same keys, bit for bit, and about as long as ours."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import torch
import torchvision
import yaml
from oracle_zoo import FOLDER, NAMES, theirs
from torch import nn

import cnndsl
from cnndsl.spec.renaming import Renamer

SEGMENTATION = sorted(path.stem for path in (FOLDER.parent / "segmentation").glob("*.yaml"))
#: A spec has one name for a network with heads that run only in training and for the one without them.
ALL = [name for name in NAMES if not name.endswith("_aux")] + SEGMENTATION
#: One of each kind of structure: chains, residuals, dense layers, branches, splits and several outputs.
QUICK = ["squeezenet1_1", "resnet18", "densenet121", "googlenet", "mobilenet_v3_small", "shufflenet_v2_x0_5"]
#: How many times the length of the spec by hand a spec may have.
LONGEST = 1.5
NETWORKS = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in ALL]

pytestmark = pytest.mark.usefixtures("one_thread")


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name not in SEGMENTATION:
        return theirs(name, "cpu").eval()
    return torchvision.models.get_model(name, weights=None, weights_backbone=None).eval()


@cache
def imported(name: str) -> str:
    return cnndsl.from_module(built(name), (3, 224, 224), name=name)


def by_hand(name: str) -> list[Path]:
    """The spec of ours, with all that it extends and uses."""
    found = [FOLDER.parent / ("segmentation" if name in SEGMENTATION else "torchvision") / f"{name}.yaml"]
    for path in found:
        document = yaml.safe_load(path.read_text())
        used = document.get("use", [])
        others = [document.get("extends"), *(used if isinstance(used, list) else [used])]
        found += [(path.parent / other).resolve() for other in others if other]
    return [*dict.fromkeys(path.resolve() for path in found)]


def length(text: str) -> tuple[int, int]:
    """Lines and characters, without space, comments, and sections that no module has."""
    text = re.sub(r"(?m)^(expect|rename|train|description|extends|use):(.*\n)((?:[ ].*\n)*)", "", text)
    lines = [re.sub(r"(^|\s+)#.*", "", line) for line in text.splitlines()]
    lines = [line for line in lines if line.strip()]
    return len(lines), sum(len(re.sub(r"\s", "", line)) for line in lines)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_keys_and_outputs_are_torchvisions(name: str) -> None:
    net, module = cnndsl.loads(imported(name)), built(name)
    ours = net.module().eval()
    keys = {Renamer(net.graph.document.rename).renamed(key): tensor.shape for key, tensor in ours.state_dict().items()}
    theirs = {key: tensor.shape for key, tensor in module.state_dict().items()}
    assert keys == {key: shape for key, shape in theirs.items() if not key.startswith("aux_classifier")}
    net.load_weights(ours, module.state_dict(), partial=True)
    x = torch.randn(2, 3, *((96, 112) if name == "inception_v3" else (64, 96)))
    if name.startswith(("alexnet", "vgg")) or name in SEGMENTATION:
        x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        mine, wanted = ours(x), module(x)
    if isinstance(wanted, dict):
        mine, wanted = (mine if isinstance(mine, torch.Tensor) else mine["out"]), wanted["out"]
    assert torch.equal(mine, wanted)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_it_is_about_as_long_as_the_spec_by_hand(name: str) -> None:
    texts = [length(path.read_text()) for path in by_hand(name)]
    lines, characters = length(imported(name))
    assert lines <= LONGEST * sum(lines for lines, _ in texts)
    assert characters <= LONGEST * sum(characters for _, characters in texts)
