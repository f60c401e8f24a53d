"""Failures of trainings and their messages: damaged files, full disks, signals, losses that are not finite."""

from __future__ import annotations

import errno
import os
import pickle
import shlex
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from training_cases import SPEC, assert_same_weights, spec_file

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code, RunError
from cnndsl.training import checkpoint as checkpoints
from cnndsl.training.checkpoint import encode
from cnndsl.training.guard import Guard
from cnndsl.training.interrupt import importing
from cnndsl.training.learner import Learner, can_skip
from cnndsl.training.ranks import Ranks
from cnndsl.training.resume import last_checkpoint
from cnndsl.training.writer import RunWriter

QUIET: dict[str, Any] = {"quiet": True, "device": "cpu"}
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path_factory.mktemp("runs"), **QUIET).path


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of a finished run."""
    copy = tmp_path / "run"
    copy.mkdir()
    for path in trained.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy


def failure(code: Code, message: str, *spec: str, **arguments: Any) -> RunError:
    with pytest.raises(RunError) as caught:
        cnndsl.train(*map(cnndsl.Text, spec), **arguments, **QUIET)
    assert caught.value.diagnostic.code is code
    assert message in caught.value.diagnostic.message, caught.value.diagnostic.message
    return caught.value


# --- dying ---------------------------------------------------------------------------------------


def crash(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / "crashing.py"), *arguments], capture_output=True, text=True, timeout=560
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("kills", [6, pytest.param(30, marks=pytest.mark.slow)])
def test_killed_at_random_moments_and_resumed_the_weights_are_the_same(kills: int, tmp_path: Path) -> None:
    assert int(crash("kills", str(tmp_path), str(kills)).split()[0]) >= kills


def test_a_checkpoint_loads_whenever_a_save_dies(tmp_path: Path) -> None:
    assert int(crash("saves", str(tmp_path)).split()[0]) >= 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [1, 2])
def test_signals_leave_a_checkpoint_and_an_exit_code(number: int, times: int, tmp_path: Path) -> None:
    spec_file(tmp_path, SPEC.replace("epochs: 3", "epochs: 100000"))
    command = [sys.executable, "-m", "cnndsl", "train", "tiny.yaml", "--device", "cpu"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()  # an epoch is done
    for _ in range(times):
        process.send_signal(number)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 128 + number, told
    assert f"stopped by {signal.Signals(number).name}; continue with `cnndsl train --resume runs/tiny/" in told
    assert "Traceback" not in told
    (path,) = tmp_path.glob("runs/tiny/*")
    assert cnndsl.load_run(path).state == "interrupted"
    assert last_checkpoint(path)[0].progress.epochs


# --- damaged checkpoints -------------------------------------------------------------------------


def test_every_flipped_bit_and_every_cut_is_noticed(run: Path) -> None:
    data = (run / "last.pt").read_bytes()
    generator = torch.Generator().manual_seed(0)
    for place in torch.randint(len(data), (60,), generator=generator).tolist():
        flipped = bytearray(data)
        flipped[place] ^= 1 << (place % 8)
        noticed(run / "last.pt", bytes(flipped))
        noticed(run / "last.pt", data[:place])


def noticed(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(RunError) as caught:
        checkpoints.load(path)
    assert caught.value.diagnostic.code is Code.CHECKPOINT
    return caught.value.diagnostic.message


def test_a_damaged_checkpoint_is_said_and_the_one_before_is_used(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "last.pt").write_bytes(b"")
    resumed = cnndsl.train(resume=run, epochs=4, device="cpu")
    told = capsys.readouterr().out
    assert f"{run / 'last.pt'} is empty; continuing from the checkpoint before it" in told
    assert "from epoch 3" in told
    # The damaged checkpoint did not replace the intact one: both files load.
    assert (run / "last.damaged.pt").read_bytes() == b""
    assert [len(checkpoints.load(run / name).progress.epochs) for name in ("last.before.pt", "last.pt")] == [3, 4]
    whole = cnndsl.train(cnndsl.Text(SPEC), runs=run.parent / "whole", epochs=4, **QUIET)
    assert_same_weights(resumed.module("last"), whole.module("last"))


def test_a_resumed_run_may_capture_its_steps(run: Path) -> None:
    cnndsl.train(resume=run, epochs=4, cuda_graph=True, **QUIET)
    assert len(last_checkpoint(run)[0].progress.epochs) == 4
    failure(Code.RESUME, "the spec has changed since the checkpoint", resume=run, epochs=5, compile=True)


def test_ctrl_c_counts_although_an_import_swallows_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), importing(), suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_what_each_damage_is_called(run: Path) -> None:
    data = (run / "last.pt").read_bytes()
    assert noticed(run / "last.pt", b"").endswith("is empty")
    assert noticed(run / "last.pt", data[:-100]).endswith("is cut off, or not a checkpoint of cnndsl")
    assert "its checksum differs" in noticed(run / "last.pt", data.replace(b"tiny", b"tony"))
    assert noticed(run / "last.pt", b"hello").endswith("is not a checkpoint")
    (run / "last.before.pt").unlink()
    error = failure(Code.RESUME, "has no checkpoint to continue from", resume=run, epochs=5)
    assert "is not a checkpoint" in str(error)
    error = failure(
        Code.RESUME, "best.pt is a checkpoint, but a training continues in", resume=run / "best.pt", epochs=5
    )
    assert f"`--resume {run}`" in str(error)
    error = failure(Code.CHECKPOINT, "is not a run", resume=run.parent)
    assert f"name one of its runs, the newest first: `{run}`" in str(error)
    failure(Code.CHECKPOINT, "does not exist", resume=run / "nothing")


def test_a_checkpoint_with_code_in_it_is_refused(run: Path, tmp_path: Path) -> None:
    """A correct checksum does not make pickled objects trusted."""
    trap = tmp_path / "trapped"

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(trap),)

    data = encode(replace(checkpoints.load(run / "best.pt"), versions={"trap": Trap()}))  # type: ignore[dict-item]
    message = noticed(run / "last.pt", data)
    assert "holds more than tensors and plain values" in message and not trap.exists()
    pickle.loads(pickle.dumps(Trap()))
    assert trap.exists()  # the trap works


def test_a_checkpoint_is_what_torch_loads_as_any_other(run: Path) -> None:
    content = torch.load(run / "best.pt", weights_only=True)
    assert content["spec"].startswith("name: tiny")
    with zipfile.ZipFile(run / "best.pt") as archive:
        assert archive.testzip() is None and archive.comment.startswith(b"sha256:")


def test_a_checkpoint_of_another_format(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = checkpoints.load(run / "best.pt")
    monkeypatch.setattr(checkpoints, "FORMAT", 99)
    data = encode(checkpoint)
    monkeypatch.undo()
    assert "has the format 99" in noticed(run / "last.pt", data)


# --- files ---------------------------------------------------------------------------------------


def test_a_full_disk_is_loud_and_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, files = os.fsync, [0]

    def full(handle: int) -> None:
        """The disk is full from the second epoch on."""
        name = Path(f"/proc/self/fd/{handle}").resolve().name
        files[0] += name.startswith(".last.pt.")
        if files[0] > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(handle)

    monkeypatch.setattr(os, "fsync", full)
    failure(Code.WRITE, "No space left on device; the previous checkpoint is intact", SPEC, runs=tmp_path)
    monkeypatch.undo()
    (path,) = tmp_path.glob("tiny/*")
    assert len(last_checkpoint(path)[0].progress.epochs) == 1
    assert not [*path.glob(".last*")]
    assert len(cnndsl.train(resume=path, **QUIET).checkpoint("last").progress.epochs) == 3


def test_two_trainings_in_one_run(run: Path) -> None:
    writer = RunWriter(run, {})
    try:
        failure(Code.BUSY, "is being written by another process", resume=run, epochs=5)
        assert cnndsl.load_run(run).busy
    finally:
        writer.close()
    assert not cnndsl.load_run(run).busy


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    failure(Code.WRITE, "cannot be written", SPEC, runs=tmp_path / "runs")


def test_devices_that_are_not_there() -> None:
    for name, message in (("tpuu", "torch has no device `tpuu`"), ("mps", "there is no device `mps` here")):
        with pytest.raises(RunError, match=message):
            cnndsl.train(cnndsl.Text(SPEC), device=name, quiet=True)


# --- the loss ------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_before_the_step(tmp_path: Path) -> None:
    """With an absurd rate the loss is NaN after a step or two. Checkpoints never contain it."""
    spec = SPEC.replace("  - BatchNorm2d\n", "").replace("  - ReLU\n", "").replace("lr: 0.1", "lr: 1.0e+30")
    with pytest.raises(RunError) as caught:
        cnndsl.train(cnndsl.Text(spec), runs=tmp_path, **QUIET)
    assert caught.value.diagnostic.code is Code.LOSS
    assert "the loss is not finite in epoch 1, batch " in caught.value.diagnostic.message
    (path,) = tmp_path.glob("tiny/*")
    assert cnndsl.load_run(path).state == "failed"
    module = cnndsl.load_run(path).module("last")
    assert all(parameter.isfinite().all() for parameter in module.parameters())


def exploding(lr: str) -> str:
    """A spec with one step per epoch, so that no loss of the training shows what its weights became."""
    plain = SPEC.replace("  - BatchNorm2d\n", "").replace("  - ReLU\n", "").replace("  - Dropout: 0.2\n", "")
    return plain.replace("batch_size: 32", "batch_size: 150").replace("lr: 0.1, momentum: 0.9", f"lr: {lr}")


def test_a_test_loss_that_is_not_finite_saves_no_epoch(tmp_path: Path) -> None:
    failure(Code.LOSS, "the test loss after epoch 1 is not finite", exploding("1.0e+30"), runs=tmp_path)
    (path,) = tmp_path.glob("tiny/*")
    assert cnndsl.load_run(path).state == "failed"
    assert not (path / "best.pt").exists() and not (path / "metrics.csv").exists()
    assert not last_checkpoint(path)[0].progress.epochs
    error = failure(Code.LOSS, "the test loss after epoch 1 is not finite", resume=path)
    assert error.diagnostic.help.endswith("in a new run")  # there is nothing to begin with


@pytest.mark.parametrize("every, batch_size, name", [(0, 150, "last.pt"), (1, 75, "best.pt")])
def test_what_helps_against_a_loss_that_is_not_finite_can_be_pasted(
    every: int, batch_size: int, name: str, tmp_path: Path
) -> None:
    """The first epoch is good, the second has a rate that is far too high. A checkpoint within it may be spoiled."""
    scheduler = {"ExponentialLR": {"gamma": 1e32}}
    more: dict[str, Any] = {"scheduler": scheduler, "runs": tmp_path, "epochs": 2, "batch_size": batch_size}
    error = failure(Code.LOSS, "is not finite", exploding("0.1"), **more, checkpoint_every=every)
    (path,) = tmp_path.glob("tiny/*")
    assert len(last_checkpoint(path)[0].progress.epochs) == 1
    assert failure(Code.LOSS, "epoch 2", resume=path).diagnostic.help == error.diagnostic.help
    command, said = error.diagnostic.help.split("`")[-2:]
    assert said == " begins with the weights of epoch 1"
    assert command.endswith(f"--weights {path / name} --lr 0.01")
    options = ["--runs", str(tmp_path / "again"), "--epochs", "1", "--device", "cpu"]
    done = CliRunner().invoke(cli, [*shlex.split(command)[1:], *options])
    assert done.exit_code == 0, done.output


def test_a_test_set_whose_labels_are_all_ignored_has_no_loss(tmp_path: Path) -> None:
    spec = SPEC.replace("test_size: 60", "test_size: 1").replace("epochs: 3", "epochs: 1")
    (label,) = {label for label in range(4) if last_test_loss(spec, label, tmp_path / str(label)) == 0}
    assert last_test_loss(spec, (label + 1) % 4, tmp_path / "other") > 0


def last_test_loss(spec: str, ignored: int, runs: Path) -> float:
    """The test loss, if a label is ignored."""
    loss = {"CrossEntropyLoss": {"ignore_index": ignored}}
    run = cnndsl.train(cnndsl.Text(spec), loss=loss, runs=runs, **QUIET)
    return run.checkpoint().progress.epochs[-1].test_loss


@pytest.mark.parametrize("wait", [True, False])
def test_no_step_is_taken_from_the_bad_loss_on(wait: bool) -> None:
    """A device that should not be waited for skips the steps itself."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9, fused=True)
    assert can_skip(optimizer)
    guard = Guard(torch.device("cpu"), optimizer, Ranks(), wait)
    guard.begin(1, 0)
    before = None
    with pytest.raises(RunError, match="epoch 2, batch 3"):
        for number, factor in enumerate((1.0, 2.0, float("nan"), 3.0)):
            loss = (weight * factor).sum()
            before = weight.detach().clone() if number <= 2 else before
            guard.watch(loss)
            loss.backward()
            guard.before_step()
            optimizer.step()
            optimizer.zero_grad()
        guard.check()
    assert before is not None and torch.equal(weight, before)


