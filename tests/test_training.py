"""The loop against a handwritten one, recipes against torch, and resuming."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from msgspec.structs import replace
from torch import nn, optim
from torch.optim.optimizer import register_optimizer_step_pre_hook
from training_cases import SPEC, assert_same_weights, by_hand, data_of, first_weights, spec_file

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.training.plan import epoch_plan, evaluation_plan, in_steps, sizes, steps_in_epoch
from cnndsl.training.threads import SPINS

QUIET: dict[str, Any] = {"quiet": True, "device": "cpu"}
pytestmark = pytest.mark.usefixtures("one_thread")


def sgd(parameters: Any) -> optim.Optimizer:
    return optim.SGD(parameters, lr=0.1, momentum=0.9, fused=True)


# --- the loop ------------------------------------------------------------------------------------


def test_a_training_equals_the_loop_by_hand(tmp_path: Path) -> None:
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, **QUIET)
    assert_same_weights(run.module("last"), by_hand(SPEC, sgd, nn.CrossEntropyLoss()))


def test_an_optimizer_a_schedule_a_loss_and_clipping(tmp_path: Path) -> None:
    run = cnndsl.train(
        cnndsl.Text(SPEC),
        runs=tmp_path,
        optimizer={"AdamW": {"lr": 0.01, "betas": [0.8, 0.9]}},
        scheduler={"CosineAnnealingLR": {"T_max": "$epochs"}},
        loss={"CrossEntropyLoss": {"label_smoothing": 0.1}},
        clip_grad_norm=0.5,
        **QUIET,
    )
    wanted = by_hand(
        SPEC,
        lambda parameters: optim.AdamW(parameters, lr=0.01, betas=(0.8, 0.9), fused=True),
        nn.CrossEntropyLoss(label_smoothing=0.1),
        lambda optimizer: optim.lr_scheduler.CosineAnnealingLR(optimizer, 3),
        clip=0.5,
    )
    assert_same_weights(run.module("last"), wanted)


def test_the_learning_rate_falls_as_torch_has_it(tmp_path: Path) -> None:
    run = cnndsl.train(
        cnndsl.Text(SPEC), runs=tmp_path, epochs=4, scheduler={"StepLR": {"step_size": 2, "gamma": 0.1}}, **QUIET
    )
    rates = [float(row["lr"]) for row in csv.DictReader((run.path / "metrics.csv").open())]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01])


SCHEDULES: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 1},
    "MultiStepLR": {"milestones": [1, 2]},
    "ConstantLR": {},
    "LinearLR": {},
    "ExponentialLR": {"gamma": 0.5},
    "PolynomialLR": {},
    "CosineAnnealingLR": {"T_max": 3},
    "CosineAnnealingWarmRestarts": {"T_0": 2},
    "CyclicLR": {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 3},
    "OneCycleLR": {"max_lr": 0.1},
    "ReduceLROnPlateau": {"patience": 0},
    "SequentialLR": {
        "schedulers": [{"LinearLR": {"total_iters": 1}}, {"ExponentialLR": {"gamma": 0.5}}],
        "milestones": [1],
    },
    "ChainedScheduler": {"schedulers": [{"ConstantLR": {}}, {"ExponentialLR": {"gamma": 0.5}}]},
}


@pytest.mark.filterwarnings("ignore:The epoch parameter")
@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_schedule_survives_a_resumption(name: str, tmp_path: Path) -> None:
    """Its state survives a checkpoint, and the rates equal those of an uninterrupted run."""
    spec = SPEC.replace("size: 150", "size: 64")
    scheduler = {name: SCHEDULES[name]}
    used: list[float] = []
    hook = register_optimizer_step_pre_hook(lambda optimizer, *_: used.append(optimizer.param_groups[0]["lr"]))
    whole = cnndsl.train(cnndsl.Text(spec), runs=tmp_path / "whole", scheduler=scheduler, **QUIET)
    hook.remove()
    checkpoint = cut_short(spec, tmp_path / "cut", scheduler=scheduler)
    resumed = cnndsl.train(resume=checkpoint, **QUIET)
    assert_same_weights(whole.module("last"), resumed.module("last"))
    assert [row["lr"] for row in rows(whole)] == [row["lr"] for row in rows(resumed)]
    # Two steps per epoch: the epoch's rate is that of its last step.
    assert [float(row["lr"]) for row in rows(whole)] == used[1::2]


def test_one_cycle_ends_with_its_lowest_rate(tmp_path: Path) -> None:
    """Four steps, and torch's rates for them."""
    spec = SPEC.replace("size: 150", "size: 32").replace("epochs: 3", "epochs: 4")
    run = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, scheduler={"OneCycleLR": {"max_lr": 0.1}}, **QUIET)
    assert [float(row["lr"]) for row in rows(run)] == pytest.approx([0.004, 0.08118, 0.02832, 4e-07], rel=1e-3)


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    spec = SPEC.replace("  - BatchNorm2d\n", "").replace("  - Dropout: 0.2\n", "")
    large = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, batch_size=64, **QUIET).module("last")
    small = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, batch_size=16, accumulate=4, **QUIET).module("last")
    for name, tensor in large.state_dict().items():
        torch.testing.assert_close(small.state_dict()[name], tensor, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns(precision: str, tmp_path: Path) -> None:
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, precision=precision, epochs=6, **QUIET)
    assert run.info["results"]["test_acc"] > 0.6
    assert all(tensor.dtype != torch.float16 for tensor in run.module().state_dict().values())


