"""The cost of the worst specs: CPU seconds and MiB of one check or format, at a quarter, half and all of each family's
size.

    python benchmarks/bombs.py [--rounds 3] [--verb fmt] [FAMILY ...]

The families are those of ``tests/bombs.py``. Each runs in its own process. The seconds are its CPU time from the text
to the last message, the minimum over the rounds. The memory is the peak of the whole process, including Python's own
30 MiB. The growth is the time at full size divided by the time at half size, if that is long enough to measure.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import bombs

#: Seconds below which the growth cannot be distinguished from noise.
SHORT = 0.15


def measured(family: str, verb: str, size: int, rounds: int) -> dict[str, float | str]:
    """The minimum of seconds and MiB over several processes."""
    command = [sys.executable, bombs.__file__, family, verb, str(size)]
    runs = [json.loads(subprocess.check_output(command, timeout=600)) for _ in range(rounds)]
    least = {key: min(run[key] for run in runs) for key in ("seconds", "mib")}
    return {**least, "outcome": runs[0]["outcome"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("families", nargs="*", metavar="FAMILY", default=[*bombs.FAMILIES])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verb", choices=bombs.VERBS, default="check")
    options = parser.parse_args()
    print(f"{'family':28} {'size':>16} {'s, 1/4':>7} {'1/2':>6} {'all':>6} {'growth':>6} {'MiB':>5}  outcome")
    worst = {"seconds": 0.0, "mib": 0.0, "growth": 0.0}
    for family in options.families:
        full = bombs.FAMILIES[family][1]
        quarter, half, whole = (
            measured(family, options.verb, max(full // part, 1), options.rounds) for part in (4, 2, 1)
        )
        growth = whole["seconds"] / half["seconds"] if half["seconds"] > SHORT else 0.0
        seconds = " ".join(f"{run['seconds']:6.2f}" for run in (quarter, half, whole))
        shown = f"{growth:6.1f}" if growth else "     -"
        print(f"{family:28} {full:16} {seconds} {shown} {whole['mib']:5.0f}  {whole['outcome']}", flush=True)
        for key, value in {"seconds": whole["seconds"], "mib": whole["mib"], "growth": growth}.items():
            worst[key] = max(worst[key], value)
    print(f"worst: {worst['seconds']:.2f} s, {worst['mib']:.0f} MiB, growth {worst['growth']:.1f}")


if __name__ == "__main__":
    main()
