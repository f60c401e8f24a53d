"""How the threads of torch wait for each other on a CPU."""

from __future__ import annotations

import os

#: The rounds that a waiting thread spins before it sleeps: some 20 µs. GNU's OpenMP, which torch has on Linux, takes
#: this number if it runs more threads than there are cores, and 300,000 otherwise, some 7 ms. It does not count the
#: threads of other processes. See https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html.
SPINS = 1_000


def wait_asleep() -> None:
    """Lets threads sleep soon when they wait, unless the user has chosen how. OpenMP reads the setting when torch is
    imported.

    All threads of torch wait for the slowest after each operation. If another process has the core of one, those that
    spin keep the other cores from it for as long.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)
