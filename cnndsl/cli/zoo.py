"""``cnndsl zoo`` and ``cnndsl new``: the specs that come with the package, and one of one's own to begin with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cnndsl.cli.common import fail, tell
from cnndsl.diagnostics import SpecError
from cnndsl.network import Network, load
from cnndsl.spec.names import unusable, usable
from cnndsl.spec.tree import Mapping
from cnndsl.spec.write import write
from cnndsl.zoo import PREFIX, family, specs

if TYPE_CHECKING:
    from rich.table import Table


@click.command()
@click.argument("words", nargs=-1, metavar="[WORD]...")
def zoo(words: tuple[str, ...]) -> None:
    """List the specs that come with cnndsl, or those whose name or family holds a WORD.

    Each is read as zoo:NAME wherever a SPEC is: cnndsl shapes zoo:resnet50.
    """
    from rich.console import Console

    chosen = [name for name in specs() if not words or any(word in name or word in family(name) for word in words)]
    if not chosen:
        fail(f"there is no spec of {' or '.join(words)}", "`cnndsl zoo` lists all")
    console = Console()
    Console(width=None if console.is_terminal else 160).print(_table(chosen))


def _table(names: list[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from cnndsl.emit.table import human

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("family", "name"):
        table.add_column(column, no_wrap=True)
    for column in ("parameters", "MACs", "input"):
        table.add_column(column, no_wrap=True, justify="right")
    table.add_column("")
    before = ""
    for name in names:
        net = load(f"{PREFIX}{name}")
        inputs = ", ".join("x".join(map(str, tensor.shape.sample)) for tensor in net.graph.inputs.values())
        shown = family(name) if family(name) != before else ""
        described = Text(net.graph.document.description, overflow="ellipsis", no_wrap=True)
        table.add_row(shown, name, human(net.cost.params), human(net.cost.macs), inputs, described)
        before = family(name)
    return table


@click.command()
@click.argument("name")
@click.option("--from", "base", metavar="SPEC", help="What it begins with: zoo:resnet18, or a spec's path.")
def new(name: str, base: str | None) -> None:
    """Write NAME.yaml, a spec to begin with: a small network, or one that extends another."""
    path = Path(f"{name.removesuffix('.yaml')}.yaml")
    if reason := unusable(path.stem):
        fail(f"`{path.stem}` {reason}", usable(path.stem))
    try:
        text = _extending(path.stem, base, load(base)) if base else _SMALL.format(name=path.stem)
        with path.open("x") as file:
            file.write(text)
    except SpecError as error:
        tell(error.diagnostics)
        sys.exit(2)
    except FileExistsError:
        fail(f"{path} is there already", "choose another name, or move it away")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    click.echo(f"{path}: look at it, then `cnndsl shapes {path}`")


def _extending(name: str, base: str, net: Network) -> str:
    params = net.graph.document.tree.get("params")
    listed = "".join(f"  {line}\n" for line in write(params).splitlines()) if isinstance(params, Mapping) else ""
    head = (
        f"# What stands here goes over {base}: params, blocks by their names, train.\nextends: {base}\nname: {name}\n"
    )
    return head + (f"\n# All that it has; what stays as it is may be deleted.\nparams:\n{listed}" if listed else "")


_SMALL = """\
# A spec to begin with. `cnndsl shapes {name}.yaml` shows every shape, `cnndsl train {name}.yaml` trains it.
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
  dataset: Synthetic # made up; FashionMNIST, CIFAR10 or {{ImageFolder: {{root: pictures}}}} are real
  epochs: 3
  batch_size: 64
  optimizer: {{Adam: {{lr: 0.001}}}}
"""
