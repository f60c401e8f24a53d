"""A training recipe: ``train``, checked and worked out."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.spec.calls import FunctionCall

PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. Calls hold the arguments that were given, by torch's names.

    ``batch_size`` counts the samples of one forward pass over all processes together. ``accumulate``
    batches go into one step of the optimizer. ``resize`` is the size of the images that the network
    is given: one number is the shorter side, cropped to a square; None leaves them as they are.
    ``freeze`` are modules, tensors, or patterns of their names, whose parameters are not trained.
    """

    dataset: FunctionCall
    epochs: int
    batch_size: int
    optimizer: FunctionCall
    loss: FunctionCall
    scheduler: FunctionCall | None = None
    resize: int | tuple[int, int] | None = None
    augment: tuple[FunctionCall, ...] = ()
    seed: int = 0
    precision: str = "fp32"
    compile: bool = False
    clip_grad_norm: float | None = None
    accumulate: int = 1
    freeze: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width that images are brought to, None where they stay as they are."""
        return (self.resize, self.resize) if isinstance(self.resize, int) else self.resize
