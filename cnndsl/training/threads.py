"""How the threads of torch wait for each other on a CPU."""

from __future__ import annotations

import os

#: GNU's OpenMP, which torch has on Linux, lets a thread spin this often before it sleeps, if it knows that there are
#: more threads than cores; otherwise 300,000 times. It does not know of other processes. 1,000 rounds take about as
#: long as a wake-up. See https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html.
SPINS = 1_000


def wait_asleep() -> None:
    """Lets threads sleep soon when they wait, unless the user has chosen how. OpenMP reads the setting when torch is
    imported.

    Threads wait for the slowest of them after each operation. If another process has its core, the others would spin
    there for all its turn, and take from it the time that it needs.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)
