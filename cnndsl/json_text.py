"""JSON for programs, which never holds the bare words `NaN` and `Infinity`: most of its readers refuse them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite


def json_text(value: object) -> str:
    """Plain data as JSON. Numbers that are not finite, which it cannot express, become null.

    >>> print(json_text([1.5, float("nan")]))
    [
      1.5,
      null
    ]
    """
    import json  # here, because people read text

    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value
