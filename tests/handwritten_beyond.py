"""The networks of ``archs/beyond/`` written by hand in plain PyTorch, without cnndsl, after their papers.

Parameters and buffers are registered in the order in which the data flow uses them, so that weights can be copied in
order. What has no weights is a function, and a crop is a slice: nothing here is done the way the emitted source does.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def crop(skip: Tensor, like: Tensor) -> Tensor:
    """The middle of a skip, as large as what it is concatenated with."""
    for dim in range(2, skip.dim()):
        size = like.shape[dim]
        start = (skip.shape[dim] - size) // 2
        skip = skip[(slice(None),) * dim + (slice(start, start + size),)]
    return skip


class UNet(nn.Module):
    """Ronneberger et al., 2015."""

    def __init__(self, width: int = 64, classes: int = 2) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList()
        channels = 1
        for wider in (*widths, 16 * width):
            self.down.append(self.pair(channels, wider))
            channels = wider
        self.up = nn.ModuleList()
        for narrower in reversed(widths):
            self.up.append(nn.ConvTranspose2d(2 * narrower, narrower, 2, stride=2))
            self.up.append(self.pair(2 * narrower, narrower))
        self.head = nn.Conv2d(width, classes, 1)

    @staticmethod
    def pair(channels: int, out: int) -> nn.ModuleList:
        return nn.ModuleList([nn.Conv2d(channels, out, 3), nn.Conv2d(out, out, 3)])

    @staticmethod
    def run(convolutions: nn.Module, x: Tensor) -> Tensor:
        for convolution in convolutions.children():
            x = F.relu(convolution(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        *encoders, bottom = self.down
        skips = []
        for encoder in encoders:
            x = self.run(encoder, x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.run(bottom, x)
        for upsample, decoder, skip in zip(self.up[::2], self.up[1::2], reversed(skips), strict=True):
            x = upsample(x)
            x = self.run(decoder, torch.cat([crop(skip, x), x], dim=1))
        output: Tensor = self.head(x)
        return output


class UNet3d(nn.Module):
    """Cicek et al., 2016, level by level: 132 x 132 x 116 voxels become 44 x 44 x 28."""

    def __init__(self, width: int = 32, classes: int = 3) -> None:
        super().__init__()
        w = width
        self.enc0 = nn.Sequential(*self.conv(3, w), *self.conv(w, 2 * w))
        self.enc1 = nn.Sequential(*self.conv(2 * w, 2 * w), *self.conv(2 * w, 4 * w))
        self.enc2 = nn.Sequential(*self.conv(4 * w, 4 * w), *self.conv(4 * w, 8 * w))
        self.bottom = nn.Sequential(*self.conv(8 * w, 8 * w), *self.conv(8 * w, 16 * w))
        self.up2 = nn.ConvTranspose3d(16 * w, 16 * w, 2, stride=2)
        self.dec2 = nn.Sequential(*self.conv(24 * w, 8 * w), *self.conv(8 * w, 8 * w))
        self.up1 = nn.ConvTranspose3d(8 * w, 8 * w, 2, stride=2)
        self.dec1 = nn.Sequential(*self.conv(12 * w, 4 * w), *self.conv(4 * w, 4 * w))
        self.up0 = nn.ConvTranspose3d(4 * w, 4 * w, 2, stride=2)
        self.dec0 = nn.Sequential(*self.conv(6 * w, 2 * w), *self.conv(2 * w, 2 * w))
        self.head = nn.Conv3d(2 * w, classes, 1)

    @staticmethod
    def conv(channels: int, out: int) -> list[nn.Module]:
        return [nn.Conv3d(channels, out, 3, bias=False), nn.BatchNorm3d(out), nn.ReLU()]

    def forward(self, x: Tensor) -> Tensor:
        skip0 = self.enc0(x)
        skip1 = self.enc1(F.max_pool3d(skip0, 2))
        skip2 = self.enc2(F.max_pool3d(skip1, 2))
        x = self.up2(self.bottom(F.max_pool3d(skip2, 2)))
        x = self.up1(self.dec2(torch.cat([crop(skip2, x), x], dim=1)))
        x = self.up0(self.dec1(torch.cat([crop(skip1, x), x], dim=1)))
        output: Tensor = self.head(self.dec0(torch.cat([crop(skip0, x), x], dim=1)))
        return output


class AttentionUNet(nn.Module):
    """Oktay et al., 2018, in two dimensions: each skip is weighed, place by place, before it is concatenated."""

    def __init__(self, width: int = 64, classes: int = 2) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width, 16 * width]
        self.down = nn.ModuleList(map(self.pair, [1, *widths[:-1]], widths))
        self.steps = nn.ModuleList()
        for wide, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.steps.append(self.conv(wide, narrow))
            for channels, out in ((narrow, narrow // 2), (narrow, narrow // 2), (narrow // 2, 1)):
                self.steps.append(self.conv(channels, out, 1))
            self.steps.append(self.pair(2 * narrow, narrow))
        self.head = nn.Conv2d(width, classes, 1)

    @staticmethod
    def conv(channels: int, out: int, kernel: int = 3) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(out))

    @classmethod
    def pair(cls, channels: int, out: int) -> nn.Sequential:
        return nn.Sequential(*cls.conv(channels, out), nn.ReLU(), *cls.conv(out, out), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for encoder in self.down:
            x = encoder(F.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for index, skip in enumerate(skips[-2::-1]):
            enlarge, where, what, psi, join = self.steps[5 * index : 5 * index + 5]
            x = F.relu(enlarge(F.interpolate(x, skip.shape[2:])))
            weight = psi(F.relu(where(x) + what(skip))).sigmoid()
            x = join(torch.cat([skip * weight, x], 1))
        output: Tensor = self.head(x)
        return output


class Siamese(nn.Module):
    """Koch et al., 2015."""

    def __init__(self, width: int = 64, features: int = 4096) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, width, 10)
        self.conv2 = nn.Conv2d(width, 2 * width, 7)
        self.conv3 = nn.Conv2d(2 * width, 2 * width, 4)
        self.conv4 = nn.Conv2d(2 * width, 4 * width, 4)
        self.embedding = nn.Linear(4 * width * 6 * 6, features)
        self.head = nn.Linear(features, 1)

    def embed(self, x: Tensor) -> Tensor:
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(convolution(x)), 2)
        x = F.relu(self.conv4(x))
        return torch.sigmoid(self.embedding(x.flatten(1)))

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        output: Tensor = self.head((self.embed(left) - self.embed(right)).abs())
        return output


class Generator(nn.Module):
    """Radford et al., 2016."""

    def __init__(self, width: int = 128, colours: int = 3) -> None:
        super().__init__()
        self.project = nn.ConvTranspose2d(100, 8 * width, 4, bias=False)
        self.bn1 = nn.BatchNorm2d(8 * width)
        self.grow1 = nn.ConvTranspose2d(8 * width, 4 * width, 4, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * width)
        self.grow2 = nn.ConvTranspose2d(4 * width, 2 * width, 4, 2, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(2 * width)
        self.grow3 = nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False)
        self.bn4 = nn.BatchNorm2d(width)
        self.grow4 = nn.ConvTranspose2d(width, colours, 4, 2, 1, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.project(z)))
        x = F.relu(self.bn2(self.grow1(x)))
        x = F.relu(self.bn3(self.grow2(x)))
        x = F.relu(self.bn4(self.grow3(x)))
        return torch.tanh(self.grow4(x))


class ESPCN(nn.Module):
    """Shi et al., 2016."""

    def __init__(self, upscale: int = 3, colours: int = 1) -> None:
        super().__init__()
        self.upscale = upscale
        self.conv1 = nn.Conv2d(colours, 64, 5, padding=2)
        self.conv2 = nn.Conv2d(64, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, colours * upscale**2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.conv1(x))
        x = torch.tanh(self.conv2(x))
        return F.pixel_shuffle(self.conv3(x), self.upscale)


class M5(nn.Module):
    """Dai et al., 2017."""

    def __init__(self, width: int = 128, classes: int = 10) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(1, width, 80, stride=4, padding=38, bias=False)
        self.bn1 = nn.BatchNorm1d(width)
        self.conv2 = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm1d(width)
        self.conv3 = nn.Conv1d(width, 2 * width, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm1d(2 * width)
        self.conv4 = nn.Conv1d(2 * width, 4 * width, 3, padding=1, bias=False)
        self.bn4 = nn.BatchNorm1d(4 * width)
        self.head = nn.Linear(4 * width, classes)

    @staticmethod
    def pooled(x: Tensor) -> Tensor:
        return F.max_pool1d(F.relu(x), 4, ceil_mode=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pooled(self.bn1(self.conv1(x)))
        x = self.pooled(self.bn2(self.conv2(x)))
        x = self.pooled(self.bn3(self.conv3(x)))
        x = self.pooled(self.bn4(self.conv4(x)))
        output: Tensor = self.head(x.mean(dim=2))
        return output
