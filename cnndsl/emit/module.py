"""The live module: the emitted source, executed. With ``training/`` and ``plugins/meta.py`` all that imports torch."""

from __future__ import annotations

import hashlib
import linecache
import sys
from types import ModuleType

from torch import nn

from cnndsl.emit.python import emit
from cnndsl.graph.graph import Apply, Graph, walk
from cnndsl.plugins import OwnLayer


def build(graph: Graph) -> nn.Module:
    """The network of a graph. What runs can be read: its source is registered with ``linecache``, so
    tracebacks, ``inspect`` and ``torch.jit.script`` find it."""
    emitted = emit(graph)
    text = emitted.source
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    name = f"cnndsl._emitted.{graph.document.name}_{digest}"
    if name not in sys.modules or _is_stale(sys.modules[name], graph):
        filename = f"<{name}>"
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
        namespace = ModuleType(name, f"Emitted by cnndsl from the spec {graph.document.name}.")
        namespace.__file__ = filename
        exec(compile(text, filename, "exec"), namespace.__dict__)
        sys.modules[name] = namespace
    network = getattr(sys.modules[name], emitted.class_name)()
    assert isinstance(network, nn.Module)
    return network


def _is_stale(namespace: ModuleType, graph: Graph) -> bool:
    """Whether what was imported there has been defined anew since: a cell of a notebook was run again."""
    return any(vars(namespace)[type(layer).__name__] is not layer.rules.made for layer in own_layers(graph))


def own_layers(graph: Graph) -> list[OwnLayer]:
    """The layers of a network that classes of somebody's own say."""
    layers = (item.layer for _, item in walk(graph.root.body) if isinstance(item, Apply))
    return [layer for layer in layers if isinstance(layer, OwnLayer)]
