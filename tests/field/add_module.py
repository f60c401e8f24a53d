# add_module with names that aren't identifiers, and a class that is an nn.Sequential of its own.
import torch.nn as nn


class ConvBNReLU(nn.Sequential):
    def __init__(self, cin, cout, k=3, s=1):
        super().__init__()
        self.add_module("conv-1", nn.Conv2d(cin, cout, k, s, k // 2, bias=False))
        self.add_module("norm", nn.BatchNorm2d(cout))
        self.add_module("relu", nn.ReLU(inplace=True))


class Net(nn.Module):
    def __init__(self, widths=(8, 16, 32), num_classes=7):
        super().__init__()
        self.features = nn.Sequential()
        cin = 3
        for i, w in enumerate(widths):
            self.features.add_module("block-%d" % i, ConvBNReLU(cin, w, s=2 if i else 1))
            cin = w
        self.features.add_module("pool", nn.AdaptiveMaxPool2d(1))
        self.add_module("class", nn.Linear(cin, num_classes))

    def forward(self, x):
        x = self.features(x)
        return getattr(self, "class")(x.squeeze(-1).squeeze(-1))


NET = Net()
INPUT = (3, 32, 32)
