"""What the processes of a training send each other in a step, and how long it takes.

torchrun --standalone --nproc-per-node=2 benchmarks/exchange.py archs/resnet18.yaml 64 32
"""

# Without the annotations of `__future__`, which are text: DistributedDataParallel reads those of its hook.
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import cnndsl

STEPS = 9


@dataclass(frozen=True)
class Sent:
    """Bytes of gradients in a step, and the buckets that they are sent in."""

    gradients: int
    buckets: int


def gradient_bytes(module: nn.Module) -> int:
    """Bytes of the gradients: those of the parameters that are trained."""
    return sum(item.numel() * item.element_size() for item in module.parameters() if item.requires_grad)


def sent(module: nn.Module, images: Tensor, labels: Tensor) -> Sent:
    """What DistributedDataParallel sends in one step, counted by its communication hook. Needs a process group."""
    seen: list[int] = []

    def hook(state: None, bucket: dist.GradBucket) -> torch.futures.Future[Tensor]:
        seen.append(bucket.buffer().nbytes)
        done: torch.futures.Future[Tensor] = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    parallel = DistributedDataParallel(module)
    parallel.register_comm_hook(None, hook)
    # Buckets are rebuilt after the first step, in the order in which gradients become ready.
    for _ in range(2):
        seen.clear()
        cross_entropy(parallel(images), labels).backward()
    return Sent(sum(seen), len(seen))


def median_ms(work: Callable[[], object]) -> float:
    """Milliseconds, the median of some calls after one that is not counted."""
    took = []
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took[1:]) * 1e3


def step(parallel: DistributedDataParallel, images: Tensor, labels: Tensor, exchanges: bool) -> None:
    with nullcontext() if exchanges else parallel.no_sync():
        cross_entropy(parallel(images), labels).backward()
    parallel.zero_grad()


def main(spec: str, batch: int, size: int) -> None:
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    part = batch // dist.get_world_size()
    network = cnndsl.load(spec)
    (shape,) = network.graph.inputs.values()
    images = torch.rand(part, shape.shape.sample[0], size, size)
    labels = torch.randint(10, (part,))
    counted = sent(network.module(), images, labels)
    parallel = DistributedDataParallel(network.module())
    gradients, flag = torch.zeros(counted.gradients // 4), torch.zeros(1)
    figures = {
        "gradients": counted.gradients,
        "buckets": counted.buckets,
        "alone": median_ms(partial(step, parallel, images, labels, exchanges=False)),
        "together": median_ms(partial(step, parallel, images, labels, exchanges=True)),
        "exchange": median_ms(partial(dist.all_reduce, gradients)),
        "latency": median_ms(partial(dist.all_reduce, flag)),
    }
    if dist.get_rank() == 0:
        print(json.dumps(figures))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
