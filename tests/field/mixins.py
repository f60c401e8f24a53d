# forward comes from a mixin, and parts of it from methods that classes below replace.
import torch
import torch.nn as nn


class HeadMixin:
    def make_head(self, channels, classes):
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def head(self, x):
        return self.fc(torch.flatten(self.pool(x), start_dim=1))


class Base(nn.Module):
    block = None

    def __init__(self, channels, depth, classes=10):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(type(self).block(channels) for _ in range(depth)))
        self.make_head(channels, classes)

    def features(self, x):
        return self.body(self.stem(x))

    def forward(self, x):
        return self.head(self.features(x))


class PreAct(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.act = nn.SiLU()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def branch(self, x):
        return self.conv(self.act(self.norm(x)))

    def forward(self, x):
        return x + self.branch(x)


class Scaled(PreAct):
    def branch(self, x):
        return 0.1 * super().branch(x)


class Net(HeadMixin, Base):
    block = Scaled


NET = Net(16, 3)
INPUT = (3, 16, 16)
