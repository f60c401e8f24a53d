"""Trained modules in other formats. Each file is read back and compared with the module before it is put in place."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import warnings
from abc import ABC, abstractmethod
from ast import literal_eval
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.jit.frontend import FrontendError

from cnndsl.diagnostics import Code, RunError
from cnndsl.printable import one_line
from cnndsl.training.trained import Trained
from cnndsl.version import __version__
from cnndsl.writing import check_folder, write_file

#: The largest difference from the module's outputs, relative to their maximum: other kernels round differently.
TOLERANCE = 1e-4
#: Batch sizes that a file for any size is tested with. It is made with a batch of two.
TRIED, EXAMPLE = (1, 3), 2


@dataclass(frozen=True)
class Exported:
    """A file that was written, how it was checked, in words, and the largest difference found."""

    path: Path
    checked: str
    difference: float


@dataclass(frozen=True)
class Subject:
    """What is exported: the module, on the CPU and in evaluation mode, the names of its input and its output, the
    shape of a sample, and the batch size, None for any. ``facts`` are strings to write into the file."""

    module: nn.Module
    names: tuple[str, str]
    sample: tuple[int, ...]
    batch: int | None
    facts: Mapping[str, str]

    def images(self, batch: int) -> Tensor:
        """Random images, the same each time."""
        return torch.rand(batch, *self.sample, generator=torch.Generator().manual_seed(batch))

    @property
    def example(self) -> Tensor:
        return self.images(self.batch or EXAMPLE)

    @property
    def shapes(self) -> tuple[dict[int, torch.export.Dim]] | None:
        """The dynamic dimensions for ``torch.export``."""
        return None if self.batch else ({0: torch.export.Dim("batch")},)

    @property
    def tried(self) -> tuple[int, ...]:
        return (self.batch,) if self.batch else TRIED

    def by(self, what: str) -> str:
        """How outputs were compared, in words."""
        return f"{what}, batches of {' and '.join(map(str, self.tried))}"


class Format(ABC):
    """A format: the ending of its files, the packages that it needs, and whether it can have a fixed batch size."""

    ending: ClassVar[str]
    packages: ClassVar[tuple[str, ...]] = ()
    batches: ClassVar[bool] = False

    @abstractmethod
    def write(self, subject: Subject, path: Path) -> None: ...

    @abstractmethod
    def check(self, subject: Subject, path: Path) -> tuple[str, float]:
        """Reads a file back. Returns how it was checked, and the largest difference. Raises :class:`Different`."""


#: The module names of emitted classes, in Python and in the paths of an archive.
_EMITTED = re.compile(r"cnndsl([./])_emitted\1(\w+)_[0-9a-f]{12}")
#: Records that torch adds to every archive.
_WRITTEN_BY_TORCH = ("version", "byteorder", ".data/serialization_id")


class Different(Exception):
    """A file differs from the module."""


class Onnx(Format):
    ending, packages, batches = ".onnx", ("onnx", "onnxscript"), True

    def write(self, subject: Subject, path: Path) -> None:
        program = torch.onnx.export(
            subject.module,
            (subject.example,),
            dynamo=True,
            dynamic_shapes=subject.shapes,
            input_names=subject.names[:1],
            output_names=subject.names[1:],
            verbose=False,
        )
        assert program is not None
        _name_nodes(program.model, subject.module)
        program.model.metadata_props.update(subject.facts)
        program.save(path, external_data=False)

    def check(self, subject: Subject, path: Path) -> tuple[str, float]:
        """With onnxruntime if it is installed, otherwise with onnx's own evaluator, which is slow."""
        if importlib.util.find_spec("onnxruntime"):
            runtime = importlib.import_module("onnxruntime")
            session = runtime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
            by = f"onnxruntime {runtime.__version__}"
        else:
            session = importlib.import_module("onnx.reference").ReferenceEvaluator(str(path))
            by = f"the reference evaluator of onnx {importlib.import_module('onnx').__version__}"

        def run(images: Tensor) -> Tensor:
            return torch.from_numpy(session.run(None, {subject.names[0]: images.numpy()})[0])

        return subject.by(by), _compare(subject, run)


class Pt2(Format):
    ending, batches = ".pt2", True

    def write(self, subject: Subject, path: Path) -> None:
        program = torch.export.export(subject.module, (subject.example,), dynamic_shapes=subject.shapes)
        for node in program.graph.nodes:
            node.meta.pop("stack_trace", None)
            stack = node.meta.get("nn_module_stack", {})
            node.meta["nn_module_stack"] = {
                key: (at, str(made).rpartition(".")[2]) for key, (at, made) in stack.items()
            }
        with path.open("wb") as file:  # torch warns about a path with another ending
            torch.export.save(program, file, extra_files=dict(subject.facts))

    def check(self, subject: Subject, path: Path) -> tuple[str, float]:
        with path.open("rb") as file:
            return subject.by("torch.export.load"), _compare(subject, torch.export.load(file).module())


