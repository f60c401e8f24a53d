# A stacked hourglass: each holds the next smaller one inside; intermediate predictions are returned as a list.
import torch.nn as nn
import torch.nn.functional as F


class Residual(nn.Module):
    def __init__(self, inp_dim, out_dim):
        super(Residual, self).__init__()
        self.bn1 = nn.BatchNorm2d(inp_dim)
        self.conv1 = nn.Conv2d(inp_dim, out_dim // 2, 1)
        self.bn2 = nn.BatchNorm2d(out_dim // 2)
        self.conv2 = nn.Conv2d(out_dim // 2, out_dim // 2, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(out_dim // 2)
        self.conv3 = nn.Conv2d(out_dim // 2, out_dim, 1)
        self.skip_layer = nn.Conv2d(inp_dim, out_dim, 1)
        self.need_skip = inp_dim != out_dim
        self.relu = nn.ReLU()

    def forward(self, x):
        if self.need_skip:
            residual = self.skip_layer(x)
        else:
            residual = x
        out = self.conv1(self.relu(self.bn1(x)))
        out = self.conv2(self.relu(self.bn2(out)))
        out = self.conv3(self.relu(self.bn3(out)))
        out += residual
        return out


class Hourglass(nn.Module):
    def __init__(self, n, f, increase=0):
        super(Hourglass, self).__init__()
        nf = f + increase
        self.up1 = Residual(f, f)
        # Lower branch
        self.pool1 = nn.MaxPool2d(2, 2)
        self.low1 = Residual(f, nf)
        self.n = n
        # Recursive hourglass
        if self.n > 1:
            self.low2 = Hourglass(n-1, nf)
        else:
            self.low2 = Residual(nf, nf)
        self.low3 = Residual(nf, f)
        self.up2 = nn.Upsample(scale_factor=2, mode='nearest')

    def forward(self, x):
        up1 = self.up1(x)
        pool1 = self.pool1(x)
        low1 = self.low1(pool1)
        low2 = self.low2(low1)
        low3 = self.low3(low2)
        up2 = self.up2(low3)
        return up1 + up2


class PoseNet(nn.Module):
    def __init__(self, nstack=2, inp_dim=16, oup_dim=4, increase=8):
        super(PoseNet, self).__init__()
        self.nstack = nstack
        self.pre = nn.Sequential(
            nn.Conv2d(3, 8, 7, 2, 3), nn.BatchNorm2d(8), nn.ReLU(),
            Residual(8, 16),
            nn.MaxPool2d(2, 2),
            Residual(16, inp_dim),
        )
        self.hgs = nn.ModuleList([nn.Sequential(Hourglass(3, inp_dim, increase)) for i in range(nstack)])
        self.features = nn.ModuleList([nn.Sequential(
            Residual(inp_dim, inp_dim), nn.Conv2d(inp_dim, inp_dim, 1), nn.BatchNorm2d(inp_dim), nn.ReLU(),
        ) for i in range(nstack)])
        self.outs = nn.ModuleList([nn.Conv2d(inp_dim, oup_dim, 1) for i in range(nstack)])
        self.merge_features = nn.ModuleList([nn.Conv2d(inp_dim, inp_dim, 1) for i in range(nstack-1)])
        self.merge_preds = nn.ModuleList([nn.Conv2d(oup_dim, inp_dim, 1) for i in range(nstack-1)])

    def forward(self, imgs):
        x = self.pre(imgs)
        combined_hm_preds = []
        for i in range(self.nstack):
            hg = self.hgs[i](x)
            feature = self.features[i](hg)
            preds = self.outs[i](feature)
            combined_hm_preds.append(preds)
            if i < self.nstack - 1:
                x = x + self.merge_preds[i](preds) + self.merge_features[i](feature)
        return combined_hm_preds


# Of the blocks whose widths agree, the skip layer never runs: its weights are in the module and not in the spec.
NET = PoseNet()
INPUT = (3, 64, 64)
