"""The ends of trainings: early, before the start, or by an error of torch; and the weights that they keep."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from test_training import cut_short
from torch import nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from training_cases import SPEC, assert_same_weights, by_hand, data_of

import cnndsl
from cnndsl.diagnostics import Code, Diagnostic, RunError, SpecError
from cnndsl.recipe import EarlyStopping
from cnndsl.recipe.compatibility import unfit_batch
from cnndsl.training import loop
from cnndsl.training.failures import explained
from cnndsl.training.plan import evaluation_plan
from cnndsl.training.progress import Epoch, early_end
from cnndsl.training.run_folder import list_runs

QUIET: dict[str, Any] = {"quiet": True, "device": "cpu"}
pytestmark = pytest.mark.usefixtures("one_thread")


def rows(run: cnndsl.Run) -> list[dict[str, str]]:
    return list(csv.DictReader((run.path / "metrics.csv").open()))


def refused(code: Code, text: str, runs: Path, **recipe: Any) -> Diagnostic:
    """The error of a training that does not start, and leaves no run."""
    with pytest.raises(RunError) as caught:
        cnndsl.train(cnndsl.Text(text), runs=runs, **recipe, **QUIET)
    assert caught.value.diagnostic.code is code
    assert not runs.exists()
    return caught.value.diagnostic


# --- early stopping ------------------------------------------------------------------------------


def epochs_of(figures: list[float], name: str = "test_loss") -> list[Epoch]:
    plain = dict.fromkeys(("loss", "train_acc", "test_loss", "test_acc", "lr", "examples_per_s", "seconds"), 0.0)
    return [Epoch(epoch=number, **plain | {name: figure}) for number, figure in enumerate(figures, 1)]


@pytest.mark.parametrize(
    ("rule", "figures", "ends_after"),
    [
        ({"patience": 2}, [3, 2, 2.5, 2.1, 1], 4),
        ({"patience": 2}, [3, 2, 2.5, 1, 1, 1, 0.5], 6),
        ({"patience": 1}, [3, 3], 2),  # equal is not better
        ({"patience": 0}, [3, 2, 2.5], 3),  # as in Keras, only once the figure is worse
        ({"patience": 1, "min_delta": 0.5}, [3, 2.4, 2.0], 3),
        ({"patience": 2, "min_delta": 0.5}, [3, 2.6, 2.4, 2.2], None),  # compared with the best, not the last
        ({"patience": 1, "monitor": "test_acc"}, [0.5, 0.6, 0.6], 3),
        ({"patience": 1, "monitor": "test_acc", "mode": "min"}, [0.5, 0.6], 2),
        ({"patience": 2, "monitor": "loss", "mode": "max"}, [1, 2, 3, 4], None),
        ({"patience": 2}, [float("nan"), float("nan")], 2),
        ({"patience": 3}, [float("nan"), float("nan"), 2, 1], None),
    ],
)
def test_when_a_training_ends(rule: dict[str, Any], figures: list[float], ends_after: int | None) -> None:
    stopping = EarlyStopping(**rule)
    epochs = epochs_of(figures, stopping.monitor)
    ended = [count for count in range(len(epochs) + 1) if early_end(stopping, epochs[:count])]
    assert ended[:1] == ([] if ends_after is None else [ends_after])


#: Only a fall of the loss by 10, or the first figure, is an improvement.
AT_ONCE = {"early_stopping": {"monitor": "test_loss", "patience": 2, "min_delta": 10}}


def test_a_training_stops_early_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, device="cpu", epochs=9, **AT_ONCE)
    out = capsys.readouterr().out
    assert "stopped early: `test_loss` has not improved since epoch 1, when it was" in out
    assert len(rows(run)) == 3 and run.state == "finished"
    assert "has not improved" in run.info["message"]
    assert run.info["recipe"]["early_stopping"]["patience"] == 2


def test_a_resumed_training_stops_where_it_would_have(tmp_path: Path) -> None:
    whole = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "whole", epochs=9, **AT_ONCE, **QUIET)
    path = cut_short(SPEC, tmp_path / "cut", epochs=9, **AT_ONCE)
    resumed = cnndsl.train(resume=path, **QUIET)
    assert len(rows(resumed)) == 3
    assert_same_weights(whole.module("last"), resumed.module("last"))
    with pytest.raises(RunError, match="stopped early") as caught:
        cnndsl.train(resume=path, **QUIET)
    assert caught.value.diagnostic.code is Code.RESUME
    # The help is right: the end of a training may change.
    assert "patience=12" in caught.value.diagnostic.help
    longer = cnndsl.train(resume=path, epochs=4, early_stopping={"patience": 12}, **QUIET)
    assert_same_weights(
        longer.module("last"), cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=4, **QUIET).module("last")
    )


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("{monitor: val_loss}", "`monitor` expects"),
        ("{patience: -1}", "`patience` expects an integer, 0 or more"),
        ("{min_delta: -1}", "`min_delta` expects a number of at least 0"),
        ("{mode: best}", "`mode` expects"),
        ("{patient: 3}", "has no argument `patient`"),
        ("5", "takes its arguments by name"),
    ],
)
def test_a_rule_that_is_none(written: str, says: str) -> None:
    (fault,) = cnndsl.check(cnndsl.Text(f"{SPEC}  early_stopping: {written}\n"))
    assert says in fault.message and fault.span is not None


@pytest.mark.parametrize("written", ["ema: 0", "ema: 1", "ema: 1.5", "ema: true"])
def test_a_decay_that_is_none(written: str) -> None:
    (fault,) = cnndsl.check(cnndsl.Text(f"{SPEC}  {written}\n"))
    assert "`ema` expects a number above 0 and below 1" in fault.message


def test_null_leaves_out_what_a_spec_extends(tmp_path: Path) -> None:
    more = "  ema: 0.9\n  early_stopping: {}\n  scheduler: {StepLR: 1}\n  clip_grad_norm: 1\n"
    (tmp_path / "base.yaml").write_text(SPEC + more)
    keys = [line.split(":")[0].strip() for line in more.splitlines()]
    (tmp_path / "own.yaml").write_text("extends: base.yaml\ntrain:\n" + "".join(f"  {key}: null\n" for key in keys))
    base, own = (cnndsl.load(tmp_path / f"{name}.yaml").recipe for name in ("base", "own"))
    assert base is not None and base.early_stopping == EarlyStopping() and base.ema == 0.9
    assert own is not None and [getattr(own, key) for key in keys] == [None] * 4


# --- averaged weights ----------------------------------------------------------------------------


def averaging(decay: float) -> tuple[Callable[[nn.Module], None], list[AveragedModel]]:
    """The function that a handwritten loop calls after each step, and the list that holds torch's average."""
    kept: list[AveragedModel] = []

    def after_step(module: nn.Module) -> None:
        if not kept:
            average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
            kept.append(AveragedModel(module, multi_avg_fn=average, use_buffers=True))
        kept[0].update_parameters(module)

    return after_step, kept


