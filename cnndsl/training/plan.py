"""Which samples make which batch: a function of seed and epoch alone, so that it needn't be kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cnndsl.recipe import Recipe
from cnndsl.training.data import Batch


@dataclass(frozen=True)
class Planned:
    """A batch of one process. ``share`` is what its mean gradient counts in the optimizer's step, over
    the mean of all processes; ``steps`` tells that the step follows this batch, ``whole`` that it is as
    large as a batch should be."""

    batch: Batch
    share: float
    steps: bool
    whole: bool


def derived(*parts: object) -> int:
    """A seed for one purpose, told apart from all others by ``parts``."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def sizes(samples: int, batch_size: int, ranks: int) -> list[int]:
    """Samples of each batch of an epoch, over all processes. The last may be smaller; it is left out
    where a process would get less than two, of which batch normalisation can make nothing."""
    full, rest = divmod(samples, batch_size)
    least = min(2, batch_size // ranks) * ranks
    return [batch_size] * full + ([rest] if rest >= max(least, 1) else [])


def steps_in_epoch(samples: int, recipe: Recipe, ranks: int) -> int:
    """How often the optimizer steps."""
    return -(-len(sizes(samples, recipe.batch_size, ranks)) // recipe.accumulate)


def epoch_plan(samples: int, recipe: Recipe, epoch: int, rank: int = 0, ranks: int = 1) -> list[Planned]:
    """The batches of an epoch for one of the processes: each global batch is dealt out evenly."""
    generator = torch.Generator().manual_seed(derived(recipe.seed, "order", epoch))
    order = torch.randperm(samples, generator=generator)
    counts = sizes(samples, recipe.batch_size, ranks)
    planned = []
    for number, indices in enumerate(torch.split(order[: sum(counts)], counts)):
        first = number - number % recipe.accumulate
        group = counts[first : first + recipe.accumulate]
        mine = indices.tensor_split(ranks)[rank]
        batch = Batch(mine, derived(recipe.seed, "batch", epoch, number, rank))
        share = len(mine) * ranks / sum(group)
        steps = number == first + len(group) - 1
        planned.append(Planned(batch, share, steps, whole=counts[number] == recipe.batch_size))
    return planned


def evaluation_plan(samples: int, batch_size: int, rank: int = 0, ranks: int = 1) -> list[Batch]:
    """Every sample once, in order, over all processes."""
    mine = torch.arange(samples).tensor_split(ranks)[rank]
    return [Batch(indices, 0) for indices in torch.split(mine, batch_size) if len(indices)]


def seeded(planned: Sequence[Planned]) -> Iterator[Planned]:
    """Each batch, with torch's own generators seeded for what its step draws, such as dropout."""
    for item in planned:
        torch.manual_seed(item.batch.seed)
        yield item
