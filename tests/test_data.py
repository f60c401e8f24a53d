"""Data sets: finding, reading and preparing them, and the errors."""

from __future__ import annotations

import gzip
import os
import pickle
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor
from torchvision.transforms import ToTensor, v2

from cnndsl.diagnostics import Code, RunError
from cnndsl.recipe import Recipe
from cnndsl.source import Source, Span
from cnndsl.spec.calls import FunctionCall
from cnndsl.training.augment import RandomHorizontalFlip, Resize
from cnndsl.training.data import Batch, Data, Places, memory, open_data, prepare_image, sources
from cnndsl.training.data.idx import read_idx
from cnndsl.training.data.layout import read_folder
from cnndsl.training.data.memory import MemorySplit, Samples, resized
from cnndsl.training.data.pictures import Unreadable, decode
from cnndsl.training.prepare import Preparation

CPU = torch.device("cpu")
PLACE = Span(Source("small.yaml", "train"), 0, 5)
#: An address without a server: nothing may listen on port 1.
NOBODY = "http://127.0.0.1:1/"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def call(name: str, **arguments: Any) -> FunctionCall:
    return FunctionCall(name, arguments, PLACE)


def recipe(dataset: FunctionCall | str = "FashionMNIST", *augment: FunctionCall, **keys: Any) -> Recipe:
    dataset = call(dataset) if isinstance(dataset, str) else dataset
    return Recipe(dataset, 1, 4, call("SGD"), call("CrossEntropyLoss"), augment=augment, **keys)


def plan(*batches: Sequence[int], seed: int = 1) -> list[Batch]:
    return [Batch(torch.tensor(indices), seed + number) for number, indices in enumerate(batches)]


def error(code: Code, call: Callable[[], object]) -> str:
    """The whole error message of a call."""
    with pytest.raises(RunError) as raised:
        call()
    assert raised.value.diagnostic.code is code
    return str(raised.value)


@pytest.fixture(autouse=True)
def only_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides this machine's data and network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CNNDSL_DATA_DIR", raising=False)
    monkeypatch.setitem(sources.PACKAGED, "FashionMNIST", (tmp_path / "packaged", "dataset-fashion-mnist"))
    for name in ("MNIST", "FashionMNIST", "KMNIST"):
        monkeypatch.setattr(getattr(torchvision.datasets, name), "mirrors", [NOBODY])
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", f"{NOBODY}cifar.tar.gz")
    monkeypatch.setenv("no_proxy", "*")


# Files as MNIST's


def idx(array: Any) -> bytes:
    array = np.asarray(array, dtype=np.uint8)
    header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


def arrays(train: int = 12, test: int = 6, classes: int = 10) -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "train-images-idx3-ubyte": random.integers(0, 256, (train, 28, 28)),
        "train-labels-idx1-ubyte": np.arange(train) % classes,
        "t10k-images-idx3-ubyte": random.integers(0, 256, (test, 28, 28)),
        "t10k-labels-idx1-ubyte": np.arange(test) % classes,
    }


