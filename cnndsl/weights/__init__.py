"""Loads weights from elsewhere into a network: reads them, compares them with its tensors, loads or refuses."""

from cnndsl.weights.fit import Fit, fit_of, load_weights
from cnndsl.weights.sources import Weights, read_weights

__all__ = ["Fit", "Weights", "fit_of", "load_weights", "read_weights"]
