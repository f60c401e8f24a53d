"""The modules of a network with their paths, and which of them are layers."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Refusal

#: The most paths that are collected: a module that is shared on many levels has exponentially many.
MOST_PATHS = 100_000
#: Methods that a subclass of a layer may override without computing anything else.
HARMLESS = {"__init__", "__repr__", "extra_repr", "reset_parameters", "init_weights", "_init_weights"}

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)


class Modules:
    """All modules of a network by identity, with all their paths, the first one first."""

    def __init__(self, root: nn.Module, leaves: Collection[str] = ()) -> None:
        self.root = root
        self.paths: dict[nn.Module, list[str]] = {}
        for module, path in _walk(root):
            self.paths.setdefault(module, []).append(path)
        self.leaves = {module for module in self.paths if type(module).__name__ in leaves or is_layer(module)}
        self.refused = [refusal for m, paths in self.paths.items() for refusal in _refused(m, paths[0])]
        self._relative: dict[tuple[nn.Module, nn.Module], str] = {}

    def relative(self, caller: nn.Module, module: nn.Module) -> str:
        """The path of a module in the one that calls it, "/" and the path in the network if it is not inside."""
        key = (caller, module)
        if key not in self._relative:
            self._relative[key] = self._path(caller, module)
        return self._relative[key]

    def _path(self, caller: nn.Module, module: nn.Module) -> str:
        for above in self.paths[caller]:
            prefix = f"{above}." if above else ""
            for path in self.paths[module]:
                if path.startswith(prefix) and path != above:
                    return path.removeprefix(prefix)
        return "/" + self.paths[module][0]


def _refused(module: nn.Module, path: str) -> Iterator[Refusal]:
    """Why a module cannot be run, or cannot be looked into while it runs."""
    if isinstance(module, torch.jit.ScriptModule):
        message = "a module compiled by `torch.jit.script` or `torch.jit.trace` cannot be looked into"
        yield Refusal(Code.OPERATION, message, None, "import the Python class from which it was made", path)
    if any(is_lazy(parameter) for parameter in module.parameters(recurse=False)):
        message = f"the parameters of `{type(module).__name__}` have no shapes yet"
        help = "call the network once with an input, in a function that makes it and is the target of the import"
        yield Refusal(Code.FORWARD, message, None, help, path, type(module).__name__)


def _walk(root: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Modules in the order of ``named_modules``, under each of their names. A module inside itself is not entered."""
    stack = [(root, "", frozenset[int]())]
    for _ in range(MOST_PATHS):
        if not stack:
            return
        module, path, above = stack.pop()
        yield module, path
        inside = above | {id(module)}
        children = [(name, child) for name, child in module._modules.items() if child is not None]
        stack += [(c, f"{path}.{n}" if path else n, inside) for n, c in reversed(children) if id(c) not in inside]


def is_layer(module: nn.Module) -> bool:
    """Whether the module is one of torch's or torchvision's, or of a subclass that computes the same. Containers are
    not: they only call others."""
    if "forward" in vars(module):
        return False
    own = [kind for kind in type(module).__mro__ if not _is_library(kind)]
    library = next((kind for kind in type(module).__mro__ if kind not in own), nn.Module)
    if library is nn.Module or library is object or issubclass(library, CONTAINERS):
        return False
    if library.__module__.startswith("torchvision.") and module._modules:
        return False
    return all(_is_harmless(kind, library) for kind in own)


def _is_library(kind: type) -> bool:
    name = kind.__module__
    # A parametrized module has a class of torch's own making.
    return name.startswith(("torch.nn.modules.", "torchvision.ops.")) or kind is object


def _is_harmless(kind: type, library: type) -> bool:
    if kind.__module__ == "torch.nn.utils.parametrize":
        return True
    methods = {name for name, value in vars(kind).items() if callable(value) or isinstance(value, property)}
    return not any(hasattr(library, name) for name in methods - HARMLESS if not name.startswith("__"))


def holders(root: nn.Module) -> dict[int, tuple[nn.Module, str, bool]]:
    """Where each parameter and buffer is held first, by the id of the tensor: the module, the name, and whether it
    is a parameter."""
    found: dict[int, tuple[nn.Module, str, bool]] = {}
    for module in root.modules():
        for tensors, is_parameter in ((module._parameters, True), (module._buffers, False)):
            for name, tensor in tensors.items():
                if isinstance(tensor, torch.Tensor):
                    found.setdefault(id(tensor), (module, name, is_parameter))
    return found
