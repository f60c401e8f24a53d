"""cnndsl: convolutional networks as reviewed YAML.

A spec is loaded into a :class:`Network`, which gives its shapes and costs, its PyTorch module, the
module's readable source, and its diagram::

    net = cnndsl.load("archs/vgg11.yaml", classes=100)
    net.shapes(), net.module(), net.source(), net.diagram()

A spec's recipe trains it, and the run gives the trained module::

    run = cnndsl.train("archs/lenet.yaml", epochs=3)
    cnndsl.load_run(run.path).module()

``@cnndsl.layer`` makes a layer of your own class.
"""

from cnndsl.diagnostics import Diagnostic, RunError, SpecError
from cnndsl.explanations import explain
from cnndsl.fmt import format
from cnndsl.limits import Limits
from cnndsl.network import Network, check, load, loads
from cnndsl.plugins import layer
from cnndsl.spec.document import Text
from cnndsl.training.api import train
from cnndsl.training.run import Run, load_run

__version__ = "0.1.0"
__all__ = [
    "Diagnostic",
    "Limits",
    "Network",
    "Run",
    "RunError",
    "SpecError",
    "Text",
    "check",
    "explain",
    "format",
    "layer",
    "load",
    "load_run",
    "loads",
    "train",
]
