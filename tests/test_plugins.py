"""Layers of one's own: made by a decorator, brought in by who runs the compiler, measured as torch does."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator
from torch.utils.flop_counter import FlopCounterMode

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code, RunError
from cnndsl.emit.reference import layer_page
from cnndsl.layers import LAYERS
from cnndsl.plugins import load_installed, load_plugin
from cnndsl.spec.editor import editor_schema
from cnndsl.spec.schema import schema
from cnndsl.training.run import load_run

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "plugins.md").read_text()

HEAD = """\
import numpy as np
import torch
from torch import Tensor, nn
from typing import Any, Literal, Optional, Sequence

import cnndsl

"""
GATE = """\
@cnndsl.layer(infer={"channels": lambda x: x[1]}, family="attention")
class Gate(nn.Module):
    '''Weighs each channel.'''

    def __init__(self, channels: int, ratio: int = 4, act: str = "ReLU", *, bias: bool = True) -> None:
        super().__init__()
        if ratio > channels:
            raise ValueError(f"a ratio of {ratio} leaves nothing of {channels} channels")
        self.fc1 = nn.Linear(channels, channels // ratio, bias)
        self.act = getattr(nn, act)()
        self.fc2 = nn.Linear(channels // ratio, channels, bias)
        self.register_buffer("seen", torch.zeros(3))
        self.register_buffer("passing", torch.zeros(5), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.act(self.fc1(x.mean((2, 3))))).sigmoid()[:, :, None, None]

"""

Plugin = Callable[..., ModuleType]


@pytest.fixture
def plugin(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    """Makes a module of a text and brings it in."""
    monkeypatch.syspath_prepend(str(own_folder))

    def bring(text: str, name: str = "gates") -> ModuleType:
        (own_folder / f"{name}.py").write_text(HEAD + text)
        importlib.invalidate_caches()
        load_plugin(name)
        return sys.modules[name]

    return bring


def spec(*steps: str, input: str = "[8, 12, 12]", more: str = "") -> str:
    return f"input: {input}\nnetwork:\n" + "".join(f"  - {step}\n" for step in steps) + more


def faults(*steps: str, **options: str) -> list[str]:
    found = cnndsl.check(cnndsl.Text(spec(*steps, **options)))
    return [f"{fault.code.id} {fault.span and fault.span.line}: {fault.message}" for fault in found]


def run(
    *arguments: str | Path, cwd: Path, code: str = "", path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """``cnndsl`` in a process of its own, or some code."""
    command = [sys.executable, "-c", code] if code else [sys.executable, "-m", "cnndsl", *map(str, arguments)]
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(map(str, filter(None, [ROOT, path]))), "HOME": str(cwd)}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)


# --- what a layer is -----------------------------------------------------------------------------


def test_shapes_tensors_and_macs_are_those_of_torch(plugin: Plugin) -> None:
    gates = plugin(GATE)
    net = cnndsl.loads(spec("Gate", "Gate: [2, SiLU]", "Gate: {ratio: 8, bias: false}"))
    x = torch.randn(3, 8, 12, 12)
    module = net.module()
    rows = net.shapes().rows
    for row, child in zip(rows, module.children()):
        assert type(child) is gates.Gate
        assert row.output[1:] == child(x).shape[1:]
        assert row.params == sum(p.numel() for p in child.parameters())
        assert row.buffers == 3  # the other is not saved
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            child(x[:1])
        assert row.macs == counter.get_total_flops() // 2 > 0
    layer = next(iter(net.graph.root.body)).layer  # type: ignore[union-attr]
    assert [*layer.parameters().items()] == [(n, tuple(p.shape)) for n, p in module[0].named_parameters()]


def test_a_layer_that_keeps_the_size_keeps_the_effective_stride(plugin: Plugin) -> None:
    plugin(GATE)
    plugin("@cnndsl.layer\nclass Halve(nn.Module):\n    def forward(self, x): return x[:, :, ::2]\n", "halve")
    conv = "{Conv2d: {out_channels: 8, kernel_size: 3, stride: [2, 1]}}"
    table = cnndsl.loads(spec(conv, "Gate", conv, "Halve")).shapes(columns="path,field,stride")
    shown = [line.split()[1:] for line in str(table).splitlines()[3:7]]
    assert shown == [["3\u00d73", "2\u00d71"], ["?", "2\u00d71"], ["?", "4\u00d71"], ["?", "?\u00d71"]]


def test_the_decorator_gives_the_class_back_as_it_is(plugin: Plugin) -> None:
    gates = plugin(GATE)
    assert gates.Gate(8).fc1.in_features == 8
    assert gates.Gate.__module__ == "gates" and gates.Gate.__doc__ == "Weighs each channel."


def test_the_source_imports_the_class_and_runs_in_a_fresh_process(plugin: Plugin, tmp_path: Path) -> None:
    plugin(GATE)
    net = cnndsl.loads(spec("Gate: {act: SiLU}", more="name: net\n"))
    assert "from gates import Gate\nfrom torch import nn\n" in net.source()
    assert 'Gate(8, act="SiLU")' in net.source()
    (tmp_path / "net.py").write_text(net.source())
    code = "import torch, net; print(tuple(net.Net()(torch.zeros(2, 8, 5, 5)).shape))"
    assert run(code=code, cwd=tmp_path).stdout == "(2, 8, 5, 5)\n"


def test_in_blocks_loops_and_for_reuse(plugin: Plugin) -> None:
    plugin(GATE)
    text = (
        "input: [8, 6, 6]\nblocks:\n  B(r, act=ReLU): [{residual: [Gate: {ratio: $r, act: $act}]}]\n"
        "network:\n  - B: 2\n  - B: [4, Tanh]\n  - {name: g, Gate: }\n  - reuse: g\n"
        "  - {repeat: [Gate: $(i + 1)], for: i, in: $(range(3))}\n"
    )
    net = cnndsl.loads(text)
    module = net.module()
    assert module(torch.randn(2, 8, 6, 6)).shape == (2, 8, 6, 6)
    assert net.cost.params == sum(p.numel() for p in module.parameters())
    assert re.search(r'B\((r=)?4, .*"Tanh"\)', net.source())


def test_a_text_that_is_also_a_layers_name_stays_a_text(plugin: Plugin) -> None:
    plugin(GATE)
    source = cnndsl.loads(spec("Gate: {act: GELU}")).source()
    assert 'act="GELU"' in source and "nn.GELU" not in source


def test_inferred_arguments_must_be_true(plugin: Plugin) -> None:
    plugin(GATE)
    assert faults("Gate: {channels: 8}") == []
    assert faults("Gate: {channels: 5}") == ["CNN031 3: `channels` is 5, but the input [1, 8, 12, 12] makes it 8"]
    plugin(
        "@cnndsl.layer(infer={'n': lambda x: x[9], 'm': lambda x: 'x'})\n"
        "class Odd(nn.Module):\n    def __init__(self, n: int, m: int): ...\n",
        "odd",
    )
    (fault,) = faults("Odd")
    assert fault.startswith("CNN030 3: `Odd`: `n` cannot be inferred from [1, 8, 12, 12]: IndexError: tuple index")


PICK = """\
class Pick(nn.Module):
    def __init__(self, count: int):
        super().__init__()
        self.count = count
    def forward(self, x):
        assert x.sum().item() < 1e9
        return x.flatten(2)[:, :, :self.count]
"""


def test_a_rule_tells_the_shape_of_what_cannot_be_measured(plugin: Plugin) -> None:
    plugin(f"@cnndsl.layer(shape=lambda x, *, count: (*x[:2], count), macs=lambda x: 7)\n{PICK}", "ruled")
    net = cnndsl.loads(spec("Pick: 9"))
    assert net.shapes().rows[0].output == (1, 8, 9) and net.cost.macs == 7
    assert net.module()(torch.zeros(2, 8, 12, 12)).shape == (2, 8, 9)
    plugin(f"@cnndsl.layer\n{PICK.replace('Pick', 'Unruled')}", "unruled")
    (fault,) = cnndsl.check(cnndsl.Text(spec("Unruled: 9")))
    assert fault.code is Code.SHAPE and "`Unruled` does not take [1, 8, 12, 12]" in fault.message
    assert "@cnndsl.layer(shape=...)" in fault.help
    plugin(f"@cnndsl.layer(shape=lambda x, **all: (*x[:2], all['count']))\n{PICK.replace('Pick', 'Free')}", "free")
    assert cnndsl.loads(spec("Free: 9")).cost.macs == 0  # it cannot be run without values


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("lambda x: 3", "its shape rule returns 3, which is not a tuple of sizes"),
        ("lambda x: (x[0], 2.5)", "its shape rule returns (1, 2.5), which is not a tuple of sizes"),
        ("lambda x: (x[0], 0)", "each 1 or more"),
        ("lambda x: (x[0] + 1, 4)", "the first size is the batch, which no layer may touch"),
        ("lambda x: x[7]", "`Ruled` does not take [1, 8, 12, 12]: IndexError"),
    ],
)
def test_bad_rules_are_told_at_the_step(plugin: Plugin, rule: str, message: str) -> None:
    plugin(f"@cnndsl.layer(shape={rule})\nclass Ruled(nn.Module): pass\n", "ruled")
    (fault,) = faults("ReLU", "Ruled")
    assert fault.startswith("CNN030 4: ") and message in fault


@pytest.mark.parametrize("rule", ["1 / 0", "'x'", "2.5"])
def test_a_bad_rule_of_macs_is_told_at_the_step_too(plugin: Plugin, rule: str) -> None:
    plugin(
        f"@cnndsl.layer(macs=lambda x: {rule})\nclass Ruled(nn.Module):\n    def forward(self, x): return x\n", "ruled"
    )
    (fault,) = faults("ReLU", "Ruled")
    assert fault.startswith("CNN030 4: `Ruled`: the macs rule of `Ruled` fails on [1, 8, 12, 12]: ")


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        ("return x.mean(0, keepdim=True)", "the first size is the batch, which no layer may touch"),
        ("return x.sum()", "a shape is the batch and at least one size"),
        ("return x, x", "`Wrong` does not take [1, 8, 12, 12]: TypeError: its forward returns a tuple, not a tensor"),
        ("raise ValueError('not today')", "`Wrong` does not take [1, 8, 12, 12]: not today"),
        ("return torch.zeros(3) @ x", "`Wrong` does not take [1, 8, 12, 12]: RuntimeError"),
    ],
)
def test_what_forward_does_wrong_is_told_at_the_step(plugin: Plugin, forward: str, message: str) -> None:
    plugin(f"@cnndsl.layer\nclass Wrong(nn.Module):\n    def forward(self, x):\n        {forward}\n", "wrong")
    (fault,) = faults("ReLU", "Wrong")
    assert fault.startswith("CNN030 4: ") and message in fault


def test_what_init_raises_is_told_at_the_step(plugin: Plugin) -> None:
    plugin(GATE)
    assert faults("Gate: 9") == ["CNN030 3: `Gate` cannot be built: a ratio of 9 leaves nothing of 8 channels"]
    assert "ZeroDivisionError" in faults("Gate: 0")[0]
    assert faults("Gate: x")[0].startswith("CNN010 3: `ratio` expects an integer")
    assert faults("Gate: {rato: 2}")[0].startswith("CNN015 3:")


def test_no_memory_is_taken_and_no_random_number(plugin: Plugin) -> None:
    plugin(
        "@cnndsl.layer\nclass Vast(nn.Module):\n    def __init__(self, n: int):\n        super().__init__()\n"
        "        self.w = nn.Linear(n, n)\n        self.t = nn.Parameter(torch.from_numpy(np.ones(3)))\n"
        "    def forward(self, x):\n        return x + self.t.sum() * torch.rand(())\n",
        "vast",
    )
    before = torch.random.get_rng_state()
    assert cnndsl.loads(spec("Vast: 40000")).cost.params == 40_000 * 40_001 + 3
    assert torch.equal(before, torch.random.get_rng_state())
    assert faults("Vast: 90000")[0].startswith("CNN007 3: the w.weight of this `Vast` has 8100000000 elements")


def test_init_reaches_what_a_layer_is_made_of(plugin: Plugin) -> None:
    plugin(GATE)
    module = cnndsl.loads(
        spec("Gate: {bias: false}", "Flatten", "Linear: 10", more="init: {Linear: {weight: ones, bias: ones}}\n")
    ).module()
    assert module[0].fc1.weight.eq(1).all() and module[2].bias.eq(1).all()
    own = (
        "@cnndsl.layer\nclass Own(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.weight = nn.Parameter(torch.zeros(3))\n    def forward(self, x): return x\n"
    )
    plugin(own, "own")
    assert cnndsl.loads(spec("Own", more="init: {Own: ones}\n")).module()[0].weight.eq(1).all()
    assert "CNN030" in faults("Own", more="init: {Own: xavier_uniform}\n")[0]


# --- arguments -----------------------------------------------------------------------------------

EVERY = """\
@cnndsl.layer
class Every(nn.Module):
    def __init__(self, a: int, b: Optional[float] = None, c: Literal["mean", "max"] = "mean",
                 d: int | tuple[int, int] = 3, e: Sequence[int] = (), f=1, g: type[nn.Module] = nn.ReLU,
                 h: "Unknown" = None, i=nn.ReLU, j: list[float] = [1.0, 2.0], *args: Any,
                 k: Literal[1, 2] = 1, output: bool = False, **rest: Any) -> None:
        super().__init__()
        self.got = (a, b, c, d, e, f, h, j, k, output)
    def forward(self, x): return x
"""


def test_annotations_say_what_a_spec_may_write(plugin: Plugin) -> None:
    plugin(EVERY)
    assert (
        LAYERS["Every"].signature() == "a, b=None, c='mean', d=3, e=(), f=1, h=None, j=(1.0, 2.0), *, k=1, output=False"
    )
    for good in (
        "1",
        "[1, 2.5]",
        "{a: 1, b: null, c: max, d: [1, 2], e: [], f: [a, null], h: x, j: [1], k: 2, output: true}",
    ):
        assert faults(f"Every: {good}") == [], good
    for bad in ("x", "1.5", "[1, x]", "{a: 1, c: min}", "{a: 1, d: [1]}", "{a: 1, d: [1, 2, 3]}", "{a: 1, e: 3}",
                "{a: 1, e: [x]}", "{a: 1, k: x}", "{a: 1, output: 1}", "{a: true}"):  # fmt: skip
        assert [fault[:6] for fault in faults(f"Every: {bad}")] == ["CNN010"], bad
    assert [fault[:6] for fault in faults("Every: {a: 1, g: ReLU}")] == ["CNN015"]
    assert [fault[:6] for fault in faults("Every")] == ["CNN012"]
    module = cnndsl.loads(spec("Every: {a: 1, d: [1, 2], j: [4], output: true}")).module()
    assert module[0].got == (1, None, "mean", (1, 2), (), 1, None, (4,), 1, True)
    assert (
        "Every(1, d=(1, 2), j=(4.0,), output=True)"
        in cnndsl.loads(spec("Every: {a: 1, d: [1, 2], j: [4], output: true}")).source()
    )


def test_arguments_behind_a_written_default_have_their_names(plugin: Plugin) -> None:
    plugin(
        "@cnndsl.layer(infer={'n': lambda x: x[1]})\nclass Late(nn.Module):\n"
        "    def __init__(self, a: int = 1, n: int = 3, *, m: int):\n"
        "        super().__init__()\n        self.got = a, n, m\n"
        "    def forward(self, x): return x\n",
        "late",
    )
    net = cnndsl.loads(spec("Late: {a: 2, m: 5}", "Late: {m: 6}"))
    assert "Late(a=2, n=8, m=5)" in net.source() and "Late(n=8, m=6)" in net.source()
    assert [child.got for child in net.module()] == [(2, 8, 5), (1, 8, 6)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@cnndsl.layer\nclass Conv2d(nn.Module): pass", "ValueError|has the name of a layer of torch"),
        ("@cnndsl.layer\nclass Scale(nn.Module): pass", "has the name of a layer of cnndsl"),
        ("@cnndsl.layer\nclass Tensor(nn.Module): pass", "means a tensor"),
        ("@cnndsl.layer\nclass gate(nn.Module): pass", "layers are CamelCase"),
        ("@cnndsl.layer\nclass Gate: pass", "not a subclass of `nn.Module`"),
        ("@cnndsl.layer\ndef Gate(x): pass", "not a subclass of `nn.Module`"),
        ("def f():\n    @cnndsl.layer\n    class Gate(nn.Module): pass\nf()", "must be at the top level of a module"),
        (
            "@cnndsl.layer\nclass Gate(nn.Module):\n    def __init__(self, norm: type[nn.Module]): pass",
            "the argument `norm` of `Gate` is a `type[torch.nn.modules.module.Module]`, not a value of specs",
        ),
        ("@cnndsl.layer\nclass Gate(nn.Module):\n    def __init__(self, n, /): pass", "remove the `/`"),
        (
            "@cnndsl.layer(infer={'n': len})\nclass Gate(nn.Module):\n    def __init__(self, m): pass",
            "`infer` has `n`",
        ),
        (
            "@cnndsl.layer(shape=lambda x, n: x)\nclass Gate(nn.Module):\n    def __init__(self, m): pass",
            "the shape rule of `Gate` takes `n`, which is not one of its arguments: m",
        ),
        ("1 / 0", "ZeroDivisionError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("import nosuchthing", "there is no module `nosuchthing`"),
        ("@cnndsl.layer\nclass Half(nn.Module): pass\n1 / 0", "ZeroDivisionError"),
        ("x = 1", "has no layers"),
    ],
)
def test_what_is_wrong_with_a_plugin_is_told(plugin: Plugin, text: str, message: str) -> None:
    before = dict(LAYERS)
    with pytest.raises(RunError, match="CNN211") as error:
        plugin(f"{text}\n", "faulty")
    assert re.search(message if "|" in message else re.escape(message), str(error.value)), str(error.value)
    assert before == LAYERS


def test_two_plugins_may_not_share_a_name_but_one_may_be_loaded_again(plugin: Plugin) -> None:
    gates = plugin(GATE)
    with pytest.raises(RunError, match="`Gate` of `others` has the name of a layer of `gates`"):
        plugin(GATE, "others")
    first = cnndsl.loads(spec("Gate")).module()
    Path("gates.py").write_text(HEAD + GATE.replace('"seen", torch.zeros(3)', '"noticed", torch.zeros(4)'))
    importlib.reload(gates)  # as a cell of a notebook that is run again
    again = cnndsl.loads(spec("Gate"))
    assert again.cost.buffers == 4
    assert type(again.module()[0]) is gates.Gate is not type(first[0])
    load_plugin("gates")


def test_a_block_may_not_be_called_like_a_plugins_layer(plugin: Plugin) -> None:
    plugin(GATE)
    assert faults("Gate", more="blocks: {Gate: [ReLU]}\n")[0].endswith(
        "the block `Gate` has the name of a layer of gates"
    )


# --- where it is known ---------------------------------------------------------------------------


def test_schema_suggestions_and_pages_know_it(plugin: Plugin) -> None:
    assert "Gate" not in schema()["$defs"]
    plugin(GATE)
    plugin(EVERY, "every")
    assert "Gate" in schema()["$defs"] and "ratio" in editor_schema()["$defs"]["Gate"]["properties"]
    Draft202012Validator.check_schema(editor_schema())
    (fault,) = cnndsl.check(cnndsl.Text(spec("Gaet")))
    assert fault.help == "did you mean `Gate`?"
    page = layer_page("Gate")
    assert "Weighs each channel." in page and "from gates import Gate" in page and "| `channels` |" in page
    assert "Gate" in cnndsl.loads(spec("Gate")).diagram().source


def test_they_are_gone_after_the_tests() -> None:
    assert not [name for name, layer in LAYERS.items() if layer.family == "own"]
    assert "Gate" not in schema()["$defs"] and "Gate" not in LAYERS


# --- how it comes in -----------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example of the page."""
    python, *_ = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (yaml,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "gates.py").write_text(python)
    (tmp_path / "gated.yaml").write_text(yaml)
    return tmp_path


def test_the_pages_example_does_what_the_page_says(folder: Path) -> None:
    (console,) = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    command, shown = console.split("\n", 1)
    done = run(*command.removeprefix("$ cnndsl ").split(), cwd=folder)
    assert (done.stdout.strip(), done.stderr) == (shown.strip(), "")
    assert run("build", "gated.yaml", "--plugin", "gates", cwd=folder).returncode == 0
    _, source = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert (folder / "build" / "gated" / "gated.py").read_text() == source


def test_every_verb_that_knows_layers_takes_plugins(folder: Path, plugin: Plugin) -> None:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments)

    assert "Gate" not in run("layers").stdout
    without = run("check", "gated.yaml")
    assert without.exit_code == 1 and "error[CNN014]: `Gate`" in without.stdout and "--plugin" in without.stdout
    for command in (
        ["check", "gated.yaml"],
        ["draw", "gated.yaml", "-o", "gated.svg"],
        ["fmt", "--check", "gated.yaml"],
        ["layers", "Gate"],
    ):
        done = run(*command, "--plugin", "gates")
        assert done.exit_code == 0, done.output
    assert "Gate" in run("layers", "--plugin", "gates").stdout
    assert "Gate" in json.loads(run("schema", "--plugin", "gates").stdout)["$defs"]
    for verb in ("build", "shapes", "train", "eval", "predict", "inspect", "export"):
        assert "--plugin" in run(verb, "--help").stdout, verb


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuchthing", "there is no module `nosuchthing`"),
        ("gates.py", "name a plugin as in `import`: `gates`"),
        ("./gates", "name a plugin as in `import`: `gates`"),
        (".gates", "cannot be loaded"),
        ("", "cannot be loaded"),
        ("broken", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_wrong_usage(folder: Path, name: str, message: str) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    done = run("check", "gated.yaml", "--plugin", name, cwd=folder)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert "error[CNN211]" in done.stderr and done.stdout == ""


TRAIN = """
train:
  dataset: {Synthetic: {size: 64, test_size: 32}}
  epochs: 1
  batch_size: 32
  optimizer: {SGD: {lr: 0.1}}
"""


def test_a_run_says_which_plugin_is_missing(folder: Path, plugin: Plugin) -> None:
    (folder / "gated.yaml").write_text((folder / "gated.yaml").read_text() + TRAIN)
    done = run("train", "gated.yaml", "--plugin", "gates", "--device", "cpu", "-q", cwd=folder)
    assert done.returncode == 0, done.stderr
    (path,) = (folder / "runs" / "gated").iterdir()
    assert json.loads((path / "run.json").read_text())["plugins"] == {"Gate": "gates"}
    for verb in (["inspect", path], ["train", "--resume", path, "--epochs", "2", "-q"]):
        done = run(*verb, "--plugin", "gates", cwd=folder)
        assert done.returncode == 0, done.stderr
    for verb in (["eval", path], ["train", "--resume", path]):
        done = run(*verb, cwd=folder)
        assert done.returncode == 2 and "the layer `Gate` of `gates`" in done.stderr, done.stderr
        assert "`--plugin gates`" in done.stderr and "Traceback" not in done.stderr
    with pytest.raises(RunError, match="CNN211"):
        load_run(path).module()
    load_plugin("gates")
    assert load_run(path).module()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


def installed(folder: Path, text: str) -> Path:
    """A package with an entry point, as pip would leave it."""
    (folder / "gatepack").mkdir(parents=True)
    (folder / "gatepack" / "__init__.py").write_text("")
    (folder / "gatepack" / "layers.py").write_text(text)
    info = folder / "gatepack-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gatepack\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cnndsl.layers]\ngatepack = gatepack.layers\n")
    return folder


def test_an_installed_package_brings_its_layers(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    site = installed(tmp_path_factory.mktemp("site"), (folder / "gates.py").read_text())
    (folder / "gates.py").unlink()
    assert run("check", "gated.yaml", cwd=folder, path=site).returncode == 0
    assert "Gate" in run("layers", cwd=folder, path=site).stdout
    code = "import cnndsl, sys; assert 'torch' not in sys.modules; print(cnndsl.load('gated.yaml').source())"
    assert "from gatepack.layers import Gate" in run(code=code, cwd=folder, path=site).stdout
    # It may be named all the same.
    assert run("check", "gated.yaml", "--plugin", "gatepack.layers", cwd=folder, path=site).returncode == 0


def test_a_package_in_an_archive_brings_its_layers(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    site = installed(tmp_path_factory.mktemp("site"), (folder / "gates.py").read_text())
    archive = Path(shutil.make_archive(str(site), "zip", site))
    assert "Gate" in run("layers", cwd=folder, path=archive).stdout


def test_what_lies_in_the_current_folder_is_not_installed(folder: Path) -> None:
    installed(folder, "import pathlib; pathlib.Path('pwned').touch()\n")
    for path in (None, folder):
        assert run("check", "gated.yaml", cwd=folder, path=path).returncode == 1
        assert not (folder / "pwned").exists()


def test_a_broken_package_is_told(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    site = installed(tmp_path_factory.mktemp("site"), "1 / 0\n")
    done = run("layers", cwd=folder, path=site)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "the layers of the package `gatepack`, `gatepack.layers`, cannot be loaded" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    code = (
        "import cnndsl\ntry: cnndsl.check('gated.yaml')\nexcept cnndsl.RunError as error: print(error.diagnostic.code)"
    )
    assert run(code=code, cwd=folder, path=site).stdout == "Code.PLUGIN\n"


def test_installed_packages_are_looked_for_once() -> None:
    load_installed()
    before = load_installed.cache_info().misses
    cnndsl.check(cnndsl.Text(spec("ReLU")))
    assert load_installed.cache_info().misses == before


@pytest.mark.parametrize("line", ["plugin: gates", "plugins: [gates]", "import: gates", "layers: [gates]"])
def test_a_spec_cannot_bring_anything_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    (tmp_path / "gates.py").write_text("raise SystemExit('it was imported')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for text in (
        f"{line}\n{spec('ReLU')}",
        spec(f"{{{line}, ReLU: }}"),
        spec("Gate"),
        spec("gates.Gate"),
        spec("$(gates.Gate)"),
        spec("ReLU", more="train: {dataset: gates.Gate}\n"),
        spec("ReLU", more=f"extends: gates.py\nblocks: {{{line}}}\n"),
        spec("ReLU", more="use: gates\n"),
    ):
        assert any(fault.is_error for fault in cnndsl.check(cnndsl.Text(text))), text
        assert "gates" not in sys.modules


def test_a_class_of_a_script(folder: Path) -> None:
    text = (folder / "gates.py").read_text()
    code = f"{text}\nnet = cnndsl.load('gated.yaml')\nassert 'from __main__ import Gate' in net.source()\n"
    code += "print(tuple(net.module()(torch.zeros(2, 1, 28, 28)).shape))"
    done = run(code=code, cwd=folder)
    assert done.stdout == "(2, 10)\n", done.stderr


def test_attention_is_measured(plugin: Plugin) -> None:
    plugin(
        "@cnndsl.layer(infer={'dim': lambda x: x[2]})\nclass Attend(nn.Module):\n"
        "    def __init__(self, dim: int, heads: int = 2):\n        super().__init__()\n"
        "        self.a = nn.MultiheadAttention(dim, heads, batch_first=True)\n"
        "    def forward(self, x): return self.a(x, x, x, need_weights=False)[0]\n",
        "attend",
    )
    net = cnndsl.loads(spec("Attend: 4", input="[6, 16]"))
    assert net.cost.params == 4 * 16 * 16 + 4 * 16 and net.cost.macs >= 6 * 4 * 16 * 16
    assert net.module()(torch.zeros(3, 6, 16)).shape == (3, 6, 16)


def test_calls_that_differ_in_the_sort_of_a_value_are_not_taken_for_each_other(plugin: Plugin) -> None:
    plugin(
        "@cnndsl.layer\nclass Sort(nn.Module):\n    def __init__(self, v=None):\n        super().__init__()\n"
        "        self.w = nn.Parameter(torch.zeros(7 if v is True else 5 if type(v) is float else 3))\n"
        "    def forward(self, x): return x\n",
        "sort",
    )
    net = cnndsl.loads(spec("Sort: 1", "Sort: 1.0", "Sort: true"))
    assert [row.params for row in net.shapes().rows] == [3, 5, 7]


IN_PLACE = """\
import cnndsl
from torch import Tensor, nn


@cnndsl.layer
class Halve(nn.Module):
    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(0.5) if self.inplace else x * 0.5


@cnndsl.layer
class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2)
"""


def test_a_layer_keeps_the_type_of_its_values(plugin: Plugin) -> None:
    text = """
@cnndsl.layer
class Largest(nn.Module):
    def forward(self, x):
        return x.argmax(1, keepdim=True)
"""
    plugin(text)
    (fault,) = cnndsl.check(cnndsl.Text(spec("Largest", "ReLU")))
    assert fault.code is Code.SHAPE and "its forward returns torch.int64" in fault.message


def test_a_layer_that_works_in_place_does_so_for_inplace_only(plugin: Plugin) -> None:
    plugin(IN_PLACE)
    halve = "{Halve: {inplace: true}}"
    text = f"input: [4, 6, 6]\nnetwork: [Conv2d: [4, 1], {halve}, Conv2d: [4, 1], residual: [{halve}]]\n"
    (warning,) = cnndsl.check(cnndsl.Text(text))
    assert (warning.code.id, warning.message) == (
        "CNN108",
        "this `Halve` does not work in place: `add1` reads the same tensor",
    )
    assert "Halve()" in cnndsl.loads(text).source()
    (error,) = cnndsl.check(cnndsl.Text("input: [4, 6, 6]\nnetwork: [Conv2d: [4, 1], Double]\n"))
    assert error.code.id == "CNN030" and "overwrites its input" in error.message


def test_nothing_overwrites_what_a_layer_of_ones_own_gave(plugin: Plugin) -> None:
    plugin(GATE)
    text = "input: [4, 6, 6]\nnetwork: [Conv2d: [4, 1], Gate, ReLU: {inplace: true}]\n"
    assert [item.message for item in cnndsl.check(cnndsl.Text(text)) if item.code.id == "CNN108"] == [
        "this `ReLU` does not work in place: the backward pass of `Gate` reads the same tensor"
    ]
