"""Specs nobody would write: bytes of good and bad ones changed, and the language's words thrown together.

    python tests/fuzzing.py --seconds 600

Every input ends in a network or in coded diagnostics, and the networks of ``values`` compute what their graphs say.
The networks of ``import`` come back from their modules.
What does not is written to ``build/fuzz``.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml

sys.path.insert(0, str(Path(__file__).parent))

from mutants import ARCHS, edits, mutated
from same_graph import difference
from spec_grammar import PlainDumper, spec
from values import assert_values

from cnndsl.diagnostics import Code, ModuleError
from cnndsl.emit.source import source
from cnndsl.emit.table import Table
from cnndsl.importing.api import from_module
from cnndsl.network import compile_spec, load, loads

SEEDS = [*sorted(ARCHS.glob("*.yaml")), *sorted((Path(__file__).parent / "cases" / "err").glob("*.yaml"))]
#: Parameters and multiply-accumulates of a network that is run.
MOST = 10**6
FAILURES = Path(__file__).parent.parent / "build" / "fuzz"
#: What changes the meaning of YAML, of an expression or of a size.
TOKENS = [
    b"[", b"]", b"{", b"}", b": ", b"- ", b"\n", b"\n  ", b"$", b"$(", b")", b"'", b'"', b"#", b" #", b"&a ", b"*a",
    b"<<: ", b"!!int ", b"|\n", b">-\n", b"?", b"%", b"\t", b"\x00", b"\xff", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"\r\n",
    b"-1", b"0", b"1e400", b".nan", b"9" * 400, b"$(9**9**9)", b"$(__import__('os'))", b"$(input.channels)", b"$(1/0)",
    b"$([0] * 10**9)", b"null", b"~", b"true", b"no", b"times: 1000000000", b"repeat: ", b"branch: ", b"residual: ",
    b"dense: ", b"from: ", b"reuse: ", b"when: ", b"else: ", b"let: ", b"extends: ", b"use: ", b"../", b"/dev/zero",
    b"Conv2d", b"Linear: 1000000",
]  # fmt: skip


def changed_bytes(random: Random) -> bytes:
    """A spec of ours with one to eight places of it deleted, doubled, moved, or replaced by a token."""
    data = random.choice(SEEDS).read_bytes()
    for _ in range(random.randint(1, 8)):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((0, 1, 1, 4, 20, 200)))
        other = random.choice(SEEDS).read_bytes()
        at = random.randrange(len(other) + 1)
        piece = random.choice((b"", random.choice(TOKENS), bytes([random.randrange(32, 127)]), data[start:end] * 2))
        piece = other[at : at + 80] if random.random() < 0.1 else piece
        data = data[:start] + piece + data[end:]
    return data


def broken_steps(random: Random) -> bytes:
    """A spec of ours with up to ten well-placed faults."""
    path = random.choice(SEEDS[: len(list(ARCHS.glob("*.yaml")))])
    chosen = {change.span.line: change for change in random.choices(list(edits(path, random)), k=random.randint(1, 10))}
    return mutated(path.read_text(), list(chosen.values()))[0].encode()


#: What does not belong where it is put, and what makes much of little.
JUNK: list[Any] = [
    None, True, -1, 0, 1.5, 2**40, "", "no", "1", "$", "$(", "$nowhere", "$(1 / 0)", "$(input.channels * 1000)",
    "$(range(1000))", "$([1, 2])", [], {}, [[]], [[[]]], {"a": 1}, "ReLU", "Block0", {"Conv2d": [8, 3]}, {"ReLU": None},
    {"repeat": ["ReLU"], "times": 1000}, {"dense": [{"Conv2d": [4, 1]}], "times": 50}, {"from": "a"}, {"reuse": "conv"},
    {"let": {"c": 3}}, {"sequential": []}, {"branch": [[], []], "merge": "add"}, {"steps": ["ReLU"], "times": 1000},
    {"branch": [{"steps": [], "when": "$nowhere"}, {"steps": ["ReLU"], "for": "c", "in": [1, 2]}]},
    {"residual": [{"Conv2d": [3, 3]}]}, {"Block0": None, "inline": True}, {"ReLU": None, "inline": True, "name": "a.0"},
]  # fmt: skip


def broken_grammar(random: Random) -> bytes:
    """A spec of the grammar, with up to four of its parts exchanged, left out, doubled, or replaced by what does not
    belong there."""
    document = spec(random)
    for _ in range(random.randint(0, 4)):
        containers = list(_containers(document))
        if not containers:
            break
        around, other = random.choice(containers), random.choice(containers)
        key = random.choice([*around] if isinstance(around, dict) else range(len(around)))
        whole = copy.deepcopy(random.choice([random.choice(JUNK), around[key], other]))
        if random.random() < 0.2:
            del around[key]
        elif isinstance(around, dict) and random.random() < 0.3:
            around[random.choice([f"{key}x", key[:-1], "name", "when", "times", "ReLU", "branch"])] = whole
        elif isinstance(around, list) and random.random() < 0.3:
            around.insert(key, whole)
        else:
            around[key] = whole
    return yaml.dump(document, sort_keys=False).encode()


def _containers(tree: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """The mappings and lists of a document that are not empty."""
    if isinstance(tree, (dict, list)) and tree:
        yield tree
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from _containers(value)


def whole_grammar(random: Random) -> bytes:
    """A spec of the grammar as it is."""
    return yaml.dump(spec(random), Dumper=PlainDumper, sort_keys=False).encode()


FUZZERS: dict[str, Callable[[Random], bytes]] = {
    "bytes": changed_bytes,
    "steps": broken_steps,
    "grammar": broken_grammar,
}


def outcome(data: bytes, folder: Path) -> str:
    """The first code that is told of a spec, or "ok"; anything else is raised."""
    path = folder / "net.yaml"
    path.write_bytes(data)
    compilation = compile_spec(path)
    if compilation.graph is None:
        assert any(item.is_error for item in compilation.diagnostics)
        for item in compilation.diagnostics:
            item.render()
        return next(item.code.id for item in compilation.diagnostics if item.is_error)
    Table.of(compilation.graph)
    compile(source(compilation.graph), "net.py", "exec", dont_inherit=True)
    return "ok"


def outcome_run(data: bytes, folder: Path) -> str:
    """The same of a spec whose network is also run beside the oracle; "large" for one that would take long."""
    code = outcome(data, folder)
    if code != "ok":
        return code
    net = load(folder / "net.yaml")
    if net.cost.params + net.cost.macs > MOST:
        return "large"
    assert_values(net)
    return code


def outcome_back(data: bytes, folder: Path) -> str:
    """The same of a spec whose module is imported again: as a spec with the same graph, or refused with a code, which
    is returned."""
    code = outcome(data, folder)
    if code != "ok":
        return code
    net = load(folder / "net.yaml")
    module = net.module()
    names = inspect.signature(module.forward).parameters  # an input that is called `self` has another name there
    inputs = {name: tuple(tensor.shape.sample) for name, tensor in zip(names, net.graph.inputs.values())}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            text = from_module(module, inputs, prove=False)
    except ModuleError as error:
        codes = sorted({item.code for item in error.diagnostics}, key=lambda code: code.id)
        assert Code.UNFINISHED not in codes, error
        return f"refused {codes[0].id}"
    differing = difference(net, loads(text))
    assert not differing, differing
    return code


#: What makes inputs, with what comes of them.
KINDS = {
    **{name: (fuzzer, outcome) for name, fuzzer in FUZZERS.items()},
    "values": (whole_grammar, outcome_run),
    "import": (whole_grammar, outcome_back),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fuzzers", nargs="*", metavar="FUZZER", help=f"{', '.join(KINDS)}; default: all")
    parser.add_argument("--seconds", type=float, default=60, help="of each fuzzer")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    FAILURES.mkdir(parents=True, exist_ok=True)
    failed = 0
    folder = tempfile.TemporaryDirectory()
    torch.set_num_threads(1)  # tensors are so small that threads only wait for each other
    for name in options.fuzzers or KINDS:
        fuzzer, outcome_of = KINDS[name]
        random, outcomes, slowest = Random(f"{name} {options.seed}"), Counter[str](), 0.0
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            data, began = fuzzer(random), time.process_time()
            try:
                outcomes[outcome_of(data, Path(folder.name))] += 1
            except Exception as error:
                failed += 1
                (FAILURES / f"{name}-{failed}.yaml").write_bytes(data)
                print(f"{name}-{failed}.yaml: {type(error).__name__}: {error}"[:300])
            slowest = max(slowest, time.process_time() - began)
        print(f"{name}: {outcomes.total()} inputs, the slowest {slowest:.2f} s; {dict(outcomes.most_common())}")
    print(f"{failed} failed" + (f", see {FAILURES}" if failed else ""))
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
