"""What is to be imported, as people name it: ``package.module:Net``, ``net.py:Net``, ``timm:NAME``,
``torchvision:NAME``. Its code runs, because a person names it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cnndsl.diagnostics import Code, RunError, did_you_mean
from cnndsl.record import Record
from cnndsl.writing import SIGNATURE

if TYPE_CHECKING:
    from torch import nn

    from cnndsl.importing.tracing.arguments import Arguments

#: What ``--arg`` can name: a class or function, ``torch.nn:SiLU``.
NAMED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
#: Arguments by which networks ask for trained weights, and what asks for none.
UNTRAINED = {"pretrained": False, "weights": None, "weights_backbone": None}


class Target(Record, frozen=True, eq=False):
    """A class, a function that gives a module, or a module. ``sizes`` are heights and widths that fit it, if known."""

    text: str
    name: str
    made_by: Any
    fixed: Mapping[str, Any] = {}
    sizes: tuple[int, ...] = ()


class Built(Record, frozen=True, eq=False):
    """A module, and the arguments of each ``__init__`` that ran to make it. ``given`` are those of the target."""

    module: Any
    arguments: Arguments
    target: Target
    given: Mapping[str, Any] = {}

    def again(self, values: Mapping[str, Any]) -> nn.Module:
        """The module with other values of arguments, without values of its own if its code runs without them. Raises
        :class:`RunError` if it does not take them."""
        return build(self.target, {**self.given, **values}, "meta").module  # type: ignore[no-any-return]


def find(text: str) -> Target:
    """Raises :class:`RunError` with ``Code.TARGET``."""
    source, colon, name = _split(text)
    if colon and source in ("timm", "torchvision") and (found := SHORT[source](text, name)):
        return found
    module = _module(text, source)
    if not name:
        name = _only_class(text, module)
    return Target(text, name.rpartition(".")[2], _attribute(text, module, name))


def build(target: Target, arguments: Mapping[str, Any] | None = None, device: str = "cpu") -> Built:
    """Makes the module, on "meta" without values, if its code runs without them. Raises :class:`RunError` for arguments
    that it does not take, and for what its code raises."""
    import torch
    from torch import nn

    from cnndsl.importing.ready import unwrapped
    from cnndsl.importing.tracing.arguments import kept_arguments

    given = {**target.fixed, **(arguments or {})}
    if isinstance(target.made_by, nn.Module):
        if given:
            raise RunError(Code.TARGET, f"`{target.text}` is a module, which takes no arguments")
        return Built(unwrapped(target.made_by), {}, target)
    _check_arguments(target, given)
    with kept_arguments() as kept, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _running(f"`{target.text}`"), torch.device(device) if device != "cpu" else nullcontext():
                module = target.made_by(**given)
        except RunError:
            if device == "cpu":
                raise
            return build(target, arguments)
    if not isinstance(module, nn.Module):
        raise RunError(Code.TARGET, f"`{target.text}` gives {_kind(module)}, not an `nn.Module`", _first_of(module))
    return Built(unwrapped(module), kept, target, dict(arguments or {}))


def argument(text: str) -> tuple[str, Any]:
    """Of ``--arg name=value``: a YAML value, or the class or function that ``torch.nn:SiLU`` names. Raises
    :class:`RunError`."""
    import yaml

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise RunError(Code.TARGET, f"`{text}` is not an argument", "write `name=value`")
    try:
        parsed = yaml.safe_load(value) if value.strip() else value
    except yaml.YAMLError as error:
        raise RunError(Code.TARGET, f"the value of `{name}` is not YAML: `{value}`", "quote it") from error
    return name, _named(parsed)


def _named(value: Any) -> Any:
    if isinstance(value, list):
        return [_named(item) for item in value]
    if isinstance(value, str) and NAMED.fullmatch(value):
        source, _, name = value.partition(":")
        return _attribute(value, _module(value, source), name)
    return value


# Where a target is


def _split(text: str) -> tuple[str, str, str]:
    """A colon may be part of a file's path."""
    if _is_file(text):
        return text, "", ""
    source, colon, name = text.rpartition(":")
    return (source, colon, name) if colon else (text, "", "")


def _module(text: str, source: str) -> ModuleType:
    if source.endswith(".py") or _is_file(source):
        path = Path(source)
        if not _is_file(source):
            raise RunError(Code.TARGET, f"there is no file `{source}`", did_you_mean(path.name, _neighbours(path)))
        return _from_file(path.resolve())
    if not source or not all(part.isidentifier() for part in source.split(".")):
        help = "write `package.module:Net`, `net.py:Net`, `timm:NAME` or `torchvision:NAME`"
        raise RunError(Code.TARGET, f"`{text}` is not a target", help)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)  # as for `python -m`
    with _running(f"`{source}`", source):
        return importlib.import_module(source)


def _is_file(path: str) -> bool:
    with suppress(OSError, ValueError):  # a name that no file can have
        return Path(path).is_file()
    return False


def _neighbours(path: Path) -> list[str]:
    with suppress(OSError):
        return [near.name for near in path.parent.glob("*.py")]
    return []


