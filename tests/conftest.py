"""Options and fixtures that tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import CHROMIUM

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


@pytest.fixture
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder as the current one. Python modules of it, and layers that they bring, are gone afterwards."""
    from cnndsl.layers import LAYERS

    layers, modules = dict(LAYERS), set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    LAYERS.clear()
    LAYERS.update(layers)
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith((str(tmp_path), "<cnndsl._emitted")):
            del sys.modules[name]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For results that have to be equal bit for bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for all tests of a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
