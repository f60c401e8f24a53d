"""The classes of layers that neither torch nor torchvision has.

The emitted source holds copies of them. Only tests import these modules, because they
import torch: where a source is emitted, they are read as text. A class uses only
``torch`` and ``nn``, can be scripted, and fits the 88 columns of the emitted source.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def definition(module: str, name: str) -> str:
    """The source of a class in a module of this package."""
    text = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    classes = (node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))
    found = next(node for node in classes if node.name == name)
    return "\n".join([*text.splitlines()[found.lineno - 1 : found.end_lineno], ""])
