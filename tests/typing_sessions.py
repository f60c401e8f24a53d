"""Sessions at an editor: specs typed key by key, and edits that nobody would make.

    python tests/typing_sessions.py --edits 100000

The server is in this process. After each edit it is asked for everything at some place of the text. Whatever it logs as
a fault of its own is a failure; from time to time its answers are compared with those of a server that has just
started.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from editor import Editor, at, capabilities, named
from fuzzing import SEEDS, TOKENS
from lsprotocol import types

from cnndsl.diagnostics import Diagnostic
from cnndsl.editing.analysis import Buffers, analyse
from cnndsl.editing.completion import complete
from cnndsl.editing.hints import hints
from cnndsl.graph.graph import walk
from cnndsl.lsp.server import Server
from cnndsl.network import Compilation, compile_spec
from cnndsl.spec.document import Text

ARCHS = Path(__file__).parent.parent / "archs"
#: The most characters of a spec that is edited at random, so that many edits take little time.
SMALL = 1500
#: The edits after which another spec is opened: after many, nothing is left of one.
ENOUGH = 12
#: The part of all requests that follow an edit, if no answers are compared.
SOME = 0.3
#: The edits of one session.
ONE = 500
WORDS = (
    "ReLU",
    "Conv2d",
    "branch",
    "residual",
    "from",
    "reuse",
    "when",
    "$(1 / 0)",
    "input",
    "network",
    "😀",
    "null",
    "-1",
)


class Session:
    """An editor and a server in this process."""

    def __init__(self, able: types.ClientCapabilities | None = None, **settings: Any) -> None:
        self.server = Server()
        self.editor = Editor()
        self.able, self.settings = able or capabilities(), settings

    async def __aenter__(self) -> Editor:
        await self.editor.join(self.server, self.able, **self.settings)
        return self.editor

    async def __aexit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.bench.close()


async def type_key_by_key(path: Path, text: str, random: Random) -> None:
    """Types the spec of a file into an empty text, now and then so fast that nobody waits for answers. Raises
    AssertionError if the server then says anything else than the compiler."""
    session = Session()
    async with session as editor:
        uri = editor.open(path, "", "cnndsl")
        for offset, key in enumerate(text):
            editor.type(uri, offset, offset, key)
            if random.random() < 0.3:
                await asked(editor, uri, offset + 1)
        assert not editor.log_messages
        await assert_as_compiled(editor, uri, path, random, session.server.followed.get(path.resolve()))


async def assert_as_compiled(editor: Editor, uri: str, path: Path, random: Random, followed: int | None = None) -> None:
    """The diagnostics, hints and completions of a text are what the compiler says of it, apart from any server.
    ``followed`` is the call that hints follow."""
    text = editor.texts[uri]
    compilation = compile_spec(Text(text, path.parent, str(path)))
    told = [(item.code, item.range, item.message.split("\n")[0]) for item in await editor.diagnosed(uri)]
    assert told == [(item.code.id, _range(item), item.message) for item in compilation.diagnostics]
    analysis = analyse(path, Buffers({path.resolve(): text}))
    shown = await editor.hints(uri)
    assert shown == [(analysis.source.position(hint.offset)[0], hint.text) for hint in hints(analysis, followed)]
    known = {"×".join(map(str, shape)) for shape in _shapes(compilation)}  # noqa: RUF001
    for _, hint in shown:
        words = re.sub(r",? \+\d+$", "", hint).replace(" … ", ", ").split(", ")
        assert {word.rpartition(" ")[2] for word in words} <= known, hint
    for offset in random.choices(range(len(text) + 1), k=20):
        answers = await asked(editor, uri, offset)
        assert [item.label for item in answers["completion"]] == [item.label for item in complete(analysis, offset)]


def _range(found: Diagnostic) -> types.Range:
    span = found.span
    return types.Range(at(span.source.text, span.start), at(span.source.text, span.end))


def _shapes(compilation: Compilation) -> Iterator[tuple[int, ...]]:
    """The shape of each sample in a network, as its table has it."""
    root = compilation.partial
    if root is not None:
        yield from (tensor.shape.sample for tensor in root.inputs)
        for _, item in walk(root.body):
            yield from (tensor.shape.sample for tensor in item.outputs if tensor.shape is not None)


def random_edit(random: Random, text: str) -> tuple[int, int, str]:
    """A part of a text to replace, and what comes in its place."""
    return random.choice((_another_word, _another_word, _another_line, _another_place))(random, text)


def _another_word(random: Random, text: str) -> tuple[int, int, str]:
    """A word becomes another one of the text, or another number, or loses its end."""
    words = [*re.finditer(r"[\w$]+", text)] or [*re.finditer("", text)]
    word, other = random.choice(words), random.choice(words)
    new = (other[0], str(random.randrange(9)), word[0][:-1], word[0] + "s", f"${other[0]}", random.choice(WORDS))
    return word.start(), word.end(), random.choice(new)


def _another_line(random: Random, text: str) -> tuple[int, int, str]:
    """A line disappears, appears twice, or moves to the right, or a half-typed one is below it."""
    line = random.choice([*re.finditer(r"[^\n]*\n?", text)])
    begun = re.match(" *", line[0])
    new = ("", line[0] * 2, f"  {line[0]}", f"{line[0]}{begun[0] if begun else ''}- ")
    return line.start(), line.end(), random.choice(new)


def _another_place(random: Random, text: str) -> tuple[int, int, str]:
    """A key anywhere, a token that changes the meaning of YAML, or a part of the text itself."""
    start = random.randrange(len(text) + 1)
    end = min(len(text), start + random.choice((0, 0, 0, 1, 1, 5, 30)))
    other = random.randrange(len(text) + 1)
    token = random.choice(TOKENS).decode("utf-8", "replace").replace("9" * 400, "9" * 20)
    piece = random.choice((chr(random.randrange(32, 127)), "", "\n", "😀", token, text[other : other + 40]))
    return start, end, piece


async def asked(editor: Editor, uri: str, offset: int, which: Callable[[str], bool] = bool) -> dict[str, Any]:
    """What an editor asks of a text, with the place of the cursor at an offset."""
    text = editor.texts[uri]
    position, whole = at(text, offset), types.Range(types.Position(0, 0), at(text, len(text)))
    place, name = (named(uri), position), named(uri)
    requests = {
        "hints": (editor.text_document_inlay_hint_async, types.InlayHintParams(name, whole)),
        "lenses": (editor.text_document_code_lens_async, types.CodeLensParams(name)),
        "hover": (editor.text_document_hover_async, types.HoverParams(*place)),
        "completion": (editor.text_document_completion_async, types.CompletionParams(*place)),
        "definition": (editor.text_document_definition_async, types.DefinitionParams(*place)),
        "highlights": (editor.text_document_document_highlight_async, types.DocumentHighlightParams(*place)),
        "symbols": (editor.text_document_document_symbol_async, types.DocumentSymbolParams(name)),
        "folds": (editor.text_document_folding_range_async, types.FoldingRangeParams(name)),
        "prepared": (editor.text_document_prepare_rename_async, types.PrepareRenameParams(*place)),
        "actions": (
            editor.text_document_code_action_async,
            types.CodeActionParams(name, types.Range(position, position), types.CodeActionContext([])),
        ),
        "formatting": (
            editor.text_document_formatting_async,
            types.DocumentFormattingParams(name, types.FormattingOptions(2, True)),
        ),
    }
    wanted = {what: ask(params) for what, (ask, params) in requests.items() if which(what)}
    answers = await asyncio.wait_for(asyncio.gather(*wanted.values()), 60)
    return {"diagnostics": await editor.diagnosed(uri), **dict(zip(wanted, answers))}


async def afresh(uri: str, text: str, offset: int, followed: Mapping[Path, int]) -> dict[str, Any]:
    """The same of a server that has just started. ``followed`` is the call that hints follow, which depends on where
    the cursor was."""
    session = Session()
    async with session as editor:
        editor.open(uri, text, "cnndsl")
        session.server.followed |= followed
        return await asked(editor, uri, offset)


async def edit_at_random(edits: int, seed: int, compare: int, folder: Path) -> Counter[str]:
    """Makes edits, and raises AssertionError for the first answer that is wrong. ``compare`` is after how many edits
    the answers are compared with a fresh server's. Returns how often each code was told."""
    random, told = Random(seed), Counter[str]()
    seeds = [text for path in SEEDS if len(text := path.read_text("utf-8", "replace")) < SMALL]
    uri = (folder / "net.yaml").as_uri()
    session = Session()
    async with session as editor:
        editor.open(uri, random.choice(seeds), "cnndsl")
        for number in range(edits):
            if number % ENOUGH == 0:
                editor.retype(uri, random.choice(seeds))
            editor.type(uri, *random_edit(random, editor.texts[uri]))
            text = editor.texts[uri]
            offset = random.randrange(len(text) + 1)
            await editor.diagnosed(uri)  # so that the edit has moved the call that is followed
            followed = {**session.server.followed}
            is_compared = compare > 0 and number % compare == 0
            part = 1.0 if is_compared else SOME
            answers = await asked(editor, uri, offset, lambda what, part=part: random.random() < part)
            told.update({str(item.code) for item in answers["diagnostics"]})
            failed = [message.message for message in editor.log_messages]
            assert not failed, f"{failed[0]}\nin {text!r} at {offset}"
            if is_compared:
                fresh = await afresh(uri, text, offset, followed)
                for what, answer in fresh.items():
                    assert answers[what] == answer, f"{what}: {answers[what]}, not {answer}\nin {text!r} at {offset}"
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compare", type=int, default=100, help="compare with a fresh server after so many edits")
    options = parser.parse_args()
    began, told, failed = time.process_time(), Counter[str](), 0
    for first in range(0, options.edits, ONE):
        edits = min(ONE, options.edits - first)
        try:
            told += asyncio.run(edit_at_random(edits, options.seed + first, options.compare, Path.cwd() / "build"))
        except AssertionError as error:
            failed += 1
            print(f"{options.seed + first}: {error}", flush=True)
    took = time.process_time() - began
    print(f"{options.edits} edits, {took:.0f} s, {took / options.edits * 1000:.1f} ms each; {dict(told.most_common())}")
    print(f"{failed} sessions failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
