# Control flow on sizes: the input is padded to a multiple of eight if it must be, and cut again.
import torch
import torch.nn as nn
import torch.nn.functional as F


class Denoiser(nn.Module):
    def __init__(self, depth=4, width=16):
        super().__init__()
        self.head = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.ModuleList()
        for _ in range(depth - 2):
            self.body.append(nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()))
        self.down = nn.PixelUnshuffle(2)
        self.up = nn.Sequential(nn.Conv2d(4 * width, 4 * width, 1), nn.PixelShuffle(2))
        self.tail = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x):
        b, c, h, w = x.shape
        if h % 8 or w % 8:
            x = F.pad(x, (0, 8 - w % 8, 0, 8 - h % 8), mode="replicate")
        y = F.relu(self.head(x))
        for layer in self.body:
            y = layer(y)
        y = self.up(self.down(y))
        y = self.tail(y)
        return (x - y)[:, :, :h, :w]  # refused: CNN216


NET = Denoiser()
INPUT = (3, 32, 32)
