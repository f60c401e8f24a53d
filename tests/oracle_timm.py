"""timm's own networks, to hold the specs of ``archs/timm`` against."""

from __future__ import annotations

import warnings
from pathlib import Path

import timm
import torch
from torch import nn

FOLDER = Path(__file__).parent.parent / "archs" / "timm"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def theirs(name: str, device: str = "meta") -> nn.Module:
    """The network that timm builds by this name, with random weights, or none on the meta device."""
    with torch.device(device), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timm.create_model(name, pretrained=False)


@torch.no_grad()
def randomise(module: nn.Module) -> None:
    """Draws what starts as a constant: statistics, and weights such as the zeros that end timm's residual branches.
    Whatever only zeros or ones reach is compared with nothing."""
    for name, tensor in module.state_dict().items():
        if name.endswith("running_mean"):
            tensor.normal_(0, 0.1)
        elif tensor.is_floating_point() and tensor.dim() and (tensor == tensor.flatten()[0]).all():
            tensor.uniform_(0.5, 1.5)
