"""The lists and dicts of modules that hold the children with dots in their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TypeAlias

from cnndsl.emit.source.expr import Call, Each, Expr, Index, Items, Lit, Ref, text
from cnndsl.emit.source.program import Assign, Do, Statement
from cnndsl.graph.holders import holders, is_list

MODULE_LIST, MODULE_DICT = Ref("nn.ModuleList"), Ref("nn.ModuleDict")


#: Children by name, one after another.
Children: TypeAlias = Sequence[tuple[str, Expr]]


class Held:
    """The holders among the children with these names."""

    def __init__(self, names: Iterable[str]) -> None:
        self.keys = holders(names)
        self.made: set[str] = set()

    def access(self, name: str) -> Expr:
        """The expression for a child or a holder."""
        first, *rest = name.split(".")
        found: Expr = Ref(f"self.{first}")
        holder = first
        for key in rest:
            found = Index(found, Lit(int(key) if is_list(self.keys[holder]) else key))
            holder = f"{holder}.{key}"
        return found

    def put_all(self, holder: str, children: Children) -> list[Statement]:
        """Statements that put children, made one after another, into a holder, and make it if it is new."""
        if holder not in self.made:
            made, rest = self.new(holder, children)
            self.made |= {holder, *(around for child in children if child not in rest for around in _around(child[0]))}
            return [self.put(holder, made), *(self.put_all(holder, rest) if rest else [])]
        statements: list[Statement] = []
        for name, run in _by_key(holder, children):
            statements += [self.put(name, run[0][1])] if run[0][0] == name else self.put_all(name, run)
        return statements

    def new(self, holder: str, children: Children) -> tuple[Expr, Children]:
        """A new holder, whole if that is possible, and the children that are not in it yet."""
        if (whole := self.whole(holder, children)) is not None:
            return whole, ()
        self.made.add(holder)
        (name, run), *others = _by_key(holder, children)
        if self.whole(name, run) is not None:
            return self.holding(holder, {}), children
        inner, rest = self.new(name, run)
        return self.holding(holder, {name: inner}), (*rest, *(child for _, other in others for child in other))

    def whole(self, name: str, children: Children) -> Expr | None:
        """A child, or a holder with all that it holds or with children that are no holders; else None."""
        if children[0][0] == name:
            return children[0][1]
        groups = [*_by_key(name, children)]
        found = {key: self.whole(key, run) for key, run in groups}
        complete = tuple(key.rpartition(".")[2] for key, _ in groups) == self.keys[name]
        made = {key: expr for key, expr in found.items() if expr is not None}
        if len(made) < len(groups) or not (complete or all(run[0][0] == key for key, run in groups)):
            return None
        return self.holding(name, made)

    def holding(self, holder: str, found: Mapping[str, Expr]) -> Expr:
        """The call that makes a holder."""
        made = tuple(found.values())
        if not is_list(self.keys[holder]):
            keys = tuple(name.rpartition(".")[2] for name in found)
            return Call(MODULE_DICT, (Items(made, "{}", keys),) if made else ())
        if len(made) > 1 and all(one == made[0] for one in made):
            return Call(MODULE_LIST, (Each(made[0], ("_",), Call(Ref("range"), (Lit(len(made)),)), star=False),))
        return Call(MODULE_LIST, (Items(made),) if made else ())

    def put(self, name: str, expr: Expr) -> Statement:
        around = name.rpartition(".")[0]
        if around and is_list(self.keys[around]):
            return Do(Call(Ref(f"{text(self.access(around))}.append"), (expr,)))
        return Assign(text(self.access(name)), expr)


def _around(name: str) -> Iterator[str]:
    """The holders around a child."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _by_key(holder: str, children: Children) -> Iterator[tuple[str, Children]]:
    """The children of a holder by its keys, under their whole names."""
    depth = holder.count(".") + 2
    for name, group in groupby(children, lambda child: ".".join(child[0].split(".")[:depth])):
        yield name, [*group]