@pytest.fixture
def unwritten_is_nan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Memory that nothing was written to holds NaN."""
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("unwritten_is_nan")
def test_a_scaler_that_skips_the_first_step() -> None:
    """Torch's fused kernel would begin its second step with momentum from memory that nothing was written to."""
    recipe = cnndsl.loads(SPEC.replace("batch_size: 32", "batch_size: 32\n  precision: fp16")).recipe
    assert recipe is not None
    modules = [torch.nn.Linear(64, 64) for _ in range(2)]
    modules[1].load_state_dict(modules[0].state_dict())
    learner = Learner.of(modules[0], recipe, torch.device("cpu"), steps=2)
    assert can_skip(learner.optimizer)
    plain = torch.optim.SGD(modules[1].parameters(), lr=0.1, momentum=0.9, fused=False)
    x = torch.randn(8, 64)
    for module, optimizer in zip(modules, (learner.optimizer, plain)):
        scaler = torch.amp.GradScaler("cpu")
        for factor in (float("inf"), 1.0, 2.0):
            scaler.scale((module(x).pow(2) * factor).mean()).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    torch.testing.assert_close(modules[0].weight, modules[1].weight)


def test_a_label_that_has_no_class(tmp_path: Path) -> None:
    """The classes of a folder are known only after reading it."""
    from PIL import Image

    for split in ("train", "test"):
        for name in "abcde":
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for number in range(2):
                Image.new("L", (12, 12), number * 100).save(tmp_path / "data" / split / name / f"{number}.png")
    dataset = {"ImageFolder": {"root": str(tmp_path / "data")}}
    more: dict[str, Any] = {"runs": tmp_path, "dataset": dataset, "batch_size": 4, "workers": 0}
    failure(Code.SAMPLE, "has label 4, the network has 4 classes", SPEC, **more)
    five = SPEC.replace("classes: 4", "classes: 5")
    assert cnndsl.train(cnndsl.Text(five), **more, **QUIET).checkpoint().classes == tuple("abcde")
    (tmp_path / "data" / "train" / "c" / "1.png").write_bytes(b"no picture")
    failure(Code.SAMPLE, str(Path("c", "1.png")), five, **more)


def test_data_that_is_nowhere_names_what_would_give_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CNNDSL_DATA_DIR", str(tmp_path))
    spec = SPEC.replace("[1, 12, 12]", "[3, 32, 32]").replace("classes: 4", "classes: 10")
    error = failure(Code.DATA, "CIFAR10", spec, runs=tmp_path / "runs", dataset="CIFAR10")
    assert str(tmp_path) in str(error) and "--data-dir" in str(error)
