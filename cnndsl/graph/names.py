"""The names of steps: whether a step can have one, and what it refers to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from cnndsl.diagnostics import Code, Note, did_you_mean, got, nearest, shorten
from cnndsl.graph.scope import Named, Scope, unusable_step, usable_step
from cnndsl.graph.site import Site
from cnndsl.source import Span
from cnndsl.spec import steps as spec
from cnndsl.spec.document import Document
from cnndsl.spec.tree import UNKNOWN
from cnndsl.spec.values import Literal, Value
from cnndsl.spec.words import INPUT

# --- the name of a step --------------------------------------------------------------------------


def name_of(step: spec.Step, site: Site) -> str | None:
    """The written name of a step, None if it has none or an unusable one."""
    if step.name is None:
        return None
    name = site.value(step.name)
    if name is UNKNOWN:
        site.scope.lose_name(step.name)
        return None
    is_child = isinstance(step, spec.Sequential) or (isinstance(step, spec.Call) and not step.inline)
    reason, help = unusable_step(name, is_child) if isinstance(name, str) else "is not a string", ""
    if not reason and "." in name and name.count(".") > sum(text.count(".") for text in spec.written_name(step.name)):
        reason, help = "has a dot that is not written in `name`", "write it there, as in `name: convs.$i`"
    if reason:
        help = help or usable_step(str(name))
        site.fault(Code.NAME, f"`{shown(name)}` {reason}", step.name.span, help)
        site.scope.lost.add(shown(name))
        return None
    return str(name)


def take(name: str, step: spec.Step, site: Site) -> None:
    """Reserves a name in the module around for a step, once."""
    scope = site.scope
    first, second = scope.taken.get(name), step.name or step
    if first is None:
        if "." in name or name in scope.holders:
            _hold(name, second, site)
        scope.taken[name] = second
        return
    help = "rename one of the two"
    if first.span == second.span:
        help = "use the loop variable, `name: conv$i`, or make the steps a block"
        if site.inlined:
            help = f"put a parameter of `{site.inlined}` into the name, `name: conv$i`, or remove `inline`"
    elif isinstance(first, spec.Step) or isinstance(second, spec.Step):
        help = f"an unnamed step is called `{name}`, its kind and a count: give one of the two another name"
    note = Note("it is first defined here", first.span)
    message = f"two steps of one module are named `{shorten(name)}`"
    site.fault(Code.DUPLICATE, message, second.span, help, note)


def _hold(name: str, named: Value | spec.Step, site: Site) -> None:
    """Reserves the lists and dicts of modules that a name with dots is in: no step may have the name of one."""
    scope = site.scope
    parts = name.split(".")
    holders = [".".join(parts[:end]) for end in range(1, len(parts))]
    held = next((holder for holder in holders if holder in scope.taken), "")
    first, message = scope.holders.get(name), f"`{shorten(name)}` is a list or dict of modules here"
    if held:
        message = f"`{shorten(name)}` is in a list or dict `{shorten(held)}`, but that name is taken"
        first = scope.taken[held]
    if first is not None:
        note = Note("it is first defined here", first.span)
        site.fault(Code.DUPLICATE, message, named.span, "rename one of the two", note)
    for holder in holders:
        scope.holders.setdefault(holder, named)


# --- what a name refers to -----------------------------------------------------------------------


class Names:
    """Finds the steps of a document by their names."""

    def __init__(self, document: Document) -> None:
        self.document = document
        #: What each name turned out to mean, by its place: all steps, if that differs between rounds or uses, and
        #: whether it is an output of the step.
        self.found: dict[Span, set[tuple[spec.Step, bool]]] = {}

    def find(self, target: Value, site: Site) -> Named | None:
        """The earlier step of this module that a ``from`` or ``reuse`` names, None if it is unknown."""
        name, scope = site.value(target), site.scope
        if name is UNKNOWN:
            return None
        found = self._found(name, target.span, scope)
        if found is None and not scope.may_have(shown(name)):
            self._not_found(name, target.span, site)
        return found

    def _found(self, name: object, span: Span, scope: Scope) -> Named | None:
        found = scope.find(name) if isinstance(name, str) else None
        if found is not None:
            self.found.setdefault(span, set()).add((found.step, found.is_output))
        return found

    @property
    def used(self) -> set[spec.Step]:
        """The steps that something has named."""
        return {step for steps in self.found.values() for step, _ in steps}

    def _not_found(self, name: object, span: Span, site: Site) -> None:
        names = [name for name in site.scope.names if name != INPUT]
        message, help = f"no earlier step of this module is named `{shown(name)}`", did_you_mean(str(name), names)
        notes: list[Note] = []
        if reason := _of_known(str(name), site.scope):
            message, help, notes = reason
            help = help or "put the same `when` beside this step"
        elif isinstance(name, str) and name in self._written:
            notes = [Note("there is one here, later or in another module", self._written[name])]
        if not help and names:
            help = f"the names so far: {_listed(names)}"
        if isinstance(name, str) and name in site.environment.names:
            help = f"did you mean `${shown(name)}`?"
        site.fault(Code.FROM, message, span, help or "give the step a `name`", *notes)

    def find_output(self, name: object, span: Span, what: str, site: Site) -> Named | None:
        """The step of the module ``what`` that its ``outputs`` name at ``span``, None if it is unknown."""
        scope = site.scope
        found = self._found(name, span, scope)
        if found is None and not scope.may_have(shown(name)):
            message, help = f"no step of {what} is named `{shown(name)}`", did_you_mean(str(name), scope.names)
            help = help or f"give the step a `name`, in {what} itself"
            notes: list[Note] = []
            if reason := _of_known(str(name), scope):
                message, help, notes = reason
                help = help or f"`{{name: {shown(name)}}}` in the `else` beside `when` names the current tensor"
            site.fault(Code.OUTPUT, message, span, help, *notes)
        return found

    @cached_property
    def _written(self) -> dict[object, Span]:
        """The first place of each literal name in the document."""
        found: dict[object, Span] = {}
        for steps in (self.document.network, *(block.steps for block in self.document.blocks.values())):
            for name in spec.names_in(steps):
                if isinstance(name, Literal):
                    found.setdefault(name.value, name.span)
        return found


def which(name: str, absent: Mapping[str, Span]) -> Span | None:
    """The place of an absent name that is this one, or that of the module before its dot."""
    return absent.get(name) or absent.get(name.rpartition(".")[0])


def _of_known(name: str, scope: Scope) -> tuple[str, str, list[Note]] | None:
    """Message, help and notes about a name that means nothing, although what is before its dot is known, or although
    the spec has such a step, which is left out: then there is no help."""
    module, _, output = name.rpartition(".")
    if named := scope.names.get(module):
        if outputs := named.outputs:
            near = nearest(output, outputs)
            help = f"did you mean `{module}.{near}`?" if near else f"its outputs: {_listed([*outputs])}"
            return f"`{shorten(module)}` has no output `{shorten(output)}`", help, []
        message = f"`{shorten(module)}` has one tensor, and no outputs with names"
        help = did_you_mean(name, scope.names) or f"its tensor is `{shorten(module)}`"
        return message, help, [Note("it is this step", named.span)]
    if left_out := which(name, scope.absent()):
        note = Note("by its `when`, or by one around it", left_out)
        return f"there is no `{shown(name)}` here: its step is left out", "", [note]
    return None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(shorten, names[:12])) + (", …" if len(names) > 12 else "")


def shown(name: Any) -> str:
    """A value in the place of a name, as a message shows it."""
    return shorten(name) if isinstance(name, str) and name else got(name)