def write(folder: Path, content: Mapping[str, Any], zipped: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in content.items():
        path = folder / (f"{name}.gz" if zipped else name)
        path.write_bytes(gzip.compress(idx(array)) if zipped else idx(array))
    return folder


def opened(asked: Recipe, places: Places, shape: tuple[int, ...] = (1, 28, 28), out: tuple[int, ...] = (10,)) -> Data:
    return open_data(asked, shape, out, places, CPU)


def images(data: Data) -> Tensor:
    return torch.cat([batch for batch, _ in data.train.batches(plan(range(len(data.train))))])


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("name", ["FashionMNIST", "MNIST", "KMNIST"])
@pytest.mark.parametrize("layout", ["{name}/raw", "."])
def test_sets_like_mnist(name: str, layout: str, zipped: bool, tmp_path: Path) -> None:
    content = arrays()
    write(tmp_path / "data" / layout.format(name=name), content, zipped)
    data = opened(recipe(name), Places(tmp_path / "data"))
    assert (data.name, data.shape, len(data.train), len(data.test)) == (name, (1, 28, 28), 12, 6)
    assert data.classes == tuple(getattr(torchvision.datasets, name).classes)
    for split, prefix in ((data.train, "train"), (data.test, "t10k")):
        (first, labels), (second, _) = split.batches(plan([4, 1], [0]))
        assert first.dtype == torch.float32 and labels.dtype == torch.int64 and labels.tolist() == [4, 1]
        pixels = content[f"{prefix}-images-idx3-ubyte"].astype(np.uint8)
        assert torch.equal(first, torch.stack([ToTensor()(pixels[at][:, :, None]) for at in (4, 1)]))
        assert torch.equal(second[0], ToTensor()(pixels[0][:, :, None]))


def test_where_data_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills the last place first; each place takes precedence over those after it."""
    places = Places()
    for number, folder in enumerate(("packaged", "cache/cnndsl/data/FashionMNIST/raw", "named", "said"), start=1):
        write(tmp_path / folder, arrays(train=number + 10))
        if folder == "named":
            monkeypatch.setenv("CNNDSL_DATA_DIR", str(tmp_path / folder))
        if folder == "said":
            places = Places(tmp_path / folder)
        assert len(opened(recipe(), places).train) == number + 10


def test_a_folder_with_some_of_the_files_only_is_passed_over(tmp_path: Path) -> None:
    content = arrays()
    write(tmp_path / "packaged", content)
    del content["t10k-labels-idx1-ubyte"]
    write(tmp_path / "data", content)
    assert len(opened(recipe(), Places(tmp_path / "data")).train) == 12


DAMAGES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut off": (lambda content: content[:-5], "its header gives 9,408 bytes, but there are 9,403"),
    "too long": (lambda content: content + b"0", "its header gives 9,408 bytes, but there are 9,409"),
    "other magic": (lambda content: b"\0\0\x0d" + content[3:], "it is not an idx file of bytes in 3 dimensions"),
    "header cut off": (lambda content: content[:9], "it is not an idx file of bytes in 3 dimensions"),
    "nothing": (lambda content: b"", "it is not an idx file of bytes in 3 dimensions"),
    "a large size": (lambda content: content[:4] + b"\xff" * 12 + content[16:], "its header gives"),
}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named(damage: str, zipped: bool, tmp_path: Path) -> None:
    spoil, said = DAMAGES[damage]
    path = write(tmp_path, arrays(), zipped) / f"train-images-idx3-ubyte{'.gz' if zipped else ''}"
    spoiled = spoil(idx(arrays()["train-images-idx3-ubyte"]))
    path.write_bytes(gzip.compress(spoiled) if zipped else spoiled)
    message = error(Code.SAMPLE, lambda: opened(recipe(), Places(tmp_path)))
    assert f"{path} cannot be read: " in message and said in message


@pytest.mark.parametrize("spoil", [lambda content: content[:-20], lambda content: b"PK" + content])
def test_damaged_archives_are_named(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "some.gz"
    path.write_bytes(spoil(gzip.compress(idx([[1, 2], [3, 4]]))))
    assert f"{path} cannot be read: " in error(Code.SAMPLE, lambda: read_idx(path, 2))
    path.write_bytes(gzip.compress(idx([[1, 2], [3, 4]])))
    assert read_idx(path, 2).tolist() == [[1, 2], [3, 4]]


def test_images_and_labels_have_to_be_as_many(tmp_path: Path) -> None:
    write(tmp_path, arrays() | {"train-labels-idx1-ubyte": [1, 2, 3]})
    message = error(Code.SAMPLE, lambda: opened(recipe(), Places(tmp_path)))
    assert (
        "the numbers of images and labels differ" in message
        and "has 3 labels" in message
        and "has 12 images" in message
    )


def test_a_label_without_an_output_is_named(tmp_path: Path) -> None:
    write(tmp_path, arrays())
    message = error(Code.SAMPLE, lambda: opened(recipe(), Places(tmp_path), out=(7,)))
    assert "training sample 7 of `FashionMNIST` has label 7, the network has 7 classes" in message
    write(tmp_path, arrays(classes=7) | {"t10k-labels-idx1-ubyte": [0, 1, 2, 8, 3, 9]})
    message = error(Code.SAMPLE, lambda: opened(recipe(), Places(tmp_path), out=(7,)))
    assert "test sample 3 of `FashionMNIST` has label 8" in message and "needs 10 outputs" in message
    assert len(opened(recipe(), Places(tmp_path), out=(1000,)).train) == 12


@pytest.mark.parametrize(("sizes", "what"), [((0, 5), "training"), ((5, 0), "test")])
def test_a_set_without_samples(sizes: tuple[int, int], what: str, tmp_path: Path) -> None:
    write(tmp_path, arrays(*sizes))
    assert f"`FashionMNIST` has no {what} samples" in error(Code.SAMPLE, lambda: opened(recipe(), Places(tmp_path)))


def test_data_that_does_not_go_with_the_network(tmp_path: Path) -> None:
    places = Places(write(tmp_path, arrays()))
    message = error(Code.RECIPE, lambda: opened(recipe(), places, (3, 28, 28)))
    assert "`FashionMNIST` gives samples of shape [1, 28, 28], the network takes [3, 28, 28]" in message
    assert "augment: [Grayscale: 3]" in message and "small.yaml:1:1" in message
    message = error(Code.RECIPE, lambda: opened(recipe(), places, out=(10, 28, 28)))
    assert "the network gives [10, 28, 28], but `FashionMNIST` has one label for each sample" in message
    message = error(Code.RECIPE, lambda: opened(recipe("FashionMNIST", call("RandomCrop", size=24)), places))
    assert "samples are [1, 24, 24] in training and [1, 28, 28] in tests" in message
    message = error(Code.RECIPE, lambda: opened(recipe("FashionMNIST", call("RandomCrop", size=30)), places))
    assert "`RandomCrop` does not take samples of shape [1, 28, 28]: a crop of [30, 30] is larger" in message
    grey = recipe("FashionMNIST", call("Grayscale", num_output_channels=3))
    assert opened(grey, places, (3, 28, 28)).shape == (3, 28, 28)


@pytest.mark.parametrize("split", ["train", "t10k"])
def test_images_of_another_size_than_the_sets_own(split: str, tmp_path: Path) -> None:
    content = arrays()
    content[f"{split}-images-idx3-ubyte"] = content[f"{split}-images-idx3-ubyte"][:, 1:]
    places = Places(write(tmp_path, content))
    what = {"train": "training", "t10k": "test"}[split]
    message = error(Code.SAMPLE, lambda: opened(recipe(), places))
    assert f"the {what} images of `FashionMNIST` have the shape [1, 27, 28], not [1, 28, 28]" in message
    assert "`resize: 28`" in message
    data = opened(recipe(resize=28), places)
    for split_of_data in (data.train, data.test):
        assert next(iter(split_of_data.batches(plan([0]))))[0].shape == (1, 1, 28, 28)


# Downloads


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files of a set, from which torchvision downloads without checking checksums."""
    folder = write(tmp_path / "mirror", arrays(), zipped=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "resources", [(f"{name}.gz", None) for name in arrays()])
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("said", [True, False])
def test_what_is_not_there_is_downloaded_by_torchvision(said: bool, tmp_path: Path, mirror: Path) -> None:
    places = Places(tmp_path / "data" if said else None)
    folder = tmp_path / "data" if said else tmp_path / "cache/cnndsl/data"
    assert len(opened(recipe(), places).train) == 12
    assert [path.name for path in folder.iterdir()] == ["FashionMNIST"]
    assert sorted(path.name for path in (folder / "FashionMNIST/raw").iterdir()) == sorted(arrays())
    for path in mirror.iterdir():
        path.unlink()
    assert len(opened(recipe(), places).train) == 12


@pytest.mark.parametrize("name", ["FashionMNIST", "KMNIST", "CIFAR10"])
def test_without_a_network_it_is_told_where_data_was_looked_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CNNDSL_DATA_DIR", str(tmp_path / "named"))
    shape = (3, 32, 32) if name == "CIFAR10" else (1, 28, 28)
    message = error(Code.DATA, lambda: opened(recipe(name), Places(tmp_path / "data"), shape))
    assert f"the data set `{name}` was not found" in message
    assert "--data-dir FOLDER" in message and "the download failed: " in message
    assert ("apt-get install dataset-fashion-mnist" in message) == (name == "FashionMNIST")
    packaged = [tmp_path / "packaged"] * (name == "FashionMNIST")
    for folder in (tmp_path / "data", tmp_path / "named", tmp_path / "cache/cnndsl/data", *packaged):
        assert f"it is not in {folder}" in message
    assert [*(tmp_path / "data").iterdir()] == []


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path, mirror: Path) -> None:
    last = mirror / "t10k-labels-idx1-ubyte.gz"
    content = last.read_bytes()
    last.unlink()
    places = Places(tmp_path / "data")
    message = error(Code.DATA, lambda: opened(recipe(), places))
    assert "the download failed: Error downloading t10k-labels" in message
    assert "HTTP Error 404: File not found" in message
    assert [*(tmp_path / "data").iterdir()] == []
    last.write_bytes(content)
    assert len(opened(recipe(), places).train) == 12


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    message = error(Code.DATA, lambda: opened(recipe(), Places(tmp_path / "data")))
    assert "the data set `FashionMNIST` was not found" in message


