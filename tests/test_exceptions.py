"""Errors as values: they can be copied, pickled, and sent between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

import cnndsl


def spec_error() -> Exception:
    with pytest.raises(cnndsl.SpecError) as caught:
        cnndsl.loads("input: [3]\nnetwork: [Linear: 4, Lin: 4]\n")
    return caught.value


def run_error() -> Exception:
    with pytest.raises(cnndsl.RunError) as caught:
        cnndsl.load_run("no/such/run")
    return caught.value


@pytest.mark.parametrize("make", [spec_error, run_error])
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_errors_can_be_copied_and_pickled(make, again) -> None:  # type: ignore[no-untyped-def]
    error = make()
    other = again(error)
    assert type(other) is type(error) and str(other) == str(error)
    told = [
        list(map(str, getattr(each, "diagnostics", [getattr(each, "diagnostic", None)]))) for each in (error, other)
    ]
    assert told[0] == told[1]


@pytest.mark.parametrize("wrong", ["5", -1, 0, 1.5, True])
def test_limits_are_positive_integers(wrong: object) -> None:
    with pytest.raises(ValueError, match="the limit `steps` must be a positive integer"):
        cnndsl.Limits(steps=wrong)  # type: ignore[arg-type]
