"""``cnndsl import``: a module of PyTorch, or a model file of Ultralytics, becomes a spec."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cnndsl.cli.common import (
    PATH,
    FilePath,
    ending,
    exit_code,
    fail,
    format_option,
    plugin_option,
    tell,
)
from cnndsl.cli.completion import complete_target
from cnndsl.cli.pictures import check_files
from cnndsl.diagnostics import Diagnostic, Faults, ModuleError, RunError
from cnndsl.report_formats import FORMATS
from cnndsl.spec.names import unusable
from cnndsl.terminal import say, show, show_exactly
from cnndsl.writing import write_file

if TYPE_CHECKING:
    from cnndsl.importing.api import Imported
    from cnndsl.importing.proof import Proof
    from cnndsl.importing.target import Built

#: What a TARGET that is a model file of Ultralytics ends in.
MODEL_FILE = (".yaml", ".yml")
#: What a file of weights ends in.
WEIGHTS = ".safetensors"
Shape = tuple[int, ...]


def _shapes(context: click.Context, option: click.Parameter, texts: Sequence[str]) -> list[tuple[str, Shape]]:
    """Of ``--input``: each name, perhaps "", with its shape."""
    found = []
    for text in texts:
        name, _, sizes = text.rpartition("=")
        if not re.fullmatch(r"[1-9]\d*([,x][1-9]\d*)*", sizes):
            raise click.BadParameter(f"{text} is not a shape: write `3,224,224`, or `name=3,224,224`")
        found.append((name, tuple(map(int, re.split("[,x]", sizes)))))
    return found


@click.command("import")
@click.argument("target", shell_complete=complete_target)
@click.option("-o", "--output", type=PATH, metavar="FILE", help="File to write. Default: the text goes to stdout.")
@click.option("--arg", "arguments", multiple=True, metavar="NAME=VALUE", help="Argument of TARGET; repeatable.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    callback=_shapes,
    metavar="[NAME=]C,H,W",
    help="Shape of an input, without the batch; repeatable. Default: usual shapes are tried.",
)
@click.option("--name", metavar="NAME", help="Name of the network. Default: that of TARGET.")
@click.option("--leaf", "leaves", multiple=True, metavar="CLASS", help="Class to keep as an own layer; repeatable.")
@click.option("--weights", type=FilePath(WEIGHTS), metavar="FILE", help="Also write the weights, as safetensors.")
@format_option("text", *FORMATS, help="text for people, the others for programs. Only with -o.")
@click.option("--force", is_flag=True, help="Overwrite files that exist, also specs that you may have edited.")
@plugin_option
def import_(
    target: str,
    output: Path | None,
    arguments: Sequence[str],
    inputs: Sequence[tuple[str, Shape]],
    name: str | None,
    leaves: Sequence[str],
    weights: Path | None,
    form: str,
    force: bool,
) -> None:
    """Write the spec of TARGET, a module of PyTorch.

    TARGET is package.module:Name, net.py:Name, torchvision:NAME or timm:NAME; Name is a class, a function or a
    module. Its code is run, because you name it: a spec never runs code. The spec is written only if its network is
    equal to the module: tensors, outputs and gradients, bit for bit.

    TARGET may also be a model file of Ultralytics, such as yolov8n.yaml.
    """
    _check_usage(target, output, inputs, name, leaves, weights, form)
    _check_free(output, weights, force)
    warned: Sequence[Diagnostic] = ()
    with ending(), _reporting(form):
        if target.endswith(MODEL_FILE):
            written = _write({output: _model_file(target, arguments, name or "").encode()})
        else:
            built, done, how = _module(target, arguments, inputs, name or "", leaves)
            files: dict[Path | None, bytes] = {weights: _saved(built.module, done)} if weights else {}
            written = _write({**files, output: done.text.encode()})
            warned = done.warnings
            _tell(target, done, how, form)
    for line in written:
        say(line, err=True)
    if form != "text":
        show(FORMATS[form](warned))


def _check_usage(
    target: str,
    output: Path | None,
    inputs: Sequence[Any],
    name: str | None,
    leaves: Sequence[str],
    weights: Path | None,
    form: str,
) -> None:
    if form != "text" and output is None:
        raise click.UsageError(f"--format {form} prints to stdout: name a file for the spec with -o")
    if name is not None and (reason := unusable(name)):
        raise click.BadParameter(f"`{name}` {reason}", param_hint="--name")
    given = {"--input": inputs, "--leaf": leaves, "--weights": weights}
    if target.endswith(MODEL_FILE) and (useless := [option for option, value in given.items() if value]):
        raise click.UsageError(f"{useless[0]} is for modules; {target} is a model file")


def _check_free(output: Path | None, weights: Path | None, force: bool) -> None:
    """A spec that exists may have been edited, and is never replaced without ``--force``."""
    if output is not None and os.path.lexists(output) and not force:
        fail(f"{output} exists already", "choose another name, or use --force")
    check_files(output, weights, force=force)


@contextmanager
def _reporting(form: str) -> Iterator[None]:
    """Ends the program with the reasons why a module cannot be a spec, in the format that is asked for."""
    try:
        yield
    except Faults as error:
        _report(error.diagnostics, form)
        if isinstance(error, ModuleError) and error.draft:
            say(f"the spec as far as it came, for a report: {_kept(error.draft)}", err=True)
        sys.exit(exit_code(error.diagnostics))
    except RunError as error:
        if form != "text":
            show(FORMATS[form]([error.diagnostic]))
        raise


def _report(diagnostics: Sequence[Diagnostic], form: str) -> None:
    if form != "text":
        show(FORMATS[form](diagnostics))
        return
    tell(diagnostics)
    codes = sorted({diagnostic.code.id for diagnostic in diagnostics})
    say(f"more: cnndsl explain {codes[0]}" + "".join(f", {code}" for code in codes[1:5]), err=True)


def _kept(draft: str) -> str:
    """The path of a temporary file with a text."""
    import tempfile

    with tempfile.NamedTemporaryFile("w", prefix="cnndsl-", suffix=".yaml", delete=False, encoding="utf-8") as file:
        file.write(draft)
    return file.name


def _model_file(target: str, arguments: Sequence[str], name: str) -> str:
    """The spec of a model file of Ultralytics, which is compiled but has no module to be compared with."""
    from cnndsl.importing.ultralytics import spec_text

    given = dict(argument.partition("=")[::2] for argument in arguments)
    if unknown := given.keys() - {"scale"}:
        raise click.BadParameter(f"a model file takes `scale`, not `{min(unknown)}`", param_hint="--arg")
    return spec_text(target, given.get("scale"), name)


def _module(
    target: str,
    arguments: Sequence[str],
    shapes: Sequence[tuple[str, Shape]],
    name: str,
    leaves: Sequence[str],
) -> tuple[Built, Imported, str]:
    """A module and its spec, and how its input was guessed, if it was."""
    from cnndsl.training.interrupt import importing

    with importing():  # torch
        from cnndsl.importing.api import import_module, inputs_of
        from cnndsl.importing.target import argument, build, find
    found = find(target)
    given = dict(map(argument, arguments))
    built = build(found, given)
    inputs, how = inputs_of(built.module, shapes, found.sizes)
    done = import_module(
        built.module,
        inputs,
        name=name or _name(built),
        leaves=leaves,
        arguments=built.arguments,
        comments=[f"From {target}, by `cnndsl import`."],
        rebuild=lambda changed: build(found, {**given, **changed}, "meta").module,
    )
    return built, done, how


def _name(built: Built) -> str:
    """The name of a function, such as ``resnet18``; that of a class is made of it."""
    name = built.target.name
    return "" if isinstance(built.target.made_by, type) or unusable(name) else name


def _tell(target: str, done: Imported, how: str, form: str) -> None:
    """What was done, on stderr. Warnings in another form than text are the result, on stdout."""
    several = len(done.inputs) > 1
    shapes = ", ".join(f"{name} {_sizes(shape)}" if several else _sizes(shape) for name, shape in done.inputs.items())
    say(f"{target}: input {shapes}{f' ({how})' if how else ''}", err=True)
    if form == "text":
        tell(done.warnings)
    for line in _proved(done.proof) if done.proof else ():
        say(line, err=True)
    if done.kept.plugins:
        say(f"the spec needs {' and '.join(f'`--plugin {name}`' for name in done.kept.plugins)}", err=True)
    if done.kept.added:
        say("the spec needs a plugin: save this as my_layers.py, and give every command `--plugin my_layers`", err=True)
        for line in done.kept.file.splitlines():
            say(f"    {line}".rstrip(), err=True)


def _proved(proof: Proof) -> Iterator[str]:
    *others, last = (" with ".join(map(_sizes, shapes)) for shapes in proof.shapes)
    compared = f"{', '.join(others)} and {last}" if others else last
    error = max(proof.inexact.values(), default=0.0)
    precision = "double" if proof.is_double else "single"
    how = f"but for rounding, {error:.0e} in {precision} precision" if proof.inexact else "bit for bit"
    training = "; outputs and statistics in training" if proof.training else ""
    one_size = len({shapes[0][2:] for shapes in proof.shapes}) == 1
    sizes = " (other sizes cannot be compared)" if one_size else ", each with the spec compiled for it"
    yield f"equal {how}: outputs and gradients for inputs of {compared}{sizes}{training}"


def _sizes(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))


def _saved(module: Any, done: Imported) -> bytes:
    """The weights of a module under the names of the spec's, as safetensors."""
    from safetensors.torch import save

    from cnndsl.writing import SIGNATURE

    assert done.proof is not None
    state = module.state_dict()
    tensors = {name: state[other].contiguous() for name, other in done.proof.names.items()}
    return save(tensors, {"generator": SIGNATURE.decode()})


def _write(files: Mapping[Path | None, bytes]) -> list[str]:
    """Writes all files or none. A spec without a path goes to stdout. Returns a line for each file."""
    told: dict[Path, str] = {}
    try:
        for path, data in files.items():
            if path is not None:
                write_file(path, data)
                told[path] = str(path) if path.suffix == WEIGHTS else f"{path}: {len(data.splitlines())} lines"
    except OSError as error:
        for path in told:
            path.unlink(missing_ok=True)
        fail(f"{error.filename} cannot be written: {error.strerror}")
    if None in files:
        show_exactly(files[None].decode())
    return [*told.values()]
