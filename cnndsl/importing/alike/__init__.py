"""Trees of steps laid side by side: one tree that has a hole wherever they differ.

The trees are the uses of a class, or the rounds of a loop. What is equal stays. A hole is a hidden variable of the
merged tree (:func:`~cnndsl.emit.source.expr.hidden`), so that what explains it can be put in its place by
:func:`filled`. Strict trees have the same steps, in the same structure; with ``lenient``, steps that some trees lack
are under a condition, a single step may be a ``Repeat`` of one round, and steps a ``Residual`` without a shortcut.
"""

from cnndsl.importing.alike.filling import filled, replaced
from cnndsl.importing.alike.hole import Alike, Defaults, Hole, of_layers
from cnndsl.importing.alike.values import ABSENT, alike_values, input_sizes
from cnndsl.importing.alike.walk import alike

__all__ = [
    "ABSENT",
    "Alike",
    "Defaults",
    "Hole",
    "alike",
    "alike_values",
    "filled",
    "input_sizes",
    "of_layers",
    "replaced",
]
