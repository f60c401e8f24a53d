# A pyramid with its lateral convolutions in a ModuleDict, returned as a dict.
import torch.nn as nn
import torch.nn.functional as F


class FPN(nn.Module):
    def __init__(self, widths=(16, 32, 64), out_channels=24):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.stages = nn.ModuleDict()
        self.lateral = nn.ModuleDict()
        self.smooth = nn.ModuleDict()
        previous = 8
        for level, width in enumerate(widths, start=2):
            self.stages[f"c{level}"] = nn.Sequential(
                nn.Conv2d(previous, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
            )
            self.lateral[f"c{level}"] = nn.Conv2d(width, out_channels, 1)
            self.smooth[f"c{level}"] = nn.Conv2d(out_channels, out_channels, 3, padding=1)
            previous = width

    def forward(self, x):
        x = self.stem(x)
        features = {}
        for name, stage in self.stages.items():
            x = stage(x)
            features[name] = x
        results = {}
        top = None
        for name in reversed(list(features)):
            lateral = self.lateral[name](features[name])
            if top is not None:
                lateral = lateral + F.interpolate(top, size=lateral.shape[-2:], mode="nearest")
            top = lateral
            results[name.replace("c", "p")] = self.smooth[name](top)
        return results


NET = FPN()
INPUT = (3, 64, 80)
