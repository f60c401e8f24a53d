"""The quick yes to a spec's structure is jsonschema's, for any value and any part of the schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from fuzzing import FUZZERS, SEEDS, whole_grammar
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import cnndsl
from cnndsl.limits import Limits
from cnndsl.source import Source
from cnndsl.spec.schema import document, schema
from cnndsl.spec.tree import Unreadable, plain, read
from cnndsl.spec.validate import KEYWORDS, fits

ROOT = Path(__file__).parent.parent
#: Keywords that do not decide.
ANNOTATIONS = {
    *("$schema", "$defs", "title", "description", "examples"),
    *("expects", "help", "subject", "argument", "refers"),
}
VALIDATOR = Draft202012Validator(schema())


def agrees(value: Any) -> bool:
    """Asserts that both decide the same of a document, and returns what."""
    assert fits(value, document()) == VALIDATOR.is_valid(value), value
    return fits(value, document())


def values(texts: list[str]) -> Iterator[Any]:
    """The values of the texts that can be read."""
    for text in texts:
        try:
            yield plain(read(Source("<text>", text))[0])
        except Unreadable:
            continue


def rules(rule: Any) -> Iterator[Any]:
    """A schema and all schemas in it."""
    if isinstance(rule, dict):
        yield rule
        for keyword, wanted in rule.items():
            if keyword in ("properties", "patternProperties", "dependentSchemas", "$defs"):
                for inner in wanted.values():
                    yield from rules(inner)
            elif keyword not in ANNOTATIONS:
                for inner in wanted if isinstance(wanted, list) else [wanted]:
                    yield from rules(inner)


RULES = [*rules(schema())]


def test_every_keyword_of_the_schema_is_known() -> None:
    assert {keyword for rule in RULES for keyword in rule} <= KEYWORDS.keys() | ANNOTATIONS


def test_our_specs_fit() -> None:
    for value in values([path.read_text() for path in sorted((ROOT / "archs").rglob("*.yaml"))]):
        assert agrees(value)


def test_specs_with_errors_and_pages_get_the_same_answer() -> None:
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *(ROOT / "cnndsl" / "explanations").glob("*.md")]
    fenced = [text for page in pages for text in re.findall(r"^```yaml.*?\n(.*?)^```", page.read_text(), re.M | re.S)]
    answers = [agrees(value) for value in values([*fenced, *(path.read_text() for path in SEEDS)])]
    assert len(answers) > 300 and {True, False} == {*answers}


def test_unlikely_specs_get_the_same_answer() -> None:
    random = Random(0)
    made = [make(random) for make in (*FUZZERS.values(), whole_grammar) for _ in range(150)]
    answers = [agrees(value) for value in values([data.decode(errors="ignore") for data in made])]
    assert min(answers.count(True), answers.count(False)) > 50


def test_steps_nested_as_deep_as_a_raised_limit_allows_are_validated() -> None:
    deep = "{sequential: [" * 90 + "ReLU" + "]}" * 90
    assert cnndsl.check(cnndsl.Text(f"input: [1, 8, 8]\nnetwork: [{deep}]\n"), limits=Limits(nesting=300)) == []


SCALARS = (
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 2, 2**53, 0.0, 0.5, 1.0, 2.5, -1.0])
    | st.sampled_from(["", "$x", "$(1)", "same", "zeros", "max", "Conv2d", "ReLU", "x", "output", "repeat"])
)
KEYS = st.sampled_from(
    ["Conv2d", "ReLU", "Block", "$x", "kernel_size", "steps", "times", "name", "inputs", "x", "inline"]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_any_value_gets_the_same_answer_from_any_part_of_the_schema(value: Any) -> None:
    for rule in RULES:
        assert fits(value, rule) == VALIDATOR.evolve(schema=rule).is_valid(value), (value, rule)
