"""``cnndsl export``: writes a trained network for other programs."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cnndsl.cli.common import PATH, checkpoint_option, ending, fail, plugin_option, run_argument
from cnndsl.cli.output import is_signed
from cnndsl.terminal import say

FORMATS = ("onnx", "pt2", "torchscript", "safetensors")


@click.command()
@run_argument
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    required=True,
    help="ONNX, torch.export's archive, TorchScript, or only the weights.",
)
@click.option(
    "-o",
    "--output",
    type=PATH,
    help="File to write. Default: NAME.onnx, NAME.pt2, NAME.pt or NAME.safetensors.",
)
@checkpoint_option
@plugin_option
@click.option("--batch", metavar="N", help="For onnx and pt2: a fixed batch size, or dynamic, the default.")
@click.option("--force", is_flag=True, help="Overwrite a file that cnndsl did not write.")
def export(run: Path, form: str, output: Path | None, which: str, batch: str | None, force: bool) -> None:
    """Export the network of RUN for programs without cnndsl.

    The file is read back and run on random inputs. It is put in place only if its outputs equal the module's,
    to a ten-thousandth of the largest. It also holds the spec and the names of the classes.
    """
    size = _batch(batch, form)
    with ending():
        from cnndsl.training.export import FORMATS, export
        from cnndsl.training.run_folder import find_run
        from cnndsl.training.trained import Trained

        trained = Trained.of(find_run(run), which)
        path = output or Path(f"{trained.name}{FORMATS[form].ending}")
        if os.path.lexists(path) and not force and not is_signed(path):
            fail(f"{path} exists and was not written by cnndsl", "choose another name with -o, or use --force")
        done = export(trained, form, path, size)
    say(path)
    same = "equal to the module" if not done.difference else f"within {done.difference:.0e} of the module"
    say(f"checked ({done.checked}): {same}", err=True)


def _batch(batch: str | None, form: str) -> int | None:
    if batch is not None and form not in ("onnx", "pt2"):
        what = "holds only weights" if form == "safetensors" else "takes batches of any size"
        raise click.BadParameter(f"{form} {what}", param_hint="--batch")
    if batch in (None, "dynamic"):
        return None
    if not (batch.isdecimal() and int(batch)):
        raise click.BadParameter("it must be an integer of at least 1, or dynamic", param_hint="--batch")
    return int(batch)