def _from_file(path: Path) -> ModuleType:
    """Imports a file: as a module of its package if it is in one, so that it can import its neighbours relatively, and
    else under a name that no module has, with its folder on the path, as Python does for a script."""
    folder, names = path.parent, [path.stem]
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        names.insert(0, folder.name)
        folder = folder.parent
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    with _running(f"`{path.name}`"):
        if len(names) > 1:
            return importlib.import_module(".".join(names))
        name = f"_imported_{path.stem}_{abs(hash(str(path)))}"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec and spec.loader
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def _attribute(text: str, module: ModuleType, name: str) -> Any:
    value: Any = module
    for part in name.split("."):
        if not hasattr(value, part):
            where = f"`{getattr(value, '__name__', part)}`" if value is not module else _file_or_name(module)
            help = did_you_mean(part, _names(value)) or _classes_help(text, module)
            raise RunError(Code.TARGET, f"{where} has no `{part}`", help)
        value = getattr(value, part)
    from torch import nn

    if not callable(value) and not isinstance(value, nn.Module):
        raise RunError(Code.TARGET, f"`{text}` is {_kind(value)}, not a class, a function or a module")
    return value


def _file_or_name(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"`{Path(file).name}`" if file and module.__name__.startswith("_imported_") else f"`{module.__name__}`"


def _names(value: Any) -> list[str]:
    return [name for name in dir(value) if not name.startswith("_")]


def _classes(module: ModuleType) -> list[str]:
    """The classes of modules that a Python module defines itself."""
    from torch import nn

    return [
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, nn.Module) and value.__module__ == module.__name__
    ]


def _classes_help(text: str, module: ModuleType) -> str:
    source = text.partition(":")[0]
    names = [f"`{source}:{name}`" for name in _classes(module)[:10]]
    return f"name one of its modules: {', '.join(names)}" if names else ""


def _is_emitted(module: ModuleType) -> bool:
    """Whether cnndsl wrote the file, in which the network comes after all its parts."""
    file = getattr(module, "__file__", None)
    with suppress(OSError):
        return file is not None and Path(file).read_bytes().startswith(b"# " + SIGNATURE)
    return False


def _only_class(text: str, module: ModuleType) -> str:
    classes = _classes(module)
    if len(classes) == 1 or (classes and _is_emitted(module)):
        return classes[-1]
    if not classes:
        help = f"write `{text}:NAME` for a function that gives a module"
        raise RunError(Code.TARGET, f"`{text}` defines no class of modules", help)
    message = f"`{text}` defines {len(classes)} classes of modules"
    raise RunError(Code.TARGET, message, _classes_help(text, module))


# Short forms


def _timm(text: str, name: str) -> Target:
    timm = _package(text, "timm")
    if not timm.is_model(name):
        raise RunError(Code.TARGET, f"timm has no model `{name}`", did_you_mean(name, timm.list_models()))

    def create(**arguments: Any) -> Any:
        return timm.create_model(name, **arguments)

    return Target(text, name.partition(".")[0], create, {"pretrained": False})


def _torchvision(text: str, name: str) -> Target | None:
    models = _package(text, "torchvision").models
    if name.lower() not in models.list_models():
        if hasattr(sys.modules["torchvision"], name.partition(".")[0]):
            return None
        raise RunError(Code.TARGET, f"torchvision has no model `{name}`", did_you_mean(name, models.list_models()))
    builder = models.get_model_builder(name)
    takes = inspect.signature(builder).parameters
    fixed = {argument: value for argument, value in UNTRAINED.items() if argument in takes}
    return Target(text, name, builder, fixed, _crop(models, name))


def _crop(models: Any, name: str) -> tuple[int, ...]:
    """The size of the images on which torchvision trained the network."""
    for weights in models.get_model_weights(name):
        crop = getattr(weights.transforms(), "crop_size", None)
        return tuple(crop) if isinstance(crop, (list, tuple)) else ()
    return ()


SHORT: dict[str, Callable[[str, str], Target | None]] = {"timm": _timm, "torchvision": _torchvision}


def _package(text: str, name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RunError(Code.TARGET, f"`{text}` needs {name}, which is not installed", f"pip install {name}") from error


# Running their code


@contextmanager
def _running(what: str, module: str = "") -> Iterator[None]:
    """Tells what somebody's code raises, with its line; ``module`` is what it imports. What it prints is no spec."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except RunError:
        raise
    except (Exception, SystemExit) as error:
        from cnndsl.importing.tracing.places import place_of_error

        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module}.".startswith(f"{missing}."):
            help = "it must be importable, or be in the current folder"
            raise RunError(Code.TARGET, f"there is no module `{missing}`", help) from error
        place = place_of_error(error.__traceback__)
        at = [f"at {place.file}:{place.line}"] if place else []
        raise RunError(Code.TARGET, f"{what} raises {type(error).__name__}: {error}", "", at) from error


def _check_arguments(target: Target, given: Mapping[str, Any]) -> None:
    """Before the code runs, whose error would not name the option."""
    try:
        parameters = inspect.signature(target.made_by).parameters
    except (TypeError, ValueError):
        return
    if not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        for name in given:
            if name not in parameters:
                help = did_you_mean(name, list(parameters)) or f"it takes {', '.join(parameters) or 'none'}"
                raise RunError(Code.TARGET, f"`{target.text}` has no argument `{name}`", help)
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    missing = [n for n, p in parameters.items() if p.kind in kinds and p.default is p.empty and n not in given]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        options = " ".join(f"--arg {name}=VALUE" for name in missing)
        help = f"write {options}, or name a function that makes the module with it"
        raise RunError(Code.TARGET, f"`{target.text}` needs a value for {names}", help)


def _kind(value: Any) -> str:
    return f"a `{type(value).__name__}`"


def _first_of(value: Any) -> str:
    from torch import nn

    if isinstance(value, (tuple, list)) and any(isinstance(item, nn.Module) for item in value):
        return "write a function that gives one module"
    return ""
