"""Proves that a spec is equal to the module that it was made of: names, outputs, gradients, and what training changes.

``names`` gives each tensor of the spec's module its counterpart, ``samples`` finds inputs, ``runs`` runs a network on
them with tensors of our choice, ``proving`` compares the two, and ``difference`` finds the first layer that differs.
"""

from cnndsl.importing.proof.proving import Proof, Unequal, prove

__all__ = ["Proof", "Unequal", "prove"]
