"""A training recipe: ``train``, checked and evaluated."""

from __future__ import annotations

from cnndsl.record import Record
from cnndsl.spec.calls import FunctionCall
from cnndsl.spec.recipe_keys import EARLY_STOPPING, KEYS


class EarlyStopping(Record, frozen=True):
    """Ends training before its last epoch if the figure ``monitor`` has not improved by more than ``min_delta``
    for ``patience`` epochs. ``mode`` is the direction of improvement; ``auto`` takes it from the figure's name. The
    names are those of Keras and Lightning."""

    monitor: str = EARLY_STOPPING.arguments["monitor"].default
    patience: int = EARLY_STOPPING.arguments["patience"].default
    min_delta: float = EARLY_STOPPING.arguments["min_delta"].default
    mode: str = EARLY_STOPPING.arguments["mode"].default

    @property
    def rising(self) -> bool:
        """Whether higher is better."""
        return self.mode == "max" or (self.mode == "auto" and self.monitor.endswith("acc"))

    def improves(self, value: float, best: float) -> bool:
        """Whether ``value`` is better than ``best``. NaN never is."""
        return value > best + self.min_delta if self.rising else value < best - self.min_delta


class Recipe(Record, frozen=True):
    """How a network is trained. Calls hold the given arguments by torch's names.

    ``batch_size`` counts the samples of one forward pass over all processes together. ``accumulate``
    batches go into one step of the optimizer. ``resize`` is the size of the network's input images:
    one number is the shorter side, cropped to a square; None leaves them as they are.
    ``freeze`` are modules, tensors, or patterns of their names, whose parameters are not trained.
    ``ema`` is the decay of an exponential moving average of the weights; the average is then tested and saved.
    """

    dataset: FunctionCall
    epochs: int
    batch_size: int
    optimizer: FunctionCall
    loss: FunctionCall
    scheduler: FunctionCall | None = KEYS["scheduler"].default
    resize: int | tuple[int, int] | None = KEYS["resize"].default
    augment: tuple[FunctionCall, ...] = KEYS["augment"].default
    seed: int = KEYS["seed"].default
    precision: str = KEYS["precision"].default
    compile: bool = KEYS["compile"].default
    cuda_graph: bool = KEYS["cuda_graph"].default
    deterministic: bool = KEYS["deterministic"].default
    clip_grad_norm: float | None = KEYS["clip_grad_norm"].default
    accumulate: int = KEYS["accumulate"].default
    freeze: tuple[str, ...] = KEYS["freeze"].default
    ema: float | None = KEYS["ema"].default
    early_stopping: EarlyStopping | None = KEYS["early_stopping"].default

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width to which images are resized, None if they stay as they are."""
        return (self.resize, self.resize) if isinstance(self.resize, int) else self.resize
