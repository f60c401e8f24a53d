"""The server of the page: what it tells, what it refuses, and how it starts and ends."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from click.testing import CliRunner
from serving import PATIENCE, free_port, page, served, start
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from terminal import alone
from websockets.exceptions import ConnectionClosed

import cnndsl
from cnndsl.cli import cli
from cnndsl.compare.compare import compare
from cnndsl.emit.table import human
from cnndsl.limits import LIMITS, Limits
from cnndsl.serve import hub as hubs
from cnndsl.serve.app import application
from cnndsl.serve.hub import Hub
from cnndsl.serve.keys import Keys, kept_key
from cnndsl.serve.messages import Ask, Change, Open, Refused, Result, Show, SourceView
from cnndsl.serve.project import Project, Stored
from cnndsl.serve.session import Session
from cnndsl.serve.units import Units

NET = """\
input: [3, 32, 32]
params: {classes: 10}
network:
  - Conv2d: [8, 3]
  - ReLU
  - Flatten
  - Linear: $classes
"""
WRONG = NET.replace("[8, 3]", "[8, 40]")
PORT = 4266
HOST = f"127.0.0.1:{PORT}"
OWN = {"origin": f"http://{HOST}"}
ALL = {"table": {}, "figure": {}, "source": {}, "diff": {}}
Message = dict[str, Any]


class Tab:
    """A page's side of a WebSocket."""

    def __init__(self, connection: WebSocketTestSession) -> None:
        self.connection = connection

    def send(self, type: str, **fields: Any) -> None:
        self.connection.send_text(json.dumps({"type": type, **fields}))

    def told(self) -> Message:
        message: Message = json.loads(self.connection.receive_text())
        return message

    def until(self, type: str) -> Message:
        while (message := self.told())["type"] != type:
            pass
        return message

    def asked(self, type: str, answer: str, **fields: Any) -> Message:
        self.send(type, **fields)
        return self.until(answer)

    def open(self, spec: str, **panes: Any) -> Message:
        self.send("show", **panes)
        return self.asked("open", "file", spec=spec)

    def panes(self) -> dict[str, Message]:
        """The result and four panes, whichever come."""
        return {message["type"]: message for message in (self.told() for _ in range(5))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with a spec."""
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "net.yaml").write_text(NET)
    return tmp_path


def client_of(folder: Path, limits: Limits = LIMITS, named: Path | None = None) -> TestClient:
    keys = Keys("the-key-of-this-server")
    hub = Hub(Project(folder, named, limits), "net.yaml", keys.key)
    return TestClient(application(hub, keys, PORT), base_url=f"http://{HOST}")


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    with client_of(folder) as client:
        yield client


def connecting(client: TestClient, key: str = "the-key-of-this-server", headers: Message = OWN) -> Any:
    return client.websocket_connect(f"ws://{HOST}/socket", subprotocols=["cnndsl", key], headers={**headers})


@pytest.fixture
def tab(client: TestClient) -> Iterator[Tab]:
    with connecting(client) as connection:
        tab = Tab(connection)
        assert tab.told()["type"] == "welcome"
        yield tab


# --- what a page is told ---------------------------------------------------------------------------------


def test_a_page_shows_what_the_compiler_makes(tab: Tab, folder: Path) -> None:
    tab.open("net.yaml", **ALL)
    told, net = tab.panes(), cnndsl.load(folder / "net.yaml")
    assert told["result"]["is_sound"] and told["result"]["problems"] == []
    assert told["source"]["python"] == net.source()
    assert told["figure"]["svg"] == net.diagram().svg()
    shown = [row["cells"][0]["lines"] for row in told["table"]["rows"]]
    assert shown == [[row.path] for row in net.shapes().rows]
    lines = [row["place"]["line"] for row in told["table"]["rows"]]
    assert [NET.splitlines()[line - 1].split()[1].rstrip(":") for line in lines] == [
        "Conv2d",
        "ReLU",
        "Flatten",
        "Linear",
    ]
    assert told["diff"]["changes"] == []
    shapes = ["×".join(map(str, row.output.sample)) for row in net.shapes().rows]  # noqa: RUF001
    assert [hint["text"] for hint in told["result"]["hints"]] == shapes
    assert [symbol["name"] for symbol in told["result"]["outline"]] == ["input", "params", "network"]
    assert [fold["line"] for fold in told["result"]["folds"]] == [3]
    (lens,) = told["result"]["lenses"]
    assert lens["place"]["line"] == 3 and human(net.cost.params) in lens["text"]


def test_a_change_is_compared_with_what_is_saved(tab: Tab, folder: Path) -> None:
    tab.open("net.yaml", **ALL)
    tab.panes()
    text = NET.replace("classes: 10", "classes: 7")
    tab.send("change", version=1, text=text)
    told = tab.panes()
    assert {message["version"] for message in told.values()} == {1}
    found = compare(cnndsl.load(folder / "net.yaml").graph, cnndsl.loads(text).graph)
    assert len(told["diff"]["changes"]) == len(found.changes) == 1
    assert "out_features 10 → 7" in str(told["diff"]["changes"])
    assert tab.asked("show", "diff", diff={"figure": True, "theme": "dark"})["svg"].startswith("<svg")


def test_the_errors_are_those_of_check_and_the_rest_is_as_far_as_it_goes(tab: Tab, folder: Path) -> None:
    tab.open("net.yaml", **ALL)
    tab.panes()
    tab.send("change", version=1, text=WRONG)
    messages = [tab.told() for _ in range(5)]
    (folder / "net.yaml").write_text(WRONG)
    (fault,) = cnndsl.check(folder / "net.yaml")
    (problem,) = messages[0]["problems"]
    assert [problem["code"], problem["message"], problem["help"]] == [fault.code.id, fault.message, fault.help]
    assert fault.span and fault.span.text == WRONG[problem["place"]["start"] : problem["place"]["end"]]
    assert (problem["place"]["line"], problem["place"]["column"]) == (fault.span.line, fault.span.column)
    assert messages[1]["type"] == "table" and not messages[1]["is_complete"]
    assert [(told["type"], told["pane"]) for told in messages[2:]] == [
        ("unmade", pane) for pane in ("source", "diff", "figure")
    ]


def test_only_what_is_visible_is_made(tab: Tab) -> None:
    tab.open("net.yaml", source={})
    assert [tab.told()["type"] for _ in range(2)] == ["result", "source"]
    tab.send("show", source={}, table={"depth": 1, "columns": "path,params", "sort": "params"})
    told = tab.told()
    assert told["type"] == "table" and [head["name"] for head in told["headings"]] == ["path", "params"]
    assert told["rows"][0]["cells"][1]["lines"] == ["72,010"]
    tab.send("show", source={}, table={"columns": "parms"})
    assert "did you mean `params`?" in tab.until("unmade")["message"]
    tab.send("show", figure={"theme": "dark", "style": "layers", "color": "macs"})
    assert "#0d1117" in tab.until("figure")["svg"].lower()


def test_the_newest_text_waits_for_no_other(folder: Path) -> None:
    session = Session(Project(folder))
    session.inbox.extend([Open("net.yaml"), Show(source=SourceView())])
    session.step()
    texts = [NET.replace("classes: 10", f"classes: {number}") for number in range(1, 51)]
    session.inbox.extend(Change(number, text) for number, text in enumerate(texts, 1))
    told = [message for messages in iter(session.step, None) for message in messages]
    assert [type(message).__name__ for message in told] == ["Result", "Source"]
    assert {message.version for message in told if isinstance(message, Result)} == {50}
    session.inbox.append(Change(51, texts[0]))
    session.step()
    session.inbox.append(Change(52, texts[1]))  # before the source of 51 was made
    assert [message.version for messages in iter(session.step, None) for message in messages] == [52, 52]  # type: ignore[union-attr]


@pytest.mark.parametrize("what", get_args(get_type_hints(Ask)["what"]))
def test_every_question_has_an_answer(tab: Tab, what: str) -> None:
    tab.open("net.yaml")
    for at in range(0, len(NET), 7):
        tab.send("ask", id=at + 1, what=what, at=at, end=at + 3, code="CNN001")
        while (told := tab.told()).get("id") != at + 1:
            pass
        assert told["type"] != "refused", told


def test_a_fault_is_told_with_its_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cnndsl.serve.session.analyse", lambda *_: 1 // 0)
    session = Session(Project(folder))
    session.inbox.append(Change(1, NET))
    (refused,) = session.step() or ()
    assert isinstance(refused, Refused) and "division" in refused.message
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_table_and_lens_agree_while_a_text_has_an_error(tab: Tab) -> None:
    tab.open("net.yaml", table={})
    tab.until("table")
    tab.send("change", version=1, text=NET.replace("  - Flatten", "  - Flaten"))
    lens, table = tab.until("result")["lenses"][0]["text"], tab.until("table")
    assert not table["is_complete"] and table["summary"][0].split(",")[0] in lens


def test_slow_questions_come_last_and_are_given_up_for_a_new_text(folder: Path) -> None:
    session = Session(Project(folder))
    session.inbox.extend([Open("net.yaml"), Show(source=SourceView()), Ask(1, "fixes"), Ask(2, "format")])
    told = [message for messages in iter(session.step, None) for message in messages]
    assert [type(message).__name__ for message in told] == ["File", "Result", "Formatted", "Source", "Fixes"]
    session.inbox.extend([Ask(3, "fixes"), Change(1, WRONG)])
    (refused,) = session.step() or ()
    assert isinstance(refused, Refused) and (refused.id, refused.code) == (3, "busy")


def test_places_are_those_of_javascript(tab: Tab, folder: Path) -> None:
    """A smiling face takes two units, and a line end one, whatever the file has."""
    text = "# 😀😀\n" + WRONG.replace("Flatten", "Flaten # 😀")
    (folder / "odd.yaml").write_bytes(text.replace("\n", "\r\n").encode())
    opened = tab.open("odd.yaml")
    assert opened["text"] == text
    units = text.encode("utf-16-le")
    places = [problem["place"] for problem in tab.until("result")["problems"]]
    found = {units[2 * place["start"] : 2 * place["end"]].decode("utf-16-le") for place in places}
    assert found == {str(fault.span.text) for fault in cnndsl.check(folder / "odd.yaml") if fault.span}


@pytest.mark.parametrize("text", ["", "plain", "a😀b😀", "a\r\nb😀\r\n\r\nc", "\r\n", "😀\r\n😀"])
def test_units_are_counted_both_ways(text: str) -> None:
    units = Units(text)
    for offset in range(len(text) + 1):
        if text[offset - 1 : offset + 1] != "\r\n":
            theirs = units.theirs(offset)
            assert theirs == len(text[:offset].replace("\r\n", "\n").encode("utf-16-le")) // 2
            assert units.ours(theirs) == offset
    assert units.ours(10**9) == len(text)


def test_the_zoo_opens_and_is_not_written(tab: Tab) -> None:
    opened = tab.open("zoo:lenet")
    assert not opened["is_writable"] and tab.until("result")["is_sound"]
    listed = tab.asked("ask", "listing", id=3, what="specs")
    assert listed["id"] == 3 and listed["project"] == ["net.yaml"]
    assert {"name": "resnet50", "family": "resnet", "source": "torchvision"} in listed["zoo"]
    refused = tab.asked("save", "refused", spec="zoo:lenet", text=NET, version=1, base=opened["digest"])
    assert refused["code"] == "outside"
    assert tab.asked("open", "refused", spec="zoo:resnt50")["help"] == "did you mean `resnet50`?"


@pytest.mark.parametrize("name", ["resnet50", "segmentation/lraspp_mobilenet_v3_large", "timm/resnet50d"])
def test_a_spec_of_the_zoo_may_be_saved_anywhere(tab: Tab, folder: Path, name: str) -> None:
    text = tab.open(f"zoo:{name}")["text"]
    tab.asked("save", "saved", spec="mine.yaml", text=text, version=0, base="")
    mine, theirs = cnndsl.load(folder / "mine.yaml"), cnndsl.load(f"zoo:{name}")
    assert mine.source() == theirs.source()


def test_questions_are_answered(tab: Tab) -> None:
    tab.open("net.yaml")
    ugly = NET.replace("[8, 3]", "[8,   3]")
    tab.send("change", version=1, text=ugly)
    told = tab.asked("ask", "formatted", id=7, what="format")
    assert (told["id"], told["version"], told["text"]) == (7, 1, cnndsl.format(ugly))
    assert "CNN030" in tab.asked("ask", "hovered", id=8, what="explain", code="cnn30")["markdown"]
    hovered = tab.asked("ask", "hovered", id=12, what="hover", at=ugly.index("ReLU") + 1)
    assert ugly[hovered["place"]["start"] : hovered["place"]["end"]] == "ReLU" and "8×30×30" in hovered["markdown"]  # noqa: RUF001
    slip = NET.replace("Flatten", "Flaten")
    tab.send("change", version=2, text=slip)
    (problem,) = tab.until("result")["problems"]
    (fix, *_) = tab.asked("ask", "fixes", id=9, what="fixes", at=problem["place"]["start"])["fixes"]
    ((edit,), is_preferred) = fix["edits"], fix["is_preferred"]
    assert is_preferred and slip[: edit["place"]["start"]] + edit["text"] + slip[edit["place"]["end"] :] == NET
    offered = tab.asked("ask", "completions", id=10, what="complete", at=slip.index("Flaten") + 3)["items"]
    assert {"Flatten", "Conv2d"} <= {item["label"] for item in offered}
    assert {slip[item["start"] : item["end"]] for item in offered} == {"Flaten"}
    (place,) = tab.asked("ask", "places", id=11, what="definition", at=slip.index("$classes") + 2)["places"]
    assert slip[place["start"] : place["end"]] == "classes" and place["line"] == 2
    tab.send("change", version=3, text="input: [")
    assert tab.asked("ask", "refused", id=9, what="format")["code"] == "unformatted"


# --- files -----------------------------------------------------------------------------------------------


def test_what_is_saved_is_what_was_read_changed(tab: Tab, folder: Path) -> None:
    windows = b"\xef\xbb\xbf" + NET.replace("\n", "\r\n").encode()
    (folder / "net.yaml").write_bytes(windows)
    (folder / "net.yaml").chmod(0o600)
    opened = tab.open("net.yaml")
    text = opened["text"].replace("ReLU", "GELU")
    saved = tab.asked("save", "saved", spec="net.yaml", text=text, version=4, base=opened["digest"])
    assert (folder / "net.yaml").read_bytes() == windows.replace(b"ReLU", b"GELU")
    assert (folder / "net.yaml").stat().st_mode & 0o777 == 0o600
    assert saved["version"] == 4 and saved["digest"] == Stored.of((folder / "net.yaml").read_bytes()).digest
    assert sorted(path.name for path in folder.iterdir()) == ["net.yaml", "pyproject.toml"]


def test_nothing_is_written_over_what_the_page_does_not_know(tab: Tab, folder: Path) -> None:
    opened = tab.open("net.yaml")
    (folder / "net.yaml").write_text("theirs")
    refused = tab.asked("save", "refused", spec="net.yaml", text=NET, version=1, base=opened["digest"])
    assert refused["code"] == "conflict" and (folder / "net.yaml").read_text() == "theirs"
    assert tab.asked("save", "refused", spec="net.yaml", text=NET, version=1, base="")["code"] == "conflict"
    tab.asked("save", "saved", spec="net.yaml", text=NET, version=1, base=refused["digest"])
    assert (folder / "net.yaml").read_text() == NET


def test_a_text_is_saved_under_a_new_name(tab: Tab, folder: Path) -> None:
    tab.open("", diff={})
    assert tab.until("result")["is_sound"]
    assert tab.until("unmade")["message"] == "the spec is not saved yet"
    tab.send("change", version=1, text=NET)
    assert tab.asked("save", "refused", spec="", text=NET, version=1, base="")["code"] == "outside"
    tab.asked("save", "saved", spec="mine.yml", text=NET, version=1, base="")
    assert (folder / "mine.yml").read_text() == NET
    assert tab.until("diff")["changes"] == []


@pytest.fixture
def secrets(folder: Path) -> Iterator[dict[str, Path]]:
    """Files that no page may read or write, by the names that it could ask for."""
    outside = folder.parent / f"{folder.name}-outside"
    (outside / "inner").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    files = {
        "../" + outside.name + "/spec.yaml": outside / "spec.yaml",
        str(outside / "spec.yaml"): outside / "spec.yaml",
        "link.yaml": outside / "spec.yaml",
        "linked/spec.yaml": outside / "spec.yaml",
        "net.yaml/../../" + outside.name + "/spec.yaml": outside / "spec.yaml",
        ".hidden/spec.yaml": folder / ".hidden" / "spec.yaml",
        ".spec.yaml": folder / ".spec.yaml",
        "seen.yaml": folder / ".hidden" / "spec.yaml",
        "secret.txt": folder / "secret.txt",
        "named.yaml": folder / "secret.txt",
        "loop.yaml": folder / "loop.yaml",
        "\0.yaml": folder / "secret.txt",
    }
    for path in {*files.values()} - {folder / "loop.yaml"}:
        path.write_text("secret: [")
    links = {"link.yaml": "link.yaml", "linked": "linked", "seen.yaml": "seen.yaml", "named.yaml": "named.yaml"}
    (folder / links["link.yaml"]).symlink_to(outside / "spec.yaml")
    (folder / links["linked"]).symlink_to(outside)
    (folder / links["seen.yaml"]).symlink_to(folder / ".hidden" / "spec.yaml")
    (folder / links["named.yaml"]).symlink_to(folder / "secret.txt")
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    yield files


def test_nothing_outside_of_the_project_is_read_or_written(tab: Tab, folder: Path, secrets: dict[str, Path]) -> None:
    kept = {path: path.read_bytes() for path in secrets.values() if path.exists()}
    assert tab.asked("ask", "listing", id=1, what="specs")["project"] == ["net.yaml"]
    for name in secrets:
        assert tab.asked("open", "refused", spec=name)["code"] in ("outside", "missing", "unreadable"), name
        for base in ("", *(Stored.of(data).digest for data in kept.values())):
            refused = tab.asked("save", "refused", spec=name, text=NET, version=1, base=base)
            assert refused["code"] in ("outside", "conflict", "unreadable"), name
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_text_extends_nothing_but_specs(tab: Tab, folder: Path, secrets: dict[str, Path]) -> None:
    tab.open("net.yaml")
    for version, name in enumerate(secrets, 1):
        tab.send("change", version=version, text=f"extends: {json.dumps(name)}\n")
        told = tab.until("result")
        while told["version"] < version:
            told = tab.until("result")
        assert told["problems"] and "secret:" not in json.dumps(told), name


def test_a_large_text_is_refused(tab: Tab, folder: Path) -> None:
    large = "#" * (LIMITS.file + 1)
    (folder / "large.yaml").write_text(large)
    assert tab.asked("open", "refused", spec="large.yaml")["code"] == "too_large"
    assert tab.asked("save", "refused", spec="new.yaml", text=large, version=1, base="")["code"] == "too_large"
    tab.send("change", version=1, text=large)
    (problem,) = tab.until("result")["problems"]
    assert problem["code"] == "CNN007"


def test_the_limits_of_the_command_line_hold(folder: Path) -> None:
    with client_of(folder, LIMITS.changed("steps=2")) as client, connecting(client) as connection:
        Tab(connection).open("net.yaml")
        (problem,) = Tab(connection).until("result")["problems"]
    assert problem["code"] == "CNN007"


def test_a_spec_that_the_command_line_names_is_open_wherever_it_is(folder: Path) -> None:
    hidden = folder / ".own" / "net.yaml"
    hidden.parent.mkdir()
    hidden.write_text(NET)
    with client_of(folder, named=hidden) as client, connecting(client) as connection:
        assert Tab(connection).open(".own/net.yaml")["text"] == NET


def test_a_folder_whose_name_is_not_utf_8(folder: Path) -> None:
    odd = folder / os.fsdecode(b"c\xff")
    odd.mkdir()
    for name in ("pyproject.toml", "net.yaml", "more.yaml", os.fsdecode(b"d\xff.yaml")):
        (odd / name).write_text(NET)
    with client_of(odd) as client, connecting(client) as connection:
        tab = Tab(connection)
        assert tab.told()["project"] == odd.name
        tab.open("net.yaml")
        tab.send("change", version=1, text="extends: nothing.yaml\n")
        assert "nothing.yaml" in [tab.until("result") for _ in range(2)][1]["problems"][0]["message"]
        assert tab.asked("ask", "listing", id=1, what="specs")["project"] == ["more.yaml", "net.yaml"]


# --- files that others change ----------------------------------------------------------------------------


def test_a_file_that_changes_is_followed(tab: Tab, folder: Path) -> None:
    tab.open("net.yaml", diff={})
    tab.until("diff")
    path = folder / "net.yaml"
    path.write_text(WRONG)
    assert tab.until("outside")["text"] == WRONG
    assert "errors" in tab.until("unmade")["message"]
    (folder / "new").write_text(NET)
    (folder / "new").replace(path)  # as editors do
    assert tab.until("outside")["text"] == NET
    path.unlink()
    assert tab.until("outside")["problem"] == "net.yaml does not exist"
    path.write_text(NET)
    back = tab.until("outside")
    assert (back["text"], back["digest"], back["problem"]) == (NET, Stored.of(NET.encode()).digest, "")


def test_a_file_that_the_spec_extends_is_followed(tab: Tab, folder: Path) -> None:
    (folder / "more.yaml").write_text("extends: net.yaml\nparams: {classes: 3}\n")
    tab.open("more.yaml", source={})
    assert "nn.ReLU()" in tab.until("source")["python"]
    (folder / "net.yaml").write_text(NET.replace("ReLU", "GELU"))
    assert "nn.GELU()" in tab.until("source")["python"]
    (folder / "net.yaml").unlink()
    assert not tab.until("result")["is_sound"]
    (folder / "net.yaml").write_text(NET)
    assert tab.until("result")["is_sound"]


def test_tabs_have_texts_of_their_own_and_hear_of_a_save(client: TestClient, folder: Path) -> None:
    with connecting(client) as one, connecting(client) as other:
        first, second = Tab(one), Tab(other)
        digest, _ = (tab.open("net.yaml")["digest"] for tab in (first, second))
        first.send("change", version=1, text=WRONG)
        assert not [first.until("result") for _ in range(2)][-1]["is_sound"]
        assert second.until("result")["is_sound"]
        first.send("save", spec="net.yaml", text=WRONG, version=1, base=digest)
        assert first.until("saved")["digest"] == second.until("outside")["digest"] != digest
        assert second.asked("save", "refused", spec="net.yaml", text=NET, version=1, base=digest)["code"] == "conflict"


# --- whom it answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:80", "", f"127.0.0.1.evil.example:{PORT}"]
)
def test_a_name_that_leads_here_is_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: the browser believes that the server is its own page's."""
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 403
    with pytest.raises(WebSocketDisconnect), connecting(client, headers={"host": host, "origin": f"http://{host}"}):
        pass


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:4267", f"https://{HOST}", f"http://localhost:{PORT}", None],
)
def test_a_page_of_another_site_opens_no_socket(client: TestClient, origin: str | None) -> None:
    with pytest.raises(WebSocketDisconnect), connecting(client, headers={"origin": origin} if origin else {}):
        pass


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"[::1]:{PORT}"])
def test_the_own_page_is_let_in(client: TestClient, host: str) -> None:
    with connecting(client, headers={"host": host, "origin": f"http://{host}"}) as connection:
        welcome = Tab(connection).told()
    assert (welcome["type"], welcome["spec"]) == ("welcome", "net.yaml")


