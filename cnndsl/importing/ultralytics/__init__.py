"""A model file of Ultralytics (YOLOv3 to YOLOv9, and others in their notation) becomes a spec.

``reader`` and ``row_reader`` read the YAML. ``rows`` makes steps of the rows, ``calls`` of their modules, with the
values that ``arguments`` reads and the blocks of ``library``. ``document`` writes the spec. Nothing in the file is
executed, and nothing of Ultralytics is needed or copied.
"""

from __future__ import annotations

from pathlib import Path

from cnndsl.importing.ultralytics.document import text_of
from cnndsl.importing.ultralytics.reader import read_model_file

__all__ = ["spec_text"]


def spec_text(path: str | Path, scale: str | None = None, name: str = "") -> str:
    """The spec of a model file, laid out by ``fmt``.

    ``yolov8s.yaml`` is read from ``yolov8.yaml`` with the scale ``s`` if there is no file of that name, as Ultralytics
    does; ``scale`` overrules the letter. The spec is called ``name``, or like the file. Raises
    :class:`~cnndsl.diagnostics.SpecError` with everything that cannot be imported, each at its line and column.
    """
    return text_of(*read_model_file(Path(path), scale, name))
