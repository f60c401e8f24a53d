"""Compares a spec with the module that it was made of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import torch
from msgspec.structs import replace
from torch import Tensor, nn

from cnndsl.diagnostics import Code, SpecError, cause
from cnndsl.emit.module import own_layers
from cnndsl.graph.elaborate import elaborate
from cnndsl.importing.proof.difference import Difference, first_difference, place
from cnndsl.importing.proof.names import MOST, Misfit, check_settings, counterparts, named_tensors, perturbed
from cnndsl.importing.proof.runs import Narrowing, Ran, Side, evaluated, trained, unmoved
from cnndsl.importing.proof.samples import Shape, candidates, drawn, odd_candidates
from cnndsl.importing.recorded import Refusal, Unspeakable
from cnndsl.importing.trace import other_path
from cnndsl.network import Network, loads
from cnndsl.spec.renaming import Renamer
from cnndsl.spec.values import ListValue, Literal

#: The largest relative difference in double precision that is only rounding, as of sums in another order. The rounding
#: of one operation is 1e-16 there; a fault of a network is as large as in single precision.
ROUNDING = 1e-9
#: The largest that rounding may be in single precision. One operation has 6e-8; half precision 5e-4, bfloat16 4e-3.
SINGLE = 1e-4
#: A way to run a network.
Way: TypeAlias = Callable[[Side, Sequence[Tensor]], Ran]


@dataclass(frozen=True)
class Proof:
    """What was compared. ``shapes`` are those of the inputs, with the batch, in each comparison. ``inexact`` are the
    values that are equal but for rounding, as gradients are that torch adds up in another order, each with its relative
    difference in double precision, or in single precision if ``is_double`` is false: then the module fixes its types.
    ``names`` are the module's names of the spec's tensors, and ``spare`` its tensors that the spec leaves out.
    ``training`` is false if the module does not run in training mode. ``paths`` are lines at which the module does
    something else for inputs that were therefore not compared."""

    network: Network = field(repr=False)
    shapes: tuple[tuple[Shape, ...], ...]
    inexact: dict[str, float]
    names: Mapping[str, str] = field(repr=False)
    spare: tuple[str, ...]
    training: bool
    paths: tuple[Refusal, ...]
    is_double: bool


class Unequal(Unspeakable):
    """A spec is not equal to its module. ``text`` is the spec, for a report: it is not one to use."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__([refusal])
        self.text = text


def prove(
    text: str,
    module: nn.Module,
    inputs: Mapping[str, Shape],
    *,
    left_out: Collection[str] = (),
    leaves: Collection[str] = (),
    training: bool = True,
) -> Proof:
    """Compares the network of a spec with a module: names, shapes and kinds of tensors; outputs in evaluation and all
    gradients at three sizes, of which one is odd, with batches of one, two and three samples; outputs in training mode,
    and the statistics after it. All are equal bit for bit, or differ by rounding that vanishes in double precision.

    ``inputs`` are shapes that the module takes, without the batch, by the names of its arguments. The module may have
    more tensors below the paths in ``left_out``; ``leaves`` are classes that are layers. Constant weights and
    statistics are drawn, so that a zero hides nothing. Without ``training``, only evaluation is compared. The module
    stays as it is. Raises :class:`Unequal`.
    """
    return _Prover(text, module, tuple(inputs), left_out, leaves).run([*inputs.values()], training)


