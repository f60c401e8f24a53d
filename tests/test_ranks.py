"""Trainings with several processes, on loopback with gloo, as torchrun starts them."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from training_cases import LOSSES, PLAIN, data_of, furthest

import cnndsl
from cnndsl.training.plan import evaluation_plan

RANKED = Path(__file__).with_name("ranked.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def torchrun(folder: Path, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*TORCHRUN, *options, str(RANKED), str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training with two processes."""
    folder = tmp_path_factory.mktemp("two")
    done = torchrun(folder)
    assert done.returncode == 0, done.stderr
    # Only the first process prints.
    assert done.stdout.count("epoch 3/3") == 1
    return folder


def weights(folder: Path, rank: int) -> dict[str, torch.Tensor]:
    loaded: dict[str, torch.Tensor] = torch.load(folder / f"rank{rank}.pt", weights_only=True)
    return loaded


def test_both_ranks_have_the_same_weights(two: Path) -> None:
    for name, tensor in weights(two, 0).items():
        assert torch.equal(tensor, weights(two, 1)[name]), name


def test_two_processes_learn_what_one_learns(two: Path, tmp_path: Path) -> None:
    """The same batches give the same gradients, except for the order of a sum, and the same accuracy."""
    (path,) = two.glob("runs/*/*")
    run, alone = cnndsl.load_run(path), cnndsl.train(cnndsl.Text(PLAIN), runs=tmp_path, quiet=True, device="cpu")
    for name, tensor in alone.module("last").state_dict().items():
        torch.testing.assert_close(weights(two, 0)[name], tensor, rtol=1e-4, atol=1e-6)
    figures = [[row["train_acc"], row["test_acc"]] for each in (run, alone) for row in rows(each)]
    assert figures[:3] == figures[3:]


@pytest.fixture(scope="module")
def each_loss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trainings with two processes, one for each loss."""
    folder = tmp_path_factory.mktemp("losses")
    done = torchrun(folder, "--losses")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", [name for name in LOSSES if name != "plain"])
def test_a_loss_means_the_same_on_two_ranks(name: str, each_loss: Path, tmp_path: Path) -> None:
    """Steps of four batches on two processes, against steps of whole batches on one."""
    (path,) = each_loss.glob(f"{name}/*/*")
    case, run = LOSSES[name], cnndsl.load_run(path)
    alone = cnndsl.train(cnndsl.Text(case.spec), runs=tmp_path, quiet=True, device="cpu", batch_size=64, loss=case.call)
    assert furthest(run.module("last"), alone.module("last")) < 1e-6
    for figure in ("loss", "test_loss"):
        assert float(rows(run)[-1][figure]) == pytest.approx(float(rows(alone)[-1][figure]), rel=1e-5)


def test_two_ranks_average_and_stop_together(each_loss: Path, tmp_path: Path) -> None:
    (path,) = each_loss.glob("plain/*/*")
    run = cnndsl.load_run(path)
    case = LOSSES["plain"]
    alone = cnndsl.train(
        cnndsl.Text(case.spec), runs=tmp_path, quiet=True, device="cpu", batch_size=64, epochs=2, ema=0.9
    )
    assert run.state == "finished" and len(rows(run)) == 2
    assert furthest(run.module("last"), alone.module("last")) < 1e-6


def rows(run: cnndsl.Run) -> list[dict[str, str]]:
    return list(csv.DictReader((run.path / "metrics.csv").open()))


def test_every_test_sample_counts_once(two: Path) -> None:
    (path,) = two.glob("runs/*/*")
    run = cnndsl.load_run(path)
    module, (_, data) = run.module("last"), data_of(PLAIN)
    right = sum(
        int((module(images).argmax(1) == labels).sum()) for images, labels in data.test.batches(evaluation_plan(60, 32))
    )
    assert float(rows(run)[-1]["test_acc"]) == right / 60
    assert run.info["processes"] == 2


def test_ranks_with_unlike_specs_do_not_begin(tmp_path: Path) -> None:
    done = torchrun(tmp_path, "--unlike")
    assert done.returncode != 0
    assert "CNN209" in done.stderr and "the spec of rank 1 differs from that of rank 0" in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_torchruns_restarts_go_on_from_the_last_checkpoint(two: Path, tmp_path: Path) -> None:
    done = torchrun(tmp_path, "--die", "8", options=("--max-restarts=1",))
    assert done.returncode == 0, done.stderr
    assert "from epoch 2" in done.stdout
    (path,) = tmp_path.glob("runs/*/*")
    for name, tensor in cnndsl.load_run(path).module("last").state_dict().items():
        assert torch.equal(tensor, weights(two, 0)[name]), name


def test_a_dead_rank_ends_all(tmp_path: Path) -> None:
    """Without torchrun, the other processes notice by themselves, within a minute."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    started = []
    for rank in range(2):
        environment = {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        command = [sys.executable, str(RANKED), str(tmp_path), "--die", "3"]
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, env=os.environ | environment, stdout=pipe, stderr=pipe, text=True))
    first, last = started
    last.communicate(timeout=200)
    assert last.returncode == -signal.SIGKILL
    _, told = first.communicate(timeout=60)
    assert first.returncode == 1, told
    assert "CNN209" in told and "another process of this training has ended" in told and "Traceback" not in told
    (path,) = tmp_path.glob("runs/*/*")
    assert cnndsl.load_run(path).checkpoint("last").progress.batches == 2


def test_a_signal_stops_all_with_one_checkpoint(tmp_path: Path) -> None:
    command = [*TORCHRUN, str(RANKED), str(tmp_path), "--long"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    while not process.stdout.readline().startswith("epoch 1"):
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode != 0
    (path,) = tmp_path.glob("runs/*/*")
    assert cnndsl.load_run(path).state == "interrupted"
    assert cnndsl.load_run(path).checkpoint("last").progress.epochs
