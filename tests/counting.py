"""Counts what work does, to which a busy machine makes no difference: modules, files, calls, passes and memory."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import pytest

from cnndsl.graph.graph import Module, Operation

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cnndsl"


# --- what a command loads ------------------------------------------------------------------------

#: Runs the command line, and writes what it loaded and opened since the start of Python to a file. What extension
#: modules put beside themselves has no `__spec__`.
_OBSERVED = """
import sys
target, sys.argv = sys.argv[1], ["cnndsl", *sys.argv[2:]]
before, opened = {*sys.modules}, []
sys.addaudithook(lambda event, details: opened.append(str(details[0])) if event == "open" else None)
from cnndsl.__main__ import main
try:
    main()
except SystemExit as end:
    code = end.code or 0
loaded = [name for name, module in sys.modules.items() if name not in before and getattr(module, "__spec__", None)]
import json
with open(target, "w") as file:
    json.dump({"code": code, "loaded": loaded, "opened": opened}, file)
"""


class Loaded(NamedTuple):
    """The exit code of a command, what it loads, modules of cnndsl, packages from elsewhere and modules of Python's
    own, and the specs that it opens, each time that it does."""

    code: int
    cnndsl: list[str]
    packages: list[str]
    standard: list[str]
    specs: list[str]


def loaded(command: Sequence[str], folder: Path) -> Loaded:
    """What a command loads in a new process, which runs in a folder."""
    target = folder / "observed.json"
    python = [sys.executable, "-c", _OBSERVED, str(target)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*python, *command], cwd=folder, env=environment, capture_output=True, check=True)
    found = json.loads(target.read_text())
    modules = sorted(found["loaded"])
    ours = [name for name in modules if name.split(".")[0] == "cnndsl"]
    standard = [name for name in modules if name.split(".")[0] in sys.stdlib_module_names]
    packages = sorted({name.split(".")[0] for name in {*modules} - {*ours, *standard}})
    return Loaded(found["code"], ours, packages, standard, [p for p in found["opened"] if p.endswith(".yaml")])


# --- what work does ------------------------------------------------------------------------------


class Done(NamedTuple):
    """What some work did: how often it called each Python function, generators once for each value,
    ``graph/cost.py:total``; and how many lines it ran, loops once for each round."""

    calls: Counter[str]
    lines: int


def done(work: Callable[[], object]) -> Done:
    """Does some work and counts."""
    counted: Counter[Any] = Counter()
    lines = 0

    def called(frame: FrameType, event: str, argument: object) -> Any:
        counted[frame.f_code] += 1
        return running

    def running(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return running

    before = sys.gettrace()
    sys.settrace(called)
    try:
        work()
    finally:
        sys.settrace(before)
    named: Counter[str] = Counter()
    for code, number in counted.items():
        path = Path(code.co_filename)
        file = path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name
        named[f"{file}:{code.co_qualname}"] += number
    return Done(named, lines)


def memory(work: Callable[[], object]) -> tuple[int, int]:
    """The bytes that the result of some work keeps, and the most that there were at any time."""
    gc.collect()
    tracemalloc.start()
    try:
        result = work()
        gc.collect()
        kept, peak = tracemalloc.get_traced_memory()
        del result
    finally:
        tracemalloc.stop()
    return kept, peak


class _Watched(list[Operation]):
    """Operations that count how many of them are visited."""

    visits = 0

    def __iter__(self) -> Any:
        _Watched.visits += len(self)
        return super().__iter__()


def visits(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many operations are visited in passes over what a module has inside."""
    for name in ("operations", "everything", "layers", "modules"):
        listing = Module.__dict__[name]
        assert isinstance(listing, cached_property)
        monkeypatch.setattr(listing, "func", lambda module, of=listing.func: _Watched(of(module)))
    _Watched.visits = 0
    work()
    return _Watched.visits
