"""A model file -> the text of its spec."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from cnndsl.diagnostics import Diagnostic, Note, SpecError
from cnndsl.fmt import format
from cnndsl.importing.ultralytics.calls import LARGE
from cnndsl.importing.ultralytics.library import Definition, with_inner
from cnndsl.importing.ultralytics.model_file import Faults, ModelFile, Row
from cnndsl.importing.ultralytics.rows import Network, network_of
from cnndsl.network import compile_spec
from cnndsl.printable import one_line
from cnndsl.source import Source, Span
from cnndsl.spec.document import Text
from cnndsl.spec.names import unusable
from cnndsl.spec.tree import Listing, Mapping, read

#: Pixels of a side: what Ultralytics trains detectors and classifiers with.
_SIDE, _CLASSIFIED_SIDE = 640, 224
_UNDECODED = "# What decodes its outputs, such as the sigmoid of the scores, is not part of it."


def text_of(model: ModelFile, faults: Faults) -> str:
    """The spec, which has been compiled. Raises :class:`SpecError` with ``faults`` and all others, each at its place in
    the model file."""
    network = network_of(model, faults)
    blocks = with_inner(network.blocks)
    copies = "\n\n".join(block.copied(network.maps, network.norm) for block in blocks)
    parts = [*_head(model, network, blocks), *(["", "blocks:", copies] if blocks else []), *_network(network)]
    text = format("\n".join(parts) + "\n")
    if errors := compile_spec(Text(text)).errors:
        raise SpecError(_in_model_file(errors, text, model, network))
    return text


# --- writing -------------------------------------------------------------------------------------


def flow(value: Any) -> str:
    """Plain data on one line of YAML. ``()`` is a value that is left out."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return "" if value == () else json.dumps(value)


def _head(model: ModelFile, network: Network, blocks: Sequence[Definition]) -> list[str]:
    side = _CLASSIFIED_SIDE if "Classify" in network.blocks else _SIDE
    name = re.sub(r"\W+", "_", model.name, flags=re.ASCII)
    params = _params(model, network, blocks)
    return [
        f"# Imported from the model file {one_line(Path(model.source.name).name)} by `cnndsl import`.",
        *([_UNDECODED] if network.maps else []),
        *([] if unusable(name) else [f"name: {name}"]),
        f"input: [{model.channels}, {side}, {side}]",
        *(["params:", *(f"  {line}" for line in params)] if params else []),
    ]


def _params(model: ModelFile, network: Network, blocks: Sequence[Definition]) -> list[str]:
    values = network.values
    used = {word for _, step in network.steps for word in re.findall(r"\w+", flow(step))}
    limited = "min({0}, max_channels)" if model.scales else "{0}"
    return [
        *([f"nc: {model.classes}"] if "nc" in used else []),
        *(_scales(model, network) if model.scales else _multiples(model, network)),
        *([f"activation: {model.activation}"] if any("=activation" in block.text for block in blocks) else []),
        *([f"reg_max: {model.bins}"] if "reg_max" in used else []),
        *(f'c{count}: "$(ceil({limited.format(count)} * width / 8) * 8)"' for count in sorted(values.widths)),
        *(f'n{count}: "$(max(round({count} * depth), 1))"' for count in sorted(values.depths)),
    ]


def _multiples(model: ModelFile, network: Network) -> list[str]:
    depth = [f"depth: {model.depth}"] if network.values.depths else []
    return [*depth, *([f"width: {model.width}"] if network.values.widths else [])]


def _scales(model: ModelFile, network: Network) -> list[str]:
    """One list for each scale, the choice of one, and its numbers."""
    values = network.values
    if not (values.depths or values.widths or network.uses_large):
        return []
    chosen = " else ".join(f'{name} if scale == "{name}"' for name in model.scales)
    large = " or ".join(f'scale == "{name}"' for name in model.scales if name in LARGE)
    return [
        f"scale: {model.scale}",
        "# The scales: depth, width, the most channels.",
        *(f"{name}: {json.dumps(scale)}" for name, scale in model.scales.items()),
        f"size: $({chosen} else [])",
        *(["depth: $(size[0])"] if values.depths else []),
        *(["width: $(size[1])", "max_channels: $(size[2])"] if values.widths else []),
        *([f"large: $({large})"] if network.uses_large else []),
    ]


def _network(network: Network) -> list[str]:
    steps = [f"  - {flow(step)}{f' # {row.comment}' if row.comment else ''}" for row, step in network.steps]
    return ["", "network:", *steps, *(["", f"outputs: {flow([*network.outputs])}"] if network.outputs else [])]


# --- errors of the spec --------------------------------------------------------------------------


def _in_model_file(errors: Sequence[Diagnostic], text: str, model: ModelFile, network: Network) -> list[Diagnostic]:
    """Errors of the spec, at the rows that they come from."""
    tree, _ = read(Source("<spec>", text))
    steps = tree.get("network") if isinstance(tree, Mapping) else None
    starts = [item.span.line for item in steps.items] if isinstance(steps, Listing) else []

    def moved(error: Diagnostic) -> Diagnostic:
        row = _row_of(error, starts, network)
        place = row.span.first_line if row else Span(model.source, 0, 0)
        return replace(error, span=place, notes=tuple(Note(note.message) for note in error.notes), trail=())

    return [moved(error) for error in errors]


def _row_of(error: Diagnostic, starts: Sequence[int], network: Network) -> Row | None:
    """The row whose step has the error, or leads to it: the steps are the last lines that the trail names."""
    called = [int(line) for place in error.trail for line in re.findall(r"\b(\d+):\d+", place)]
    line = max([*called, error.span.line if error.span else 0])
    before = [row for start, (row, _) in zip(starts, network.steps) if start <= line]
    return before[-1] if before else None