class TorchScript(Format):
    ending = ".pt"

    def write(self, subject: Subject, path: Path) -> None:
        with _deprecated():
            try:
                made = torch.jit.script(subject.module)
            except (RuntimeError, FrontendError):  # parametrized layers and some of torchvision's cannot be scripted
                made = torch.jit.trace(subject.module, subject.example)  # type: ignore[no-untyped-call]
            torch.jit.save(made, path, _extra_files=dict(subject.facts))
        _strip(path)

    def check(self, subject: Subject, path: Path) -> tuple[str, float]:
        with _deprecated():
            return subject.by("torch.jit.load"), _compare(subject, torch.jit.load(path, map_location="cpu"))  # type: ignore[no-untyped-call]


class SafeTensors(Format):
    """Only the weights, under the names of the ``state_dict``."""

    ending, packages = ".safetensors", ("safetensors",)

    def write(self, subject: Subject, path: Path) -> None:
        save_file = importlib.import_module("safetensors.torch").save_file
        # It refuses tensors that share memory or are not contiguous.
        state = {name: value.clone().contiguous() for name, value in subject.module.state_dict().items()}
        save_file(state, path, dict(subject.facts))
        _sort_header(path)

    def check(self, subject: Subject, path: Path) -> tuple[str, float]:
        found = importlib.import_module("safetensors.torch").load_file(path)
        state = subject.module.state_dict()
        if found.keys() != state.keys():
            raise Different("its tensors have different names")
        for name, value in state.items():
            if not torch.equal(_bytes(found[name]), _bytes(value)):
                raise Different(f"its `{name}` differs")
        return f"all {len(state)} tensors", 0.0


FORMATS: Mapping[str, Format] = {
    "onnx": Onnx(),
    "pt2": Pt2(),
    "torchscript": TorchScript(),
    "safetensors": SafeTensors(),
}


def export(trained: Trained, form: str, path: Path, batch: int | None = None) -> Exported:
    """Writes a trained module to ``path`` in one of :data:`FORMATS`, for batches of any size or of ``batch``.

    The file is written to a temporary place, read back and run on random inputs. It is put in place only if its outputs
    equal the module's. Raises :class:`RunError`.
    """
    made = FORMATS[form]
    missing = [name for name in made.packages if importlib.util.find_spec(name) is None]
    if missing:
        message = f"{form} needs {' and '.join(made.packages)}, but {' and '.join(missing)} cannot be found"
        raise RunError(Code.EXPORT, message, f"`pip install {' '.join(made.packages)}`")
    try:
        check_folder(path)
        subject = _subject(trained, batch)
        with TemporaryDirectory(prefix=".export-", dir=path.parent) as folder:
            beside = Path(folder) / path.name
            checked, difference = _written(made, subject, beside, f"`{trained.name}` as {form}")
            write_file(path, beside.read_bytes())
    except OSError as error:
        raise RunError(
            Code.WRITE, f"{path} cannot be written: {error.strerror}", "choose another file with `-o`"
        ) from error
    return Exported(path, checked, difference)


def _subject(trained: Trained, batch: int | None) -> Subject:
    graph = trained.network.graph
    names = (*graph.inputs, *graph.outputs)
    assert len(names) == 2  # recipes train only networks with one of each
    # Torch's archive takes weights in another order for slices of something larger, and warns.
    module = trained.module(torch.device("cpu")).to(memory_format=torch.contiguous_format)
    return Subject(module, names, trained.checkpoint.sample, batch, _facts(trained))


def _facts(trained: Trained) -> dict[str, str]:
    """The facts about its origin in a file. The first one identifies our own files."""
    return {
        "generator": f"Generated by cnndsl {__version__}",
        "name": trained.name,
        "classes": json.dumps(trained.checkpoint.classes),
        "sample": json.dumps(trained.checkpoint.sample),
        "epoch": str(trained.epoch),
        "spec": trained.checkpoint.spec,
    }


def _written(made: Format, subject: Subject, path: Path, what: str) -> tuple[str, float]:
    """Writes and checks. Exporters and readers raise almost any exception for what they do not understand."""
    with torch.no_grad():
        try:
            made.write(subject, path)
        except OSError:
            raise
        except Exception as error:
            open_batch = made.batches and subject.batch is None and "batch" in str(error)
            help = "`--batch 1`, if one size is enough" if open_batch else ""
            raise RunError(Code.EXPORT, f"torch cannot export {what}", help, [_said(error)]) from error
        try:
            return made.check(subject, path)
        except Different as error:
            message = f"{what} differs from the module: {error}; nothing was written"
            raise RunError(Code.EXPORT, message) from None
        except Exception as error:
            message = f"{what} cannot be read back; nothing was written"
            raise RunError(Code.EXPORT, message, notes=[_said(error)]) from error


