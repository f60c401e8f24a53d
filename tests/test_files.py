"""Files that are written and read: a build or a save that is killed anywhere, and files that are no files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import cnndsl
from cnndsl.cli import cli
from cnndsl.cli.output import MANIFEST
from cnndsl.training.writer import RunWriter
from cnndsl.writing import clear_unfinished, read_file, write_file

SPEC = "input: [4]\nnetwork: [Linear: 3]\n"
#: Builds over an older build, once for each operation on the disk that the process can be ended at, and again after it.
KILLED = """
import os, shutil, sys
from pathlib import Path
from cnndsl.cli.output import write_folder

folder, old, new = Path("made"), {"a.py": b"1", "b.csv": b"1"}, {"a.py": b"2", "b.csv": b"2", "c.svg": b"2"}

def killed(operation):
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = operation
    def count(event, arguments=()):
        nonlocal left
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.fsync", "os.scandir"):
            left -= 1
            if left == 0:
                os._exit(9)
    os.fsync = lambda handle: count("os.fsync")
    sys.addaudithook(count)
    write_folder(folder, new)
    os._exit(0)

os.fsync = lambda handle: None  # nothing here has to last
operation, dying = 0, True
while dying:
    operation += 1
    shutil.rmtree(folder, ignore_errors=True)
    write_folder(folder, old) if operation % 2 else None
    dying = killed((operation + 1) // 2)
    write_folder(folder, new)
    assert {path.name: path.read_bytes() for path in folder.glob("[!.]*")} == new
    assert sorted(path.name for path in folder.iterdir()) == [".cnndsl.json", *new], operation
    write_folder(folder, old)
print(operation)
"""


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_after_a_build_that_was_killed_anywhere_the_next_one_goes_through(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


def test_what_a_person_changed_after_a_kill_is_left(folder: Path) -> None:
    made = folder / "build" / "net"
    assert run("build", "net.yaml").exit_code == 0
    files = json.loads((made / MANIFEST).read_text())
    (made / MANIFEST).write_text(json.dumps({name: [*digests, "0" * 64] for name, digests in files.items()}))
    (made / "net.csv").write_text("mine\n")
    before = contents(made)
    refused = run("build", "net.yaml", "--set", "network=[{Linear: 5}]")
    assert refused.exit_code == 2 and "net.csv was not written by cnndsl" in refused.output
    assert contents(made) == before


ODD: dict[str, Callable[[Path], Any]] = {
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "broken link": lambda path: path.symlink_to("nowhere"),
    "text": lambda path: path.write_text("mine"),
    "JSON": lambda path: path.write_text("[1]"),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", [MANIFEST, "net.py", "net.svg"])
def test_what_is_in_the_way_of_a_build_is_named_and_stays(folder: Path, name: str, kind: str) -> None:
    made = folder / "build" / "net"
    made.mkdir(parents=True)
    ODD[kind](made / name)
    refused = run("build", "net.yaml")
    assert refused.exit_code == 2, refused.output
    assert f"{Path('build/net') / name} was not written by cnndsl" in refused.output
    assert [path.name for path in made.iterdir()] == [name]


@pytest.mark.parametrize("kind", ["FIFO", "folder", "link to a device"])
def test_no_force_writes_over_what_is_not_a_file(folder: Path, kind: str) -> None:
    ODD[kind](folder / "net.svg")
    refused = run("draw", "net.yaml", "-o", "net.svg", "--force")
    assert refused.exit_code == 2 and "net.svg cannot be written" in refused.output
    assert sorted(path.name for path in folder.iterdir()) == ["net.svg", "net.yaml"]


def test_a_picture_is_written_in_the_same_way_by_python(folder: Path) -> None:
    (folder / f".net.svg.{'0' * 8}.cnndsl").write_text("of a process that was killed")
    cnndsl.load("net.yaml").diagram().save("net.svg")
    assert sorted(path.name for path in folder.iterdir()) == ["net.svg", "net.yaml"]


def test_what_a_killed_writer_left_is_cleared_and_what_is_being_written_is_not(tmp_path: Path) -> None:
    left = [tmp_path / f".{name}.{'1' * 8}.cnndsl" for name in ("spec.yaml", "last.pt")]
    for path in left:
        path.write_text("half")
    (tmp_path / ".spec.yaml.mine").write_text("a person's")
    os.mkfifo(tmp_path / f".spec.yaml.{'2' * 8}.cnndsl")
    write_file(tmp_path / "spec.yaml", b"whole")
    assert [path.exists() for path in left] == [False, True]
    RunWriter(tmp_path, {}).close()
    assert not left[1].exists()
    assert (tmp_path / ".spec.yaml.mine").exists() and (tmp_path / f".spec.yaml.{'2' * 8}.cnndsl").exists()


def test_many_writers_of_one_file_leave_one_of_their_texts_and_nothing_else(tmp_path: Path) -> None:
    texts = [bytes([letter]) * 100_000 for letter in b"abcdefgh"]
    failed: list[BaseException] = []

    def write(text: bytes) -> None:
        try:
            for _ in range(10):
                write_file(tmp_path / "one", text)
                clear_unfinished(tmp_path)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert [path.name for path in tmp_path.iterdir()] == ["one"]
    assert read_file(tmp_path / "one") in texts


def test_an_error_names_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as caught:
        write_file(tmp_path / "folder", b"")
    assert caught.value.filename == str(tmp_path / "folder")


# --- what is read ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["cnndsl check <(cat net.yaml)", "cat net.yaml | cnndsl check /dev/stdin"])
def test_a_spec_may_come_through_a_pipe(folder: Path, command: str) -> None:
    command = command.replace("cnndsl", f"{sys.executable} -m cnndsl", 1)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and ": ok" in done.stderr, done.stderr


def test_a_fifo_is_waited_for_nowhere(folder: Path) -> None:
    os.mkfifo("fifo.yaml")
    (folder / "own.yaml").write_text("extends: fifo.yaml\nuse: fifo.yaml\n")
    for arguments in (["check", "fifo.yaml"], ["fmt", "fifo.yaml"], ["fmt", "."], ["check", "own.yaml"]):
        done = run(*arguments)
        assert done.exit_code == (1 if "own.yaml" in arguments else 0 if "." in arguments else 2), done.output
    assert run("check", "own.yaml").output.count("fifo.yaml cannot be read: it is not a regular file") == 2


@pytest.mark.parametrize("name", ["n" * 250 + ".yaml", "ü" * 125 + ".yaml"])
def test_names_as_long_as_the_file_system_allows(folder: Path, name: str) -> None:
    formatted = "input: [4]\n\nnetwork:\n  - Linear: 3\n"
    left = folder / f".{name[:238].encode()[:238].decode()}.01234567.cnndsl"  # by a killed process
    for _ in range(2):
        (folder / name).write_text(SPEC)
        assert run("fmt", name).exit_code == 0
        assert contents(folder) == {name: formatted.encode(), "net.yaml": SPEC.encode()}
        left.write_text("")


def test_fmt_of_a_pipe_shows_and_does_not_write(folder: Path) -> None:
    command = f"{sys.executable} -m cnndsl fmt --diff <(cat net.yaml); {sys.executable} -m cnndsl fmt <(cat net.yaml)"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert "+  - Linear: 3" in done.stdout
    assert done.returncode == 2 and "cannot be written" in done.stderr and "Traceback" not in done.stderr


# --- names -----------------------------------------------------------------------------------------------------------


def test_specs_of_different_names_are_built_into_different_folders(folder: Path) -> None:
    names = ["сеть", "网络", "🦊", "a-b", "a_b", "a b", "a.b", "Net", "net", "2net", "class", "__init__"]
    for number, name in enumerate(names, 1):
        (folder / f"{name}.yaml").write_text(f"input: [4]\nnetwork: [Linear: {number}]\n")
        assert run("build", f"{name}.yaml").exit_code == 0
    assert {path.name for path in (folder / "build").iterdir()} == set(names)
    for number, name in enumerate(names, 1):
        (source,) = (folder / "build" / name).glob("*.py")
        assert f"nn.Linear(4, {number})" in source.read_text()
        assert source.stem.isidentifier() and cnndsl.load(f"{name}.yaml").label == name


def test_a_name_of_dots_leaves_the_folder_of_builds_alone(folder: Path) -> None:
    for name in (".", ".."):
        assert cnndsl.load(Path(shutil.copy("net.yaml", f"{name}.yaml"))).label == "network"


# --- Python ----------------------------------------------------------------------------------------------------------

WRONG = [None, b"net.yaml", 123, 1.5, ["net.yaml"], object()]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("call", [cnndsl.load, cnndsl.check, cnndsl.train])
def test_what_is_not_a_spec_is_said(call: Callable[[Any], Any], value: Any) -> None:
    if call is cnndsl.train and value is None:
        pytest.skip("a training without a spec is one to be resumed")
    with pytest.raises(TypeError, match=r"a spec must be a path, `zoo:NAME`, or a `cnndsl.Text\(text\)`, not \w+"):
        call(value)


@pytest.mark.parametrize("value", [None, b"a: 1", 3, Path("net.yaml")], ids=repr)
@pytest.mark.parametrize("call", [cnndsl.loads, cnndsl.Text, cnndsl.format])
def test_what_is_not_a_text_is_said(call: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(TypeError, match="text of a spec"):
        call(value)


def test_a_text_for_a_path_gets_help() -> None:
    with pytest.raises(cnndsl.SpecError, match=r"cnndsl\.loads\(text\)"):
        cnndsl.load(SPEC)


def test_a_spec_is_loaded_by_its_path_its_text_or_its_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Named:
        def __fspath__(self) -> str:
            return "net.yaml"

    monkeypatch.setenv("HOME", str(folder))
    net = cnndsl.load("net.yaml")
    assert all(cnndsl.load(given) == net for given in (Path("net.yaml"), Named(), "~/net.yaml", folder / "net.yaml"))
    assert cnndsl.loads(f"name: net\n{SPEC}") == net
    assert cnndsl.loads("{name: net, input: [4], network: [Linear: 3]}") == net
    assert cnndsl.load("zoo:lenet").name == "lenet"
    (folder / "inner").mkdir()
    (folder / "inner" / "base.yaml").write_text(SPEC)
    assert cnndsl.loads("extends: base.yaml\nname: net", folder="inner") == net
    assert cnndsl.check(cnndsl.Text("extends: base.yaml", folder / "inner")) == []


def test_networks_are_equal_and_hash_alike_where_their_specs_say_the_same(folder: Path) -> None:
    text = "input: [1, 8, 8]\nparams: {n: 3}\nnetwork: [Conv2d: [$n, 3]]\n"
    net = cnndsl.loads(text)
    same = cnndsl.loads(f"# commented\n{text}".replace("[1, 8, 8]", "[1,8,8]"))
    assert net == same and hash(net) == hash(same) and len({net, same}) == 1
    for other in (cnndsl.loads(text, n=4), net.at_size((1, 9, 9)), cnndsl.loads(text.replace(" 3]", " 1]")), "net"):
        assert net != other


@pytest.mark.parametrize("value", [np.int64(3), np.int32(3), np.uint8(3), True + 2])
def test_numbers_of_any_type_are_parameters(value: Any) -> None:
    net = cnndsl.loads("input: [4]\nparams: {n: 1}\nnetwork: [Linear: $n]\n", n=value)
    assert net.cost.params == 15


@pytest.mark.parametrize(
    "value", [{1, 2}, Path("a"), float("nan"), float("inf"), b"a", object(), np.float32("nan"), len, "\ud800", 2**80]
)
def test_other_values_are_coded_errors(value: Any) -> None:
    text = "input: [4]\nparams: {n: 1}\nnetwork: [Linear: $n]\n"
    assert cnndsl.check(cnndsl.Text(text), n=value)[0].is_error
    with pytest.raises(cnndsl.SpecError, match="CNN0"):
        cnndsl.train(cnndsl.Text(text), epochs=value)


def test_wrong_keywords_are_said() -> None:
    with pytest.raises(cnndsl.SpecError, match="CNN018"):
        cnndsl.loads(SPEC, widht=3)
    with pytest.raises(TypeError, match=r"`limits` must be a cnndsl\.Limits, not int"):
        cnndsl.loads(SPEC, limits=3)  # type: ignore[arg-type]
