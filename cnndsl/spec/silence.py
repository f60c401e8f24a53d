"""Comments that silence warnings: ``# cnndsl: ignore CNN101``, at the end of the line with the warning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cnndsl.diagnostics import Code, Diagnostic, did_you_mean
from cnndsl.source import Source, Span

#: A comment that silences warnings, from its `#`.
COMMENT = re.compile(r"(?<!\S)#[ \t]*cnndsl:[ \t]*ignore\b([^#\r\n]*)")
_WORD = re.compile(r"[^\s,]+")
_CODES = {code.id: code for code in Code}


def silence(diagnostics: Iterable[Diagnostic], source: Source | None) -> list[Diagnostic]:
    """The diagnostics without those that a comment on their line silences, and warnings about the comments in
    ``source``, which has been checked completely, that silence nothing."""
    comments: dict[Source, dict[int, dict[str, Span]]] = {}
    used: set[Span] = set()
    left = []
    for item in diagnostics:
        span = item.span
        if span and not item.is_error:
            if span.source not in comments:
                comments[span.source] = _ignored(span.source)
            named = comments[span.source].get(span.line, {}).get(item.code.id)
            if named:
                used.add(named)
                continue
        left.append(item)
    return left + (list(_useless(source, used)) if source else [])


def _ignored(source: Source) -> dict[int, dict[str, Span]]:
    """The codes that the comment of each line names, with their places."""
    found: dict[int, dict[str, Span]] = {}
    for comment in COMMENT.finditer(source.text):
        codes = found.setdefault(source.position(comment.start())[0], {})
        for word in _WORD.finditer(comment[1]):
            start = comment.start(1) + word.start()
            codes.setdefault(word[0], Span(source, start, start + len(word[0])))
        if not comment[1].strip():
            codes.setdefault("", Span(source, comment.start(), comment.end()))
    return found


def _useless(source: Source, used: set[Span]) -> Iterator[Diagnostic]:
    for codes in _ignored(source).values():
        for name, span in codes.items():
            if span not in used:
                yield Diagnostic(Code.SILENCED, *_why_useless(name, span))


def _why_useless(name: str, span: Span) -> tuple[str, Span, str]:
    if not name:
        return "the comment does not name a warning", span, "`# cnndsl: ignore CNN102`"
    if name not in _CODES:
        known = [code.id for code in Code if code.severity == "warning"]
        return f"there is no warning `{name[:20]}`", span, did_you_mean(name.upper(), known) or ", ".join(known)
    if _CODES[name].severity == "error":
        return f"{name} is an error, which no comment silences", span, "fix it, and remove the comment"
    return f"there is no {name} on this line to ignore", span, "remove it"
