"""Training seen: curves, comparisons of runs, confusion matrices, mistakes, filters and feature maps."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image
from torch import nn
from torch.nn import functional
from training_cases import SPEC

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import RunError
from cnndsl.palette import ENDINGS
from cnndsl.picture import Picture
from cnndsl.training.data import Places
from cnndsl.training.figures.comparison import LOOKS
from cnndsl.training.figures.confusion import confusion
from cnndsl.training.figures.curves import curves
from cnndsl.training.insight import Features, Filters, filters_of, output_of
from cnndsl.training.labels import labels
from cnndsl.training.mistakes import Worst
from cnndsl.training.plan import evaluation_plan
from cnndsl.training.plot import LeftOut, read_epochs
from cnndsl.training.progress import Epoch, as_csv, from_csv
from cnndsl.training.run import Run
from cnndsl.training.run_folder import RunFolder
from cnndsl.training.trained import Trained

CPU = torch.device("cpu")
QUIET = {"quiet": True, "device": "cpu", "workers": 0}
#: Names that a format could take for something else, or that fonts lack.
ODD = ("long " * 5000, "$x^2$ \\alpha", "_hidden", "<b>&amp;", "a\nb\x1b[31m", "圆", "")


def cnndsl_(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, [*map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def train(text: str, runs: Path, **recipe: Any) -> Run:
    return cnndsl.train(cnndsl.Text(text), runs=runs, **QUIET, **recipe)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SPEC, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has learned little."""
    return train(SPEC, tmp_path_factory.mktemp("poor"), epochs=1, optimizer={"SGD": {"lr": 0.0001}})


def epochs(count: int) -> list[Epoch]:
    """The third is the best."""
    accuracies = [0.9 if number == 2 else 0.5 + number / 100 for number in range(count)]
    return [
        Epoch(number + 1, 2 / (number + 1), 0.6, 3 / (number + 1), accuracy, 0.1, 100.0, 1.0)
        for number, accuracy in enumerate(accuracies)
    ]


def lines(picture: Picture) -> list[list[tuple[float, float]]]:
    """The points of each line, panel by panel."""
    return [list(map(tuple, line.get_xydata().tolist())) for axes in picture.axes for line in axes.get_lines()]


def images(picture: Picture) -> list[np.ndarray]:
    """The images, in order."""
    children = (child for axes in picture.axes for child in axes.get_children())
    return [np.asarray(child.get_array()) for child in children if isinstance(child, AxesImage)]


# --- pictures ------------------------------------------------------------------------------------


def made() -> list[Picture]:
    """With names that a format could take for something else."""
    seen, maps = torch.zeros(3, 8, 8, dtype=torch.uint8), torch.arange(48.0).view(3, 4, 4)
    return [
        curves("net", epochs(4)),
        confusion(ODD[3], "accuracy 0.5", ["a", ODD[2]], [[3, 1], [0, 2]]),
        Features(ODD[4], Path("$a$.png"), ODD[1], seen, maps).figure(),
    ]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_same_picture_has_the_same_bytes_whatever_matplotlib_is_set_to(ending: str) -> None:
    import matplotlib

    first = [picture.data(ending) for picture in made()]
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "lines.linewidth": 9, "text.parse_math": True}):
        again = [picture.data(ending) for picture in made()]
        assert matplotlib.rcParams["font.size"] == 30
    assert first == again
    assert not any(word in data for data in first for word in (b"dc:date", b"CreationDate", b"Software"))


@pytest.mark.parametrize("name", ODD)
def test_any_name_can_be_drawn(name: str) -> None:
    """As it is: not as a formula, and not as markup."""
    picture = confusion(name, "", [name, "b"], [[1, 0], [0, 1]])
    shown = [label.get_text() for label in picture.axes[0].get_yticklabels()]
    assert shown[0] == (name if len(name) < 99 else f"{name[:23]}…").replace("\n", "\\n").replace("\x1b", "\\x1b")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(picture.data(ending) for ending in ENDINGS)


def test_a_picture_is_saved_whole_and_in_no_other_format(tmp_path: Path) -> None:
    picture = curves("net", epochs(3))
    for ending, begin in {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}.items():
        picture.save(tmp_path / f"x{ending}")
        assert (tmp_path / f"x{ending}").read_bytes().startswith(begin)
    with pytest.raises(ValueError, match=r"x\.gif must end in one of \.png, \.svg, \.pdf"):
        picture.save(tmp_path / "x.gif")
    with pytest.raises(OSError, match="no folder"):
        picture.save(tmp_path / "none" / "x.png")
    data, size = picture._repr_png_()
    assert data.startswith(b"\x89PNG") and size == {"width": 640}


# --- curves --------------------------------------------------------------------------------------


