"""`cnndsl lsp` in editors that people use, in a terminal: with the settings of editors/, as docs/editors.md says."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from terminal import Setting, program

from cnndsl.lsp.client import Settings
from cnndsl.version import __version__

EDITORS = Path(__file__).parent.parent / "editors"
VSCODE = EDITORS / "vscode"
SPEC = """\
input: [1, 28, 28]

network:
  - Conv2d: [8, 3]
  - Relu
  - Flatten
  - Linear: 10
"""


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """A home of its own, `cnndsl` in the PATH, and a spec with an error."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "cnndsl"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cnndsl "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "net.yaml").write_text(SPEC)
    path = os.pathsep.join((str(folder), os.environ["PATH"]))
    package = str(EDITORS.parent)
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")}
    return Setting(130, {**home, "PATH": path, "PYTHONPATH": package, "LANG": "C.UTF-8"})


@pytest.mark.skipif(shutil.which("nvim") is None, reason="needs Neovim")
def test_neovim(tmp_path: Path, setting: Setting) -> None:
    typed = {
        "did you mean `ReLU`": ":5\r:lua vim.lsp.buf.code_action()\r",
        "1: ": "1\r",
        "- ReLU": ":write\r",
        "written": ":4\r^w:lua vim.lsp.buf.hover()\r",
        "Slides learned": "\x1b:/Flatten/\rA\r- AdaptiveAvg\x18\x0f",
        "AdaptiveAvgPool2d": "\x1b:qa!\r",
    }
    screen = program(["nvim", "-u", str(EDITORS / "neovim.lua"), "net.yaml"], tmp_path, setting, typed)
    assert screen.code == 0
    assert (tmp_path / "net.yaml").read_text() == SPEC.replace("Relu", "ReLU")
    frames = "\n".join(screen.frames)
    assert "parameters, " in frames


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("emacs") is None, reason="needs Emacs with Eglot and yaml-mode")
def test_emacs(tmp_path: Path, setting: Setting) -> None:
    (tmp_path / ".emacs.d").mkdir()
    (tmp_path / ".emacs.d" / "init.el").write_text(f'(load "{EDITORS / "emacs.el"}")\n')
    typed: Mapping[str, str] = {
        "Connected! Server": "\x1bxflymake-show-buffer-diagnostics\r",
        "[CNN014]: `Relu` is not a layer": "\x18\x03",
    }
    screen = program(["emacs", "-nw", "net.yaml"], tmp_path, setting, typed)
    assert screen.code == 0
    assert any("[CNN014]: `Relu` is not a layer" in frame for frame in screen.frames)


def test_the_extension_knows_what_the_server_does() -> None:
    package = json.loads((VSCODE / "package.json").read_text())
    settings = {name.removeprefix("cnndsl.") for name in package["contributes"]["configuration"]["properties"]}
    assert settings == {*Settings.__struct_fields__, "command", "trace.server"}
    assert package["version"] == __version__
    client = (VSCODE / "src" / "extension.ts").read_text()
    for command in package["contributes"]["commands"]:
        assert f'"{command["command"]}"' in client
    for part in (*package["contributes"]["grammars"], *package["contributes"]["languages"]):
        assert (VSCODE / part.get("path", part.get("configuration"))).exists()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs Node and npm")
def test_the_extension_is_built_and_its_tests_pass(tmp_path: Path) -> None:
    folder = tmp_path / "editors" / "vscode"
    shutil.copytree(VSCODE, folder, ignore=shutil.ignore_patterns("node_modules", "out", "*.vsix"))
    shutil.copy(EDITORS.parent / "LICENSE", tmp_path / "LICENSE")
    for command in ("npm ci", "npm run check", "npm test", "npm run package"):
        done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "cnndsl.vsix").stat().st_size > 50_000
