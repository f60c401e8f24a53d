"""Plugins are brought in by who runs the compiler: named by module, or installed as a package. Never by a spec."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from cnndsl.diagnostics import Code, RunError
from cnndsl.layers import LAYERS
from cnndsl.plugins.own import OwnLayer
from cnndsl.plugins.signature import said

#: The group of entry points that installed packages have their layers in.
GROUP = "cnndsl.layers"


def load_plugin(name: str) -> None:
    """Imports the module ``name``, of this folder or installed, for the layers in it. Raises :class:`RunError`."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # at the end, so that nothing in it stands for what is installed
    known = name in sys.modules
    with _loading(f"the plugin `{name}` cannot be loaded", _help(name)):
        before = set(LAYERS.values())
        module = importlib.import_module(name)
    own = {layer for layer in LAYERS.values() if issubclass(layer, OwnLayer)}
    reached = {id(value) for value in vars(module).values()}
    if not (known or own - before or any(id(layer.rules.made) in reached for layer in own)):
        raise RunError(Code.PLUGIN, f"the plugin `{name}` has no layers", "`@cnndsl.layer` makes one of a class")


def _help(name: str) -> str:
    if name.endswith(".py") or "/" in name or "\\" in name:
        return f"a plugin is named as in `import`: `{'.'.join(Path(name).with_suffix('').parts)}`"
    return "it is looked for as by `import`, and in the current folder"


@cache
def load_installed() -> None:
    """Imports what installed packages have as layers, once. Raises :class:`RunError`.

    Installed is what has its metadata on the path of imports, but not in the current folder: that one happens to be
    in a folder has installed nothing.
    """
    from importlib.metadata import distributions

    here = Path.cwd().resolve()
    path = [entry for entry in sys.path if Path(entry).resolve() != here]
    for found in distributions(path=path):
        # Most have none, and are not worth parsing.
        if GROUP in (found.read_text("entry_points.txt") or ""):
            for entry in found.entry_points.select(group=GROUP):
                package = f"the package `{found.name}`"
                message = f"the layers of {package}, `{entry.value}`, cannot be loaded"
                with _loading(message, f"repair {package}, or uninstall it"):
                    entry.load()


@contextmanager
def _loading(message: str, help: str) -> Iterator[None]:
    """Whatever an import ends with becomes a :class:`RunError`, and leaves no layers behind."""
    before = dict(LAYERS)
    try:
        yield
    except (Exception, SystemExit) as error:
        LAYERS.clear()
        LAYERS.update(before)
        missing = error.name if isinstance(error, ModuleNotFoundError) else ""
        note = f"there is no module `{missing}`" if missing else said(error)
        raise RunError(Code.PLUGIN, message, help, [note]) from error
