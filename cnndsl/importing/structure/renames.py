"""What modules are called in PyTorch that have another name here, because the language does not take theirs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from cnndsl.importing.body import Body
from cnndsl.spec.renaming import ANYWHERE

#: What each module in a body is called here, by its name in Python.
Children = Callable[[Body], Mapping[str, str]]


def renamed(root: Body, children: Children, given: Mapping[str, str]) -> dict[str, str]:
    """The lines of ``rename``: ``given`` has those of single tensors, by the names of their modules in Python."""
    paths = dict(_paths(root, children))
    changed: dict[str, str] = {}
    for theirs, ours in paths.items():
        segments = zip(_beginnings(ours), _beginnings(theirs))
        changed |= {left: right for left, right in segments if _last(left) != _last(right)}
    tensors = {left if left.startswith(ANYWHERE) else _moved(left, paths): right for left, right in given.items()}
    return _as_patterns(changed, paths) | tensors


def _paths(body: Body, children: Children, ours: str = "", theirs: str = "") -> Iterator[tuple[str, str]]:
    """The path of each module in Python, and here."""
    called = children(body)
    for node in body.nodes:
        if node.name and not node.reuse:
            here, there = f"{ours}{called[node.name]}", f"{theirs}{node.name}"
            yield there, here
            if node.body is not None:
                yield from _paths(node.body, children, f"{here}.", f"{there}.")


def _beginnings(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _moved(tensor: str, paths: Mapping[str, str]) -> str:
    """The name of a tensor here by that in Python."""
    module = next((path for path in reversed(_beginnings(tensor)) if path in paths), "")
    return f"{paths[module]}{tensor.removeprefix(module)}" if module else tensor


def _as_patterns(changed: Mapping[str, str], paths: Mapping[str, str]) -> dict[str, str]:
    """The same with one line for all names that change alike: ``**.block*_*: **.block*-*``."""
    segments = {pair for path, name in paths.items() for pair in zip(name.split("."), path.split("."))}
    found: dict[str, str] = {}
    for ours, theirs in changed.items():
        left, right = _last(ours), _last(theirs)
        alike = [path for path in changed if _general(_last(path)) == _general(left)]
        if len({_last(path) for path in alike}) > 1:
            left, right = _general(left), _general(right)
        if len(alike) > 1 and all(_put(left, right, mine) in (None, their) for mine, their in segments):
            found[f"{ANYWHERE}{left}"] = f"{ANYWHERE}{right}"
        else:
            found[ours] = theirs
    return found


def _general(name: str) -> str:
    return re.sub(r"\d+", "*", name)


def _put(left: str, right: str, name: str) -> str | None:
    """What a pattern makes of a name, None if it does not match."""
    match = re.fullmatch("(.*)".join(map(re.escape, left.split("*"))), name)
    texts = iter(match.groups() if match else ())
    return re.sub(r"\*", lambda _: next(texts, ""), right) if match else None
