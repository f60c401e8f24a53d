"""Finds what a question is about: an operation of a network by its path, or by its place in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cnndsl.diagnostics import did_you_mean, shorten
from cnndsl.graph.graph import Failed, Module, Operation, Tensor
from cnndsl.spec.words import INPUT

#: What a path may lead to: an operation, one that a fault kept from running, or an input.
Target: TypeAlias = Operation | Failed | Tensor

#: ``net.yaml:16``, ``net.yaml:16:5`` or ``:16``.
_PLACE = re.compile(r"(.*?):(\d+)(?::\d+)?")
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
    name of an input, or a place in a file. Raises :class:`NoSuchPath`."""
    by_path = _by_path(root)
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
    if _PLACE.fullmatch(path):
        raise NoSuchPath(f"no step of this network is written at {shown}", "a place is that of a step, `net.yaml:16`")
    ends = [name for name in by_path if name.endswith(f".{path}")]
    help = f"did you mean `{ends[0]}`?" if ends else did_you_mean(path, by_path)
    raise NoSuchPath(f"there is no {shown} in this network", help or "`cnndsl shapes` lists the paths")


def failure(root: Module) -> Failed | None:
    """The first operation that a fault kept from running."""
    return next((failed for module in (root, *root.modules) for failed in module.failed), None)


def _by_path(root: Module) -> dict[str, Target]:
    """Everything that has a path; of several uses of one layer, the first."""
    targets: dict[str, Target] = {}
    for operation in root.everything:
        targets.setdefault(operation.path, operation)
    for module in (root, *root.modules):
        targets |= {failed.path: failed for failed in module.failed}
    return {INPUT: root.input, **root.given, **targets}  # a layer may have the name of an input


def _alike(root: Module, path: str, by_path: dict[str, Target]) -> Sequence[str]:
    """The paths that a pattern, a beginning or a place in a file stands for, outer modules first."""
    if place := _PLACE.fullmatch(path):
        return [*dict.fromkeys(_at(root, place[1], int(place[2])))]
    if re.search(r"[*?\[]", path):
        from fnmatch import fnmatchcase

        found = [name for name in by_path if fnmatchcase(name, path)]
    else:
        found = [name for name in by_path if path and name.startswith(path)]
    return sorted(found, key=lambda name: name.count("."))


def _at(root: Module, file: str, line: int) -> Iterator[str]:
    """The paths of what a line of a file makes; without a file, of any."""
    for operation in root.everything:
        span = operation.step.span if operation.step else None
        if span is not None and span.source.name.endswith(file) and span.line == line:
            yield operation.path
