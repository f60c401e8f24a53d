"""Captured steps. On the CPU a tape is the graph: it records torch's operations, and repeats them on the same tensors
with the same numbers. With CUDA, real graphs are compared with steps that run as usual."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from training_cases import PLAIN, SPEC, assert_same_weights, furthest

import cnndsl
from cnndsl.diagnostics import Code, RunError
from cnndsl.training import graphs, step
from cnndsl.training.data import memory
from cnndsl.training.guard import Guard

pytestmark = pytest.mark.usefixtures("one_thread")
on_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
QUIET: dict[str, Any] = {"quiet": True, "device": "cpu"}

#: Recipes with everything that a captured step contains, and with what changes between steps.
RECIPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "augmented": {"augment": ["RandomHorizontalFlip", {"RandomErasing": {"p": 0.5}}]},
    "schedule": {"scheduler": {"StepLR": {"step_size": 2, "gamma": 0.1}}, "epochs": 4},
    "Adam": {"optimizer": {"AdamW": {"lr": 0.01}}, "clip_grad_norm": 0.5},
    "accumulate": {"accumulate": 2, "batch_size": 16, "ema": 0.9},
    "loss": {"loss": {"CrossEntropyLoss": {"weight": [1.0, 2.0, 0.0, 5.0], "ignore_index": 1}}},
}
every_recipe = pytest.mark.parametrize("name", RECIPES)


class Tape(TorchDispatchMode):
    """The operations of ``work``. They were done when they were recorded, so the first replay does nothing."""

    made = 0

    def __init__(self, work: Callable[[], None]) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self.new = True
        Tape.made += 1
        with self:
            work()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **kwargs or {})
        self.calls.append((func, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        calls, self.new = [] if self.new else self.calls, False
        for func, args, kwargs, result in calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again)):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> type[Tape]:
    """Steps are captured on tapes, and the guard does not wait for its device."""
    monkeypatch.setattr(Tape, "made", 0)
    monkeypatch.setattr(graphs, "captured", Tape)
    monkeypatch.setattr(step, "obstacle", lambda *_: "")
    monkeypatch.setattr(step, "Guard", lambda device, optimizer, ranks, wait: Guard(device, optimizer, ranks, False))
    return Tape


def figures(run: cnndsl.Run) -> list[dict[str, str]]:
    rows = list(csv.DictReader((run.path / "metrics.csv").open()))
    return [{key: value for key, value in row.items() if key not in ("seconds", "examples_per_s")} for row in rows]


@every_recipe
def test_replayed_steps_equal_others_bit_for_bit(name: str, tmp_path: Path, tape: type[Tape]) -> None:
    plain = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "plain", **RECIPES[name], **QUIET)
    assert not tape.made
    replayed = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "graph", cuda_graph=True, **RECIPES[name], **QUIET)
    assert tape.made == (2 if name == "schedule" else 1)  # once for each learning rate
    assert_same_weights(plain.module("last"), replayed.module("last"))
    assert figures(plain) == figures(replayed)


def test_a_loss_that_is_not_finite_is_found(tmp_path: Path, tape: type[Tape]) -> None:
    """The rate explodes after two epochs of five batches. The weights stay as the last good step left them."""
    spec = PLAIN.replace("  - ReLU\n", "")
    recipe = {"scheduler": {"MultiStepLR": {"milestones": [2], "gamma": 1e18}}, "cuda_graph": True}
    with pytest.raises(RunError, match=r"not finite in epoch 3, batch [23]; ") as caught:
        cnndsl.train(cnndsl.Text(spec), runs=tmp_path, **recipe, **QUIET)
    assert caught.value.diagnostic.code is Code.LOSS
    assert tape.made == 2


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ({}, "the device is cpu"),
        ({"optimizer": {"RMSprop": {"lr": 0.01}}}, "`RMSprop` has no fused kernel"),
        (
            {"scheduler": {"OneCycleLR": {"max_lr": 0.1}}},
            "`OneCycleLR` changes the optimizer's settings after each step",
        ),
    ],
)
def test_what_is_not_captured_is_reported(
    recipe: dict[str, Any],
    reason: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if recipe:  # as it would be on CUDA
        real = graphs.obstacle
        monkeypatch.setattr(step, "obstacle", lambda recipe, _, *more: real(recipe, torch.device("cuda"), *more))
    cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=1, cuda_graph=True, device="cpu", **recipe)
    assert f"steps are not captured in a CUDA graph: {reason}\n" in capsys.readouterr().out


# --- with CUDA -----------------------------------------------------------------------------------


def trained(tmp_path: Path, **recipe: Any) -> cnndsl.Run:
    return cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, quiet=True, device="cuda", **recipe)


@on_cuda
@every_recipe
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_cuda_graphs_change_no_bit(name: str, precision: str, tmp_path: Path) -> None:
    """Dropout in it draws the same numbers, too."""
    plain, replayed = (trained(tmp_path, precision=precision, cuda_graph=on, **RECIPES[name]) for on in (False, True))
    assert_same_weights(plain.module("last"), replayed.module("last"))
    assert figures(plain) == figures(replayed)


@on_cuda
def test_samples_resized_once_change_no_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = trained(tmp_path, resize=20, cuda_graph=True)
    monkeypatch.setattr(memory, "ROOM", 0)
    assert_same_weights(once.module("last"), trained(tmp_path, resize=20, cuda_graph=True).module("last"))


@on_cuda
def test_a_compiled_step_is_captured(tmp_path: Path) -> None:
    """Without dropout, which draws other numbers when it is compiled."""
    spec = cnndsl.Text(SPEC.replace("  - Dropout: 0.2\n", ""))
    recipe: dict[str, Any] = {"runs": tmp_path, "quiet": True, "device": "cuda", "epochs": 2, "deterministic": False}
    plain = cnndsl.train(spec, **recipe)
    replayed = cnndsl.train(spec, cuda_graph=True, compile=True, **recipe)
    assert furthest(plain.module("last"), replayed.module("last")) < 0.02


@on_cuda
def test_a_loss_that_is_not_finite_is_found_on_cuda(tmp_path: Path) -> None:
    recipe = {"scheduler": {"MultiStepLR": {"milestones": [2], "gamma": 1e18}}, "cuda_graph": True}
    spec = PLAIN.replace("  - ReLU\n", "")
    with pytest.raises(RunError, match=r"not finite in epoch 3, batch [23]; "):
        cnndsl.train(cnndsl.Text(spec), runs=tmp_path, quiet=True, device="cuda", **recipe)


@on_cuda
def test_what_waits_for_the_device_is_refused(tmp_path: Path) -> None:
    """A batch normalisation without momentum reads its counter."""
    spec = SPEC.replace("  - BatchNorm2d\n", "  - BatchNorm2d: {momentum: null}\n")
    with pytest.raises(RunError, match="cannot be captured") as caught:
        cnndsl.train(cnndsl.Text(spec), runs=tmp_path, quiet=True, device="cuda", cuda_graph=True)
    assert caught.value.diagnostic.help == "`--no-cuda-graph`"
