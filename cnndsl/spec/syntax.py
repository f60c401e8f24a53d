"""libyaml's errors in our words, at the place that has to be changed."""

from __future__ import annotations

import yaml

from cnndsl.diagnostics import Code, Diagnostic, Note
from cnndsl.source import Source, Span

_COLON = ("a `:` where no key can stand", "indent the line as its neighbours are, or quote a text that holds `: `")
_TAB = ("a tab; YAML is indented with spaces", "replace it")
_QUOTE = "this quote is not closed"

#: What libyaml says -> what we say, and what to do about it.
_WORDS = {
    "mapping values are not allowed in this context": _COLON,
    "mapping keys are not allowed in this context": (
        "a `?` where no key can stand",
        "quote a text that begins with `?`",
    ),
    "block sequence entries are not allowed in this context": (
        "a `- ` where no list can begin",
        "a list begins on a line of its own, or is written `[a, b]`; quote a text that begins with `- `",
    ),
    "could not find expected ':'": ("this is neither a key nor a value", "`key: value` wants its `:`"),
    "did not find expected '-' indicator": (
        "neither an item of the list around it nor the end of that list",
        "an item begins with `- `, and what belongs to it is indented as its first key is",
    ),
    "did not find expected key": (
        "neither a key of the mapping around it nor the end of that mapping",
        "the keys of a mapping are indented alike; an item of a list begins with `- `",
    ),
    "did not find expected ',' or ']'": ("this `[` is not closed", "`,` or `]` is missing"),
    "did not find expected ',' or '}'": ("this `{` is not closed", "`,` or `}` is missing"),
    "did not find expected node content": ("a value is missing here", "write it, or remove the `,` or bracket"),
    "did not find expected <document start>": (
        "text behind the end of the spec",
        "the spec is one mapping: all its keys begin at the left, and each bracket is closed once",
    ),
    "found unexpected end of stream": (_QUOTE, "close it; in '...' a `'` is written `''`"),
    "found unexpected document indicator": (_QUOTE, "close it before the `---`"),
    "found unknown escape character": (
        "a `\\` with a character that it cannot escape",
        "write '...', where `\\` is itself",
    ),
    "found character that cannot start any token": (
        "a character that no plain text begins with",
        "quote a text that begins with `@`, a backtick or `%`",
    ),
    "found a tab character where an indentation space is expected": _TAB,
    "found a tab character that violates indentation": _TAB,
    "did not find expected alphabetic or numeric character": (
        "a `*` or `&` without a name",
        "quote a text that begins with `*` or `&`",
    ),
    "found unknown directive name": ("a directive; specs have none", "quote a text that begins with `%`"),
}


def syntax_error(source: Source, error: yaml.YAMLError) -> Diagnostic:
    """What is to be said of an error: at the opener for what is not closed, else where it was met."""
    problem = getattr(error, "problem", None) or str(error)
    context, mark = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    index = min(mark.index, len(source.text)) if mark else 0
    message, help = _WORDS.get(problem, (problem, ""))
    opener = message.startswith("this ")
    notes: tuple[Note, ...] = ()
    if _tab_before(source.text, index) and message != _QUOTE:
        message, help = _TAB
    elif problem == "did not find expected key" and (behind := _behind_value(source, index)):
        message, help = behind
    elif opener and context and mark and source.text[index : index + 1] == ":" and context.line == mark.line:
        message, help = _COLON
    elif opener and context:
        if index < len(source.text.rstrip()):
            notes = (Note("what stands here does not belong to it", _at(source, index)),)
        index = context.index
        if "$(" in source.line(source.position(index)[0]):
            help += "; inside of `{...}` and `[...]`, `$(a, b)` wants quotes"
    return Diagnostic(Code.SYNTAX, message, _at(source, index), help, notes)


def _at(source: Source, index: int) -> Span:
    return Span(source, index, min(index + 1, len(source.text)))


def _tab_before(text: str, index: int) -> bool:
    """Whether a tab indents the line at ``index``."""
    line = text[text.rfind("\n", 0, index) + 1 :].split("\n", 1)[0]
    return "\t" in line[: len(line) - len(line.lstrip())]


def _behind_value(source: Source, index: int) -> tuple[str, str] | None:
    """What is said where something follows a value on its line."""
    line, column = source.position(index)
    before, character = source.line(line)[: column - 1].strip(), source.text[index : index + 1]
    if not before:
        return None
    if character in ("]", "}"):
        return f"a `{character}` that closes nothing", "remove it, or open it before"
    return "text behind a quote or bracket that is closed already", "remove it, or put it inside"
