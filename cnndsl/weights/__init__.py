"""Weights that come from elsewhere, put into a network: read, held against its tensors, loaded or refused."""

from cnndsl.weights.fit import Fit, load_weights
from cnndsl.weights.sources import Weights, read_weights

__all__ = ["Fit", "Weights", "load_weights", "read_weights"]
