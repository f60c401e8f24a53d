"""The compiler from end to end: loads and checks specs, and gives access to the compiled network."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, SpecError, check_number, foremost, got, ordered, sparing
from cnndsl.graph.check import check_graph
from cnndsl.graph.cost import Cost
from cnndsl.graph.elaborate import Elaboration, elaborate
from cnndsl.graph.graph import Graph, Module
from cnndsl.graph.lints import explanations
from cnndsl.limits import LIMITS, Limits
from cnndsl.plugins import load_installed
from cnndsl.recipe import Recipe
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.document import OPTIONS, Document, Reading, Spec, Text, read_document
from cnndsl.spec.silence import silence
from cnndsl.spec.steps import Step

if TYPE_CHECKING:
    from torch import Tensor, nn

    from cnndsl.emit.diagram import Diagram
    from cnndsl.emit.diagram.volumes import Volumes
    from cnndsl.emit.source import Emitted
    from cnndsl.emit.table import Table
    from cnndsl.weights import Fit


class Compilation(Record, frozen=True):
    """The result for a spec: the graph, None if there are errors, all diagnostics, and the network as far as its shapes
    are known. ``sound`` is the graph even if it breaks its ``expect``, or if its recipe has errors or does not fit.
    ``document`` is the spec as far as it could be read. ``named`` are the steps that each name turned out to mean, and
    whether it is one of their outputs, by the place of the name."""

    graph: Graph | None
    diagnostics: list[Diagnostic]
    partial: Module | None = None
    recipe: Recipe | None = None
    sound: Graph | None = None
    document: Document | None = None
    named: Mapping[Span, Collection[tuple[Step, bool]]] = {}

    @property
    def errors(self) -> list[Diagnostic]:
        return [found for found in self.diagnostics if found.is_error]


def compile_spec(
    spec: Spec,
    params: Mapping[str, Any] | None = None,
    *,
    given: Sequence[str] = (),
    settings: Sequence[str] = (),
    batch: int = 1,
    limits: Limits = LIMITS,
    options: tuple[str, str] = OPTIONS,
) -> Compilation:
    """Text -> steps -> graph.

    The spec's recipe, ``train``, is checked against the network, if it has one. ``params`` are
    Python values for the spec's parameters, ``given`` the same as ``name=value``
    strings, and ``settings`` are ``a.b=value`` strings for any key; ``options`` are what a command line
    calls these two. Raises :class:`SpecError` only if there is no file to read, and :class:`RunError` if
    the layers of an installed package cannot be loaded.
    """
    if not isinstance(limits, Limits):
        raise TypeError(f"`limits` must be a cnndsl.Limits, not {type(limits).__name__}")
    load_installed()
    with _no_collection(), sparing():
        return _compile(read_document(spec, params, settings, given, limits, options), batch)


def _compile(reading: Reading, batch: int) -> Compilation:
    if reading.document is None:
        return Compilation(None, foremost(reading.faults))
    elaboration = elaborate(reading.document, batch)
    recipe, unread = _recipe(reading.document, elaboration)
    faults = [*reading.faults, *elaboration.faults]
    sound = None if _has_errors(faults) else elaboration.graph
    checked = check_graph(sound) if sound else []
    faults += unread
    if sound is not None and not _has_errors(unread):
        faults += [*checked, *(_misfits(sound, recipe) if recipe else ())]
    elif elaboration.partial is not None:
        faults += explanations(reading.document, elaboration.partial, faults)
    graph = None if _has_errors(faults) else sound
    if _has_errors(fault for fault in checked if fault.code is not Code.EXPECT):
        sound = None
    # Without errors, all warnings are known; only then is it certain that a comment silences nothing.
    said = silence(ordered(faults), reading.document.source if graph else None)
    return Compilation(graph, foremost(said), elaboration.partial, recipe, sound, reading.document, elaboration.named)


def _has_errors(faults: Iterable[Diagnostic]) -> bool:
    return any(fault.is_error for fault in faults)


def _recipe(document: Document, elaboration: Elaboration) -> tuple[Recipe | None, list[Diagnostic]]:
    """The recipe of a document that has one. Most have none, and need no tables of optimizers."""
    if document.train is None:
        return None, []
    from cnndsl.recipe.reader import read_recipe

    return read_recipe(document.train, elaboration.params)


def _misfits(graph: Graph, recipe: Recipe) -> list[Diagnostic]:
    from cnndsl.recipe.compatibility import check_fit

    return check_fit(graph, recipe)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Turns garbage collection off: Python's collector visits all live objects whenever they have grown by a quarter,
    but a compile creates data with hardly any cycles."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class Network(Record, frozen=True, eq=False, dict=True):
    """A compiled network. In a notebook it shows its table and its diagram.

    Two networks are equal if their specs are, with everything that these extend and were given, and the shapes of their
    inputs too.
    """

    graph: Graph
    recipe: Recipe | None = None

    @property
    def name(self) -> str:
        return self.graph.document.name

    def _key(self) -> tuple[object, ...]:
        shapes = tuple((name, tensor.shape) for name, tensor in self.graph.inputs.items())
        return self.graph.document.resolved(), shapes

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Network) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    @cached_property
    def _emitted(self) -> Emitted:
        from cnndsl.emit.source import emit

        return emit(self.graph)

    @cached_property
    def _class(self) -> type[nn.Module]:
        from cnndsl.emit.module import network_class

        return network_class(self._emitted, self.graph)

    @property
    def label(self) -> str:
        """The name of its files and folders: the spec's ``name``, or the name of its file."""
        return self.graph.document.label

    @property
    def cost(self) -> Cost:
        """Parameters, buffer values and MACs of the whole network."""
        return self.graph.root.cost

    def at_size(self, shape: tuple[int, ...]) -> Network:
        """The same network for samples of another shape, without the batch. Raises :class:`SpecError`
        if it does not accept them."""
        if not isinstance(shape, (tuple, list)):
            raise TypeError(f"a shape is a tuple of sizes, as (3, 224, 224), not {got(shape)}")
        from cnndsl.recipe.compatibility import at_size

        elaboration = at_size(self.graph.document, shape)
        if elaboration.graph is None:
            raise SpecError(elaboration.faults, elaboration.partial)
        return replace(self, graph=elaboration.graph)

    def shapes(
        self,
        depth: int | None = None,
        *,
        columns: str | Sequence[str] | None = None,
        filter: str | Sequence[str] | None = None,
        sort: str | None = None,
        top: int | None = None,
        batch: int = 1,
        dtype: str = "float32",
    ) -> Table:
        """The table of modules and layers, ``depth`` levels deep: path, shapes with the batch,
        parameters, and MACs of one forward pass.

        ``columns`` are names of :data:`cnndsl.emit.table.COLUMNS`, a list or separated by commas. ``filter`` keeps the
        rows whose path or layer matches a pattern, as ``layer3.*``. ``sort`` compares the innermost rows by a column,
        numbers from the largest and texts from A, or the other way round as ``-params``; ``top`` keeps the first of
        these. The table is that of ``batch`` samples; ``dtype`` is the type that bytes are counted for.

        ``to("latex")`` is its text in a format, and ``save("net.tex")`` writes it. Raises ValueError for names that
        there are not and for numbers below 1, and :class:`SpecError` if a batch is larger than the limits.
        """
        from cnndsl.emit.table import Choice

        choice = Choice.of(columns, filter=filter, sort=sort, top=top, depth=depth, dtype=dtype)
        return choice.table(self._of_batch(batch))

    def _of_batch(self, batch: int) -> Graph:
        """The graph for so many samples."""
        check_number("batch", batch)
        if batch == self.graph.root.input.shape[0]:
            return self.graph
        elaboration = elaborate(self.graph.document, batch)
        if elaboration.graph is None:
            raise SpecError(elaboration.faults, elaboration.partial)
        return elaboration.graph

    def source(self) -> str:
        """One formatted Python file with the network's ``nn.Module`` classes. It imports torch, and
        torchvision if it uses a layer of torchvision."""
        return self._emitted.source

    def module(self, weights: str | Path | Mapping[str, Tensor] | None = None, *, partial: bool = False) -> nn.Module:
        """The network as an ``nn.Module``: :meth:`source`, executed. Its weights are initialised by the
        spec's ``init``, or else by torch.

        ``weights`` replace these: a safetensors or torch file, ``torchvision:IMAGENET1K_V1``, or a
        ``state_dict``, with the names of the module or those of the spec's ``rename``. All tensors must fit, or, with
        ``partial``, some. Otherwise :class:`RunError` lists those that do not. Values that look wrong are loaded with a
        ``UserWarning`` that names them.
        """
        module = self._class()
        if weights is not None:
            fit = self.load_weights(module, weights, partial=partial)
            if fit.warning is not None:
                warnings.warn(fit.warning.render(), stacklevel=2)
        return module

    def load_weights(
        self, module: nn.Module, weights: str | os.PathLike[str] | Mapping[str, Tensor], *, partial: bool = False
    ) -> Fit:
        """Loads weights into a module of this network, as :meth:`module` does, and returns what fitted."""
        from cnndsl.weights import load_weights, read_weights

        return load_weights(module, read_weights(weights, self.name), self.graph, partial=partial)

    def diagram(self, **options: Any) -> Diagram | Volumes:
        """A ``graphviz.Digraph`` that renders itself without Graphviz installed; ``save(path)`` writes
        SVG, PNG, PDF or DOT. The options are those of :func:`cnndsl.emit.diagram.diagram`: ``style``, ``depth``,
        ``fit``, ``color`` and others. With the style ``volumes`` the result writes SVG, PNG, PDF or TikZ."""
        from cnndsl.emit.diagram import diagram

        return diagram(self.graph, **options)

    def mermaid(self, **options: Any) -> str:
        """A Mermaid flowchart, for a block of the language ``mermaid`` in a README. The options are those of
        :meth:`diagram` in its compact style."""
        from cnndsl.emit.diagram.mermaid import mermaid

        return mermaid(self.graph, **options)

    def __repr__(self) -> str:
        from cnndsl.emit.table import human

        cost = self.cost
        name, sides = self.graph.signature
        return f"<Network {name}: {human(cost.params)} parameters, {human(cost.macs)} MACs, {sides}>"

    def _repr_html_(self) -> str:
        from cnndsl.emit.notebook import as_notebook

        return as_notebook(self.graph)


