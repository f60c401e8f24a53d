"""Specs with their errors written where they belong: read, compared and rewritten.

An expectation is a comment at the end of the line that the error is at::

    - Conv2D: [3, 3]  # error: CNN014:5 "`Conv2D` is not a layer or a block of this spec"

The number behind the code is the column, and may be left out; the text is the message, written as JSON
writes it. Where a comment at the end of the line would change what the spec says, ``# error-next:``
stands on the line above. Warnings are ``# warning:``.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from cnndsl.diagnostics import Diagnostic
from cnndsl.network import compile_spec

FOLDER = Path(__file__).parent / "cases" / "err"

_COMMENT = r'# (error|warning)(-next)?: (CNN\d+)(?::(\d+))? ("(?:[^"\\]|\\.)*")'
_EXPECTATION = re.compile(rf"\s*{_COMMENT}")
_NEXT = re.compile(r"\s*# (error|warning)-next:")


class Expected(NamedTuple):
    """One error or warning; a column of 0 is any."""

    line: int
    column: int
    code: str
    message: str
    severity: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column} {self.severity}[{self.code}] {self.message}"


def diagnose(path: Path) -> list[Diagnostic]:
    return compile_spec(path).diagnostics


def expected(path: Path) -> list[Expected]:
    """What the comments of a spec say of it."""
    found = []
    lines = _read(path)
    for index, line in enumerate(lines):
        for severity, following, code, column, message in _EXPECTATION.findall(line):
            at = index
            while following and _NEXT.match(lines[at]):
                at += 1
            found.append(Expected(at + 1, int(column or 0), code, json.loads(message), severity))
    return sorted(found)


def actual(path: Path) -> list[Expected]:
    """What is said of a spec."""
    found = []
    for item in diagnose(path):
        line, column = (item.span.line, item.span.column) if item.span else (0, 0)
        found.append(Expected(line, column, item.code.id, item.message, item.code.severity))
    return sorted(found)


def rewrite(path: Path) -> None:
    """Puts what is found into a spec, in place of what was expected."""
    lines = [_EXPECTATION.sub("", line) for line in _read(path) if not _NEXT.match(line)]
    _write(path, lines)
    comments: dict[int, list[Expected]] = defaultdict(list)
    for item in actual(path):
        comments[item.line].append(item)
    above: set[int] = set()
    for number in sorted(comments):
        _write(path, _with_comments(lines, {n: comments[n] for n in comments if n <= number}, above))
        shift = sum(len(comments[n]) for n in above)
        said = [item._replace(line=number) for item in actual(path) if item.line == number + shift]
        if said != comments[number]:
            above.add(number)
    _write(path, _with_comments(lines, comments, above))


def _with_comments(lines: list[str], comments: dict[int, list[Expected]], above: set[int]) -> list[str]:
    written = []
    for number, line in enumerate(lines, 1):
        text, end = line.removesuffix("\r"), "\r" if line.endswith("\r") else ""
        margin = text[: len(text) - len(text.lstrip(" "))]
        items = comments.get(number, [])
        if number in above:
            written += [f"{margin}{_comment(item, '-next')}{end}" for item in items]
            items = []
        gap = "  " if text else ""
        written.append(text + "".join(f"{gap}{_comment(item)}" for item in items) + end)
    return written


def _comment(item: Expected, following: str = "") -> str:
    message = json.dumps(item.message, ensure_ascii=False)
    return f"# {item.severity}{following}: {item.code}:{item.column} {message}"


def _read(path: Path) -> list[str]:
    """The lines of a file, what ends them left as it is."""
    return path.read_bytes().decode().split("\n")


def _write(path: Path, lines: list[str]) -> None:
    path.write_bytes("\n".join(lines).encode())
