"""The layer table: all that is known of a layer, in one place each. No torch, no YAML."""

from cnndsl.layers import (  # noqa: F401  (an import enters a module's layers into the table)
    activation,
    conv,
    dropout,
    linear,
    norm,
    padding,
    pool,
    shape_ops,
    upsampling,
)
from cnndsl.layers.initializers import INITIALIZERS, Initializer
from cnndsl.layers.shape import Refused, Shape
from cnndsl.layers.table import LAYERS, Layer

__all__ = ["INITIALIZERS", "LAYERS", "Initializer", "Layer", "Refused", "Shape"]
