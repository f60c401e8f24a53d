"""Checkpoints: one file that holds a training, whole or not at all, and tells when it has been damaged.

A checkpoint is what ``torch.save`` writes, a zip archive, whose comment is the SHA-256 of all before it.
``torch.load`` reads it as any other. It holds tensors and plain values only.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from cnndsl.diagnostics import Code, RunError, shorten, unreadable
from cnndsl.layers import LAYERS
from cnndsl.plugins import load_installed
from cnndsl.training.progress import Progress
from cnndsl.writing import read_file, write_file

FORMAT = 1
#: A zip archive ends with the length of its comment, two bytes, and the comment.
_END = b"PK\x05\x06"
_MARK = b"sha256:"
_COMMENT = len(_MARK) + 64


@dataclass(frozen=True)
class Checkpoint:
    """``spec`` is the resolved spec, ``sample`` the shape of what its network is given, ``classes`` the
    labels' names. ``module`` is the state of what was tested: with ``ema`` the averaged weights, and then
    ``learner`` holds those that learn, beside the states of optimizer, scheduler and scaler. ``plugins`` are the
    modules that the network's own layers are of, by their names."""

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
    """Writes an encoded checkpoint; the one before goes to ``keep``. Raises :class:`RunError`."""
    try:
        write_file(path, data, keep=keep)
    except OSError as error:
        there = "; the previous checkpoint is intact" if path.exists() or (keep and keep.exists()) else ""
        help = "free some space, and continue with --resume" if there else ""
        raise RunError(Code.WRITE, f"{path} cannot be written: {error.strerror}{there}", help) from error


def load(path: Path) -> Checkpoint:
    """The checkpoint in a file. Raises :class:`RunError` for one that is not there, is damaged, or holds
    anything that is not plain data: nothing in it is ever executed."""
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
    """What a file is that does not end as a checkpoint does."""
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
    """Raises :class:`RunError` where a layer has not been brought in. A checkpoint may be a stranger's, so what it
    names is told, and never imported."""
    load_installed()
    for name, module in plugins.items():
        if name not in LAYERS:
            message = f"{path} was trained with the layer `{shorten(name)}` of `{shorten(module)}`, which is not loaded"
            help = f"if you trust it, load it: `--plugin {shorten(module)}`, or `import {shorten(module)}`"
            raise RunError(Code.PLUGIN, message, help)
