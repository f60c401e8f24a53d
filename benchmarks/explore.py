"""How soon a network can be seen in a browser: the explorer's page beside torchview's SVG, in headless Chromium.

It is not part of `make bench`, which needs no browser.

python benchmarks/explore.py
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from draw import PATIENCE, TORCHVIEW
from measure import WALL, Case, Figures, Measure, Question, cnndsl, main, run
from networks import INPUT, NETWORKS, constructor, spec

#: From the start of the navigation until the frame after the picture is there.
SEEN = """async () => {
    const frame = () => new Promise(requestAnimationFrame);
    while (document.readyState !== "complete") await frame();
    while (document.documentElement instanceof HTMLElement && !document.documentElement.dataset.ready) await frame();
    await frame();
    await frame();
    return performance.now() / 1000;
}"""


def opening(browser: Any, path: Path, *command: str | Path) -> Measure:
    """Opens a file that a command writes in the first round."""

    def measure(round: int) -> Figures:
        if not path.exists():
            run(command, PATIENCE)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        try:
            page.goto(path.as_uri())
            return {WALL: page.evaluate(SEEN)}
        finally:
            page.close()

    return measure


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no chromium")
    with sync_playwright() as playwright, TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for network in NETWORKS:
            ours, whole, theirs = (
                Path(folder, name) for name in (f"{network}.html", f"{network}+.html", f"{network}.svg")
            )
            torchview = TORCHVIEW.format(constructor=constructor(network), input=INPUT, path=str(theirs))
            yield Case(
                (network,),
                {
                    "cnndsl": opening(browser, ours, *cnndsl("draw", spec(network), "-o", ours)),
                    "cnndsl, all unfolded": opening(
                        browser, whole, *cnndsl("draw", spec(network), "-o", whole, "--depth", "9")
                    ),
                    "torchview": opening(browser, theirs, sys.executable, "-c", torchview),
                },
            )
        browser.close()


OPENING = Question(
    __file__,
    "Opening the explorer",
    """From the start of a navigation in headless Chromium until the picture is drawn. The explorer lays out what is
    unfolded when it opens; torchview's SVG has its layout in it, and shows modules to a depth of 3.""",
    ("network",),
    cases,
    rounds=5,
    packages=("playwright", "torchview"),
)

if __name__ == "__main__":
    main(OPENING)
