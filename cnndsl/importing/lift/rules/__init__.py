"""What each function of torch and method of tensors is in our language, by its name.

A rule is a function with torch's arguments and defaults after its ``step``, so Python binds a call to it. It returns
the tensor that the call gives.
"""

from cnndsl.importing.lift.rules import activations, arithmetic, layers, reductions, refused, shapes  # noqa: F401
from cnndsl.importing.lift.rules.refused import is_refusal
from cnndsl.importing.lift.rules.shapes import DETACHED
from cnndsl.importing.lift.rules.table import Rule, rule_of

__all__ = ["DETACHED", "Rule", "is_refusal", "rule_of"]
