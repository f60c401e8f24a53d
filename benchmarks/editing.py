"""A keystroke in an editor: the language server beside the one for any YAML, which has our schema.

python benchmarks/editing.py --yaml-server node_modules/.bin/yaml-language-server
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from measure import ARCHS, Absent, Case, Figures, Measure, Quantity, Question, cnndsl, main

MEDIAN, LAST = Quantity("ms, median"), Quantity("ms, 99th percentile")
#: What is typed in each round, key by key, after a part of the spec was deleted with as many keys.
TYPED = 60
SCHEMA = ARCHS.parent / "docs" / "schema.json"


def layers(lines: int) -> str:
    """A spec of so many lines, each of which is a step, and each convolution has its own number of channels."""
    head = ["input: [3, 224, 224]", "network:"]
    steps = (
        line
        for number in itertools.count()
        for line in (
            f"  - Conv2d: {{out_channels: {8 + number}, kernel_size: 3, padding: 1, bias: false}}",
            "  - BatchNorm2d",
            "  - ReLU",
        )
    )
    return "\n".join([*head, *itertools.islice(steps, lines - len(head))]) + "\n"


#: The name of each spec, its folder, its text, and the part of it that is typed again.
SPECS: Mapping[str, tuple[Path, Callable[[], str], str]] = {
    "resnet50": (ARCHS / "torchvision", (ARCHS / "torchvision" / "resnet50.yaml").read_text, "kernel_size: 3"),
    "efficientnet_b7": (
        ARCHS / "torchvision",
        (ARCHS / "torchvision" / "efficientnet_b7.yaml").read_text,
        "depths: [4, 7",
    ),
    "500 lines": (Path(tempfile.gettempdir()), partial(layers, 500), "  - Conv2d: {out_channels: 90"),
}


class Client:
    """An editor that has one text open. ``hints`` tells whether it asks for inlay hints after each key."""

    def __init__(self, command: list[str], path: Path, text: str, hints: bool) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.uri, self.text, self.hints, self.version = path.as_uri(), text, hints, 1
        self.numbers = itertools.count(1)
        shows = {"publishDiagnostics": {"versionSupport": True}, "inlayHint": {}}
        able = {"textDocument": shows, "workspace": {"configuration": False}}
        self.ask("initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": able})
        self.tell("initialized", {})
        settings = {"yaml": {"schemas": {SCHEMA.as_uri(): "*"}, "schemaStore": {"enable": False}}}
        self.tell("workspace/didChangeConfiguration", {"settings": settings})
        item = {"uri": self.uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})
        self.diagnosed()

    def key(self, start: int, end: int, text: str) -> float:
        """The milliseconds from a key, which replaces a part of the text, to all that the editor shows then."""
        began = time.perf_counter()
        self.version += 1
        change = {"range": {"start": self.at(start), "end": self.at(end)}, "text": text}
        name = {"uri": self.uri, "version": self.version}
        self.tell("textDocument/didChange", {"textDocument": name, "contentChanges": [change]})
        self.text = self.text[:start] + text + self.text[end:]
        wanted = set()
        if self.hints:
            whole = {"start": {"line": 0, "character": 0}, "end": {"line": self.text.count("\n"), "character": 0}}
            wanted.add(self.send("textDocument/inlayHint", {"textDocument": {"uri": self.uri}, "range": whole}))
        self.diagnosed(wanted)
        return (time.perf_counter() - began) * 1000

    def at(self, offset: int) -> dict[str, int]:
        before = self.text[:offset]
        return {"line": before.count("\n"), "character": offset - (before.rfind("\n") + 1)}

    def diagnosed(self, answers: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        """Reads until the diagnostics of this version and these answers are there."""
        pending, is_checked = set(answers), False
        while pending or not is_checked:
            message = self.read()
            params = message.get("params", {})
            if message.get("method") == "textDocument/publishDiagnostics" and params["uri"] == self.uri:
                is_checked = params.get("version", self.version) == self.version
            elif "result" in message:
                pending.discard(message["id"])

    def ask(self, method: str, params: Any) -> None:
        number = self.send(method, params)
        while (message := self.read()).get("id") != number or "method" in message:
            pass

    def send(self, method: str, params: Any) -> int:
        number = next(self.numbers)
        self.write({"id": number, "method": method, "params": params})
        return number

    def tell(self, method: str, params: Any) -> None:
        self.write({"method": method, "params": params})

    def write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        if not length:
            raise Absent("the server ended")
        message: dict[str, Any] = json.loads(self.process.stdout.read(length))
        if "method" in message and "id" in message:  # what it asks for has no answer here
            self.write({"id": message["id"], "result": None})
        return message


def typing(command: list[str], spec: str, hints: bool) -> Measure:
    """Deletes a part of a spec with a key for each character, and types it again."""
    folder, read, part = SPECS[spec]

    @cache
    def client() -> Client:
        return Client(command, folder / f"{spec.replace(' ', '_')}.yaml", read(), hints)

    def measure(round: int) -> Figures:
        editor, took = client(), []
        start = editor.text.rindex(part)
        while len(took) < TYPED:
            for end in range(start + len(part), start, -1):
                took.append(editor.key(end - 1, end, ""))
            for number, character in enumerate(part):
                took.append(editor.key(start + number, start + number, character))
        return {MEDIAN: statistics.median(took), LAST: statistics.quantiles(took, n=100, method="inclusive")[98]}

    return measure


def missing(round: int) -> Figures:
    raise Absent("yaml-language-server is not installed")


#: The server for any YAML waits for 200 ms after each key before it looks at the text.
_AT_ONCE = (
    "const later = setTimeout; setTimeout = (work, delay, ...more) => later(work, delay == 200 ? 0 : delay, ...more)"
)


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    server = shutil.which(asked.yaml_server)
    at_once = Path(tempfile.gettempdir()) / "at_once.cjs"
    at_once.write_text(_AT_ONCE)
    for spec in SPECS:
        ours = typing([*map(str, cnndsl("lsp"))], spec, hints=True)
        theirs: dict[str, Measure] = {"YAML server": missing, "YAML server, at once": missing}
        if server is not None:
            theirs["YAML server"] = typing([server, "--stdio"], spec, hints=False)
            theirs["YAML server, at once"] = typing(["node", "-r", str(at_once), server, "--stdio"], spec, hints=False)
        yield Case((spec,), {"cnndsl": ours, **theirs})


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yaml-server", default="yaml-language-server", help="its command; it is a package of npm")


QUESTION = Question(
    __file__,
    "A keystroke in an editor",
    """From a key to all that an editor then shows, over pipes: the diagnostics of `cnndsl lsp` and its inlay hints,
    beside the diagnostics of `yaml-language-server`, which only has our schema and does not know what a layer makes of
    its input. It waits for 200 ms before it looks at a text, which is what its users see; "at once" is the same server
    without this pause. A part of the spec is deleted and typed again, key by key, so most texts are half typed. The
    spec of 500 lines has 498 layers.""",
    ("spec",),
    cases,
    quantities=(MEDIAN, LAST),
    options=options,
)

if __name__ == "__main__":
    main(QUESTION)
