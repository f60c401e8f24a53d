"""``cnndsl inspect``: the tensors of a trained network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import checkpoint_option, ending, plugin_option, run_argument, table_option
from cnndsl.cli.completion import complete_layer
from cnndsl.cli.pictures import PICTURE, check_files, force_option, naming, write
from cnndsl.grid import GONE, Grid
from cnndsl.json_text import json_text
from cnndsl.terminal import say, show, show_grid

if TYPE_CHECKING:
    from cnndsl.training.tensors import TensorInfo

_COLUMNS = ("tensor", "of", ">shape", ">mean", ">std", ">min", ">max", ">zeros", ">nan/inf")
_GIVES = tuple((column, GONE) for column in (">zeros", "of", ">std", ">max", ">min", ">mean"))


@click.command()
@run_argument
@click.argument("layer", required=False, shell_complete=complete_layer)
@checkpoint_option
@plugin_option
@click.option(
    "--filters", type=PICTURE, metavar="FILE", help="Draw the filters of the convolution LAYER, by default the first."
)
@force_option
@table_option
def inspect(run: Path, layer: str | None, which: str, filters: Path | None, force: bool, form: str) -> None:
    """Show the tensors of the network of RUN with their statistics.

    With LAYER, a path as `cnndsl shapes` prints it or a tensor's name, show the values too, such as the
    learned scale and shift of a BatchNorm2d. Statistics are computed over the finite values.

    With --filters, draw them instead: in colour if they have three channels, otherwise in grey. The file is .png, .svg
    or .pdf.
    """
    check_files(filters, force=force)
    with ending(), naming("--filters", filter(None, [layer])):
        if filters:
            from cnndsl.training.run import load_run

            write(filters, load_run(run).filters(layer, which).figure().data(filters.suffix))
            return
        from cnndsl.training.run_folder import find_run
        from cnndsl.training.tensors import tensors
        from cnndsl.training.trained import Trained

        trained = Trained.of(find_run(run), which)
        found = tensors(trained.network, trained.checkpoint.module, layer)
    if form == "json":
        show(json_text([_plain(info, values=layer is not None) for info in found]))
        return
    say(f"{trained.title}: {_counted(found, layer)}")
    if not found:
        return
    say()
    sound = not any(info.statistics.nonfinite for info in found)
    gives = (("of", 12), *(((">nan/inf", GONE),) if sound else ()), *_GIVES)
    show_grid(Grid(_COLUMNS, [_row(info) for info in found], gives), form)
    for info in found if layer is not None else ():
        say()
        say(f"{info.name}" + (f", the learned {info.role}" if info.role else ""), bold=True)
        show(str(info.value))


def _counted(found: list[TensorInfo], layer: str | None) -> str:
    if not found:
        return f"`{layer}` has no tensors" if layer else "it has no tensors"
    values = sum(info.value.numel() for info in found)
    return f"{len(found)} tensor{'s' * (len(found) != 1)}, {values:,} value{'s' * (values != 1)}"


def _row(info: TensorInfo) -> tuple[str, ...]:
    numbers = info.statistics
    return (
        info.name,
        f"{info.layer}, {info.role}" if info.role else info.layer,
        str(list(info.value.shape)),
        *(f"{number:.3g}" for number in (numbers.mean, numbers.std, numbers.min, numbers.max)),
        _share(numbers.zeros),
        f"{numbers.nonfinite:,}" if numbers.nonfinite else "",
    )


def _share(share: float) -> str:
    """Empty for no zeros."""
    if not share > 0:
        return ""
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def _plain(info: TensorInfo, values: bool) -> dict[str, Any]:
    plain = {
        "tensor": info.name,
        "layer": info.layer,
        "role": info.role or None,
        "shape": list(info.value.shape),
        "dtype": str(info.value.dtype).removeprefix("torch."),
        **vars(info.statistics),
    }
    return {**plain, "values": info.value.tolist()} if values else plain
