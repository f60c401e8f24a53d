"""Making a module: ``Network.module()`` beside torchvision's constructor.

python benchmarks/module_start.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TYPE_CHECKING

from measure import ROOT, Case, Measure, Question, main, timed

if TYPE_CHECKING:
    from torch import nn

#: Torchvision's families, with the segmentation networks left out: they are built by the same constructors.
NETWORKS = (
    "alexnet", "convnext_tiny", "densenet121", "densenet201", "efficientnet_b0", "efficientnet_b7", "efficientnet_v2_s",
    "googlenet", "inception_v3", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small",
    "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnet152", "resnext50_32x4d", "shufflenet_v2_x0_5",
    "shufflenet_v2_x2_0", "squeezenet1_0", "squeezenet1_1", "vgg11", "vgg11_bn", "wide_resnet50_2",
)  # fmt: skip
DEVICES = ("cpu", "meta")


def made(make: Callable[[], nn.Module], device: str) -> Measure:
    """Makes a module on a device."""
    import torch

    def measure(round: int) -> dict:
        with torch.device(device) if device != "cpu" else nullcontext():
            return timed(make)

    return measure
