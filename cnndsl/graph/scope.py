"""Names within one module: its children, its tensors, and the names of unnamed ones."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from itertools import count

from msgspec import Struct, field
from msgspec.structs import replace

from cnndsl.graph.graph import Apply, Failed, Fetch, Inline, Module, Tensor
from cnndsl.record import Record
from cnndsl.source import Span
from cnndsl.spec.evaluation import Environment, Fault, Literal, Unknown, Value, evaluate
from cnndsl.spec.names import MAX_NAME, unusable, unusable_key, usable
from cnndsl.spec.steps import (
    ANY_NAME,
    Arm,
    Invalid,
    Step,
    Steps,
    WrittenName,
    inlined,
    may_be,
    names_in,
    written_name,
)

_PUBLIC = """
    T_destination add_module append apply bfloat16 buffers call_super_init children compile cpu cuda double
    dump_patches eval extend extra_repr float forward get_buffer get_extra_state get_parameter get_submodule
    half insert ipu load_state_dict modules mtia named_buffers named_children named_modules named_parameters
    parameters pop register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
    to_empty train training type xpu zero_grad
"""
_PRIVATE = """
    _apply _backward_hooks _backward_pre_hooks _buffers _call_impl _compiled_call_impl _forward_hooks
    _forward_hooks_always_called _forward_hooks_with_kwargs _forward_pre_hooks _forward_pre_hooks_with_kwargs
    _get_backward_hooks _get_backward_pre_hooks _get_item_by_idx _get_name _is_full_backward_hook
    _load_from_state_dict _load_state_dict_post_hooks _load_state_dict_pre_hooks
    _maybe_warn_non_full_backward_hook _modules _named_members _non_persistent_buffers_set _parameters
    _register_load_state_dict_pre_hook _register_state_dict_hook _replicate_for_data_parallel
    _save_to_state_dict _slow_forward _state_dict_hooks _state_dict_pre_hooks _version _wrapped_call_impl
