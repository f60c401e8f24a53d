# A shared trunk with two heads of one class, which return a tuple each; the network returns a named tuple.
from collections import namedtuple

import torch
import torch.nn as nn

Result = namedtuple("Result", ["boxes", "scores"])


class Head(nn.Module):
    def __init__(self, in_channels, num_anchors, out_per_anchor, num_convs=2):
        super().__init__()
        conv = []
        for _ in range(num_convs):
            conv += [nn.Conv2d(in_channels, in_channels, 3, padding=1), nn.ReLU()]
        self.conv = nn.Sequential(*conv)
        self.pred = nn.Conv2d(in_channels, num_anchors * out_per_anchor, 3, padding=1)
        self.out_per_anchor = out_per_anchor

    def forward(self, features):
        all_preds = []
        for feature in features:
            pred = self.pred(self.conv(feature))
            N, _, H, W = pred.shape
            pred = pred.view(N, -1, self.out_per_anchor, H, W)
            pred = pred.permute(0, 3, 4, 1, 2)
            pred = pred.reshape(N, -1, self.out_per_anchor)
            all_preds.append(pred)
        return torch.cat(all_preds, dim=1)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1 = nn.Conv2d(3, 16, 3, 4, 1)
        self.c2 = nn.Conv2d(16, 16, 3, 2, 1)
        self.c3 = nn.Conv2d(16, 16, 3, 2, 1)
        self.boxes = Head(16, 3, 4)
        self.scores = Head(16, 3, 2)

    def forward(self, images):
        a = self.c1(images).relu()
        b = self.c2(a).relu_()
        c = self.c3(b).relu_()
        features = [a, b, c]
        return Result(self.boxes(features), self.scores(features))


NET = Detector()
INPUT = (3, 64, 64)
