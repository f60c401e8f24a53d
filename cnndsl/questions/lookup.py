"""Finds what a question is about: an operation of a network by its path, or by its place in a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cnndsl.diagnostics import did_you_mean, shorten
from cnndsl.graph.graph import Apply, Failed, Module, Operation, Tensor
from cnndsl.spec.words import INPUT

#: What a path may lead to: an operation, one that a fault kept from running, or an input.
Target: TypeAlias = Operation | Failed | Tensor

#: ``net.yaml:16``, ``net.yaml:16:5`` or ``:16``.
_PLACE = re.compile(r"(.*?):(\d+)(?::\d+)?")
#: Stands before the number of a use of one layer: ``relu#2`` is the second.
USE = "#"
#: The most paths that a message lists.
_LISTED = 8


class NoSuchPath(LookupError):
    """A path that leads to nothing, or to several things; ``help`` tells what to write."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(f"{message}; {help}" if help else message)
        self.message = message
        self.help = help


def find(root: Module, path: str) -> Target:
    """What ``path`` names in a network: the path of a module, a layer or a merge, as the table of shapes has it, the
    name of an input, or a place in a file. Of several uses of one layer it is the first, and ``PATH#2`` names the
    second. Raises :class:`NoSuchPath`."""
    by_path = _by_path(root)
    path = path.removesuffix(f"{USE}1")
    if path in by_path:
        return by_path[path]
    found = _alike(root, path, by_path)
    if len(found) == 1:
        return by_path[found[0]]
    shown = f"`{shorten(path)}`"
    if found:
        listed = ", ".join(f"`{name}`" for name in found[:_LISTED])
        more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise NoSuchPath(f"{shown} could be any of {len(found)}", f"name one of {listed}{more}")
    until = failure(root)
    where = f"among the steps before the error in `{until.path}`" if until else "in this network"
    if _PLACE.fullmatch(path):
        raise NoSuchPath(f"no step {where} is written at {shown}", "a place is that of a step, `net.yaml:16`")
    ends = [name for name in by_path if name.endswith(f".{path}")]
    help = f"did you mean `{ends[0]}`?" if ends else did_you_mean(path, by_path)
    raise NoSuchPath(f"there is no {shown} {where}", help or "`cnndsl shapes` lists the paths")


def uses(root: Module) -> dict[Operation, str]:
    """The path of each operation. Later uses of one layer are told apart: ``relu``, ``relu#2``, ``relu#3``."""
    counts: Counter[str] = Counter()
    paths: dict[Operation, str] = {}
    for operation in root.everything:
        counts[operation.path] += 1
        number = counts[operation.path]
        paths[operation] = operation.path if number == 1 else f"{operation.path}{USE}{number}"
    return paths


def failure(root: Module) -> Failed | None:
    """The first operation that a fault kept from running."""
    return next((failed for module in (root, *root.modules) for failed in module.failed), None)


def _by_path(root: Module) -> dict[str, Target]:
    """Everything that has a path, or a name that a ``reuse`` gives it."""
    paths = uses(root)
    targets: dict[str, Target] = {path: operation for operation, path in paths.items()}
    for module in (root, *root.modules):
        targets |= {failed.path: failed for failed in module.failed}
    for operation in paths:
        if isinstance(operation, (Apply, Module)) and operation.called:
            around = operation.path.removesuffix(operation.name)
            targets.setdefault(f"{around}{operation.called}", operation)
    return {INPUT: root.input, **root.given, **targets}  # a layer may have the name of an input


def _alike(root: Module, path: str, by_path: dict[str, Target]) -> Sequence[str]:
    """The paths that a pattern, a beginning or a place in a file stands for, outer modules first."""
    if place := _PLACE.fullmatch(path):
        return [*_at(root, place[1], int(place[2]))]
    if re.search(r"[*?\[]", path):
        from fnmatch import fnmatchcase

        found = [name for name in by_path if fnmatchcase(name, path)]
    else:
        found = [name for name in by_path if path and name.startswith(path)]
    once: dict[int, str] = {}
    for name in found:  # an input or a use may have two names
        once.setdefault(id(by_path[name]), name)
    return sorted(once.values(), key=lambda name: name.count("."))


def _at(root: Module, file: str, line: int) -> Iterator[str]:
    """The paths of what a line of a file makes; without a file, of any."""
    for operation, path in uses(root).items():
        span = operation.step.span if operation.step else None
        if span is None or span.line != line:
            continue
        if any(name.endswith(file) for name in (span.source.name, span.source.shown)):
            yield path
