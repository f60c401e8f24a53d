# A number is taken out of a tensor.
import torch
import torch.nn as nn


class Normalise(nn.Module):
    def forward(self, x):
        scale = x.abs().max().item()  # refused: CNN217
        return x / scale


NET = nn.Sequential(Normalise(), nn.Conv2d(3, 4, 3))
INPUT = (3, 16, 16)
