"""Completion with TAB, also in a real bash."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cnndsl.cli import cli
from cnndsl.cli.completion import Bash
from cnndsl.diagnostics import Code
from cnndsl.layers import LAYERS
from cnndsl.zoo import specs

#: Bash's default.
BREAKS = " \t\n\"'><=;|&(:"


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """The completions of a line in bash, in a folder with a run and two specs."""
    run = tmp_path / "runs" / "lenet" / "2026-01-02T03-04-05"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "spec.yaml").write_text("input: [1, 8, 8]\nnetwork: [ReLU, Flatten]\n")
    (tmp_path / "zebra.yaml").write_text(
        "input: [1, 8, 8]\nparams: {width: 4, wide: 2}\nnetwork: [Conv2d: [$width, $wide]]\n"
    )
    (tmp_path / "wrong.yaml").write_text("input: [")
    monkeypatch.chdir(tmp_path)

    def offer(line: str, breaks: str = BREAKS) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        monkeypatch.setenv("COMP_POINT", str(len(line.encode())))
        monkeypatch.setenv("COMP_WORDBREAKS", breaks)
        told = Bash(cli, {}, "cnndsl", "_CNNDSL_COMPLETE").complete().splitlines()
        return [value for kind, _, value in (item.partition(",") for item in told)]

    return offer


ZOO = [*specs()]
WEIGHTS = ("DEFAULT", "IMAGENET1K_V1", "IMAGENET1K_V2")
HERE = ["runs/", "wrong.yaml", "zebra.yaml"]
RUN = "runs/lenet/2026-01-02T03-04-05"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cnndsl explain ", [code.id for code in Code]),
        ("cnndsl explain cnn21", [code.id for code in Code if code.id.startswith("CNN21")]),
        ("cnndsl layers convt", ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]),
        ("cnndsl layers ", [*LAYERS]),
        *((f"cnndsl {verb} zoo:", ZOO) for verb in ("shapes", "build", "draw", "check", "train")),
        ("cnndsl check zebra.yaml zoo:resnet1", ["resnet18", "resnet101", "resnet152"]),
        ("cnndsl new mine --from zoo:resnet1", ["resnet18", "resnet101", "resnet152"]),
        ("cnndsl new mine --from=zoo:resnet1", ["resnet18", "resnet101", "resnet152"]),
        ("cnndsl shapes z", [*(f"zoo:{name}" for name in ZOO), "zebra.yaml"]),
        ("cnndsl shapes ", [""]),  # files, which bash itself completes
        *((f"cnndsl {verb} ", [RUN, *HERE]) for verb in ("eval", "predict", "inspect", "export")),
        ("cnndsl train --resume r", [RUN, "runs/"]),
        ("cnndsl eval elsewhere/", [""]),
        ("cnndsl import torchvision:resnet1", ["resnet18", "resnet101", "resnet152"]),
        ("cnndsl import torchvision:resnet18 --weights ", [""]),
        ("cnndsl import timm:dla", ["dla34"]),
        ("cnndsl import z", [""]),
        ("cnndsl runs l", ["lenet"]),
        ("cnndsl runs --plot lenet runs/l", [RUN, "runs/lenet/"]),
        (f"cnndsl inspect {RUN} 0", ["0"]),
        (f"cnndsl predict {RUN} a.png --features ", ["0", "1"]),
        ("cnndsl shapes zebra.yaml -p ", ["width=", "wide="]),
        ("cnndsl shapes zebra.yaml --param=wid", ["width=", "wide="]),
        ("cnndsl train zebra.yaml --epochs 3 -p wide=2 -p wi", ["width=", "wide="]),
        ("cnndsl check zebra.yaml -p wide", ["wide="]),
        ("cnndsl shapes zebra.yaml --format=j", ["json"]),
        ("cnndsl shapes zebra.yaml --columns path,par", ["path,params", "path,params%"]),
        ("cnndsl shapes zebra.yaml --sort mac", ["macs", "macs%"]),
        ("cnndsl shapes zebra.yaml --limits steps=4,no", ["4,nodes="]),
        ("cnndsl train zebra.yaml --weights t", [f"torchvision:{name}" for name in WEIGHTS]),
        ("cnndsl train zebra.yaml --weights torchvision:D", ["DEFAULT"]),
        ("cnndsl train zebra.yaml --optimizer Adag", ["Adagrad"]),
        ("cnndsl train zebra.yaml --precision f", ["fp32", "fp16"]),
        ("cnndsl zoo shuf", ["shufflenet"]),
        # No errors are printed.
        ("cnndsl diff zebra.yaml -P ", ["width=", "wide="]),
        ("cnndsl diff zoo:lenet zebra.yaml -P wi", ["width=", "wide="]),
        ("cnndsl diff zebra.yaml zoo:lenet -p wi", ["width=", "wide="]),
        ("cnndsl diff zoo:resnext101_6", ["resnext101_64x4d"]),
        ("cnndsl shapes wrong.yaml -p ", []),
        ("cnndsl shapes none.yaml -p ", []),
        ("cnndsl shapes -p ", []),
        ("cnndsl trace zoo:resnet18 la", [f"layer{number}" for number in (1, 2, 3, 4)]),
        ("cnndsl trace zoo:resnet18 layer1.0.co", ["layer1.0.conv1", "layer1.0.conv2"]),
        ("cnndsl trace none.yaml la", []),
        ("cnndsl sweep zebra.yaml -p wid", ["width=", "wide="]),
        ("cnndsl runs --runs none ", []),
        ("cnndsl inspect none ", []),
        ("cnndsl shapes 'an open quote", [""]),
        ("cnndsl layers 层", []),
    ],
)  # fmt: skip
def test_what_is_offered(line: str, expected: list[str], offered, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    assert offered(line) == expected
    assert capfd.readouterr() == ("", "")


def test_where_bash_does_not_break_at_a_colon_words_are_whole(offered) -> None:  # type: ignore[no-untyped-def]
    assert offered("cnndsl shapes zoo:resnet15", BREAKS.replace(":", "")) == ["zoo:resnet152"]


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_a_real_bash_completes_and_runs_the_line(tmp_path: Path) -> None:
    """TAB after `zoo:`, where bash begins a new word, and after a parameter's name, without a space after it."""
    command = tmp_path / "cnndsl"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m cnndsl "$@"\n')
    command.chmod(0o755)
    root = Path(__file__).parent.parent
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "PS1": "",
        "TERM": "dumb",
    }
    controller, terminal = pty.openpty()
    command_line = ["bash", "--norc", "--noprofile", "-i"]
    ends = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    bash = subprocess.Popen(command_line, **ends, env=environment, cwd=tmp_path, start_new_session=True)  # type: ignore[call-overload]
    os.close(terminal)
    try:
        os.write(controller, b'eval "$(_CNNDSL_COMPLETE=bash_source cnndsl)"; echo rea""dy\n')
        _until(controller, "ready\r\n")
        os.write(controller, b'cnndsl shapes zoo:resnext101_6\t--depth 1 --format csv -p clas\t7; echo do""ne\n')
        shown = _until(controller, "done\r\n")
        assert "fc,Linear,1" in shown and '"[1, 7]"' in shown
        assert "Traceback" not in shown and "rror" not in shown
    finally:
        bash.kill()
        bash.wait()
        os.close(controller)


def _until(controller: int, mark: str) -> str:
    shown, end = "", time.monotonic() + 60
    while mark not in shown and time.monotonic() < end:
        shown += os.read(controller, 65536).decode()
    return shown


def test_completing_loads_no_torch() -> None:
    code = (
        "import os, sys\n"
        "os.environ |= {'_CNNDSL_COMPLETE': 'bash_complete', 'COMP_POINT': '99', 'COMP_LINE': sys.argv[1]}\n"
        "from cnndsl.cli import cli\n"
        "try: cli(prog_name='cnndsl')\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    for line in ("cnndsl eval r", "cnndsl shapes zoo:resnet50 -p ", "cnndsl layers "):
        done = subprocess.run([sys.executable, "-c", code, line], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
