# An image and a vector of attributes: the vector is spread over the image and concatenated (a conditional network).
import torch
import torch.nn as nn


class Conditional(nn.Module):
    def __init__(self, attributes=5, conv_dim=8, repeat_num=2):
        super().__init__()
        layers = []
        layers.append(nn.Conv2d(3 + attributes, conv_dim, kernel_size=7, stride=1, padding=3, bias=False))
        layers.append(nn.InstanceNorm2d(conv_dim, affine=True, track_running_stats=True))
        layers.append(nn.ReLU(inplace=True))
        for _ in range(repeat_num):
            layers.append(nn.Conv2d(conv_dim, conv_dim * 2, 4, 2, 1))
            conv_dim *= 2
        self.main = nn.Sequential(*layers)
        self.out = nn.Linear(conv_dim, 1)

    def forward(self, x, c):
        # Replicate spatially and concatenate domain information.
        c = c.view(c.size(0), c.size(1), 1, 1)
        c = c.repeat(1, 1, x.size(2), x.size(3))
        x = torch.cat([x, c], dim=1)
        return self.out(self.main(x).sum((2, 3)))


NET = Conditional()
INPUT = {"x": (3, 32, 32), "c": (5,)}
