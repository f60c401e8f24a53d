"""`cnndsl lsp` from end to end: an editor speaks with it over pipes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from editor import COMMAND, Editor, at, capabilities, named, server
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from typing_sessions import ARCHS, Session, asked, assert_as_compiled, edit_at_random, type_key_by_key

from cnndsl.diagnostics import Diagnostic
from cnndsl.network import compile_spec
from cnndsl.spec.document import Text

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEC = """\
input: [3, 32, 32]
network:
  - Conv2d: {out_channels: 8, kernel_size: 3}
  - ReLU
  - Flatten
  - Linear: 10
"""
LAID = SPEC.replace("network", "\nnetwork")
WRONG = SPEC.replace("ReLU", "Relu")


def told(text: str, path: Path) -> list[Diagnostic]:
    """What the compiler says of a text in the place of a file."""
    return compile_spec(Text(text, path.parent, str(path))).diagnostics


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def editor() -> AsyncIterator[Editor]:
    """One server for most tests: each has files of its own."""
    editor = await server().start()
    assert isinstance(editor, Editor)
    await editor.initialize_session(types.InitializeParams(capabilities()))
    yield editor
    await editor.shutdown_session()
    await editor.stop()


@pytest.fixture(autouse=True)
def nothing_failed(request: pytest.FixtureRequest) -> Any:
    """The server logs what fails in it."""
    if "editor" in request.fixturenames:
        request.getfixturevalue("editor").refreshed.clear()
    yield
    if "editor" in request.fixturenames:
        editor = request.getfixturevalue("editor")
        assert [message.message for message in editor.log_messages] == []


def codes(found: Any) -> list[tuple[str, int, int, int]]:
    """Code, line and columns of diagnostics, from 0."""
    return [(item.code, item.range.start.line, item.range.start.character, item.range.end.character) for item in found]


# --- diagnostics ---------------------------------------------------------------------------------


async def test_a_fault_is_told_with_its_help_and_its_page(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", WRONG)
    (found,) = await editor.diagnosed(uri)
    assert codes([found]) == [("CNN014", 3, 4, 8)]
    assert found.severity == types.DiagnosticSeverity.Error and found.source == "cnndsl"
    assert found.message.splitlines()[1:] == ["help: did you mean `ReLU`?"]
    page = Path(found.code_description.href.removeprefix("file://"))
    assert page.name == "CNN014.md" and page.is_file()
    editor.replace(uri, "Relu", "ReLU")
    assert not await editor.diagnosed(uri)
    editor.replace(uri, "ReLU", "Relu")
    assert codes(await editor.diagnosed(uri)) == [("CNN014", 3, 4, 8)]
    editor.close(uri)
    while editor.diagnostics[uri]:
        await editor.news()


async def test_notes_are_related_places_and_warnings_are_tagged(editor: Editor, tmp_path: Path) -> None:
    text = "input: [3, 32, 32]\nparams: {width: 3}\nnetwork:\n  - residual:\n      - Conv2d: [8, 3]\n  - ReLU\n"
    uri = editor.open(tmp_path / "net.yaml", text)
    found = {item.code: item for item in await editor.diagnosed(uri)}
    places = [(place.location.uri, place.location.range.start.line) for place in found["CNN033"].related_information]
    assert places == [(uri, 4), (uri, 0)] and "note" not in found["CNN033"].message
    editor.replace(uri, "8, 3", "3, 3, 1, 1")
    (found,) = await editor.diagnosed(uri)
    assert found.code == "CNN101" and [*found.tags] == [types.DiagnosticTag.Unnecessary]
    assert found.severity == types.DiagnosticSeverity.Warning


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_positions_are_in_the_units_that_were_agreed(encoding: str, tmp_path: Path) -> None:
    async with Session(capabilities([encoding, "utf-16"])) as editor:
        assert editor.agreed.position_encoding == encoding
        before = '  - {name: "a😀ü", '
        uri = editor.open(tmp_path / "net.yaml", SPEC.replace("  - ReLU", before + "Relu: }"))
        found = [item for item in await editor.diagnosed(uri) if item.code == "CNN014"]
        units = {"utf-8": len(before.encode()), "utf-16": len(before) + 1, "utf-32": len(before)}[encoding]
        assert codes(found) == [("CNN014", 3, units, units + 4)]
        place = types.Range(types.Position(3, units), types.Position(3, units + 4))
        name = types.VersionedTextDocumentIdentifier(2, uri)
        change = types.TextDocumentContentChangePartial(place, "ReLU")
        editor.text_document_did_change(types.DidChangeTextDocumentParams(name, [change]))
        editor.versions[uri] = 2
        assert "CNN014" not in {item.code for item in await editor.diagnosed(uri)}


async def test_texts_stay_equal_whatever_ends_their_lines(editor: Editor, tmp_path: Path) -> None:
    """Lines end at \\n, \\r\\n and \\r, and nowhere else, though Python has more ends."""
    uri = editor.open(tmp_path / "net.yaml", "# \x85 \u2028 \x0c\r\n" + WRONG.replace("\n", "\r\n"))
    editor.replace(uri, "\r\n  - Flatten", "\r  - Flatten")
    assert [item.code for item in await editor.diagnosed(uri)] == ["CNN002"]
    editor.replace(uri, "# \x85 \u2028 \x0c", "# 😀")
    assert codes(await editor.diagnosed(uri)) == [("CNN014", 4, 4, 8)]
    editor.replace(uri, "Relu", "ReLU")
    assert not await editor.diagnosed(uri)


async def test_a_used_file_is_checked_with_its_users(editor: Editor, tmp_path: Path) -> None:
    blocks, net, other = (tmp_path / name for name in ("blocks.yaml", "net.yaml", "other.yaml"))
    blocks.write_text("blocks:\n  Head(classes):\n    - Flatten\n    - Linear: $classes\n")
    for path in (net, other):
        path.write_text("input: [1, 8, 8]\nuse: blocks.yaml\nnetwork:\n  - Head: 10\n")
    nets = [editor.open(path, path.read_text()) for path in (net, other)]
    for uri in nets:
        assert not await editor.diagnosed(uri)
    uri = editor.open(blocks, blocks.read_text())
    assert not await editor.diagnosed(uri)  # that it has no input is no fault
    editor.refreshed.clear()
    editor.replace(uri, "Flatten", "Conv3d: 1")
    while not codes(editor.diagnostics[uri]):
        await editor.news()
    assert [item.code for item in editor.diagnostics[uri]] == ["CNN012"]  # once, though two specs have it
    while types.WORKSPACE_INLAY_HINT_REFRESH not in editor.refreshed:
        await editor.news()
    editor.close(nets[0])
    editor.replace(uri, "Conv3d: 1", "Conv3: 1")
    while [item.code for item in editor.diagnostics[uri]] != ["CNN014"]:
        await editor.news()
    editor.close(uri)  # the file on the disk is right
    while editor.diagnostics[uri]:
        await editor.news()
    blocks.write_text(blocks.read_text().replace("Flatten", "Flat"))
    change = types.FileEvent(blocks.as_uri(), types.FileChangeType.Changed)
    editor.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([change]))
    while not editor.diagnostics[uri]:
        await editor.news()
    assert codes(editor.diagnostics[uri]) == [("CNN014", 2, 6, 10)]
    editor.close(nets[1])
    while editor.diagnostics[uri]:
        await editor.news()


async def test_a_file_of_blocks_has_the_shapes_and_faults_of_a_user(editor: Editor, tmp_path: Path) -> None:
    """Of one that is on the disk, if none is open."""
    (tmp_path / "net.yaml").write_text("input: [1, 8, 8]\nuse: blocks.yaml\nnetwork:\n  - Head: 10\n")
    text = "blocks:\n  Head(classes):\n    - Flatten\n    - Linear: $classes\n"
    uri = editor.open(tmp_path / "blocks.yaml", text)
    while not (hints := await editor.hints(uri)):
        await editor.news()
    assert hints == [(3, "64"), (4, "10")]
    editor.replace(uri, "Flatten", "Conv3d: 1")
    while not codes(editor.diagnostics[uri]):
        await editor.news()
    assert [item.code for item in editor.diagnostics[uri]] == ["CNN012"]
    editor.close(uri)
    while editor.diagnostics[uri]:
        await editor.news()


async def test_who_asks_for_diagnostics_is_not_sent_them(tmp_path: Path) -> None:
    async with Session(capabilities(diagnostic=types.DiagnosticClientCapabilities())) as editor:
        (tmp_path / "base.yaml").write_text(WRONG)
        uri = editor.open(tmp_path / "net.yaml", "extends: base.yaml\nname: Net!\n")
        report = await editor.text_document_diagnostic_async(types.DocumentDiagnosticParams(named(uri)))
        assert [item.code for item in report.items] == ["CNN016"]
        base = (tmp_path / "base.yaml").as_uri()
        while base not in editor.diagnostics:  # it is not open, so nobody asks
            await editor.news()
        assert codes(editor.diagnostics[base]) == [("CNN014", 3, 4, 8)] and uri not in editor.diagnostics


COMPOSE = "services:\n  web: {image: nginx}\nnetworks:\n  default: {driver: bridge}\n"
NETPLAN = "network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: true}\n"
ACTION = "name: test\ninputs:\n  network: {required: true}\nruns: {using: composite, steps: [{run: ls}]}\n"


@pytest.mark.parametrize("text", [COMPOSE, NETPLAN, ACTION, "", "- a\n", "extends: eslint\nrules: {}\n", "use: [1]\n"])
async def test_other_yaml_gets_nothing(editor: Editor, tmp_path: Path, text: str) -> None:
    uri = editor.open(tmp_path / "docker-compose.yaml", text)
    other = editor.open(tmp_path / "net.yaml", WRONG)
    await editor.diagnosed(other)
    assert not editor.diagnostics.get(uri)
    assert await editor.hints(uri) == []
    assert await editor.text_document_formatting_async(formatting(uri)) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("input: [3, 8", "yaml"),
        ("input: {a: [3, 8, 8]}\n", "yaml"),
        ("input:\n  a: [3, 8, 8]\n", "yaml"),
        ("network:\n  # first\n  - ReLU\n  - ", "yaml"),
        ("network: [Flat", "yaml"),
        ("blocks:\n  Head(x):\n    - ", "yaml"),
        ("extends: zoo:resnet18\nnmae: x\n", "yaml"),
        ("use: blocks.yaml\n", "yaml"),
        ("# yaml-language-server: $schema=cnndsl.schema.json\nn", "yaml"),
        ("n", "cnndsl"),
    ],
)
async def test_specs_are_known_while_they_are_typed(editor: Editor, tmp_path: Path, text: str, language: str) -> None:
    uri = editor.open(tmp_path / "net.yaml", text, language)
    assert await editor.diagnosed(uri)


async def test_a_spec_stays_one(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", SPEC)
    assert not await editor.diagnosed(uri)
    editor.retype(uri, "")
    assert [item.code for item in await editor.diagnosed(uri)] == ["CNN003"]


async def test_a_text_needs_no_file(editor: Editor) -> None:
    uri = editor.open("untitled:Untitled-1", WRONG, "cnndsl")
    assert codes(await editor.diagnosed(uri)) == [("CNN014", 3, 4, 8)]


# --- hints and lenses ----------------------------------------------------------------------------

BLOCKS = """\
input: [1, 8, 8]
blocks:
  Conv(channels):
    - Conv2d: [$channels, 3]