# Torchvision's other sets


def cifar(root: Path, monkeypatch: pytest.MonkeyPatch, hundred: bool = False) -> dict[str, Any]:
    """Files of CIFAR, with 4 samples each, and torchvision's class without checksums."""
    cls = torchvision.datasets.CIFAR100 if hundred else torchvision.datasets.CIFAR10
    folder = root / cls.base_folder
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    content = {}
    key = "fine_labels" if hundred else "labels"
    for name in (entry[0] for entry in cls.train_list + cls.test_list):
        content[name] = {"data": random.integers(0, 256, (4, 3072), dtype=np.uint8), key: [0, 1, 2, 3]}
        (folder / name).write_bytes(pickle.dumps(content[name]))
    (folder / cls.meta["filename"]).write_bytes(pickle.dumps({cls.meta["key"]: []}))
    for entries in ("train_list", "test_list"):
        monkeypatch.setattr(cls, entries, [[entry[0], None] for entry in getattr(cls, entries)])
    monkeypatch.setattr(cls, "meta", cls.meta | {"md5": None})
    return content


@pytest.mark.parametrize("under", ["", "{name}"])
@pytest.mark.parametrize("hundred", [False, True])
def test_cifar(hundred: bool, under: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "CIFAR100" if hundred else "CIFAR10"
    content = cifar(tmp_path / under.format(name=name), monkeypatch, hundred)
    data = opened(recipe(name), Places(tmp_path), (3, 32, 32), (100,))
    assert (len(data.train), len(data.test), len(data.classes)) == ((4, 4, 100) if hundred else (20, 4, 10))
    ((batch, labels),) = data.test.batches(plan([2]))
    assert labels.tolist() == [2]
    pixels = content["test" if hundred else "test_batch"]["data"][2].reshape(3, 32, 32)
    assert torch.equal(batch[0], torch.from_numpy(pixels).float().div(255))


def test_a_damaged_set_of_torchvisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cifar(tmp_path, monkeypatch)
    path = tmp_path / "cifar-10-batches-py/test_batch"
    path.write_bytes(path.read_bytes()[:100])
    message = error(Code.SAMPLE, lambda: opened(recipe("CIFAR10"), Places(tmp_path), (3, 32, 32)))
    assert f"the data set `CIFAR10` in {tmp_path} cannot be read" in message
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "test_list", [["test_batch", "0" * 32]])
    message = error(Code.SAMPLE, lambda: opened(recipe("CIFAR10"), Places(tmp_path), (3, 32, 32)))
    assert "a file is damaged" in message


def test_svhn_is_read_with_scipy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (32, 32, 3, 5), dtype=np.uint8)
    entries = {}
    for split in ("train", "test"):
        (tmp_path / f"{split}_32x32.mat").write_bytes(b"")
        entries[split] = ["", f"{split}_32x32.mat", None]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", entries)
    monkeypatch.setitem(sys.modules, "scipy", None)
    message = error(Code.DATA, lambda: opened(recipe("SVHN"), Places(tmp_path), (3, 32, 32)))
    assert "reading `SVHN` needs scipy, which is not installed" in message and "pip install scipy" in message
    reader = types.ModuleType("scipy.io")
    reader.loadmat = lambda path: {"X": pixels, "y": np.array([[1], [2], [3], [10], [9]], dtype=np.uint8)}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "scipy", types.ModuleType("scipy"))
    monkeypatch.setitem(sys.modules, "scipy.io", reader)
    data = opened(recipe("SVHN"), Places(tmp_path), (3, 32, 32))
    ((batch, labels),) = data.train.batches(plan([3, 4]))
    assert labels.tolist() == [0, 9]
    assert torch.equal(batch[1], torch.from_numpy(pixels[..., 4]).permute(2, 0, 1).float().div(255))


# What is done to samples


@pytest.mark.parametrize("size", [20, 40, (20, 35)])
def test_samples_are_resized_one_like_the_other(size: int | tuple[int, int], tmp_path: Path) -> None:
    content = arrays()
    shape = (1, *(size if isinstance(size, tuple) else (size, size)))
    data = opened(recipe(resize=size), Places(write(tmp_path, content)), shape)
    resize = v2.Resize(size)
    pixels = torch.from_numpy(content["train-images-idx3-ubyte"].astype(np.uint8))
    expected = torch.stack([resize(image[None]) for image in pixels]).div(255)
    assert data.shape == shape and torch.equal(images(data), expected)