def test_the_figures_of_an_epoch_are_those_of_torch(tmp_path: Path) -> None:
    """Test loss and accuracy, recomputed from the checkpoint."""
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, **QUIET)
    _, data = data_of(SPEC)
    module = run.module("last")
    scores, labels = [], []
    for images, wanted in data.test.batches(evaluation_plan(60, 32)):
        scores.append(module(images).detach())
        labels.append(wanted)
    loss = nn.functional.cross_entropy(torch.cat(scores), torch.cat(labels)).item()
    accuracy = (torch.cat(scores).argmax(1) == torch.cat(labels)).double().mean().item()
    last = rows(run)[-1]
    assert float(last["test_acc"]) == accuracy
    assert float(last["test_loss"]) == pytest.approx(loss, rel=1e-5)


def test_pixels_have_classes_too(tmp_path: Path) -> None:
    spec = SPEC[: SPEC.index("network:")] + (
        "network: [Conv2d: [8, 3, 1, 1], ReLU, Conv2d: [$classes, 1]]\n" + SPEC[SPEC.index("train:") :]
    )
    run = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, epochs=8, **QUIET)
    losses = [float(row["loss"]) for row in rows(run)]
    assert losses[-1] < losses[0]
    assert float(rows(run)[-1]["test_acc"]) > 0.5  # chance is a quarter


# --- plans ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [1, 2, 3])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_every_sample_is_seen_once(ranks: int, accumulate: int) -> None:
    recipe, _ = data_of(SPEC)
    recipe = replace(recipe, accumulate=accumulate)
    plans = [epoch_plan(150, recipe, 1, rank, ranks) for rank in range(ranks)]
    seen = torch.cat([item.batch.indices for plan in plans for item in plan])
    assert sorted(seen.tolist()) == list(range(150))
    assert sum(item.steps for item in plans[0]) == steps_in_epoch(150, recipe, ranks)
    assert plans[0][-1].steps
    # All processes step after the same batches.
    assert all([item.steps for item in plan] == [item.steps for item in plans[0]] for plan in plans)
    assert [len(step) for step in in_steps(plans[0])] == ([1] * 5 if accumulate == 1 else [3, 2])


def test_what_is_left_of_an_epoch() -> None:
    assert sizes(100, 32, 1) == [32, 32, 32, 4]
    assert sizes(97, 32, 1) == [32, 32, 32]  # one sample has no variance
    assert sizes(99, 32, 2) == [32, 32, 32]
    assert sizes(3, 1, 1) == [1, 1, 1]
    assert sizes(5, 32, 1) == [5]


