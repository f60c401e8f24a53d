"""What a notebook shows of a training while it runs. It is changed in place, so the notebook does not grow.

Only a kernel imports this module: IPython is there then. See
https://ipython.readthedocs.io/en/stable/api/generated/IPython.display.html#IPython.display.display.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from IPython.display import display

from cnndsl.printable import one_line
from cnndsl.training.progress import Epoch

#: The part of the time that drawing may take: short epochs are not all drawn, but the last one is.
SHARE = 0.1


class Live:
    """A line of progress, and the curves below it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._line = _Output()
        self._picture = _Output()
        self._undrawn: Sequence[Epoch] = ()
        #: When the next drawing may begin.
        self._next = 0.0

    def progress(self, text: str, done: int, total: int) -> None:
        """``done`` of the ``total`` batches of an epoch are done."""
        line = one_line(text)
        bar = f'<progress value="{done}" max="{total}" style="vertical-align:middle;width:8em"></progress>'
        self._line.show({"text/plain": line, "text/html": f"{bar} <code>{escape(line)}</code>"})

    def curves(self, epochs: Sequence[Epoch]) -> None:
        """Draws all epochs so far, if it is time to."""
        self._undrawn = epochs
        if time.monotonic() >= self._next:
            self._draw()

    def close(self) -> None:
        """Draws what is not drawn yet."""
        if self._undrawn:
            self._draw()

    def _draw(self) -> None:
        from cnndsl.training.figures.curves import curves  # matplotlib takes half a second

        began = time.monotonic()
        data, size = curves(self.name, self._undrawn)._repr_png_()
        content = {"text/plain": f"the curves of {one_line(self.name)}", "image/png": b64encode(data).decode()}
        self._picture.show(content, {"image/png": size})
        self._undrawn, now = (), time.monotonic()
        self._next = now + (now - began) / SHARE


class _Output:
    """A place in the notebook's output."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, content: Mapping[str, str], metadata: Mapping[str, object] | None = None) -> None:
        """Shows ``content``, in several formats, instead of what was there."""
        if self._handle is None:
            self._handle = display(content, metadata=metadata, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(content, metadata=metadata, raw=True)
