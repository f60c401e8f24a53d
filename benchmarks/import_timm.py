"""Imports timm's networks without attention, one by one, and writes docs/import-timm.md.

    python benchmarks/import_timm.py --page docs/import-timm.md            # all of them: about an hour
    python benchmarks/import_timm.py --results /tmp/found.jsonl resnet18 convnext_atto

Every name of ``timm.list_models()`` is tried as ``cnndsl import timm:NAME`` does, with its proof, if it has at most
60 M parameters and no attention: it multiplies no two tensors that both depend on its input as matrices. That is seen
in a run on the meta device, not in names. Results are kept in a file, line by line: a run that was stopped goes on,
and ``--again refused`` tries those again that were refused.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from measure import ROOT, filled, machine, markdown, say, versions
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import cnndsl
from cnndsl.diagnostics import Code
from cnndsl.importing.api import import_module
from cnndsl.importing.guess import guess_input
from cnndsl.importing.target import build, find

#: The most parameters of a network that is tried.
LARGEST = 60_000_000
#: The products of matrices that are not a layer's with its weight.
PRODUCTS = ("bmm", "scaled_dot_product", "einsum")
#: What becomes of a network that is tried, as the page has it.
EQUAL, REFUSED, UNEQUAL, LATE, FAILED = "equal", "refused", "unequal", "late", "failed"
TRIED = (EQUAL, REFUSED, UNEQUAL, LATE, FAILED)


@dataclass(frozen=True)
class Result:
    """What became of one name: one of ``TRIED``, or why it was not tried, "large" or "attention". ``reasons`` are codes
    with messages."""

    name: str
    family: str
    outcome: str
    params: int
    seconds: float = 0.0
    lines: int = 0
    reasons: tuple[str, ...] = ()


class _Late(BaseException):
    """An import took longer than its limit. Nothing that handles an `Exception` may take this for one of a module."""


class _Products(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the products of two tensors of which neither is a layer's weight."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += any(product in str(func) for product in PRODUCTS)
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def has_attention(model: nn.Module, shape: Sequence[int]) -> bool:
    with _Products() as products:
        model.eval()(torch.empty(2, *shape, device="meta"))
    return products.count > 0


@contextmanager
def limited(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _Late

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def tried(name: str, limit: int) -> Result:
    """What becomes of one name."""
    target = find(f"timm:{name}")
    model = build(target, device="meta").module
    family, params = type(model).__module__.rpartition(".")[2], sum(value.numel() for value in model.parameters())
    if params > LARGEST:
        return Result(name, family, "large", params)
    if has_attention(model, model.default_cfg["input_size"]):
        return Result(name, family, "attention", params)
    began, lines, reasons = time.perf_counter(), 0, ()
    try:
        with limited(limit):
            lines = imported(name)
        outcome = EQUAL
    except _Late:
        outcome = LATE
    except cnndsl.ModuleError as error:
        reasons = tuple(dict.fromkeys(f"{item.code.id} {item.message}" for item in error.diagnostics))
        codes = {item.code for item in error.diagnostics}
        unequal, failed = Code.UNEQUAL in codes, Code.UNFINISHED in codes
        outcome = FAILED if failed else UNEQUAL if unequal else REFUSED
    except Exception as error:
        outcome, reasons = FAILED, (f"{type(error).__name__}: {error}",)
    return Result(name, family, outcome, params, time.perf_counter() - began, lines, reasons)


def imported(name: str) -> int:
    """The lines of the spec that the command makes. Raises :class:`cnndsl.ModuleError`."""
    target = find(f"timm:{name}")
    built = build(target)
    inputs, _ = guess_input(built.module, target.sizes)
    rebuild = lambda changed: build(target, changed, "meta").module  # noqa: E731
    found = import_module(built.module, inputs, arguments=built.arguments, rebuild=rebuild)
    return len(found.text.splitlines())


# --- results -------------------------------------------------------------------------------------


def kept(path: Path) -> dict[str, Result]:
    """The results of a file, the last of each name."""
    lines = path.read_text().splitlines() if path.exists() else []
    found = (Result(**{**row, "reasons": tuple(row["reasons"])}) for row in map(json.loads, lines))
    return {result.name: result for result in found}


def run(names: Sequence[str], path: Path, limit: int, again: Sequence[str]) -> dict[str, Result]:
    """Tries the names that the file does not have yet, or had with an outcome in ``again``."""
    found = kept(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names, start=1):
        if name in found and found[name].outcome not in again:
            continue
        found[name] = result = tried(name, limit)
        with path.open("a") as file:
            print(json.dumps(asdict(result)), file=file)
        if result.outcome in TRIED:
            say(
                f"{number}/{len(names)} {name}: {result.outcome}, {result.seconds:.1f} s {'; '.join(result.reasons)}"[
                    :200
                ]
            )
    return {name: found[name] for name in names if name in found}


# --- the page ------------------------------------------------------------------------------------


def page(results: Mapping[str, Result], facts: Mapping[str, str], command: str) -> str:
    tries = [result for result in results.values() if result.outcome in TRIED]
    left = Counter(result.outcome for result in results.values() if result.outcome not in TRIED)
    counts = Counter(result.outcome for result in tries)
    equal, refused = counts[EQUAL], counts[REFUSED]
    intro = f"""Generated by `{command}`. Of {len(results)} names of `timm.list_models()`, {left["large"]} have more
        than 60 M parameters, and {left["attention"]} have attention: in a run, they multiply two tensors as matrices
        that both depend on the input. The other {len(tries)} were imported with `cnndsl import timm:NAME`.
        **{equal} of them, {100 * equal / max(len(tries), 1):.0f} %, came in equal**, {refused} were refused at a line,
        and {len(tries) - equal - refused} failed otherwise. Equal means the same tensors, the same outputs and
        gradients at two sizes and with two batches, and the same outputs and statistics in training."""
    families = ["family", "names", "equal", "lines, median", "the others"]
    tables = {
        "By family": markdown(families, _families(tries), 1),
        "Why the others are not": markdown(["reason", "names", "for example"], _reasons(tries), 1),
    }
    sections = (f"## {title}\n\n{table}\n" for title, table in tables.items())
    conditions = markdown(["", ""], [[key, value] for key, value in facts.items()], 2)
    return "\n".join(["# timm's networks, imported", "", filled(intro), "", conditions, "", *sections])


def _families(tries: Sequence[Result]) -> Iterator[list[str]]:
    families: dict[str, list[Result]] = defaultdict(list)
    for result in tries:
        families[result.family].append(result)
    for family, members in sorted(families.items(), key=lambda item: (-len(item[1]), item[0])):
        lines = sorted(result.lines for result in members if result.outcome == EQUAL)
        others = ", ".join(result.name for result in members if result.outcome != EQUAL)
        median = str(lines[len(lines) // 2]) if lines else ""
        yield [f"`{family}`", str(len(members)), str(len(lines)), median, others]


def _reasons(tries: Sequence[Result]) -> Iterator[list[str]]:
    """The first reason of each network that is not equal, the most frequent first."""
    found: dict[str, list[str]] = defaultdict(list)
    for result in tries:
        if result.outcome != EQUAL:
            found[_short(result.reasons[0]) if result.reasons else "it took too long"].append(result.name)
    for reason, names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        yield [reason.replace("|", "\\|"), str(len(names)), ", ".join(names[:3])]


def _short(reason: str) -> str:
    """A reason without the tensors and sizes that differ from network to network."""
    return reason.split(": ")[0] if "CNN221" in reason else reason


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all of timm")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "import-timm.jsonl")
    parser.add_argument("--limit", type=int, default=300, help="seconds for one network")
    parser.add_argument("--again", action="append", default=[], choices=TRIED, help="try these again")
    parser.add_argument("--page", type=Path, help="where to write the table, in Markdown")
    options = parser.parse_args()
    import timm

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    results = run(options.names or timm.list_models(), options.results, options.limit, options.again)
    command = "python benchmarks/import_timm.py --page docs/import-timm.md"
    text = page(results, {**machine(), **versions(["cnndsl", "torch", "timm"])}, command)
    if options.page:
        options.page.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
