# YOLO v3 from a configuration: modules in one list, routes and shortcuts by index, outputs of all layers kept.
import torch
import torch.nn as nn

CFG = [
    ("conv", 8, 3, 1), ("conv", 16, 3, 2), ("conv", 8, 1, 1), ("conv", 16, 3, 1), ("shortcut", -3),
    ("conv", 32, 3, 2), ("conv", 16, 1, 1), ("conv", 32, 3, 1), ("shortcut", -3),
    ("conv", 64, 3, 2), ("conv", 32, 1, 1), ("conv", 64, 3, 1), ("shortcut", -3),
    ("conv", 32, 1, 1), ("head",),
    ("route", -2), ("conv", 16, 1, 1), ("upsample",), ("route", -1, 8),
    ("conv", 32, 3, 1), ("head",),
]


class EmptyLayer(nn.Module):
    def __init__(self):
        super(EmptyLayer, self).__init__()


def create_modules(cfg):
    module_list = nn.ModuleList()
    prev_filters = 3
    output_filters = []
    for index, x in enumerate(cfg):
        module = nn.Sequential()
        filters = prev_filters
        if x[0] == "conv":
            _, filters, kernel_size, stride = x
            pad = (kernel_size - 1) // 2
            conv = nn.Conv2d(prev_filters, filters, kernel_size, stride, pad, bias=False)
            module.add_module("conv_{0}".format(index), conv)
            module.add_module("batch_norm_{0}".format(index), nn.BatchNorm2d(filters))
            module.add_module("leaky_{0}".format(index), nn.LeakyReLU(0.1, inplace=True))
        elif x[0] == "upsample":
            module.add_module("upsample_{}".format(index), nn.Upsample(scale_factor=2, mode="nearest"))
        elif x[0] == "route":
            module.add_module("route_{0}".format(index), EmptyLayer())
            filters = sum(output_filters[i + index if i < 0 else i] for i in x[1:])
        elif x[0] == "shortcut":
            module.add_module("shortcut_{}".format(index), EmptyLayer())
        elif x[0] == "head":
            filters = 3 * (5 + 2)
            module.add_module("head_{}".format(index), nn.Conv2d(prev_filters, filters, 1))
        module_list.append(module)
        prev_filters = filters
        output_filters.append(filters)
    return module_list


class Darknet(nn.Module):
    def __init__(self, cfg=CFG):
        super(Darknet, self).__init__()
        self.blocks = cfg
        self.module_list = create_modules(self.blocks)

    def forward(self, x):
        outputs = {}  # We cache the outputs for the route layer
        detections = []
        for i, module in enumerate(self.blocks):
            module_type = module[0]
            if module_type in ("conv", "upsample", "head"):
                x = self.module_list[i](x)
                if module_type == "head":
                    detections.append(x)
            elif module_type == "route":
                layers = [int(a) for a in module[1:]]
                if len(layers) == 1:
                    x = outputs[i + layers[0]]
                else:
                    x = torch.cat((outputs[i + layers[0]], outputs[layers[1]]), 1)
            elif module_type == "shortcut":
                x = outputs[i-1] + outputs[i+module[1]]
            outputs[i] = x
        return detections


NET = Darknet()
INPUT = (3, 64, 64)
