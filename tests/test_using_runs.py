"""Using runs: listing, evaluating, predicting, inspecting and exporting."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import nn
from training_cases import SPEC

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe.datasets import DATASETS
from cnndsl.training import export as exporting
from cnndsl.training.checkpoint import Checkpoint, encode
from cnndsl.training.data import Places
from cnndsl.training.data.sources import PACKAGED
from cnndsl.training.export import FORMATS, TOLERANCE, Subject
from cnndsl.training.listing import run_rows
from cnndsl.training.plan import evaluation_plan
from cnndsl.training.progress import Progress
from cnndsl.training.run import Run
from cnndsl.training.run_folder import list_runs
from cnndsl.training.tensors import Statistics, tensors
from cnndsl.training.trained import Trained
from cnndsl.training.writer import RunWriter

CPU = torch.device("cpu")
PIXELS = """\
name: pixels
input: [1, 8, 8]
network:
  - Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}
  - ReLU
  - Conv2d: {out_channels: 3, kernel_size: 1}
train:
  dataset: {Synthetic: {size: 32, test_size: 10}}
  epochs: 1
  batch_size: 8
  optimizer: {SGD: {lr: 0.1}}
  loss: {CrossEntropyLoss: {ignore_index: 1}}
  scheduler: {OneCycleLR: {max_lr: 0.1}}
"""


def cnndsl_(*arguments: str | Path, code: int = 0) -> Result:
    done = CliRunner().invoke(cli, [*map(str, arguments)])
    assert done.exit_code == code, (done.output, done.exception)
    return done


def train(text: str, runs: Path, **options: Any) -> Run:
    return cnndsl.train(cnndsl.Text(text), runs=runs, quiet=True, device="cpu", workers=0, **options)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SPEC, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(PIXELS, tmp_path_factory.mktemp("runs"))


# --- eval ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["best", "last", "a file"])
def test_eval_gives_what_training_gave(run: Run, which: str) -> None:
    path = run.path / "last.pt" if which == "a file" else run.path
    options = () if which == "a file" else ("--checkpoint", which)
    result = json.loads(cnndsl_("eval", path, "--device", "cpu", "--format", "json", *options).stdout)
    line = Run(path).checkpoint(which).progress.epochs[-1]
    assert (result["epoch"], result["loss"], result["accuracy"]) == (line.epoch, line.test_loss, line.test_acc)
    confusion = torch.tensor(result["confusion"])
    assert confusion.shape == (4, 4) and confusion.sum() == result["samples"] == 60
    assert confusion.diag().sum() / 60 == pytest.approx(line.test_acc)
    assert [each["count"] for each in result["classes"]] == confusion.sum(1).tolist()
    assert [each["correct"] for each in result["classes"]] == confusion.diag().tolist()


def test_eval_counts_as_the_network_decides(run: Run) -> None:
    trained = Trained.of(run, "last")
    data, module = trained.data(Places(), CPU), trained.module(CPU)
    expected = torch.zeros(4, 4, dtype=torch.int64)
    with torch.no_grad():
        for images, labels in data.test.batches(evaluation_plan(len(data.test), 7)):
            for label, found in zip(labels, module(images).argmax(1)):
                expected[label, found] += 1
    result = run.evaluate("last", device="cpu")
    assert [*map(list, result.confusion)] == expected.tolist()
    worst = min(result.classes, key=lambda each: each.accuracy or 0)
    others = {name: count for name, count in enumerate(expected[int(worst.name)].tolist()) if name != int(worst.name)}
    assert (worst.taken_for is None) == (not any(others.values()))
    assert worst.taken == max(others.values())


def test_eval_computes_in_the_precision_of_the_training(tmp_path: Path) -> None:
    run = train(SPEC, tmp_path, precision="bf16", epochs=1, resize=10)
    line = run.checkpoint("last").progress.epochs[-1]
    result = run.evaluate("last", device="cpu")
    assert (result.loss, result.accuracy) == (line.test_loss, line.test_acc)
    with torch.no_grad():
        exact = Trained.of(run).module(CPU)(torch.rand(2, 1, 10, 10))
    assert exact.dtype == torch.float32


def test_eval_of_a_class_for_each_pixel_leaves_out_what_the_loss_ignores(pixels: Run) -> None:
    line = pixels.checkpoint("last").progress.epochs[-1]
    result = pixels.evaluate("last", device="cpu")
    assert (result.loss, result.accuracy) == (line.test_loss, line.test_acc)
    confusion = torch.tensor(result.confusion)
    assert confusion[1].sum() == 0
    assert 0 < confusion.sum() < 10 * 64
    assert result.classes[1].accuracy is None
    assert "pixels" in cnndsl_("eval", pixels.path, "--device", "cpu").stdout


def test_eval_shows_classes_where_they_are_few_or_asked_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    line = run.checkpoint("best").progress.epochs[-1]
    shown = cnndsl_("eval", run.path, "--device", "cpu").stdout
    assert f"loss {line.test_loss:.3f}, test acc {line.test_acc:.4f}" in shown
    assert f"tiny after {line.epoch} epoch" in shown and "60 test samples of Synthetic, cpu" in shown
    assert "mostly taken for" in shown
    assert "mostly taken for" not in cnndsl_("eval", run.path, "--device", "cpu", "--no-classes").stdout
    monkeypatch.setattr("cnndsl.cli.eval.FEW", 3)
    assert "mostly taken for" not in cnndsl_("eval", run.path, "--device", "cpu").stdout
    assert "mostly taken for" in cnndsl_("eval", run.path, "--device", "cpu", "--classes").stdout


# --- pictures ------------------------------------------------------------------------------------

FOLDER = """\
name: pictures
input: [3, 12, 12]
network:
  - Conv2d: {out_channels: 4, kernel_size: 3}
  - ReLU
  - Flatten
  - Linear: 3
