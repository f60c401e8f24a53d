"""Making a module: ``Network.module()`` beside torchvision's constructors.

python benchmarks/module_start.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from measure import Absent, Case, Figures, Measure, Question, main, timed

if TYPE_CHECKING:
    from torch import nn

    from cnndsl import Network

#: A network of each family that both have, with the arguments of torchvision's constructor: auxiliary heads as the spec
#: has them, and torch's initial weights if it offers them.
NETWORKS: dict[str, dict[str, Any]] = {
    "torchvision/alexnet": {},
    "torchvision/convnext_tiny": {},
    "torchvision/densenet121": {},
    "torchvision/efficientnet_b0": {},
    "torchvision/efficientnet_v2_s": {},
    "torchvision/googlenet": {"aux_logits": False, "init_weights": False},
    "torchvision/inception_v3": {"aux_logits": False, "init_weights": False},
    "torchvision/mnasnet0_5": {},
    "torchvision/mobilenet_v2": {},
    "torchvision/mobilenet_v3_small": {},
    "torchvision/regnet_y_400mf": {},
    "torchvision/resnet18": {},
    "torchvision/resnext50_32x4d": {},
    "torchvision/shufflenet_v2_x0_5": {},
    "torchvision/squeezenet1_0": {},
    "torchvision/vgg11": {"init_weights": False},
    "torchvision/vgg11_bn": {"init_weights": False},
    "torchvision/wide_resnet50_2": {},
    "segmentation/deeplabv3_resnet50": {"weights_backbone": None, "aux_loss": True},
    "segmentation/fcn_resnet50": {"weights_backbone": None, "aux_loss": True},
    "segmentation/lraspp_mobilenet_v3_large": {"weights_backbone": None},
}


def made(make: Callable[[], nn.Module], device: str) -> Figures:
    """Makes a module on a device."""
    import torch

    try:
        with nullcontext() if device == "cpu" else torch.device(device):
            return timed(make)
    except NotImplementedError:
        raise Absent(f"not on {device}") from None


def always(make: Callable[[], nn.Module], device: str) -> Measure:
    return lambda round: made(make, device)


def first(load: Callable[[], Network], device: str) -> Measure:
    """The first module of a network that has just been loaded."""
    return lambda round: made(load().module, device)


def further(load: Callable[[], Network], device: str) -> Measure:
    """A module of a network that has made one."""
    network = load()
    network.module()
    return always(network.module, device)


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    import torchvision

    import cnndsl

    for path, options in NETWORKS.items():
        name = path.rpartition("/")[2]
        peer = partial(torchvision.models.get_model, name, weights=None, **options)
        load = partial(cnndsl.load, f"zoo:{path}")
        for which, device, ours in (
            ("further", "cpu", further),
            ("further", "meta", further),
            ("first", "meta", first),
        ):
            yield Case((name, which, device), {"cnndsl": ours(load, device), "torchvision": always(peer, device)})


QUESTION = Question(
    __file__,
    "Making a module",
    """`network.module()` is compared with torchvision's constructor of the same network. A network emits its source and
    runs it when its first module is made; a further one is one call of the class. On the device `meta` no weights are
    drawn, which leaves the constructors alone. Both start with torch's weights. Most constructors of torchvision then
    draw others, as these specs do not; AlexNet, GoogLeNet, Inception, ShuffleNet and VGG are compared without them.
    The source's GoogLeNet and Inception have a module for each ReLU, where torchvision's call a function. Everything is
    imported and loaded before.""",
    ("network", "module", "device"),
    cases,
    packages=("torch", "torchvision"),
)

if __name__ == "__main__":
    main(QUESTION)
