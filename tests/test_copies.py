"""Equal calls of a block are elaborated once: the graph, the diagnostics and the counted work are the same as if each
call were elaborated."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from fuzzing import broken_grammar, whole_grammar
from mutants import ARCHS

import cnndsl
from cnndsl.graph.context import Context
from cnndsl.graph.copies import Copies
from cnndsl.graph.cost import Bound
from cnndsl.graph.elaborate import _Elaborator
from cnndsl.graph.graph import Alias, Tensor
from cnndsl.limits import LIMITS
from cnndsl.network import compile_spec
from cnndsl.record import Record
from cnndsl.spec.document import Block
from cnndsl.spec.steps import Step

SPECS = [*ARCHS.glob("*.yaml"), *sorted(ARCHS.glob("*/*.yaml"))[::4]]


def plain(value: Any, numbers: dict[int, int]) -> Any:
    """A part of a graph as tuples: tensors as numbers in the order in which they appear, steps and values by their
    places."""
    if isinstance(value, Tensor):
        of = plain(value.of, numbers) if isinstance(value, Alias) else None
        return numbers.setdefault(id(value), len(numbers)), value.shape, of
    if isinstance(value, Bound):
        return repr(value.layer), value.input, value.output, value.cost
    if isinstance(value, Record) and (isinstance(value, (Step, Block)) or "span" in value.__struct_fields__):
        return type(value).__name__, value.span.start, value.span.end  # type: ignore[attr-defined]
    if isinstance(value, Record):
        fields = (plain(getattr(value, name), numbers) for name in value.__struct_fields__)
        return type(value).__name__, *fields
    if isinstance(value, Mapping):
        return tuple((key, plain(item, numbers)) for key, item in value.items())
    return tuple(plain(item, numbers) for item in value) if isinstance(value, tuple) else repr(value)


class Watch:
    """The contexts of all elaborations, and how many calls were copied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.contexts: list[Context] = []
        self.copied = 0
        init, copy = _Elaborator.__init__, Copies._copied

        def watched(elaborator: _Elaborator, *given: Any) -> None:
            init(elaborator, *given)
            self.contexts.append(elaborator.context)

        def counted(copies: Copies, *given: Any) -> Any:
            self.copied += 1
            return copy(copies, *given)

        monkeypatch.setattr(_Elaborator, "__init__", watched)
        monkeypatch.setattr(Copies, "_copied", counted)

    def outcome(self, spec: cnndsl.network.Spec, limits: cnndsl.Limits) -> Any:
        """The network, the diagnostics, the work that was counted, and the place where each tensor was made."""
        self.contexts.clear()
        found = compile_spec(spec, limits=limits)
        told = [diagnostic.render() for diagnostic in found.diagnostics]
        work = [context.progress() for context in self.contexts]
        places = [[(x.shape, context.origins[x].start) for x in context.made] for context in self.contexts]
        return plain(found.partial, {}), told, work, places

    def assert_same(self, spec: cnndsl.network.Spec, limits: cnndsl.Limits = LIMITS) -> None:
        with self.monkeypatch.context() as patch:
            found = self.outcome(spec, limits)
            patch.setattr(Copies, "_key", lambda *given: ())
            assert found == self.outcome(spec, limits)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    return Watch(monkeypatch)


def test_copies_of_our_specs(watch: Watch) -> None:
    for path in SPECS:
        watch.assert_same(path)
    assert watch.copied > 200


def test_copies_of_generated_specs(watch: Watch) -> None:
    for seed in range(60):
        for fuzzer in (whole_grammar, broken_grammar):
            watch.assert_same(cnndsl.Text(fuzzer(Random(seed)).decode()))
    assert watch.copied > 5


EVERYTHING = """
input: [8, 16, 16]
blocks:
  Pair(a, b=1):
    inputs: [x, y]
    outputs: [both, second]
    steps:
      - {name: first, from: x}
      - {name: both, branch: [[from: x], [Conv2d: [$a, 1], ReLU: {inplace: true}]], merge: concat}
      - {name: second, branch: [[from: y], [from: first]], merge: add}
  Inner(n, act=ReLU):
    - let: {half: $(n // 2)}
    - branch: [[Conv2d: [$half, 1]], {steps: [Conv2d: [$half, 1]], for: i, in: [1]}]
      split: true
    - {when: $(n > 4), $act: , else: [{name: skipped}]}
    - dense: [Conv2d: [4, 1]]
      times: 2
    - {Squeeze: $n, inline: true}
    - {name: c, Conv2d: {out_channels: $n, kernel_size: 3, padding: 1}}
    - {reuse: c}
  Squeeze(n):
    - sequential: [Conv2d: [$n, 1], BatchNorm2d]
  Outer(n):
    - residual: [Inner: $n]
    - {name: inner, Inner: {n: $n, act: {LeakyReLU: 0.1}}}
network:
  - {name: start, Outer: 8}
  - repeat: [Outer: 8]
    times: 3
  - {name: p, Pair: [8], inputs: [start, start]}
  - {name: q, Pair: [8], inputs: [start, start]}
  - {name: r, Pair: [8], inputs: [start, p.second]}
  - from: q.both
"""


def test_copies_of_every_kind_of_item(watch: Watch) -> None:
    assert compile_spec(cnndsl.Text(EVERYTHING)).graph is not None
    watch.copied = 0
    watch.assert_same(cnndsl.Text(EVERYTHING))
    assert watch.copied == 3


@pytest.mark.parametrize("limit", ["steps", "edges", "parameters", "evaluation"])
def test_copies_count_as_much_work_as_what_they_copy(limit: str, watch: Watch) -> None:
    with_all = watch.outcome(cnndsl.Text(EVERYTHING), LIMITS)[2][0]
    whole = dict(zip(("steps", "edges", "parameters", "evaluation"), with_all))[limit]
    for most in {whole, whole - 1, whole * 2 // 3, whole // 2, whole // 3}:
        watch.assert_same(cnndsl.Text(EVERYTHING), cnndsl.Limits(**{limit: most}))


ALIKE = """
input: [4, 8, 8]
blocks:
  B(p):
    - Conv2d: {out_channels: 4, kernel_size: 1, bias: $p}
  C(p):
    - $p
  D(q):
    - C: {Conv2d: {out_channels: 4, kernel_size: 1, bias: $q}}
network: [B: true, B: {p: true}, B: VALUE, C: {p: {Conv2d: [4, 1]}}, C: {p: VALUE}, D: true, D: VALUE]
"""


@pytest.mark.parametrize("value", ["1", "1.0", "true", "false", "{Conv2d: [4, 1]}", "[1, true]"])
def test_values_that_are_equal_are_told_apart(value: str, watch: Watch) -> None:
    watch.assert_same(cnndsl.Text(ALIKE.replace("VALUE", value)))
