"""From a module to a proved spec."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import signature
from traceback import walk_tb
from typing import Any

from torch import nn

from cnndsl.diagnostics import Code, Diagnostic, ModuleError, RunError, SpecError, got
from cnndsl.importing.convert import convert
from cnndsl.importing.experiment import Rebuild
from cnndsl.importing.guess import guess_input
from cnndsl.importing.leaves import Kept, layers_of
from cnndsl.importing.proof import Proof, Unequal, prove
from cnndsl.importing.proof.names import MOST, is_below
from cnndsl.importing.ready import check_runs, check_values, unwrapped
from cnndsl.importing.recorded import Place, Refusal, TrainsOnly, Unspeakable
from cnndsl.importing.refusals import diagnostics_of
from cnndsl.importing.tracing.inputs import check_names
from cnndsl.record import Record
from cnndsl.spec.names import unusable

#: Shapes without the batch, by the names of the arguments of ``forward``.
Inputs = Mapping[str, tuple[int, ...]]


class Imported(Record, frozen=True, eq=False):
    """The text of a spec, and how it was found. ``warnings`` tell what it leaves out; there is no ``proof`` if none was
    asked for. ``kept`` are the classes that are layers of your own."""

    text: str
    inputs: Inputs
    warnings: tuple[Diagnostic, ...]
    proof: Proof | None
    kept: Kept


def import_module(
    module: nn.Module,
    inputs: Inputs,
    *,
    name: str = "",
    leaves: Collection[str] = (),
    arguments: Mapping[nn.Module, Mapping[str, Any]] | None = None,
    comments: Sequence[str] = (),
    compare: bool = True,
    rebuild: Rebuild | None = None,
) -> Imported:
    """Makes the spec of a module and proves it. ``arguments`` are those that the ``__init__`` of each module in it was
    given, as far as they are known, and ``comments`` lines above the spec; ``rebuild`` builds the network with other
    values of its own. Raises :class:`ModuleError`, and :class:`RunError` for unknown ``leaves``."""
    with layers_of(module, leaves) as kept, _as_module_error(module):
        if compare:
            check_values(module)
        with _unfinished():
            made = convert(module, inputs, name, sorted(kept.names), arguments, comments, rebuild)
        is_noisy = any(isinstance(warning, TrainsOnly) and not warning.module for warning in made.warnings)
        names = sorted(kept.names)
        proof = (
            prove(made.text, module, inputs, left_out=made.unused, leaves=names, training=not is_noisy)
            if compare
            else None
        )
    paths = proof.paths if proof else ()
    warned = diagnostics_of((*made.warnings, *paths, *_left_out(module, made.unused, made.warnings)))
    return Imported(made.text, inputs, tuple(warned), proof, kept)


def _left_out(module: nn.Module, unused: Collection[str], told: Iterable[Refusal]) -> Iterator[Refusal]:
    """One warning for the modules with tensors that never ran, but for those that are told of, and for the second names
    of tensors that the spec has."""
    state = module.state_dict(keep_vars=True)
    kept = {id(tensor) for name, tensor in state.items() if not is_below(name, unused)}
    names = [name for name, tensor in state.items() if id(tensor) not in kept]  # others have another name
    known = [warning.module for warning in told if isinstance(warning, TrainsOnly) and warning.module]
    counts = {path: sum(is_below(name, [path]) for name in names) for path in unused if not is_below(path, known)}
    for are_tensors in (False, True):
        paths = [f"`{path}`" for path, count in counts.items() if count and (path in names) is are_tensors]
        if paths:
            listed = ", ".join(paths[:MOST]) + (f" and {len(paths) - MOST} more" if len(paths) > MOST else "")
            what = (
                f"no layer has {listed}"
                if are_tensors
                else f"{listed} do{'' if paths[1:] else 'es'} not run in evaluation"
            )
            count = sum(count for path, count in counts.items() if (path in names) is are_tensors)
            yield Refusal(Code.LEFT_OUT, f"{what}: the spec leaves out {count} tensor{'s' if count > 1 else ''}")


def from_module(
    module: nn.Module,
    input: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    *,
    name: str | None = None,
    leaves: Collection[str] = (),
    prove: bool = True,
) -> str:
    """The text of a spec whose network is equal to a module; :func:`cnndsl.loads` compiles it.

    ``input`` is the shape of one sample, without the batch, or several by the names of the arguments of ``forward``;
    without it, usual shapes are tried. ``name`` is the name of the network, ``leaves`` are names of classes that stay
    as they are: layers of your own, which ``cnndsl.layer`` adds to the layer table before the spec is compiled. With
    ``prove`` the two networks are compared: tensors, outputs, gradients, and what training changes. The module stays
    as it is.

    Raises :class:`ModuleError` with all reasons why the module cannot be a spec, :class:`RunError` if no input is found
    or no module is of a class in ``leaves``. What the spec leaves out is told by a ``UserWarning``.

    >>> text = cnndsl.from_module(torchvision.models.resnet18(), input=(3, 224, 224))
    >>> net = cnndsl.loads(text)
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"a module must be an `nn.Module`, not {got(module)}")
    if name is not None and (reason := unusable(name)):
        raise ValueError(f"the name `{name}` {reason}")
    module = unwrapped(module)
    inputs, _ = inputs_of(module, _shapes(input))
    found = import_module(module, inputs, name=name or "", leaves=leaves, compare=prove)
    for warning in found.warnings:
        warnings.warn(warning.render(), stacklevel=2)
    return found.text


