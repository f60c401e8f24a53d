"""Model files in Ultralytics' notation, written for the tests, and what Ultralytics' own code makes of them."""

from __future__ import annotations

from typing import NamedTuple

_SCALES = """
scales:
  n: [0.33, 0.25, 1024]
  s: [0.33, 0.50, 1024]
  m: [0.67, 0.75, 768]
  l: [1.00, 1.00, 512]
  x: [1.00, 1.25, 512]
"""

_BACKBONE = """
backbone:
  - [-1, 1, Conv, [64, 3, 2]] # half
  - [-1, 1, Conv, [128, 3, 2]]
  - [-1, 3, C2f, [128, True]]
  - [-1, 1, Conv, [256, 3, 2]] # 3, an eighth
  - [-1, 6, C2f, [256, True]]
  - [-1, 1, Conv, [512, 3, 2]]
  - [-1, 6, C2f, [512, True]]
  - [-1, 1, Conv, [1024, 3, 2]]
  - [-1, 3, C2f, [1024, True]]
"""

_NECK = """
  - [-1, 1, SPPF, [1024, 5]] # 9
head:
  - [-1, 1, nn.Upsample, [None, 2, nearest]]
  - [[-1, 6], 1, Concat, [1]]
  - [-1, 3, C2f, [512]]
  - [-1, 1, nn.Upsample, [None, 2, nearest]]
  - [[-1, 4], 1, Concat, [1]]
  - [-1, 3, C2f, [256]] # 15
  - [-1, 1, Conv, [256, 3, 2]]
  - [[-1, 12], 1, Concat, [1]]
  - [-1, 3, C2f, [512]] # 18
  - [-1, 1, Conv, [512, 3, 2]]
  - [[-1, 9], 1, Concat, [1]]
  - [-1, 3, C2f, [1024]] # 21
"""

YOLOV8 = f"nc: 80{_SCALES}{_BACKBONE}{_NECK}  - [[15, 18, 21], 1, Detect, [nc]]\n"

#: The first YOLOv5, with anchors, of its own repository.
YOLOV5 = """
nc: 80
depth_multiple: 0.33
width_multiple: 0.50
anchors: [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]
backbone: [
  [-1, 1, Conv, [64, 6, 2, 2]], [-1, 1, Conv, [128, 3, 2]], [-1, 3, C3, [128]],
  [-1, 1, Conv, [256, 3, 2]], [-1, 6, C3, [256]], [-1, 1, Conv, [512, 3, 2]], [-1, 9, C3, [512]],
  [-1, 1, Conv, [1024, 3, 2]], [-1, 3, C3, [1024]], [-1, 1, SPPF, [1024, 5]],
]
head: [
  [-1, 1, Conv, [512, 1, 1]], [-1, 1, nn.Upsample, [None, 2, nearest]], [[-1, 6], 1, Concat, [1]],
  [-1, 3, C3, [512, False]],
  [-1, 1, Conv, [256, 1, 1]], [-1, 1, nn.Upsample, [None, 2, nearest]], [[-1, 4], 1, Concat, [1]],
  [-1, 3, C3, [256, False]], # 17
  [-1, 1, Conv, [256, 3, 2]], [[-1, 14], 1, Concat, [1]], [-1, 3, C3, [512, False]],
  [-1, 1, Conv, [512, 3, 2]], [[-1, 10], 1, Concat, [1]], [-1, 3, C3, [1024, False]],
  [[17, 20, 23], 1, Detect, [nc, anchors]],
]
"""

