"""Rows of a model file -> steps of a spec, as plain data."""

from __future__ import annotations

from typing import Any

from cnndsl.diagnostics import Code, did_you_mean, shorten
from cnndsl.importing.ultralytics.arguments import Values, arguments_of, written
from cnndsl.importing.ultralytics.library import NORM, library
from cnndsl.importing.ultralytics.model_file import Faults, ModelFile, Row, shown, value_of
from cnndsl.layers import LAYERS
from cnndsl.record import Record
from cnndsl.spec.tree import UNKNOWN, Tree

Step = dict[str, Any]
_HEADS = {"Detect": "Detect", "Segment": "Segment", "Pose": "Pose", "OBB": "OBB", "v10Detect": "DetectEndToEnd"}
#: Blocks of the library that no row of a model file may name.
_INNER = frozenset(
    {"AnchorDetect", "C3k", "CIB", "CrossBottleneck", "DFL", "DetectEndToEnd", "Head", "Heads", "LightHead", "Proto",
     "RepBottleneck", "RepCSP", "RepVGGDW", "ResNetBlock"}
)  # fmt: skip
_ATTENTION = frozenset(
    {"A2C2f", "AIFI", "C2PSA", "C2fAttn", "C2fPSA", "C3TR", "ImagePoolingAttn", "PSA", "PSABlock", "RTDETRDecoder",
     "TransformerBlock", "TransformerLayer", "WorldDetect", "nn.MultiheadAttention", "nn.TransformerEncoderLayer"}
)  # fmt: skip
#: Modules of Ultralytics that are not translated.
_UNTRANSLATED = frozenset(
    {"CBAM", "ChannelAttention", "Depth", "HGBlock", "HGStem", "Index", "LightConv", "OBB26", "Pose26", "Segment26",
     "SemanticSegment", "SpatialAttention", "TorchVision", "YOLOEDetect", "YOLOESegment", "YOLOESegment26"}
)  # fmt: skip
#: With these modules, the heads after them score with light convolutions.
_MODERN = frozenset({"C3k2", "C2fCIB"})
#: Scales in which all C3k2 have inner C3k, whatever their rows say.
LARGE = ("m", "l", "x")


class Network(Record, frozen=True, eq=False):
    """The steps, each with its row, and what the document has to define for them."""

    steps: tuple[tuple[Row, Step], ...]
    outputs: tuple[str, ...]
    blocks: frozenset[str]
    maps: int
    values: Values
    uses_large: bool
    norm: dict[str, float]


def network_of(model: ModelFile) -> Network:
    """Raises :class:`~cnndsl.diagnostics.SpecError` with all faults of the rows."""
    builder = _Builder(model)
    for row in model.rows:
        builder.add(row)
    builder.faults.check()
    return builder.network()


