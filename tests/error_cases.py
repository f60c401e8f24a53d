"""Specs with their errors written where they belong: read, compared and rewritten.

An expectation is a comment at the end of the line that the error is at::

    - Conv2D: [3, 3]  # error: CNN014:5 "`Conv2D` is no layer and no block of this spec"

The number behind the code is the column; the text is the message, written as JSON writes it. Where a
comment at the end of the line would change what the spec says, ``# error-next:`` stands on the line above.
Warnings are ``# warning:``.
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

_EXPECTATION = re.compile(r'# (error|warning)(-next)?: (CNN\d+)(?::(\d+))? ("(?:[^"\\]|\\.)*")')
_NEXT = re.compile(r"\s*# (error|warning)-next:")
_WRITTEN = re.compile(r'\s*# (?:error|warning)(?:-next)?: CNN\d+(?::\d+)? "(?:[^"\\]|\\.)*"')


class Expected(NamedTuple):
    """One error or warning; a column of None is any."""

    line: int
    column: int | None
    severity: str
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column} {self.severity}[{self.code}] {self.message}"


def diagnose(path: Path) -> list[Diagnostic]:
    return compile_spec(path).diagnostics


def expected(text: str) -> list[Expected]:
    """What the comments of a spec say of it."""
    found = []
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        for severity, following, code, column, message in _EXPECTATION.findall(line):
            while following and _NEXT.match(lines[number - 1]):
                number += 1
            found.append(Expected(number, int(column) if column else None, severity, code, json.loads(message)))
    return sorted(found, key=lambda item: (item.line, item.column or 0, item.code, item.message))


def actual(diagnostics: list[Diagnostic]) -> list[Expected]:
    found = []
    for item in diagnostics:
        line, column = (item.span.line, item.span.column) if item.span else (0, 0)
        found.append(Expected(line, column, item.code.severity, item.code.id, item.message))
    return sorted(found, key=lambda item: (item.line, item.column or 0, item.code, item.message))


def rewrite(path: Path) -> None:
    """Puts what is found into a spec, in place of what was expected."""
    lines = []
    for line in path.read_text(newline="").split("\n"):
        stripped = _WRITTEN.sub("", line)
        if stripped.strip() or not _WRITTEN.search(line):
            lines.append(stripped)
    path.write_text("\n".join(lines), newline="")
    bare = actual(diagnose(path))
    comments: dict[int, list[Expected]] = defaultdict(list)
    for item in bare:
        comments[item.line].append(item)
    above: set[int] = set()
    for line in sorted(comments):
        _write(path, lines, comments, {*above}, until=line)
        shift = sum(len(comments[number]) for number in above)
        said = [item for item in actual(diagnose(path)) if item.line == line + shift]
        if [item[1:] for item in said] != [item[1:] for item in comments[line]]:
            above.add(line)
    _write(path, lines, comments, above)


def _write(
    path: Path, lines: list[str], comments: dict[int, list[Expected]], above: set[int], until: int | None = None
) -> None:
    written = []
    for number, line in enumerate(lines, 1):
        items = comments.get(number, []) if until is None or number <= until else []
        if number in above:
            margin = line[: len(line) - len(line.lstrip(" "))]
            written += [f"{margin}{_comment(item, '-next')}" for item in items]
            items = []
        end = "\r" if line.endswith("\r") else ""
        written.append(line.removesuffix("\r") + "".join(f"  {_comment(item)}" for item in items) + end)
    path.write_text("\n".join(written), newline="")


def _comment(item: Expected, following: str = "") -> str:
    message = json.dumps(item.message, ensure_ascii=False)
    return f"# {item.severity}{following}: {item.code}:{item.column} {message}"
