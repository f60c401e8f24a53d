# EfficientNet in the style of its first port: swish as an autograd function, a subclass of Conv2d that pads by itself,
# private names, drop_connect with random numbers in training, which has no layer.
import torch
from torch import nn
from torch.nn import functional as F


class SwishImplementation(torch.autograd.Function):
    @staticmethod
    def forward(ctx, i):
        result = i * torch.sigmoid(i)
        ctx.save_for_backward(i)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        i = ctx.saved_tensors[0]
        sigmoid_i = torch.sigmoid(i)
        return grad_output * (sigmoid_i * (1 + i * (1 - sigmoid_i)))


class MemoryEfficientSwish(nn.Module):
    def forward(self, x):
        return SwishImplementation.apply(x)


class Conv2dStaticSamePadding(nn.Conv2d):
    """2D Convolutions like TensorFlow's 'SAME' mode, with the given input image size."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, image_size=None, **kwargs):
        super().__init__(in_channels, out_channels, kernel_size, stride, **kwargs)
        pad = max((-(-image_size // stride) - 1) * stride + kernel_size - image_size, 0)
        if pad > 0:
            self.static_padding = nn.ZeroPad2d((pad // 2, pad - pad // 2, pad // 2, pad - pad // 2))
        else:
            self.static_padding = nn.Identity()

    def forward(self, x):
        x = self.static_padding(x)
        x = F.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return x


class MBConvBlock(nn.Module):
    def __init__(self, inp, oup, expand, kernel, stride, image_size):
        super().__init__()
        self._inp, self._oup, self._stride, self._expand = inp, oup, stride, expand
        mid = inp * expand
        if expand != 1:
            self._expand_conv = Conv2dStaticSamePadding(inp, mid, 1, image_size=image_size, bias=False)
            self._bn0 = nn.BatchNorm2d(mid, momentum=0.01, eps=1e-3)
        self._depthwise_conv = Conv2dStaticSamePadding(mid, mid, kernel, stride, image_size, groups=mid, bias=False)
        self._bn1 = nn.BatchNorm2d(mid, momentum=0.01, eps=1e-3)
        squeezed = max(1, int(inp * 0.25))
        self._se_reduce = nn.Conv2d(mid, squeezed, 1)
        self._se_expand = nn.Conv2d(squeezed, mid, 1)
        self._project_conv = nn.Conv2d(mid, oup, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(oup, momentum=0.01, eps=1e-3)
        self._swish = MemoryEfficientSwish()

    def forward(self, inputs):
        x = inputs
        if self._expand != 1:
            x = self._swish(self._bn0(self._expand_conv(inputs)))
        x = self._swish(self._bn1(self._depthwise_conv(x)))
        x_squeezed = F.adaptive_avg_pool2d(x, 1)
        x_squeezed = self._se_expand(self._swish(self._se_reduce(x_squeezed)))
        x = torch.sigmoid(x_squeezed) * x
        x = self._bn2(self._project_conv(x))
        if self._stride == 1 and self._inp == self._oup:
            x = x + inputs
        return x


class EfficientNet(nn.Module):
    def __init__(self, num_classes=10, image_size=64):
        super().__init__()
        self._conv_stem = Conv2dStaticSamePadding(3, 16, 3, 2, image_size, bias=False)
        self._bn0 = nn.BatchNorm2d(16, momentum=0.01, eps=1e-3)
        size = image_size // 2
        self._blocks = nn.ModuleList([])
        inp = 16
        for oup, expand, kernel, stride, count in [(8, 1, 3, 1, 1), (16, 4, 3, 2, 2), (24, 4, 5, 2, 2)]:
            for i in range(count):
                self._blocks.append(MBConvBlock(inp, oup, expand, kernel, stride if i == 0 else 1, size))
                inp, size = oup, size // (stride if i == 0 else 1)
        self._conv_head = nn.Conv2d(inp, 64, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(64, momentum=0.01, eps=1e-3)
        self._avg_pooling = nn.AdaptiveAvgPool2d(1)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(64, num_classes)
        self._swish = MemoryEfficientSwish()

    def forward(self, inputs):
        x = self._swish(self._bn0(self._conv_stem(inputs)))
        for idx, block in enumerate(self._blocks):
            x = block(x)
        x = self._swish(self._bn1(self._conv_head(x)))
        x = self._avg_pooling(x)
        x = x.flatten(start_dim=1)
        x = self._dropout(x)
        x = self._fc(x)
        return x


NET = EfficientNet()
INPUT = (3, 64, 64)
