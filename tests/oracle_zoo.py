"""torchvision's own networks, to hold the specs of ``archs/torchvision`` against."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
import torchvision
from torch import nn
from torchvision.models.regnet import BlockParams

FOLDER = Path(__file__).parent.parent / "archs" / "torchvision"
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
#: Networks whose auxiliary heads are a spec of their own.
WITH_HEADS = ("googlenet", "inception_v3")


def _on_cpu(real: Callable[..., BlockParams]) -> Callable[..., BlockParams]:
    """RegNet works its widths out with tensors, which the meta device cannot."""

    def from_init_params(**options: Any) -> BlockParams:
        with torch.device("cpu"):
            return real(**options)

    return from_init_params


def theirs(name: str, device: str = "meta") -> nn.Module:
    """The network that torchvision builds by this name, with random weights, or none on the meta device."""
    model = name.removesuffix("_aux")
    options = {"aux_logits": name.endswith("_aux"), "init_weights": False} if model in WITH_HEADS else {}
    with (
        torch.device(device),
        patch.object(BlockParams, "from_init_params", _on_cpu(BlockParams.from_init_params)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        return torchvision.models.get_model(model, weights=None, **options)
