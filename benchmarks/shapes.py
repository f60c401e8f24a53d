"""Time and memory of whole processes: `cnndsl shapes`, and `torchinfo.summary` on torchvision's network.

Both are started cold, in turn, `--runs` times. The ratios are those of the medians.

    python benchmarks/shapes.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ARCHS = Path(__file__).parent.parent / "archs"
PEER = (
    "import torchinfo, torchvision; "
    "torchinfo.summary(torchvision.models.vgg11(), input_size=(1, 3, 224, 224), verbose=1)"
)
COMMANDS = {
    "cnndsl shapes archs/vgg11.yaml": [sys.executable, "-m", "cnndsl", "shapes", str(ARCHS / "vgg11.yaml")],
    "torchinfo.summary(vgg11())": [sys.executable, "-c", PEER],
}


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[:3]} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for round_ in range(runs + 1):
        for name, command in COMMANDS.items():
            figure = run(command)
            if round_:  # the first round warms the disk's cache
                figures[name].append(figure)
    medians = {
        name: [statistics.median(column) for column in zip(*values, strict=True)] for name, values in figures.items()
    }
    for name, (seconds, memory) in medians.items():
        print(f"{name:32}  {seconds:7.3f} s  {memory:8.1f} MiB")
    (ours, our_memory), (theirs, their_memory) = medians.values()
    print(f"{'ratio':32}  1/{theirs / ours:.1f}    1/{their_memory / our_memory:.1f}")


if __name__ == "__main__":
    main()
