"""The samples of each batch: a function of seed and epoch alone, so it need not be saved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from cnndsl.recipe import Recipe
from cnndsl.training.data import Batch


@dataclass(frozen=True)
class Planned:
    """A batch of one process. ``steps``: the optimizer's step follows it. ``whole``: it has the full batch size."""

    batch: Batch
    steps: bool
    whole: bool


def derived(*parts: object) -> int:
    """A seed for the purpose that ``parts`` name."""
    digest = hashlib.sha256(repr(parts).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def least(batch_size: int, ranks: int) -> int:
    """The smallest batch that is trained on: two samples for each process, since batch normalisation cannot use one
    alone, or one if a whole batch has no more."""
    return min(2, batch_size // ranks) * ranks


def sizes(samples: int, batch_size: int, ranks: int) -> list[int]:
    """Samples of each batch of an epoch, over all processes. The last may be smaller; it is left out if it is smaller
    than :func:`least`."""
    full, rest = divmod(samples, batch_size)
    return [batch_size] * full + ([rest] if rest and rest >= least(batch_size, ranks) else [])


def steps_in_epoch(samples: int, recipe: Recipe, ranks: int) -> int:
    """The number of optimizer steps per epoch."""
    return -(-len(sizes(samples, recipe.batch_size, ranks)) // recipe.accumulate)


def epoch_plan(samples: int, recipe: Recipe, epoch: int, rank: int = 0, ranks: int = 1) -> list[Planned]:
    """The batches of an epoch for one process: each global batch is divided evenly."""
    generator = torch.Generator().manual_seed(derived(recipe.seed, "order", epoch))
    order = torch.randperm(samples, generator=generator)
    counts = sizes(samples, recipe.batch_size, ranks)
    planned = []
    for number, indices in enumerate(torch.split(order[: sum(counts)], counts)):
        batch = Batch(indices.tensor_split(ranks)[rank], derived(recipe.seed, "batch", epoch, number, rank))
        steps = (number + 1) % recipe.accumulate == 0 or number + 1 == len(counts)
        planned.append(Planned(batch, steps, whole=counts[number] == recipe.batch_size))
    return planned


def in_steps(planned: Sequence[Planned]) -> Iterator[list[Planned]]:
    """The batches of each optimizer step."""
    step = []
    for item in planned:
        step.append(item)
        if item.steps:
            yield step
            step = []


def evaluation_plan(samples: int, batch_size: int, rank: int = 0, ranks: int = 1) -> list[Batch]:
    """Every sample once, in order, over all processes."""
    mine = torch.arange(samples).tensor_split(ranks)[rank]
    return [Batch(indices, 0) for indices in torch.split(mine, batch_size) if len(indices)]
