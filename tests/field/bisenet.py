# BiSeNet: two paths, attention refinement by pooled gates, and auxiliary outputs only in training.
import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvBNReLU(nn.Module):
    def __init__(self, in_chan, out_chan, ks=3, stride=1, padding=1, *args, **kwargs):
        super(ConvBNReLU, self).__init__()
        self.conv = nn.Conv2d(in_chan, out_chan, kernel_size=ks, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(out_chan)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.conv(x)
        x = self.bn(x)
        x = self.relu(x)
        return x


class AttentionRefinementModule(nn.Module):
    def __init__(self, in_chan, out_chan):
        super(AttentionRefinementModule, self).__init__()
        self.conv = ConvBNReLU(in_chan, out_chan, ks=3, stride=1, padding=1)
        self.conv_atten = nn.Conv2d(out_chan, out_chan, kernel_size=1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out_chan)

    def forward(self, x):
        feat = self.conv(x)
        atten = torch.mean(feat, dim=(2, 3), keepdim=True)
        atten = self.conv_atten(atten)
        atten = self.bn_atten(atten)
        atten = atten.sigmoid()
        out = torch.mul(feat, atten)
        return out


class SpatialPath(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = ConvBNReLU(3, 8, ks=7, stride=2, padding=3)
        self.conv2 = ConvBNReLU(8, 8, ks=3, stride=2, padding=1)
        self.conv_out = ConvBNReLU(8, 16, ks=1, stride=1, padding=0)

    def forward(self, x):
        return self.conv_out(self.conv2(self.conv1(x)))


class ContextPath(nn.Module):
    def __init__(self):
        super().__init__()
        self.down8 = ConvBNReLU(3, 16, stride=8)
        self.down16 = ConvBNReLU(16, 24, stride=2)
        self.arm16 = AttentionRefinementModule(24, 16)
        self.arm8 = AttentionRefinementModule(16, 16)
        self.conv_avg = ConvBNReLU(24, 16, ks=1, stride=1, padding=0)

    def forward(self, x):
        feat8 = self.down8(x)
        feat16 = self.down16(feat8)
        avg = self.conv_avg(torch.mean(feat16, dim=(2, 3), keepdim=True))
        feat16_sum = self.arm16(feat16) + avg
        feat16_up = F.interpolate(feat16_sum, scale_factor=2., mode='nearest')
        feat8_sum = self.arm8(feat8) + feat16_up
        return F.interpolate(feat8_sum, scale_factor=2.), feat16_up


class BiSeNet(nn.Module):
    def __init__(self, n_classes=4, aux_mode='train'):
        super().__init__()
        self.sp = SpatialPath()
        self.cp = ContextPath()
        self.fuse = ConvBNReLU(32, 16, ks=1, padding=0)
        self.head = nn.Conv2d(16, n_classes, 1)
        self.aux = nn.Conv2d(16, n_classes, 1)

    def forward(self, x):
        H, W = x.size()[2:]
        cp, feat16 = self.cp(x)
        out = self.head(self.fuse(torch.cat([self.sp(x), cp], dim=1)))
        out = F.interpolate(out, (H, W), mode='bilinear', align_corners=True)
        if self.training:
            return out, F.interpolate(self.aux(feat16), (H, W), mode='bilinear', align_corners=True)
        return out


NET = BiSeNet()
INPUT = (3, 64, 64)
