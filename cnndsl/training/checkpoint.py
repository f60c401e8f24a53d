"""Checkpoints: one file with the state of a training. It is written completely or not at all, and damage is detected.

A checkpoint is a zip archive, as ``torch.save`` writes it, whose comment is the SHA-256 of everything before it.
``torch.load`` reads it like any other. It holds only tensors and plain values.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cnndsl.diagnostics import Code, RunError, shorten, unreadable
from cnndsl.layers import LAYERS
from cnndsl.plugins import load_installed
from cnndsl.training.progress import Progress
from cnndsl.training.run_folder import BEST, CHECKPOINTS, RunFolder
from cnndsl.writing import read_file, write_file

FORMAT = 1
#: A zip archive ends with the length of its comment in two bytes, and the comment.
_END = b"PK\x05\x06"
_MARK = b"sha256:"
_COMMENT = len(_MARK) + 64


@dataclass(frozen=True)
class Checkpoint:
    """``spec`` is the resolved spec, ``sample`` the shape of the network's input without the batch, ``classes`` the
    labels' names. ``module`` is the state of the module that was tested: with ``ema`` it has the averaged weights, and
    ``learner`` holds those in training, beside the states of optimizer, scheduler and scaler. ``plugins`` maps the
    names of the user's own layers to their modules."""

    spec: str = field(repr=False)
    sample: tuple[int, ...]
    classes: tuple[str, ...] = field(repr=False)
    module: Mapping[str, torch.Tensor] = field(repr=False)
    learner: Mapping[str, Any] = field(repr=False)
    progress: Progress
    versions: Mapping[str, str]
    plugins: Mapping[str, str] = field(default_factory=dict)


def encode(checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint's file."""
    content = {
        "format": FORMAT,
        "spec": checkpoint.spec,
        "sample": list(checkpoint.sample),
        "classes": list(checkpoint.classes),
        "module": dict(checkpoint.module),
        "learner": dict(checkpoint.learner),
        "progress": checkpoint.progress.as_dict(),
        "versions": dict(checkpoint.versions),
        "plugins": dict(checkpoint.plugins),
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    saved = buffer.getbuffer()
    assert bytes(saved[-22:-18]) == _END and bytes(saved[-2:]) == b"\0\0"
    body = b"".join((saved[:-2], _COMMENT.to_bytes(2, "little")))
    return b"".join((body, _MARK, hashlib.sha256(body).hexdigest().encode()))


def save(path: Path, data: bytes, *, keep: Path | None = None) -> None:
    """Writes an encoded checkpoint, and moves the previous one to ``keep``. Raises :class:`RunError`."""
    try:
        write_file(path, data, keep=keep)
    except OSError as error:
        there = "; the previous checkpoint is intact" if path.exists() or (keep and keep.exists()) else ""
        help = "free some space, and continue with --resume" if there else ""
        raise RunError(Code.WRITE, f"{path} cannot be written: {error.strerror}{there}", help) from error


def load(path: Path) -> Checkpoint:
    """The checkpoint in a file. Raises :class:`RunError` if it is missing, is damaged, or holds anything but plain
    data: nothing in it is ever executed."""
    try:
        data = read_file(path)
    except OSError as error:
        raise RunError(Code.CHECKPOINT, f"{path} {unreadable(error)}") from None
    body, comment = data[:-_COMMENT], data[-_COMMENT:]
    if not comment.startswith(_MARK):
        raise RunError(Code.CHECKPOINT, f"{path} is {_kind(data)}")
    if hashlib.sha256(body).hexdigest().encode() != comment[len(_MARK) :]:
        raise RunError(Code.CHECKPOINT, f"{path} has changed since it was written: its checksum differs")
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        message = f"{path} holds more than tensors and plain values; nothing in it was run"
        raise RunError(Code.CHECKPOINT, message, notes=[str(error).splitlines()[0]]) from None
    return _checkpoint(path, content)


def _kind(data: bytes) -> str:
    """A description of a file that does not end like a checkpoint."""
    if not data:
        return "empty"
    return "cut off, or not a checkpoint of cnndsl" if data.startswith(b"PK") else "not a checkpoint"


def _checkpoint(path: Path, content: Any) -> Checkpoint:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format") if isinstance(content, dict) else None
        raise RunError(Code.CHECKPOINT, f"{path} has the format {found}, this version reads {FORMAT}")
    plugins = content.get("plugins", {})
    _check_plugins(path, plugins)
    return Checkpoint(
        content["spec"],
        tuple(content["sample"]),
        tuple(content["classes"]),
        content["module"],
        content["learner"],
        Progress.from_dict(content["progress"]),
        content["versions"],
        plugins,
    )


def _check_plugins(path: Path, plugins: Mapping[str, str]) -> None:
    """Raises :class:`RunError` if a layer is not loaded. A checkpoint may come from a stranger, so the modules that it
    names are reported and never imported."""
    load_installed()
    for name, module in plugins.items():
        if name not in LAYERS:
            message = f"{path} was trained with the layer `{shorten(name)}` of `{shorten(module)}`, which is not loaded"
            help = f"if you trust it, load it: `--plugin {shorten(module)}`, or `import {shorten(module)}`"
            raise RunError(Code.PLUGIN, message, help)


class OlderCheckpoint(UserWarning):
    """A checkpoint cannot be loaded, and the one before it is used."""


def checkpoint_of(run: RunFolder, which: str = "best") -> Checkpoint:
    """The checkpoint of a run with the best test accuracy, or the last, also if there is no best one yet.

    Raises :class:`RunError` if none can be loaded.
    """
    if run.path.is_file():
        return load(run.path)
    names = CHECKPOINTS[which] if which == "last" or (run.path / BEST).exists() else CHECKPOINTS["last"]
    present = [run.path / name for name in names if (run.path / name).exists()]
    if not present:
        raise RunError(Code.CHECKPOINT, f"{run.path} has no checkpoint", "`cnndsl runs` lists the runs")
    errors = []
    for path in present:
        try:
            found = load(path)
        except RunError as error:
            errors.append(error)
            continue
        if errors:
            warnings.warn(f"{errors[0].diagnostic.message}; using {path.name}", OlderCheckpoint, stacklevel=3)
        return found
    raise errors[0]
