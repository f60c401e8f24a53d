"""A module runs once, and what it did is recorded, class by class.

Python runs as ever, on tensors without values: loops, lists, dicts and hooks need no support, as they do in torch.fx
and torch.export, and no list of leaves. Only tensors and their sizes are watched.
"""
