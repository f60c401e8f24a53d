# Antialiased pooling: a fixed kernel in a buffer, which conv2d takes.
import torch
import torch.nn as nn
import torch.nn.functional as F


class BlurPool(nn.Module):
    def __init__(self, channels, stride=2):
        super().__init__()
        a = torch.tensor([1., 2., 1.])
        filt = a[:, None] * a[None, :]
        filt = filt / filt.sum()
        self.channels, self.stride = channels, stride
        self.register_buffer('filt', filt[None, None].repeat(channels, 1, 1, 1))
        self.pad = nn.ReflectionPad2d(1)

    def forward(self, inp):
        return F.conv2d(self.pad(inp), self.filt, stride=self.stride, groups=self.channels)


NET = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), BlurPool(8), nn.Conv2d(8, 4, 3))
INPUT = (3, 16, 16)
