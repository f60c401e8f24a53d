"""Where weights come from: safetensors, files of ``torch.save``, torchvision, or a mapping of tensors.

Nothing in a file is ever executed: torch files are read with ``weights_only``.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from cnndsl.diagnostics import Code, RunError, did_you_mean, nearest, shorten, unreadable

#: What marks torchvision's own weights: ``torchvision:IMAGENET1K_V1``, or with the model that they are of.
TORCHVISION = "torchvision:"
#: Under which keys training scripts put the state of a module, ours among them.
_KEYS = ("state_dict", "model_state_dict", "model", "module")


@dataclass(frozen=True)
class Weights:
    """Tensors by their names, and where they come from."""

    origin: str
    tensors: Mapping[str, Tensor] = field(repr=False)


def read_weights(source: str | Path | Mapping[str, Tensor], network: str) -> Weights:
    """The tensors of a ``.safetensors`` or torch file, of ``torchvision:WEIGHTS`` or ``torchvision:MODEL/WEIGHTS``,
    or of a ``state_dict``. ``network`` is the model of torchvision's where none is named.

    Raises :class:`RunError` where there are none to read.
    """
    if isinstance(source, Mapping):
        return Weights("the given state", source)
    if str(source).startswith(TORCHVISION):
        return _of_torchvision(str(source), network)
    path = Path(source)
    try:
        if path.suffix == ".safetensors":
            return Weights(str(path), _of_safetensors(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise RunError(Code.WEIGHTS, f"{path} {unreadable(error)}") from None
    except pickle.UnpicklingError as error:
        message = f"{path} is no file of weights, or holds more than tensors and plain values; nothing in it is run"
        raise RunError(Code.WEIGHTS, message, notes=[str(error).splitlines()[0]]) from None
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise RunError(Code.WEIGHTS, f"{path} is damaged, or no file of weights", notes=[str(error)[:200]]) from None
    return Weights(str(path), _state(path, content))


def _of_safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise RunError(Code.WEIGHTS, f"{path} is damaged, or no safetensors file", notes=[str(error)]) from None


def _of_torchvision(source: str, network: str) -> Weights:
    import torchvision

    model, slash, name = source.removeprefix(TORCHVISION).rpartition("/")
    model = model if slash else network
    models = torchvision.models.list_models(module=torchvision.models)
    if model not in models:
        message = f"torchvision has no model `{shorten(model)}`"
        help = f"`{TORCHVISION}{nearest(model, models) or 'MODEL'}/{name}` names another"
        raise RunError(Code.WEIGHTS, message, help)
    choices = torchvision.models.get_model_weights(model)
    known = {found.name: found for found in choices}
    if name not in known and name != "DEFAULT":
        message = f"torchvision has no weights `{shorten(name)}` of {model}"
        raise RunError(Code.WEIGHTS, message, did_you_mean(name, known) or f"there are {', '.join(known)}")
    weights = known.get(name) or choices.DEFAULT
    try:
        return Weights(f"{weights}", weights.get_state_dict(progress=False, check_hash=True))
    except (OSError, RuntimeError) as error:
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        help = f"download {weights.url} elsewhere, and put it into {cache} or give its path"
        raise RunError(Code.WEIGHTS, f"{weights} cannot be downloaded: {error}", help) from None


def _state(path: Path, content: object) -> Mapping[str, Tensor]:
    """The tensors in what a file holds: a state, or one among other things, as training scripts save it."""
    for key in _KEYS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise RunError(Code.WEIGHTS, f"{path} holds no state of a module: names with tensors")
    wrapped = content and all(str(name).startswith("module.") for name in content)  # by DistributedDataParallel
    return {str(name).removeprefix("module.") if wrapped else str(name): value for name, value in content.items()}
