# HRNet's module: branches of several resolutions in a list, each fused with all others.
import torch
import torch.nn as nn
import torch.nn.functional as F

BN_MOMENTUM = 0.1


def conv3x3(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, kernel_size=3, stride=stride, padding=1, bias=False)


class BasicBlock(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.conv1 = conv3x3(planes, planes)
        self.bn1 = nn.BatchNorm2d(planes, momentum=BN_MOMENTUM)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes, momentum=BN_MOMENTUM)

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += x
        return self.relu(out)


class HighResolutionModule(nn.Module):
    def __init__(self, channels, num_blocks):
        super().__init__()
        self.num_branches = len(channels)
        self.branches = nn.ModuleList([
            nn.Sequential(*[BasicBlock(c) for _ in range(num_blocks)]) for c in channels
        ])
        self.fuse_layers = self._make_fuse_layers(channels)
        self.relu = nn.ReLU(False)

    def _make_fuse_layers(self, channels):
        fuse_layers = []
        for i in range(self.num_branches):
            fuse_layer = []
            for j in range(self.num_branches):
                if j > i:
                    fuse_layer.append(nn.Sequential(
                        nn.Conv2d(channels[j], channels[i], 1, 1, 0, bias=False),
                        nn.BatchNorm2d(channels[i]),
                        nn.Upsample(scale_factor=2**(j-i), mode='nearest')))
                elif j == i:
                    fuse_layer.append(None)
                else:
                    conv3x3s = []
                    for k in range(i-j):
                        if k == i - j - 1:
                            conv3x3s.append(nn.Sequential(
                                nn.Conv2d(channels[j], channels[i], 3, 2, 1, bias=False),
                                nn.BatchNorm2d(channels[i])))
                        else:
                            conv3x3s.append(nn.Sequential(
                                nn.Conv2d(channels[j], channels[j], 3, 2, 1, bias=False),
                                nn.BatchNorm2d(channels[j]),
                                nn.ReLU(True)))
                    fuse_layer.append(nn.Sequential(*conv3x3s))
            fuse_layers.append(nn.ModuleList(fuse_layer))
        return nn.ModuleList(fuse_layers)

    def forward(self, x):
        for i in range(self.num_branches):
            x[i] = self.branches[i](x[i])

        x_fuse = []
        for i in range(len(self.fuse_layers)):
            y = x[0] if i == 0 else self.fuse_layers[i][0](x[0])
            for j in range(1, self.num_branches):
                if i == j:
                    y = y + x[j]
                else:
                    y = y + self.fuse_layers[i][j](x[j])
            x_fuse.append(self.relu(y))

        return x_fuse


class HRNet(nn.Module):
    def __init__(self, c=8, joints=5):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, c, 3, 2, 1, bias=False), nn.BatchNorm2d(c, momentum=BN_MOMENTUM), nn.ReLU(inplace=True))
        self.transition1 = nn.ModuleList([
            nn.Sequential(conv3x3(c, c), nn.BatchNorm2d(c), nn.ReLU(True)),
            nn.Sequential(conv3x3(c, 2 * c, 2), nn.BatchNorm2d(2 * c), nn.ReLU(True)),
        ])
        self.stage2 = HighResolutionModule([c, 2 * c], 2)
        self.transition2 = nn.ModuleList([
            None, None, nn.Sequential(conv3x3(2 * c, 4 * c, 2), nn.BatchNorm2d(4 * c), nn.ReLU(True)),
        ])
        self.stage3 = HighResolutionModule([c, 2 * c, 4 * c], 2)
        self.final_layer = nn.Conv2d(7 * c, joints, 1)

    def forward(self, x):
        x = self.stem(x)
        x_list = [t(x) for t in self.transition1]
        y_list = self.stage2(x_list)
        x_list = []
        for t, i in zip(self.transition2, (0, 1, -1)):
            x_list.append(t(y_list[i]) if t is not None else y_list[i])
        y_list = self.stage3(x_list)
        size = y_list[0].shape[2:]
        ups = [y_list[0]] + [F.interpolate(y, size=size, mode='bilinear', align_corners=False) for y in y_list[1:]]
        return self.final_layer(torch.cat(ups, 1))


NET = HRNet()
INPUT = (3, 64, 64)
