"""The live module: the emitted source, executed."""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary, finalize

from torch import nn

from cnndsl.emit.source import Emitted
from cnndsl.graph.graph import Graph
from cnndsl.plugins import OwnLayer


def network_class(emitted: Emitted, graph: Graph) -> type[nn.Module]:
    """The class of a network, from the source that a graph was emitted as.

    The source stays readable: it is registered with ``linecache``, so tracebacks, ``inspect`` and
    ``torch.jit.script`` find it as long as one of its classes lives. A pickle of a module contains the source.
    """
    digest = hashlib.sha256(emitted.source.encode()).hexdigest()[:12]
    name = f"cnndsl._emitted.{graph.document.name}_{digest}"
    if name in sys.modules and _is_stale(sys.modules[name], graph):
        del sys.modules[name]
    made: type[nn.Module] = _class(name, emitted.source, emitted.class_name)
    assert issubclass(made, nn.Module)
    return made


class _Importable(ModuleType):
    """The entry of an emitted source in ``sys.modules``. It has only weak references to the source's own classes:
    they keep each other alive, through the globals of their methods, as long as one of them is in use."""

    def __init__(self, name: str, filename: str, contents: Mapping[str, Any]) -> None:
        super().__init__(name, "A network, emitted by cnndsl.")
        own = {key: value for key, value in contents.items() if getattr(value, "__module__", None) == name}
        vars(self).update({key: value for key, value in contents.items() if key not in own}, __file__=filename)
        self._own = WeakValueDictionary(own)

    def __getattr__(self, key: str) -> Any:
        own = vars(self).get("_own", {})
        if key not in own:
            raise AttributeError(f"module {self.__name__!r} has no attribute {key!r}")
        return own[key]


def _class(name: str, source: str, class_name: str) -> Any:
    """A class of an emitted source, which is executed unless it is loaded already."""
    found = getattr(sys.modules.get(name), class_name, None)
    return found or _run(name, source)[class_name]


def _run(name: str, source: str) -> dict[str, Any]:
    filename = f"<{name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    contents: dict[str, Any] = {"__name__": name, "__file__": filename}
    exec(compile(source, filename, "exec"), contents)
    importable = _Importable(name, filename, contents)
    for made in filter(lambda value: isinstance(value, type) and value.__module__ == name, contents.values()):
        made.__reduce_ex__ = _reducing(name, source)
        finalize(made, _forget, importable).atexit = False
    sys.modules[name] = importable
    return contents


def _forget(importable: _Importable) -> None:
    """Removes a source whose classes are gone, so nobody can ask for it."""
    if sys.modules.get(importable.__name__) is importable:
        del sys.modules[importable.__name__]
        linecache.cache.pop(str(importable.__file__), None)


def _reducing(name: str, source: str) -> Any:
    def reduce(module: nn.Module, protocol: int) -> tuple[Any, ...]:
        """Like ``object.__reduce_ex__``, but the pickle holds the class's source: it may be read when the class is
        gone, or by another process."""
        made, arguments, *state = tuple(object.__reduce_ex__(module, max(protocol, 2)))
        if type(module).__module__ == name:  # not a derived class
            made, arguments = _revived, (name, source, type(module).__qualname__)
        return made, arguments, *state

    return reduce


def _revived(name: str, source: str, class_name: str) -> Any:
    """An unpickled module before its state is restored."""
    made = _class(name, source, class_name)
    return made.__new__(made)


def _is_stale(namespace: ModuleType, graph: Graph) -> bool:
    """Whether a class that it imported has been redefined since, as by running a notebook cell again."""
    return any(vars(namespace)[type(layer).__name__] is not layer.rules.made for layer in own_layers(graph))


def own_layers(graph: Graph) -> list[OwnLayer]:
    """The layers of a network that are made from users' classes."""
    layers = (item.layer for item in graph.root.layers)
    return [layer for layer in layers if isinstance(layer, OwnLayer)]