class _Builder:
    def __init__(self, model: ModelFile) -> None:
        self.model = model
        self.values = Values(model)
        self.faults = Faults()
        self.steps: list[tuple[Row, Step]] = []
        self.outputs: dict[int, tuple[str, ...]] = {}
        self.linear: dict[int, list[int]] = {}
        self.blocks: set[str] = set()
        self.maps = 0
        self.current = -1
        self.modern = self.uses_large = False
        self.named = _fetched(model.rows)
        # Ultralytics sets the arguments of the normalisation in all of its networks but its classifiers.
        self.norm = {} if model.rows and model.rows[-1].module == "Classify" else NORM

    def network(self) -> Network:
        outputs = [f"model.{index}.{name}".rstrip(".") for index, names in self.outputs.items() for name in names]
        last = self.model.rows[-1].index
        if outputs and last not in self.outputs:
            outputs.append(f"model.{last}")
        return Network(
            steps=tuple(self.steps),
            outputs=tuple(outputs),
            blocks=frozenset(self.blocks),
            maps=self.maps,
            values=self.values,
            uses_large=self.uses_large,
            norm=self.norm,
        )

    def add(self, row: Row) -> None:
        for source, tree_taken in ((source, source in self.outputs) for source in row.sources):
            if tree_taken:
                self.faults.add(f"row {row.index} takes the tensor of row {source}, which is a head", row.span)
        if row.module == "Concat":
            self._concat(row)
        elif row.module == "CBFuse":
            self._fuse(row)
        elif row.module in _HEADS:
            self._head(row)
        elif any(source in self.linear for source in row.sources):
            self.faults.add(f"only `CBFuse` takes the tensors of a `CBLinear`, and not `{row.module}`", row.place)
        else:
            self._module(row)
        self.current = row.index

    # --- pieces ----------------------------------------------------------------------------------

    def _name(self, source: int) -> str:
        return "input" if source < 0 else f"model.{source}"

    def _fetch(self, source: int) -> list[Step]:
        """The steps after which the tensor is the current one."""
        return [] if source == self.current else [{"from": self._name(source)}]

    def _step(self, row: Row, step: Step) -> None:
        self.steps.append((row, step))

    def _merge(self, row: Row, branches: list[list[Step]], **how: Any) -> None:
        name = {"name": self._name(row.index)} if self._is_named(row) else {}
        self._step(row, {**name, "branch": branches, **how})

    def _is_named(self, row: Row) -> bool:
        last = row.index == self.model.rows[-1].index
        return row.index in self.named or (last and bool(self.outputs))

    # --- modules ---------------------------------------------------------------------------------

    def _module(self, row: Row) -> None:
        call = self._call(row)
        if call is None:
            return
        if row.several:
            self.faults.add(f"`{row.module}` takes one tensor, and not a list", row.span, "write one number for `from`")
        for step in self._fetch(row.sources[0]):
            self._step(row, step)
        name = {"name": self._name(row.index)}
        number = 1 if "depth" in self._parameters(row) else self.values.number(row.number)
        several = {**name, "sequential": [{"repeat": [call], "times": number}]}
        if number == 1:
            self._step(row, {**name, **call})
        elif isinstance(number, int):
            self._step(row, several)
        else:  # one alone is not in an `nn.Sequential`
            self._step(row, {**name, "when": f"$({number[1:]} == 1)", **call, "else": [several]})

    def _parameters(self, row: Row) -> tuple[str, ...]:
        return library()[row.module].parameters if row.module in library() else ()

    def _call(self, row: Row) -> Step | None:
        module = row.module
        if module in _ATTENTION:
            help = f"import the module that Ultralytics builds, with `--leaf {module.removeprefix('nn.')}`"
            message = f"`{module}` computes attention, which the language does not have"
            self.faults.add(message, row.place, help, Code.SEQUENCE)
        elif module in _UNTRANSLATED:
            help = "import the module that Ultralytics builds"
            self.faults.add(f"`{module}` of Ultralytics has no translation", row.place, help)
        elif module.removeprefix("torch.").startswith("nn."):
            return self._layer(row, module.rpartition(".")[2])
        elif module in library() and module not in _INNER:
            return self._block(row)
        else:
            known = [*(library().keys() - _INNER), *_HEADS, *_ATTENTION, *_UNTRANSLATED, "Concat", "CBFuse"]
            layers = [f"nn.{name}" for name in LAYERS]
            help = f"torch's layers are written `nn.{module}`" if module in LAYERS else did_you_mean(module, known + layers)
            self.faults.add(f"unknown module `{shorten(module)}`", row.place, help)
        return None

    def _block(self, row: Row) -> Step:
        definition = library()[row.module]
        given = arguments_of(row, definition, self.values, self.faults)
        self.blocks.add(row.module)
        self.modern |= row.module in _MODERN
        if "depth" in definition.parameters:
            given = {"channels": given.pop("channels", 0), "depth": self.values.number(row.number), **given}
        if row.module == "C3k2":
            given = self._with_large(given)
        if row.module == "SPPF" and len(row.arguments) > 2:  # newer files, whose first convolution is linear
            given["act"] = None
        if row.module == "CBLinear":
            self.linear[row.index] = given.get("outputs", [])
        return written(row.module, definition, given)

    def _with_large(self, given: dict[str, Any]) -> dict[str, Any]:
        large: bool | str = self.model.scale in LARGE
        if any(letter in LARGE for letter in self.model.scales):
            large, self.uses_large = "$large", True
        return {**given, "c3k": given.get("c3k") or large}

    def _layer(self, row: Row, word: str) -> Step | None:
        layer = LAYERS.get(word)
        if layer is None:
            help = did_you_mean(word, LAYERS)
            self.faults.add(f"`nn.{shorten(word)}` is not a layer of the language", row.place, help)
            return None
        if word == "BatchNorm2d":  # Ultralytics gives it the channels of its input
            return {word: self.norm or ()}
        names = [name for name, argument in layer.arguments.items() if not argument.keyword]
        if word == "ConvTranspose2d":  # its channels are those of its input, and scaled
            names.remove("in_channels")
        given: dict[str, Any] = {}
        for name, tree in zip(names, row.arguments):
            if (value := self._plain(tree)) is not None:
                given[name] = value
        for tree in row.arguments[len(names) :]:
            self.faults.add(f"`{row.module}` takes at most {len(names)} arguments", tree.span)
        if word == "ConvTranspose2d" and isinstance(given.get("out_channels"), int):
            given["out_channels"] = self.values.channels(given["out_channels"])
        defaults = layer.arguments.defaults
        return {word: {name: value for name, value in given.items() if value != defaults.get(name)} or ()}

    def _plain(self, tree: Tree) -> Any:
        """An argument of a layer as it is. A text must be a word, which is never an expression."""
        value = value_of(tree)
        flat = value if isinstance(value, list) else [value]
        if value == "nc":
            return self.model.classes
        for item in flat:
            if not (isinstance(item, (int, float)) or item is None or item is UNKNOWN or str(item).isidentifier()):
                self.faults.add(f"an argument of a layer is a number, a word or a list of numbers, got {shown(tree)}", tree.span)
                return None
        return value

    # --- several tensors -------------------------------------------------------------------------

    def _concat(self, row: Row) -> None:
        dim = self._plain(row.arguments[0]) if row.arguments else 1
        self._merge(row, [self._fetch(source) for source in row.sources], **({} if dim == 1 else {"dim": dim}))

    def _fuse(self, row: Row) -> None:
        *parts, target = row.sources
        chosen = value_of(row.arguments[0]) if row.arguments else None
        if not isinstance(chosen, list) or len(chosen) != len(parts):
            place = row.arguments[0].span if row.arguments else row.place
            self.faults.add(f"`CBFuse` needs a list of {len(parts)} numbers, one for each tensor but the last", place)
            return
        branches = [self._part(row, source, at, target) for source, at in zip(parts, chosen)]
        self._merge(row, [*filter(None, branches), self._fetch(target)], merge="add")

    def _part(self, row: Row, source: int, at: Any, target: int) -> list[Step]:
        """One of the tensors of a CBLinear, at the size of another."""
        sizes = self.linear.get(source, [])
        if not isinstance(at, int) or isinstance(at, bool) or not 0 <= at < len(sizes):
            several = f"has {len(sizes)} tensors" if sizes else "is not a `CBLinear`"
            self.faults.add(f"`CBFuse` takes tensor {at} of row {source}, which {several}", row.arguments[0].span)
            return []
        part = [{"Slice": [sum(sizes[:at]), sum(sizes[: at + 1])]}] if len(sizes) > 1 else []
        return [{"from": self._name(source)}, *part, {"Upsample": {"like": self._name(target)}}]

    def _head(self, row: Row) -> None:
        anchored = row.module == "Detect" and len(row.arguments) == 2 and self.model.anchors is not None
        kind = self._kind(row, anchored)
        if self.maps not in (0, len(row.sources)):
            self.faults.add(f"a head of {len(row.sources)} maps beside one of {self.maps}", row.span)
        self.maps = len(row.sources)
        if anchored:
            given: dict[str, Any] = {"outputs": f"$({self.model.anchors} * (nc + 5))"}
        else:
            given = arguments_of(row, library()[kind], self.values, self.faults)
            if row.module == "Pose" and len(row.arguments) < 2 and self.model.points:
                given["points"] = self.model.points
            if row.module != "v10Detect" and self.model.bins != 16:
                given["bins"] = "$reg_max"
            if self.modern or row.module == "v10Detect":
                given["scorer"] = "LightHead"
                self.blocks.add("LightHead")
        self.blocks.add(kind)
        self.outputs[row.index] = _outputs(library()[kind].text)
        call = written(kind, library()[kind], given)
        self._step(row, {"name": self._name(row.index), **call, "inputs": [*map(self._name, row.sources)]})

    def _kind(self, row: Row, anchored: bool) -> str:
        if anchored:
            return "AnchorDetect"
        if row.number != 1:
            self.faults.add(f"`{row.module}` is a head, of which there is one", row.span, "write 1 for the number")
        if self.model.end_to_end and row.module not in ("Detect", "v10Detect"):
            place = row.place
            self.faults.add(f"`end2end` with `{row.module}` has no translation", place, "only `Detect` has two heads here")
        return "DetectEndToEnd" if self.model.end_to_end else _HEADS[row.module]


def _outputs(text: str) -> tuple[str, ...]:
    """The names of a block's outputs; one without a name is ``""``."""
    _, found, rest = text.partition("outputs: [")
    return tuple(rest.partition("]")[0].split(", ")) if found else ("",)


def _fetched(rows: tuple[Row, ...]) -> frozenset[int]:
    """The rows whose tensors are fetched by name."""
    by_name = {source for row in rows for source in row.sources if source != row.index - 1}
    listed = {source for row in rows if row.module in (*_HEADS, "CBFuse") for source in row.sources}
    return frozenset(by_name | listed)
