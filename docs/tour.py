# ruff: noqa: B018, E402, E501  (a cell shows its last expression, and its text is one line a paragraph)
# The source of tour.ipynb, cell by cell; `make tour` runs it. Editors that know `# %%` can, too.

# %% [markdown]
# # A tour of cnndsl
#
# A network is a page of YAML. A compiler checks it and infers every shape without running anything. This notebook takes one small network from its text
# to a trained module: table, figure, errors, source, questions, comparisons, and a training of a few seconds.
#
# The cells need `pip install .` in the project's folder, and a notebook. Their outputs are stored, so you can read on without running them.

# %%
import os
from pathlib import Path
from tempfile import mkdtemp

import cnndsl

os.chdir(mkdtemp())  # what follows writes a few files

# %% [markdown]
# ## A network
#
# Layers have the names and arguments of `torch.nn`. What follows from the input, such as `in_channels`, is inferred. Blocks have parameters, and `$` inserts a value.

# %%
spec = """\
name: small
input: [1, 28, 28] # one sample, without the batch: C, H, W
params: {width: 8, classes: 10}

blocks:
  BasicBlock(channels, stride=1):
    - residual:
        - Conv2d: {out_channels: $channels, kernel_size: 3, stride: $stride, padding: 1, bias: false}
        - BatchNorm2d
        - ReLU
        - Conv2d: {out_channels: $channels, kernel_size: 3, padding: 1, bias: false}
        - BatchNorm2d
      shortcut:
        - when: $(stride != 1 or input.channels != channels)
          name: downsample
          Conv2d: {out_channels: $channels, kernel_size: 1, stride: $stride}
    - ReLU

network:
  - BasicBlock: [$width, 2]
  - BasicBlock: [$(2 * width), 2]
  - BasicBlock: [$(4 * width), 2]
  - AdaptiveAvgPool2d: 1
  - Flatten
  - Linear: $classes
"""
Path("small.yaml").write_text(spec)
net = cnndsl.load("small.yaml")
print(net)

# %% [markdown]
# Its shapes and costs, module by module:

# %%
net.shapes(depth=1)

# %% [markdown]
# ## The figure
#
# A block is drawn once, beside the network.

# %%
net.diagram()

# %% [markdown]
# ## An error
#
# Without the `shortcut`, the sides of the residual have different shapes. The error has its place, what led there, and a fix that can be pasted.

# %%
start, end = spec.index("      shortcut:"), spec.index("    - ReLU\n\nnetwork")
Path("wrong.yaml").write_text(spec[:start] + spec[end:])
try:
    cnndsl.load("wrong.yaml")
except cnndsl.SpecError as error:
    print(error)

# %% [markdown]
# ## The source
#
# The module is one readable file of PyTorch. You can keep it and forget the spec.

# %%
print(net.source())

# %%
import torch

module = net.module()
module(torch.zeros(2, 1, 28, 28)).shape

# %% [markdown]
# ## Questions
#
# Where does a shape come from? The steps from the input, with torch's formulas and this network's numbers:

# %%
cnndsl.trace(net, "1.conv2")

# %% [markdown]
# Which inputs does it take, and at which of them is no pixel lost?

# %%
cnndsl.sizes(net)

# %%
cnndsl.sizes(cnndsl.load("zoo:vgg16"))

# %% [markdown]
# What would other parameters cost?

# %%
found = cnndsl.sweep("small.yaml", {"width": [8, 16, 32], "classes": [10, 100, 1000]})
found

# %%
found.picture()

# %% [markdown]
# What differs between two networks?

# %%
cnndsl.diff(net, cnndsl.load("small.yaml", width=16))

# %% [markdown]
# ## A network of the zoo
#
# Torchvision's convolutional networks are included, and many others. They take the weights of their originals.

# %%
resnet = cnndsl.load("zoo:resnet18")
resnet.diagram()

# %% [markdown]
# ## Training
#
# A recipe with the names of torch and torchvision trains the network. The pictures here are synthetic, so nothing is downloaded; `dataset: FashionMNIST` is a real data set.
# The line and the curves change while it runs.

# %%
recipe = """
train:
  dataset: {Synthetic: {size: 320, test_size: 80}}
  epochs: 5
  batch_size: 32
  optimizer: {AdamW: {lr: 0.01}}
  scheduler: {OneCycleLR: {max_lr: 0.01}}
"""
Path("trained.yaml").write_text(spec + recipe)
run = cnndsl.train("trained.yaml", device="cpu")

# %% [markdown]
# The run has checkpoints, metrics and the spec. What it confuses, class by class:

# %%
result = run.evaluate()
result.confusion_figure()

# %% [markdown]
# The kernels of the first layer:

# %%
run.filters("0.conv1").figure()

# %% [markdown]
# The trained module is an `nn.Module` as before, with weights:

# %%
print(f"{result.accuracy:.2f}")
run.module()(torch.zeros(1, 1, 28, 28)).argmax()
