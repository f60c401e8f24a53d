"""The networks of torchvision that benchmarks compare, and their specs.

GoogLeNet is built without its auxiliary heads, which its spec does not have, and without its slow initialization. All
pictures are 224 x 224, though EfficientNet-B7's own size is 600. Both favour the peers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from measure import ARCHS

if TYPE_CHECKING:
    from torch import nn

#: The arguments of each network's constructor.
NETWORKS: dict[str, dict[str, bool]] = {
    "vgg11": {},
    "resnet152": {},
    "densenet201": {},
    "efficientnet_b7": {},
    "googlenet": {"aux_logits": False, "init_weights": False},
}
INPUT = (1, 3, 224, 224)


def spec(network: str) -> Path:
    return ARCHS / "torchvision" / f"{network}.yaml"


def constructor(network: str) -> str:
    """The call that builds it, as Python."""
    arguments = ", ".join(f"{name}={value}" for name, value in NETWORKS[network].items())
    return f"torchvision.models.{network}({arguments})"


def model(network: str) -> nn.Module:
    import torchvision

    built: nn.Module = getattr(torchvision.models, network)(**NETWORKS[network])
    return built
