"""Puts data into the page: one file, in which nothing of a spec can become markup or code.

The page carries a Content-Security-Policy that names the digests of its own script and style, and allows nothing from
anywhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnndsl.version import __version__

FOLDER = Path(__file__).parent / "built"
#: What could end a script or begin a comment in it.
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&"}
#: The worker's script comes from the page itself, as a blob.
_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; worker-src blob:; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def page(title: str, data: Mapping[str, Any]) -> str:
    """The page as a text."""
    from html import escape

    script, style = _read("explorer.js"), _read("explorer.css")
    parts = {
        "notice": _read("NOTICE").strip(),
        "policy": _POLICY.format(script=_digest(script), style=_digest(style)),
        "version": escape(__version__),
        "title": escape(title),
        "style": style,
        "data": _json(data),
        "worker": _packed("elk-worker.js"),
        "script": script,
    }
    return re.sub(r"\{(\w+)\}", lambda place: parts[place[1]], _read("explorer.html"))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _json(data: Mapping[str, Any]) -> str:
    """JSON in ASCII for a script element."""
    import json

    return json.dumps(data, separators=(",", ":"), allow_nan=False).translate(_ESCAPES)


def _digest(text: str) -> str:
    """A source for the policy: the digest of an inline script or style."""
    from base64 import b64encode
    from hashlib import sha256

    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def _packed(name: str) -> str:
    """A file compressed and in base64: it is a third as large."""
    import gzip
    from base64 import b64encode

    return b64encode(gzip.compress((FOLDER / name).read_bytes(), 9, mtime=0)).decode()