def test_the_curves_are_the_epochs_and_the_best_one_is_marked() -> None:
    shown = epochs(12)
    drawn = lines(curves("net", shown))
    for key in ("loss", "test_loss", "train_acc", "test_acc"):
        assert [(epoch.epoch, getattr(epoch, key)) for epoch in shown] in drawn
    assert [(3, shown[2].test_loss)] in drawn and [(3, 0.9)] in drawn
    assert any(text.get_text() == "best 0.900, epoch 3" for text in curves("net", shown).axes[1].texts)


def test_the_curves_of_a_run_are_its_metrics_also_after_it_was_resumed(tmp_path: Path) -> None:
    first = train(SPEC, tmp_path, epochs=1)
    begun = (first.path / "curves.svg").read_bytes()
    resumed = cnndsl.train(resume=first.path, epochs=3, **QUIET)
    with (resumed.path / "metrics.csv").open() as file:
        rows = [*csv.DictReader(file)]
    drawn = lines(resumed.curves())
    for key in ("loss", "test_loss", "train_acc", "test_acc"):
        assert [(int(row["epoch"]), float(row[key])) for row in rows] in drawn
    assert len(rows) == 3
    assert (resumed.path / "curves.svg").read_bytes() not in (begun, b"")


def test_metrics_of_an_older_version_lack_figures_and_are_drawn() -> None:
    shown = epochs(4)
    assert from_csv(as_csv(shown)) == shown
    rows = [line.split(",") for line in as_csv(shown).splitlines()]
    column = rows[0].index("test_loss")
    older = from_csv("\n".join(",".join(row[:column] + row[column + 1 :]) for row in rows))
    assert [epoch.test_acc for epoch in older] == [epoch.test_acc for epoch in shown]
    assert all(epoch.test_loss != epoch.test_loss for epoch in older)
    assert curves("old", older).data(".svg")
    with pytest.raises(ValueError):
        from_csv("a,b\n1,2\n")


def test_losses_far_apart_have_a_logarithmic_scale() -> None:
    far = [Epoch(1, 1000, 0.5, 900, 0.5, 0.1, 1, 1), Epoch(2, 0.1, 0.9, 0.2, 0.9, 0.1, 1, 1)]
    logarithmic = curves("net", far)
    logarithmic.draw_without_rendering()
    assert logarithmic.axes[0].get_yscale() == "log"
    assert not any("$" in label.get_text() for label in logarithmic.axes[0].get_yticklabels(which="both"))
    assert curves("net", epochs(4)).axes[0].get_yscale() == "linear"


# --- several runs --------------------------------------------------------------------------------

RECIPE = {"dataset": {"FashionMNIST": {}}, "epochs": 3, "optimizer": {"SGD": {"lr": 0.1}}, "scheduler": None, "seed": 0}
_SGD = {"SGD": {"lr": 0.1, "momentum": 0.9}}


def write_run(
    root: Path, name: str, time: str, recipe: Any = None, spec: str = "", count: int = 3, **more: Any
) -> Path:
    path = root / name / time
    path.mkdir(parents=True)
    info = {"name": name, "state": "finished", "recipe": RECIPE | (recipe or {}), **more}
    (path / "run.json").write_text(json.dumps(info))
    (path / "spec.yaml").write_text(spec or "input: [1, 8, 8]\nnetwork: [Flatten]\n")
    if count:
        (path / "metrics.csv").write_text(as_csv(epochs(count)))
    return path


@pytest.mark.parametrize(
    ("recipes", "expected"),
    [
        ([{}, {"optimizer": {"SGD": {"lr": 0.01}}}], ["lr=0.1", "lr=0.01"]),
        ([{}, {"optimizer": {"Adam": {"lr": 0.001}}}], ["SGD, lr=0.1", "Adam, lr=0.001"]),
        ([{}, {"optimizer": _SGD}], ["default momentum", "momentum=0.9"]),
        ([{}, {"scheduler": {"StepLR": {"step_size": 3}}}], ["no scheduler", "StepLR"]),
        ([{}, {"seed": 1, "epochs": 9}], ["seed=0", "seed=1"]),
        ([{}, {"epochs": 9}], ["epochs=3", "epochs=9"]),
        ([{"compile": False}, {"compile": True}], ["no compile", "compile"]),
        ([{"augment": []}, {"augment": [{"A": {}}, {"B": {"p": 1}}]}], ["no augment", "A + B"]),
        ([{}, {}, {"seed": 1}], ["seed=0, time-0", "seed=0, time-1", "seed=1"]),
        ([{}, {}], ["time-0", "time-1"]),
        ([{}], [""]),
        ([dict.fromkeys("abcdef", 0), dict.fromkeys("abcdef", 1)], ["a=0, b=0, c=0, d=0", "a=1, b=1, c=1, d=1"]),
        ([{"x": {"A": {"lr": 1}}, "y": {"B": {"lr": 2}}}, {"x": {"A": {"lr": 3}}, "y": {"B": {"lr": 4}}}],
         ["x.lr=1, y.lr=2", "x.lr=3, y.lr=4"]),
    ],
)  # fmt: skip
def test_labels_are_what_differs(recipes: Sequence[Any], expected: Sequence[str], tmp_path: Path) -> None:
    runs = [RunFolder(write_run(tmp_path, "net", f"time-{i}", recipe)) for i, recipe in enumerate(recipes)]
    assert labels(runs) == expected