def load(spec: Spec, /, *, limits: Limits = LIMITS, **params: Any) -> Network:
    """Compiles a spec, given by the path of its file or as ``zoo:NAME``. For the text of a spec, use :func:`loads`.

    ``params`` replace the defaults of the spec's own ``params``; ``limits`` bound the work. Raises
    :class:`SpecError` with all errors of the spec, each with its place.

    >>> net = cnndsl.load("archs/vgg11.yaml", classes=100)
    """
    compilation = compile_spec(spec, params, limits=limits)
    if compilation.graph is None:
        raise SpecError(compilation.diagnostics, compilation.partial)
    return Network(compilation.graph, compilation.recipe)


def loads(text: str, /, *, folder: str | os.PathLike[str] = ".", limits: Limits = LIMITS, **params: Any) -> Network:
    """Compiles the text of a spec, like :func:`load`. Files that it extends and uses are looked up in ``folder``.

    >>> net = cnndsl.loads("input: [1, 28, 28]\\nnetwork: [Flatten, Linear: 10]")
    """
    return load(Text(text, folder), limits=limits, **params)


def check(spec: Spec, /, *, limits: Limits = LIMITS, **params: Any) -> list[Diagnostic]:
    """All errors and warnings of a spec, sorted by place. Empty if there are none.

    The spec is a path, ``zoo:NAME``, or ``cnndsl.Text(text)``. Raises :class:`SpecError` if the file cannot be read.
    """
    return compile_spec(spec, params, limits=limits).diagnostics
