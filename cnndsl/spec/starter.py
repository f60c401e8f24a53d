"""A spec to start from."""

from __future__ import annotations

_SMALL = """\
# A spec to start from. `cnndsl shapes {name}.yaml` shows every shape, `cnndsl train {name}.yaml` trains it.
name: {name}
input: [1, 28, 28] # channels, height, width of one sample
params: {{classes: 10}}

blocks:
  ConvBlock(channels):
    - Conv2d: {{out_channels: $channels, kernel_size: 3, padding: 1, bias: false}}
    - BatchNorm2d
    - ReLU
    - MaxPool2d: 2

network:
  - repeat:
      - ConvBlock: $channels
    for: channels
    in: [16, 32]
  - Flatten
  - Linear: $classes

train:
  dataset: Synthetic # generated; real ones: FashionMNIST, CIFAR10, {{ImageFolder: {{root: pictures}}}}
  epochs: 3
  batch_size: 64
  optimizer: {{Adam: {{lr: 0.001}}}}
"""


def starter(name: str) -> str:
    """The text of a small network that trains, with this name."""
    return _SMALL.format(name=name)