@pytest.mark.parametrize("key", ["", "the-key-of-this-servex", "cnndsl", "the-key-of-this-serve"])
def test_without_the_key_there_is_nothing(client: TestClient, key: str) -> None:
    with connecting(client, key) as connection, pytest.raises(WebSocketDisconnect) as closed:
        connection.receive_text()
    assert closed.value.code == 4401


def test_a_key_for_once_is_for_once() -> None:
    keys = Keys()
    once = keys.once()
    assert keys.admits(once) and not keys.admits(once)
    assert keys.admits(keys.key) and keys.admits(keys.key)


def test_the_key_of_a_port_is_kept_for_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    key = kept_key(PORT)
    assert key == kept_key(PORT) != kept_key(PORT + 1)
    (path,) = tmp_path.rglob(f"{PORT}.key")
    assert path.parent.stat().st_mode & 0o777 == 0o700 and path.stat().st_mode & 0o777 == 0o600
    path.write_text("short")
    assert kept_key(PORT) != key
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    assert kept_key(PORT) != kept_key(PORT)


def test_tabs_are_counted(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "TABS", 1)
    with connecting(client) as first:
        Tab(first).told()
        with connecting(client) as second, pytest.raises(WebSocketDisconnect) as closed:
            second.receive_text()
        assert closed.value.code == 4429


