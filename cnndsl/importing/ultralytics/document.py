"""A model file -> the text of its spec."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from cnndsl.diagnostics import Diagnostic, Note, SpecError
from cnndsl.fmt import format
from cnndsl.importing.ultralytics.library import Definition, with_inner
from cnndsl.importing.ultralytics.model_file import ModelFile, Row
from cnndsl.importing.ultralytics.rows import LARGE, Network, network_of
from cnndsl.network import compile_spec
from cnndsl.source import Source, Span
from cnndsl.spec.document import Text
from cnndsl.spec.tree import Listing, Mapping, read

#: Pixels of a side: what Ultralytics trains detectors and classifiers with.
_SIDE, _CLASSIFIED_SIDE = 640, 224


def text_of(model: ModelFile) -> str:
    """The spec, which has been compiled. Raises :class:`SpecError` at the rows of the model file."""
    network = network_of(model)
    blocks = with_inner(network.blocks)
    text = format("\n".join([*_head(model, network, blocks), *_blocks(network, blocks), *_network(network)]) + "\n")
    if errors := compile_spec(Text(text)).errors:
        raise SpecError(_in_model_file(errors, text, model, network))
    return text


def _head(model: ModelFile, network: Network, blocks: Sequence[Definition]) -> list[str]:
    side = _CLASSIFIED_SIDE if "Classify" in network.blocks else _SIDE
    return [
        f"# Made by `cnndsl import` from Ultralytics' {json.dumps(model.source.name)[1:-1].rpartition('/')[2]}.",
        f"name: {re.sub(r'[^A-Za-z0-9_]+', '_', model.name)}",
        f"input: [{model.channels}, {side}, {side}]",
        "params:",
        *_params(model, network, blocks),
    ]


def _params(model: ModelFile, network: Network, blocks: Sequence[Definition]) -> list[str]:
    lines = [f"  nc: {model.classes}"] if any("$nc" in flow(step) or "nc + 5" in flow(step) for _, step in network.steps) else []
    values = network.values
    if values.widths or values.depths or network.uses_large:
        lines += _scale_params(model, network)
    if any("=activation" in block.text for block in blocks):
        lines.append(f"  activation: {model.activation}")
    if any("$reg_max" in flow(step) for _, step in network.steps):
        lines.append(f"  reg_max: {model.bins}")
    limited = "min({0}, max_channels)" if any(most for *_, most in model.scales.values()) else "{0}"
    lines += [f'  c{count}: "$(ceil({limited.format(count)} * width / 8) * 8)"' for count in sorted(values.widths)]
    return lines + [f'  n{count}: "$(max(round({count} * depth), 1))"' for count in sorted(values.depths)]


def _scale_params(model: ModelFile, network: Network) -> list[str]:
    values = network.values
    if not model.scales:
        depth, width = [f"  depth: {model.depth}"], [f"  width: {model.width}"]
        return (depth if values.depths else []) + (width if values.widths else [])
    rows = [f"    - {json.dumps(row)}  # {name}" for name, row in model.scales.items()]
    chosen = " else ".join(f'scales[{index}] if scale == "{name}"' for index, name in enumerate(model.scales))
    large = " or ".join(f'scale == "{name}"' for name in model.scales if name in LARGE)
    return [
        f"  scale: {model.scale}",
        "  scales:  # depth, width, the most channels",
        *rows,
        f"  size: '$({chosen} else [])'",
        *(["  depth: $(size[0])"] if values.depths else []),
        *(["  width: $(size[1])", "  max_channels: $(size[2])"] if values.widths else []),
        *([f"  large: '$({large})'"] if network.uses_large else []),
    ]


def _blocks(network: Network, blocks: Sequence[Definition]) -> list[str]:
    return ["", "blocks:", "\n\n".join(block.copied(network.maps or 1, network.norm) for block in blocks)] if blocks else []


def _network(network: Network) -> list[str]:
    steps = [f"  - {flow(step)}" for _, step in network.steps]
    return ["", "network:", *steps, *([f"\noutputs: {flow([*network.outputs])}"] if network.outputs else [])]


def flow(value: Any) -> str:
    """Plain data on one line of YAML. ``()`` is a value that is left out."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return "" if value == () else json.dumps(value)


def _in_model_file(
    errors: Sequence[Diagnostic], text: str, model: ModelFile, network: Network
) -> list[Diagnostic]:
    """Errors of the spec, at the rows that they come from."""
    tree, _ = read(Source("<spec>", text))
    assert isinstance(tree, Mapping) and isinstance(listing := tree.get("network"), Listing)
    starts = [item.span.line for item in listing.items]

    def moved(error: Diagnostic) -> Diagnostic:
        row = _row_of(error, starts, network)
        place = row.span.first_line if row else Span(model.source, 0, 0)
        notes = tuple(Note(note.message) for note in error.notes)
        return replace(error, span=place, notes=notes, trail=error.trail if row else ())

    return [moved(error) for error in errors]


def _row_of(error: Diagnostic, starts: Sequence[int], network: Network) -> Row | None:
    """The row whose step has the error, or calls the block that has it."""
    called = re.search(r"called at (\d+):\d+$", error.trail[-1]) if error.trail else None
    line = int(called[1]) if called else error.span.line if error.span else 0
    before = [index for index, start in enumerate(starts) if start <= line]
    return network.steps[before[-1]][0] if before else None
