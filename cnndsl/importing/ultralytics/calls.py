"""The module of a row -> a step that calls a block or a layer, as plain data."""

from __future__ import annotations

from typing import Any

from cnndsl.importing.ultralytics.arguments import Values, arguments_of, check_count, written
from cnndsl.importing.ultralytics.library import NORM, library
from cnndsl.importing.ultralytics.model_file import Faults, ModelFile, Row, value_of
from cnndsl.importing.ultralytics.modules import HEADS, blocks, refuse
from cnndsl.layers import LAYERS
from cnndsl.spec.tree import Tree

Step = dict[str, Any]
#: With these modules, the heads after them score with light convolutions.
_MODERN = ("C3k2", "C2fCIB")
#: Scales in which all C3k2 have inner C3k, whatever their rows say.
LARGE = ("m", "l", "x")


class Calls:
    """``blocks`` are those that were called, and ``linear`` the sizes of the tensors of each CBLinear, by the number of
    its row. ``uses_large`` tells whether a call depends on whether the scale is :data:`LARGE`."""

    def __init__(self, model: ModelFile, faults: Faults) -> None:
        self.model = model
        self.faults = faults
        self.values = Values(model)
        self.blocks: set[str] = set()
        self.linear: dict[int, list[int]] = {}
        self.uses_large = False
        # Ultralytics sets the arguments of the normalisation in all of its networks but its classifiers.
        self.norm = {} if model.rows and model.rows[-1].module == "Classify" else NORM

    def module(self, row: Row) -> Step | None:
        """None if it is refused."""
        if row.module in blocks():
            return self._block(row)
        word = row.module.removeprefix("torch.")
        if word.startswith("nn.") and (name := word.removeprefix("nn.")) in LAYERS:
            return self._layer(row, name)
        refuse(row, self.faults)
        return None

    def repeats(self, row: Row) -> bool:
        """Whether the number of a row is the block's own, and not that of its copies."""
        return row.module in blocks() and "depth" in library()[row.module].parameters

    def head(self, row: Row) -> tuple[str, Step]:
        """The block and its call."""
        if row.number != 1:
            self.faults.add(f"`{row.module}` is a head, of which there is one", row.span, "write 1 for the number")
        has_anchors = row.module == "Detect" and len(row.arguments) == 2 and self.model.anchors is not None
        name = "AnchorDetect" if has_anchors else self._head_block(row)
        given = self._anchored(row) if has_anchors else self._head_arguments(row)
        self.blocks.add(name)
        return name, written(library()[name], given)

    def _head_block(self, row: Row) -> str:
        if not self.model.end_to_end:
            return HEADS[row.module]
        if row.module not in ("Detect", "v10Detect"):
            help = "only `Detect` can have a second head here"
            self.faults.add(f"`{row.module}` with `end2end` has no translation", row.place, help)
        return "DetectEndToEnd"

    def _anchored(self, row: Row) -> dict[str, Any]:
        """For each anchor a box, whether something is there, and the classes."""
        if self.model.classes is None and "nc" not in map(value_of, row.arguments):  # else it is told of the argument
            self.faults.add("the model file has no `nc`", row.place)
        return {"outputs": f"$({self.model.anchors} * (nc + 5))"}

    def _head_arguments(self, row: Row) -> dict[str, Any]:
        given = arguments_of(row, library()[HEADS[row.module]], self.values, self.faults)
        if row.module == "Pose" and len(row.arguments) < 2 and self.model.points:
            given["points"] = self.model.points
        if row.module != "v10Detect" and self.model.bins != 16:
            given["bins"] = "$reg_max"
        if row.module == "v10Detect" or not self.blocks.isdisjoint(_MODERN):
            given["scorer"] = "LightHead"
            self.blocks.add("LightHead")
        return given

    def _block(self, row: Row) -> Step:
        definition = library()[row.module]
        given = arguments_of(row, definition, self.values, self.faults)
        self.blocks.add(row.module)
        kernel = given.get("kernel_size")
        if isinstance(kernel, list) and "padding" in definition.parameters and given.get("padding") is None:
            given["padding"] = [_same(side, given.get("dilation", 1)) for side in kernel]
        if "depth" in definition.parameters:
            given["depth"] = self.values.number(row.number)
        if row.module == "C3k2":
            given["c3k"] = given.get("c3k") or self._large()
        if row.module == "SPPF" and len(row.arguments) > 2:  # newer files, whose first convolution is linear
            given["act"] = None
        if row.module == "CBLinear":
            self.linear[row.index] = given.get("outputs", [])
        return written(definition, {name: given[name] for name in definition.parameters if name in given})

    def _large(self) -> bool | str:
        if not any(letter in LARGE for letter in self.model.scales):
            return self.model.scale in LARGE
        self.uses_large = True
        return "$large"

    def _layer(self, row: Row, word: str) -> Step:
        layer = LAYERS[word]
        names = [name for name, argument in layer.arguments.items() if not argument.keyword]
        if word == "BatchNorm2d":  # Ultralytics gives it the channels of its input
            return {word: self.norm or ()}
        if word == "ConvTranspose2d":  # likewise, and scales the others
            names.remove("in_channels")
        check_count(row, names, self.faults)
        given = {name: self.plain(tree) for name, tree in zip(names, row.arguments)}
        if word == "ConvTranspose2d" and isinstance(channels := given.get("out_channels"), int):
            given["out_channels"] = self.values.channels(channels)
        defaults = {**dict.fromkeys(names), **layer.arguments.defaults}
        return {word: {name: value for name, value in given.items() if value not in (None, defaults[name])} or ()}

    def plain(self, tree: Tree) -> Any:
        """An argument of a layer as it is. A text must be a word, which is never an expression."""
        value = value_of(tree)
        if value == "nc":
            return self.model.classes
        for item in value if isinstance(value, list) else [value]:
            if not (item is None or isinstance(item, (int, float)) or (isinstance(item, str) and item.isidentifier())):
                self.faults.misfit("an argument of a layer", "a number, a word, or a list of these", tree)
                return None
        return value


def _same(kernel_size: int, dilation: int) -> int:
    """The padding that keeps the size of a map, as the block ``Conv`` computes it from one number."""
    return (dilation * (kernel_size - 1) + 1) // 2
