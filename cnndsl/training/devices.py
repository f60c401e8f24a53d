"""Devices and their settings."""

from __future__ import annotations

import os

import torch
from torch import nn

from cnndsl.diagnostics import Code, RunError
from cnndsl.training.ranks import local_rank

#: The most numbers that a CPU's vector register holds.
LANES = 16
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose(name: str | None = None) -> torch.device:
    """The device with that name, otherwise the accelerator that torch finds, otherwise the CPU.

    Under torchrun each process takes the accelerator of its own number. Raises :class:`RunError`.
    """
    present = torch.accelerator.current_accelerator(check_available=True)
    try:
        device = torch.device(name) if name else present or torch.device("cpu")
    except RuntimeError:
        raise RunError(Code.DEVICE, f"torch has no device `{name}`", "`cpu`, `cuda`, `cuda:1` or `mps`") from None
    if device.type == "cpu":
        return torch.device("cpu")
    if present is None or present.type != device.type:
        found = f"torch finds {present.type}" if present else "torch finds no accelerator"
        raise RunError(Code.DEVICE, f"there is no device `{device}` here: {found}", "`--device cpu`")
    count = torch.accelerator.device_count()
    index = device.index if device.index is not None else local_rank()
    if index >= count:
        message = f"there is no device `{device.type}:{index}`: this machine has {count}"
        raise RunError(Code.DEVICE, message, f"`torchrun --nproc-per-node={count}`" if device.index is None else "")
    torch.accelerator.set_device_index(index)
    return torch.device(device.type, index)


def choose_kernels(device: torch.device, deterministic: bool) -> None:
    """Makes torch use ``deterministic`` kernels, as far as it has them: the same inputs give the same bits, so a
    resumed run equals one that was never interrupted. Otherwise cuDNN tries its kernels, and the fastest are used.
    See https://docs.pytorch.org/docs/stable/notes/randomness.html."""
    if device.type == "cpu":
        return  # the layers of networks are repeatable there without settings
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.backends.cudnn.benchmark = not deterministic
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(deterministic, warn_only=True)


def exact_dtype(device: torch.device) -> torch.dtype:
    """The type of sums over many samples."""
    return torch.float32 if device.type == "mps" else torch.float64  # MPS has no float64


def memory_format(module: nn.Module, device: torch.device, precision: str) -> torch.memory_format:
    """Channels last if that is faster: for half precision on CUDA's tensor cores, and on the CPU, except for batch
    normalisation of few channels, which its kernel there vectorises over. See
    https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html."""
    if device.type == "cpu":
        norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
        fast = all(layer.num_features >= LANES for layer in norms)
    else:
        fast = device.type == "cuda" and precision != "fp32"
    return torch.channels_last if fast else torch.contiguous_format


def placed(module: nn.Module, device: torch.device, precision: str) -> nn.Module:
    """The module on a device, with the memory format that is fastest there."""
    shape = memory_format(module, device, precision)
    # Not `contiguous`: it takes weights for one channel to have the format already.
    return module.to(device).to(memory_format=shape)
