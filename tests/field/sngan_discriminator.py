# A discriminator with spectral norm from torch.nn.utils.parametrizations, made by a function.
import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import spectral_norm


def snconv(*args, **kwargs):
    return spectral_norm(nn.Conv2d(*args, **kwargs))


class ResBlockD(nn.Module):
    def __init__(self, in_channels, out_channels, downsample=False):
        super().__init__()
        self.downsample = downsample
        self.learnable_sc = in_channels != out_channels or downsample
        self.c1 = snconv(in_channels, out_channels, 3, 1, 1)
        self.c2 = snconv(out_channels, out_channels, 3, 1, 1)
        if self.learnable_sc:
            self.c_sc = snconv(in_channels, out_channels, 1, 1, 0)
        self.activation = nn.ReLU()

    def residual(self, x):
        h = self.activation(x)
        h = self.c1(h)
        h = self.activation(h)
        h = self.c2(h)
        if self.downsample:
            h = nn.functional.avg_pool2d(h, 2)
        return h

    def shortcut(self, x):
        if self.learnable_sc:
            x = self.c_sc(x)
            return nn.functional.avg_pool2d(x, 2) if self.downsample else x
        return x

    def forward(self, x):
        return self.residual(x) + self.shortcut(x)


class Discriminator(nn.Module):
    def __init__(self, ndf=16):
        super().__init__()
        self.block1 = ResBlockD(3, ndf, downsample=True)
        self.block2 = ResBlockD(ndf, ndf * 2, downsample=True)
        self.block3 = ResBlockD(ndf * 2, ndf * 2)
        self.block4 = ResBlockD(ndf * 2, ndf * 2)
        self.l5 = spectral_norm(nn.Linear(ndf * 2, 1, bias=False))
        self.activation = nn.ReLU(True)

    def forward(self, x):
        h = self.block4(self.block3(self.block2(self.block1(x))))
        h = self.activation(h)
        h = torch.sum(h, dim=(2, 3))
        return self.l5(h)


NET = Discriminator()
INPUT = (3, 32, 32)