def test_random_transforms_are_for_training_and_the_others_for_all(tmp_path: Path) -> None:
    content = arrays(12, 12) | {"t10k-images-idx3-ubyte": arrays()["train-images-idx3-ubyte"]}
    places = Places(write(tmp_path, content))
    random = (call("RandomHorizontalFlip"), call("RandomCrop", size=28, padding=3))
    all_alike = (call("CenterCrop", size=24), call("Normalize", mean=(0.3,), std=(0.2,)))
    data, plain = (opened(recipe("FashionMNIST", *augment), places) for augment in ((*random, *all_alike), all_alike))
    everything = plan(range(12))
    assert data.shape == (1, 24, 24)
    raw = torch.from_numpy(content["t10k-images-idx3-ubyte"].astype(np.uint8))[:, None].div(255)
    expected = v2.Normalize([0.3], [0.2])(raw[:, :, 2:26, 2:26])
    ((tested, _),) = data.test.batches(everything)
    ((trained, _),) = plain.train.batches(everything)
    assert torch.equal(tested, expected) and torch.equal(trained, expected)
    first, again = (next(iter(data.train.batches(everything)))[0] for _ in range(2))
    assert torch.equal(first, again) and not torch.equal(first, expected)
    other = next(iter(data.train.batches(plan(range(12), seed=9))))[0]
    assert not torch.equal(first, other)


def test_a_random_resized_crop_is_of_the_picture_as_it_is(tmp_path: Path) -> None:
    """A crop of the whole picture, to distinguish it from a crop of a resized one."""
    content = arrays()
    whole = call("RandomResizedCrop", size=40, scale=(1.0, 1.0), ratio=(1.0, 1.0))
    data = opened(recipe("FashionMNIST", whole, resize=40), Places(write(tmp_path, content)), (1, 40, 40))
    pixels = torch.from_numpy(content["train-images-idx3-ubyte"].astype(np.uint8))[:, None]
    assert (images(data) * 255 - v2.Resize(40)(pixels)).abs().max() < 1.5
    padded = recipe("FashionMNIST", call("Pad", padding=2), call("RandomResizedCrop", size=40), resize=36)
    assert "[1, 40, 40] in training and [1, 40, 40]" not in str(padded)
    assert opened(padded, Places(tmp_path), (1, 40, 40)).shape == (1, 40, 40)


# Synthetic data


@pytest.mark.parametrize(
    ("shape", "out", "labels"),
    [
        ((1, 28, 28), (10,), ()),
        ((3, 16, 24), (1000,), ()),
        ((2, 50), (3,), ()),
        ((1, 6, 7, 8), (4,), ()),
        ((12,), (5,), ()),
        ((3, 32, 32), (2, 32, 32), (32, 32)),
        ((1, 20, 20), (300, 12, 12), (12, 12)),
        ((2, 30), (3, 30), (30,)),
    ],
    ids=str,
)
def test_synthetic_data_has_the_networks_shapes(
    shape: tuple[int, ...], out: tuple[int, ...], labels: tuple[int, ...]
) -> None:
    asked = recipe(call("Synthetic", size=30, test_size=20))
    data, again = (open_data(asked, shape, out, Places(), CPU) for _ in range(2))
    assert (len(data.train), len(data.test), data.shape, len(data.classes)) == (30, 20, shape, out[0])
    for split, same in ((data.train, again.train), (data.test, again.test)):
        ((x, y),) = split.batches(plan(range(20)))
        assert x.shape == (20, *shape) and x.dtype == torch.float32 and x.min() >= 0 and x.max() <= 1
        assert y.shape == (20, *labels) and y.dtype == torch.int64 and y.min() >= 0 and y.max() < out[0]
        ((x2, y2),) = same.batches(plan(range(20)))
        assert torch.equal(x, x2) and torch.equal(y, y2)
    ((x, _),) = open_data(recipe(asked.dataset, seed=1), shape, out, Places(), CPU).train.batches(plan(range(20)))
    assert not torch.equal(x, next(iter(data.train.batches(plan(range(20)))))[0])


def learned(data: Data, network: torch.nn.Module, steps: int) -> float:
    """Test accuracy after some steps on all training samples."""
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    ((x, y),) = data.train.batches(plan(range(len(data.train))))
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    ((x, y),) = data.test.batches(plan(range(len(data.test))))
    return float((network(x).argmax(1) == y).float().mean())


def test_synthetic_data_is_quick_to_learn() -> None:
    torch.manual_seed(0)
    data = open_data(recipe(call("Synthetic", size=200, test_size=100)), (1, 12, 12), (10,), Places(), CPU)
    assert learned(data, torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(144, 10)), 30) > 0.95
    data = open_data(recipe(call("Synthetic", size=32, test_size=16)), (3, 16, 16), (4, 16, 16), Places(), CPU)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 5, padding=2), torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 5, padding=2)
    )
    assert learned(data, network, 40) > 0.6


def test_synthetic_labels_of_pixels_are_flipped_with_their_images() -> None:
    flip = call("RandomHorizontalFlip", p=1.0)
    asked = call("Synthetic", size=4, test_size=2, noise=0)
    plain, flipped = (open_data(recipe(asked, *a), (3, 16, 16), (3, 16, 16), Places(), CPU) for a in ((), (flip,)))
    ((x, y),), ((x2, y2),) = (data.train.batches(plan(range(4))) for data in (plain, flipped))
    assert torch.equal(x.flip(-1), x2) and torch.equal(y.flip(-1), y2)


