"""The specs of torchvision's networks: their tensors, outputs, gradients and costs are torchvision's."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from emitting import ruff_complaints
from oracle_zoo import FOLDER, NAMES, theirs
from torch import Tensor, nn
from torchvision.models import get_model_weights

import cnndsl
from cnndsl import zoo
from cnndsl.cli import cli
from cnndsl.spec.renaming import Renamer
from cnndsl.zoo import family, find, specs

#: The smallest member of each family, and others that differ in kind, with the size of image at which they are run.
SMALL = {
    "alexnet": 96, "vgg11": 64, "vgg13_bn": 64, "resnet18": 64, "resnet50": 64, "resnext50_32x4d": 64,
    "wide_resnet50_2": 64, "squeezenet1_0": 64, "squeezenet1_1": 64, "densenet121": 64, "googlenet": 96,
    "googlenet_aux": 96, "inception_v3": 128, "inception_v3_aux": 299, "mobilenet_v2": 64, "mobilenet_v3_small": 64,
    "mobilenet_v3_large": 64, "mnasnet0_5": 64, "mnasnet1_3": 64, "shufflenet_v2_x0_5": 64, "shufflenet_v2_x1_5": 64,
    "efficientnet_b0": 64, "efficientnet_b5": 64, "efficientnet_v2_s": 64, "regnet_x_400mf": 64, "regnet_y_400mf": 64,
    "convnext_tiny": 64,
}  # fmt: skip
FAMILIES = [
    "alexnet", pytest.param("vgg11", marks=pytest.mark.slow), "vgg13_bn", "resnet18", "resnext50_32x4d",
    "squeezenet1_1", "densenet121", "googlenet_aux", "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5",
    "shufflenet_v2_x0_5", "efficientnet_b0", "efficientnet_v2_s",
    "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny", "inception_v3_aux",
]  # fmt: skip


@cache
def compiled(name: str) -> cnndsl.Network:
    return cnndsl.load(FOLDER / f"{name}.yaml")


def named_as_theirs(net: cnndsl.Network, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """By torchvision's names; those of DenseNet's renaming are of its checkpoints alone."""
    renamings = () if net.name.startswith("densenet") else net.graph.document.rename
    return {Renamer(renamings).renamed(name): tensor for name, tensor in tensors.items()}


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """The module of a spec with torchvision's random weights, and torchvision's own module."""
    net = compiled(name)
    with torch.device("meta"):
        ours = net.module()
    torch.manual_seed(0)
    other = theirs(name, "cpu")
    for module in other.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    state = other.state_dict()
    assert net.load_weights(ours.to_empty(device="cpu"), state).is_whole
    return ours, other


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_have_torchvisions_names_and_shapes(name: str) -> None:
    net = compiled(name)
    with torch.device("meta"):
        mine = net.module().state_dict()
    wanted = {key: (tensor.shape, tensor.dtype) for key, tensor in theirs(name).state_dict().items()}
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in named_as_theirs(net, mine).items()} == wanted


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_macs_are_those_that_torchvision_publishes(name: str) -> None:
    if name.endswith("_aux"):
        pytest.skip("torchvision publishes the network without its auxiliary heads")
    net = compiled(name)
    size = net.graph.inputs["x"].shape.sample[-1]
    weights = next(found for found in get_model_weights(name) if found.transforms().crop_size == [size])
    # Of Inception v3 the parameters are published with its auxiliary head, the MACs without.
    with_heads = compiled("inception_v3_aux") if name == "inception_v3" else net
    assert with_heads.cost.params == weights.meta["num_params"]
    assert net.cost.macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=0.0006)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "densenet121", "mobilenet_v2", "efficientnet_b0"])
def test_parameters_and_macs_are_those_that_fvcore_counts(name: str) -> None:
    from fvcore.nn import FlopCountAnalysis

    net = compiled(name)
    module = net.module().eval()
    shape = net.graph.inputs["x"].shape
    counted = FlopCountAnalysis(module, torch.zeros(*shape)).unsupported_ops_warnings(False).by_operator()
    assert net.cost.macs == counted["conv"] + counted["linear"]
    assert net.cost.params == sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", SMALL)
@torch.no_grad()
def test_outputs_in_evaluation_are_torchvisions_bit_for_bit(name: str) -> None:
    ours, other = pair(name)
    x = torch.randn(2, 3, SMALL[name], SMALL[name])
    out = ours.eval()(x)
    out = out["fc"] if isinstance(out, dict) else out
    assert torch.equal(out, other.eval()(x))


@pytest.mark.parametrize("name", FAMILIES)
def test_outputs_and_gradients_in_training_are_torchvisions(name: str) -> None:
    ours, other = pair(name)
    net = compiled(name)
    x = torch.randn(2, 3, SMALL[name], SMALL[name])
    gradients = []
    for module in (ours, other):
        torch.manual_seed(1)
        out = module.train()(x)
        outs = list(out.values()) if isinstance(out, dict) else [*out] if isinstance(out, tuple) else [out]
        sum(one.square().mean() for one in outs).backward()
        gradients.append((outs, {name: tensor.grad for name, tensor in module.named_parameters()}))
    (mine, by_name), (wanted, their_names) = gradients
    assert all(torch.equal(a, b) for a, b in zip(mine, wanted, strict=True))
    by_name = named_as_theirs(net, by_name)
    assert by_name.keys() == their_names.keys()
    for key, gradient in their_names.items():
        torch.testing.assert_close(by_name[key], gradient, rtol=1e-5, atol=1e-6, msg=key)
    buffers = named_as_theirs(net, dict(ours.named_buffers()))
    assert all(torch.equal(buffers.pop(key), tensor) for key, tensor in other.named_buffers()) and not buffers


def test_checkpoints_of_densenet_have_older_names() -> None:
    net = compiled("densenet121")
    module = net.module()
    state = {
        Renamer(net.graph.document.rename).renamed(name): torch.rand_like(t) for name, t in module.named_parameters()
    }
    state |= {Renamer(net.graph.document.rename).renamed(name): t for name, t in module.named_buffers() if t.dim()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in state
    assert net.load_weights(module, state).is_whole


LINES = {"resnet50": 60, "densenet121": 75, "mobilenet_v2": 90, "efficientnet_b0": 140, "mobilenet_v3_large": 135}


@pytest.mark.parametrize(("name", "lines"), LINES.items())
def test_sources_are_short(name: str, lines: int) -> None:
    assert len(compiled(name).source().splitlines()) <= lines


@pytest.mark.parametrize("name", NAMES)
def test_no_two_classes_of_a_source_are_alike(name: str) -> None:
    classes = [node for node in ast.parse(compiled(name).source()).body if isinstance(node, ast.ClassDef)]
    bodies = [ast.dump(node).replace(node.name, "") for node in classes]
    assert len(bodies) == len(set(bodies))


def test_sources_are_clean(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(compiled(name).source())
    assert ruff_complaints(tmp_path) == ""


# --- by name, from anywhere --------------------------------------------------------------------------------


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cnndsl", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_every_spec_has_one_name() -> None:
    found = specs()
    assert len(set(found.values())) == len(found)
    assert {*FOLDER.parent.rglob("*.yaml")} - {*found.values()} == {*FOLDER.parent.glob("*/blocks/*.yaml")}
    assert find("zoo:resnet18") == FOLDER / "resnet18.yaml"
    assert find("zoo:lenet") == find("zoo:classic/lenet") == FOLDER.parent / "lenet.yaml"
    assert find("zoo:resnet") is None
    assert find("zoo:torchvision/resnet18") == find("zoo:resnet18")
    assert find("zoo:resnet50d") == find("zoo:timm/resnet50d") == FOLDER.parent / "timm" / "resnet50d.yaml"
    assert {family(name) for name in ("resnet18", "wide_resnet50_2", "vgg11_bn")} == {"resnet", "wide_resnet", "vgg"}
    assert (family("unet"), family("classic/vgg11")) == ("beyond", "classic")


def test_a_name_that_several_sources_have_needs_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "_PLAIN", ())
    specs.cache_clear()
    try:
        with pytest.raises(cnndsl.SpecError, match="2 specs called `resnet18`") as raised:
            cnndsl.load("zoo:resnet18")
        assert find("zoo:timm/resnet18") is None
        assert raised.value.diagnostics[0].help == "write `zoo:torchvision/resnet18` or `zoo:classic/resnet18`"
    finally:
        specs.cache_clear()


def test_specs_of_the_zoo_are_read_extended_and_used_from_any_folder(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("extends: zoo:vgg16_bn\nparams: {classes: 7}\n")
    (tmp_path / "block.yaml").write_text("use: zoo:resnet18\ninput: [3, 8, 8]\nnetwork: [Block: 4]\n")
    assert cnndsl.load(tmp_path / "own.yaml").graph.outputs["output"].shape == (1, 7)
    assert cnndsl.check(tmp_path / "block.yaml") == []
    assert cnndsl.load("zoo:resnet18", classes=5).name == "resnet18"
    with pytest.raises(cnndsl.SpecError, match="did you mean `resnet18`"):
        cnndsl.load("zoo:resnet19")
    (tmp_path / "none.yaml").write_text("extends: zoo:resnett18\n")
    (fault,) = cnndsl.check(tmp_path / "none.yaml")
    assert (fault.code.id, fault.span and fault.span.column) == ("CNN001", 10)
    for outside in ("zoo:../pyproject.toml", "zoo:torchvision/../../pyproject", "zoo:/etc/passwd"):
        assert find(outside) is None


def test_places_in_the_zoo_are_names_for_people_and_files_for_programs(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("extends: zoo:torchvision/resnet18\ninput: [3, 3]\n")
    done = [
        CliRunner().invoke(cli, ["check", str(tmp_path / "own.yaml"), "--format", form]) for form in ("text", "json")
    ]
    line = next(
        number
        for number, line in enumerate((zoo.FOLDER / "torchvision/resnet18.yaml").read_text().splitlines(), 1)
        if "name: conv1, Conv2d: {out_channels: 64" in line
    )
    assert f"zoo:resnet18:{line}:" in done[0].output and str(zoo.FOLDER) not in done[0].output
    (fault,) = json.loads(done[1].stdout)
    assert Path(fault["file"]) == zoo.FOLDER / "torchvision/resnet18.yaml" and fault["line"] == line
    traced = [
        CliRunner().invoke(cli, ["trace", "zoo:lenet", place]) for place in ("zoo:classic/lenet:17", "lenet.yaml:17")
    ]
    assert traced[0].exit_code == 0 and traced[0].output == traced[1].output


def test_the_zoo_is_listed_with_its_costs(tmp_path: Path) -> None:
    listed = run("zoo", "resnet18", folder=tmp_path).stdout
    assert [line.split()[:4] for line in listed.splitlines() if "resnet18" in line] == [
        ["resnet", "resnet18", "11.69", "M"],
        ["skresnet", "timm/skresnet18", "11.96", "M"],
        ["classic", "classic/resnet18", "11.18", "M"],
    ]
    assert len(run("zoo", folder=tmp_path).stdout.splitlines()) >= len(specs())
    assert run("zoo", "nothing", folder=tmp_path).returncode == 2
    small = ("zoo", "--source", "classic", "--params", "< 100k", "--format", "json")
    listed = json.loads(run(*small, folder=tmp_path).stdout)
    assert {"classic/lenet", "classic/lenet_bn"} <= {found["name"] for found in listed}
    assert all(found["source"] == "classic" and found["parameters"] < 100_000 for found in listed)
    assert "is not a comparison" in run("zoo", "--params", "small", folder=tmp_path).stderr


def test_one_begins_with_a_small_network_or_with_one_of_the_zoo(tmp_path: Path) -> None:
    assert run("new", "mine", folder=tmp_path).returncode == 0
    assert cnndsl.check(tmp_path / "mine.yaml") == []
    assert run("new", "other", "--from", "zoo:regnet_y_400mf", folder=tmp_path).returncode == 0
    assert cnndsl.check(tmp_path / "other.yaml") == []
    assert cnndsl.load(tmp_path / "other.yaml", classes=3).name == "other"
    before = (tmp_path / "mine.yaml").read_text()
    for wrong in (["mine"], ["a-b"], ["again", "--from", "zoo:nothing"], ["again", "--from", "none.yaml"]):
        done = run("new", *wrong, folder=tmp_path)
        assert done.returncode == 2 and "error[" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.yaml", "other.yaml"]
    assert (tmp_path / "mine.yaml").read_text() == before


def test_the_wheel_has_the_specs_the_definitions_and_the_page(tmp_path: Path) -> None:
    root = FOLDER.parent.parent
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=root, check=True, capture_output=True, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    empty = tmp_path / "empty"
    empty.mkdir()
    code = (
        "import cnndsl; print(cnndsl.__file__); print(cnndsl.load('zoo:resnet18').cost.params);"
        "print(cnndsl.loads('input: [8, 4, 4]\\nnetwork: [Slice: 3]').source().count('class Slice(nn.Module)'));"
        "print('</html>' in cnndsl.explore(cnndsl.load('zoo:resnet18')).html)"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run([sys.executable, "-c", code], cwd=empty, env=env, capture_output=True, text=True, timeout=300)
    installed = str(tmp_path / "installed" / "cnndsl" / "__init__.py")
    assert done.stdout.splitlines() == [installed, "11689512", "1", "True"], done.stderr


def test_the_page_of_the_zoo_is_current() -> None:
    sys.path.insert(0, str(FOLDER.parent.parent / "docs"))
    try:
        from generate import zoo_reference
    finally:
        sys.path.pop(0)
    page = (FOLDER.parent.parent / "docs" / "zoo.md").read_text()
    assert page.partition("## Lines")[0] == zoo_reference().partition("## Lines")[0], "run `make docs`"
