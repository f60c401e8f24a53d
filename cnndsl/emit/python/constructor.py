"""``__init__``: creates the children of a class in lines that a person would write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from cnndsl.emit.python.binder import Binder, grouped
from cnndsl.emit.python.text import BODY_WIDTH, Code, call, flat, lay_out, listing, literal, prefixed, spread, written
from cnndsl.emit.python.unify import ABSENT, Child, Part, Rounds, Slot, Unlike
from cnndsl.emit.python.uses import NO_DEFAULT
from cnndsl.graph.holders import holders, is_list
from cnndsl.spec.values import Expression

START = "super().__init__"


class Held:
    """The lists and dicts of modules among the children with these names."""

    def __init__(self, names: Iterable[str]) -> None:
        self.holders = holders(names)
        self.made: set[str] = set()

    def added(self, name: str, code: Code, always: bool) -> list[str]:
        """The lines that put a child into its holder, and make those of its holders that it is the first in."""
        if not always:
            raise Unlike
        lines, parts = [], name.split(".")
        for end in range(1, len(parts)):
            if (holder := ".".join(parts[:end])) not in self.made:
                self.made.add(holder)
                kind = "nn.ModuleList()" if is_list(self.holders[holder]) else "nn.ModuleDict()"
                lines += self._put(holder, kind)
        return [*lines, *self._put(name, code)]

    def _put(self, name: str, code: Code) -> list[str]:
        around = name.rpartition(".")[0]
        if around and is_list(self.holders[around]):
            return lay_out(call(f"{self.access(around)}.append", code), 0)
        return lay_out(code, 0, f"{self.access(name)} = ")

    def access(self, name: str) -> str:
        """The expression for a child or a holder."""
        first, *keys = name.split(".")
        text, holder = f"self.{first}", first
        for key in keys:
            text += f"[{key}]" if is_list(self.holders[holder]) else f"[{literal(key)}]"
            holder = f"{holder}.{key}"
        return text


class Constructor:
    """Writes the lines of one class's ``__init__``, in order."""

    def __init__(self, binder: Binder) -> None:
        self.binder = binder

    # --- children as arguments of nn.Sequential --------------------------------------------------

    def chain(self, parts: Sequence[Part]) -> list[str]:
        """A class that is an ``nn.Sequential``."""
        children = _children(parts)
        if _some_named(parts):
            if len(children) < len(parts):
                raise Unlike
            return [f"{START}()", *(line for child in children for line in self.added(child))]
        if len(children) == len(parts) and all(child.present.constant for child in children):
            return lay_out(call(START, *self.sequence(parts)), 0)
        return self.gathered(parts)

    def gathered(self, parts: Sequence[Part]) -> list[str]:
        """Children gathered in a list, if loops and conditions decide which ones exist."""
        layers = self.binder.layers
        lines: list[str] = []
        waiting: list[Part] = []

        def flush() -> None:
            if waiting or not lines:
                before = f"{layers} += " if lines else f"{layers}: list[nn.Module] = "
                lines.extend(lay_out(listing(self.sequence(waiting)), 0, before))
            waiting.clear()

        for part in parts:
            if isinstance(part, Child) and part.present.constant:
                waiting.append(part)
                continue
            flush()
            if isinstance(part, Rounds):
                lines += self.loop_lines(part)
            else:
                lines.append(f"if {self.binder.expression(part.present)}:")
                lines += lay_out(call(f"{layers}.append", self.construction(part)), 4)
        return [*lines, *lay_out(call(START, f"*{layers}", *self.sequence(waiting)), 0)]

    def loop_lines(self, rounds: Rounds) -> list[str]:
        """A loop that adds its children to the list."""
        times = self.binder.expression(rounds.times)
        self.binder.enter(rounds)
        codes = self.sequence(_present(rounds.body))
        loop = self.binder.leave()
        layers, counter = self.binder.layers, self.binder.counter if loop.counted else "_"
        added = call(f"{layers}.append", codes[0]) if len(codes) == 1 else listing(codes)
        before = "" if len(codes) == 1 else f"{layers} += "
        carried = [f"    {name} = {then}" for name, then in loop.carried.items()]
        return [f"for {counter} in range({times}):", *lay_out(added, 4, before), *carried]

    def sequence(self, parts: Sequence[Part]) -> list[Code]:
        """Children one after another, with runs of equal ones folded."""
        codes = [self.part(part) for part in parts]
        folded: list[Code] = []
        for text, group in groupby(codes, flat):
            run = list(group)
            folded += run if len(run) == 1 or text.startswith("*") else [_repeated(run[0], str(len(run)))]
        return folded

    def part(self, part: Part) -> Code:
        if isinstance(part, Child):
            if part.present.constant:
                return self.construction(part)
            condition = _condition(self.binder.expression(part.present))
            return spread(listing([self.construction(part)]), f"if {condition}", "else []")
        times = self.binder.expression(part.times)
        if len(part.body) != 1 or self.binder.loop:
            raise Unlike
        self.binder.enter(part)
        code = self.construction(*_present(part.body))
        if self.binder.leave(may_change=False).counted:
            raise Unlike
        return _repeated(code, times)

    # --- children as attributes ------------------------------------------------------------------

    def attributes(self, parts: Sequence[Part]) -> list[str]:
        """The children of an ``nn.Module`` with its own ``forward``; optional ones may be None."""
        children = _children(parts)
        if len({child.name for child in children}) < len(children):
            raise Unlike
        lines = [f"{START}()"]
        held = Held(child.name for child in children)
        for child in children:
            if "." in child.name:
                lines += held.added(child.name, self.construction(child), child.present.constant)
                continue
            if child.present.constant:
                lines += self.added(child)
                continue
            before = f"self.{child.name} = "
            condition = self.binder.expression(child.present)
            code = self.construction(child)
            short = f"{before}{flat(code)} if {_condition(condition)} else None"
            if len(short) <= BODY_WIDTH:
                lines.append(short)
            else:
                lines += [f"{before}None", f"if {condition}:", *lay_out(code, 4, before)]
        return lines

    def added(self, child: Child) -> list[str]:
        """A child under its name, with its condition."""
        if not child.present.constant:
            condition = self.binder.expression(child.present)
            return [f"if {condition}:", *(f"    {line}" for line in self._added(child, BODY_WIDTH - 4))]
        return self._added(child, BODY_WIDTH)

    def _added(self, child: Child, width: int) -> list[str]:
        code = self.construction(child)
        if child.name.isidentifier():
            return lay_out(code, 0, f"self.{child.name} = ", width=width)
        return lay_out(call("self.add_module", literal(child.name), code), 0, width=width)

    def numbered(self, rounds: Rounds, prefix: str) -> list[str]:
        """Children that a loop makes, numbered from 1."""
        times = self.binder.expression(rounds.times)
        self.binder.enter(rounds)
        code = self.construction(*_present(rounds.body))
        self.binder.leave(may_change=False)
        counter = self.binder.counter
        added = call("self.add_module", f'f"{prefix}{{{counter} + 1}}"', code)
        return [f"{START}()", f"for {counter} in range({times}):", *lay_out(added, 4)]

    # --- one call --------------------------------------------------------------------------------

    def construction(self, child: Child) -> Code:
        """The constructor call of a child."""
        if child.inner is not None:
            return call("nn.Sequential", *self.sequence(child.inner))
        chosen = isinstance(child.callee.written, Expression) and ABSENT in child.callee.values
        fixed = child.callee.constant and not chosen
        callee = child.callee.first if fixed else grouped(self.binder.expression(child.callee))
        items: list[Code] = []
        gap = False
        for slot in child.arguments:
            if slot.default is not NO_DEFAULT and slot.constant and literal(slot.first) == literal(slot.default):
                gap = True
                continue
            value = self.value(slot, child.names[0])
            items.append(value if slot.positional and not gap else prefixed(f"{slot.name}=", value))
        code = call(str(callee), *items)
        if (by := child.parametrization) is None:
            return code
        given = (prefixed(f"{name}=", literal(value)) for name, value in by.given.items())
        return call(by.function.name, code, *given)

    def value(self, slot: Slot, owner: str) -> Code:
        text = self.binder.expression(slot, owner)
        return written(slot.first) if text == literal(slot.first) else text


def _children(parts: Sequence[Part]) -> list[Child]:
    """The parts that are not loops: all of them in a module with its own ``forward``."""
    return [part for part in parts if isinstance(part, Child)]


def _some_named(parts: Sequence[Part]) -> bool:
    return any(part.named if isinstance(part, Child) else _some_named(part.body) for part in parts)


def _present(parts: Sequence[Part]) -> list[Child]:
    """Parts that exist in every round of a loop."""
    children = _children(parts)
    if len(children) < len(parts) or not all(child.present.constant for child in children):
        raise Unlike
    return children


def _repeated(code: Code, times: str) -> Code:
    return spread(code, f"for _ in range({times})")


def _condition(text: str) -> str:
    """A condition for use in ``a if condition else b``."""
    return f"({text})" if " if " in text else text
