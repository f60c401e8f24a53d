"""The lists and dicts of modules that hold the children with dots in their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from cnndsl.emit.source.expr import Call, Each, Expr, Index, Items, Lit, Ref, text
from cnndsl.emit.source.program import Assign, Do, Statement
from cnndsl.graph.holders import holders, is_list

MODULE_LIST, MODULE_DICT = Ref("nn.ModuleList"), Ref("nn.ModuleDict")


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

    def whole(self, holder: str, children: Sequence[tuple[str, Expr]]) -> Expr | None:
        """A holder with all that is in it, None if its children are not made one after another."""
        made: list[Expr] = []
        depth = holder.count(".") + 1
        groups = [(key, [*group]) for key, group in groupby(children, lambda child: child[0].split(".")[depth])]
        for key, group in groups:
            inner = self.whole(f"{holder}.{key}", group) if group[0][0] != f"{holder}.{key}" else group[0][1]
            if inner is None:
                return None
            made.append(inner)
        if tuple(key for key, _ in groups) != self.keys[holder]:
            return None
        if not is_list(self.keys[holder]):
            return Call(MODULE_DICT, (Items(tuple(made), "{}", self.keys[holder]),))
        if len(made) > 1 and all(one == made[0] for one in made):
            return Call(MODULE_LIST, (Each(made[0], ("_",), Call(Ref("range"), (Lit(len(made)),)), star=False),))
        return Call(MODULE_LIST, (Items(tuple(made)),))

    def parts(self, name: str, expr: Expr) -> list[Statement]:
        """Statements that put a child into its holder, and make those of its holders that it is the first in."""
        made: list[Statement] = []
        parts = name.split(".")
        for end in range(1, len(parts)):
            if (holder := ".".join(parts[:end])) not in self.made:
                self.made.add(holder)
                kind = MODULE_LIST if is_list(self.keys[holder]) else MODULE_DICT
                made.append(self.put(holder, Call(kind)))
        return [*made, self.put(name, expr)]

    def put(self, name: str, expr: Expr) -> Statement:
        around = name.rpartition(".")[0]
        if around and is_list(self.keys[around]):
            return Do(Call(Ref(f"{text(self.access(around))}.append"), (expr,)))
        return Assign(text(self.access(name)), expr)