@pytest.mark.parametrize("change", [{"resize": 24}, {"augment": call("Pad", padding=4)}], ids=str)
def test_synthetic_data_of_another_size_than_the_specs(change: dict[str, Any]) -> None:
    augment = [change["augment"]] if "augment" in change else []
    asked = recipe(call("Synthetic", size=4, test_size=2), *augment, resize=change.get("resize"))
    data = open_data(asked, (3, 16, 16), (3, 16, 16), Places(), CPU)
    ((x, y),) = data.train.batches(plan(range(4)))
    assert data.shape == (3, 24, 24) and x.shape == (4, 3, 24, 24) and y.shape == (4, 24, 24)


def test_synthetic_data_that_cannot_be_made_up() -> None:
    message = error(Code.RECIPE, lambda: open_data(recipe("Synthetic"), (1, 8, 8), (3, 8), Places(), CPU))
    assert "`Synthetic` has no data for a network from [1, 8, 8] to [3, 8]" in message
    asked = recipe("Synthetic", call("RandomHorizontalFlip"))
    message = error(Code.RECIPE, lambda: open_data(asked, (1, 8), (3,), Places(), CPU))
    assert "`augment` is for images, [C, H, W], but samples are [1, 8]" in message
    assert open_data(recipe("Synthetic", resize=16), (1, 8), (3,), Places(), CPU).shape == (1, 8)


# Folders of pictures


def picture(path: Path, size: tuple[int, int] = (40, 30), mode: str = "RGB", seed: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(sum(map(ord, path.name)) if seed is None else seed)
    coarse = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size).convert(mode).save(path)
    return path


def folder(root: Path, counts: Mapping[str, int]) -> Path:
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            picture(root / name / f"{number}.png", size=(36 + number, 30 + 2 * number))
    return root


def pictures(root: Path, *augment: FunctionCall, fraction: float | None = None, **keys: Any) -> Recipe:
    given = {} if fraction is None else {"test_fraction": fraction}
    return recipe(call("ImageFolder", root=str(root), **given), *augment, **keys)


HERE = Places(workers=0)


@pytest.mark.parametrize("test", ["test", "val"])
def test_a_folder_that_is_split(test: str, tmp_path: Path) -> None:
    folder(tmp_path / "train", {"dog": 3, "cat": 2, ".hidden": 1})
    folder(tmp_path / test, {"dog": 2, "cat": 1})
    (tmp_path / "train/cat/notes.txt").write_text("no picture")
    data = opened(pictures(tmp_path), HERE, (3, 16, 16), (2,))
    assert (data.classes, data.shape, len(data.train), len(data.test)) == (("cat", "dog"), (3, 16, 16), 5, 3)
    ((x, y), (x2, y2)) = data.train.batches(plan([4, 0, 1], [2]))
    assert y.tolist() == [1, 0, 0] and y2.tolist() == [1] and y.dtype == torch.int64
    with Image.open(tmp_path / "train/dog/2.png") as image:
        expected = v2.functional.pil_to_tensor(image)
    expected = v2.Compose([v2.Resize(16), v2.CenterCrop(16)])(expected).div(255)
    assert torch.equal(x[0], expected) and x.shape == (3, 3, 16, 16) and x2.shape == (1, 3, 16, 16)


def test_links_among_folders_of_pictures_are_followed_unless_they_lead_back(tmp_path: Path) -> None:
    root = folder(tmp_path / "root", {"cat": 2, "dog": 3})
    folder(tmp_path, {"more": 4})
    (root / "cat/sub").mkdir()
    for link, target in {"cat/sub/up": "../..", "cat/here": ".", "cat/other": "../dog", "dog/other": "../cat"}.items():
        (root / link).symlink_to(target)
    (root / "cat/more").symlink_to(tmp_path / "more")
    files = read_folder(str(root), HERE, 0.5, 0)
    found = sorted((str(Path(path).relative_to(root)), label) for path, label in [*files.train, *files.test])
    counts = {"cat": 2, "cat/more": 4, "cat/other": 3, "dog": 3, "dog/other": 2, "dog/other/more": 4}
    pairs = [(place, number) for place, count in counts.items() for number in range(count)]
    assert found == sorted((f"{place}/{number}.png", int(place.startswith("dog"))) for place, number in pairs)


def test_the_pictures_and_their_order_are_torchvisions(tmp_path: Path) -> None:
    for inner in ("b", "a c", "a/c", "a-d/x"):
        folder(tmp_path / "cat" / inner, {"e": 1, "f g": 2})
    folder(tmp_path, {"dog": 3})
    seen: list[tuple[str, int]] = []

    def see(files: list[tuple[str, int]]) -> list[tuple[str, int]]:
        seen.extend(files)
        return files

    read_folder(str(tmp_path), HERE, 0.5, 0, see)
    assert seen == torchvision.datasets.ImageFolder(tmp_path).samples


def test_a_folder_that_is_not_split_is_by_its_seed(tmp_path: Path) -> None:
    folder(tmp_path, {"cat": 10, "dog": 5})
    sets = [opened(pictures(tmp_path, seed=seed), HERE, (1, 8, 8), (2,)) for seed in (0, 0, 1)]
    names = []
    for data in sets:
        train, test = (set(split.pictures.files) for split in (data.train, data.test))  # type: ignore[attr-defined]
        assert len(train) == 12 and len(test) == 3 and not train & test
        assert sum("/cat/" in name for name in test) == 2
        names.append(test)
    assert names[0] == names[1] != names[2]
    assert len(opened(pictures(tmp_path, fraction=0.6), HERE, (1, 8, 8), (2,)).test) == 9
    assert len(opened(pictures(tmp_path, fraction=0.01), HERE, (1, 8, 8), (2,)).test) == 2
    (tmp_path / "moved").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    (tmp_path / "moved").rename(tmp_path / "train")
    assert len(opened(pictures(tmp_path), HERE, (1, 8, 8), (2,)).test) == 3


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "1"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_grey_or_in_colour_as_the_network_wants(mode: str, channels: int, tmp_path: Path) -> None:
    for number in range(2):
        picture(tmp_path / "a" / f"{number}.png", mode=mode)
    data = opened(pictures(tmp_path), HERE, (channels, 8, 8), (1,))
    ((x, _),) = data.train.batches(plan([0]))
    assert x.shape == (1, channels, 8, 8)


