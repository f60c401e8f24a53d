# A WaveNet: dilated causal convolutions cut to their input's length, gates, skips that are summed.
import torch
import torch.nn as nn
import torch.nn.functional as F


class CausalConv1d(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, dilation):
        super().__init__()
        self.pad = (kernel_size - 1) * dilation
        self.conv = nn.Conv1d(in_channels, out_channels, kernel_size, padding=self.pad, dilation=dilation)

    def forward(self, x):
        return self.conv(x)[..., :-self.pad]


class ResidualStack(nn.Module):
    def __init__(self, channels, skip_channels, dilation):
        super().__init__()
        self.filter = CausalConv1d(channels, channels, 2, dilation)
        self.gate = CausalConv1d(channels, channels, 2, dilation)
        self.res = nn.Conv1d(channels, channels, 1)
        self.skip = nn.Conv1d(channels, skip_channels, 1)

    def forward(self, x):
        h = torch.tanh(self.filter(x)) * torch.sigmoid(self.gate(x))
        return self.res(h) + x, self.skip(h)


class WaveNet(nn.Module):
    def __init__(self, layers=4, blocks=2, channels=8, skip_channels=16, classes=32):
        super().__init__()
        self.start = nn.Conv1d(1, channels, 1)
        self.stacks = nn.ModuleList(
            [ResidualStack(channels, skip_channels, 2 ** i) for _ in range(blocks) for i in range(layers)]
        )
        self.end1 = nn.Conv1d(skip_channels, skip_channels, 1)
        self.end2 = nn.Conv1d(skip_channels, classes, 1)

    def forward(self, x):
        x = self.start(x)
        skips = 0
        for stack in self.stacks:
            x, skip = stack(x)
            skips = skips + skip
        x = F.relu(skips)
        x = F.relu(self.end1(x))
        return self.end2(x)


NET = WaveNet()
INPUT = (1, 64)
