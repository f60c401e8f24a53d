"""libyaml's errors in our words, at the place that must be changed."""

from __future__ import annotations

import re

import yaml
from msgspec.structs import replace

from cnndsl.diagnostics import Code, Diagnostic, Note, shorten
from cnndsl.source import Source, Span
from cnndsl.spec.slips import Found, flow_expression, glued_bracket, other_value, with_colon

_COLON = ("a `:` where no key can be", "indent the line like its neighbours, or quote a string that contains `: `")
_TAB = ("a tab; YAML is indented with spaces", "write spaces instead")
_QUOTE = "this quote is not closed"
_GLUED = "a `:` without a space after it"

#: libyaml's message -> ours, and the help.
_WORDS = {
    "mapping values are not allowed in this context": _COLON,
    "mapping keys are not allowed in this context": (
        "a `?` where no key can be",
        "quote a string that begins with `?`",
    ),
    "block sequence entries are not allowed in this context": (
        "a `- ` where no list can begin",
        "a list begins on a line of its own, or is written `[a, b]`; quote a string that begins with `- `",
    ),
    "could not find expected ':'": ("this is neither a key nor a value", "`key: value` needs its `:`"),
    "did not find expected '-' indicator": (
        "neither an item of the list around it nor the end of that list",
        "begin an item with `- `, and indent its other lines like its first key",
    ),
    "did not find expected key": (
        "neither a key of the mapping around it nor the end of that mapping",
        "indent the keys of a mapping alike; begin an item of a list with `- `",
    ),
    "did not find expected ',' or ']'": ("this `[` is not closed", "`,` or `]` is missing"),
    "did not find expected ',' or '}'": ("this `{` is not closed", "`,` or `}` is missing"),
    "did not find expected node content": ("a value is missing here", "write it, or remove the `,` or bracket"),
    "did not find expected <document start>": (
        "text after the end of the spec",
        "the spec is one mapping: all its keys begin at the left, and each bracket is closed once",
    ),
    "found unexpected end of stream": (_QUOTE, "close it; in '...' a `'` is written `''`"),
    "found unexpected document indicator": (_QUOTE, "close it before the `---`"),
    "found unknown escape character": (
        "a `\\` with a character that it cannot escape",
        "write '...', where `\\` is literal",
    ),
    "found character that cannot start any token": (
        "a character that no plain string can begin with",
        "quote a string that begins with `@`, a backtick or `%`",
    ),
    "found a tab character where an indentation space is expected": _TAB,
    "found a tab character that violates indentation": _TAB,
    "did not find expected alphabetic or numeric character": (
        "a `*` or `&` without a name",
        "quote a string that begins with `*` or `&`",
    ),
    "found unknown directive name": ("a directive, which specs do not have", "quote a string that begins with `%`"),
}


def syntax_error(source: Source, error: yaml.YAMLError) -> Diagnostic:
    """The diagnostic of an error: at the opening character if something is not closed, otherwise where it was found."""
    problem = getattr(error, "problem", None) or str(error)
    context, mark = getattr(error, "context_mark", None), getattr(error, "problem_mark", None)
    index = min(mark.index, len(source.text)) if mark else 0
    message, help = _WORDS.get(problem, (problem, ""))
    opener = message.startswith("this ")
    notes: tuple[Note, ...] = ()
    if message != _QUOTE and (slip := _slip(source, index)):
        return slip
    if message == _COLON[0] and (slip := _without_colon(source, index)):
        return slip
    if problem.startswith("could not find") and context and (slip := _glued_line(source, context.index)):
        return slip
    if (_tab_before(source.text, index) or source.text[index : index + 1] == "\t") and message != _QUOTE:
        message, help = _TAB
    elif problem == "did not find expected key" and (behind := _behind_value(source, index)):
        message, help = behind
    elif opener and context and mark and source.text[index : index + 1] == ":" and context.line == mark.line:
        message, help = _COLON
    elif opener and context:
        if index < len(source.text.rstrip()):
            notes = (Note("this does not belong to it", _at(source, index)),)
        index = context.index
        if "$(" in source.line(source.position(index)[0]):
            help += "; inside of `{...}` and `[...]`, `$(a, b)` needs quotes"
    return Diagnostic(Code.SYNTAX, message, _at(source, index), help, notes)


