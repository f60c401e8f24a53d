# Spatial pyramid pooling written with windows computed from the size (SPP-Net), before linear layers.
from math import ceil, floor

import torch
import torch.nn as nn
import torch.nn.functional as F


def spatial_pyramid_pool(previous_conv, out_pool_size):
    for i in range(len(out_pool_size)):
        h, w = previous_conv.size()[2:]
        h_wid = int(ceil(h / out_pool_size[i]))
        w_wid = int(ceil(w / out_pool_size[i]))
        x = F.max_pool2d(previous_conv, (h_wid, w_wid), stride=(h_wid, w_wid))
        if i == 0:
            spp = x.view(x.size(0), -1)
        else:
            spp = torch.cat((spp, x.view(x.size(0), -1)), 1)
    return spp


class SPPNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 2, 1)
        self.fc = nn.Linear(16 * (16 + 4 + 1), 10)

    def forward(self, x):
        x = F.relu(self.conv2(F.relu(self.conv1(x))))
        return self.fc(spatial_pyramid_pool(x, [4, 2, 1]))


NET = SPPNet()
INPUT = (3, 32, 32)
