# FCN-8s with three skips and scores resized to the next skip and to the image.
import torch
import torch.nn as nn
import torch.nn.functional as F


class FCN8s(nn.Module):
    def __init__(self, n_class=5):
        super(FCN8s, self).__init__()
        # conv1
        self.conv1_1 = nn.Conv2d(3, 8, 3, padding=1)
        self.relu1_1 = nn.ReLU(inplace=True)
        self.conv1_2 = nn.Conv2d(8, 8, 3, padding=1)
        self.relu1_2 = nn.ReLU(inplace=True)
        self.pool1 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # 1/2

        # conv2
        self.conv2_1 = nn.Conv2d(8, 16, 3, padding=1)
        self.relu2_1 = nn.ReLU(inplace=True)
        self.pool2 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # 1/4

        # conv3
        self.conv3_1 = nn.Conv2d(16, 16, 3, padding=1)
        self.relu3_1 = nn.ReLU(inplace=True)
        self.pool3 = nn.MaxPool2d(2, stride=2, ceil_mode=True)  # 1/8

        # fc6
        self.fc6 = nn.Conv2d(16, 32, 7, padding=3)
        self.relu6 = nn.ReLU(inplace=True)
        self.drop6 = nn.Dropout2d()

        self.score_fr = nn.Conv2d(32, n_class, 1)
        self.score_pool1 = nn.Conv2d(8, n_class, 1)
        self.score_pool2 = nn.Conv2d(16, n_class, 1)

    def forward(self, x):
        h = x
        h = self.relu1_1(self.conv1_1(h))
        h = self.relu1_2(self.conv1_2(h))
        h = self.pool1(h)
        pool1 = h  # 1/2

        h = self.relu2_1(self.conv2_1(h))
        h = self.pool2(h)
        pool2 = h  # 1/4

        h = self.relu3_1(self.conv3_1(h))
        h = self.pool3(h)

        h = self.relu6(self.fc6(h))
        h = self.drop6(h)

        h = self.score_fr(h)
        h = F.interpolate(h, size=pool2.size()[2:], mode='bilinear', align_corners=False)
        h = h + self.score_pool2(pool2)
        h = F.interpolate(h, size=pool1.size()[2:], mode='bilinear', align_corners=False)
        h = h + self.score_pool1(pool1)
        return F.interpolate(h, size=x.size()[2:], mode='bilinear', align_corners=False)


NET = FCN8s()
INPUT = (3, 64, 64)
