"""A keystroke in the page of ``cnndsl serve``, beside the command that makes the same, run again.

python benchmarks/keystroke.py
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from measure import Case, Figures, Measure, Quantity, Question, cnndsl, main
from networks import spec

MEDIAN, LAST = Quantity("ms, median"), Quantity("ms, 99th percentile")
#: A parameter of each spec as it is written there, and other values that are typed.
NETWORKS: Mapping[str, Sequence[str]] = {
    "resnet50": ("depths: [3, 4, 6, 3]", "depths: [3, 4, 7, 3]", "depths: [3, 4, 17, 3]", "depths: [3, 4, 7, 3]"),
    "efficientnet_b7": ("dropout: 0.5", "dropout: 0.", "dropout: 0.4", "dropout: 0."),
}
#: The keystrokes of a round, and how often a command is run again in it.
KEYS, AGAIN = 100, 3
#: What is visible, as the page tells it, and the command that makes the same of the file.
SHOWN: Mapping[str, tuple[Mapping[str, Any], Sequence[str]]] = {
    "errors and hints": ({}, ("check",)),
    "table": ({"table": {}}, ("shapes", "-p")),
    "source": ({"source": {}}, ("build", "--stop-after", "source", "-p")),
    "diff": ({"diff": {}}, ("diff", "-P")),
    "figure": ({"figure": {}}, ("draw", "-o", "net.svg", "-p")),
    "all": ({"table": {}, "source": {}, "diff": {}, "figure": {}}, ("build", "-o", "net", "-p")),
}


class Page:
    """A page that has one spec open."""

    def __init__(self, path: Path, panes: Mapping[str, Any]) -> None:
        from websockets.sync.client import connect

        command = [*map(str, cnndsl("serve", path, "--no-browser", "--port", "0"))]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        host, _, key = self.process.stdout.readline().strip().removeprefix("http://").partition("/#key=")
        protocols: Any = ["cnndsl", key]
        origin: Any = f"http://{host}"
        self.connection = connect(f"ws://{host}/socket", subprotocols=protocols, origin=origin, max_size=None)
        self.panes, self.version = set(panes), 0
        spec = json.loads(self.connection.recv())["spec"]
        self.send("show", **panes)
        self.send("open", spec=spec)
        self.shown()

    def send(self, type: str, **fields: Any) -> None:
        self.connection.send(json.dumps({"type": type, **fields}))

    def shown(self) -> None:
        """Waits until the errors of this version and all panes are there."""
        pending = {"result", *self.panes}
        while pending:
            message = json.loads(self.connection.recv())
            if message.get("version") == self.version:
                pending.discard(message["type"])

    def key(self, text: str) -> float:
        """The milliseconds from a change of the text to all that the page shows of it."""
        began = time.perf_counter()
        self.version += 1
        self.send("change", version=self.version, text=text)
        self.shown()
        return (time.perf_counter() - began) * 1000


@contextmanager
def page_of(path: Path, panes: Mapping[str, Any]) -> Iterator[Page]:
    page = Page(path, panes)
    try:
        yield page
    finally:
        page.process.kill()
        page.process.communicate()


def serving(network: str, page: Page) -> Measure:
    """The page, in which the values are typed one after the other. The promise of the spec's size is left out."""
    first, *others = NETWORKS[network]
    text = re.sub(r"^expect:.*\n", "", spec(network).read_text(), flags=re.MULTILINE)
    assert first in text

    def measure(round: int) -> Figures:
        return figures([page.key(text.replace(first, other)) for other in islice(cycle((*others, first)), KEYS)])

    return measure


def again(network: str, folder: Path, command: Sequence[str]) -> Measure:
    """The command for each value, as a watcher of files runs it."""

    def measure(round: int) -> Figures:
        took = []
        for other in NETWORKS[network][1 : AGAIN + 1]:
            verb, *options = command
            given = [other.replace(": ", "=").replace(" ", "")] if options else []
            filled = cnndsl(verb, spec(network), *options, *given)
            began = time.perf_counter()
            subprocess.run([*map(str, filled)], capture_output=True, cwd=folder)
            took.append((time.perf_counter() - began) * 1000)
        return figures(took)

    return measure


def figures(took: Sequence[float]) -> Figures:
    return {MEDIAN: statistics.median(took), LAST: statistics.quantiles(took, n=100, method="inclusive")[98]}


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    for network in NETWORKS:
        for shown, (panes, command) in SHOWN.items():
            with TemporaryDirectory() as name, page_of(spec(network), panes) as page:
                contestants = {"page": serving(network, page), "command": again(network, Path(name), command)}
                yield Case((network, shown), contestants, rivals=False)


QUESTION = Question(
    __file__,
    "A keystroke in the page",
    """From a key in the editor of `cnndsl serve` to all that the page is told of the new text, over its WebSocket:
    errors and hints, and what is visible besides, alone and together. Beside it, the command that makes the same of a
    file is run again, as a watcher of files would: `check`, `shapes`, `build --stop-after source`, `diff`, `draw`, and
    for all `build`, which makes no diff. A parameter is typed again and again, so that each text is another network
    than the one before. Of a command, the 99th percentile is about the slowest of three runs. The time of the browser
    is not in it.""",
    ("spec", "shown"),
    cases,
    quantities=(MEDIAN, LAST),
    rounds=3,
    packages=("starlette", "uvicorn", "websockets"),
)

if __name__ == "__main__":
    main(QUESTION)
