# Control flow on the values of a tensor.
import torch
import torch.nn as nn
import torch.nn.functional as F


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        if x.mean() > 0.5:  # refused: CNN217
            x = F.relu(self.conv2(x))
        return self.fc(x.mean((2, 3)))


NET = Gated()
INPUT = (3, 16, 16)
