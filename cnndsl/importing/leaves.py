"""Classes that stay as they are: layers of your own, for one import."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from cnndsl.diagnostics import Code, RunError, did_you_mean
from cnndsl.layers import LAYERS
from cnndsl.plugins import OwnLayer, layer
from cnndsl.record import Record


class Kept(Record, frozen=True):
    """The classes of a module that are layers of their own: those of ``plugins``, modules of Python that have them in
    the layer table, and ``added``, which none has."""

    names: frozenset[str] = frozenset()
    plugins: tuple[str, ...] = ()
    added: tuple[type[nn.Module], ...] = ()

    @property
    def file(self) -> str:
        """A file of Python that makes layers of the added classes; "" if there are none."""
        if not self.added:
            return ""
        imports = [f"from {_home(kind)} import {kind.__name__}" for kind in self.added]
        made = [f"cnndsl.layer({kind.__name__})" for kind in self.added]
        return "\n".join([*imports, "", "import cnndsl", "", *made]) + "\n"


@contextmanager
def layers_of(module: nn.Module, leaves: Collection[str]) -> Iterator[Kept]:
    """Inside, the classes that ``leaves`` name are in the layer table. Those that are in it anyway, by
    ``@cnndsl.layer``, need no name. Raises :class:`RunError`."""
    kinds = {type(part).__name__: type(part) for part in module.modules() if part is not module}
    for name in leaves:
        if name not in kinds:
            help = did_you_mean(name, kinds) or f"there are {', '.join(sorted(kinds))}"
            raise RunError(Code.TARGET, f"no module inside is of a class `{name}`", help)
    own = [name for name, kind in kinds.items() if _is_own(kind)]
    plugins = dict.fromkeys(_home(kinds[name]) for name in own)
    added = tuple(kinds[name] for name in dict.fromkeys(leaves) if name not in own)
    before = dict(LAYERS)
    try:
        for kind in added:
            _add(kind)
        yield Kept(frozenset({*own, *leaves}), tuple(plugins), added)
    finally:
        LAYERS.clear()
        LAYERS.update(before)


def _is_own(kind: type[nn.Module]) -> bool:
    found = LAYERS.get(kind.__name__)
    return found is not None and issubclass(found, OwnLayer) and found.rules.made is kind


def _add(kind: type[nn.Module]) -> None:
    try:
        layer(kind)
    except (TypeError, ValueError) as error:
        message = f"`{kind.__name__}` cannot be a layer of your own: {error}"
        help = how_to_keep(kind) if is_inner(kind) else "see docs/plugins.md for what a layer may be"
        raise RunError(Code.TARGET, message, help) from error


def is_inner(kind: type[nn.Module]) -> bool:
    """Whether a class is inside another or a function, where nobody can import it from."""
    return "." in kind.__qualname__


def how_to_keep(kind: type[nn.Module]) -> str:
    """The help that says how a class becomes a layer of one's own."""
    name = kind.__name__
    if is_inner(kind):
        return f"move `class {name}` to the top level of its file, and keep it as a layer of your own: `--leaf {name}`"
    return f"keep the class as a layer of your own: `--leaf {name}`"


def _home(kind: type[nn.Module]) -> str:
    """The module that a class is imported from. A file that was a TARGET has another name in other programs."""
    home = sys.modules[kind.__module__]
    file = getattr(home, "__file__", None)
    return Path(file).stem if file and home.__name__.startswith("_imported_") else home.__name__
