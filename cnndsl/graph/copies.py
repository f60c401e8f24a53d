"""Equal calls of a block: the first is elaborated, the others are copies of it.

The steps of a block see its parameters, its input tensors and the parameters of the document, and nothing else. So
equal calls make modules that differ only in their paths and their tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from cnndsl.graph.context import Context, Progress
from cnndsl.graph.graph import (
    Alias,
    Apply,
    Body,
    Branch,
    Dense,
    Failed,
    Fetch,
    Inline,
    Item,
    Merge,
    Module,
    Repeat,
    Residual,
    Split,
    Tensor,
)
from cnndsl.graph.inside import Inside, told_apart
from cnndsl.graph.scope import Scope
from cnndsl.graph.site import Site
from cnndsl.record import Record
from cnndsl.spec.document import Block
from cnndsl.spec.values import CallValue, Literal


class _Run(Record, frozen=True):
    """The steps of a block on some tensors, and the state of the elaboration before and after them."""

    inside: Inside
    before: Progress
    after: Progress


class Copies:
    """The calls of blocks so far, without those that had a fault."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._runs: dict[tuple[object, ...], _Run] = {}

    def inside(
        self,
        block: Block,
        params: Mapping[str, Any],
        given: Sequence[Tensor | None],
        scope: Scope,
        site: Site,
        run: Callable[[], Inside],
    ) -> Inside:
        """The module of a block in its ``scope``: a copy of that of an equal call, or what ``run`` makes."""
        context = self.context
        key = self._key(block, params, given, site)
        known = self._runs.get(key) if key else None
        if known is not None and context.affords(known.before, known.after):
            return self._copied(known, [tensor for tensor in given if tensor is not None], scope)
        before = context.progress()
        inside = run()
        if key and inside.made is not None and not context.faults.found:
            self._runs[key] = _Run(inside, before, context.progress())
        return inside

    def _key(
        self, block: Block, params: Mapping[str, Any], given: Sequence[Tensor | None], site: Site
    ) -> tuple[object, ...]:
        """What a call depends on, empty if there is more."""
        if site.reusing or self.context.meant_channels:
            return ()
        tensors: list[object] = []
        for tensor in given:
            if tensor is None:
                return ()
            again = next(place for place, other in enumerate(given) if other is tensor)
            tensors += (tensor.shape, tensor in self.context.origins, again)
        return block, exact(params), site.calls, site.depth, *tensors

    def _copied(self, known: _Run, given: Sequence[Tensor], scope: Scope) -> Inside:
        old = known.inside
        pairs = zip(old.given.values(), told_apart(given))
        copier = _Copier(old.scope.path, scope.path, {id(tensor): new for tensor, new in pairs if new is not None})
        scope.failed += map(copier.failed, old.scope.failed)
        scope.fetched += map(copier.fetch, old.scope.fetched)
        inside = Inside(scope, copier.body(old.items), copier.named(old.given), copier.named(old.made or {}))
        self.context.repeat(known.before, known.after, copier.tensor)
        return inside


def exact(params: Mapping[str, Any]) -> object:
    """The values of parameters, told apart if they are equal but unlike, as 1, 1.0 and True are. Layers with arguments
    count by their places too, where messages about these point."""
    if all(isinstance(value, _PLAIN) for value in params.values()):
        return repr(params)
    return tuple(params.values()), tuple(map(_text, params.values()))


_PLAIN = (bool, int, float, str, type(None))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    if isinstance(value, CallValue):
        return f"{value.name}({', '.join(map(_text, value.arguments.values))})"
    return _text(value.value) if isinstance(value, Literal) else repr(value)


class _Copier:
    """Copies items of the module at the path ``old`` to ``new``. ``tensors`` are the new ones by the ids of the old."""

    def __init__(self, old: str, new: str, tensors: dict[int, Tensor]) -> None:
        self.cut, self.new, self.tensors = len(old), new, tensors

    def path(self, path: str) -> str:
        return self.new + path[self.cut :]

    def tensor(self, old: Tensor) -> Tensor:
        new = self.tensors.get(id(old))
        if new is None:
            new = Alias(old.shape, self.tensor(old.of)) if isinstance(old, Alias) else Tensor(old.shape)
            self.tensors[id(old)] = new
        return new

    def maybe(self, old: Tensor | None) -> Tensor | None:
        return old and self.tensor(old)

    def fetch(self, fetch: Fetch) -> Fetch:
        return Fetch(fetch.step, self.tensor(fetch.tensor))

    def all(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return tuple(map(self.tensor, tensors))

    def named(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: self.tensor(tensor) for name, tensor in tensors.items()}

    def failed(self, failed: Failed) -> Failed:
        return Failed(self.path(failed.path), failed.kind, self.all(failed.inputs))

    def body(self, body: Body) -> Body:
        return tuple(map(self.item, body))

    def merge(self, merge: Merge) -> Merge:
        inputs = self.all(merge.inputs)
        return replace(merge, path=self.path(merge.path), inputs=inputs, output=self.tensor(merge.output))

    def split(self, split: Split) -> Split:
        outputs = self.all(split.outputs)
        return replace(split, path=self.path(split.path), input=self.tensor(split.input), outputs=outputs)

    def module(self, module: Module) -> Module:
        changes: dict[str, Any] = {
            "path": self.path(module.path),
            "inputs": self.all(module.inputs),
            "given": self.named(module.given),
            "body": self.body(module.body),
            "made": self.named(module.made),
            "failed": tuple(map(self.failed, module.failed)),
            "fetched": tuple(map(self.fetch, module.fetched)),
        }
        return replace(module, **changes)

    def item(self, item: Item) -> Item:
        match item:
            case Apply():
                inputs = self.all(item.inputs)
                return replace(item, path=self.path(item.path), inputs=inputs, output=self.tensor(item.output))
            case Module():
                return self.module(item)
            case Merge():
                return self.merge(item)
            case Split():
                return self.split(item)
            case Repeat():
                return replace(item, rounds=tuple(map(self.body, item.rounds)), output=self.maybe(item.output))
            case Dense():
                return replace(item, rounds=tuple((self.body(body), self.merge(merge)) for body, merge in item.rounds))
            case Branch():
                arms = tuple(replace(arm, body=self.body(arm.body)) for arm in item.arms)
                split = item.split and self.split(item.split)
                return replace(item, split=split, arms=arms, merge=self.merge(item.merge))
            case Residual():
                merge = item.merge and self.merge(item.merge)
                made: dict[str, Any] = {"merge": merge, "output": self.maybe(item.output)}
                return replace(item, body=self.body(item.body), shortcut=self.body(item.shortcut), **made)
            case Inline():
                return replace(
                    item, body=self.body(item.body), given=self.named(item.given), made=self.named(item.made)
                )
