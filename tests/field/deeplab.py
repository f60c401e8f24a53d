# DeepLab v3+: an ASPP with aspp1 to aspp4, pooling over the image resized to the features, a decoder with a skip.
import torch
import torch.nn as nn
import torch.nn.functional as F


class _ASPPModule(nn.Module):
    def __init__(self, inplanes, planes, kernel_size, padding, dilation, BatchNorm):
        super(_ASPPModule, self).__init__()
        self.atrous_conv = nn.Conv2d(inplanes, planes, kernel_size=kernel_size,
                                            stride=1, padding=padding, dilation=dilation, bias=False)
        self.bn = BatchNorm(planes)
        self.relu = nn.ReLU()

        self._init_weight()

    def forward(self, x):
        x = self.atrous_conv(x)
        x = self.bn(x)

        return self.relu(x)

    def _init_weight(self):
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                torch.nn.init.kaiming_normal_(m.weight)
            elif isinstance(m, nn.BatchNorm2d):
                m.weight.data.fill_(1)
                m.bias.data.zero_()


class ASPP(nn.Module):
    def __init__(self, inplanes, width, dilations, BatchNorm):
        super(ASPP, self).__init__()
        self.aspp1 = _ASPPModule(inplanes, width, 1, padding=0, dilation=dilations[0], BatchNorm=BatchNorm)
        self.aspp2 = _ASPPModule(inplanes, width, 3, padding=dilations[1], dilation=dilations[1], BatchNorm=BatchNorm)
        self.aspp3 = _ASPPModule(inplanes, width, 3, padding=dilations[2], dilation=dilations[2], BatchNorm=BatchNorm)
        self.aspp4 = _ASPPModule(inplanes, width, 3, padding=dilations[3], dilation=dilations[3], BatchNorm=BatchNorm)

        self.global_avg_pool = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)),
                                             nn.Conv2d(inplanes, width, 1, stride=1, bias=False),
                                             BatchNorm(width),
                                             nn.ReLU())
        self.conv1 = nn.Conv2d(5 * width, width, 1, bias=False)
        self.bn1 = BatchNorm(width)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        x1 = self.aspp1(x)
        x2 = self.aspp2(x)
        x3 = self.aspp3(x)
        x4 = self.aspp4(x)
        x5 = self.global_avg_pool(x)
        x5 = F.interpolate(x5, size=x4.size()[2:], mode='bilinear', align_corners=True)
        x = torch.cat((x1, x2, x3, x4, x5), dim=1)

        x = self.conv1(x)
        x = self.bn1(x)
        x = self.relu(x)

        return self.dropout(x)


class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.low = nn.Sequential(nn.Conv2d(3, 8, 3, 4, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.high = nn.Sequential(nn.Conv2d(8, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(inplace=True))

    def forward(self, x):
        low_level_feat = self.low(x)
        return self.high(low_level_feat), low_level_feat


class DeepLab(nn.Module):
    def __init__(self, num_classes=5):
        super(DeepLab, self).__init__()
        BatchNorm = nn.BatchNorm2d
        self.backbone = Backbone()
        self.aspp = ASPP(16, 12, [1, 6, 12, 18], BatchNorm)
        self.reduce = nn.Sequential(nn.Conv2d(8, 6, 1, bias=False), BatchNorm(6), nn.ReLU())
        self.last_conv = nn.Sequential(nn.Conv2d(18, 12, 3, padding=1, bias=False),
                                       BatchNorm(12),
                                       nn.ReLU(),
                                       nn.Dropout(0.1),
                                       nn.Conv2d(12, num_classes, kernel_size=1, stride=1))

    def forward(self, input):
        x, low_level_feat = self.backbone(input)
        x = self.aspp(x)
        low_level_feat = self.reduce(low_level_feat)
        x = F.interpolate(x, size=low_level_feat.size()[2:], mode='bilinear', align_corners=True)
        x = self.last_conv(torch.cat((x, low_level_feat), dim=1))
        x = F.interpolate(x, size=input.size()[2:], mode='bilinear', align_corners=True)
        return x


NET = DeepLab()
INPUT = (3, 64, 64)