def test_labels_name_networks_and_parameters_of_specs(tmp_path: Path) -> None:
    spec = "input: [1, 8, 8]\nparams: {width: %d}\nnetwork: [Flatten, Linear: $width]\n"
    paths = [write_run(tmp_path, "net", str(width), spec=spec % width) for width in (32, 64)]
    assert labels([*map(RunFolder, paths)]) == ["width=32", "width=64"]
    other = write_run(tmp_path, "vgg", "1", weights="a.pt")
    assert labels([RunFolder(paths[0]), RunFolder(other)]) == ["net, width=32", "vgg, a.pt"]
    (paths[0] / "spec.yaml").unlink()
    (paths[1] / "run.json").write_text("[]")
    assert len({*labels([*map(RunFolder, paths)])}) == 2


def test_runs_in_one_picture_have_a_line_each(tmp_path: Path) -> None:
    paths = [write_run(tmp_path, "_net", f"{i}", {"seed": i}, count=i + 2) for i in range(3)]
    picture = cnndsl.plot_runs(*paths)
    drawn = lines(picture)
    for index in range(3):
        for key in ("loss", "test_loss", "train_acc", "test_acc"):
            assert [(epoch.epoch, getattr(epoch, key)) for epoch in epochs(index + 2)] in drawn
    assert [text.get_text() for text in picture.legends[0].get_texts()] == [
        "seed=0: best 0.510", "seed=1: best 0.900", "seed=2: best 0.900", "dashed: training"
    ]  # fmt: skip


def test_training_and_test_of_one_epoch_are_told_apart(tmp_path: Path) -> None:
    picture = cnndsl.plot_runs(write_run(tmp_path, "_net", "0", {"seed": 0}, count=1))
    for axes in picture.axes:
        test, training = axes.get_lines()[:2]
        assert test.get_markerfacecolor() == test.get_color() == training.get_color()
        assert training.get_markerfacecolor() == "white"
    assert picture.legends[0].get_texts()[-1].get_text() == "open dots: training"


def test_runs_that_cannot_be_drawn_are_named(tmp_path: Path) -> None:
    begun = write_run(tmp_path, "net", "begun", count=0)
    with pytest.raises(RunError, match="none of these runs has finished an epoch"):
        cnndsl.plot_runs(begun)
    many = [write_run(tmp_path, "net", f"{i:02}", {"seed": i}, count=1 + (i > 0)) for i in range(len(LOOKS) + 1)]
    with pytest.warns(LeftOut) as told:
        picture = cnndsl.plot_runs(begun, *many)
    assert [str(warning.message) for warning in told] == [
        f"{begun} has not finished an epoch", f"the best {len(LOOKS)} of {len(LOOKS) + 1} runs are drawn"
    ]  # fmt: skip
    shown = [text.get_text() for text in picture.legends[0].get_texts()]
    assert len(shown) == len(LOOKS) and not any(text.startswith("seed=0:") for text in shown)
    (begun / "metrics.csv").write_bytes(b"\xff")
    with pytest.raises(RunError, match=r"metrics\.csv cannot be read"):
        read_epochs(RunFolder(begun))


def test_runs_are_plotted_by_network_folder_or_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, time in (("net", "10-00"), ("net", "11-00"), ("vgg", "12-00")):
        write_run(tmp_path / "runs", name, time, {"seed": int(time[:2])})
    elsewhere = write_run(tmp_path / "old", "net", "09-00", {"seed": 9})
    assert cnndsl_("runs", "--plot").stdout == "runs.svg\n"
    assert cnndsl_("runs", "--plot", "net", "-o", "a.png").stdout == "a.png\n"
    listed = cnndsl_("runs", "vgg", "10-00", "net/11-00", elsewhere, "runs/net/10-00", "--format", "json").stdout
    assert [row["time"] for row in json.loads(listed)] == ["12-00", "10-00", "11-00", "09-00"]
    wrong = cnndsl_("runs", "--plot", "net/11-01", "-o", "b.png", code=2)
    assert (
        "there are no runs of `net/11-01` in runs" in wrong.stderr and "did you mean `runs/net/11-00`?" in wrong.stderr
    )
    assert not Path("b.png").exists()
    assert "there are no runs in none" in cnndsl_("runs", "--plot", "--runs", "none", code=2).stderr


