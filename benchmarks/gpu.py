"""The networks of the reference on one GPU: `cnndsl train` with their recipes at their real sizes, one by one.

    python benchmarks/gpu.py --page docs/results.md    # ten epochs of each, in under eight minutes on an H100
    python benchmarks/gpu.py --network lenet_bn --epochs 3
    python benchmarks/gpu.py --smoke --page /tmp/results.md    # the same steps on the CPU, with small generated images

Each is trained by its own process, as a user would start it, with the same options of `cnndsl train`.
Examples/s are those of the steady state: training without evaluation, the median of the epochs after the first.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from measure import ARCHS, ROOT, filled, machine, markdown, say

#: How the networks are trained: in half precision, with the fastest kernels, by steps that are compiled and captured.
OPTIONS = ("--precision=bf16", "--no-deterministic", "--compile", "--cuda-graph")
#: The same on a machine without a GPU or a compiler.
EAGER = ("--precision=bf16", "--no-deterministic")


@dataclass(frozen=True)
class Reference:
    """What one laptop-class GPU did, in ten epochs."""

    loss: float
    train_acc: float
    test_acc: float
    examples_per_s: float


@dataclass(frozen=True)
class Network:
    """A recipe of `archs/`, the spec's parameters for it, and the size of its small images."""

    title: str
    reference: Reference | None = None
    small: int | None = None
    params: tuple[str, ...] = ()


NETWORKS = {
    "lenet": Network("LeNet"),
    "lenet_bn": Network("LeNet + BN", Reference(0.264, 0.902, 0.830, 19_296.8)),
    "alexnet": Network("AlexNet", small=112),
    "vgg11": Network("VGG-11, ratio 4", Reference(0.177, 0.933, 0.911, 679.1), 64, ("-p", "ratio=4")),
    "nin": Network("NiN", small=112),
    "googlenet": Network("GoogLeNet", Reference(0.256, 0.903, 0.886, 1_072.1), 48),
    "resnet18": Network("ResNet-18", Reference(0.010, 0.998, 0.915, 1_533.6), 48),
    "densenet": Network("DenseNet", Reference(0.140, 0.950, 0.882, 5_544.6), 48),
}


@dataclass(frozen=True)
class Result:
    """What a training gave, or the ``error`` that it ended with. ``seconds`` are those of the whole process,
    ``training`` those of its epochs without tests."""

    network: str
    seconds: float
    device: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    recipe: Mapping[str, object] = field(default_factory=dict)
    epochs: tuple[Mapping[str, float], ...] = ()
    error: str = ""

    @property
    def examples_per_s(self) -> float:
        rates = [epoch["examples_per_s"] for epoch in self.epochs]
        return statistics.median(rates[1:] or rates)

    @property
    def training(self) -> float:
        return sum(epoch["seconds"] for epoch in self.epochs)

    @property
    def best(self) -> float:
        return max(epoch["test_acc"] for epoch in self.epochs)


def command(name: str, asked: argparse.Namespace, runs: Path) -> list[str]:
    """The command that trains a network."""
    network = NETWORKS[name]
    given = [f"--runs={runs}", *[f"--data-dir={asked.data_dir}"] * bool(asked.data_dir), *network.params]
    if asked.small and network.small:
        given.append(f"--resize={network.small}")
    return [sys.executable, "-m", "cnndsl", "train", str(ARCHS / f"{name}.yaml"), *options(asked), *given]


def options(asked: argparse.Namespace) -> list[str]:
    """The options that all networks are trained with."""
    kernels = EAGER if asked.smoke else OPTIONS
    given = [*kernels, f"--device={asked.device}", f"--seed={asked.seed}"]
    given += [f"--epochs={asked.epochs}"] * bool(asked.epochs)
    if asked.samples:
        given.append(f"--dataset={{Synthetic: {{size: {asked.samples}, test_size: {asked.samples}}}}}")
    return given