def test_an_average_is_torchs_and_is_what_is_tested_and_kept(tmp_path: Path) -> None:
    after_step, kept = averaging(0.9)
    learned = by_hand(
        SPEC, lambda parameters: optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True), nn.CrossEntropyLoss(),
        after_step=after_step,
    )  # fmt: skip
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, ema=0.9, **QUIET)
    average = kept[0].module.eval()
    assert_same_weights(run.module("last"), average)
    averaged = run.checkpoint("last").learner["averaged"]
    assert averaged["steps"] == 15
    for name, tensor in learned.state_dict().items():
        assert torch.equal(averaged["module"][name], tensor), name
    _, data = data_of(SPEC)
    right = sum(int((average(x).argmax(1) == y).sum()) for x, y in data.test.batches(evaluation_plan(60, 32)))
    assert float(rows(run)[-1]["test_acc"]) == right / 60 == run.evaluate("last", device="cpu").accuracy
    # So is the best one: that of its epoch, whose figure the table has.
    best = run.checkpoint("best").progress.epochs[-1]
    assert run.evaluate("best", device="cpu").accuracy == best.test_acc


@pytest.mark.parametrize("after", [0, 2])
def test_an_average_is_resumed_to_the_bit(after: int, tmp_path: Path) -> None:
    more: dict[str, Any] = {"ema": 0.9, "accumulate": 2, "optimizer": {"Adam": {"lr": 0.01}}}
    whole = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "whole", **more, **QUIET)
    resumed = cnndsl.train(resume=cut_short(SPEC, tmp_path / "cut", after, **more), **QUIET)
    assert_same_weights(whole.module("last"), resumed.module("last"))
    assert [row["test_loss"] for row in rows(whole)] == [row["test_loss"] for row in rows(resumed)]


# --- batches that cannot train -------------------------------------------------------------------

POOLED = SPEC.replace("  - MaxPool2d: 2\n  - Flatten\n", "").replace(
    "  - BatchNorm2d\n", "  - AdaptiveAvgPool2d: 1\n  - BatchNorm2d\n  - Flatten\n"
)


@pytest.mark.parametrize("norm", ["BatchNorm2d", "Reshape: [6, 1, 1, 1]\n  - BatchNorm3d", "Flatten\n  - BatchNorm1d"])
def test_one_sample_has_no_variance(norm: str, tmp_path: Path) -> None:
    """Refused when the spec is read, with the place of the batch size, before anything is made."""
    spec = POOLED.replace("BatchNorm2d", norm)
    with pytest.raises(SpecError) as caught:
        cnndsl.train(cnndsl.Text(spec), runs=tmp_path / "runs", batch_size=1, **QUIET)
    (fault,) = caught.value.diagnostics
    assert fault.code is Code.RECIPE and "one value per channel" in fault.message
    assert fault.span is not None and "batch_size" in str(fault.span) and fault.notes[0].span is not None
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("batch_size", "processes"), [(2, 2), (3, 2), (7, 4), (4, 2), (2, 1)])
def test_one_sample_of_a_process_has_none_either(batch_size: int, processes: int) -> None:
    net = cnndsl.loads(POOLED)
    assert net.recipe is not None
    faults = list(unfit_batch(net.graph, replace(net.recipe, batch_size=batch_size), processes))
    if batch_size // processes > 1:
        assert not faults
        return
    (fault,) = faults
    assert fault.message.startswith(f"a batch of {batch_size} on {processes} processes gives `BatchNorm2d` one value")
    assert fault.help.startswith(f"`batch_size: {2 * processes}` or more")


