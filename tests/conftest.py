"""Options and fixtures that tests share."""

from __future__ import annotations

import os

import pytest

# One test runs per core, so each, and every process that it starts, computes on one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="Write what is found into tests/cases as what is expected.")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--update") and os.environ.get("CI"):
        raise pytest.UsageError("--update is not for CI: there, what is expected is what was reviewed")


@pytest.fixture
def update(request: pytest.FixtureRequest) -> bool:
    """Whether to rewrite expectations instead of comparing them."""
    return bool(request.config.getoption("--update"))
