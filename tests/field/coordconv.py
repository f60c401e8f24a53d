# CoordConv: coordinates as channels, computed from the size alone.
import torch
import torch.nn as nn


class AddCoords(nn.Module):
    def forward(self, x):
        b, _, h, w = x.shape
        ys = torch.linspace(-1, 1, h).view(1, 1, h, 1).expand(b, 1, h, w)
        xs = torch.linspace(-1, 1, w).view(1, 1, 1, w).expand(b, 1, h, w)
        return torch.cat([x, ys, xs], dim=1)  # refused: CNN219


NET = nn.Sequential(AddCoords(), nn.Conv2d(5, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 1))
INPUT = (3, 16, 16)
