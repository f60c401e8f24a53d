"""Reads weights: safetensors, files of ``torch.save``, torchvision's, or a mapping of tensors.

Nothing in a file is ever executed: torch files are read with ``weights_only``.
"""

from __future__ import annotations

import argparse
import pickle
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnndsl.diagnostics import Code, FileError, RunError, cause, did_you_mean, nearest, shorten, unreadable
from cnndsl.writing import read_file

#: Marks torchvision's own weights: ``torchvision:IMAGENET1K_V1``, or ``torchvision:MODEL/WEIGHTS``.
TORCHVISION = "torchvision:"
#: Modules that torchvision's networks have for training only; torchvision drops them if they are not wanted.
_HEADS = {
    "googlenet": ("aux1.", "aux2."),
    "inception_v3": ("AuxLogits.",),
    **dict.fromkeys(("fcn_resnet50", "fcn_resnet101"), ("aux_classifier.",)),
    **dict.fromkeys(
        ("deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large"), ("aux_classifier.",)
    ),
}
#: Keys under which training scripts save the state of a module; the first one found is used.
_KEYS = (
    "state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights", "params",
    "ema", "model_ema", "ema_model", "ema_state_dict", "state_dict_ema", "params_ema",
)  # fmt: skip
#: The first bytes of a file of `torch.save`.
_SAVED = (b"PK", b"\x80")
#: How deeply a state may be nested in a file.
_DEPTH = 2


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and their origin. ``notes`` give which of several states was used. ``own``: the names are the
    network's own, as in a run. ``spare`` are prefixes of names that a network may lack."""

    origin: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    notes: tuple[str, ...] = ()
    own: bool = False
    spare: tuple[str, ...] = ()


def read_weights(source: object, network: str) -> Weights:
    """The tensors of a ``.safetensors`` or torch file, of ``torchvision:WEIGHTS`` or ``torchvision:MODEL/WEIGHTS``,
    or of a ``state_dict``. ``network`` is torchvision's model if none is named.

    ``FILE#KEY`` is one of several states in a file. Raises :class:`RunError` if there is nothing to read.
    """
    if isinstance(source, Mapping):
        return _state("the given state", source)
    if not isinstance(source, (str, Path)):
        message = f"weights must be a file or a `state_dict`, got an object of class `{type(source).__name__}`"
        help = (
            "pass its `state_dict()`"
            if isinstance(source, nn.Module)
            else "pass a path, or a dict of names and tensors"
        )
        raise RunError(Code.WEIGHTS, message, help)
    if str(source).startswith(TORCHVISION):
        return _of_torchvision(str(source), network)
    path, key = Path(source), ""
    if "#" in path.name and not path.exists():
        name, _, key = str(source).rpartition("#")
        path = Path(name)
    _check_is_file(path)
    if path.suffix == ".safetensors":
        return Weights(str(path), _of_safetensors(path))
    return _state(str(path), _of_torch(path), key)


def _check_is_file(path: Path) -> None:
    """Raises :class:`RunError` for a path that is not a regular file: opening a pipe would wait for its other end."""
    try:
        if not path.exists() or path.is_file():
            return
    except OSError as error:
        raise FileError(Code.WEIGHTS, f"{path} {unreadable(error)}") from None
    checkpoints = [str(found) for found in (path / "best.pt", path / "last.pt") if found.is_file()]
    what = "a folder" if path.is_dir() else "not a regular file"
    raise FileError(Code.WEIGHTS, f"{path} is {what}", f"use `{checkpoints[0]}`" if checkpoints else "")


def _check_is_saved(path: Path) -> None:
    """Raises :class:`RunError` for a file that ``torch.save`` has not written: that is a zip archive, or in older
    versions a pickle."""
    try:
        start = read_file(path, 8)
    except (OSError, ValueError) as error:
        raise FileError(Code.WEIGHTS, f"{path} {unreadable(error)}") from None
    if start.startswith(_SAVED):
        return
    if not start:
        raise RunError(Code.WEIGHTS, f"{path} is empty")
    help = "weights are a file of `torch.save`, or one of safetensors whose name ends in `.safetensors`"
    raise RunError(Code.WEIGHTS, f"{path} is not a weights file", help)