def test_another_epoch_has_another_order() -> None:
    recipe, _ = data_of(SPEC)
    orders = [
        torch.cat([item.batch.indices for item in epoch_plan(150, recipe, epoch)]).tolist() for epoch in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


# --- the run's folder ----------------------------------------------------------------------------


def rows(run: cnndsl.Run) -> list[dict[str, str]]:
    return list(csv.DictReader((run.path / "metrics.csv").open()))


def test_a_run_leaves_what_is_needed_to_understand_it(tmp_path: Path) -> None:
    run = cnndsl.train(spec_file(tmp_path), runs=tmp_path / "runs", seed=7, **QUIET)
    assert run.path.parent == tmp_path / "runs" / "tiny"
    names = {path.name for path in run.path.iterdir()}
    assert names >= {"spec.yaml", "run.json", "metrics.csv", "curves.svg", "curves.png", "last.pt", "best.pt"}
    assert (run.path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (run.path / "curves.svg").read_bytes()
    info = json.loads((run.path / "run.json").read_text())
    assert info["state"] == "finished" and info["seed"] == 7
    assert info["versions"]["torch"] == torch.__version__
    assert info["recipe"]["optimizer"] == {"SGD": {"lr": 0.1, "momentum": 0.9}}
    assert len(rows(run)) == 3
    # The run's spec is the one that was trained, with all settings.
    net = cnndsl.load(run.path / "spec.yaml")
    assert net.recipe is not None and net.recipe.seed == 7


def test_the_best_checkpoint_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=6, **QUIET)
    accuracies = [float(row["test_acc"]) for row in rows(run)]
    assert len(run.checkpoint("best").progress.epochs) == accuracies.index(max(accuracies)) + 1
    assert len(run.checkpoint("last").progress.epochs) == 6


def test_a_checkpoint_is_enough_to_have_the_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere, without the spec: the checkpoint has everything that it extends and uses."""
    spec_file(tmp_path, SPEC, "base.yaml")
    spec = spec_file(tmp_path, "extends: base.yaml\nparams: {classes: 5}\n", "five.yaml")
    run = cnndsl.train(spec, runs=tmp_path / "runs", **QUIET)
    wanted = run.module().state_dict()
    moved = tmp_path / "elsewhere" / "weights.pt"
    moved.parent.mkdir()
    (run.path / "best.pt").rename(moved)
    for path in (tmp_path / "base.yaml", spec):
        path.unlink()
    monkeypatch.chdir(moved.parent)
    module = cnndsl.load_run("weights.pt").module()
    assert module(torch.zeros(2, 1, 12, 12)).shape == (2, 5)
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in module.state_dict().items())


def test_a_network_is_trained_at_the_size_of_its_recipe(tmp_path: Path) -> None:
    spec = SPEC.replace("  - Flatten\n", "  - AdaptiveAvgPool2d: 2\n  - Flatten\n")
    run = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, epochs=1, resize=20, **QUIET)
    assert run.info["sample"] == [1, 20, 20]
    assert run.network().graph.inputs["x"].shape.sample == (1, 20, 20)


# --- resuming ------------------------------------------------------------------------------------


def cut_short(spec: str, runs: Path, after: int = 2, **recipe: Any) -> Path:
    """A run that was stopped by a signal in its second epoch."""
    from cnndsl.training import loop
    from cnndsl.training.interrupt import Stopped

    step, taken = loop.Loop._step, [0]

    def counting(self: loop.Loop, *arguments: Any) -> Any:
        taken[0] += 1
        if taken[0] == len(epoch_plan(len(self.data.train), self.recipe, 0)) + after:
            self.place.stop.number = 15
        return step(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "_step", counting)
        try:
            cnndsl.train(cnndsl.Text(spec), runs=runs, **recipe, **QUIET)
        except Stopped as stopped:
            assert "--resume" in str(stopped)
    (path,) = runs.glob("*/*")
    return path


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_resumed_run_equals_one_in_one_go(after: int, tmp_path: Path) -> None:
    whole = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "whole", **QUIET)
    path = cut_short(SPEC, tmp_path / "cut", after)
    assert cnndsl.load_run(path).state == "interrupted"
    assert cnndsl.load_run(path).checkpoint("last").progress.batches == max(after, 0)
    resumed = cnndsl.train(resume=path, **QUIET)
    assert resumed.path == path
    assert_same_weights(whole.module("last"), resumed.module("last"))
    unlike = ("seconds", "examples_per_s")
    kept = [[{k: v for k, v in row.items() if k not in unlike} for row in rows(run)] for run in (whole, resumed)]
    assert kept[0] == kept[1]


def test_augmentation_and_accumulation_are_resumed_too(tmp_path: Path) -> None:
    more: dict[str, Any] = {
        "augment": ["RandomHorizontalFlip", {"RandomCrop": {"size": 12, "padding": 2}}, {"RandomErasing": {"p": 0.5}}],
        "accumulate": 2,
        "optimizer": {"Adam": {"lr": 0.01}},
    }
    whole = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "whole", **more, **QUIET)
    resumed = cnndsl.train(resume=cut_short(SPEC, tmp_path / "cut", 3, **more), **QUIET)
    assert_same_weights(whole.module("last"), resumed.module("last"))


def test_more_epochs(tmp_path: Path) -> None:
    whole = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "whole", epochs=5, **QUIET)
    short = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path / "short", **QUIET)
    longer = cnndsl.train(resume=short.path, epochs=5, **QUIET)
    assert len(rows(longer)) == 5
    assert_same_weights(whole.module("last"), longer.module("last"))


def refused(message: str, **arguments: Any) -> RunError:
    with pytest.raises(RunError) as caught:
        cnndsl.train(**arguments, **QUIET)
    assert caught.value.diagnostic.code is Code.RESUME
    assert message in str(caught.value)
    return caught.value


def test_what_cannot_be_resumed(tmp_path: Path) -> None:
    path = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=2, **QUIET).path
    error = refused("the spec has changed since the checkpoint", resume=path, epochs=4, batch_size=64)
    notes = [note.message for note in error.diagnostic.notes]
    assert notes == ["-batch_size: 32", "+batch_size: 64"]
    refused("all 2 epochs are done", resume=path)
    refused("2 epochs are done, more than `epochs: 1`", resume=path, epochs=1)


def test_arguments_from_python(tmp_path: Path) -> None:
    text = cnndsl.Text(SPEC)
    path = cnndsl.train(spec=text, runs=tmp_path, epochs=1, checkpoint_every=0, **QUIET).path
    assert len(rows(cnndsl.load_run(path))) == 1
    with pytest.raises(ValueError, match="`workers` must be 0 or more, or None for one for each core, not -1"):
        cnndsl.train(text, runs=tmp_path, workers=-1, **QUIET)
    with pytest.raises(ValueError, match="`checkpoint_every` must be a number of batches, or 0, not -2"):
        cnndsl.train(text, runs=tmp_path, checkpoint_every=-2, **QUIET)
    assert refused("neither a spec nor a run was given", epochs=1).diagnostic.help.endswith("a run with `resume=`")


@pytest.mark.parametrize(
    "command, message",
    [
        ("train --resume run --runs other", "--runs is for new runs: a run that is resumed stays in its folder"),
        ("train --resume run --weights w.pt", "--weights is for new runs: a run that is resumed has its own weights"),
        ("train net.yaml --partial", "--partial is for weights: name them with --weights"),
        ("train --resume run --partial", "--partial is for weights: name them with --weights"),
        ("build net.yaml --partial", "--partial is for weights: name them with --weights"),
    ],
)
def test_options_that_would_do_nothing(command: str, message: str) -> None:
    done = CliRunner().invoke(cli, command.split())
    assert done.exit_code == 2 and f"Error: {message}\n" in done.stderr


def test_a_spec_that_changed_is_not_resumed(tmp_path: Path) -> None:
    path = cnndsl.train(spec_file(tmp_path), runs=tmp_path / "runs", epochs=2, **QUIET).path
    spec_file(tmp_path, SPEC.replace("kernel_size: 3", "kernel_size: 5"))
    with pytest.raises(RunError, match="the spec has changed") as caught:
        cnndsl.train(tmp_path / "tiny.yaml", resume=path, epochs=4, **QUIET)
    assert any("kernel_size: 5" in note.message for note in caught.value.diagnostic.notes)
    # Comments and layout do not count as changes.
    spec_file(tmp_path, "# the same\n" + SPEC)
    cnndsl.train(tmp_path / "tiny.yaml", resume=path, epochs=4, **QUIET)


def test_a_schedule_over_all_epochs_keeps_its_length(tmp_path: Path) -> None:
    scheduler = {"CosineAnnealingLR": {"T_max": "$epochs"}}
    path = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=2, scheduler=scheduler, **QUIET).path
    error = refused("the spec has changed", resume=path, epochs=4)
    notes = [note.message for note in error.diagnostic.notes]
    assert notes == ["-scheduler: CosineAnnealingLR(T_max=2)", "+scheduler: CosineAnnealingLR(T_max=4)"]
    assert "depends on `epochs`" in error.diagnostic.help
    # The help is right.
    longer = cnndsl.train(resume=path, epochs=4, scheduler={"CosineAnnealingLR": {"T_max": 2}}, **QUIET)
    assert len(rows(longer)) == 4


def test_one_cycle_ends_with_its_training(tmp_path: Path) -> None:
    path = cnndsl.train(
        cnndsl.Text(SPEC), runs=tmp_path, epochs=2, scheduler={"OneCycleLR": {"max_lr": 0.1}}, **QUIET
    ).path
    refused("lasts as long as the training", resume=path, epochs=4)
    assert "start a new run" in refused("all 2 epochs are done", resume=path).diagnostic.help


def test_the_help_of_a_finished_run_is_as_long_as_its_cycle(tmp_path: Path) -> None:
    recipe = cnndsl.loads(SPEC).recipe
    assert recipe is not None
    steps = steps_in_epoch(150, recipe, 1)
    cycle = {"OneCycleLR": {"max_lr": 0.1, "total_steps": 3 * steps + 1}}
    path = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=2, scheduler=cycle, **QUIET).path
    assert "`--epochs 3` continues it" in refused("all 2 epochs are done", resume=path).diagnostic.help
    cnndsl.train(resume=path, epochs=3, **QUIET)  # the help is right
    assert "start a new run" in refused("all 3 epochs are done", resume=path, epochs=3).diagnostic.help


# --- the command line ----------------------------------------------------------------------------


def run_cli(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnndsl", *arguments]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP, which torch has on Linux, prints what it reads")
@pytest.mark.parametrize("own, spins", [({}, SPINS), ({"OMP_WAIT_POLICY": "passive"}, 0), ({"GOMP_SPINCOUNT": "7"}, 7)])
def test_waiting_threads_sleep_soon_unless_the_user_chooses(tmp_path: Path, own: dict[str, str], spins: int) -> None:
    spec_file(tmp_path)
    (tmp_path / "early.py").write_text("import torch\n")  # a plugin is imported before the training
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    environment |= {"OMP_DISPLAY_ENV": "verbose", "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])} | own
    done = run_cli("train", "tiny.yaml", "--plugin", "early", "--epochs", "0", cwd=tmp_path, env=environment)
    assert f"GOMP_SPINCOUNT = '{spins}'" in done.stderr, done.stderr


def test_the_command_prints_a_line_an_epoch_and_two_at_the_end(tmp_path: Path) -> None:
    spec_file(tmp_path)
    done = run_cli("train", "tiny.yaml", "--epochs", "2", "--lr", "0.05", "--device", "cpu", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("tiny on Synthetic, cpu: runs/tiny/")
    assert lines[1].startswith("epoch 1/2: loss ") and lines[2].startswith("epoch 2/2: loss ")
    assert lines[3].startswith("loss ") and ", train acc " in lines[3] and ", test acc " in lines[3]
    assert lines[4].endswith(" examples/sec on cpu")
    (path,) = tmp_path.glob("runs/tiny/*")
    info = json.loads((path / "run.json").read_text())
    assert info["recipe"]["optimizer"]["SGD"] == {"lr": 0.05, "momentum": 0.9}


def test_every_key_of_a_recipe_can_be_set(tmp_path: Path) -> None:
    spec_file(tmp_path, SPEC[: SPEC.index("train:")])
    done = run_cli(
        *("train", "tiny.yaml", "--dataset", "{Synthetic: {size: 64, test_size: 32}}", "--epochs", "1"),
        *("--batch-size", "16", "--optimizer", "Adam", "--scheduler", "{StepLR: 1}", "--loss", "CrossEntropyLoss"),
        *("--augment", "[RandomHorizontalFlip]", "--seed", "3", "--precision", "bf16", "--clip-grad-norm", "1"),
        *("--accumulate", "2", "--resize", "12", "--no-compile", "--set", "train.optimizer.*.lr=0.002", "-q"),
        cwd=tmp_path,
    )
    assert done.returncode == 0 and not done.stdout, done.stderr
    (path,) = tmp_path.glob("runs/tiny/*")
    recipe = json.loads((path / "run.json").read_text())["recipe"]
    assert recipe["optimizer"] == {"Adam": {"lr": 0.002}} and recipe["augment"] == [{"RandomHorizontalFlip": {}}]
    assert (recipe["precision"], recipe["accumulate"], recipe["resize"], recipe["seed"]) == ("bf16", 2, 12, 3)


def test_warnings_appear_before_the_first_epoch(tmp_path: Path) -> None:
    spec_file(tmp_path, SPEC.replace("  - Linear: $classes\n", "  - Linear: $classes\n  - Softmax: 1\n"))
    done = run_cli("train", "tiny.yaml", "--epochs", "1", cwd=tmp_path)
    assert done.returncode == 0 and "warning[CNN106]" in done.stderr and "warning" not in done.stdout
    assert "warning" not in run_cli("train", "tiny.yaml", "--epochs", "1", "--quiet", cwd=tmp_path).stderr


def test_a_recipe_is_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    spec_file(tmp_path)
    done = run_cli("train", "tiny.yaml", "--lr", "fast", "--epochs", "0", "--set", "train.loss=L1Loss", cwd=tmp_path)
    assert done.returncode == 2
    assert "`lr` expects a number" in done.stderr and "`epochs` expects a positive integer" in done.stderr
    assert "`L1Loss` is not a loss" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()
    missing = spec_file(tmp_path, SPEC[: SPEC.index("train:")])
    done = run_cli("train", missing.name, cwd=tmp_path)
    assert done.returncode == 1 and "needs `train.dataset`" in done.stderr


def test_tensorboard_gets_the_figures(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, tensorboard=True, **QUIET)
    events = EventAccumulator(str(run.path / "tensorboard"))
    events.Reload()
    told = [scalar.value for scalar in events.Scalars("test_acc")]
    assert told == pytest.approx([float(row["test_acc"]) for row in rows(run)])


def test_a_compiled_training_learns_the_same(tmp_path: Path) -> None:
    spec = SPEC.replace("  - Dropout: 0.2\n", "")
    plain = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, **QUIET)
    compiled = cnndsl.train(cnndsl.Text(spec), runs=tmp_path, compile=True, **QUIET)
    for name, tensor in plain.module("last").state_dict().items():
        torch.testing.assert_close(compiled.module("last").state_dict()[name], tensor, rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    one, two = (cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=1, **QUIET).module() for _ in range(2))
    other = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=1, seed=1, **QUIET).module()
    assert_same_weights(one, two)
    assert not torch.equal(next(one.parameters()), next(other.parameters()))
    assert not torch.equal(next(first_weights(SPEC).parameters()), next(one.parameters()))