@pytest.mark.parametrize(
    ("shape", "keys", "resize"),
    [
        ((3, 16, 16), {}, [v2.Resize(16), v2.CenterCrop(16)]),
        ((3, 16, 20), {}, [v2.Resize((16, 20))]),
        ((3, 16, 16), {"resize": 24}, [v2.Resize(24), v2.CenterCrop(24)]),
        ((3, 16, 16), {"resize": (12, 20)}, [v2.Resize((12, 20))]),
    ],
    ids=str,
)
def test_pictures_are_brought_to_a_size(
    shape: tuple[int, ...], keys: dict[str, Any], resize: list[Any], tmp_path: Path
) -> None:
    folder(tmp_path, {"a": 4})
    data = opened(pictures(tmp_path, **keys), HERE, shape, (1,))
    ((x, _),) = data.train.batches(plan([0, 1, 2]))
    expected = []
    for name in data.train.pictures.files:  # type: ignore[attr-defined]
        with Image.open(name) as image:
            expected.append(v2.Compose(resize)(v2.functional.pil_to_tensor(image)))
    assert torch.equal(x, torch.stack(expected).div(255)) and data.shape == tuple(x.shape[1:])


AUGMENT = (
    call("RandomHorizontalFlip"),
    call("RandomResizedCrop", size=16),
    call("ColorJitter", brightness=0.2),
    call("RandomErasing"),
    call("Normalize", mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2)),
)


def test_the_same_plan_gives_the_same_bits_for_any_number_of_workers(tmp_path: Path) -> None:
    folder(tmp_path, {"a": 6, "b": 5})
    asked = plan([0, 3, 1], [2, 5], [7, 4, 6], [0, 3, 1])
    results = []
    state = torch.get_rng_state()
    for workers in (0, 2):
        data = opened(pictures(tmp_path, *AUGMENT), Places(workers=workers), (3, 16, 16), (2,))
        for _ in range(2):  # the workers stay
            results.append([*data.train.batches(asked)])
        unfinished = data.train.batches(asked)
        next(unfinished)
        results.append([*data.train.batches(asked)])
    assert torch.equal(torch.get_rng_state(), state)
    for result in results[1:]:
        for (x, y), (x2, y2) in zip(results[0], result, strict=True):
            assert torch.equal(x, x2) and torch.equal(y, y2)
    first, *_, last = results[0]
    assert not torch.equal(first[0], last[0])  # the same pictures with another seed


@pytest.mark.skipif(not hasattr(os, "setpgrp"), reason="there are no groups of processes here")
def test_readers_outlive_what_is_sent_to_all_processes(tmp_path: Path) -> None:
    folder(tmp_path, {"a": 4})
    data = opened(pictures(tmp_path), Places(workers=1), (3, 16, 16), (1,))
    before = set(active_children())
    batches = data.train.batches(plan(*[[0]] * 8))
    next(batches)
    (reader,) = set(active_children()) - before
    assert reader.pid and os.getpgid(reader.pid) != os.getpgrp()
    os.kill(reader.pid, signal.SIGINT)
    assert len([*batches]) == 7


def test_pictures_are_cropped_as_they_are(tmp_path: Path) -> None:
    folder(tmp_path, {"a": 3})
    whole = call("RandomResizedCrop", size=16, scale=(1.0, 1.0), ratio=(0.5, 2.0))
    data = opened(pictures(tmp_path, whole, resize=16), HERE, (3, 16, 16), (1,))
    path = data.train.pictures.files[0]  # type: ignore[attr-defined]
    with Image.open(path) as image:
        expected = v2.functional.pil_to_tensor(image)
    many = [batch for batch, _ in data.train.batches(plan(*[[0]] * 40))]
    stretched = v2.Resize((16, 16))(expected).div(255)
    assert any(torch.equal(x[0], stretched) for x in many)  # the whole picture, neither resized before nor cropped


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_cannot_be_read_is_named(workers: int, tmp_path: Path) -> None:
    folder(tmp_path / "train", {"a": 3})
    folder(tmp_path / "test", {"a": 1})
    broken = tmp_path / "train/a/1.png"
    broken.write_bytes(broken.read_bytes()[:200])
    data = opened(pictures(tmp_path), Places(workers=workers), (3, 16, 16), (1,))
    batches = data.train.batches(plan([0, 2], [2, 1]))
    assert next(batches)[0].shape == (2, 3, 16, 16)
    message = error(Code.SAMPLE, lambda: next(batches))
    assert f"{broken} cannot be read as a picture: " in message and "Traceback" not in message
    broken.write_text("text")
    message = error(Code.SAMPLE, lambda: [*data.train.batches(plan([1]))])
    assert f"{broken} cannot be read as a picture: cannot identify" in message
    broken.unlink()
    assert str(broken) in error(Code.SAMPLE, lambda: [*data.train.batches(plan([1]))])


@pytest.mark.parametrize("workers", [0, 2])
def test_pictures_that_cannot_be_read_are_passed_over_on_request(workers: int, tmp_path: Path) -> None:
    folder(tmp_path / "train", {"a": 3, "b": 2})
    folder(tmp_path / "test", {"a": 2, "b": 1})
    broken = [tmp_path / name for name in ("test/a/1.png", "train/a/0.png", "train/b/1.png")]
    for path in broken:
        path.write_bytes(path.read_bytes()[:200])
    state = torch.get_rng_state()
    asked = recipe(call("ImageFolder", root=str(tmp_path), skip_unreadable=True))
    data = opened(asked, Places(workers=workers), (3, 8, 8), (2,))
    assert torch.equal(torch.get_rng_state(), state)
    assert (len(data.train), len(data.test)) == (3, 2)
    assert sorted(line.partition(" cannot be read as a picture: ")[0] for line in data.skipped) == [*map(str, broken)]
    ((_, labels),) = data.train.batches(plan(range(3)))
    assert labels.tolist() == [0, 0, 1]
    (tmp_path / "train/b/0.png").write_text("text")
    message = error(Code.SAMPLE, lambda: opened(asked, Places(workers=workers), (3, 8, 8), (2,)))
    assert f"no pictures in {tmp_path}/train for `b`" in message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
