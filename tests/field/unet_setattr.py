# A U-Net without classes of its own for the parts: names by setattr, skips in a dict, interpolation to the skip's size.
import torch
import torch.nn as nn
import torch.nn.functional as F


class UNet(nn.Module):
    def __init__(self, in_ch=3, out_ch=1, depth=4, base=8):
        super().__init__()
        self.depth = depth
        ch = in_ch
        for i in range(depth):
            setattr(self, f"enc{i}", nn.Conv2d(ch, base * 2 ** i, 3, padding=1))
            ch = base * 2 ** i
        for i in reversed(range(depth - 1)):
            setattr(self, f"dec{i}", nn.Conv2d(ch + base * 2 ** i, base * 2 ** i, 3, padding=1))
            ch = base * 2 ** i
        self.head = nn.Conv2d(ch, out_ch, 1)

    def forward(self, x):
        skips = {}
        for i in range(self.depth):
            x = F.leaky_relu(getattr(self, f"enc{i}")(x), 0.1, inplace=True)
            if i < self.depth - 1:
                skips[i] = x
                x = F.max_pool2d(x, 2)
        for i in reversed(range(self.depth - 1)):
            x = F.interpolate(x, size=skips[i].shape[-2:], mode="bilinear", align_corners=False)
            x = torch.cat((x, skips[i]), dim=1)
            x = F.leaky_relu(getattr(self, f"dec{i}")(x), 0.1, inplace=True)
        return torch.sigmoid(self.head(x))


NET = UNet()
INPUT = (3, 40, 48)