class _Prover:
    """``theirs`` is the module with the tensors of the comparison; :meth:`_ours` is the spec's at any size."""

    def __init__(
        self,
        text: str,
        module: nn.Module,
        inputs: Sequence[str],
        left_out: Collection[str],
        leaves: Collection[str],
    ) -> None:
        self.text = text
        self.network = self._compiled()
        self.renamer = Renamer(self.network.graph.document.rename)
        with torch.device("meta"):
            ours = self.network.module()
        try:
            self.counterparts = counterparts(ours, module, self.renamer, left_out)
            check_settings(ours, module, self.renamer)
        except Misfit as error:
            raise self._unequal(str(error)) from None
        # Drawing weights that are replaced takes time. Only layers of users may have tensors that nobody replaces.
        self.device = torch.device("cpu" if own_layers(self.network.graph) else "meta")
        called = {name: name for name in self.counterparts.names.values()}
        self.theirs = Side(module, perturbed(module), called, inputs)
        self.inexact: dict[str, float] = {}
        self.is_double = True
        self.refused = ""
        self.leaves = leaves
        self.paths: list[Refusal] = []

    def run(self, given: Sequence[Shape], training: bool) -> Proof:
        """Each comparison has another batch, and where the module takes it another size; the last one is odd."""
        self.given = given
        compared: dict[int, tuple[Shape, ...]] = {}
        for batch, tried in enumerate((candidates(given), candidates(given), odd_candidates(given)), 1):
            done = [*compared.values()]
            others = (shapes for shapes in tried if shapes not in done)
            if (shapes := self._compare(others, batch) or self._compare(done[:1], batch)) is not None:
                compared[batch] = shapes
        if not compared:
            raise self._incomparable()
        training = training and self._agree(trained, compared.get(2) or next(iter(compared.values())), 2)
        return Proof(
            self.network,
            tuple(tuple((batch, *shape) for shape in shapes) for batch, shapes in compared.items()),
            self.inexact,
            self.counterparts.names,
            self.counterparts.spare,
            training,
            (*self.paths,),
            self.is_double,
        )

    def _incomparable(self) -> Unequal:
        if self.paths:
            help = "write `forward` so that it does the same for all inputs"
            return Unequal(replace(self.paths[0], code=Code.OPERATION, help=help), self.text)
        return self._unlike_any(f"the module cannot be compared on {_said(self.given)}: {self.refused}")

    def _compare(self, tried: Iterable[tuple[Shape, ...]], batch: int) -> tuple[Shape, ...] | None:
        """The first shapes that the module takes, on which the networks are equal."""
        return next((shapes for shapes in tried if self._agree(evaluated, shapes, batch)), None)

    # --- the network of the spec -----------------------------------------------------------------

    def _compiled(self) -> Network:
        try:
            return loads(self.text)
        except SpecError as error:
            raise self._unequal(f"it does not compile: {error.diagnostics[0]}") from error

    def _ours(self, shapes: Sequence[Shape]) -> Side:
        """The network of the spec at these sizes of its inputs. Raises :class:`SpecError`."""
        document = self.network.graph.document
        inputs = {
            name: ListValue(tuple(Literal(size, value.span) for size in shape), value.span)
            for (name, value), shape in zip(document.inputs.items(), shapes, strict=True)
        }
        elaboration = elaborate(replace(document, inputs=inputs))
        if elaboration.graph is None:
            raise SpecError(elaboration.faults)
        names = self.counterparts.names
        with self.device:
            module = Network(elaboration.graph).module()
        tensors = {
            own: self.theirs.tensors[names[own]] if own in names else tensor
            for own, tensor in named_tensors(module).items()
        }
        return Side(module, tensors, names)

    # --- comparisons -----------------------------------------------------------------------------

    def _agree(self, way: Way, shapes: Sequence[Shape], batch: int) -> bool:
        """Compares the two networks in one way. False if the module itself does not take such inputs. Raises
        :class:`Unequal`."""
        inputs = drawn(shapes, batch)
        try:
            wanted = way(self.theirs, inputs)
        except Exception as error:
            self.refused = cause(error)
            return False
        if any(len(output) != batch for output in wanted.outputs if output.dim()):
            self.refused = "an output has another batch than the input"  # as after `view(-1, 400)`
            return False
        try:
            self._check_equal(way, shapes, inputs, wanted)
        except Unequal as unequal:
            if (path := self._other_path(way, shapes, batch)) is None:
                raise self._own_fault(way, inputs, wanted) or unequal from unequal
            self.refused = path.message
            self.paths.append(path)
            return False
        return True

    def _other_path(self, way: Way, shapes: Sequence[Shape], batch: int) -> Refusal | None:
        """The line at which the module does something else for these inputs than for the given ones, if it does."""
        given, other = (dict(zip(self.theirs.inputs, all_shapes)) for all_shapes in (self.given, shapes))
        return other_path(self.theirs.module, given, other, batch, way is trained, self.leaves)

    def _own_fault(self, way: Way, inputs: list[Tensor], wanted: Ran) -> Unequal | None:
        """What the module does by itself, so that no spec could be equal to it."""
        module = self.theirs.module
        told = ""
        if again := differences(way(self.theirs, inputs), wanted):
            told = f"{next(iter(again))} differs between two equal runs of the module"
        elif fixed := unmoved(module, way is trained):
            mode = "train" if way is trained else "eval"
            told = f"`{mode}()` does not change the mode of {', '.join(f'`{path}`' for path in fixed[:MOST])}"
        return self._unlike_any(told) if told else None

    def _unlike_any(self, message: str) -> Unequal:
        """No spec could be equal to what the module does."""
        module = self.theirs.module
        return Unequal(Refusal(Code.OPERATION, message, place(module), kind=type(module).__name__), self.text)

    def _check_equal(self, way: Way, shapes: Sequence[Shape], inputs: list[Tensor], wanted: Ran) -> None:
        where = f"on {_said([tuple(tensor.shape) for tensor in inputs])}{' in training' if way is trained else ''}"
        try:
            ours = self._ours(shapes)
            found = way(ours, inputs)
        except SpecError as error:
            raise self._unequal(f"{where} it does not compile: {error.diagnostics[0]}") from error
        except Exception as error:
            raise self._unequal(f"{where} it does not run: {cause(error)}") from error
        if way is evaluated and len(found.outputs) != len(wanted.outputs):
            raise self._unequal(f"it has {len(found.outputs)} outputs, and the module {len(wanted.outputs)}")
        if mistyped := [*_mistyped(found, wanted)]:
            raise self._unlike_any(f"{mistyped[0]}: a spec does not choose types, as `autocast` does")
        if differing := differences(found, wanted):
            self._check_rounding(way, ours, inputs, where, differing)

    def _check_rounding(
        self, way: Way, ours: Side, inputs: list[Tensor], where: str, differing: Mapping[str, float]
    ) -> None:
        """Raises :class:`Unequal` if what differs does so by more than rounding: in single precision, and in double
        precision if the module can compute in it."""
        double = self._in_double(way, ours, inputs)
        for name, single in differing.items():
            error = single if double is None else double.get(name, 0.0)
            if single > SINGLE or error > (SINGLE if double is None else ROUNDING):
                what = first_difference(ours, self.theirs, inputs, self.renamer, way is trained)
                raise self._unequal(f"{where} {name} differs; {what.message}", what)
            self.inexact[name] = max(error, self.inexact.get(name, 0.0))
        self.is_double = self.is_double and double is not None

    def _in_double(self, way: Way, ours: Side, inputs: list[Tensor]) -> dict[str, float] | None:
        """The relative differences in double precision; None if the module fixes the types of its tensors."""
        given = [tensor.double() for tensor in inputs]
        try:
            with Narrowing() as narrowing:
                wanted = way(self.theirs.as_type(torch.float64), given)
        except Exception:
            return None
        return None if narrowing.seen else differences(way(ours.as_type(torch.float64), given), wanted)

    def _unequal(self, message: str, what: Difference | None = None) -> Unequal:
        what = what or Difference("")
        refusal = Refusal(Code.UNEQUAL, f"the spec is not equal to the module: {message}", what.place)
        return Unequal(replace(refusal, path=what.path, kind=what.kind), self.text)


