"""Losses: a step is one mean over its labels, however they are divided into batches. Torch is the oracle."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn, optim
from training_cases import LOSSES, SPEC, assert_same_weights, by_hand, data_of, first_weights, furthest

import cnndsl
from cnndsl.recipe.losses import LOSSES as TABLE
from cnndsl.training.plan import evaluation_plan

QUIET: dict[str, Any] = {"quiet": True, "device": "cpu"}
pytestmark = pytest.mark.usefixtures("one_thread")
every_loss = pytest.mark.parametrize("name", LOSSES)


def last_row(run: cnndsl.Run) -> dict[str, str]:
    return list(csv.DictReader((run.path / "metrics.csv").open()))[-1]


def test_every_loss_is_tried() -> None:
    tried = {(name, argument) for case in LOSSES.values() for name, given in case.call.items() for argument in given}
    assert tried >= {(name, argument) for name, loss in TABLE.items() for argument in loss.arguments} - {
        ("NLLLoss", "reduction")
    }


@every_loss
@pytest.mark.parametrize(("batch_size", "accumulate"), [(16, 4), (2, 32)])
def test_accumulated_batches_are_the_whole_batch(name: str, batch_size: int, accumulate: int, tmp_path: Path) -> None:
    """With two samples per batch, many batches have no label that counts. 150 samples leave 22 for the last step."""
    case = LOSSES[name]
    whole = by_hand(
        case.spec.replace("batch_size: 32", "batch_size: 64"),
        lambda parameters: optim.SGD(parameters, lr=case.lr, momentum=0.9),
        case.by_torch,
    )
    dealt = {"batch_size": batch_size, "accumulate": accumulate}
    run = cnndsl.train(cnndsl.Text(case.spec), runs=tmp_path, loss=case.call, **dealt, **QUIET)
    assert furthest(run.module("last"), whole) < 1e-6


@every_loss
def test_figures_do_not_depend_on_the_batch_size(name: str, tmp_path: Path) -> None:
    """Nothing is learned here, so the training loss is also that of the first weights."""
    case = LOSSES[name]
    _, data = data_of(case.spec)
    module, loss = first_weights(case.spec).eval(), case.by_torch
    loss.reduction = "mean"
    wanted = []
    for split in (data.train, data.test):
        ((images, labels),) = split.batches(evaluation_plan(len(split), 1000))
        wanted.append(loss(module(images), labels).item())
    keys = {"batch_size": 7, "optimizer": {"SGD": {"lr": 0}}, "loss": case.call}
    run = cnndsl.train(cnndsl.Text(case.spec), runs=tmp_path, **keys, **QUIET)
    row = last_row(run)
    assert [float(row["loss"]), float(row["test_loss"])] == pytest.approx(wanted, rel=1e-5)
    assert run.evaluate("last", device="cpu").loss == pytest.approx(wanted[1], rel=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("loss", [{"ignore_index": 0}, {"weight": [0, 0, 0, 0], "label_smoothing": 0.1}])
def test_batches_without_a_counted_label_count_nothing(loss: dict[str, Any], precision: str, tmp_path: Path) -> None:
    spec = SPEC.replace("  - Dropout: 0.2\n", "")
    more: dict[str, Any] = {"precision": precision, "accumulate": 2, "epochs": 1}
    if "ignore_index" in loss:
        spec = spec.replace("classes: 4", "classes: 1")
    run = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, loss={"CrossEntropyLoss": loss}, **more, **QUIET)
    assert float(last_row(run)["loss"]) == float(last_row(run)["test_loss"]) == 0.0
    began, ended = first_weights(spec), run.module("last")
    assert all(torch.equal(tensor, dict(ended.named_parameters())[name]) for name, tensor in began.named_parameters())


def test_labels_of_pixels_count_one_by_one(tmp_path: Path) -> None:
    spec = SPEC[: SPEC.index("network:")] + (
        "network: [Conv2d: [8, 3, 1, 1], ReLU, Conv2d: [$classes, 1]]\n" + SPEC[SPEC.index("train:") :]
    )
    spec = spec.replace("epochs: 3", "epochs: 1")
    loss: dict[str, Any] = {"weight": [1.0, 20.0, 0.0, 5.0], "ignore_index": 0}
    by_torch = nn.CrossEntropyLoss(weight=torch.tensor(loss["weight"]), ignore_index=0)

    def sgd(parameters: Any) -> optim.Optimizer:
        return optim.SGD(parameters, lr=0.1, momentum=0.9)

    whole = by_hand(spec.replace("batch_size: 32", "batch_size: 64"), sgd, by_torch)
    call = {"CrossEntropyLoss": loss}
    run = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, loss=call, batch_size=16, accumulate=4, **QUIET)
    assert furthest(run.module("last"), whole) < 1e-6


@pytest.mark.parametrize("name", ["weight", "sum"])
def test_a_loss_equals_the_loop_by_hand(name: str, tmp_path: Path) -> None:
    """Equal bit for bit, if a step is one batch."""
    case = LOSSES[name]
    spec = SPEC.replace("lr: 0.1", f"lr: {case.lr}").replace("epochs: 3", "epochs: 1")
    whole = by_hand(spec, lambda parameters: optim.SGD(parameters, lr=case.lr, momentum=0.9, fused=True), case.by_torch)
    assert_same_weights(cnndsl.train(cnndsl.Text(spec), runs=tmp_path, loss=case.call, **QUIET).module("last"), whole)
