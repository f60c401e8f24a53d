"""Classifies pictures with a trained network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from cnndsl.training import devices
from cnndsl.training.data import prepare_image
from cnndsl.training.evaluate import named
from cnndsl.training.failures import explained
from cnndsl.training.insight import Features, output_of
from cnndsl.training.prepare import as_seen
from cnndsl.training.trained import Trained

if TYPE_CHECKING:
    from cnndsl.picture import Picture


@dataclass(frozen=True)
class Guess:
    """A class with its probability, or with its share of the picture's pixels."""

    name: str
    label: int
    probability: float


@dataclass(frozen=True, repr=False)
class Prediction:
    """The classes of a picture, the most probable first. ``mask`` has the labels of its pixels, ``(H, W)``, if the
    network classifies each pixel. ``seen`` is the picture as the network saw it, uint8, ``(C, H, W)``."""

    path: Path
    guesses: tuple[Guess, ...]
    seen: Tensor
    mask: Tensor | None = None

    @property
    def pixels(self) -> bool:
        """Whether the network classifies each pixel."""
        return self.mask is not None

    def figure(self) -> Picture:
        """The ``mask`` over the picture. Raises ValueError if the network classifies whole pictures."""
        from cnndsl.training.figures.mask import mask  # matplotlib takes half a second

        if self.mask is None:
            raise ValueError("only a network that classifies pixels gives a mask")
        classes = [(guess.name, guess.label, guess.probability) for guess in self.guesses]
        return mask(self.path.name, self.seen, self.mask, classes)

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
        image = self._image(picture)
        with explained(self.device, self.module), torch.inference_mode():
            scores = self.module(image)[0].float().cpu()
        mask = scores.argmax(0) if scores.dim() > 1 else None
        return Prediction(picture, _guesses(self.trained, scores), self._seen(image), mask)

    def features(self, picture: Path, layer: str) -> Features:
        """The output of a layer for a picture file. Raises :class:`RunError` for a file that cannot be read as a
        picture, or a layer that does not exist."""
        image, name = self._image(picture), self.trained.name
        with explained(self.device, self.module):
            maps, uses = output_of(name, self.module, layer, lambda: self.module(image))
        return Features(name, picture, layer, self._seen(image), maps, uses)

    def _image(self, picture: Path) -> Tensor:
        return prepare_image(picture, self.trained.recipe, self.trained.shapes[0]).to(self.device)

    def _seen(self, image: Tensor) -> Tensor:
        return as_seen(image, self.trained.recipe)[0]


def _guesses(trained: Trained, scores: Tensor) -> tuple[Guess, ...]:
    """``scores`` (C,), or (C, H, W), of one picture."""
    if scores.dim() == 1:
        shares = scores.softmax(0)
    else:
        shares = torch.bincount(scores.argmax(0).flatten(), minlength=len(scores)) / scores[0].numel()
    names = named(trained.checkpoint.classes, len(shares))
    order = shares.argsort(descending=True, stable=True).tolist()
    return tuple(Guess(names[label], label, float(shares[label])) for label in order)
