# One convolution in a loop, and one activation everywhere: shared modules (DRCN's recursion).
import torch
import torch.nn as nn


class Recursive(nn.Module):
    def __init__(self, channels=16, recursions=4):
        super().__init__()
        self.act = nn.PReLU()
        self.embed = nn.Conv2d(1, channels, 3, padding=1)
        self.shared = nn.Conv2d(channels, channels, 3, padding=1)
        self.reconstruct = nn.Conv2d(channels, 1, 3, padding=1)
        self.recursions = recursions

    def forward(self, x):
        h = self.act(self.embed(x))
        outs = []
        for _ in range(self.recursions):
            h = self.act(self.shared(h))
            outs.append(self.reconstruct(h) + x)
        return sum(outs) / len(outs)


NET = Recursive()
INPUT = (1, 16, 16)
