"""Classifies pictures with a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from cnndsl.training import devices
from cnndsl.training.data import prepare_image
from cnndsl.training.evaluate import named
from cnndsl.training.failures import explained
from cnndsl.training.trained import Trained


@dataclass(frozen=True)
class Guess:
    """A class with its probability, or with its share of the picture's pixels."""

    name: str
    label: int
    probability: float


@dataclass(frozen=True, repr=False)
class Prediction:
    """The classes of a picture, the most probable first. ``pixels``: the network classifies each pixel."""

    path: Path
    guesses: tuple[Guess, ...]
    pixels: bool

    def __repr__(self) -> str:
        best = self.guesses[0]
        return f"<Prediction {self.path}: {best.name} {best.probability:.4f}>"


class Predictor:
    """A trained network on a device, by default the one that torch finds."""

    def __init__(self, trained: Trained, device_name: str | None = None) -> None:
        self.trained = trained
        self.device = devices.choose(device_name)
        self.module = trained.module(self.device)

    def __call__(self, picture: Path) -> Prediction:
        """All classes of a picture file. It is prepared like a test sample; probabilities are the softmax of the
        network's scores. Raises :class:`RunError` for a file that cannot be read as a picture."""
        image = prepare_image(picture, self.trained.recipe, self.trained.shapes[0]).to(self.device)
        with explained(self.device, self.module), torch.inference_mode():
            scores = self.module(image)[0].float().cpu()
        return Prediction(picture, _guesses(self.trained, scores), pixels=scores.dim() > 1)


def _guesses(trained: Trained, scores: torch.Tensor) -> tuple[Guess, ...]:
    """``scores`` (C,), or (C, H, W), of one picture."""
    if scores.dim() == 1:
        shares = scores.softmax(0)
    else:
        shares = torch.bincount(scores.argmax(0).flatten(), minlength=len(scores)) / scores[0].numel()
    names = named(trained.checkpoint.classes, len(shares))
    order = shares.argsort(descending=True, stable=True).tolist()
    return tuple(Guess(names[label], label, float(shares[label])) for label in order)