network:
  - Conv: 4
  - Conv: 8
"""


async def highlighted(editor: Editor, uri: str, line: int) -> Any:
    """Moves the cursor to a line, counted from 0."""
    params = types.DocumentHighlightParams(named(uri), types.Position(line, 5))
    return await editor.text_document_document_highlight_async(params)


async def lenses(editor: Editor, uri: str) -> list[types.Command]:
    found = await editor.text_document_code_lens_async(types.CodeLensParams(named(uri)))
    assert all(lens.command is not None for lens in found)
    return [lens.command for lens in found]


async def test_hints_in_a_block_follow_the_cursor(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", BLOCKS)
    assert await editor.hints(uri) == [(4, "4×6×6 +1"), (6, "4×6×6"), (7, "8×4×4")]  # noqa: RUF001
    await highlighted(editor, uri, 6)
    while types.WORKSPACE_INLAY_HINT_REFRESH not in editor.refreshed:
        await editor.news()
    assert (await editor.hints(uri))[0] == (4, "8×4×4")  # noqa: RUF001
    await highlighted(editor, uri, 3)  # somebody reads the block
    assert (await editor.hints(uri))[0] == (4, "8×4×4")  # noqa: RUF001
    editor.replace(uri, "input: [1, 8, 8]\n", "# a line\ninput: [1, 9, 9]\n")
    assert (await editor.hints(uri))[0] == (5, "8×5×5")  # noqa: RUF001
    shown = [lens for lens in await lenses(editor, uri) if lens.command == "cnndsl.follow"]
    assert [lens.title for lens in shown] == ["shapes of use 2 of 2"]
    follow = types.ExecuteCommandParams(shown[0].command, shown[0].arguments)
    await editor.workspace_execute_command_async(follow)
    assert (await editor.hints(uri))[0] == (5, "4×7×7")  # noqa: RUF001


async def test_lenses_tell_costs(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", BLOCKS)
    titles = [lens.title for lens in await lenses(editor, uri)]
    assert titles == [
        "40 parameters, 1.30 k MACs in the first of 2 uses",  # 4 * 9 + 4, 6 * 6 * 4 * 9
        "336 parameters, 5.90 k MACs, output 8×4×4",  # noqa: RUF001  # + 8 * 4 * 9 + 8, + 4 * 4 * 8 * 4 * 9
        "shapes of use 1 of 2",
    ]


async def test_settings_turn_hints_and_lenses_off(tmp_path: Path) -> None:
    async with Session(capabilities(), hints=False) as editor:
        uri = editor.open(tmp_path / "net.yaml", BLOCKS)
        assert await editor.hints(uri) == [] and len(await lenses(editor, uri)) == 3
        editor.set_configuration({"hints": True, "lenses": False}, section="cnndsl")
        editor.workspace_did_change_configuration(types.DidChangeConfigurationParams({}))
        while not editor.refreshed:
            await editor.news()
        assert await editor.hints(uri) and await lenses(editor, uri) == []


# --- names ---------------------------------------------------------------------------------------


async def test_a_block_is_renamed_in_all_files(editor: Editor, tmp_path: Path) -> None:
    """Those that are open as they are in the editor, those that are not as they are on the disk."""
    (tmp_path / "blocks.yaml").write_text("blocks:\n  Head(classes):\n    - Flatten\n    - Linear: $classes\n")
    for name in ("net", "other"):
        (tmp_path / f"{name}.yaml").write_text("input: [1, 8, 8]\nuse: blocks.yaml\nnetwork:\n  - Head: 10\n")
    net, other, blocks = ((tmp_path / f"{name}.yaml").as_uri() for name in ("net", "other", "blocks"))
    editor.open(net, (tmp_path / "net.yaml").read_text().replace("network", "# 😀\nnetwork"))
    place = named(net), types.Position(4, 5)
    prepared = await editor.text_document_prepare_rename_async(types.PrepareRenameParams(*place))
    assert prepared == types.Range(types.Position(4, 4), types.Position(4, 8))
    renamed = await editor.text_document_rename_async(types.RenameParams(*place, "Classifier"))
    lines = {uri: [edit.range.start.line for edit in edits] for uri, edits in renamed.changes.items()}
    assert lines == {net: [4], other: [3], blocks: [1]}
    with pytest.raises(JsonRpcException, match="layer"):
        await editor.text_document_rename_async(types.RenameParams(*place, "ReLU"))
    context = types.ReferenceContext(include_declaration=True)
    found = await editor.text_document_references_async(types.ReferenceParams(context, *place))
    assert {item.uri for item in found} == {net, other, blocks}
    (defined,) = await editor.text_document_definition_async(types.DefinitionParams(*place))
    assert (defined.uri, defined.range.start.line) == (blocks, 1)
    context.include_declaration = False
    found = await editor.text_document_references_async(types.ReferenceParams(context, *place))
    assert {item.uri for item in found} == {net, other}


# --- hover and outline ---------------------------------------------------------------------------


async def test_hover_tells_of_a_layer(editor: Editor, tmp_path: Path) -> None:
    text = SPEC.replace("  - ReLU", '  - {name: "a😀", ReLU: }')
    uri = editor.open(tmp_path / "net.yaml", text)
    start = text.index("ReLU")
    found = await editor.text_document_hover_async(types.HoverParams(named(uri), at(text, start + 1)))
    assert found.contents.kind == types.MarkupKind.Markdown and "8×30×30" in found.contents.value  # noqa: RUF001
    assert found.range == types.Range(at(text, start), at(text, start + 4))
    assert await editor.text_document_hover_async(types.HoverParams(named(uri), at(text, len(text)))) is None


async def test_the_outline_has_blocks_and_steps(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", BLOCKS)
    found = await editor.text_document_document_symbol_async(types.DocumentSymbolParams(named(uri)))
    assert [item.name for item in found] == ["input", "blocks", "network"]
    (block,) = found[1].children
    assert block.name.startswith("Conv") and block.kind == types.SymbolKind.Class
    assert block.range.start.line == 2 and block.range.end.line == 3 and block.selection_range.end.line == 2
    folds = await editor.text_document_folding_range_async(types.FoldingRangeParams(named(uri)))
    assert [(fold.start_line, fold.end_line) for fold in folds] == [(1, 3), (2, 3), (4, 6)]


# --- completion and fixes ------------------------------------------------------------------------


async def completed(editor: Editor, uri: str, behind: str) -> dict[str, types.CompletionItem]:
    offset = editor.texts[uri].index(behind) + len(behind)
    params = types.CompletionParams(named(uri), at(editor.texts[uri], offset))
    found = await editor.text_document_completion_async(params)
    return {item.label: item for item in found}


async def test_completion_replaces_the_word(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", SPEC.replace("  - ReLU", '  - {name: "a😀", Ma}'))
    item = (await completed(editor, uri, "Ma"))["MaxPool2d"]
    assert item.kind == types.CompletionItemKind.Class and item.documentation.value
    assert item.insert_text_format == types.InsertTextFormat.Snippet and "$" in item.text_edit.new_text
    assert '"a😀", MaxPool2d' in edited(editor.texts[uri], [item.text_edit])
    editor.retype(uri, SPEC + "train:\n  dataset: \n")
    assert {"MNIST", "FashionMNIST"} <= {*await completed(editor, uri, "dataset: ")}


async def test_who_knows_no_snippets_gets_none(tmp_path: Path) -> None:
    async with Session(types.ClientCapabilities()) as editor:
        assert editor.agreed.position_encoding == "utf-16"
        uri = editor.open(tmp_path / "net.yaml", SPEC.replace("ReLU", "Ma"))
        item = (await completed(editor, uri, "Ma"))["MaxPool2d"]
        assert item.text_edit.new_text == "MaxPool2d" and item.insert_text_format is None
        await editor.diagnosed(uri)


async def actions(editor: Editor, uri: str, text: str, *only: str) -> list[types.CodeAction]:
    start = editor.texts[uri].index(text)
    place = types.Range(at(editor.texts[uri], start), at(editor.texts[uri], start + len(text)))
    context = types.CodeActionContext([], only=[*only] or None)
    params = types.CodeActionParams(named(uri), place, context)
    return await editor.text_document_code_action_async(params)


async def test_a_fix_mends_what_it_is_for(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", WRONG)
    (told,) = await editor.diagnosed(uri)
    (fix,) = await actions(editor, uri, "Relu")
    assert fix.kind == types.CodeActionKind.QuickFix and fix.is_preferred and [*fix.diagnostics] == [told]
    editor.retype(uri, edited(editor.texts[uri], fix.edit.changes[uri]))
    assert editor.texts[uri] == SPEC and not await editor.diagnosed(uri)
    assert await actions(editor, uri, "ReLU") == ()


async def test_all_is_mended_at_once(editor: Editor, tmp_path: Path) -> None:
    uri = editor.open(tmp_path / "net.yaml", WRONG.replace("Linear", "Liner").replace("kernel_size", "kernelsize"))
    assert len(await editor.diagnosed(uri)) == 3
    (fix,) = await actions(editor, uri, "", "source.fixAll")
    assert edited(editor.texts[uri], fix.edit.changes[uri]) == SPEC
    (layout,) = await actions(editor, uri, "", "source.format")
    assert edited(editor.texts[uri], layout.edit.changes[uri]).startswith("input: [3, 32, 32]\n\nnetwork")


# --- formatting ----------------------------------------------------------------------------------


def formatting(uri: str) -> types.DocumentFormattingParams:
    return types.DocumentFormattingParams(named(uri), types.FormattingOptions(2, True))


def edited(text: str, edits: Any) -> str:
    """A text after edits, as an editor makes them: all at once, at positions in UTF-16."""
    starts = [0, *(place + 1 for place, character in enumerate(text) if character == "\n")]

    def offset(position: types.Position) -> int:
        rest = text[starts[position.line] :].encode("utf-16-le")
        return starts[position.line] + len(rest[: 2 * position.character].decode("utf-16-le"))

    places = sorted(((offset(edit.range.start), offset(edit.range.end), edit.new_text) for edit in edits), reverse=True)
    for start, end, new in places:
        text = text[:start] + new + text[end:]
    return text


async def test_formatting_touches_only_what_it_changes(editor: Editor, tmp_path: Path) -> None:
    text = LAID.replace("{out_channels: 8, kernel_size: 3}", "{ out_channels: 8,kernel_size: 3 }")
    uri = editor.open(tmp_path / "net.yaml", text)
    edits = await editor.text_document_formatting_async(formatting(uri))
    assert edited(text, edits) == LAID
    assert [(edit.range.start.line, edit.range.end.line) for edit in edits] == [(3, 4)]
    editor.retype(uri, LAID)
    assert not await editor.text_document_formatting_async(formatting(uri))
    editor.retype(uri, "input: [1\n" + SPEC)
    assert not await editor.text_document_formatting_async(formatting(uri))


# --- sessions ------------------------------------------------------------------------------------

TYPED = [
    "lenet.yaml", "resnet18.yaml", "densenet.yaml", "googlenet.yaml", "unet.yaml", "nin.yaml",
    "torchvision/efficientnet_b7.yaml", "timm/inception_v4.yaml", "segmentation/fcn_resnet50.yaml",
    "beyond/attention_unet.yaml",
]  # fmt: skip


async def test_a_spec_is_typed_key_by_key(tmp_path: Path) -> None:
    await type_key_by_key(tmp_path / "net.yaml", BLOCKS, Random(0))


@pytest.mark.slow
@pytest.mark.parametrize("name", TYPED)
async def test_ten_specs_are_typed_key_by_key(name: str) -> None:
    await type_key_by_key(ARCHS / name, (ARCHS / name).read_text(), Random(name))


@pytest.mark.slow
async def test_a_spec_is_typed_over_pipes(editor: Editor) -> None:
    path = ARCHS / "lenet.yaml"
    uri = editor.open(path, "", "cnndsl")
    for offset, key in enumerate(path.read_text()):
        editor.type(uri, offset, offset, key)
        if offset % 7 == 0:
            await asked(editor, uri, offset)
    await assert_as_compiled(editor, uri, path, Random(0))


async def test_random_edits_leave_what_a_fresh_server_has(tmp_path: Path) -> None:
    await edit_at_random(60, 0, 10, tmp_path)


@pytest.mark.slow
async def test_a_thousand_random_edits_leave_what_a_fresh_server_has(tmp_path: Path) -> None:
    await edit_at_random(1000, 1, 1, tmp_path)


# --- the server ----------------------------------------------------------------------------------


async def test_a_burst_of_edits_is_checked_at_its_end(editor: Editor) -> None:
    """Requests about texts that have changed since are refused, and cost nothing."""
    path = ARCHS / "torchvision" / "resnet50.yaml"
    uri = editor.open(path, path.read_text())
    asked = []
    for _ in range(30):
        editor.replace(uri, "ReLU", "ReLU6")
        asked.append(asyncio.wrap_future(editor.text_document_formatting(formatting(uri))))
    editor.replace(uri, "ReLU6", "Relu6")
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer for answer in answers if getattr(answer, "code", None) == types.LSPErrorCodes.ContentModified]
    assert refused and all(isinstance(answer, list | tuple) or answer in refused for answer in answers)
    assert [item.code for item in await editor.diagnosed(uri)] == [
        item.code.id for item in told(editor.texts[uri], path)
    ]
    editor.close(uri)


async def test_it_ends_with_its_editor() -> None:
    process = subprocess.run(COMMAND, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    assert (process.returncode, process.stdout, process.stderr) == (0, b"", b"")


async def test_without_the_extra_it_tells_what_to_install() -> None:
    code = (
        "import sys; sys.modules['pygls'] = None; sys.argv = ['cnndsl', 'lsp']; import cnndsl.__main__ as m; m.main()"
    )
    process = subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert process.returncode == 2 and "pip install 'cnndsl[lsp]'" in process.stderr and process.stdout == ""
