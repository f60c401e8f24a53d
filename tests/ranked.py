"""One of several processes, started by ``test_ranks.py``, under torchrun or directly.

``ranked.py FOLDER`` trains, and leaves what each rank ended with; after ``--unlike`` each rank has a spec of its
own; after ``--die N`` the last rank dies in its first life after N batches; after ``--losses`` it trains with each loss
in turn, and with an average of the weights.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from training_cases import LOSSES, PLAIN

import cnndsl
from cnndsl.cli.common import ending
from cnndsl.training import loop

RANK, SIZE = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def losses(folder: Path) -> None:
    """Batches of 16, four to a step, the last one of 6: each process has 3 samples of it."""
    for number, (name, case) in enumerate(LOSSES.items()):
        # Each training finds the others in torchrun's store again, as after a restart.
        os.environ["TORCHELASTIC_RESTART_COUNT"] = str(number)
        more = {"ema": 0.9, "early_stopping": {"patience": 1, "min_delta": 10}, "epochs": 4} if name == "plain" else {}
        cnndsl.train(
            cnndsl.Text(case.spec),
            runs=folder / name,
            device="cpu",
            batch_size=16,
            accumulate=4,
            loss=case.call,
            quiet=True,
            **more,
        )


def main(folder: Path, *more: str) -> None:
    run, step, steps = loop.Loop.run, loop.Loop._step, [0]

    def leaving(self: loop.Loop, progress: Any) -> Any:
        ended = run(self, progress)
        torch.save(self.learner.module.state_dict(), folder / f"rank{RANK}.pt")
        return ended

    def dying(self: loop.Loop, *arguments: Any) -> Any:
        steps[0] += 1
        first_life = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
        if first_life and RANK == SIZE - 1 and steps[0] > int(more[1]):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(self, *arguments)

    if more[:1] == ("--losses",):
        return losses(folder)
    loop.Loop.run = leaving  # type: ignore[method-assign]
    if more[:1] == ("--die",):
        loop.Loop._step = dying  # type: ignore[method-assign]
    spec = PLAIN.replace("lr: 0.1", f"lr: 0.{RANK + 1}") if more[:1] == ("--unlike",) else PLAIN
    epochs = 100000 if more[:1] == ("--long",) else 3
    with ending():
        cnndsl.train(cnndsl.Text(spec), runs=folder / "runs", device="cpu", checkpoint_every=2, epochs=epochs)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]), *sys.argv[2:])
