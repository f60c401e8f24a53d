"""Diagnostics for programs: one line each, JSON, GitHub's annotations, SARIF.

Every format is a function from diagnostics to text, in :data:`FORMATS` under the name that ``--format``
takes. Places are lines and columns from 1, in characters. A fault over several lines is marked to the
end of the first. For people, see :meth:`Diagnostic.render`.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cnndsl.diagnostics import MOST, Code, Diagnostic
from cnndsl.printable import one_line
from cnndsl.source import Span


def concise(diagnostics: Sequence[Diagnostic]) -> str:
    """``net.yaml:3:5: error[CNN014]: ...``, one per line, as compilers and ``grep -n`` print it."""
    lines = [str(diagnostic) for diagnostic in diagnostics[:MOST]]
    if len(diagnostics) > MOST:
        lines.append(f"{len(diagnostics) - MOST} more are not shown")
    return "\n".join(lines)


def as_json(diagnostics: Sequence[Diagnostic]) -> str:
    """A list of the objects of :meth:`Diagnostic.as_dict`."""
    from cnndsl.json_text import json_text  # here, because people read text

    return json_text([diagnostic.as_dict() for diagnostic in diagnostics])


# --- GitHub --------------------------------------------------------------------------------------

#: Characters with a meaning in GitHub's workflow commands, in a message and in a property.
_ESCAPED = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_ESCAPED_IN_PROPERTIES = {**_ESCAPED, ":": "%3A", ",": "%2C"}


def github(diagnostics: Sequence[Diagnostic]) -> str:
    """Workflow commands, which GitHub shows as annotations at the lines of a pull request.

    See "Workflow commands for GitHub Actions" in GitHub's documentation.
    """
    return "\n".join(map(_annotation, diagnostics))


def _annotation(diagnostic: Diagnostic) -> str:
    properties: dict[str, Any] = {"title": diagnostic.code.id}
    if span := _in_file(diagnostic.span):
        end = span.column + _length(span)
        place = {"file": Path(span.source.name).as_posix(), "line": span.line, "col": span.column, "endColumn": end}
        properties = {**place, **properties}
    listed = ",".join(f"{key}={_escaped(value, _ESCAPED_IN_PROPERTIES)}" for key, value in properties.items())
    return f"::{diagnostic.severity} {listed}::{_escaped(_in_full(diagnostic), _ESCAPED)}"


def _escaped(value: object, escapes: Mapping[str, str]) -> str:
    """The protocol's escapes, and ours for other control characters; unusual spaces in names are kept."""
    text = "".join(escapes.get(character, character) for character in str(value))
    return "".join(one_line(c) if unicodedata.category(c).startswith("C") else c for c in text)


# --- SARIF ---------------------------------------------------------------------------------------


def sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """A log of SARIF 2.1.0 (OASIS), which code-scanning services and editors read."""
    told = sorted({diagnostic.code for diagnostic in diagnostics}, key=lambda code: code.id)
    run = {
        "tool": {"driver": {"name": "cnndsl", "rules": list(map(_rule, told))}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(diagnostic, told.index(diagnostic.code)) for diagnostic in diagnostics],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    from cnndsl.json_text import json_text  # here, because people read text

    return json_text(log)


def _rule(code: Code) -> dict[str, Any]:
    return {
        "id": code.id,
        "name": code.name.title().replace("_", ""),
        "shortDescription": {"text": code.title},
        "defaultConfiguration": {"level": code.severity},
    }


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": diagnostic.code.id,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": {"text": _in_full(diagnostic)},
    }
    if span := _in_file(diagnostic.span):
        result["locations"] = [{"physicalLocation": _location(span)}]
    related = [
        {"id": number, "physicalLocation": _location(span), "message": {"text": note.message}}
        for number, note in enumerate(diagnostic.notes)
        if (span := _in_file(note.span))
    ]
    return {**result, "relatedLocations": related} if related else result


def _location(span: Span) -> dict[str, Any]:
    path = Path(span.source.name)
    uri = path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
    region = {"startLine": span.line, "startColumn": span.column, "endColumn": span.column + _length(span)}
    return {"artifactLocation": {"uri": uri}, "region": region}


# --- shared --------------------------------------------------------------------------------------


def _in_file(span: Span | None) -> Span | None:
    """A span in a file, not in an option such as ``-p`` or in text from Python."""
    return None if span is None or span.source.is_option or span.source.name.startswith("<") else span


def _length(span: Span) -> int:
    """The characters of a span on its first line, at least 1."""
    return max(len(span.first_line.text), 1)


def _in_full(diagnostic: Diagnostic) -> str:
    """Message, notes and help, one per line."""
    notes = [f"note: {note.message}" for note in diagnostic.notes]
    return "\n".join([diagnostic.message, *notes, *([f"help: {diagnostic.help}"] if diagnostic.help else [])])


FORMATS: Mapping[str, Callable[[Sequence[Diagnostic]], str]] = {
    "concise": concise,
    "json": as_json,
    "github": github,
    "sarif": sarif,
}
