"""YOLOv8 written by hand in plain PyTorch, without cnndsl.

The names of the modules, and so those in a checkpoint, are the original's. The outputs were compared once with those of
ultralytics 8.4.190: they are equal in all five sizes, bit for bit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Conv(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=1e-3, momentum=0.03)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(channels, channels, 3), Conv(channels, channels, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.cv2(self.cv1(x))
        return x + y if self.shortcut else y


class C2f(nn.Module):
    def __init__(self, channels: int, out: int, depth: int, shortcut: bool = False) -> None:
        super().__init__()
        half = out // 2
        self.cv1 = Conv(channels, 2 * half)
        self.cv2 = Conv((2 + depth) * half, out)
        self.m = nn.ModuleList([Bottleneck(half, shortcut) for _ in range(depth)])

    def forward(self, x: Tensor) -> Tensor:
        maps = list(self.cv1(x).chunk(2, 1))
        for bottleneck in self.m:
            maps.append(bottleneck(maps[-1]))
        y: Tensor = self.cv2(torch.cat(maps, 1))
        return y


class SPPF(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(channels, channels // 2), Conv(channels // 2 * 4, out)

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.cv1(x)]
        for _ in range(3):
            maps.append(F.max_pool2d(maps[-1], 5, 1, 2))
        y: Tensor = self.cv2(torch.cat(maps, 1))
        return y


class DFL(nn.Module):
    def __init__(self, bins: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(bins, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        count, _, places = x.shape
        odds = x.view(count, 4, -1, places).transpose(2, 1).softmax(1)
        distances: Tensor = self.conv(odds).view(count, 4, places)
        return distances


class Detect(nn.Module):
    def __init__(self, channels: list[int], classes: int, bins: int = 16) -> None:
        super().__init__()
        inner, votes = max(16, channels[0] // 4, 4 * bins), max(channels[0], min(classes, 100))
        self.cv2 = nn.ModuleList([self.tower(width, inner, 4 * bins) for width in channels])
        self.cv3 = nn.ModuleList([self.tower(width, votes, classes) for width in channels])
        self.dfl = DFL(bins)

    @staticmethod
    def tower(channels: int, inner: int, out: int) -> nn.Sequential:
        return nn.Sequential(Conv(channels, inner, 3), Conv(inner, inner, 3), nn.Conv2d(inner, out, 1))

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        boxes = torch.cat([head(one).flatten(2) for head, one in zip(self.cv2, maps)], -1)
        scores = torch.cat([head(one).flatten(2) for head, one in zip(self.cv3, maps)], -1)
        return self.dfl(boxes), scores


class YOLOv8(nn.Module):
    """Jocher et al., 2023. Each size multiplies depth and width, up to a number of channels."""

    SIZES = {
        "n": (1 / 3, 0.25, 1024),
        "s": (1 / 3, 0.5, 1024),
        "m": (2 / 3, 0.75, 768),
        "l": (1, 1, 512),
        "x": (1, 1.25, 512),
    }

    def __init__(self, size: str = "n", classes: int = 80) -> None:
        super().__init__()
        deep, wide, most = self.SIZES[size]
        w = [int(min(channels, most) * wide) for channels in (64, 128, 256, 512, 1024)]
        short, long = round(3 * deep), round(6 * deep)
        layers: list[nn.Module] = [
            *(Conv(3, w[0], 3, 2), Conv(w[0], w[1], 3, 2), C2f(w[1], w[1], short, True)),
            *(Conv(w[1], w[2], 3, 2), C2f(w[2], w[2], long, True)),
            *(Conv(w[2], w[3], 3, 2), C2f(w[3], w[3], long, True)),
            *(Conv(w[3], w[4], 3, 2), C2f(w[4], w[4], short, True), SPPF(w[4], w[4])),
            *(nn.Upsample(scale_factor=2), nn.Identity(), C2f(w[4] + w[3], w[3], short)),
            *(nn.Upsample(scale_factor=2), nn.Identity(), C2f(w[3] + w[2], w[2], short)),
            *(Conv(w[2], w[2], 3, 2), nn.Identity(), C2f(w[2] + w[3], w[3], short)),
            *(Conv(w[3], w[3], 3, 2), nn.Identity(), C2f(w[3] + w[4], w[4], short)),
            Detect(w[2:], classes),
        ]
        self.model = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        joined = {11: 6, 14: 4, 17: 12, 20: 9}
        kept: list[Tensor] = []
        for index, layer in enumerate([*self.model][:-1]):
            x = torch.cat([x, kept[joined[index]]], 1) if index in joined else layer(x)
            kept.append(x)
        found: tuple[Tensor, Tensor] = self.model[-1]([kept[15], kept[18], kept[21]])
        return found
