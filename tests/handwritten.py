"""The oracle: every network of the reference written by hand in plain PyTorch, without cnndsl.

Parameters are registered in the order in which the data flow uses them, so a test can compare
shapes one by one: a residual block's main path before its shortcut, an Inception branch by
branch, a U-Net encoder first.  `NETWORKS` gives each network with the shape of one input, no batch.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

# ---------------------------------------------------------------------------------------------- LeNet


class Reshape(nn.Module):
    """Give every example of the batch the stated shape."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], *self.shape)


def lenet() -> nn.Sequential:
    return nn.Sequential(
        Reshape(1, 28, 28),
        nn.Conv2d(1, 6, 5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(2, stride=2),
        nn.Conv2d(6, 16, 5),
        nn.Sigmoid(),
        nn.AvgPool2d(2, stride=2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )


def lenet_bn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.BatchNorm2d(6),
        nn.Sigmoid(),
        nn.AvgPool2d(2, stride=2),
        nn.Conv2d(6, 16, 5),
        nn.BatchNorm2d(16),
        nn.Sigmoid(),
        nn.AvgPool2d(2, stride=2),
        nn.Flatten(),
        nn.Linear(256, 120),
        nn.BatchNorm1d(120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.BatchNorm1d(84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )


# ------------------------------------------------------------------------------------ AlexNet and VGG


def classifier(features: int) -> list[nn.Module]:
    """The head AlexNet and VGG share: two wide layers with dropout, then the ten classes."""
    return [
        nn.Flatten(),
        nn.Linear(features, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(4096, 10),
    ]


def alexnet() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 96, 11, stride=4, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(96, 256, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 384, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2),
        *classifier(6400),
    )


def vgg_block(convs: int, c_in: int, c_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for i in range(convs):
        layers += [nn.Conv2d(c_in if i == 0 else c_out, c_out, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2, stride=2))


def vgg(stages: list[tuple[int, int]], ratio: int = 1) -> nn.Sequential:
    """`stages` are (convolutions, channels); `ratio` divides the channels, not the wide linear layers."""
    blocks, c_in = [], 1
    for convs, channels in stages:
        blocks.append(vgg_block(convs, c_in, channels // ratio))
        c_in = channels // ratio
    return nn.Sequential(*blocks, *classifier(c_in * 7 * 7))


def vgg11(ratio: int = 1) -> nn.Sequential:
    return vgg([(1, 64), (1, 128), (2, 256), (2, 512), (2, 512)], ratio)


def vgg16(ratio: int = 1) -> nn.Sequential:
    return vgg([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], ratio)


def vgg19(ratio: int = 1) -> nn.Sequential:
    return vgg([(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)], ratio)


# ------------------------------------------------------------------------------------------------ NiN


def nin_block(c_in: int, c_out: int, kernel: int, stride: int, padding: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, stride, padding),
        nn.ReLU(),
        nn.Conv2d(c_out, c_out, 1),
        nn.ReLU(),
        nn.Conv2d(c_out, c_out, 1),
        nn.ReLU(),
    )


def nin() -> nn.Sequential:
    return nn.Sequential(
        nin_block(1, 96, kernel=11, stride=4, padding=0),
        nn.MaxPool2d(3, stride=2),
        nin_block(96, 256, kernel=5, stride=1, padding=2),
        nn.MaxPool2d(3, stride=2),
        nin_block(256, 384, kernel=3, stride=1, padding=1),
        nn.MaxPool2d(3, stride=2),
        nn.Dropout(0.5),
        nin_block(384, 10, kernel=3, stride=1, padding=1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


# ------------------------------------------------------------------------------------------ GoogLeNet


class Inception(nn.Module):
    def __init__(self, c_in: int, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int) -> None:
        super().__init__()
        self.b1 = nn.Sequential(nn.Conv2d(c_in, c1, 1), nn.ReLU())
        self.b2 = nn.Sequential(
            nn.Conv2d(c_in, c2[0], 1),
            nn.ReLU(),
            nn.Conv2d(c2[0], c2[1], 3, padding=1),
            nn.ReLU(),
        )
        self.b3 = nn.Sequential(
            nn.Conv2d(c_in, c3[0], 1),
            nn.ReLU(),
            nn.Conv2d(c3[0], c3[1], 5, padding=2),
            nn.ReLU(),
        )
        self.b4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), nn.Conv2d(c_in, c4, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.b1(x), self.b2(x), self.b3(x), self.b4(x)], dim=1)


def googlenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(
            nn.Conv2d(1, 64, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        ),
        nn.Sequential(
            nn.Conv2d(64, 64, 1),
            nn.ReLU(),
            nn.Conv2d(64, 192, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        ),
        nn.Sequential(
            Inception(192, 64, (96, 128), (16, 32), 32),
            Inception(256, 128, (128, 192), (32, 96), 64),
            nn.MaxPool2d(3, stride=2, padding=1),
        ),
        nn.Sequential(
            Inception(480, 192, (96, 208), (16, 48), 64),
            Inception(512, 160, (112, 224), (24, 64), 64),
            Inception(512, 128, (128, 256), (24, 64), 64),
            Inception(512, 112, (144, 288), (32, 64), 64),
            Inception(528, 256, (160, 320), (32, 128), 128),
            nn.MaxPool2d(3, stride=2, padding=1),
        ),
        nn.Sequential(
            Inception(832, 256, (160, 320), (32, 128), 128),
            Inception(832, 384, (192, 384), (48, 128), 128),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
        nn.Linear(1024, 10),
    )


def inception() -> Inception:
    return Inception(192, 64, (96, 128), (16, 32), 32)


def conv3x3() -> nn.Sequential:
    """What `inception` replaces: its 192 channels in and 256 out through one 3x3 convolution."""
    return nn.Sequential(nn.Conv2d(192, 256, 3, padding=1))


def conv5x5() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(192, 256, 5, padding=2))


# --------------------------------------------------------------------------------------------- ResNet


def stem() -> list[nn.Module]:
    """The start ResNet and DenseNet share: a quarter of the resolution, 64 channels."""
    return [
        nn.Conv2d(1, 64, 7, stride=2, padding=3),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    ]


class Residual(nn.Module):
    def __init__(self, c_in: int, c_out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, padding=1)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(c_out)
        same = c_in == c_out and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(c_in, c_out, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + self.shortcut(x))


def resnet18() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(*stem()),
        nn.Sequential(Residual(64, 64), Residual(64, 64)),
        nn.Sequential(Residual(64, 128, stride=2), Residual(128, 128)),
        nn.Sequential(Residual(128, 256, stride=2), Residual(256, 256)),
        nn.Sequential(Residual(256, 512, stride=2), Residual(512, 512)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


# ------------------------------------------------------------------------------------------- DenseNet


class DenseLayer(nn.Module):
    def __init__(self, c_in: int, growth: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(c_in)
        self.conv = nn.Conv2d(c_in, growth, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(torch.relu(self.bn(x)))
        return torch.cat([x, y], dim=1)


def dense_block(layers: int, c_in: int, growth: int) -> nn.Sequential:
    return nn.Sequential(*(DenseLayer(c_in + i * growth, growth) for i in range(layers)))


def transition(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(c_in),
        nn.ReLU(),
        nn.Conv2d(c_in, c_out, 1),
        nn.AvgPool2d(2, stride=2),
    )


def densenet() -> nn.Sequential:
    return nn.Sequential(
        nn.Sequential(*stem()),
        dense_block(4, 64, growth=32),
        transition(192, 96),
        dense_block(4, 96, growth=32),
        transition(224, 112),
        dense_block(4, 112, growth=32),
        transition(240, 120),
        dense_block(4, 120, growth=32),
        nn.BatchNorm2d(248),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(248, 10),
    )


# ---------------------------------------------------------------------------------------------- U-Net


def double_conv(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
        nn.Conv2d(c_out, c_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(),
    )


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.down1 = double_conv(1, 16)
        self.down2 = double_conv(16, 32)
        self.down3 = double_conv(32, 64)
        self.bottleneck = double_conv(64, 128)
        self.up3 = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.merge3 = double_conv(128, 64)
        self.up2 = nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.merge2 = double_conv(64, 32)
        self.up1 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.merge1 = double_conv(32, 16)
        self.head = nn.Conv2d(16, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip1 = self.down1(x)
        skip2 = self.down2(self.pool(skip1))
        skip3 = self.down3(self.pool(skip2))
        y = self.bottleneck(self.pool(skip3))
        y = self.merge3(torch.cat([skip3, self.up3(y)], dim=1))
        y = self.merge2(torch.cat([skip2, self.up2(y)], dim=1))
        y = self.merge1(torch.cat([skip1, self.up1(y)], dim=1))
        return self.head(y)


def unet() -> UNet:
    return UNet()


# ------------------------------------------------------------------------------------------ all of them

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "lenet": (lenet, (1, 28, 28)),
    "lenet_bn": (lenet_bn, (1, 28, 28)),
    "alexnet": (alexnet, (1, 224, 224)),
    "vgg11": (vgg11, (1, 224, 224)),
    "vgg16": (vgg16, (1, 224, 224)),
    "vgg19": (vgg19, (1, 224, 224)),
    "nin": (nin, (1, 224, 224)),
    "googlenet": (googlenet, (1, 96, 96)),
    "inception": (inception, (192, 28, 28)),
    "conv3x3": (conv3x3, (192, 28, 28)),
    "conv5x5": (conv5x5, (192, 28, 28)),
    "resnet18": (resnet18, (1, 224, 224)),
    "densenet": (densenet, (1, 96, 96)),
    "unet": (unet, (1, 64, 64)),
}
