"""Compiling a spec from a stranger: it ends, in a network or in coded diagnostics, and nothing of it is executed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from fuzzing import FUZZERS, KINDS, broken_grammar, outcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WATCHED = """\
import ast, sys
from pathlib import Path
from cnndsl.network import compile_spec

specs = [Path(name) for name in sys.argv[1:]]
for spec in specs:  # so that whatever is imported late has been
    compile_spec(spec)

ALLOWED = {path.resolve() for spec in specs for path in spec.parent.glob("*.yaml")}
FORBIDDEN = ("exec", "import", "subprocess", "socket", "os.", "shutil", "ctypes", "tempfile", "urllib", "pickle")
QUIET = ("os.scandir", "os.listdir")

def watch(event, arguments):
    if event == "open":  # a number is a file that has been opened, and seen, before
        if not isinstance(arguments[0], int) and Path(arguments[0]).resolve() not in ALLOWED:
            seen.append((event, str(arguments[0])))
    elif event.startswith(FORBIDDEN) and event not in QUIET:
        seen.append((event, repr(arguments)[:200]))

seen = []
sys.addaudithook(watch)
for spec in specs:
    compile_spec(spec)
print(len(seen), seen[:5])
"""

HOSTILE = [
    "input: !!python/object/apply:os.system ['touch pwned']\nnetwork: [Flatten]\n",
    "input: [1, 8, 8]\nnetwork: [Flatten, Linear: \"$(__import__('os').system('touch pwned'))\"]\n",
    "input: [1, 8, 8]\nnetwork: [Flatten, Linear: \"$(().__class__.__bases__[0].__subclasses__())\"]\n",
    "input: [1, 8, 8]\nnetwork: [{name: \"${{os.environ}}\", Flatten: }, {Linear: \"$('{0.__class__}'.format(1))\"}]\n",
    "input: [1, 8, 8]\nnetwork: [os.system, \"torch.hub.load\", {Lambda: \"exec('1')\"}]\n",
    "use: [/etc/passwd, '../../../etc/passwd', 'https://example.org/a.yaml', 'file:///etc/passwd']\n"
    "input: [1]\nnetwork: [ReLU]\n",
    "input: [1, 8, 8]\nparams: {f: \"$(open('pwned', 'w'))\", g: \"$(eval)\", h: \"$((lambda: 1)())\"}\n"
    "network: [ReLU]\n",
    "input: [1, 8, 8]\nnetwork: [Flatten, Linear: 10]\ntrain: {dataset: {ImageFolder: {root: /etc}}, epochs: 1, "
    "optimizer: {os.system: x}, loss: subprocess.run, batch_size: 1}\n",
]  # fmt: skip


def test_nothing_is_executed_imported_or_opened_but_the_specs(tmp_path: Path) -> None:
    root = Path(__file__).parent
    for number, text in enumerate(HOSTILE):
        (tmp_path / f"hostile{number}.yaml").write_text(text)
    specs = [
        *(root.parent / "archs").glob("*.yaml"),
        *(root / "cases" / "err").glob("*.yaml"),
        *tmp_path.glob("*.yaml"),
    ]
    assert len(specs) > 100
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, specs)], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.stdout == "0 []\n", done.stdout + done.stderr
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_specs_are_refused(number: int, tmp_path: Path) -> None:
    assert outcome(HOSTILE[number].encode(), tmp_path).startswith("CNN0")


def test_fuzzing_goes_on_for_as_long_as_one_likes() -> None:
    command = [sys.executable, "tests/fuzzing.py", "--seconds", "0.5"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [*KINDS, "0 failed"]


@settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
@given(random=st.randoms(use_true_random=False))
def test_every_spec_of_the_grammar_broken_or_not_ends_well(random: Random, tmp_path: Path) -> None:
    outcome(broken_grammar(random), tmp_path)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fuzzer", FUZZERS)
def test_every_input_ends_in_a_network_or_in_diagnostics(fuzzer: str, seed: int, tmp_path: Path) -> None:
    random = Random(f"{fuzzer} in the suite {seed}")
    outcomes = [outcome(FUZZERS[fuzzer](random), tmp_path) for _ in range(500)]
    assert len(set(outcomes)) > 5
