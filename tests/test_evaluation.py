"""Expressions against Python's own evaluation, and where they end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnndsl.diagnostics import Code, Diagnostic
from cnndsl.source import Source, Span
from cnndsl.spec.evaluation import Environment, Unknown, evaluate
from cnndsl.spec.tree import UNKNOWN, Scalar
from cnndsl.spec.values import Expression, Fault, Template, parse_text, parse_value

NAMES = {"a": 3, "b": -2, "half": 0.5, "yes": True, "none": None, "word": "relu", "sizes": [1, 2, 4], "empty": []}
FUNCTIONS = {"min": min, "max": max, "abs": abs, "round": round, "int": int, "len": len, "sum": sum}


def value_of(text: str, **names: object) -> object:
    """What ``$(text)`` is worth. Raises Fault."""
    written = f"$({text})"
    faults: list[Diagnostic] = []
    value = parse_value(Scalar(written, Span(Source("x", written), 0, len(written))), faults.append)
    if faults:
        raise Fault(faults[0].code, faults[0].message, value.span)
    return evaluate(value, Environment({k: tuple(v) if isinstance(v, list) else v for k, v in names.items()}))


def fault_of(text: str) -> Diagnostic:
    with pytest.raises(Fault) as caught:
        value_of(text, **NAMES)
    return caught.value.diagnostic


# --- Python is the oracle ------------------------------------------------------------------------

ATOMS = st.sampled_from(["0", "1", "2", "7", "2.5", "'relu'", "True", "None", "[1, 2]", *NAMES])


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Without brackets around operations, so that precedence is put to the proof too."""
    signs = ("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in", "not in")
    binary = st.sampled_from(signs)
    return st.one_of(
        st.tuples(inner, binary, inner).map(" ".join),
        st.sampled_from(["-", "+", "not "]).flatmap(lambda sign: inner.map(lambda text: f"{sign}({text})")),
        st.tuples(inner, inner, inner).map(lambda p: f"({p[0]} if {p[1]} else {p[2]})"),
        st.tuples(st.sampled_from([*FUNCTIONS]), inner).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"max({p[0]}, {p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]})[{p[1]}]"),
        st.tuples(inner, inner).map(lambda p: f"[{p[0]}, {p[1]}]"),
    )


def as_tuples(value: object) -> object:
    return tuple(map(as_tuples, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=600, derandomize=True, deadline=None)
@given(st.recursive(ATOMS, nested, max_leaves=7))
def test_a_value_is_pythons_or_is_refused(text: str) -> None:
    """What Python cannot work out is refused; what is worked out is what Python says, of the same type."""
    try:
        found = value_of(text, **NAMES)
    except Fault:
        return
    wanted = as_tuples(eval(text, {"__builtins__": {}, **FUNCTIONS}, dict(NAMES)))
    assert (type(found), found) == (type(wanted), wanted)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14), ("-2 ** 2", -4), ("2 ** 3 ** 2", 512), ("7 // 2 * 2", 6), ("not 1 == 2", True),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False), ("a or 1 / 0", 3), ("0 and 1 / 0", 0), ("1 if yes else 1 / 0", 1),
        ("yes and word", "relu"),
        ("none is None", True), ("a is not None", True), ("[64] * 3", (64, 64, 64)), ("sizes[-1]", 4), ("word[0]", "r"),
        ("sizes + [8]", (1, 2, 4, 8)), ("4 in sizes", True), ("1, 2", (1, 2)),
        ("true", True), ("FALSE", False), ("not false and NULL is null", True), ("none == Null", True),
        ("1 if true is True else null", 1), ("'true' + 'null'", "truenull"),
        ("[null, true, false]", (None, True, False)),
        ("range(2, 8, 3)", (2, 5)), ("divisible(37, by=4)", 36),
    ],
)  # fmt: skip
def test_values(text: str, value: object) -> None:
    assert value_of(text, **NAMES) == value


# --- limits, places, texts -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "9 ** 9 ** 9", "10 ** 16", "2 ** 65", "'a' * 10 ** 9", "10 ** 9 * [0]", "range(10 ** 9)",
        "[range(600), range(600)]",
        "1e200 * 1e200", "round(1, -10 ** 15)", "+".join("1" * 200), "-(" * 20 + "1" + ")" * 20, "9" * 100,
        "2.0 ** 64 ** 2",
    ],
)  # fmt: skip
def test_what_would_grow_is_refused_before_it_is_computed(text: str) -> None:
    assert fault_of(text).code is Code.LIMIT


@pytest.mark.parametrize("text", ["(" * 200 + "1" + ")" * 200, "9" * 250 + " x", "+0" * 100_000, "a" * 9000])
def test_what_is_too_long_or_deep_for_python_is_refused(text: str) -> None:
    with pytest.raises(Fault):
        value_of(text)


@pytest.mark.parametrize(
    ("text", "place"),
    [("1 + widht * 2", "widht"), ("a + (1 // 0)", "1 // 0"), ("  max([])", "max([])"), ("sizes[7]", "sizes[7]"),
     ("a.real", "a.real")],
)  # fmt: skip
def test_a_fault_is_at_its_part_of_the_expression(text: str, place: str) -> None:
    if text == "a.real":  # refused while it is read
        faults: list[Diagnostic] = []
        parse_text(f"$({text})", Span(Source("x", f"$({text})"), 0, len(text) + 3), faults.append)
        (fault,) = faults
    else:
        fault = fault_of(text)
    assert fault.span is not None and fault.span.text == place


@pytest.mark.parametrize(
    "text", ["\u0441lasses", "a é", "'\\n'", "1 is 2", "a; b", "a = 1", "yield", "await a", "*sizes", "...", "1j"]
)
def test_what_the_language_does_not_have(text: str) -> None:
    assert fault_of(text).code is Code.EXPRESSION


def test_texts_hold_values() -> None:
    def parsed(text: str) -> object:
        return parse_text(text, Span(Source("x", text), 0, len(text)), lambda fault: pytest.fail(fault.message))

    assert isinstance(parsed("$a"), Expression) and isinstance(parsed("$(a)"), Expression)
    template = parsed("layer$(a)_$(b + 1)x")
    assert isinstance(template, Template)
    assert evaluate(template, Environment({"a": 3, "b": 4})) == "layer3_5x"


def test_the_unknown_silences_what_depends_on_it_and_nothing_else() -> None:
    with pytest.raises(Unknown):
        value_of("lost + 1", lost=UNKNOWN)
    assert value_of("yes or lost", yes=True, lost=UNKNOWN) is True