#: Nearly every block, two maps, channels and numbers that depend on the scale.
MANY = """
nc: 7
scales: {n: [0.5, 0.25, 1024], m: [1.0, 0.5, 512]}
activation: nn.LeakyReLU(0.1)
backbone:
  - [-1, 1, Focus, [64, 3]]
  - [-1, 1, GhostConv, [64, 3, 2]]
  - [-1, 2, Bottleneck, [64]]
  - [-1, 2, C3k2, [128, False, 0.25]]
  - [-1, 2, C3k2, [128, True]]
  - [-1, 1, SCDown, [256, 3, 2]]
  - [-1, 2, C2fCIB, [256, True, True]]
  - [-1, 2, C2, [256]]
  - [-1, 2, C1, [256]]
  - [-1, 2, C3x, [256]]
  - [-1, 2, RepC3, [256, 0.5]]
  - [-1, 3, C3Ghost, [256]]
  - [-1, 1, GhostBottleneck, [256, 3, 2]]
  - [-1, 2, BottleneckCSP, [256]]
  - [-1, 1, SPP, [256, [3, 5]]]
  - [-1, 1, nn.BatchNorm2d, []]
  - [-1, 1, nn.ReLU, []]
head:
  - [-1, 1, ConvTranspose, [256, 2, 2]]
  - [[-1, 11], 1, Concat, [1]]
  - [-1, 1, nn.ConvTranspose2d, [128, 2, 2, 0]]
  - [-1, 1, DWConv, [128, 3]]
  - [-1, 1, SPPF, [128, 5, 3, True]]
  - [-1, 1, ELAN1, [128, 64, 32]]
  - [-2, 1, nn.MaxPool2d, [2, 2, 0]]
  - [-1, 1, AConv, [128]]
  - [[22, 24], 1, Detect, [nc]]
"""

#: YOLOv9, with a second backbone that takes parts of the first.
FUSED = """
nc: 5
backbone:
  - [-1, 1, nn.Identity, []]
  - [-1, 1, Conv, [16, 3, 2]]
  - [-1, 1, RepNCSPELAN4, [32, 32, 16, 2]]
  - [-1, 1, ADown, [32]]
  - [1, 1, CBLinear, [[8]]]
  - [3, 1, CBLinear, [[8, 32]]]
  - [0, 1, Conv, [8, 3, 2]]
  - [[4, 5, -1], 1, CBFuse, [[0, 0]]]
  - [-1, 1, Conv, [32, 3, 2]]
  - [[5, -1], 1, CBFuse, [[1]]]
  - [-1, 1, RepConv, [32, 32, 3, 1]]
  - [-1, 1, SPPELAN, [48, 16]]
head:
  - [[-1, 2, 9, 11], 1, Detect, [nc]]
"""

RESNET = """
nc: 10
backbone:
  - [-1, 1, ResNetLayer, [3, 16, 1, True, 1]]
  - [-1, 1, ResNetLayer, [16, 16, 1, False, 2]]
  - [-1, 1, ResNetLayer, [64, 32, 2, False, 3]]
head:
  - [-1, 1, Classify, [nc]]
"""


class Case(NamedTuple):
    """A model file: the stem of its name and its text."""

    stem: str
    text: str


CASES = [
    *(Case(f"yolov8{scale}", YOLOV8) for scale in "ns"),
    Case("yolov8n-seg", YOLOV8.replace("Detect, [nc]", "Segment, [nc, 32, 256]")),
    Case("yolov8n-pose", "kpt_shape: [17, 3]\n" + YOLOV8.replace("Detect, [nc]", "Pose, [nc, kpt_shape]")),
    Case("yolov8n-obb", YOLOV8.replace("Detect, [nc]", "OBB, [nc, 1]")),
    Case("yolov8s-cls", f"nc: 10{_SCALES}{_BACKBONE}head:\n  - [-1, 1, Classify, [nc]]\n"),
    Case("yolov8n-many", MANY),
    Case("yolov8m-many", MANY),
    Case("yolov8n-bins", "reg_max: 8\n" + MANY),
    Case("yolov8n-ten", MANY.replace("Detect", "v10Detect")),
    Case("yolov8n-twice", "end2end: true\nreg_max: 1\n" + MANY),
    Case("fused", FUSED),
    Case("resnet", RESNET),
]
