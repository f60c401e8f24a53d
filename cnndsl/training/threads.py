"""How the threads of torch wait for each other on a CPU."""

from __future__ import annotations

import os

#: The rounds that a waiting thread spins before it sleeps: a quarter of a millisecond, longer than the usual wait in a
#: small network on an idle machine. GNU's OpenMP, which torch has on Linux, takes 300,000, some 7 ms, since it does not
#: count the threads of other processes. See https://gcc.gnu.org/onlinedocs/libgomp/GOMP_005fSPINCOUNT.html.
SPINS = 10_000


def wait_asleep() -> None:
    """Lets threads sleep soon when they wait, unless the user has chosen how. OpenMP reads the setting when torch is
    imported.

    All threads of torch wait for the slowest after each operation. On a machine with other processes, those that spin
    take the time that the slowest needs.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        os.environ["GOMP_SPINCOUNT"] = str(SPINS)