def test_answers_forbid_scripts_and_frames(client: TestClient) -> None:
    answers = [client.get("/"), client.get("/"), client.get("/nothing.js"), client.get("/../app.py")]
    policies = [answer.headers["content-security-policy"] for answer in answers]
    assert all("default-src 'none'" in policy and "frame-ancestors 'none'" in policy for policy in policies)
    assert all("unsafe-inline" not in part for part in policies[0].split("; ") if part.startswith("script-src"))
    assert policies[0] != policies[1], "the nonce is new each time"
    assert [answer.status_code for answer in answers[2:]] == [404, 404]
    assert client.post("/").status_code == 405


# --- hostile messages ------------------------------------------------------------------------------------

TEXTS = [
    "",
    "net.yaml",
    "zoo:lenet",
    "\0",
    "../x.yaml",
    "\ud800",
    "é😀",
    "a" * 5000,
    NET,
    WRONG,
    "input: [",
    "*a",
    "path,params",
    "[",
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1,
    2**31,
    2**53,
    2**70,
    1e308,
    float("nan"),
    [],
    {},
    [[]],
    {"depth": 0},
    {"depth": 10**9},
]
TYPES = ["open", "change", "cursor", "show", "ask", "save", "welcome", "look", ""]
FIELDS = ["spec", "version", "text", "at", "end", "id", "what", "code", "base", "table", "figure", "source", "diff"]
WHATS = ["complete", "hover", "fixes", "definition", "references", "format", "explain", "specs", "nothing"]