def _of_torch(path: Path) -> object:
    _check_is_saved(path)
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # a plain record, which many scripts also save
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FileError(Code.WEIGHTS, f"{path} {unreadable(error)}") from None
    except pickle.UnpicklingError as error:
        message = f"{path} is not a weights file, or holds more than tensors and plain values; none of it was run"
        help = "if you trust it, load it in Python with `weights_only=False`, and save only its `state_dict`"
        refused = re.search(r"GLOBAL (\S+)", str(error))
        note = f"it needs `{shorten(refused[1])}`" if refused else str(error).splitlines()[0]
        raise RunError(Code.WEIGHTS, message, help, [note]) from None
    except Exception as error:  # for a damaged file, torch may raise anything
        raise RunError(Code.WEIGHTS, f"{path} is damaged, or not a weights file", notes=[str(error)[:200]]) from None


def _of_safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise FileError(Code.WEIGHTS, f"{path} {unreadable(error)}") from None
    except SafetensorError as error:
        raise RunError(Code.WEIGHTS, f"{path} is damaged, or not a safetensors file", notes=[str(error)]) from None


def _of_torchvision(source: str, network: str) -> Weights:
    import torchvision

    model, slash, name = source.removeprefix(TORCHVISION).rpartition("/")
    model = model if slash else network
    kinds = (torchvision.models, torchvision.models.segmentation, torchvision.models.detection)
    models = [name for kind in kinds for name in torchvision.models.list_models(module=kind)]
    if model not in models:
        message = f"torchvision has no model `{shorten(model)}`"
        help = f"name a model, as in `{TORCHVISION}{nearest(model, models) or 'MODEL'}/{name}`"
        raise RunError(Code.WEIGHTS, message, help)
    choices = torchvision.models.get_model_weights(model)
    known = {found.name: found for found in choices}
    if name not in known and name != "DEFAULT":
        message = f"torchvision has no weights `{shorten(name)}` for {model}"
        raise RunError(Code.WEIGHTS, message, did_you_mean(name, known) or f"there are {', '.join(known)}")
    weights = known.get(name) or choices.DEFAULT
    try:
        state = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        help = f"download {weights.url} yourself, and put it into {cache} or give its path"
        raise RunError(Code.WEIGHTS, f"{weights} cannot be downloaded: {cause(error)}", help) from None
    return Weights(f"{weights}", state, spare=_HEADS.get(model, ()))


# --- states in the content of a file -----------------------------------------------------------------------


def _state(origin: str, content: object, key: str = "") -> Weights:
    """The tensors in the content of a file: a state, or one among other things, as training scripts save it."""
    states = dict(_states(content))
    if key and key not in states:
        listed = ", ".join(f"`{shorten(name)}`" for name in sorted(states, key=_rank) if name) or "none"
        raise RunError(Code.WEIGHTS, f"{origin} has no state `{shorten(key)}`", f"there are {listed}")
    if not states:
        raise RunError(
            Code.WEIGHTS, f"{origin} has no `state_dict`, a mapping from names to tensors", _why_not(content)
        )
    ranked = sorted(states, key=_rank)
    if not key and len(states) > 1 and _rank(ranked[0])[0] == len(_KEYS):
        listed = ", ".join(f"`{shorten(name)}`" for name in ranked)
        help = f"choose one, such as `{origin}#{shorten(ranked[0])}`"
        raise RunError(Code.WEIGHTS, f"{origin} has the states of several modules: {listed}", help)
    taken = key or ranked[0]
    others = ", ".join(f"`{shorten(name)}`" for name in ranked if name != taken)
    notes = (f"from its `{shorten(taken)}`" + (f", not its {others}" if others else ""),) if taken else ()
    of_run = taken == "module" and isinstance(content, Mapping) and isinstance(content.get("spec"), str)
    return Weights(origin, states[taken], notes, of_run)


def _states(content: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, Mapping[str, Tensor]]]:
    """The states in the content of a file, each with its path, ``"model"`` or ``"ema.module"``."""
    if not isinstance(content, Mapping) or not content:
        return
    if all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        yield path, content
    elif depth < _DEPTH:
        for name, value in content.items():
            if isinstance(name, str):
                yield from _states(value, f"{path}.{name}" if path else name, depth + 1)


def _rank(path: str) -> list[int]:
    return [_KEYS.index(name) if name in _KEYS else len(_KEYS) for name in path.split(".")]


def _why_not(content: Any) -> str:
    """Why content has no state."""
    if not isinstance(content, Mapping):
        return f"it holds an object of class `{type(content).__name__}`"
    for name, value in content.items():
        if not isinstance(name, str):
            return f"the name `{shorten(repr(name))}` is not a string"
        if not isinstance(value, Tensor) and any(isinstance(other, Tensor) for other in content.values()):
            return f"`{shorten(name)}` is not a tensor, but an object of class `{type(value).__name__}`"
    return f"it has {', '.join(f'`{shorten(name)}`' for name in [*content][:8])}" if content else "it is empty"
