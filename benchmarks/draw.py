"""Diagrams from a cold start: ``cnndsl draw`` beside torchview and Keras's ``plot_model``.

python benchmarks/draw.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from measure import MEMORY, WALL, Absent, Case, Figures, Measure, Question, cnndsl, main, process
from networks import INPUT, NETWORKS, constructor, spec

TORCHVIEW = """
import pygraphviz, torch, torchview, torchvision
with torch.device("meta"):
    model = {constructor}
dot = torchview.draw_graph(model, input_size={input}, device="meta").visual_graph.source
pygraphviz.AGraph(string=dot).draw({path!r}, prog="dot")
"""
KERAS = """
import keras, pygraphviz
model = keras.applications.{network}(weights=None)
dot = keras.utils.model_to_dot(model, show_shapes=True, show_layer_names=True).to_string()
pygraphviz.AGraph(string=dot).draw({path!r}, prog="dot")
"""
KERAS_NAMES = {"resnet152": "ResNet152", "densenet201": "DenseNet201", "efficientnet_b7": "EfficientNetB7"}
#: Seconds after which a diagram is given up.
PATIENCE = 60


def keras(python: str, network: str, path: str) -> Measure:
    if network not in KERAS_NAMES:
        return absent
    code = KERAS.format(network=KERAS_NAMES[network], path=path)
    return process(python, "-c", code, limit=PATIENCE)


def absent(round: int) -> Figures:
    raise Absent("Keras does not have it")


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    with TemporaryDirectory() as folder:
        for network in NETWORKS:
            ours, other, third = (str(Path(folder, f"{network}-{number}.svg")) for number in range(3))
            torchview = TORCHVIEW.format(constructor=constructor(network), input=INPUT, path=other)
            yield Case(
                (network,),
                {
                    "cnndsl": process(*cnndsl("draw", spec(network), "--no-fold", "-o", ours)),
                    "torchview": process(sys.executable, "-c", torchview, limit=PATIENCE),
                    "Keras": keras(asked.peer_python, network, third),
                },
            )


QUESTION = Question(
    __file__,
    "Diagrams",
    """An SVG of the whole network, as a process from a cold start. All diagrams are laid out by the same Graphviz, that
    of pygraphviz, so that only what makes them differs. torchview runs the network on torch's device `meta` and draws
    modules to its default depth of 3, Keras draws its own version of the network with shapes, as `plot_model` does.
    cnndsl draws every layer (`--no-fold`); by default it draws equal rounds of a loop once. A diagram that takes more
    than a minute is given up.""",
    ("network",),
    cases,
    quantities=(WALL, MEMORY),
    rounds=3,
    packages=("torch", "torchvision", "torchview", "pygraphviz", "keras", "tensorflow-cpu"),
)

if __name__ == "__main__":
    main(QUESTION)