def hostile(random: random.Random) -> str | bytes:
    """A message that no page sends, or one that some page might."""
    fields = {name: random.choice([*TEXTS, *VALUES, *WHATS]) for name in FIELDS if random.random() < 0.4}
    right = {
        "version": 1,
        "text": random.choice(TEXTS),
        "spec": random.choice(TEXTS),
        "id": 1,
        "what": random.choice(WHATS),
        "base": "",
        "at": random.choice([0, 9, 2**53 - 1]),
    }
    needs = {
        "open": ["spec"],
        "change": ["version", "text"],
        "cursor": ["at"],
        "ask": ["id", "what", "at"],
        "save": ["spec", "text", "version", "base"],
    }
    kind = random.choice(TYPES)
    message = (
        {"type": kind, **{name: right[name] for name in needs.get(kind, [])}}
        if random.random() < 0.6
        else {"type": kind, **fields}
    )
    text = json.dumps(message)
    return random.choice(
        [text, text, text, text[: random.randrange(len(text))], text.encode(), "[" * 10_000, '{"type":' * 10_000]
    )


def test_no_message_ends_a_connection(tab: Tab, folder: Path) -> None:
    chance = random.Random(16)
    for number in range(400):
        message = hostile(chance)
        send = tab.connection.send_text if isinstance(message, str) else tab.connection.send_bytes
        send(message)  # type: ignore[arg-type, operator]
        if number % 20 == 0:  # what was told is read: a page that does not read is waited for
            tab.send("ask", id=10**6 + number, what="explain", code="CNN030")
            while (told := tab.told()).get("id") != 10**6 + number:
                assert told.get("code") != "fault", (message, told)
    assert {path.suffix for path in folder.iterdir()} <= {".toml", ".yaml"}
    tab.asked("open", "file", spec="zoo:lenet")


