"""The gallery: for each network its figure, its table at depth 1 and the lines of its spec that matter most."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import cnndsl
from cnndsl.emit.table import Table, as_markdown, human
from cnndsl.printable import in_markdown
from cnndsl.zoo import specs

IMAGES = Path(__file__).parent / "images"
#: The most lines of a spec that are shown.
LINES = 18
#: The most rows of a table that are shown without a click.
ROWS = 12


class Entry(NamedTuple):
    """A network of the zoo: its name there, its title, and the key of the part of its spec that is shown. Without one,
    it is the whole spec."""

    name: str
    title: str
    part: str = ""

    @property
    def picture(self) -> Path:
        return IMAGES / f"{self.name.rpartition('/')[2]}.svg"


GALLERY: Mapping[str, tuple[Entry, ...]] = {
    "Classics": (
        Entry("classic/lenet", "LeNet-5", "network"),
        Entry("classic/lenet_bn", "LeNet-5 with batch normalisation", "network"),
        Entry("classic/alexnet", "AlexNet", "network"),
        Entry("classic/nin", "NiN", "NiNBlock"),
        Entry("classic/vgg11", "VGG-11", "network"),
        Entry("classic/vgg16", "VGG-16"),
        Entry("classic/vgg19", "VGG-19"),
        Entry("classic/inception", "An Inception block", "Inception"),
        Entry("classic/googlenet", "GoogLeNet", "network"),
        Entry("classic/resnet18", "ResNet-18", "BasicBlock"),
        Entry("classic/densenet", "DenseNet", "blocks"),
        Entry("classic/unet", "U-Net", "network"),
    ),
    "Residual networks": (
        Entry("resnet50", "ResNet-50", "- residual"),
        Entry("resnext50_32x4d", "ResNeXt-50"),
        Entry("timm/seresnet50", "SE-ResNet-50"),
        Entry("timm/res2net50_26w_4s", "Res2Net-50", "- branch"),
        Entry("convnext_tiny", "ConvNeXt", "CNBlock"),
        Entry("timm/dla34", "DLA-34", "DlaTree"),
    ),
    "Small and fast": (
        Entry("squeezenet1_1", "SqueezeNet", "Fire"),
        Entry("mobilenet_v2", "MobileNetV2", "InvertedResidual"),
        Entry("shufflenet_v2_x1_0", "ShuffleNetV2", "Unit"),
        Entry("timm/ghostnet_100", "GhostNet", "GhostModule"),
        Entry("efficientnet_b0", "EfficientNet-B0", "MBConv"),
        Entry("timm/repvgg_a0", "RepVGG", "RepVggBlock"),
    ),
    "Pictures in, pictures out": (
        Entry("attention_unet", "Attention U-Net", "AttentionGate"),
        Entry("deeplabv3_resnet50", "DeepLab v3"),
        Entry("yolov8n", "YOLOv8", "C2f"),
        Entry("dcgan_generator", "DCGAN's generator", "network"),
        Entry("espcn", "ESPCN", "network"),
    ),
    "Other inputs": (
        Entry("siamese", "A siamese network", "network"),
        Entry("signal1d", "M5, for audio", "Stage"),
        Entry("volume3d", "3D U-Net", "network"),
    ),
}

HEAD = """\
# Gallery

Networks that come with cnndsl: the classics, and some of [the zoo](zoo.md). Each has its figure, drawn by
`cnndsl draw`, its table, from `cnndsl shapes --depth 1`, and the lines of its spec that matter most. A click on a
figure opens it alone. Start from one of them: `cnndsl new mine --from zoo:NAME`. [The tour](tour.ipynb) takes one
network from its text to a trained module.
"""


def entries() -> Iterator[Entry]:
    return (entry for several in GALLERY.values() for entry in several)


def draw() -> None:
    """Writes the figure of each network."""
    for entry in entries():
        cnndsl.load(f"zoo:{entry.name}").diagram().save(entry.picture)


def gallery() -> str:
    """The page."""
    contents = (f"**{group}**: {' · '.join(map(_link, several))}" for group, several in GALLERY.items())
    pages = (f"## {group}\n\n" + "\n".join(map(_page, several)) for group, several in GALLERY.items())
    return "\n".join((HEAD, "  \n".join(contents), "", *pages))


def _link(entry: Entry) -> str:
    anchor = re.sub(r"[^\w\- ]", "", entry.title.lower()).replace(" ", "-")
    return f"[{entry.title}](#{anchor})"


def _page(entry: Entry) -> str:
    spec = specs()[entry.name]
    net = cnndsl.load(spec)
    picture = f"images/{entry.picture.name}"
    told = f"{entry.title}, drawn by cnndsl draw zoo:{entry.name}"
    lines = "\n".join(excerpt(spec.read_text(), entry.part))
    return f"""### {entry.title}

{f"{in_markdown(net.graph.document.description)}. {_remark(spec.read_text())}".strip()}

<p align="center"><a href="{picture}"><img src="{picture}" alt="{told}"></a></p>

{_table(net.shapes(depth=1))}

```yaml
{lines}
```
"""


def _table(table: Table) -> str:
    """The table, behind a click if it is long."""
    written = as_markdown(table).strip()
    costs = f"{human(table.total.params)} parameters, {human(table.total.macs)} MACs"
    if len(table.rows) <= ROWS:
        return written
    return f"<details><summary>{len(table.rows)} layers and modules, {costs}</summary>\n\n{written}\n\n</details>"


def _remark(text: str) -> str:
    """What the comment at the beginning of a spec finds worth seeing, or else the comment."""
    comment = [
        line.removeprefix("#").strip() for line in takewhile(lambda line: line.startswith("#"), text.splitlines())
    ]
    paragraphs = re.split(r"\n\n+", "\n".join(line for line in comment if not line.startswith("yaml-language-server")))
    whole = " ".join(next((part for part in paragraphs if "Worth seeing" in part), paragraphs[0]).split())
    _, worth, remark = whole.rpartition("Worth seeing: ")
    return remark[:1].upper() + remark[1:] if worth else remark


def excerpt(text: str, part: str) -> list[str]:
    """The lines of a part of a spec: the first that begins with its key, and those that are indented further. Without a
    part, all keys but those that say what the network is called."""
    lines = text.splitlines()
    if not part:
        return [line for line in lines if line and not line.startswith(("#", "name:", "description:", "expect:"))]
    first = next(number for number, line in enumerate(lines) if re.match(rf"\s*{re.escape(part)}\b", line))
    indent = _indent(lines[first])
    inside = takewhile(lambda line: not line.strip() or _indent(line) > indent, lines[first + 1 :])
    found = [line[indent:] for line in (lines[first], *inside)]
    while not found[-1].strip() or found[-1].strip().startswith("#"):
        found.pop()
    found = [re.sub(r"\s+# cnndsl: ignore.*", "", line) for line in found]
    return found if len(found) <= LINES else [*found[: LINES - 1], f"{' ' * (_indent(found[LINES - 1]))}# and so on"]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
