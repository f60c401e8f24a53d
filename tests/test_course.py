"""The course: what the reader has typed at the end is the network of archs/, and every training in it runs.

``tests/test_pages.py`` runs the pages. A block ``console title="..."`` is text for it: a training that takes minutes.
Here these run too, shortened.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pages
import pytest

import cnndsl

COURSE = pages.DOCS / "course"
BLOCK = re.compile(r'^```(\w+)(?: title="[^"]*")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
#: A few generated pictures in place of the page's data, and one epoch.
SHORT = ["--epochs", "1", "--batch-size", "32", "--set", "train.dataset={Synthetic: {size: 64, test_size: 32}}"]
#: The reader's network, the page that it is on, and the parameters that make it the one of archs/.
NETWORKS: list[tuple[str, str, dict[str, Any]]] = [
    ("01-lenet", "lenet", {}),
    ("02-alexnet", "alexnet", {}),
    ("03-vgg", "vgg11", {}),
    ("03-vgg", "vgg16", {}),
    ("04-nin", "nin", {}),
    ("05-googlenet", "inception", {}),
    ("05-googlenet", "googlenet", {}),
    ("07-resnet", "resnet18", {"bias": True}),
    ("08-densenet", "densenet", {}),
]


def write_files(page: Path) -> None:
    """The files of a page as its reader has them at the end."""
    for language, text in BLOCK.findall(page.read_text()):
        named = pages.FILE.match(text) if language == "yaml" else None
        if named:
            Path(named[1]).write_text(text)


def trainings(page: Path) -> list[list[str]]:
    """The commands of a page that train, shortened, and those that need what was trained."""
    blocks = [text for language, text in BLOCK.findall(page.read_text()) if language == "console"]
    commands = [shlex.split(command) for text in blocks for command in pages.COMMAND.findall(text)]
    return [
        command + (SHORT if command[1] == "train" else [])
        for command in commands
        if pages.SLOW.search(shlex.join(command))
    ]


def costs(net: cnndsl.Network) -> list[tuple[Any, ...]]:
    """What the network's children give and cost, but for LeNet's reshaping, which does nothing to pictures."""
    rows = net.shapes(depth=1).rows
    return [(row.layer, row.output, row.params, row.macs) for row in rows if row.layer != "Reshape"]


@pytest.mark.parametrize(("page", "name", "params"), NETWORKS, ids=lambda value: str(value))
@pytest.mark.usefixtures("own_folder")
def test_the_readers_network_is_that_of_archs(page: str, name: str, params: dict[str, Any]) -> None:
    write_files(COURSE / f"{page}.md")
    mine, ours = (costs(net) for net in (cnndsl.load(f"{name}.yaml", **params), cnndsl.load(f"zoo:classic/{name}")))
    assert mine == ours


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in sorted(COURSE.glob("*.md")) if trainings(page)], ids=lambda p: p.stem
)
@pytest.mark.usefixtures("own_folder")
def test_every_training_of_the_course_runs(page: Path) -> None:
    write_files(page)
    for command in trainings(page):
        assert pages.ran(shlex.join(command)), command