train:
  dataset: {ImageFolder: {root: pets}}
  resize: 16
  augment: [RandomHorizontalFlip, {CenterCrop: 14}, {Normalize: [[0.5, 0.4, 0.3], [0.2, 0.3, 0.4]]}]
  epochs: 1
  batch_size: 4
  optimizer: {SGD: {lr: 0.05}}
"""


def make_pictures(root: Path, classes: tuple[str, ...]) -> Path:
    """Pictures of several sizes, in colour and grey."""
    generator = torch.Generator().manual_seed(1)
    for part, count in (("train", 4), ("test", 3)):
        for label, name in enumerate(classes):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                shape = (18 + number, 24 - label, 3)
                pixels = torch.randint(256, shape, generator=generator, dtype=torch.uint8).numpy()
                picture = Image.fromarray(pixels).convert("L" if number == 1 else "RGB")
                picture.save(root / part / name / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("data") / "pets", ("cat", "dog", "owl"))


@pytest.fixture(scope="module")
def pets_run(pets: Path) -> Run:
    return train(FOLDER, pets.parent / "runs", dataset={"ImageFolder": {"root": str(pets)}})


def test_predict_sees_pictures_as_the_test_does(pets: Path, pets_run: Run) -> None:
    trained = Trained.of(pets_run)
    data = trained.data(Places(workers=0), CPU)
    ((images, _),) = data.test.batches(evaluation_plan(9, 9))
    assert images.shape[1:] == (3, 14, 14)
    with torch.no_grad():
        expected = trained.module(CPU)(images).softmax(1)
    files = sorted((pets / "test").rglob("*.png"))
    told = json.loads(cnndsl_("predict", pets_run.path, *files, "--device", "cpu", "--format", "json").stdout)
    assert [each["picture"] for each in told] == [*map(str, files)]
    for picture, row in zip(told, expected):
        found = {each["class"]: each["probability"] for each in picture["classes"]}
        assert [found[name] for name in ("cat", "dog", "owl")] == pytest.approx(row.tolist(), abs=1e-6)
        assert [*found.values()] == sorted(found.values(), reverse=True)
        assert all(("cat", "dog", "owl")[each["label"]] == each["class"] for each in picture["classes"])


def test_predict_tells_of_a_picture_that_cannot_be_read_and_goes_on(pets: Path, pets_run: Run, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.png", pets / "test" / "owl" / "0.png"
    bad.write_text("no picture")
    done = cnndsl_("predict", pets_run.path, bad, tmp_path / "none.png", good, "--top", 1, "--device", "cpu", code=2)
    assert f"error[CNN202]: {bad} cannot be read as a picture" in done.stderr
    assert f"{tmp_path / 'none.png'} cannot be read" in done.stderr
    assert done.stderr.count("help: name the file of a picture") == 2 and "ImageFolder" not in done.stderr
    first, second, *rest = done.stdout.splitlines()
    assert first == str(good) and second.split()[0] in ("cat", "dog", "owl") and not rest
    told = json.loads(
        cnndsl_("predict", pets_run.path, bad, good, "--device", "cpu", "--format", "json", code=2).stdout
    )
    assert told[0]["error"]["code"] == "CNN202"
    assert len(told[1]["classes"]) == 3
    with pytest.raises(RunError, match="cannot be read"):
        pets_run.predict(bad)


def test_predict_tells_shares_where_each_pixel_has_a_class(pixels: Run, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("L", (8, 8), 200).save(path)
    (prediction,) = pixels.predict(path, device="cpu")
    assert prediction.pixels
    assert sum(guess.probability for guess in prediction.guesses) == pytest.approx(1)
    assert "shares of its pixels" in cnndsl_("predict", pixels.path, path, "--device", "cpu").stdout


def test_pictures_that_are_passed_over_are_listed(pets: Path, tmp_path: Path) -> None:
    """By `train`, in its run, and by `eval`."""
    shutil.copytree(pets, tmp_path / "pets")
    broken = next((tmp_path / "pets").rglob("*.png"))
    broken.write_text("text")
    spec = tmp_path / "pets.yaml"
    spec.write_text(FOLDER)
    asked = ("--data", tmp_path / "pets", "--workers", 0)
    assert "cannot be read as a picture" in cnndsl_("train", spec, "--runs", tmp_path / "a", *asked, code=1).stderr
    done = cnndsl_("train", spec, "--runs", tmp_path / "b", *asked, "--skip-unreadable")
    line = f"{broken} cannot be read as a picture: "
    assert "1 picture left out\n" in done.stdout and f"  {line}" in done.stdout
    (path,) = (tmp_path / "b").glob("*/*")
    (listed,) = Run(path).info["skipped"]
    assert listed.startswith(line)
    assert line in cnndsl_("eval", path, "--workers", 0).stdout
    again = cnndsl_("eval", path, *asked, "--skip-unreadable", "--format", "json")
    assert json.loads(again.stdout)["skipped"] == [listed]


def test_eval_with_pictures_of_another_folder(pets: Path, pets_run: Run, tmp_path: Path) -> None:
    there = shutil.copytree(pets, tmp_path / "moved")
    shutil.rmtree(there / "test" / "cat")
    (there / "test" / "cat").mkdir()
    options = ("--device", "cpu", "--workers", 0, "--format", "json")
    assert json.loads(cnndsl_("eval", pets_run.path, *options).stdout)["samples"] == 9
    assert json.loads(cnndsl_("eval", pets_run.path, "--data", there, *options).stdout)["samples"] == 6
    other = make_pictures(tmp_path / "other", ("cat", "dog", "wolf"))
    refused = cnndsl_("eval", pets_run.path, "--data", other, *options, code=1)
    assert "error[CNN202]" in refused.stderr and "does not have the classes" in refused.stderr
    assert "trained for cat, dog, owl" in refused.stderr and "there are cat, dog, wolf" in refused.stderr
    gone = cnndsl_("eval", pets_run.path, "--data", tmp_path / "gone", *options, code=2)
    assert "error[CNN201]" in gone.stderr


def test_eval_uses_every_picture_of_a_folder(pets_run: Run, tmp_path: Path) -> None:
    """Whichever layout it has; some classes may be missing."""
    options = ("--device", "cpu", "--workers", 0, "--format", "json")
    make_pictures(tmp_path / "new", ("cat", "dog"))
    for layout, samples in (("new", 6), ("new/train", 8)):
        told = json.loads(cnndsl_("eval", pets_run.path, "--data", tmp_path / layout, *options).stdout)
        assert (told["samples"], [each["count"] for each in told["classes"]]) == (samples, [samples // 2] * 2 + [0])


def test_a_damaged_checkpoint_is_reported_when_an_older_one_is_used(run: Run, tmp_path: Path) -> None:
    copied = shutil.copytree(run.path, tmp_path / "run")
    with (copied / "last.pt").open("r+b") as file:
        file.seek(2000)
        file.write(b"xxxx")
    done = cnndsl_("eval", copied, "--checkpoint", "last", "--device", "cpu")
    assert "last.pt" in done.stderr and "using last.before.pt" in done.stderr and "Warning" not in done.stderr
    with pytest.warns(UserWarning, match="using last.before.pt"):
        cnndsl.load_run(copied).module("last")


@pytest.mark.skipif(not PACKAGED["FashionMNIST"][0].is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_as_it_is(tmp_path: Path) -> None:
    """A network that was not trained, on the 10,000 test images: the test set by hand, and a picture of it."""
    classes = DATASETS["FashionMNIST"].classes
    text = SPEC.replace("[1, 12, 12]", "[1, 28, 28]").replace("classes: 4", "classes: 10")
    text = text.replace("{Synthetic: {size: 150, test_size: 60}}", "FashionMNIST").replace("32", "1000")
    net = cnndsl.loads(text)
    torch.manual_seed(0)
    module = net.module().eval()
    spec = net.graph.document.resolved()
    checkpoint = Checkpoint(spec, (1, 28, 28), classes, module.state_dict(), {}, Progress(), {})
    path = tmp_path / "fresh.pt"
    path.write_bytes(encode(checkpoint))

    test = Trained.of(Run(path)).data(Places(), CPU).test
    ((images, labels),) = test.batches(evaluation_plan(10_000, 10_000))
    with torch.no_grad():
        right = torch.cat([module(part).argmax(1) for part in images.split(1000)]) == labels
    result = json.loads(cnndsl_("eval", path, "--device", "cpu", "--format", "json").stdout)
    assert result["accuracy"] == right.sum().item() / 10_000
    by_class = [right[labels == label].double().mean().item() for label in range(10)]
    assert [each["accuracy"] for each in result["classes"]] == pytest.approx(by_class)
    assert [each["class"] for each in result["classes"]] == [*classes]

    picture = tmp_path / "boot.png"
    Image.fromarray((images[0, 0] * 255).round().byte().numpy()).save(picture)
    (prediction,) = Run(path).predict(picture, device="cpu")
    with torch.no_grad():
        expected = module(images[:1]).softmax(1)[0]
    assert prediction.guesses[0].name == classes[int(expected.argmax())]
    assert prediction.guesses[0].probability == pytest.approx(expected.max().item(), abs=1e-6)


# --- inspect -------------------------------------------------------------------------------------


def test_inspect_lists_every_tensor(run: Run) -> None:
    state = run.module().state_dict()
    rows = json.loads(cnndsl_("inspect", run.path, "--format", "json").stdout)
    assert [row["tensor"] for row in rows] == [*state]
    for row, value in zip(rows, state.values()):
        assert row["shape"] == list(value.shape)
        assert "values" not in row and row["nonfinite"] == 0
        exact = value.double()
        expected = [exact.mean(), exact.std(correction=0), exact.min(), exact.max(), (exact == 0).double().mean()]
        found = [row[key] for key in ("mean", "std", "min", "max", "zeros")]
        assert found == pytest.approx([float(number) for number in expected], rel=1e-4, abs=1e-6)
    for form in ("table", "plain"):
        shown = cnndsl_("inspect", run.path, "--format", form).stdout
        assert all(name in shown for name in state)
        assert f"{len(state)} tensors" in shown


def test_inspect_shows_a_learned_scale_and_shift(run: Run) -> None:
    state = run.module().state_dict()
    shown = cnndsl_("inspect", run.path, "1").stdout
    assert f"1.weight, the learned scale\n{state['1.weight']}\n" in shown
    assert f"1.bias, the learned shift\n{state['1.bias']}\n" in shown
    assert f"1.running_mean\n{state['1.running_mean']}\n" in shown
    assert "0.weight" not in shown
    (row,) = json.loads(cnndsl_("inspect", run.path, "1.bias", "--format", "json").stdout)
    assert (row["layer"], row["role"]) == ("BatchNorm2d", "shift")
    assert row["values"] == state["1.bias"].tolist()
    (row,) = json.loads(cnndsl_("inspect", run.path, "6.bias", "--format", "json").stdout)
    assert (row["layer"], row["role"]) == ("Linear", None)


def test_inspect_of_what_is_not_there_and_of_what_has_no_tensors(run: Run) -> None:
    assert "`2` has no tensors" in cnndsl_("inspect", run.path, "2").stdout
    for wrong, meant in (("1.wieght", "1.weight"), ("6.Bias", "6.bias")):
        refused = cnndsl_("inspect", run.path, wrong, code=2)
        assert f"`tiny` has no layer `{wrong}`" in refused.stderr
        assert f"did you mean `{meant}`?" in refused.stderr


def test_a_prefix_of_a_name_is_not_its_module() -> None:
    layers = "\n".join("  - Conv2d: {out_channels: 1, kernel_size: 1}" for _ in range(11))
    net = cnndsl.loads(f"input: [1, 4, 4]\nnetwork:\n{layers}\n")
    state = net.module().state_dict()
    assert [info.name for info in tensors(net, state, "1")] == ["1.weight", "1.bias"]
    assert [info.name for info in tensors(net, state, "10.bias")] == ["10.bias"]


def test_statistics_are_of_finite_values() -> None:
    found = Statistics.of(torch.tensor([1.0, float("nan"), 3.0, float("inf"), 0.0, -float("inf")]))
    assert (found.mean, found.min, found.max, found.nonfinite) == (pytest.approx(4 / 3), 0, 3, 3)
    assert found.zeros == pytest.approx(1 / 3)
    nothing = Statistics.of(torch.full((2,), float("nan")))
    assert nothing.nonfinite == 2 and nothing.mean != nothing.mean


@pytest.fixture
def broken(run: Run, tmp_path: Path) -> Path:
    """A checkpoint with a weight that is not a number."""
    checkpoint = run.checkpoint("last")
    state = {name: value.clone() for name, value in checkpoint.module.items()}
    state["1.bias"][2] = float("nan")
    path = tmp_path / "broken.pt"
    path.write_bytes(
        encode(Checkpoint(checkpoint.spec, (1, 12, 12), checkpoint.classes, state, {}, checkpoint.progress, {}))
    )
    return path


def strict(text: str) -> Any:
    """What a program in any language reads: JSON has no NaN and no Infinity."""

    def refused(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refused)


def test_json_has_null_for_what_is_not_finite(broken: Path, tmp_path: Path) -> None:
    assert strict(cnndsl_("eval", broken, "--device", "cpu", "--format", "json").stdout)["loss"] is None
    picture = tmp_path / "grey.png"
    Image.new("L", (12, 12), 100).save(picture)
    (told,) = strict(cnndsl_("predict", broken, picture, "--device", "cpu", "--format", "json").stdout)
    assert [each["probability"] for each in told["classes"]] == [None] * 4


def test_run_json_has_null_for_what_is_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "net" / "2026-01-01T00-00-00"
    path.mkdir(parents=True)
    writer = RunWriter(path, {})
    writer.note(results={"epoch": 2, "loss": float("inf"), "test_acc": 0.5}, sample=(1, float("nan")))
    writer.close()
    assert strict((path / "run.json").read_text())["sample"] == [1, None]
    (row,) = run_rows(list_runs(tmp_path))
    assert (row.epoch, row.loss, row.test_acc) == (2, None, 0.5)


def test_inspect_json_has_null_for_what_is_not_finite(broken: Path) -> None:
    (row,) = strict(cnndsl_("inspect", broken, "1.bias", "--format", "json").stdout)
    assert row["values"][2] is None and None not in row["values"][:2]
    assert row["nonfinite"] == 1
    assert "nan/inf" in cnndsl_("inspect", broken, "1").stdout


# --- export --------------------------------------------------------------------------------------


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


ONNX = needs("onnx", "onnxscript")
SAFETENSORS = needs("safetensors")


def read_onnx(path: Path) -> tuple[Callable[[torch.Tensor], torch.Tensor], dict[str, str]]:
    """Uses onnx's own evaluator, whichever one cnndsl used."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    session = ReferenceEvaluator(model)
    facts = {item.key: item.value for item in model.metadata_props}
    return lambda images: torch.from_numpy(session.run(None, {"x": images.numpy()})[0]), facts