"""
#: Attributes of ``torch.nn.Module`` and ``Sequential``, which a child would hide.
TAKEN = frozenset((*_PUBLIC.split(), *_PRIVATE.split()))

#: The most parts of a name with dots.
MAX_PARTS = 8
#: Attributes of ``torch.nn.ModuleDict``, which differ from those in how modules are added and read.
TAKEN_KEYS = TAKEN - {"append", "extend", "insert"} | {"clear", "items", "keys", "update", "values"}
DOTTED = "`convs.0` is the module `0` in a list `convs`, and `heads.box` the module `box` in a dict `heads`"


@lru_cache(maxsize=1024)
def unusable_step(name: str, is_child: bool) -> str:
    """Why a step cannot have a name, to follow the name; empty if it can. A name with dots is a path in lists and dicts
    of modules. ``is_child`` is true for a step that makes a module."""
    first, *keys = name.split(".")
    if len(name) > MAX_NAME or not keys:
        return unusable(name) or _taken(name, TAKEN if is_child else (), "Module")
    if len(keys) >= MAX_PARTS:
        return f"has {len(keys) + 1} parts, the limit is {MAX_PARTS}"
    reasons = [(first, unusable(first) or _taken(first, TAKEN, "Module"))]
    reasons += [(key, unusable_key(key) or _taken(key, TAKEN_KEYS, "ModuleDict")) for key in keys]
    if any(not part for part, _ in reasons):
        return "has nothing before or after a dot"
    return next((f"has the part `{part}`, which {reason}" for part, reason in reasons if reason), "")


def usable_step(name: str) -> str:
    """Help: a name similar to one that :func:`unusable_step` refuses, or what its dots mean."""
    first, *keys = name.split(".")
    if not keys or _taken(first, TAKEN, "Module"):
        return usable(first, TAKEN)
    taken = next((key for key in keys if _taken(key, TAKEN_KEYS, "ModuleDict")), "")
    return usable(taken, TAKEN_KEYS) or DOTTED


def _taken(name: str, taken: Container[str], owner: str) -> str:
    return f"is already an attribute of torch.nn.{owner}" if name in taken else ""


#: The most names with values in them that are compared with a name that is not found.
MANY = 100


class Named(Record, frozen=True):
    """What a name refers to: the step, its tensor, and the values known there."""

    step: Step
    span: Span
    tensor: Tensor | None
    environment: Environment
    item: Apply | Module | Inline | None = None
    #: Whether it is one output of a module.
    is_output: bool = False

    @property
    def outputs(self) -> Mapping[str, Tensor]:
        """The outputs of a module by name, if its block gives them names."""
        if isinstance(self.item, (Module, Inline)) and self.item.definition.outputs:
            return self.item.made
        return {}

    @property
    def unknown(self) -> bool:
        """Whether a fault kept the step from running."""
        return self.tensor is None


class Scope(Struct):
    """One module during elaboration."""

    path: str
    chain: bool
    names: dict[str, Named] = field(default_factory=dict)
    #: The owner of each name: the name as written, or an unnamed step.
    taken: dict[str, Value | Step] = field(default_factory=dict)
    #: The same for lists and dicts of modules: ``convs`` for the first name that begins with ``convs.``.
    holders: dict[str, Value | Step] = field(default_factory=dict)
    #: The names of steps that were skipped because of a fault.
    lost: set[str] = field(default_factory=set)
    #: The same for names that contain values.
    lost_templates: list[WrittenName] = field(default_factory=list)
    #: The steps and branches whose `when` was false, and the names of such steps.
    left_out: dict[Step | Arm, None] = field(default_factory=dict)
    left_out_names: dict[str, Span] = field(default_factory=dict)
    #: How many operations of each kind there are so far.
    counts: dict[str, int] = field(default_factory=dict)
    children: Iterator[int] = field(default_factory=count)
    failed: list[Failed] = field(default_factory=list)
    fetched: list[Fetch] = field(default_factory=list)

    def apart(self) -> Scope:
        """The same module for steps that see none of its names so far: those of a block that is written out."""
        return replace(self, names={})

    def lose(self, steps: Steps) -> None:
        """Skips steps because of a fault: their names exist, but nothing is known about them."""
        for name in names_in(steps):
            self.lose_name(name)
        if any(True for _ in inlined(steps)):  # the steps of a block that would have been written out have any names
            self.lost_templates.append(ANY_NAME)

    def lose_name(self, name: Value) -> None:
        """Records the name of a skipped step."""
        written = written_name(name)
        if len(written) == 1:
            self.lost.add(written[0])
        else:
            self.lost_templates.append(written)

    def leave_out(self, step: Step | Arm, environment: Environment) -> None:
        """Records a step or branch whose ``when`` is false. The name of a step may contain values, if these exist."""
        self.left_out[step] = None
        if isinstance(step, Step) and step.name is not None:
            with suppress(Fault, Unknown):
                self.left_out_names[str(evaluate(step.name, environment))] = step.name.span

    def absent(self) -> dict[str, Span]:
        """The names that no step has because ``when`` left it out, each with its place. Those inside of what is left
        out are known as far as they contain no values."""
        found = {**self.left_out_names}
        for step in self.left_out:
            inside = step.steps if isinstance(step, Arm) else (replace(step, otherwise=()),)
            for value in names_in(inside):
                if isinstance(value, Literal):
                    found.setdefault(str(value.value), value.span)
        return {name: span for name, span in found.items() if name not in self.names}

    def give(self, tensors: Iterable[tuple[str, Span, Tensor | None]], environment: Environment) -> None:
        """Makes the tensors that the module is given known by their names, until a step takes the name of one."""
        for name, span, tensor in tensors:
            self.names[name] = Named(Invalid(span=span), span, tensor, environment)

    def find(self, name: str) -> Named | None:
        """What a name refers to: an earlier step, or an output of an earlier module, such as ``backbone.c4``."""
        if name in self.names:
            return self.names[name]
        module, _, output = name.rpartition(".")
        named = self.names.get(module)
        if named is None or not (named.unknown or output in named.outputs):
            return None
        tensor = None if named.unknown else named.outputs[output]
        return replace(named, tensor=tensor, item=None, is_output=True)

    def may_have(self, name: str) -> bool:
        """Whether a skipped step may have this name, or be the module before its dot; after many, any name is
        possible."""
        if len(self.lost_templates) > MANY:
            return True
        names = (name, name.rpartition(".")[0])
        return any(part in self.lost or any(may_be(written, part) for written in self.lost_templates) for part in names)

    def child_name(self, short_name: str, written: str | None) -> str:
        """The name of the next child: the written one, its index in a chain, or else kind and count."""
        index = next(self.children)
        if written is not None:
            self._count(short_name)
            return written
        return str(index) if self.chain else self.counted(short_name)

    def counted(self, short_name: str) -> str:
        return f"{short_name}{self._count(short_name)}"

    def _count(self, short_name: str) -> int:
        self.counts[short_name] = number = self.counts.get(short_name, 0) + 1
        return number

    def label(self, kind: str) -> str:
        """The next name for a merge or split, which is not a module: one that no step has."""
        name = self.counted(kind)
        return self.label(kind) if name in self.taken or name in self.holders else name

    def fail(self, name: str, kind: str, *inputs: Tensor | None) -> None:
        """Records that an operation cannot run. If its input is unknown, an earlier one failed, not this."""
        if known := tuple(tensor for tensor in inputs if tensor is not None):
            self.failed.append(Failed(self.path_of(name), kind, known))

    def path_of(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name