def differences(found: Ran, wanted: Ran) -> dict[str, float]:
    """What is not equal bit for bit in two runs, with its relative distance; infinite for other shapes or if only one
    run has it. In training a module may also return what an auxiliary head gives: there each output of the spec is one
    of the module's."""
    errors = {}
    same = len(found.outputs) == len(wanted.outputs)
    for number, output in enumerate(found.outputs):
        others = [wanted.outputs[number]] if same else wanted.outputs
        errors[f"output {number}"] = min((_distance(output, other) for other in others), default=torch.inf)
    errors |= {name: _distance(found.others.get(name), other) for name, other in wanted.others.items()}
    return {name: error for name, error in errors.items() if error != 0}


def _mistyped(found: Ran, wanted: Ran) -> Iterator[str]:
    if len(found.outputs) == len(wanted.outputs):
        for number, (ours, theirs) in enumerate(zip(found.outputs, wanted.outputs)):
            if ours.dtype is not theirs.dtype:
                types = (str(tensor.dtype).removeprefix("torch.") for tensor in (theirs, ours))
                yield "output {} is {} in the module and {} in the spec".format(number, *types)


def _distance(found: Tensor | None, wanted: Tensor | None) -> float:
    """The norm of the difference relative to that of ``wanted``; a gradient that is None is 0."""
    if found is None or wanted is None:
        rest = wanted if found is None else found
        return torch.inf if rest is not None and bool(rest.any()) else 0.0
    if found.shape != wanted.shape:
        return torch.inf
    if torch.equal(found, wanted):
        return 0.0
    distance = float((found - wanted).double().norm() / wanted.double().norm().clamp(min=1e-300))
    return distance if distance == distance else torch.inf


def _said(shapes: Sequence[Shape]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
