# FiLM: a vector scales and shifts the features of an image, by unsqueezing.
import torch
import torch.nn as nn
import torch.nn.functional as F


class FiLMBlock(nn.Module):
    def __init__(self, channels, cond):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels, affine=False)
        self.film = nn.Linear(cond, 2 * channels)

    def forward(self, x, z):
        x = F.relu(self.conv1(x))
        gamma, beta = self.film(z).chunk(2, dim=-1)
        h = self.bn(self.conv2(x))
        h = h * (1 + gamma[:, :, None, None]) + beta.unsqueeze(-1).unsqueeze(-1)
        return x + F.relu(h)


class FiLMNet(nn.Module):
    def __init__(self, n_blocks=3, channels=16, cond=6):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, 2, 1)
        self.blocks = nn.ModuleList(FiLMBlock(channels, cond) for _ in range(n_blocks))
        self.cls = nn.Linear(channels, 4)

    def forward(self, image, question):
        x = self.stem(image)
        for b in self.blocks:
            x = b(x, question)
        return self.cls(torch.amax(x, dim=(2, 3)))


NET = FiLMNet()
INPUT = {"image": (3, 32, 32), "question": (6,)}
