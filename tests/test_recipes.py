"""The recipes of ``archs/``: a step at their real size, and a few hundred at one that a laptop can do."""

from __future__ import annotations

import csv
import subprocess
import sys
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

import pytest

import cnndsl
from cnndsl.training.data import Batch

pytestmark = pytest.mark.slow  # `make test-slow`

ARCHS = Path(__file__).parent.parent / "archs"
FASHION = Path("/usr/share/datasets/fashion-mnist")
QUIET: dict[str, Any] = {"quiet": True, "device": "cpu"}

#: Networks with a recipe, and what their recipe is at its real size. VGG is trained with a quarter of its
#: channels, as the reference does.
REAL = ("alexnet", "vgg11", "vgg16", "vgg19", "nin", "googlenet", "resnet18", "densenet", "inception", "unet")
VGG = "params.ratio=4"
#: Small pictures, and Adam where plain SGD would need thousands of steps to leave its plateau.
ADAM, SLOW = {"Adam": {"lr": 0.001}}, {"Adam": {"lr": 0.0003}}
SMALL: dict[str, dict[str, Any]] = {
    "alexnet": {"resize": 67, "optimizer": SLOW},
    "vgg11": {"resize": 32, "optimizer": ADAM},
    "nin": {"resize": 67, "optimizer": SLOW, "epochs": 5},
    "googlenet": {"resize": 32, "optimizer": SLOW},
    "resnet18": {"resize": 32},
    "densenet": {"resize": 32},
    "unet": {"resize": 32},
}


def spec_of(name: str, folder: Path) -> Path:
    """A spec beside ``archs/``'s, its VGGs small."""
    if not name.startswith("vgg"):
        return ARCHS / f"{name}.yaml"
    path = folder / f"{name}.yaml"
    text = cnndsl.load(ARCHS / f"{name}.yaml", ratio=4).graph.document.resolved()
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", REAL)
def test_a_step_of_the_real_recipe(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real size, real batch, real data where Debian's package is there; one step and no more."""
    from cnndsl.training import data, train

    net = cnndsl.load(spec_of(name, tmp_path))
    assert net.recipe is not None
    needs = net.recipe.dataset.name
    if needs == "FashionMNIST" and not FASHION.exists():
        pytest.skip("dataset-fashion-mnist is not installed")
    monkeypatch.setattr(train, "open_data", lambda *arguments: one_batch(data.open_data(*arguments), net.recipe))
    more = {"dataset": {"Synthetic": {"size": net.recipe.batch_size, "test_size": 2}}} if needs == "Synthetic" else {}
    before = cnndsl.train(spec_of(name, tmp_path), runs=tmp_path / "runs", epochs=1, **more, **QUIET)
    assert before.info["sample"][1:] == list(net.recipe.size or net.graph.inputs["x"].shape.sample[1:])
    line = before.checkpoint("last").progress.epochs[0]
    assert isfinite(line.loss) and line.lr == net.recipe.optimizer.arguments["lr"]


def one_batch(data: Any, recipe: Any) -> Any:
    """The same data with as many training samples as a batch holds, and two to test with."""
    return replace(data, train=First(data.train, recipe.batch_size), test=First(data.test, 2))


class First:
    """The first samples of a split."""

    def __init__(self, split: Any, count: int) -> None:
        self.split, self.count = split, count

    def __len__(self) -> int:
        return min(self.count, len(self.split))

    def batches(self, plan: list[Batch]) -> Any:
        return self.split.batches(plan)


@pytest.mark.parametrize("name", SMALL)
def test_two_hundred_steps_at_a_reduced_size(name: str, tmp_path: Path) -> None:
    dataset = {"Synthetic": {"size": 400, "test_size": 16}}
    spec = spec_of(name, tmp_path)
    more = {"dataset": dataset, "batch_size": 8, "epochs": 4} | SMALL[name]
    run = cnndsl.train(spec, runs=tmp_path / "runs", **more, **QUIET)
    losses = [epoch.loss for epoch in run.checkpoint("last").progress.epochs]
    assert losses[-1] < 0.9 * losses[0], losses


@pytest.mark.skipif(not FASHION.exists(), reason="dataset-fashion-mnist is not installed")
@pytest.mark.parametrize(("name", "least"), [("lenet", 0.80), ("lenet_bn", 0.83)])
def test_all_epochs_on_real_data(name: str, least: float, tmp_path: Path) -> None:
    """60,000 images, 10 epochs, as a user trains it; the figures are the reference's."""
    command = [sys.executable, "-m", "cnndsl", "train", str(ARCHS / f"{name}.yaml"), "--device", "cpu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.glob(f"runs/{name}/*/metrics.csv")
    with path.open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 10
    # At these rates the accuracy leaps from epoch to epoch; what a run is used with is its best.
    assert max(float(line["test_acc"]) for line in lines) >= least
    assert float(lines[-1]["loss"]) < float(lines[0]["loss"])