@pytest.mark.parametrize(
    ("words", "help"),
    [
        (["runs", "net", "--plot", "net.svg"], "to draw net.svg, write `-o net.svg`"),
        (["runs", "net.png"], "to draw net.png, write `--plot -o net.png`"),
        (["inspect", "runs/net/10-00", "filters.png"], "to draw filters.png, write `--filters filters.png`"),
    ],
)
def test_a_picture_without_its_option_is_told(
    words: Sequence[str], help: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs/net").mkdir(parents=True)
    shutil.copytree(run.path, "runs/net/10-00")
    assert f"help: {help}" in cnndsl_(*words, code=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs"]


def test_runs_are_told_apart_by_the_parameters_in_which_they_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    spec = "input: [1, 8, 8]\nparams: {width: %d, wide: %s, act: GELU}\nnetwork: [Flatten, Linear: $width]\n"
    for time, values in (("1", (32, "true")), ("2", (64, "true")), ("3", (64, "false"))):
        write_run(tmp_path / "runs", "net", time, {"epochs": 3}, spec=spec % values)
    write_run(tmp_path / "runs", "vgg", "4", spec="input: [1, 8, 8]\nparams: {depth: 3}\nnetwork: [Flatten]\n")

    def cells(*words: str) -> list[str]:
        return [re.split("  +", line)[1].strip() for line in cnndsl_("runs", *words).stdout.splitlines()]

    assert cells("--format", "plain")[:4] == [
        "params",
        *("width=32, wide=true", "width=64, wide=true", "width=64, wide=false"),
    ]
    assert cells("2", "3", "--format", "plain") == ["params", "wide=true", "wide=false"]
    assert cells("2", "vgg", "--format", "plain")[0] == "state"
    told = json.loads(cnndsl_("runs", "2", "vgg", "--format", "json").stdout)
    assert [row["params"] for row in told] == [{"width": 64, "wide": True, "act": "GELU"}, {"depth": 3}]
    (row,) = csv.DictReader(cnndsl_("runs", "2", "--format", "csv").stdout.splitlines())
    assert row["params"] == 'width=64, wide=true, act="GELU"'


def test_runs_are_plotted_without_torch_and_without_pyplot(tmp_path: Path) -> None:
    write_run(tmp_path / "runs", "net", "10-00")
    code = (
        "import sys\n"
        "from cnndsl.cli import cli\n"
        "cli(['runs', '--plot'], standalone_mode=False)\n"
        "sys.exit(bool({'torch', 'matplotlib.pyplot'} & {*sys.modules}))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path).returncode == 0
    assert (tmp_path / "runs.svg").exists()


def test_a_picture_is_never_written_over_a_file_of_others(tmp_path: Path, poor: Run, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    picture = tmp_path / "grey.png"
    Image.new("L", (12, 12), 100).save(picture)
    commands: list[list[str | Path]] = [
        ["runs", "--runs", poor.path.parent.parent, "--plot", "-o"],
        ["eval", poor.path, "--device", "cpu", "--confusion"],
        ["eval", poor.path, "--device", "cpu", "--mistakes"],
        ["inspect", poor.path, "--filters"],
        ["predict", poor.path, picture, "--device", "cpu", "--features", "0", "-o"],
    ]
    for number, command in enumerate(commands):
        name = f"{number}.svg"
        Path(name).write_text("<svg>mine</svg>")
        refused = cnndsl_(*command, name, code=2)
        assert f"{name} exists and was not written by cnndsl" in refused.stderr
        assert Path(name).read_text() == "<svg>mine</svg>"
        for again in (["--force"], []):  # then it is ours
            assert cnndsl_(*command, name, *again).stdout.endswith(f"{name}\n")
        assert b"Generated by cnndsl" in Path(name).read_bytes()
        assert "must end in one of .png, .svg, .pdf" in cnndsl_(*command, "x.gif", code=2).stderr
        assert "there is no folder none" in cnndsl_(*command, "none/x.png", code=2).stderr
    for form in ("csv", "json"):
        Path(f"c.{form}").write_text("mine")
        cnndsl_(*commands[1], f"c.{form}", code=2)
        cnndsl_(*commands[1], f"c.{form}", "--force")
        cnndsl_(*commands[1], f"c.{form}")


def test_wrong_usage_of_pictures(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (12, 12), 100).save("x.png")
    cases = {
        ("runs", "-o", "a.png"): "-o is for --plot",
        ("eval", run.path, "--worst", "3"): "--worst is for --mistakes",
        ("eval", run.path, "--confusion", "a.png", "--mistakes", "a.png"): "two results cannot go to one file",
        ("predict", run.path, "x.png", "x.png", "--features", "0"): "for one PICTURE",
        ("predict", run.path, "x.png", "-o", "a.png"): "-o needs --features LAYER",
        ("predict", run.path, "x.png", "--features", "O"): "has no layer `O` whose output can be taken",
        ("predict", run.path, "x.png", "--features", "zz"): "`cnndsl shapes RUN/spec.yaml` lists the layers",
        ("predict", run.path, "none.png", "--features", "0"): "none.png cannot be read",
        ("inspect", run.path, "1", "--filters", "a.png"): "`1` is not a convolution of `tiny`",
        ("inspect", run.path, "zz", "--filters", "a.png"): "such as `0`",
    }
    for command, expected in cases.items():
        refused = cnndsl_(*command, code=2)
        assert expected in refused.stderr and not refused.stdout, command
    assert [path.name for path in tmp_path.iterdir()] == ["x.png"]


# --- eval ----------------------------------------------------------------------------------------


def by_hand(run: Run) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images, labels and probabilities of the test set, in one batch."""
    trained = Trained.of(run)
    data = trained.data(Places(workers=0), CPU)
    ((found, labelled),) = data.test.batches(evaluation_plan(len(data.test), 1000))
    with torch.no_grad():
        return found, labelled, trained.module(CPU)(found).softmax(1)


def test_the_confusion_matrix_in_each_format(run: Run, tmp_path: Path) -> None:
    _, labelled, shares = by_hand(run)
    expected = np.bincount(labelled.numpy() * 4 + shares.argmax(1).numpy(), minlength=16).reshape(4, 4)
    for form in ("csv", "json"):
        path = tmp_path / f"c.{form}"
        cnndsl_("eval", run.path, "--device", "cpu", "--confusion", path)
        if form == "json":
            told = json.loads(path.read_text())
            assert told["classes"] == ["0", "1", "2", "3"] and told["confusion"] == expected.tolist()
        else:
            (corner, *names), *rows = csv.reader(path.open())
            assert corner.endswith("true \\ predicted") and names == ["0", "1", "2", "3"]
            assert [[int(cell) for cell in row] for _, *row in rows] == expected.tolist()
            assert [row[0] for row in rows] == names
    figure = run.evaluate(device="cpu").confusion_figure()
    written = {(text.get_position(), text.get_text()) for text in figure.axes[0].texts}
    assert written == {((x, y), str(expected[y, x])) for y in range(4) for x in range(4) if expected[y, x]}


@pytest.mark.parametrize("count", [1, 2, 20, 21, 200])
def test_a_confusion_matrix_of_any_size_shows_each_share(count: int) -> None:
    generator = np.random.default_rng(count)
    counts = generator.integers(0, 3, (count, count)) * generator.integers(0, 2, (count, count))
    counts[0] = 0  # a class without samples
    picture = confusion("net", "", [f"class {i}" for i in range(count)], counts.tolist())
    axes = picture.axes[0]
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    right = np.eye(count, dtype=bool)
    shown = np.zeros((count, count))
    for image in axes.get_images():
        shown += np.ma.filled(image.get_array(), 0)
    for dots in axes.collections:
        for (x, y), share in zip(dots.get_offsets().tolist(), dots.get_array()):
            shown[int(y), int(x)] = share
    assert np.allclose(shown, shares)
    assert (len(axes.texts) > 0) == (0 < count <= 20 and counts.any())
    assert len(axes.get_xticks()) <= 55 and axes.get_xticklabels()[-1].get_text().startswith("class ")
    assert len(picture.axes) == (1 if count <= 20 else 3)
    assert right.shape == shown.shape and picture.data(".png")


def test_counts_that_do_not_fit_are_shares() -> None:
    counts = np.full((10, 10), 1_234_567)
    written = {text.get_text() for text in confusion("net", "", list("abcdefghij"), counts.tolist()).axes[0].texts}
    assert written == {"10.0%"}
    written = {text.get_text() for text in confusion("net", "", ["a", "b"], counts[:2, :2].tolist()).axes[0].texts}
    assert written == {"1,234,567"}


FOLDER = """\
name: pictures
input: [3, 12, 12]
network:
  - Conv2d: {out_channels: 4, kernel_size: 3}
  - ReLU: {inplace: true}
  - Flatten
  - Linear: 3
train:
  dataset: {ImageFolder: {root: pets}}
  augment: [RandomHorizontalFlip, {Normalize: [[0.5, 0.4, 0.3], [0.2, 0.3, 0.4]]}]
  epochs: 1
  batch_size: 4
  optimizer: {SGD: {lr: 0.01}}
"""


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on a folder of colour pictures of the network's size."""
    root = tmp_path_factory.mktemp("data") / "pets"
    generator = np.random.default_rng(2)
    for part, count in (("train", 4), ("test", 9)):
        for name in ("cat", "dog", "owl"):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (12, 12, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return train(FOLDER, root.parent / "runs", dataset={"ImageFolder": {"root": str(root)}})


def test_the_worst_mistakes_are_those_of_a_plain_loop(pets: Run, poor: Run, tmp_path: Path) -> None:
    for tested in (pets, poor):
        _, labelled, shares = by_hand(tested)
        wrong = []
        for index, (label, row) in enumerate(zip(labelled.tolist(), shares.tolist())):
            found = row.index(max(row))
            if found != label:
                wrong.append((-row[found], index, label, found, row[label]))
        expected = sorted(wrong)[:7]
        result = tested.evaluate(device="cpu", mistakes=7)
        told = [(one.index, one.label, one.found) for one in result.mistakes]
        assert len(told) >= 5 and told == [row[1:4] for row in expected]
        assert [one.probability for one in result.mistakes] == pytest.approx([-row[0] for row in expected], abs=1e-6)
        assert [one.own for one in result.mistakes] == pytest.approx([row[4] for row in expected], abs=1e-6)
        assert tested.evaluate(device="cpu").mistakes == ()
    options = ("--device", "cpu", "--workers", 0, "--mistakes", tmp_path / "m.png", "--worst", 3, "--format", "json")
    listed = json.loads(cnndsl_("eval", pets.path, *map(str, options)).stdout)["mistakes"]
    assert [(one["index"], one["predicted"]) for one in listed] == [
        (one.index, one.predicted) for one in pets.evaluate(device="cpu", mistakes=3).mistakes
    ]
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")


def test_mistakes_have_their_pictures_as_people_see_them(pets: Run) -> None:
    result = pets.evaluate(device="cpu", mistakes=100)
    shown = images(result.mistakes_figure())
    assert len(result.mistakes) == len(shown) >= 5
    for mistake, image in zip(result.mistakes, shown):
        file = np.asarray(Image.open(str(mistake.file)))
        assert Path(str(mistake.file)).parent.name == mistake.true != mistake.predicted
        assert np.array_equal(mistake.picture.permute(1, 2, 0), file) and np.array_equal(image, file)


def test_mistakes_do_not_depend_on_the_batches() -> None:
    generator = torch.Generator().manual_seed(3)
    scores = torch.randint(0, 3, (50, 4), generator=generator).float()  # with many equal ones
    labelled, counted = torch.randint(0, 4, (50,), generator=generator), torch.rand(50, generator=generator) > 0.2
    found = []
    for size in (50, 7, 1):
        worst = Worst(12)
        for part in zip(scores.split(size), labelled.split(size), counted.split(size)):
            worst.add(*part)
        found.append(worst.rows)
    assert len(found[0]) == 12
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    ties = found[0][:, 3].diff() == 0
    assert ties.any() and (found[0][:, 0].diff()[ties] > 0).all()


def test_a_network_without_mistakes_or_pictures(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SPEC.replace("[1, 12, 12]", "[2, 12, 12]").replace("epochs: 3", "epochs: 1")
    with pytest.raises(RunError, match=r"the network takes \[2, 12, 12\]"):
        train(text, tmp_path).evaluate(device="cpu", mistakes=3)
    with pytest.raises(ValueError, match="ask for some"):
        run.evaluate(device="cpu").mistakes_figure()
    monkeypatch.setattr("cnndsl.training.mistakes.Worst.add", lambda *_: None)
    done = cnndsl_("eval", run.path, "--device", "cpu", "--mistakes", tmp_path / "m.png")
    assert "there are no mistakes to draw" in done.stderr and not (tmp_path / "m.png").exists()


# --- inspect -------------------------------------------------------------------------------------


def test_filters_are_those_of_the_state(run: Run, pets: Run, tmp_path: Path) -> None:
    weight = run.module().state_dict()["0.weight"]
    assert torch.equal(run.filters().weight, weight) and run.filters().layer == "0"
    shown = images(run.filters().figure())
    assert np.array_equal(np.stack(shown), weight[:, 0].numpy())
    picture = run.filters("0").figure()
    limits = {image.get_clim() for image in picture.axes[0].get_images()}
    largest = float(weight.abs().max())
    assert limits == {(-largest, largest)}  # all alike
    colour = pets.module().state_dict()["0.weight"]
    expected = (colour / (2 * colour.abs().max()) + 0.5).permute(0, 2, 3, 1)
    assert np.allclose(np.stack(images(pets.filters().figure())), expected)
    path = tmp_path / "f.pdf"
    assert cnndsl_("inspect", run.path, "0", "--filters", path).stdout == f"{path}\n"


def test_filters_of_several_channels_of_one_pixel_and_of_too_many() -> None:
    weight = torch.randn(5, 4, 3, 3)
    shown = np.stack(images(Filters("net", "x", weight).figure())).reshape(4, 5, 3, 3)
    assert np.array_equal(shown, weight.transpose(0, 1).numpy())
    (matrix,) = images(Filters("net", "x", weight[:, :, :1, :1]).figure())
    assert np.array_equal(matrix, weight[:, :, 0, 0].numpy())
    signals = images(Filters("net", "x", torch.randn(6, 4, 9)).figure())
    assert [image.shape for image in signals] == [(4, 9)] * 6
    volumes = images(Filters("net", "x", torch.randn(6, 1, 5, 3, 3)).figure())
    assert len(volumes) == 30
    large = Filters("net", "x", torch.randn(300, 200, 3, 3)).figure()
    assert len(images(large)) == 24 * 24
    assert any("24 of 300 filters and 24 of 200 channels" in text.get_text() for text in large.axes[0].texts)
    assert images(Filters("net", "x", torch.full((2, 1, 3, 3), torch.nan)).figure())


@pytest.mark.parametrize("groups", [1, 2])
def test_the_filters_of_a_transposed_convolution_are_what_it_paints(groups: int) -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, groups=groups, bias=False)
    weight = filters_of("net", nn.Sequential(layer)).weight
    assert weight.shape == (6, 4 // groups, 3, 3)
    for channel in range(4):
        dot = torch.zeros(1, 4, 1, 1)
        dot[0, channel] = 1
        painted = layer(dot)[0]
        group, within = divmod(channel, 4 // groups)
        outputs = range(group * (6 // groups), (group + 1) * (6 // groups))
        for output in range(6):
            expected = weight[output, within] if output in outputs else torch.zeros(3, 3)
            assert torch.allclose(painted[output], expected)


def test_filters_are_those_that_a_parametrization_computes() -> None:
    layer = nn.utils.parametrizations.weight_norm(nn.Conv2d(2, 3, 3))
    image = torch.randn(1, 2, 5, 5)
    weight = filters_of("net", nn.Sequential(layer)).weight
    assert torch.allclose(functional.conv2d(image, weight, layer.bias), layer(image), atol=1e-6)
    with pytest.raises(RunError, match="`net` has no convolution"):
        filters_of("net", nn.Sequential(nn.Linear(2, 2)))


# --- predict -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["0", "1", "3"])
def test_feature_maps_are_those_of_the_first_layers(pets: Run, layer: str) -> None:
    """Also if the next layer works in place."""
    trained = Trained.of(pets)
    data = trained.data(Places(workers=0), CPU)
    ((found, _),) = data.test.batches(evaluation_plan(27, 100))
    file = data.test.pictures.files[5]  # type: ignore[attr-defined]
    module = trained.module(CPU)
    first = [*module.children()][: int(layer) + 1]
    with torch.no_grad():
        expected = nn.Sequential(*first)(found[5:6])[0]
    features = pets.features(file, layer, device="cpu")
    assert torch.allclose(features.maps, expected, atol=1e-6)
    assert np.array_equal(features.seen.permute(1, 2, 0), np.asarray(Image.open(file)))
    figure = features.figure()
    if expected.dim() > 1:
        picture, *maps = images(figure)[:5]
        assert np.array_equal(np.stack(maps), features.maps.numpy())
        assert np.array_equal(picture, np.asarray(Image.open(file)))
    else:
        (axes,) = figure.axes
        shown = axes.patches[0].get_data().values if len(expected) > 64 else [bar.get_height() for bar in axes.patches]
        assert np.allclose(shown, expected, atol=1e-6)


def test_bars_of_a_short_vector_have_gaps_and_whole_numbers() -> None:
    figure = Features("net", Path("x.png"), "fc", torch.zeros(1, 8, 8), torch.tensor([1.0, -2, 3, 4])).figure()
    (axes,) = figure.axes
    assert [bar.get_x() + bar.get_width() / 2 for bar in axes.patches] == pytest.approx(range(4))
    assert all(bar.get_width() < 1 for bar in axes.patches)
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_feature_maps_are_bounded_and_reduced_by_means() -> None:
    seen, maps = torch.zeros(1, 8, 16, dtype=torch.uint8), torch.randn(130, 200, 400)
    figure = Features("net", Path("x.png"), "1", seen, maps).figure()
    picture, *shown = images(figure)
    assert len(shown) == 127 and picture.shape == (8, 16, 3)
    assert np.allclose(shown[0], maps[0].unfold(0, 4, 4).unfold(1, 4, 4).mean((-1, -2)), atol=1e-5)
    assert any("the first 127 of 130 channels" in text.get_text() for text in figure.axes[0].texts)
    (line, *_) = images(Features("net", Path("x.png"), "1", seen, torch.randn(5, 9)).figure())[1:]
    assert line.shape == (5, 9)
    tall = Features("net", Path("x.png"), "1", seen, torch.randn(2, 3000, 1)).figure()
    assert [image.shape for image in images(tall)[1:]] == [(112, 1)] * 2 and tall.get_size_inches().max() < 5
    with pytest.raises(RunError, match="maps are"):
        Features("net", Path("x.png"), "1", seen, torch.randn(2, 2, 2, 2)).figure()


def test_a_layer_whose_output_cannot_be_taken() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.unused, self.inner = nn.ReLU(), nn.Identity()

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.inner(x), x

    module = nn.Sequential(Two())
    for layer, expected in {
        "0": "gives several",
        "0.unused": "is not run",
        "0.iner": "no layer",
        "": "no layer",
    }.items():
        with pytest.raises(RunError, match=expected):
            output_of("net", module, layer, lambda: module(torch.ones(1, 2)))
    maps, uses = output_of("net", module, "0.inner", lambda: module(torch.ones(1, 2)))
    assert torch.equal(maps, torch.ones(2)) and uses == 1
    assert not module[0].inner._forward_hooks


def test_of_a_reused_layer_the_first_use_is_drawn(tmp_path: Path) -> None:
    steps = "  - {name: a, ReLU: {}}\n  - Conv2d: [2, 3]\n  - {name: again, reuse: a}"
    run = train(SPEC.replace("epochs: 3", "epochs: 1").replace("  - ReLU", steps), tmp_path)
    Image.new("L", (12, 12), 100).save(tmp_path / "x.png")
    features = run.features(tmp_path / "x.png", "a", device="cpu")
    assert features.uses == 2 and features.maps.shape == (6, 10, 10)
    assert any("first of 2 uses" in text.get_text() for text in features.figure().findobj(Text))
    with pytest.raises(RunError, match="a `reuse` has the name of the layer that it uses again"):
        run.features(tmp_path / "x.png", "again", device="cpu")


PIXELS = """\
name: pixels
input: [1, 8, 8]
network:
  - Conv2d: {out_channels: 3, kernel_size: 3, padding: 1}
train:
  dataset: {Synthetic: {size: 32, test_size: 10}}
  epochs: 1
  batch_size: 8
  optimizer: {SGD: {lr: 0.1}}
"""


def test_the_mask_of_a_network_that_classifies_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = train(PIXELS, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    Image.fromarray(pixels).save("x.png")
    with torch.no_grad():
        expected = run.module()(torch.tensor(pixels)[None, None].float() / 255)[0].argmax(0)
    (prediction,) = run.predict("x.png", device="cpu")
    assert prediction.mask is not None and torch.equal(prediction.mask, expected)
    assert np.array_equal(prediction.seen[0], pixels)
    picture, over = images(prediction.figure())
    assert np.array_equal(picture[..., 0], pixels) and over.shape == (8, 8, 3)
    tints = over - 0.45 * pixels[..., None] / 255
    for label in expected.unique():
        assert np.ptp(tints[expected == label], axis=0).max() < 1e-6  # one colour for each class
    assert cnndsl_("predict", run.path, "x.png", "-o", "mask.svg", "--device", "cpu").stdout.endswith("mask.svg\n")
    refused = cnndsl_("eval", run.path, "--mistakes", "m.png", "--device", "cpu", code=1)
    assert "mistakes are of whole pictures" in refused.stderr


def test_only_masks_have_a_figure(run: Run, tmp_path: Path) -> None:
    Image.new("L", (12, 12), 100).save(tmp_path / "x.png")
    (prediction,) = run.predict(tmp_path / "x.png", device="cpu")
    with pytest.raises(ValueError, match="classifies pixels"):
        prediction.figure()


def test_feature_maps_have_a_name_by_default(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("L", (12, 12), 100).save("x.png")
    assert cnndsl_("predict", run.path, "x.png", "--features", "0", "--device", "cpu").stdout.endswith("\nx-0.png\n")
    told = json.loads(cnndsl_("predict", run.path, "x.png", "--features", "0", "--format", "json").stdout)
    assert told[0]["picture"] == "x.png" and Path("x-0.png").read_bytes().startswith(b"\x89PNG")


# --- notebooks -----------------------------------------------------------------------------------


def test_a_notebook_shows_a_training_in_place(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")

    class Client(nbclient.NotebookClient):
        updates = 0

        def process_message(self, message: Any, *rest: Any) -> Any:
            Client.updates += message["msg_type"] == "update_display_data"
            return super().process_message(message, *rest)

    (tmp_path / "tiny.yaml").write_text(SPEC)
    code = "import cnndsl\nrun = cnndsl.train('tiny.yaml', epochs=12, device='cpu', workers=0)\nrun.curves()"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    Client(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = notebook.cells[0].outputs
    shown = [output.data for output in outputs if output.output_type == "display_data"]
    assert len(shown) == 2 and Client.updates > 12
    assert shown[0]["text/plain"].startswith("epoch 12/12: loss ") and "<progress" in shown[0]["text/html"]
    (result,) = (output for output in outputs if output.output_type == "execute_result")
    assert shown[1]["image/png"] == result.data["image/png"]  # the last picture has all epochs
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "epoch 3/12" not in printed and "examples/sec on cpu" in printed