# --- slips ---------------------------------------------------------------------------------------


def _slip(source: Source, index: int) -> Diagnostic | None:
    """The diagnostic if one character of a line is wrong, at its place; None if it is not that simple."""
    number, column = source.position(index)
    line, start = source.line(number), index - column + 1
    if found := other_value(line, column - 1):
        written = line[found[0] : found[1]]
        slip = _slipped(source, start, found, f"`{shorten(written)}` is not how a spec inserts a value")
        if written[1:].isidentifier():
            slip = replace(slip, help=f"{slip.help}; or quote a string that begins with `{written[0]}`")
        return slip
    if found := flow_expression(line, column - 1):
        message = "an expression with a bracket or comma needs quotes in `[...]` and `{...}`"
        return _slipped(source, start, found, message)
    if found := glued_bracket(line, column - 1):
        return _slipped(source, start, found, _GLUED)
    dash = line[:column].rstrip()
    if dash.endswith("-") and dash[:-1].rstrip().endswith("merge:"):
        return _slipped(source, start, (len(dash) - 1, len(dash), "merge: subtract"), "a `-` begins an item of a list")
    return None


def _slipped(source: Source, start: int, found: Found, message: str) -> Diagnostic:
    """``found`` is the place of the error in the line that begins at ``start``, and the correction."""
    first, last, meant = found
    return Diagnostic(Code.SYNTAX, message, Span(source, start + first, start + last), f"`{meant}`")


def _item(line: str) -> tuple[str, str]:
    """The indentation of a line, including dashes, and its text without a comment."""
    before = len(line) - len(line.lstrip(" -"))
    text, *_ = re.split(r"(?:^|\s)#", line[before:], maxsplit=1)
    return line[:before], text.rstrip()


def _glued_line(source: Source, index: int) -> Diagnostic | None:
    """The diagnostic of a line whose key has no space after its colon, or an `=` in place of it."""
    number, _ = source.position(index)
    before, text = _item(source.line(number))
    found = with_colon(text)
    if found is None:
        return None
    place, meant = found
    slip = _GLUED if text[place] == ":" else "a `=` in place of a `:`"
    first = len(before) + place
    return _slipped(source, source.offset(number), (first, first + 1, shorten(meant)), slip)


def _without_colon(source: Source, index: int) -> Diagnostic | None:
    """The diagnostic of a line above whose key lacks its colon, as the line at ``index`` shows."""
    number, column = source.position(index)
    line = source.line(number)
    if re.search(r"\S:\s", line[: column - 1]):
        return None  # the line has a key already
    indent = len(line) - len(line.lstrip())
    for above in range(number - 1, max(number - 100, 0), -1):
        before, text = _item(source.line(above))
        if not text or 0 < indent < len(before):
            continue
        if glued := _glued_line(source, source.offset(above)):
            return glued
        if _wants_colon(text, "-" in before, line.lstrip().startswith("- ")):
            found = (len(before), len(before) + len(text), f"{shorten(text)}:")
            return _slipped(source, source.offset(above), found, "a `:` is missing after this")
        return None
    return None


def _wants_colon(text: str, in_list: bool, before_list: bool) -> bool:
    """Whether a text is a key: a definition, a structural word before its steps, a layer before its arguments."""
    if not re.fullmatch(r"\w+(\(.*\))?", text):
        return False
    return not in_list or before_list == text[0].islower()


def _at(source: Source, index: int) -> Span:
    return Span(source, index, min(index + 1, len(source.text)))


def _tab_before(text: str, index: int) -> bool:
    """Whether a tab indents the line at ``index``."""
    line = text[text.rfind("\n", 0, index) + 1 :].split("\n", 1)[0]
    return "\t" in line[: len(line) - len(line.lstrip())]


def _behind_value(source: Source, index: int) -> tuple[str, str] | None:
    """The message and help if something follows a value on its line."""
    line, column = source.position(index)
    before, character = source.line(line)[: column - 1].strip(), source.text[index : index + 1]
    if not before:
        return None
    if character == ",":
        return "a `,` after the end of a value", "remove it"
    if character in ("]", "}"):
        return f"a `{character}` that closes nothing", "remove it, or open it before"
    return "text after a closed quote or bracket", "remove it, or put it inside"
