"""Whole processes from a cold start: ``cnndsl shapes`` beside ``torchinfo.summary``, small commands beside Python.

python benchmarks/commands.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from measure import ARCHS, MEMORY, WALL, Case, Question, cnndsl, main, process
from networks import INPUT, NETWORKS, constructor, spec

SUMMARY = """
import torch, torchinfo, torchvision
with torch.device({device!r}):
    model = {constructor}
torchinfo.summary(model, input_size={input}, device={device!r}, verbose=1)
"""
#: What remains of a command line in Python without its work.
HELP = "import click; click.Command('cnndsl', help='Networks.').main(['--help'])"
READ = "import click, yaml; click.Command('check', callback=lambda: yaml.load(open({!r}), yaml.CSafeLoader)).main([])"


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    for network in NETWORKS:
        peers = {
            name: process(
                *(sys.executable, "-c", SUMMARY.format(constructor=constructor(network), input=INPUT, device=device))
            )
            for name, device in (("torchinfo", "cpu"), ("torchinfo on meta", "meta"))
        }
        yield Case((f"`shapes {network}`",), {"cnndsl": process(*cnndsl("shapes", spec(network))), **peers})
    lenet = str(ARCHS / "lenet.yaml")
    for label, command, code in (
        ("`--help`", ["--help"], HELP),
        ("`check lenet`", ["check", lenet], READ.format(lenet)),
    ):
        floor = process(sys.executable, "-c", code)
        yield Case((label,), {"cnndsl": process(*cnndsl(*command)), "Python and click": floor}, rivals=False)


QUESTION = Question(
    __file__,
    "Commands from a cold start",
    """Time and peak memory of whole processes, as a shell starts them. Each does what it needs to print a table:
    torchinfo imports torch, creates the weights and runs the network. On torch's device `meta` it needs no memory for
    weights and values; you have to know this. cnndsl does none of it. Two choices favour torchinfo: GoogLeNet is built
    without its auxiliary heads and its slow initialization, and EfficientNet-B7 gets pictures of 224 x 224 like the
    others, not of 600 x 600 as its spec has them. The small commands are compared with what no command line in Python
    avoids: the start of Python, the import of click, and for `check` reading the YAML with libyaml.""",
    ("command",),
    cases,
    quantities=(WALL, MEMORY),
    rounds=5,
    packages=("torch", "torchvision", "torchinfo", "click", "pyyaml"),
)

if __name__ == "__main__":
    main(QUESTION)
