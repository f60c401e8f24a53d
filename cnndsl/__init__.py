"""cnndsl: convolutional networks as reviewed YAML.

A spec is loaded into a :class:`Network`, which gives its shapes and costs, its PyTorch module, the
module's readable source, and its diagram::

    net = cnndsl.load("archs/vgg11.yaml", classes=100)
    net.shapes(), net.module(), net.source(), net.diagram()

It answers questions: where a shape comes from, which inputs fit, and what other parameters cost::

    cnndsl.trace(net, "features.3"), cnndsl.sizes(net), cnndsl.sweep("archs/vgg11.yaml", {"classes": [10, 100]})

A spec's recipe trains it, and the run gives the trained module::

    run = cnndsl.train("archs/lenet.yaml", epochs=3)
    cnndsl.load_run(run.path).module()

A module that exists already becomes a spec::

    cnndsl.loads(cnndsl.from_module(torchvision.models.resnet18(), input=(3, 224, 224)))

``@cnndsl.layer`` makes a layer of your own class.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnndsl.version import __version__

if TYPE_CHECKING:
    from cnndsl.compare.compare import diff
    from cnndsl.diagnostics import Diagnostic, ModuleError, RunError, SpecError
    from cnndsl.explanations import explain
    from cnndsl.explorer import explore
    from cnndsl.fmt import format
    from cnndsl.importing.api import from_module
    from cnndsl.limits import Limits
    from cnndsl.network import Network, check, load, loads
    from cnndsl.plugins import layer
    from cnndsl.questions.sizes import sizes
    from cnndsl.questions.sweep import sweep
    from cnndsl.questions.trace import trace
    from cnndsl.spec.document import Text
    from cnndsl.training.api import train
    from cnndsl.training.plot import plot_runs
    from cnndsl.training.run import Run, load_run

#: Where each name is. It is imported when it is first used: the training needs torch, which takes seconds to import,
#: and the command line must be able to catch Ctrl-C while it is imported.
_HOMES = {
    "cnndsl.compare.compare": ("diff",),
    "cnndsl.diagnostics": ("Diagnostic", "ModuleError", "RunError", "SpecError"),
    "cnndsl.explanations": ("explain",),
    "cnndsl.explorer": ("explore",),
    "cnndsl.fmt": ("format",),
    "cnndsl.importing.api": ("from_module",),
    "cnndsl.limits": ("Limits",),
    "cnndsl.network": ("Network", "check", "load", "loads"),
    "cnndsl.plugins": ("layer",),
    "cnndsl.questions.sizes": ("sizes",),
    "cnndsl.questions.sweep": ("sweep",),
    "cnndsl.questions.trace": ("trace",),
    "cnndsl.spec.document": ("Text",),
    "cnndsl.training.api": ("train",),
    "cnndsl.training.plot": ("plot_runs",),
    "cnndsl.training.run": ("Run", "load_run"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Diagnostic",
    "Limits",
    "ModuleError",
    "Network",
    "Run",
    "RunError",
    "SpecError",
    "Text",
    "__version__",
    "check",
    "diff",
    "explain",
    "explore",
    "format",
    "from_module",
    "layer",
    "load",
    "load_run",
    "loads",
    "plot_runs",
    "sizes",
    "sweep",
    "trace",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