def read_pt2(path: Path) -> tuple[Callable[[torch.Tensor], torch.Tensor], dict[str, str]]:
    facts = dict.fromkeys(("generator", "classes", "spec"), "")
    return torch.export.load(path, extra_files=facts).module(), facts


@pytest.mark.filterwarnings("ignore:`torch.jit")
def read_torchscript(path: Path) -> tuple[Callable[[torch.Tensor], torch.Tensor], dict[str, str]]:
    facts = dict.fromkeys(("generator", "classes", "spec"), "")
    return torch.jit.load(path, _extra_files=facts), {key: text.decode() for key, text in facts.items()}


def read_safetensors(path: Path) -> tuple[Callable[[torch.Tensor], torch.Tensor], dict[str, str]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        facts = file.metadata()
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # The names are those of the plain module: the file loads into the emitted source.
    module = cnndsl.loads(facts["spec"]).module()
    module.load_state_dict(state)
    return module.eval(), facts


READ = {"onnx": read_onnx, "pt2": read_pt2, "torchscript": read_torchscript, "safetensors": read_safetensors}


@pytest.mark.filterwarnings("ignore:`torch.jit", "error:No complete tensor found")
@pytest.mark.parametrize(
    "form",
    [pytest.param("onnx", marks=ONNX), "pt2", "torchscript", pytest.param("safetensors", marks=SAFETENSORS)],
)
def test_export_gives_what_the_module_does(
    run: Run, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = cnndsl_("export", run.path, "--format", form, "--checkpoint", "last")
    path = Path(f"tiny{FORMATS[form].ending}")
    assert done.stdout == f"{path}\n"
    assert done.stderr.startswith("checked (")
    assert [*tmp_path.iterdir()] == [tmp_path / path]
    found, facts = READ[form](path)
    assert facts["generator"].startswith("Generated by cnndsl")
    assert json.loads(facts["classes"]) == ["0", "1", "2", "3"]
    assert facts["spec"] == (run.path / "spec.yaml").read_text()
    images = torch.rand(5, 1, 12, 12)
    with torch.no_grad():
        torch.testing.assert_close(found(images), run.module("last")(images), rtol=1e-4, atol=1e-5)
    cnndsl_("export", run.path, "--format", form)  # overwrites our own file


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize(
    "form", [pytest.param("onnx", marks=ONNX), "pt2", "torchscript", pytest.param("safetensors", marks=SAFETENSORS)]
)
def test_export_tells_nothing_of_this_machine_and_is_the_same_twice(run: Run, form: str, tmp_path: Path) -> None:
    files = [tmp_path / name / f"x{FORMATS[form].ending}" for name in ("one", "two")]
    for path in files:
        path.parent.mkdir()
        run.export(path, form, "last")
    one, two = map(parts, files)
    assert one == two
    for name, data in one.items():
        for word in (b"site-packages", b"_emitted", b".export-", str(tmp_path).encode(), str(Path.home()).encode()):
            assert word not in data and word not in name.encode(), (name, word)


NESTED = """
input: [3, 12, 12]
blocks:
  Unit(channels):
    - residual: [{Conv2d: [$channels, 3, 1, 1]}, BatchNorm2d, ReLU, {Conv2d: [$channels, 3, 1, 1]}]
    - ReLU
network:
  - {name: stem, Conv2d: [4, 3]}
  - {name: stage, sequential: [{Unit: 4}, {Unit: 4}]}
  - AdaptiveAvgPool2d: 1
  - Flatten
  - {name: head, Linear: 2}
"""


UNIT = ("conv1/Conv", "relu1/Relu", "conv2/Conv", "Add", "relu2/Relu")


def exported(form: str, path: Path) -> None:
    module = cnndsl.loads(NESTED).module().eval()
    with torch.no_grad():
        FORMATS[form].write(Subject(module, ("x", "output"), (3, 12, 12), None, {}), path)


@ONNX
def test_onnx_has_the_hierarchy_of_modules(tmp_path: Path) -> None:
    """Netron and Model Explorer take it from the nodes' names, or from their namespaces."""
    import onnx

    exported("onnx", tmp_path / "x.onnx")
    nodes = onnx.load(tmp_path / "x.onnx").graph.node
    units = [[f"/stage/{unit}/{name}" for name in UNIT] for unit in (0, 1)]
    assert [node.name for node in nodes] == [
        *("/stem/Conv", *units[0], *units[1]),
        *("/2/ReduceMean", "/3/Reshape", "/head/Gemm"),
    ]
    told = {node.name: {item.key: item.value for item in node.metadata_props} for node in nodes}
    assert told["/stage/1/conv2/Conv"] == {"namespace": "stage: Sequential/1: Unit/conv2: Conv2d"}
    assert told["/stage/1/Add"] == {"namespace": "stage: Sequential/1: Unit"}


def test_pt2_has_the_hierarchy_of_modules(tmp_path: Path) -> None:
    """Model Explorer takes it from the stack of modules, and so does ``torch.export.unflatten``."""
    exported("pt2", tmp_path / "x.pt2")
    program = torch.export.load(tmp_path / "x.pt2")
    stacks = [[*node.meta["nn_module_stack"].values()] for node in program.graph.nodes if node.op == "call_function"]
    around = [("", "Network"), ("stage", "Sequential"), ("stage.1", "Unit")]
    assert [*around, ("stage.1.conv2", "Conv2d")] in stacks and around in stacks
    images = torch.rand(2, 3, 12, 12)
    flat, nested = program.module(), torch.export.unflatten(program)
    assert isinstance(nested.get_submodule("stage.1.conv2"), nn.Module)
    assert torch.equal(flat(images), nested(images))


def parts(path: Path) -> dict[str, bytes]:
    """The records of an archive, or a whole file."""
    if not zipfile.is_zipfile(path):
        return {"": path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_no_warning_of_torchs_comes_through_an_export(run: Run, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.export(tmp_path / "x.bin", "pt2", "last")


@pytest.mark.parametrize("form", [pytest.param("onnx", marks=ONNX), "pt2"])
def test_export_for_one_size_of_batch(run: Run, form: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    done = cnndsl_("export", run.path, "--format", form, "--batch", 4, "-o", path)
    assert "batches of 4)" in done.stderr
    found, _ = READ[form](path)
    assert found(torch.rand(4, 1, 12, 12)).shape == (4, 4)
    if form == "pt2":
        with pytest.raises(AssertionError):
            found(torch.rand(5, 1, 12, 12))


@pytest.mark.parametrize(
    "options",
    [("torchscript", "--batch", "2"), ("safetensors", "--batch", "dynamic"), ("pt2", "--batch", "0"), ("bmp",)],
)
def test_export_refuses_what_makes_no_sense(run: Run, options: tuple[str, ...], tmp_path: Path) -> None:
    form, *rest = options
    cnndsl_("export", run.path, "--format", form, *rest, "-o", tmp_path / "x", code=2)
    assert not [*tmp_path.iterdir()]


def test_export_makes_no_folder(run: Run, tmp_path: Path) -> None:
    done = cnndsl_("export", run.path, "--format", "safetensors", "-o", tmp_path / "none" / "x.safetensors", code=2)
    assert f"there is no folder {tmp_path / 'none'}" in " ".join(done.stderr.split())
    assert [*tmp_path.iterdir()] == []


@ONNX
def test_export_is_checked_by_onnx_itself_where_there_is_no_onnxruntime(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "onnxruntime")
    done = run.export(tmp_path / "x.onnx", "onnx")
    assert "reference evaluator of onnx" in done.checked
    assert done.difference < TOLERANCE


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name in packages else find(name, *more)
    )


def test_export_says_which_package_is_missing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "onnxscript", "safetensors")
    for form, command in (("onnx", "`pip install onnx onnxscript`"), ("safetensors", "`pip install safetensors`")):
        done = cnndsl_("export", run.path, "--format", form, "-o", tmp_path / "x", code=1)
        assert "error[CNN210]" in done.stderr and command in done.stderr
    assert not [*tmp_path.iterdir()]


def test_export_keeps_what_is_not_ours(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt2"
    path.write_bytes(b"mine")
    done = cnndsl_("export", run.path, "--format", "pt2", "-o", path, code=2)
    assert "was not written by cnndsl" in done.stderr and "--force" in done.stderr
    assert path.read_bytes() == b"mine"
    cnndsl_("export", run.path, "--format", "pt2", "-o", path, "--force")
    assert path.read_bytes() != b"mine"


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("form", ["pt2", "torchscript", pytest.param("safetensors", marks=SAFETENSORS)])
def test_a_file_that_gives_something_else_is_not_left(
    run: Run, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"Generated by cnndsl before")
    write = type(FORMATS[form]).write

    def spoilt(self: exporting.Format, subject: exporting.Subject, path: Path) -> None:
        """A file with different weights."""
        kept = {name: value.clone() for name, value in subject.module.state_dict().items()}
        with torch.no_grad():
            subject.module.get_parameter("6.bias")[1] += 0.5
        write(self, subject, path)
        subject.module.load_state_dict(kept)

    monkeypatch.setattr(type(FORMATS[form]), "write", spoilt)
    done = cnndsl_("export", run.path, "--format", form, "-o", path, code=1)
    assert "error[CNN210]" in done.stderr and "differs from the module" in done.stderr
    assert ("`6.bias`" if form == "safetensors" else "differ by up to 0.5") in done.stderr
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == b"Generated by cnndsl before"


def test_what_torch_cannot_export_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any) -> None:
        raise ValueError("what is this?\nmore") from TypeError("the batch was not understood\nmore")

    monkeypatch.setattr(exporting.Pt2, "write", fails)
    done = cnndsl_("export", run.path, "--format", "pt2", "-o", tmp_path / "x", code=1)
    assert "torch cannot export `tiny` as pt2" in done.stderr
    assert "TypeError: the batch was not understood" in done.stderr


def test_export_where_nothing_can_be_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = cnndsl_("export", run.path, "--format", "pt2", "-o", tmp_path / "file" / "x.pt2", code=2)
    assert "error[CNN207]" in done.stderr


@pytest.mark.parametrize("count", [1, 3])
def test_outputs_that_are_not_numbers_are_compared(count: int) -> None:
    class Strange(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack((x.flatten(1).sum(1), torch.full((len(x),), torch.nan)), 1)

    subject = exporting.Subject(Strange(), ("x", "output"), (1, 2, 2), count, {})
    assert exporting._compare(subject, subject.module) == 0
    with pytest.raises(exporting.Different, match="differ"):
        exporting._compare(subject, lambda images: subject.module(images).nan_to_num())
    with pytest.raises(exporting.Different, match="instead of"):
        exporting._compare(subject, lambda images: images)


# --- runs ----------------------------------------------------------------------------------------


def write_run(root: Path, name: str, time: str, info: object) -> Path:
    path = root / name / time
    path.mkdir(parents=True)
    (path / "run.json").write_text(json.dumps(info))
    return path


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    results = {"epoch": 2, "loss": 0.5, "train_acc": 0.81, "test_acc": 0.75, "examples_per_s": 1234.5}
    recipe = {"epochs": 3}
    first = {"state": "interrupted", "device": "cpu", "recipe": recipe}
    write_run(root, "lenet", "2026-01-02T00-00-00", first | {"results": results | {"best_test_acc": 0.8}})
    write_run(root, "vgg", "2026-01-01T00-00-00", {"state": "running", "device": "cuda:0", "processes": 4})
    best = {"state": "finished", "results": results | {"best_test_acc": 0.9}, "recipe": recipe, "device": "cpu"}
    write_run(root, "lenet", "2026-01-03T00-00-00", best)
    write_run(root, "odd", "2026-01-04T00-00-00", ["no", "mapping"])
    return root


def test_runs_as_json_csv_and_tables(listed: Path) -> None:
    rows = json.loads(cnndsl_("runs", "--runs", listed, "--format", "json").stdout)
    assert [row["time"][:10] for row in rows] == [f"2026-01-0{day}" for day in range(1, 5)]
    assert [row["state"] for row in rows] == ["killed", "interrupted", "finished", "unknown"]
    assert rows[1] == {
        "path": str(listed / "lenet" / "2026-01-02T00-00-00"),
        "name": "lenet",
        "time": "2026-01-02T00-00-00",
        "params": {},
        "state": "interrupted",
        "epoch": 2,
        "epochs": 3,
        "loss": 0.5,
        "train_acc": 0.81,
        "test_acc": 0.75,
        "best_test_acc": 0.8,
        "examples_per_s": 1234.5,
        "device": "cpu",
    }
    assert rows[0]["device"] == "4 x cuda" and rows[0]["best_test_acc"] is None
    done = cnndsl_("runs", "--runs", listed, "--format", "csv").stdout
    assert [row["path"] for row in csv.DictReader(done.splitlines())] == [row["path"] for row in rows]
    for form in ("table", "plain"):
        lines = cnndsl_("runs", "--runs", listed, "--format", form).stdout.splitlines()
        line = next(line for line in lines if "2026-01-02" in line)
        assert line.split()[1:] == ["interrupted", "2/3", "0.500", "0.810", "0.750", "0.800", "1,234", "cpu"]


def test_runs_by_name_and_by_accuracy(listed: Path) -> None:
    rows = json.loads(cnndsl_("runs", "--runs", listed, "--sort", "test_acc", "--format", "json").stdout)
    assert [row["best_test_acc"] for row in rows] == [0.9, 0.8, None, None]
    rows = json.loads(cnndsl_("runs", "vgg", "--runs", listed, "--format", "json").stdout)
    assert [row["name"] for row in rows] == ["vgg"]
    unknown = cnndsl_("runs", "lenett", "--runs", listed, code=2)
    assert "there are no runs of `lenett`" in unknown.stderr and "did you mean `lenet`?" in unknown.stderr


def test_runs_where_there_are_none(tmp_path: Path) -> None:
    done = cnndsl_("runs", "--runs", tmp_path / "runs")
    assert done.stdout == "" and "`cnndsl train SPEC` starts one" in done.stderr
    assert cnndsl_("runs", "--runs", tmp_path, "--format", "json").stdout == "[]\n"


def test_a_run_of_ours_is_listed(run: Run) -> None:
    (row,) = json.loads(cnndsl_("runs", "--runs", run.path.parent.parent, "--format", "json").stdout)
    line = run.checkpoint("last").progress.epochs[-1]
    assert (row["path"], row["state"], row["epoch"], row["epochs"]) == (str(run.path), "finished", 3, 3)
    assert (row["loss"], row["train_acc"], row["test_acc"]) == (line.loss, line.train_acc, line.test_acc)
    assert row["best_test_acc"] == max(epoch.test_acc for epoch in run.checkpoint("last").progress.epochs)


def test_runs_are_listed_without_torch(listed: Path) -> None:
    code = (
        "import sys\n"
        "from cnndsl.cli import cli\n"
        f"cli(['runs', '--runs', {str(listed)!r}], standalone_mode=False)\n"
        "sys.exit('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "interrupted" in done.stdout


# --- for all of them -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", [["eval"], ["predict", "x.png"], ["inspect"], ["export", "--format", "pt2"]])
def test_a_run_that_is_not_there(command: list[str], tmp_path: Path) -> None:
    verb, *rest = command
    for path in (tmp_path, tmp_path / "none"):
        done = CliRunner().invoke(cli, [verb, str(path), *rest])
        assert done.exit_code in (1, 2) and isinstance(done.exception, SystemExit)
        assert f"error[{Code.CHECKPOINT.id}]" in done.stderr and "`cnndsl runs`" in done.stderr
    assert not [*tmp_path.iterdir()]


def test_python_has_the_same(run: Run) -> None:
    again = cnndsl.load_run(run.path / "last.pt")
    line = run.checkpoint("last").progress.epochs[-1]
    assert again.evaluate(device="cpu").accuracy == line.test_acc
