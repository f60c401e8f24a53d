"""The networks of ``archs/segmentation`` and ``archs/detection`` as torchvision builds them, and YOLOv8 by hand.

Each is a module with the state of the original, whose ``forward`` takes pictures and gives the outputs in their order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import torchvision
from handwritten_dense import YOLOv8
from torch import Tensor, nn
from torchvision.models.detection import RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import mobilenet_backbone, resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

ARCHS = Path(__file__).parent.parent / "archs"
SPECS = {
    path.stem: path for folder in ("segmentation", "detection") for path in sorted((ARCHS / folder).glob("*.yaml"))
}


class Retina(nn.Module):
    """What of torchvision's RetinaNet is a network: its boxes and its losses are left out."""

    def __init__(self) -> None:
        super().__init__()
        levels = LastLevelP6P7(256, 256)
        backbone = resnet_fpn_backbone(
            backbone_name="resnet50", weights=None, returned_layers=[2, 3, 4], extra_blocks=levels, trainable_layers=5
        )
        anchors = AnchorGenerator(((32, 40, 50),) * 5, ((0.5, 1.0, 2.0),) * 5)
        whole = RetinaNet(backbone, 91, anchor_generator=anchors)
        self.backbone, self.head = whole.backbone, whole.head

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = self.head([*self.backbone(x).values()])
        return outputs


def _segmentation(name: str) -> nn.Module:
    aux = {} if name.startswith("lraspp") else {"aux_loss": True}
    return torchvision.models.get_model(name, weights=None, weights_backbone=None, **aux)


_DETECTION: dict[str, Callable[[], nn.Module]] = {
    "resnet50_fpn": lambda: resnet_fpn_backbone(backbone_name="resnet50", weights=None, trainable_layers=5),
    "mobilenet_v3_large_fpn": lambda: mobilenet_backbone(
        backbone_name="mobilenet_v3_large", weights=None, fpn=True, trainable_layers=6
    ),
    "retinanet_resnet50_fpn": Retina,
    **{f"yolov8{size}": lambda size=size: YOLOv8(size) for size in "nsmlx"},
}


def theirs(name: str, device: str = "meta") -> nn.Module:
    """The original, with random weights and statistics, or none on the meta device."""
    with torch.device(device):
        module = _DETECTION[name]() if name in _DETECTION else _segmentation(name)
        return randomise(module).eval()


@torch.no_grad()
def randomise(module: nn.Module) -> nn.Module:
    """Draws what normalisations start with as constants."""
    for inner in module.modules():
        if isinstance(inner, (nn.BatchNorm2d, FrozenBatchNorm2d)):
            inner.running_mean.normal_(0, 0.1)
            inner.running_var.uniform_(0.5, 1.5)
            inner.weight.uniform_(0.5, 1.5)
            inner.bias.normal_(0, 0.1)
    return module


def outputs(module: nn.Module, x: Tensor) -> list[Tensor]:
    """The outputs in their order."""
    found = module(x)
    if isinstance(found, Tensor):
        return [found]
    return [*found.values()] if isinstance(found, dict) else [*found]
