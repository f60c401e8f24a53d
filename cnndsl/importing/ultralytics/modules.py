"""The names of modules that rows may have, and why others are refused."""

from __future__ import annotations

from cnndsl.diagnostics import Code, did_you_mean, shorten
from cnndsl.importing.ultralytics.library import library
from cnndsl.importing.ultralytics.model_file import Faults, Row
from cnndsl.layers import LAYERS

#: The block of a head.
HEADS = {"Detect": "Detect", "Segment": "Segment", "Pose": "Pose", "OBB": "OBB", "v10Detect": "DetectEndToEnd"}
#: What merges tensors.
MERGES = ("Concat", "CBFuse")
#: Blocks that only other blocks call.
_INNER = frozenset(
    {"AnchorDetect", "C3k", "CIB", "CrossBottleneck", "DFL", "DetectEndToEnd", "Head", "Heads", "LightHead", "Proto",
     "RepBottleneck", "RepCSP", "RepVGGDW", "ResNetBlock"}
)  # fmt: skip
_ATTENTION = frozenset(
    {"A2C2f", "AIFI", "Attention", "C2PSA", "C2fAttn", "C2fPSA", "C3TR", "DeformableTransformerDecoder",
     "ImagePoolingAttn", "MSDeformAttn", "MaxSigmoidAttnBlock", "PSA", "RTDETRDecoder", "TransformerBlock",
     "TransformerEncoderLayer", "TransformerLayer", "WorldDetect", "nn.MultiheadAttention",
     "nn.TransformerEncoderLayer"}
)  # fmt: skip
#: Further modules of Ultralytics.
_OTHERS = frozenset(
    {"CBAM", "ChannelAttention", "Conv2", "DWConvTranspose2d", "Depth", "HGBlock", "HGStem", "Index", "LayerNorm2d",
     "LightConv", "MLP", "MLPBlock", "OBB26", "Pose26", "Segment26", "SemanticSegment", "SpatialAttention",
     "TorchVision", "YOLOEDetect", "YOLOESegment", "YOLOESegment26"}
)  # fmt: skip


def blocks() -> frozenset[str]:
    """The blocks of the library that a row may name, without the heads."""
    return frozenset(library().keys() - _INNER - HEADS.keys())


def refuse(row: Row, faults: Faults) -> None:
    """Adds why the module of a row is none that this package knows."""
    module = row.module
    if module in _ATTENTION:
        help = f"import the module that Ultralytics builds, with `--leaf {module.removeprefix('nn.')}`"
        faults.add(f"`{module}` computes attention, which the language does not have", row.place, help, Code.SEQUENCE)
    elif module in (*_OTHERS, *_INNER):
        help = "import the module that Ultralytics builds"
        faults.add(f"`{module}` of Ultralytics has no translation as a row", row.place, help)
    elif module in LAYERS:
        faults.add(f"unknown module `{module}`", row.place, f"torch's layers are written `nn.{module}`")
    else:
        known = [*blocks(), *HEADS, *MERGES, *(f"nn.{name}" for name in LAYERS)]
        faults.add(f"unknown module `{shorten(module)}`", row.place, did_you_mean(module, known))
