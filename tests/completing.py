"""What tests of completion share: a cursor in a text, the words of a spec, and what an accepted completion gives."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cnndsl.editing.analysis import Analysis, Buffers, analyse
from cnndsl.editing.answers import Completion
from cnndsl.source import Source
from cnndsl.spec.tree import Listing, Mapping, Tree, read

CURSOR = "‸"
_WORD = re.compile(r"(?<![\w.$])[A-Za-z_]\w*(?:\.[A-Za-z_0-9]\w*)*")
#: Sections with texts that a spec makes up, or that name files.
_TEXTS = (("description",), ("rename",), ("extends",), ("use",), ("train", "freeze"))
_VALUE = re.compile(r"(?<=\$)[a-z_]\w*")


def at_cursor(text: str, path: Path) -> tuple[Analysis, int]:
    """The analysis of a text without its cursor, and the cursor's offset."""
    offset = text.index(CURSOR)
    return analysed(text.replace(CURSOR, ""), path), offset


def analysed(text: str, path: Path) -> Analysis:
    return analyse(path, Buffers({path.resolve(): text}))


def accepted(text: str, completion: Completion) -> str:
    """The text after an editor has inserted a completion, with values in its places to fill. Further lines of a snippet
    are indented as the first."""
    start, end = completion.span.start, completion.span.end
    line = text[text.rfind("\n", 0, start) + 1 : start]
    indent = line[: len(line) - len(line.lstrip())]
    step = "ReLU" if completion.kind == "word" else "1"
    other = "patience: 1" if completion.label == "early_stopping" else "1"
    inserted = completion.snippet or completion.label.replace("$", r"\$")
    inserted = re.sub(r"(?<=- )\$\d|(?<=\[)\$\d", step, inserted)
    inserted = re.sub(r"(?<=\{)\$\d(?=:)", "value", inserted)
    inserted = re.sub(r"(?<!\\)\$\d", other, inserted).replace(r"\$", "$").replace("\n", f"\n{indent}")
    return text[:start] + inserted + text[end:]


def words(path: Path) -> Iterator[tuple[int, int, str]]:
    """The places of all words of a spec that it does not make up itself, and how a completion is labelled."""
    text = path.read_text()
    tree, _ = read(Source(str(path), text))
    own = [*_own(tree, ())]
    for match in (*_VALUE.finditer(text), *_WORD.finditer(text)):
        is_value = text[match.start() - 1] == "$"
        line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
        is_comment = re.search(r"(?:^|\s)#", line) is not None
        if not is_comment and (is_value or not any(a <= match.start() < b for a, b in own)):
            yield match.start(), match.end(), f"${match[0]}" if is_value else match[0]


def _own(tree: Tree, path: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Where a spec makes up names and texts, and where what a value of a loop is called with is not known."""
    for key, value in tree.entries if isinstance(tree, Mapping) else ():
        name, where = str(key.value), (*path, str(key.value))
        if name in ("name", "for") or where in (
            ("description",),
            ("rename",),
            ("extends",),
            ("use",),
            ("train", "freeze"),
        ):
            yield value.span.start, value.span.end
        elif path and path[0] == "blocks" and (len(path) == 1 or (len(path) == 2 and name == "inputs")):
            yield (key if len(path) == 1 else value).span.start, (key if len(path) == 1 else value).span.end
            yield from _own(value, where) if len(path) == 1 else ()
        elif name.startswith("$"):
            yield value.span.start, value.span.end
        elif path[-1:] in (("params",), ("let",), ("input",)):
            yield key.span.start, key.span.end
            yield from _own(value, where)
        else:
            yield from _own(value, where)
    for item in tree.items if isinstance(tree, Listing) else ():
        yield from _own(item, path)
