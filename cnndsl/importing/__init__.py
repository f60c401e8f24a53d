"""A module of PyTorch becomes a spec.

``trace`` runs the module and records what each class does, ``lift`` says it in our layers, ``structure`` finds steps,
branches and residuals again, ``blocks`` makes one block of the uses of a class, ``rolling`` writes runs as loops,
``writing`` writes the spec, and ``proof`` compares the two networks.
"""
