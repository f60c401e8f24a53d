"""The processes of a training, as torchrun starts them, or a single one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from cnndsl.diagnostics import Code, RunError

T = TypeVar("T")
#: How long a process waits for another before it assumes that it died.
PATIENCE = timedelta(seconds=50)


@dataclass(frozen=True)
class Ranks:
    """This process, ``rank`` of ``size``. ``control`` is a group on the CPU for short messages that do not stall an
    accelerator."""

    rank: int = 0
    size: int = 1
    control: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is true in any process."""
        if self.size == 1:
            return flag
        sent = torch.tensor(int(flag))
        dist.all_reduce(sent, dist.ReduceOp.MAX, group=self.control)
        return bool(sent.item())

    def add(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def share(self, made: Callable[[], T]) -> T:
        """The first process's ``made()``, in all processes."""
        if self.size == 1:
            return made()
        box = [made() if self.first else None]
        dist.broadcast_object_list(box, group=self.control)
        return cast(T, box[0])

    def wait(self) -> None:
        """Waits until all processes call it."""
        if self.size > 1:
            dist.barrier(group=self.control)

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Runs the first process before the others, so that downloads happen once."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def agree(self, what: str, text: str) -> None:
        """Raises :class:`RunError` unless all processes have the same ``text``."""
        if self.size == 1:
            return
        texts: list[str | None] = [None] * self.size
        dist.all_gather_object(texts, text, group=self.control)
        unlike = [rank for rank, other in enumerate(texts) if other != texts[0]]
        if unlike:
            ranks = ", ".join(map(str, unlike))
            message = f"{what} of rank {ranks} differs from that of rank 0"
            raise RunError(Code.RANKS, message, "all machines need the same files and the same command")


def local_rank() -> int:
    """The number of this process on its machine."""
    return int(os.environ.get("LOCAL_RANK", 0))


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """The processes that torchrun started, or this one alone.

    Errors caused by the end of another process become :class:`RunError`.
    """
    if "WORLD_SIZE" not in os.environ or "RANK" not in os.environ:
        yield Ranks()
        return
    try:
        backend = "nccl" if device.type == "cuda" else "gloo"
        store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
        # After a restart the store may still hold the addresses of dead processes.
        life = PrefixStore(f"life {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
        chosen = device if backend == "nccl" else None
        dist.init_process_group(backend, store=life, rank=rank, world_size=size, timeout=PATIENCE, device_id=chosen)
        control = cast(dist.ProcessGroup, dist.new_group(backend="gloo", timeout=PATIENCE))
        yield Ranks(dist.get_rank(), dist.get_world_size(), control)
    except RuntimeError as error:
        if is_of_others(error):
            raise _gone(error) from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def is_of_others(error: BaseException) -> bool:
    """Whether an error means that another process has ended, or does not answer."""
    # gloo raises a plain RuntimeError if a connection is closed or takes too long.
    words = ("onnect", "imed out", "gloo", "NCCL")
    return isinstance(error, dist.DistError) or (dist.is_initialized() and any(word in str(error) for word in words))


def _gone(error: Exception) -> RunError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    message = "another process of this training has ended, or does not answer"
    return RunError(Code.RANKS, message, "see its last output; --resume continues from the last checkpoint", lines[:1])
