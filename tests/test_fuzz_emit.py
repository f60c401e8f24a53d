"""Random specs: whatever compiles is emitted as a module that is what the graph says, in clean and plain Python.

CNNDSL_EXAMPLES=5000 looks further, and elsewhere each time.
"""

import ast
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from emitting import assert_faithful, ruff_complaints
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spec_grammar import spec
from test_source import SYNTAX

import cnndsl

EXAMPLES = int(os.environ.get("CNNDSL_EXAMPLES", "0"))


class PlainDumper(yaml.SafeDumper):
    """Writes everything out, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def compiled(rng: Random) -> cnndsl.Network | None:
    """A random network, None for a spec that has errors."""
    try:
        return cnndsl.load(yaml.dump(spec(rng), Dumper=PlainDumper, sort_keys=False))
    except cnndsl.SpecError:
        return None


@pytest.fixture(scope="module")
def networks() -> list[cnndsl.Network]:
    """The same ones every time."""
    found = (compiled(Random(seed)) for seed in range(400))
    return [net for net in found if net is not None]


@settings(
    max_examples=EXAMPLES or 250,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(st.randoms(use_true_random=False))
def test_modules_are_what_their_graphs_say(rng: Random) -> None:
    net = compiled(rng)
    if net is not None:
        assert_faithful(net)
        assert {type(node).__name__ for node in ast.walk(ast.parse(net.source()))} <= SYNTAX


def test_most_of_the_grammar_compiles(networks: list[cnndsl.Network]) -> None:
    assert len(networks) > 320


def test_modules_of_seeds_are_what_their_graphs_say(networks: list[cnndsl.Network]) -> None:
    for net in networks:
        assert_faithful(net)


def test_sources_are_formatted_lint_clean_and_short(networks: list[cnndsl.Network], tmp_path: Path) -> None:
    for number, net in enumerate(networks):
        (tmp_path / f"network{number}.py").write_text(net.source())
    assert ruff_complaints(tmp_path) == ""


def test_all_that_the_emitter_can_say_is_said(networks: list[cnndsl.Network]) -> None:
    """A grammar that no longer reaches a part of the emitter would prove nothing of it."""
    sources = "\n".join(net.source() for net in networks)
    for part in [
        "layers: list[nn.Module] = ", "for _ in range(", "is not None:", "self.use_shortcut", "for layer in self.children()",
        ".chunk(2, 1)", ".split([", "dict[str, Tensor]", "type[nn.Module]", "add_module(", "else None", "_2(nn.", "*([",
    ]:  # fmt: skip
        assert part in sources, part


def test_a_source_does_not_depend_on_what_was_emitted_before(networks: list[cnndsl.Network]) -> None:
    for first, second in pairwise(networks[:40]):
        before = second.source()
        first.source()
        assert second.source() == before


def blocks(count: int) -> Iterator[str]:
    yield "input: [4, 8, 8]"
    yield "blocks:"
    yield "  Block(c, k, act):"
    yield "    - residual:"
    yield "        - Conv2d: {out_channels: $c, kernel_size: $k, padding: $(k // 2)}"
    yield "        - {$act: , when: $(act != None)}"
    yield "      shortcut: [{Conv2d: [$c, 1], when: $(input.channels != c)}]"
    yield "network:"
    for number in range(count):
        yield f"  - Block: [{number % 7 + 1}, {number % 3 * 2 + 1}, {('ReLU', 'GELU', 'null')[number % 3]}]"


def test_a_large_network_is_emitted_in_no_time() -> None:
    import time

    net = cnndsl.load("\n".join(blocks(1000)))
    start = time.process_time()
    source = net.source()
    assert time.process_time() - start < 5
    assert source.count("class ") == 2