def trained(name: str, asked: argparse.Namespace, patience: float) -> Result:
    """Trains a network, for at most ``patience`` seconds."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        try:
            done = subprocess.run(
                command(name, asked, runs), cwd=ROOT, capture_output=True, text=True, timeout=patience
            )
            error = "" if done.returncode == 0 else "\n".join(done.stderr.splitlines()[-20:])
        except subprocess.TimeoutExpired:
            error = f"not finished after {patience:.0f} s"
        seconds = time.perf_counter() - began
        found = list(runs.rglob("metrics.csv"))
        if not found:
            return Result(name, seconds, error=error or "no epoch was finished")
        with found[0].open(newline="") as file:
            epochs = tuple({key: float(value) for key, value in row.items()} for row in csv.DictReader(file))
        info = json.loads(found[0].with_name("run.json").read_text())
    return Result(name, seconds, info["device"], info["versions"], info["recipe"], epochs, error)


def compile_all(asked: argparse.Namespace) -> float:
    """Compiles the kernels of all networks at once, into the cache that their trainings read. Each is trained on a few
    generated samples. Returns the seconds that it took, a third of the time that there is at most."""
    began = time.perf_counter()
    end = began + 20 * asked.minutes
    short = argparse.Namespace(**vars(asked) | {"epochs": 1, "samples": 256})
    with tempfile.TemporaryDirectory() as runs:
        commands = [command(name, short, Path(runs)) for name in asked.network]
        jobs = [subprocess.Popen(each, cwd=ROOT, stdout=subprocess.DEVNULL) for each in commands]
        for job in jobs:
            try:
                job.wait(max(end - time.perf_counter(), 1))
            except subprocess.TimeoutExpired:
                job.kill()
    return time.perf_counter() - began


def results(asked: argparse.Namespace, end: float) -> Iterator[Result]:
    """Trains one network after the other, until ``end``."""
    for name in asked.network:
        result = trained(name, asked, max(end - time.perf_counter(), 1))
        say(f"{name}: {result.error}" if result.error else f"{name}: {line(result)}")
        yield result


def line(result: Result) -> str:
    """A training in a line."""
    last = result.epochs[-1]
    return (
        f"{result.examples_per_s:,.0f} examples/s, loss {last['loss']:.3f}, train acc {last['train_acc']:.3f}, "
        f"test acc {last['test_acc']:.3f}, best {result.best:.3f}, {result.seconds:.1f} s in all"
    )


# --- the page ------------------------------------------------------------------------------------

HEAD = """
Generated by `{command}`. Each network is trained by the recipe in its spec, in a process of its own: `cnndsl train
archs/NAME.yaml OPTIONS`, with the same options for all.
"""
LEGEND = """
Examples/s are those of training without evaluation: {rate}. The reference's rates are those of one laptop-class GPU;
where its columns are empty, it has no figures. Seconds are those of training alone, and of the whole process:
start, data, compilation, tests and checkpoints too. Loss and training accuracy are means over the last epoch, test
accuracy is that after it; best is the highest of any epoch.
"""


def page(found: Sequence[Result], facts: Mapping[str, str]) -> str:
    """The results in Markdown."""
    good = [result for result in found if not result.error]
    tables = [markdown(["", ""], facts.items(), labels=2), rates(good), accuracies(good)]
    failed = "\n".join(f"- {NETWORKS[result.network].title}: {result.error}" for result in found if result.error)
    head = filled(HEAD.format(command=shlex.join(["python", "benchmarks/gpu.py", *sys.argv[1:]])))
    legend = filled(LEGEND.format(rate=rate_of(good)))
    return "\n\n".join(["# Results on a GPU", head, *tables, *[failed] * bool(failed), legend]) + "\n"


def rate_of(found: Sequence[Result]) -> str:
    """Which epochs the rates are of."""
    if any(len(result.epochs) > 1 for result in found):
        return "the median of the epochs after the first"
    return "those of the only epoch"


def rates(found: Sequence[Result]) -> str:
    heads = ["network", "batch", "size", "examples/s", "reference", "times", "s, training", "s, whole"]
    rows = []
    for result in found:
        network = NETWORKS[result.network]
        reference, recipe, rate = network.reference, result.recipe, result.examples_per_s
        rows.append(
            [
                network.title,
                f"{recipe['batch_size']}",
                f"{recipe['resize'] or 28}",
                f"{rate:,.0f}",
                f"{reference.examples_per_s:,.0f}" if reference else "",
                f"{rate / reference.examples_per_s:.1f}" if reference else "",
                f"{result.training:.1f}",
                f"{result.seconds:.1f}",
            ]
        )
    return markdown(heads, rows, labels=1)


def accuracies(found: Sequence[Result]) -> str:
    heads = ["network", "epochs", "loss", "reference", "train acc", "reference", "test acc", "reference", "best"]
    rows = []
    for result in found:
        network, last = NETWORKS[result.network], result.epochs[-1]
        cells = [network.title, f"{last['epoch']:.0f}"]
        for key in ("loss", "train_acc", "test_acc"):
            cells += [f"{last[key]:.3f}", f"{getattr(network.reference, key):.3f}" if network.reference else ""]
        rows.append([*cells, f"{result.best:.3f}"])
    return markdown(heads, rows, labels=1)


def conditions(asked: argparse.Namespace, found: Sequence[Result], compiling: float, seconds: float) -> dict[str, str]:
    """What the results depend on."""
    compiled = f", of which {compiling:.0f} s to compile all of them at once" if compiling else ""
    versions = next((result.versions for result in found if result.versions), {})
    return {
        "GPU": gpu(),
        **machine(),
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "options": f"`{shlex.join(options(asked))}`",
        "time": f"{seconds:.0f} s for all{compiled}",
    }


def gpu() -> str:
    """The first GPU, as its driver names it."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError):
        return "none"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=[*NETWORKS])
    parser.add_argument("--epochs", type=int, help="default: those of the recipe, ten")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=8, help="for all networks together")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--data-dir", type=Path, help="the folder with the four files of Fashion-MNIST")
    parser.add_argument("--samples", type=int, help="train on so many generated samples instead of Fashion-MNIST")
    parser.add_argument("--small", action="store_true", help="train with smaller images")
    parser.add_argument("--smoke", action="store_true", help="--device cpu --small --epochs 1 --samples 512, eager")
    parser.add_argument("--page", type=Path, help="where to write the results, in Markdown")
    parser.add_argument(
        "--json", type=Path, help="where to write every epoch of every network, a line for each network"
    )
    asked = parser.parse_args()
    if asked.smoke:
        asked.device, asked.small, asked.epochs, asked.samples = "cpu", True, 1, asked.samples or 512
    return asked


def main() -> None:
    asked = arguments()
    began = time.perf_counter()
    compiling = 0 if asked.smoke else compile_all(asked)
    if compiling:
        say(f"compiled in {compiling:.0f} s")
    found = []
    for result in results(asked, began + 60 * asked.minutes):
        found.append(result)
        if asked.json:
            asked.json.write_text("".join(f"{json.dumps(asdict(each))}\n" for each in found))
    found.sort(key=lambda result: [*NETWORKS].index(result.network))
    text = page(found, conditions(asked, found, compiling, time.perf_counter() - began))
    if asked.page:
        asked.page.write_text(text)
    print(text, end="")
    sys.exit(any(result.error for result in found))


if __name__ == "__main__":
    main()
