"""Sessions at an editor: specs typed key by key, and edits that nobody would make.

    python tests/typing_sessions.py --edits 100000

The server is in this process. After each edit it is asked for everything at some place of the text. Whatever it logs as
a fault of its own is a failure; from time to time its answers are compared with those of a server that has just
started.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from editor import Editor, at, capabilities, named
from fuzzing import SEEDS, TOKENS
from lsprotocol import types

from cnndsl.lsp.server import Server

ARCHS = Path(__file__).parent.parent / "archs"
#: The most characters of a spec that is edited at random, so that many edits take little time.
SMALL = 1500
#: The edits after which another spec is opened: after many, nothing is left of one.
ENOUGH = 40


class Session:
    """An editor and a server in this process."""

    def __init__(self) -> None:
        self.server = Server()
        self.editor = Editor()

    async def __aenter__(self) -> Editor:
        await self.editor.join(self.server, capabilities())
        return self.editor

    async def __aexit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.bench.close()


def keys(text: str) -> Iterator[tuple[int, str]]:
    """A text as somebody types it: an offset, and the key."""
    yield from enumerate(text)


def random_edit(random: Random, text: str) -> tuple[int, int, str]:
    """A part of a text to replace, and what comes in its place: mostly a key, sometimes a token that changes the
    meaning of YAML, or a part of the text itself."""
    start = random.randrange(len(text) + 1)
    end = min(len(text), start + random.choice((0, 0, 0, 1, 1, 5, 30)))
    other = random.randrange(len(text) + 1)
    token = random.choice(TOKENS).decode("utf-8", "replace").replace("9" * 400, "9" * 20)
    piece = random.choice((chr(random.randrange(32, 127)), "", "\n", "😀", token, text[other : other + 40]))
    return start, end, piece


async def asked(editor: Editor, uri: str, offset: int) -> dict[str, Any]:
    """All that an editor asks of a text, with the place of the cursor at an offset."""
    text = editor.texts[uri]
    position, whole = at(text, offset), types.Range(types.Position(0, 0), at(text, len(text)))
    place, name = (named(uri), position), named(uri)
    requests = {
        "hints": editor.text_document_inlay_hint_async(types.InlayHintParams(name, whole)),
        "lenses": editor.text_document_code_lens_async(types.CodeLensParams(name)),
        "hover": editor.text_document_hover_async(types.HoverParams(*place)),
        "completion": editor.text_document_completion_async(types.CompletionParams(*place)),
        "definition": editor.text_document_definition_async(types.DefinitionParams(*place)),
        "highlights": editor.text_document_document_highlight_async(types.DocumentHighlightParams(*place)),
        "symbols": editor.text_document_document_symbol_async(types.DocumentSymbolParams(name)),
        "folds": editor.text_document_folding_range_async(types.FoldingRangeParams(name)),
        "prepared": editor.text_document_prepare_rename_async(types.PrepareRenameParams(*place)),
        "actions": editor.text_document_code_action_async(
            types.CodeActionParams(name, types.Range(position, position), types.CodeActionContext([]))
        ),
        "formatting": editor.text_document_formatting_async(
            types.DocumentFormattingParams(name, types.FormattingOptions(2, True))
        ),
    }
    answers = await asyncio.wait_for(asyncio.gather(*requests.values()), 60)
    return {"diagnostics": await editor.diagnosed(uri), **dict(zip(requests, answers))}


async def afresh(uri: str, text: str, offset: int) -> dict[str, Any]:
    """The same of a server that has just started."""
    async with Session() as editor:
        editor.open(uri, text, "cnndsl")
        return await asked(editor, uri, offset)


async def edit_at_random(edits: int, seed: int, compare: int, folder: Path) -> Counter[str]:
    """Makes edits, and raises AssertionError for the first answer that is wrong. ``compare`` is after how many edits
    the answers are compared with a fresh server's. Returns how often each code was told."""
    random, told = Random(seed), Counter[str]()
    seeds = [text for path in SEEDS if len(text := path.read_text("utf-8", "replace")) < SMALL]
    uri = (folder / "net.yaml").as_uri()
    async with Session() as editor:
        editor.open(uri, random.choice(seeds), "cnndsl")
        for number in range(edits):
            if number % ENOUGH == 0:
                editor.retype(uri, random.choice(seeds))
            editor.type(uri, *random_edit(random, editor.texts[uri]))
            text = editor.texts[uri]
            offset = random.randrange(len(text) + 1)
            answers = await asked(editor, uri, offset)
            told.update({str(item.code) for item in answers["diagnostics"]})
            failed = [message.message for message in editor.log_messages]
            assert not failed, f"{failed[0]}\nin {text!r} at {offset}"
            if compare and number % compare == 0:
                fresh = await afresh(uri, text, offset)
                for what, answer in fresh.items():
                    assert answers[what] == answer, f"{what}: {answers[what]}, not {answer}\nin {text!r} at {offset}"
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compare", type=int, default=100, help="compare with a fresh server after so many edits")
    options = parser.parse_args()
    began = time.process_time()
    told = asyncio.run(edit_at_random(options.edits, options.seed, options.compare, Path.cwd() / "build"))
    took = time.process_time() - began
    print(f"{options.edits} edits, {took:.0f} s, {took / options.edits * 1000:.1f} ms each; {dict(told.most_common())}")


if __name__ == "__main__":
    main()