@pytest.mark.parametrize("asked", [True, False])
def test_a_pipe_among_pictures_is_not_waited_for(asked: bool, tmp_path: Path) -> None:
    folder(tmp_path / "train", {"a": 2})
    folder(tmp_path / "test", {"a": 1})
    os.mkfifo(tmp_path / "train/a/9.png")
    data = opened(recipe(call("ImageFolder", root=str(tmp_path), skip_unreadable=asked)), HERE, (3, 8, 8), (1,))
    if asked:
        assert "it is not a regular file" in data.skipped[0] and len(data.train) == 2
    else:
        assert "it is not a regular file" in error(Code.SAMPLE, lambda: [*data.train.batches(plan([2]))])


def test_a_check_of_pictures_is_watched(tmp_path: Path) -> None:
    """So a signal can end it."""
    folder(tmp_path / "train", {"a": 4})
    folder(tmp_path / "test", {"a": 1})
    seen = []

    def watch(done: int, total: int) -> None:
        seen.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    asked = recipe(call("ImageFolder", root=str(tmp_path), skip_unreadable=True))
    with pytest.raises(KeyboardInterrupt):
        opened(asked, Places(workers=0, watch=watch), (3, 8, 8), (1,))
    assert seen == [(1, 4), (2, 4)]


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    for split in ("train", "test"):
        folder(tmp_path / split, {"cat": 2, "dog": 2, "__MACOSX": 1})
        for hidden in (".ipynb_checkpoints/0.png", "._0.png", "more/.thumbnails/0.png", "__MACOSX/0.png"):
            picture(tmp_path / split / "cat" / hidden)
        picture(tmp_path / split / "cat/more/5.png")
    data = opened(pictures(tmp_path / ".." / tmp_path.name), HERE, (3, 8, 8), (2,))
    assert (data.classes, len(data.train), len(data.test)) == (("cat", "dog"), 5, 5)


# Pictures as a viewer shows them


def decoded(path: Path, channels: int = 1) -> Tensor:
    pixels = decode(str(path), channels)
    assert isinstance(pixels, Tensor)
    return pixels


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_deep_grey_is_scaled_to_8_bits(ending: str, channels: int, tmp_path: Path) -> None:
    """The oracle is torchvision's conversion of integers."""
    values = np.array([[0, 255, 2_000, 40_000, 65_535]], dtype=np.uint16)
    path = tmp_path / f"deep.{ending}"
    Image.fromarray(values).save(path)
    expected = v2.functional.to_dtype(torch.from_numpy(values)[None], torch.uint8, scale=True)
    assert torch.equal(decoded(path, channels), expected.expand(channels, -1, -1))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_pixels_without_a_known_white_are_refused_by_name(dtype: type, tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 500]], dtype=dtype)).save(tmp_path / "raw.tif")
    found = decode(str(tmp_path / "raw.tif"), 1)
    assert isinstance(found, Unreadable) and "32-bit numbers" in str(found) and "raw.tif" in str(found)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_pictures_are_turned_as_their_exif_data_say(ending: str, orientation: int, tmp_path: Path) -> None:
    upright = np.kron(np.array([[0, 90, 255], [180, 40, 130]], dtype=np.uint8), np.ones((8, 8), dtype=np.uint8))
    # What a camera stores for each orientation (CIPA DC-008, 4.6.4): the inverse of the displayed picture.
    stored = {
        **{1: upright, 2: np.fliplr(upright), 3: np.rot90(upright, 2), 4: np.flipud(upright), 5: upright.T},
        **{6: np.rot90(upright), 7: np.rot90(upright, 2).T, 8: np.rot90(upright, -1)},
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{ending}"
    Image.fromarray(np.ascontiguousarray(stored[orientation])).save(path, exif=exif, compression="tiff_lzw")
    pixels = decoded(path)[0].int()
    assert pixels.shape == upright.shape and (pixels - torch.from_numpy(upright).int()).abs().max() < 12


@pytest.mark.filterwarnings("error")
def test_damaged_exif_data_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.new("L", (16, 8), 100).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01garbage")
    assert decoded(path).shape == (1, 8, 16)


def test_folders_that_have_no_classes_or_no_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(code: Code = Code.SAMPLE, out: int = 2, root: str = str(tmp_path / "root")) -> str:
        return error(code, lambda: opened(pictures(Path(root)), HERE, (3, 16, 16), (out,)))

    message = said(Code.DATA)
    assert f"there is no folder {tmp_path}/root" in message and "--data FOLDER" in message
    (tmp_path / "root").mkdir()
    assert f"{tmp_path}/root has no folders: each class needs one" in said()
    folder(tmp_path / "root", {"a": 3, "b": 0, "c": 1})
    assert f"there are no pictures in {tmp_path}/root for `b`" in said()
    picture(tmp_path / "root/b/1.png"), picture(tmp_path / "root/b/2.png")
    assert f"there is only one picture in {tmp_path}/root/c" in said(out=3)
    picture(tmp_path / "root/c/2.png")
    message = said()
    assert "has label 2, the network has 2 classes" in message and f"{tmp_path}/root/c/" in message
    assert "pictures are [1, H, W] or [3, H, W], but the network takes [4, 16, 16]" in error(
        Code.RECIPE, lambda: opened(pictures(tmp_path / "root"), HERE, (4, 16, 16), (3,))
    )
    folder(tmp_path / "split/train", {"a": 1})
    (tmp_path / "split/test").mkdir()
    assert "`ImageFolder` has no test samples" in said(root=str(tmp_path / "split"))
    folder(tmp_path / "split/test", {"z": 1})
    assert f"{tmp_path}/split/test has a class `z`, which {tmp_path}/split/train does not have" in said(
        root=str(tmp_path / "split")
    )
    with monkeypatch.context() as locked:
        locked.setattr(Path, "iterdir", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        assert f"the pictures in {tmp_path}/root cannot be read: [Errno 13]" in said(Code.DATA)
    monkeypatch.chdir(tmp_path)
    assert len(opened(pictures(Path("root")), HERE, (3, 16, 16), (3,)).train) == 4
    monkeypatch.chdir(tmp_path / "split")
    assert len(opened(pictures(Path("root")), Places(tmp_path, 0), (3, 16, 16), (3,)).train) == 4


def test_how_many_processes_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Places(workers=3).processes() == 3 and Places(workers=0).processes() == 0
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: range(64), raising=False)
    assert Places().processes() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert Places().processes() == 4
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "128")
    assert Places().processes() == 1