def _said(error: BaseException) -> str:
    """The first line of the original error."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {one_line(lines[0].strip()[:200])}" if lines else type(error).__name__


def _compare(subject: Subject, run: Callable[[Tensor], Tensor]) -> float:
    """The largest difference from the module's outputs. Raises :class:`Different` above :data:`TOLERANCE`."""
    worst = 0.0
    for batch in subject.tried:
        images = subject.images(batch)
        own, found = subject.module(images), run(images)
        if found.shape != own.shape:
            raise Different(f"its output is {list(found.shape)} instead of {list(own.shape)}")
        alike = (found == own) | (found.isnan() & own.isnan())
        difference = float((found - own).abs().masked_fill(alike, 0).max())
        bound = TOLERANCE * float(own.abs().nan_to_num(0, 0).max())
        if not difference <= bound:
            raise Different(f"outputs differ by up to {difference:.2g} in a batch of {batch}, {bound:.2g} is allowed")
        worst = max(worst, difference)
    return worst


def _bytes(tensor: Tensor) -> Tensor:
    """A tensor's bytes: here NaN equals itself, and 0 is not -0."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)


def _name_nodes(model: Any, module: nn.Module) -> None:
    """Names the nodes of an ONNX model after the modules that they are in: ``/layer1/0/conv1/Conv``.

    Viewers of networks take a hierarchy from these names, or from a ``namespace``, which has the classes too. What else
    the exporter notes of nodes and tensors is about itself: names of its own, and traces with paths of this machine.
    """
    modules = dict(module.named_modules())
    taken: Counter[str] = Counter()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()
    for node in model.graph.all_nodes():
        path = _path(node, modules)
        node.metadata_props.clear()
        name = "/".join(("", *filter(None, path.split(".")), node.op_type))
        taken[name] += 1
        node.name = f"{name}_{taken[name] - 1}" if taken[name] > 1 else name
        if around := [part for part in _around(path) if part in modules]:
            classes = (f"{part.rpartition('.')[2]}: {type(modules[part]).__name__}" for part in around)
            node.metadata_props["namespace"] = "/".join(classes)
        for number, value in enumerate(node.outputs):
            value.metadata_props.clear()
            if not value.is_graph_output():
                value.name = f"{node.name}_output_{number}"


def _path(node: Any, modules: Mapping[str, nn.Module]) -> str:
    """The path of the module that a node is in. A convolution into which the normalization after it was computed is in
    the module of its weight."""
    owners = (value.name.rpartition(".") for value in node.inputs if value is not None and value.is_initializer())
    for path, _, tensor in owners:
        if tensor == "weight" and path in modules:
            return str(path)
    scopes = literal_eval(node.metadata_props.get("pkg.torch.onnx.name_scopes", "['']"))
    return next((scope for scope in reversed(scopes) if scope in modules), "")


def _around(path: str) -> list[str]:
    """A path and those of the modules around it, the outermost first."""
    parts = path.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _plain(text: str) -> str:
    """``text`` with the names of emitted classes without the digest that makes them unique in a process."""
    return _EMITTED.sub(r"cnndsl\1\2", text)


def _strip(path: Path) -> None:
    """Removes the records for debugging from a TorchScript archive, since they hold paths of this machine. Torch does
    not need them."""
    reader = torch._C.PyTorchFileReader(str(path))
    records = {name: reader.get_record(name) for name in reader.get_all_records() if not name.endswith(".debug_pkl")}
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, data in records.items():
        if name not in _WRITTEN_BY_TORCH:
            data = _plain(data.decode("latin-1")).encode("latin-1") if name.endswith((".py", "data.pkl")) else data
            writer.write_record(_plain(name), data, len(data))
    writer.write_end_of_file()


def _sort_header(path: Path) -> None:
    """Sorts the facts of a safetensors file: the library writes them in random order."""
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(_sorted(json.loads(data[8:begin])), separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[begin:])


def _sorted(header: dict[str, Any]) -> dict[str, Any]:
    return header | {"__metadata__": dict(sorted(header["__metadata__"].items()))}


@contextmanager
def _deprecated() -> Iterator[None]:
    """Ignores torch's advice to use ``torch.export`` instead."""
    with warnings.catch_warnings():
        for category in (FutureWarning, DeprecationWarning):
            warnings.filterwarnings("ignore", "`torch.jit", category)
        yield
