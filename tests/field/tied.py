# A head whose weights are those of an earlier layer: no layer of ours shares only its weights.
import torch.nn as nn
import torch.nn.functional as F


class Tied(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, 2, 1)
        self.down = nn.Conv2d(4, hidden, 1, bias=False)
        self.same = nn.Conv2d(4, hidden, 1, bias=False)
        self.same.weight = self.down.weight

    def forward(self, x):
        x = F.relu(self.conv(x))
        return self.down(x) + self.same(x.tanh())  # refused: CNN220


NET = Tied()
INPUT = (1, 16, 16)
