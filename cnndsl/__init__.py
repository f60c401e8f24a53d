"""cnndsl: convolutional networks as reviewed YAML.

A spec is loaded into a :class:`Network`, which gives its shapes and costs, its PyTorch module, the
module's readable source, and its diagram::

    net = cnndsl.load("archs/vgg11.yaml", classes=100)
    net.shapes(), net.module(), net.source(), net.diagram()
"""

from cnndsl.diagnostics import Diagnostic, SpecError
from cnndsl.network import Network, check, load

__version__ = "0.1.0"
__all__ = ["Diagnostic", "Network", "SpecError", "check", "load"]
