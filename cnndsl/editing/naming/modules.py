"""The names of the steps of one module: who has which, and what refers to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct, field

from cnndsl.editing.naming.bindings import Bindings, Mention, Named, Place, inside
from cnndsl.editing.naming.written import Segment, Written
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.steps import Name, Step


class Definer(Record, frozen=True):
    """A step with a name. ``is_certain`` is true if no `when` decides whether it runs."""

    step: Step
    name: Written
    is_certain: bool


class Reference(Record, frozen=True):
    """What names a step. Of the definers, the first ``after`` are before it."""

    name: Written
    after: int


class ModuleNames(Struct, eq=False):
    """The names in a module, in the order of the text. ``inputs`` are by the places that the compiler has of them;
    ``inlined`` are the blocks that are written out in it, whose names are names of the module."""

    inputs: Mapping[Span, Name] = field(default_factory=dict)
    input_kind: Named = "input"
    definers: list[Definer] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    inlined: list[str] = field(default_factory=list)
    #: The names that the module gives its outputs.
    outputs: list[Written] = field(default_factory=list)

    def define(self, step: Step, name: Written, is_certain: bool) -> None:
        self.definers.append(Definer(step, name, is_certain))

    def refer(self, name: Written) -> None:
        self.references.append(Reference(name, len(self.definers)))

    def give_back(self, name: Written) -> None:
        self.outputs.append(name)
        self.refer(name)


class Linker:
    """Finds what each reference names. ``ran`` is what names turned out to mean when their steps ran, by their places.
    Others are known by their texts. ``blocks`` are the modules of the blocks; ``called`` are the blocks that steps
    called."""

    def __init__(
        self,
        bindings: Bindings,
        blocks: Mapping[str, ModuleNames],
        called: Mapping[Step, Sequence[str]],
        ran: Mapping[Span, Collection[tuple[Step, bool]]],
    ) -> None:
        self.bindings = bindings
        self.blocks = blocks
        self.called = called
        self.ran = ran

    def link(self, module: ModuleNames) -> None:
        for name in module.inputs.values():
            self._given(module, name)
        self._unite(module)
        for reference in module.references:
            if (found := self.ran.get(reference.name.span)) is not None:
                self._exactly(module, reference.name, found)
            else:
                self._by_text(module, reference)

    def _given(self, module: ModuleNames, name: Name) -> Place:
        return self.bindings.add(Mention(inside(name.span, name.name), name.name, module.input_kind, defines=True))

    def _mention(self, segment: Segment, defines: bool = False) -> Place:
        return self.bindings.add(Mention(segment.span, segment.stem, "step", defines, segment.is_open))

    def _unite(self, module: ModuleNames) -> None:
        """Steps of one module with one name are alternatives, of which `when` leaves one; `heads` is one dict of
        modules in `heads.box` and `heads.cls`."""
        known: dict[tuple[tuple[str, bool], ...], Place] = {}
        for definer in module.definers:
            segments = definer.name.segments
            for end, segment in enumerate(segments, 1):
                place = self._mention(segment, defines=True)
                first = known.setdefault(tuple(one.key for one in segments[:end]), place)
                if segment.stem:
                    self.bindings.same(first, place)

    # --- what ran --------------------------------------------------------------------------------

    def _exactly(self, module: ModuleNames, name: Written, found: Collection[tuple[Step, bool]]) -> None:
        definers = {definer.step: definer for definer in self._everyone(module)}
        for step, is_output in found:
            if (definer := definers.get(step)) is None:
                if (given := module.inputs.get(step.span)) is not None:
                    self._same_input(module, name, given)
            elif not is_output:
                self._same(name, definer)
            elif split := name.split():
                self._same(split[0], definer)
                self._output(split[1], definer)

    def _everyone(self, module: ModuleNames) -> Iterator[Definer]:
        """The steps with names in a module, those of the blocks that are written out in it too, each block once."""
        yield from module.definers
        pending = [*module.inlined]
        for block in pending:
            if block in self.blocks:
                yield from self.blocks[block].definers
                pending += [inner for inner in self.blocks[block].inlined if inner not in pending]

    def _same(self, name: Written, definer: Definer) -> None:
        for ours, theirs in zip(name.segments, definer.name.segments):
            self.bindings.same(self._mention(ours), self._mention(theirs, defines=True))

    def _same_input(self, module: ModuleNames, name: Written, given: Name) -> None:
        self.bindings.same(self._given(module, given), self._mention(name.segments[0]))

    def _output(self, output: Segment, owner: Definer) -> None:
        """Makes the name of an output the same as the name that its block gives it."""
        for block in self.called.get(owner.step, ()):
            for given in self.blocks[block].outputs if block in self.blocks else ():
                last = given.segments[-1]
                if last.may_be(output):
                    self.bindings.same(self._mention(output), self._mention(last))

    # --- what did not run ------------------------------------------------------------------------

    def _by_text(self, module: ModuleNames, reference: Reference) -> None:
        name, before = reference.name, module.definers[: reference.after]
        taken = [one for one in before if one.name.text == name.text]
        given = next((given for given in module.inputs.values() if given.name == name.text), None)
        if given is not None and not any(one.is_certain for one in taken):
            self._same_input(module, name, given)
        if given is not None and not taken:
            return
        if definers := [*self._having(module, name)]:
            for definer in definers:
                self._same(name, definer)
        elif split := name.split():
            for definer in self._having(module, split[0]):
                self._same(split[0], definer)
                self._output(split[1], definer)

    def _having(self, module: ModuleNames, name: Written) -> Iterator[Definer]:
        """The steps that a name may mean: those with the same text, or else those that may have it by their values."""
        everyone = [*self._everyone(module)]
        same = [one for one in everyone if one.name.texts == name.texts]
        yield from same if name.text is not None and same else (one for one in everyone if one.name.may_be(name))