def test_one_sample_with_an_area_has_a_variance(tmp_path: Path) -> None:
    spec = SPEC.replace("size: 150", "size: 4").replace("epochs: 3", "epochs: 1")
    assert rows(cnndsl.train(cnndsl.Text(spec), runs=tmp_path, batch_size=1, **QUIET))


@pytest.mark.parametrize("samples", [2, 33, 65])
def test_a_last_batch_of_one_sample_is_left_out(samples: int, tmp_path: Path) -> None:
    """A batch may be larger than the data."""
    spec = POOLED.replace("size: 150", f"size: {samples}").replace("epochs: 3", "epochs: 1")
    assert rows(cnndsl.train(cnndsl.Text(spec), runs=tmp_path, **QUIET))


def test_data_without_a_step(tmp_path: Path) -> None:
    told = refused(Code.SAMPLE, SPEC.replace("size: 150", "size: 1"), tmp_path / "runs")
    assert told.message == "`Synthetic` has 1 training sample, but a batch needs 2"
    assert "`--batch-size 1`" in told.help


# --- what torch cannot do ------------------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, fail: Callable[[], Any]) -> None:
    monkeypatch.setattr(loop.Loop, "_step", lambda *_: fail())


def test_a_step_that_torch_refuses() -> None:
    """Errors outside layers, and in a user's layer, whose line is reported."""

    class Own(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("too hot")

    net = nn.Sequential(nn.Linear(2, 3), Own())
    x = torch.zeros(4, 2)
    for fail, said in (
        (lambda: net(x), ["too hot", "in layer `1`, Own()", f"raised at {Path(__file__)}:"]),
        (
            lambda: nn.functional.cross_entropy(net[0](x), torch.zeros(5, dtype=torch.long)),
            ["Expected input batch_size"],
        ),
    ):
        with pytest.raises(RunError) as caught, explained(torch.device("cpu"), net):
            fail()
        notes = [note.message for note in caught.value.diagnostic.notes]
        assert len(notes) == len(said) and all(map(str.startswith, notes, said))


def broken(text: str, runs: Path, **recipe: Any) -> Diagnostic:
    with pytest.raises(RunError) as caught:
        cnndsl.train(cnndsl.Text(text), runs=runs, **recipe, **QUIET)
    assert caught.value.diagnostic.code is Code.BROKEN
    return caught.value.diagnostic


def test_no_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cuda() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee the documentation")

    for number, fail in enumerate((lambda: torch.empty(1 << 55), cuda)):
        failing(monkeypatch, fail)
        told = broken(SPEC, tmp_path / str(number))
        assert told.message == "cpu is out of memory" and "--batch-size" in told.help and "--accumulate" in told.help
        assert len(told.notes) == 1 and "\n" not in told.notes[0].message
        (run,) = list_runs(tmp_path / str(number))
        assert run.state == "failed" and "out of memory" in run.info["message"]


@pytest.mark.parametrize(
    "words", ["gloo: Connection closed by peer", "Caught ValueError in DataLoader worker process 0.", "a fault of ours"]
)
def test_what_is_nobodys_fault_keeps_its_traceback(words: str) -> None:
    with pytest.raises(RuntimeError, match=words), explained(torch.device("cpu"), nn.Linear(2, 2)):
        raise RuntimeError(words)


def test_a_layer_that_torch_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked should never be refused; so a layer is made to multiply what does not fit."""
    monkeypatch.setattr(nn.Dropout, "forward", lambda self, x: x @ x)
    told = broken(SPEC, tmp_path)
    assert "torch cannot compute the step on cpu" in told.message
    said = [note.message for note in told.notes]
    assert said[0].startswith("mat1 and mat2 shapes cannot be multiplied") and "in layer `5`, Dropout(p=0.2" in said[1]


SCRIPT = """\
import multiprocessing
import cnndsl

multiprocessing.set_start_method("spawn", force=True)
cnndsl.train("spec.yaml", workers=2, device="cpu")
"""


def test_a_script_without_its_guard(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in "ab":
            folder = tmp_path / "pictures" / split / label
            folder.mkdir(parents=True)
            for number in range(4):
                Image.new("L", (12, 12), number).save(folder / f"{number}.png")
    dataset = "{ImageFolder: {root: pictures}}"
    (tmp_path / "spec.yaml").write_text(SPEC.replace("{Synthetic: {size: 150, test_size: 60}}", dataset))
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0
    assert 'if __name__ == "__main__":' in done.stderr and "CNN213" in done.stderr
    assert len(list((tmp_path / "runs").glob("*/*"))) <= 1