def _shapes(given: Sequence[int] | Mapping[str, Sequence[int]] | None) -> list[tuple[str, tuple[int, ...]]]:
    if given is None:
        return []
    shapes = [*given.items()] if isinstance(given, Mapping) else [("", given)]
    for _, shape in shapes:
        if not (isinstance(shape, (tuple, list)) and shape and all(map(_is_size, shape))):
            raise TypeError(f"an input is a shape without the batch, as (3, 224, 224), not {got(shape)}")
    return [(name, tuple(shape)) for name, shape in shapes]


def _is_size(value: object) -> bool:
    return isinstance(value, int) and value > 0


def inputs_of(
    module: nn.Module, shapes: Sequence[tuple[str, tuple[int, ...]]], sizes: tuple[int, ...] = ()
) -> tuple[Inputs, str]:
    """Shapes by the names of the arguments of ``forward``, in the order of these; those without a name take the next
    arguments. Without shapes, the input is guessed, with ``sizes`` first; the second result tells how. Raises
    :class:`ModuleError` and :class:`RunError`."""
    with _as_module_error(module):
        check_runs(module)
        if not shapes:
            return guess_input(module, sizes)
        check_names(module, [name for name, _ in shapes if name])
    return _named(module, shapes), ""


def _named(module: nn.Module, shapes: Sequence[tuple[str, tuple[int, ...]]]) -> Inputs:
    taken = list(signature(module.forward).parameters)
    given = {name: shape for name, shape in shapes if name}
    tops = {name.partition(".")[0] for name in given}
    free = iter([name for name in taken if name not in tops])
    given |= {next(free, f"input{number}"): shape for number, (name, shape) in enumerate(shapes) if not name}
    order = {name: place for place, name in enumerate(taken)}
    return dict(sorted(given.items(), key=lambda item: order.get(item[0].partition(".")[0], len(order))))


@contextmanager
def _unfinished() -> Iterator[None]:
    """Tells exceptions that no stage expects as a fault of ours, whose cause they are."""
    try:
        yield
    except (Unspeakable, RunError):
        raise
    except Exception as error:
        if isinstance(error, SpecError) and (limit := error.diagnostics[0]).code is Code.LIMIT:
            help = "make parts of it classes of their own, which become blocks, or keep one as a layer: `--leaf NAME`"
            raise Unspeakable([Refusal(limit.code, f"its spec would be {limit.message}", None, help)]) from error
        *_, last = walk_tb(error.__traceback__)
        place = Place(last[0].f_code.co_filename, last[1])
        message = f"cnndsl failed to convert the module: {type(error).__name__}: {error}"
        raise Unspeakable([Refusal(Code.UNFINISHED, message, place, "please report this, with the module")]) from error


@contextmanager
def _as_module_error(module: nn.Module) -> Iterator[None]:
    try:
        yield
    except Unequal as error:
        raise ModuleError(diagnostics_of(error.refusals, module), error.text) from error
    except Unspeakable as error:
        raise ModuleError(diagnostics_of(error.refusals, module)) from error
