# One-shot comparison of two images: one encoder, called twice, and the distance of what it gives.
import torch
import torch.nn as nn
import torch.nn.functional as F


class Siamese(nn.Module):

    def __init__(self):
        super(Siamese, self).__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(1, 8, 10),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 7),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.liner = nn.Sequential(nn.Linear(16 * 10 * 10, 64), nn.Sigmoid())
        self.out = nn.Linear(64, 1)

    def forward_one(self, x):
        x = self.conv(x)
        x = x.view(x.size()[0], -1)
        x = self.liner(x)
        return x

    def forward(self, x1, x2):
        out1 = self.forward_one(x1)
        out2 = self.forward_one(x2)
        dis = torch.abs(out1 - out2)
        out = self.out(dis)
        return out


NET = Siamese()
INPUT = {"x1": (1, 62, 62), "x2": (1, 62, 62)}
