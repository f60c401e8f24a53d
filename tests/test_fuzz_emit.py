"""Random specs: whatever compiles is emitted as a module that is what the graph says, in clean and plain Python.

CNNDSL_EXAMPLES=5000 looks further, and elsewhere each time.
"""

import ast
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
import torch
import yaml
from emitting import assert_faithful, ruff_complaints
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spec_grammar import PlainDumper, spec
from test_source import SYNTAX
from values import assert_values

import cnndsl

#: Parameters and multiply-accumulates of one network.
MOST = 10**7
EXAMPLES = int(os.environ.get("CNNDSL_EXAMPLES", "0"))


def compiled(rng: Random) -> cnndsl.Network | None:
    """A random network, None for a spec that has errors or whose channels multiply too often."""
    try:
        net = cnndsl.loads(yaml.dump(spec(rng), Dumper=PlainDumper, sort_keys=False))
    except cnndsl.SpecError:
        return None
    return net if net.cost.params + net.cost.macs < MOST else None


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors are so small that threads only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def networks() -> list[cnndsl.Network]:
    """The same ones every time."""
    found = (compiled(Random(seed)) for seed in range(150))
    return [net for net in found if net is not None]


@settings(
    max_examples=EXAMPLES or 150,
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


def test_modules_compute_what_steps_with_tensors_of_their_own_do(networks: list[cnndsl.Network]) -> None:
    for net in networks:
        assert_values(net)


def test_most_of_the_grammar_compiles(networks: list[cnndsl.Network]) -> None:
    assert len(networks) > 120


def test_sources_are_formatted_lint_clean_and_short(networks: list[cnndsl.Network], tmp_path: Path) -> None:
    for number, net in enumerate(networks):
        (tmp_path / f"network{number}.py").write_text(net.source())
    assert ruff_complaints(tmp_path) == ""


def test_a_source_does_not_depend_on_what_was_emitted_before(networks: list[cnndsl.Network]) -> None:
    for first, second in pairwise(networks[:40]):
        before = second.source()
        first.source()
        assert second.source() == before