# Pictures to predict


def test_a_picture_is_prepared_as_test_samples_are(tmp_path: Path) -> None:
    content = arrays()
    image = tmp_path / "image.png"
    Image.fromarray(content["t10k-images-idx3-ubyte"][2].astype(np.uint8)).save(image)
    places = Places(write(tmp_path, content))
    transforms = (call("RandomInvert", p=1.0), call("CenterCrop", size=32), call("Normalize", mean=(0.3,), std=(0.2,)))
    for augment, keys in (((), {}), ((), {"resize": 40}), (transforms, {"resize": 40})):
        asked = recipe("FashionMNIST", *augment, **keys)
        shape = (1, 32, 32) if augment else (1, keys.get("resize", 28), keys.get("resize", 28))
        ((expected, _),) = opened(asked, places, shape).test.batches(plan([2]))
        assert torch.equal(prepare_image(image, asked, shape), expected)


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 20)])
def test_a_picture_of_a_folder_is_prepared_as_test_samples_are(shape: tuple[int, ...], tmp_path: Path) -> None:
    folder(tmp_path, {"a": 4})
    for keys in ({}, {"resize": 30}, {"resize": shape[1:]}):
        crop = (call("RandomResizedCrop", size=shape[1:]), call("CenterCrop", size=shape[1:]))
        asked = pictures(tmp_path, *crop, **keys)
        data = opened(asked, HERE, shape, (1,))
        ((expected, _),) = data.test.batches(plan([0]))
        path = Path(data.test.pictures.files[0])  # type: ignore[attr-defined]
        assert torch.equal(prepare_image(path, asked, shape), expected)


def test_pictures_of_any_size_and_colour_can_be_predicted(tmp_path: Path) -> None:
    photo = picture(tmp_path / "photo.jpg", (200, 120))
    assert prepare_image(photo, recipe(resize=40), (1, 40, 40)).shape == (1, 1, 40, 40)
    assert prepare_image(photo, recipe("CIFAR10"), (3, 32, 32)).shape == (1, 3, 32, 32)
    assert prepare_image(photo, recipe("Synthetic"), (3, 20, 30)).shape == (1, 3, 20, 30)
    assert "not.png cannot be read" in error(
        Code.SAMPLE, lambda: prepare_image(tmp_path / "not.png", recipe(), (1, 28, 28))
    )
    assert "the network takes [2, 50]" in error(Code.RECIPE, lambda: prepare_image(photo, recipe("Synthetic"), (2, 50)))


# The real thing


def test_fashion_mnist_at_its_size_needs_no_torchvision(tmp_path: Path) -> None:
    write(tmp_path / "data", arrays())
    code = f"""
import sys
from pathlib import Path
import torch
from cnndsl.recipe import Recipe
from cnndsl.source import Source, Span
from cnndsl.spec.calls import FunctionCall
from cnndsl.training.data import Batch, Places, open_data

span = Span(Source("", ""), 0, 0)
def call(name, **arguments): return FunctionCall(name, arguments, span)
flip, crop = call("RandomHorizontalFlip"), call("RandomCrop", size=28, padding=4)
augment = (flip, crop, call("Normalize", mean=(.5,), std=(.5,)))
recipe = Recipe(call("FashionMNIST"), 1, 4, call("SGD"), call("CrossEntropyLoss"), augment=augment)
data = open_data(recipe, (1, 28, 28), (10,), Places(Path({str(tmp_path / "data")!r})), torch.device("cpu"))
print(*(x.shape for x, _ in data.train.batches([Batch(torch.arange(4), 0)])))
sys.exit("torchvision" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "[4, 1, 28, 28]" in done.stdout, done.stderr


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_debians_fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources.PACKAGED, "FashionMNIST", (DEBIAN, "dataset-fashion-mnist"))
    data = opened(recipe(), Places())
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    ((x, y),) = data.train.batches(plan(range(60_000)))
    assert y.bincount().tolist() == [6000] * 10
    assert x.mean().item() == pytest.approx(0.2860, abs=1e-4) and x.std().item() == pytest.approx(0.3530, abs=1e-4)
    assert [data.classes[label] for label in y[:3]] == ["Ankle boot", "T-shirt/top", "T-shirt/top"]


@pytest.mark.parametrize("labels", [torch.arange(10), torch.arange(10)[:, None, None].expand(10, 6, 8).byte()])
def test_samples_resized_at_once_equal_those_of_each_batch(labels: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CHUNK", 4)
    samples = Samples(torch.randint(256, (10, 3, 6, 8), dtype=torch.uint8), labels)
    shape, flip = Resize((9, 7)), (RandomHorizontalFlip(),)
    before = MemorySplit(resized(samples, shape), Preparation(None, flip)).batches(plan([3, 9, 1], [0, 2]))
    each = MemorySplit(samples, Preparation(shape, flip)).batches(plan([3, 9, 1], [0, 2]))
    for one, other in zip(before, each, strict=True):
        assert all(map(torch.equal, one, other))