# --- the command -----------------------------------------------------------------------------------------


def test_a_server_comes_back_with_its_key(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with served(folder, "net.yaml", "--port", free_port(), state=folder.parent) as server, page(server) as tab:
        assert tab.told()["spec"] == "net.yaml"
        tab.send("open", spec="net.yaml")
        assert tab.until("result")["is_sound"]
        assert server.stop(signal.SIGINT) == 130
    assert sorted(folder.rglob("*")) == before
    with served(folder, "--port", str(server.port), state=folder.parent) as again:
        assert again.address == server.address
        with page(again, key=server.key) as tab:
            assert tab.told()["spec"] == ""
        assert start(folder, "--port", str(server.port), state=folder.parent).process.wait(PATIENCE) == 2
        assert again.stop(signal.SIGTERM) == -signal.SIGTERM


def test_it_listens_to_this_machine_alone(folder: Path) -> None:
    with served(folder, "--port", "0") as server, page(server):
        others = [found[4][0] for found in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
        for address in others:
            if not str(address).startswith("127."):
                with pytest.raises(OSError):
                    socket.create_connection((address, server.port), timeout=5).close()


def test_a_browser_gets_an_address_for_once(folder: Path) -> None:
    browser = folder / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {folder}/address.part; mv {folder}/address.part {folder}/address\n')
    browser.chmod(0o700)
    with served(folder, "net.yaml", "--port", "0", browser=f"{browser} %s") as server:
        while not (folder / "address").exists():
            time.sleep(0.01)
        key = (folder / "address").read_text().strip().partition("#key=")[2]
        assert key != server.key
        with page(server, key) as tab:
            assert tab.told()["key"] == server.key
        with page(server, key) as tab, pytest.raises(ConnectionClosed):
            tab.told()


def test_ctrl_c_ends_it_without_a_word(folder: Path) -> None:
    screen = alone(["serve", "net.yaml", "--no-browser", "--port", "0"], folder, typed={"#key=": "\x03"})
    assert screen.code == 130
    assert [line for line in screen.lines if not line.startswith("http://127.0.0.1:")] in ([], ["^C"]), screen.text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing.yaml"], "nothing.yaml does not exist"),
        (["net.txt"], "the name of a spec ends in .yaml or .yml"),
        (["resnet18"], "did you mean `zoo:resnet18`?"),
        (["."], "the name of a spec ends in .yaml or .yml"),
        ([os.fsdecode(b"c\xff.yaml")], "its name is not UTF-8"),
        (["zoo:resnt50"], "did you mean `resnet50`?"),
        (["net.yaml", "--port", "70000"], "70000 is not in the range"),
        (["net.yaml", "--limits", "step=3"], "did you mean `steps`?"),
    ],
)
def test_what_cannot_be_served_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "net.txt").write_text(NET)
    result = CliRunner().invoke(cli, ["serve", "--no-browser", *arguments])
    assert (result.exit_code, result.stdout) == (2, "") and told in result.stderr


def test_without_the_extra_the_command_tells_what_to_install(folder: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; from cnndsl.cli import main; sys.argv = ['cnndsl', 'serve']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 2 and "pip install 'cnndsl[serve]'" in done.stderr
