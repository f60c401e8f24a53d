"""The worst specs that we could think of: each ends in a network or in diagnostics, within the memory of a compile,
and is formatted or refused.

What they take of time is measured by ``benchmarks/bombs.py``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bombs import FAMILIES

ALL = """
import json, sys
from bombs import FAMILIES, measured
verb, part, *families = sys.argv[1:]
for family in families:
    size = FAMILIES[family][1] // int(part)
    print(json.dumps({"family": family, **measured(family, verb, size)}), flush=True)
"""
PARTS = 6
ENDS = r"ok|CNN0\d\d( CNN0\d\d)*|unchanged: it could not be read again: .*"


@pytest.mark.parametrize(("verb", "of_size"), [("check", 1), ("fmt", 2)])
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))])
def test_every_bomb_ends_in_what_it_should_within_256_mib(part: int, verb: str, of_size: int) -> None:
    families = [*FAMILIES][part::PARTS]
    command = [sys.executable, "-c", ALL, verb, str(of_size), *families]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    told = list(map(json.loads, done.stdout.splitlines()))
    assert [row["family"] for row in told] == families
    assert all(re.fullmatch(ENDS, row["outcome"]) for row in told), told
    assert max(row["mib"] for row in told) <= 256, max(told, key=lambda row: row["mib"])
