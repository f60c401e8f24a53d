"""A keystroke in the live page as a person sees it: in headless Chromium, from the key to the frame with the new panes.

It is not part of `make bench`, which needs no browser.

python benchmarks/live_page.py
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measure import Case, Figures, Measure, Quantity, Question, cnndsl, main
from networks import spec

MEDIAN, LAST = Quantity("ms, median"), Quantity("ms, 99th percentile")
#: Where a digit is typed in each spec: what is before it, and digits that it is replaced by.
NETWORKS: Mapping[str, tuple[str, str]] = {
    "resnet50": ("depths: [3, 4, ", "7895"),
    "efficientnet_b7": ("dropout: 0.", "4321"),
}
#: What is seen beside the editor.
PANES: Mapping[str, Sequence[str]] = {
    "table": ("table",),
    "table and figure": ("table", "figure"),
    "source and diff": ("source", "diff"),
}
KEYS = 30

#: Marks the next key by the time at which the browser took it.
LISTEN = """() => {
    performance.clearMarks();
    const mark = ({ timeStamp }) => performance.mark("key", { startTime: timeStamp });
    addEventListener("keydown", mark, { once: true, capture: true });
}"""
#: The milliseconds from the key until the frame after all panes of its text are there.
SEEN = """async names => {
    const frame = () => new Promise(requestAnimationFrame);
    const has = name => performance.getEntriesByName(`renewed ${name}`).length;
    while (!names.every(has)) await frame();
    await frame();
    return performance.now() - performance.getEntriesByName("key")[0].startTime;
}"""


@contextmanager
def page_of(browser: Any, network: str, panes: Sequence[str]) -> Iterator[Any]:
    """The page of a copy of a spec, with the cursor behind the digit."""
    with TemporaryDirectory() as folder:
        text = "".join(line for line in spec(network).read_text().splitlines(True) if not line.startswith("expect:"))
        Path(folder, "net.yaml").write_text(text.replace("extends: ", "extends: zoo:").replace(".yaml", ""))
        command = [str(part) for part in cnndsl("serve", "net.yaml", "--no-browser", "--port", "0")]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        try:
            page.goto(f"{process.stdout.readline().strip()}&panes={','.join(panes)}")
            page.wait_for_selector("html[data-ready]")
            before = NETWORKS[network][0]
            line = page.locator("#editor .cm-line", has_text=before).first
            at = line.inner_text().index(before) + len(before) + 1
            line.click()
            for key in ("Home", "Home", *["ArrowRight"] * at):
                page.keyboard.press(key)
            page.wait_for_timeout(1000)
            yield page
        finally:
            page.close()
            process.kill()
            process.communicate()


def typing(network: str, page: Any, panes: Sequence[str]) -> Measure:
    def measure(round: int) -> Figures:
        took = []
        for digit in islice(cycle(NETWORKS[network][1]), KEYS):
            page.keyboard.press("Shift+ArrowLeft")
            page.evaluate(LISTEN)
            page.keyboard.press(digit)
            took.append(page.evaluate(SEEN, ["result", *panes]))
            page.keyboard.press("Escape")
        return {MEDIAN: statistics.median(took), LAST: statistics.quantiles(took, n=100, method="inclusive")[98]}

    return measure


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("there is no chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for network in NETWORKS:
            for seen, panes in PANES.items():
                with page_of(browser, network, panes) as page:
                    yield Case((network, seen), {"page": typing(network, page, panes)})
        browser.close()


TYPING = Question(
    __file__,
    "A keystroke in the browser",
    """From a key in the editor of `cnndsl serve`, in headless Chromium, to the frame in which the errors, the shapes
    in the text and the visible panes are those of the new text. A digit is typed again and again, so that each text is
    another network than the one before.""",
    ("spec", "panes"),
    cases,
    quantities=(MEDIAN, LAST),
    rounds=3,
    packages=("playwright", "starlette", "uvicorn", "websockets"),
)

if __name__ == "__main__":
    main(TYPING)
