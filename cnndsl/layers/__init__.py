"""The layer table: everything known about a layer, in one place. No torch, no YAML."""

from cnndsl.layers import (  # noqa: F401  (importing a module adds its layers to the table)
    activation,
    arithmetic,
    conv,
    dropout,
    linear,
    norm,
    padding,
    pool,
    reduce,
    shape_ops,
    upsampling,
)
from cnndsl.layers.initializers import INITIALIZERS, Initializer
from cnndsl.layers.parametrizations import PARAMETRIZATIONS, Parametrization, Parametrized
from cnndsl.layers.shape import Refused, Shape
from cnndsl.layers.table import LAYERS, Layer

__all__ = [
    "INITIALIZERS",
    "LAYERS",
    "PARAMETRIZATIONS",
    "Initializer",
    "Layer",
    "Parametrization",
    "Parametrized",
    "Refused",
    "Shape",
]
