"""Whoever runs the compiler loads plugins: modules by name, or installed packages. A spec never does."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from cnndsl.diagnostics import Code, RunError
from cnndsl.layers import LAYERS
from cnndsl.plugins.plugin_layer import OwnLayer
from cnndsl.plugins.signature import said
from cnndsl.writing import read_file

#: The entry point group in which installed packages list their layers.
GROUP = "cnndsl.layers"
#: The ends of the names of folders with the metadata of packages, in `site-packages` and in eggs.
_METADATA = (".dist-info", "egg-info", "EGG-INFO")


def load_plugin(name: str) -> None:
    """Imports the module ``name``, from the current folder or installed, for its layers. Raises :class:`RunError`."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # at the end, so that it cannot shadow installed modules
    known = name in sys.modules
    with _loading(f"the plugin `{name}` cannot be loaded", _help(name)):
        before = set(LAYERS.values())
        module = importlib.import_module(name)
    own = {layer for layer in LAYERS.values() if issubclass(layer, OwnLayer)}
    reached = {id(value) for value in vars(module).values()}
    if not (known or own - before or any(id(layer.rules.made) in reached for layer in own)):
        raise RunError(Code.PLUGIN, f"the plugin `{name}` has no layers", "decorate a class with `@cnndsl.layer`")


def _help(name: str) -> str:
    if name.endswith(".py") or "/" in name or "\\" in name:
        return f"name a plugin as in `import`: `{'.'.join(Path(name).with_suffix('').parts)}`"
    return "it must be importable, or be in the current folder"


@cache
def load_installed() -> None:
    """Imports the layers of installed packages, once. Raises :class:`RunError`.

    A package is installed if its metadata is on the import path, but not in the current folder: entering a folder
    does not install what is in it.
    """
    here = Path.cwd().resolve()
    path = [entry for entry in sys.path if Path(entry).resolve() != here]
    if not any(map(_may_list_layers, path)):
        return
    from importlib.metadata import distributions  # here, because it takes longer to import than most specs to compile

    for found in distributions(path=path):
        # Most have no layers, and need no parsing.
        if GROUP in (found.read_text("entry_points.txt") or ""):
            for entry in found.entry_points.select(group=GROUP):
                package = f"the package `{found.name}`"
                message = f"the layers of {package}, `{entry.value}`, cannot be loaded"
                with _loading(message, f"fix or uninstall {package}"):
                    entry.load()


def _may_list_layers(entry: str) -> bool:
    """Whether the metadata of a package in a folder of the import path contains the group's name. An archive may."""
    try:
        with os.scandir(entry or ".") as found:
            return any(GROUP in _entry_points(item.path) for item in found if item.name.endswith(_METADATA))
    except NotADirectoryError:
        return True
    except OSError:
        return False


def _entry_points(metadata: str) -> str:
    with suppress(OSError):
        return read_file(f"{metadata}/entry_points.txt").decode("utf-8", "replace")
    return ""


@contextmanager
def _loading(message: str, help: str) -> Iterator[None]:
    """Turns any error of an import into a :class:`RunError`, and removes the layers that it had added."""
    before = dict(LAYERS)
    try:
        yield
    except (Exception, SystemExit) as error:
        LAYERS.clear()
        LAYERS.update(before)
        missing = error.name if isinstance(error, ModuleNotFoundError) else ""
        note = f"there is no module `{missing}`" if missing else said(error)
        raise RunError(Code.PLUGIN, message, help, [note]) from error
