"""Weights from elsewhere: read, held against the network, loaded whole or in part, frozen."""

from __future__ import annotations

import pickle
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle_zoo import FOLDER, theirs
from safetensors.torch import load_file, save_file
from training_cases import SPEC

import cnndsl
from cnndsl.diagnostics import Code, RunError
from cnndsl.spec.renaming import Renamer, Renaming

NET = """
input: [3, 8, 8]
params: {classes: 4}
network:
  - {name: stem, Conv2d: {out_channels: 5, kernel_size: 3, bias: false}}
  - BatchNorm2d
  - Flatten
  - {name: head, Linear: $classes}
rename: {head: classifier.1}
"""


def state(net: cnndsl.Network) -> dict[str, torch.Tensor]:
    found = net.module().state_dict()
    return {name: torch.rand(tensor.shape).to(tensor.dtype) for name, tensor in found.items()}


def as_theirs(net: cnndsl.Network, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {Renamer(net.graph.document.rename).renamed(name): tensor for name, tensor in tensors.items()}


@pytest.fixture
def net() -> cnndsl.Network:
    return cnndsl.loads(NET)


@pytest.mark.parametrize("wrapped", ["bare", "state_dict", "model", "parallel"])
@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
def test_files_of_every_kind_are_read(net: cnndsl.Network, suffix: str, wrapped: str, tmp_path: Path) -> None:
    wanted = state(net)
    tensors: Any = as_theirs(net, wanted)
    assert "classifier.1.weight" in tensors
    path = tmp_path / f"weights{suffix}"
    if wrapped == "parallel":
        tensors = {f"module.{name}": tensor for name, tensor in tensors.items()}
    if suffix == ".safetensors":
        if wrapped != "bare":
            pytest.skip("a safetensors file holds names and tensors only")
        save_file(tensors, path)
    else:
        torch.save({wrapped: tensors, "epoch": 3} if wrapped in ("state_dict", "model") else tensors, path)
    found = net.module(weights=path).state_dict()
    assert all(torch.equal(found[name], tensor.to(found[name].dtype)) for name, tensor in wanted.items())


def test_own_names_and_checkpoints_of_runs_are_weights_too(net: cnndsl.Network, tmp_path: Path) -> None:
    wanted = state(net)
    found = net.module(weights=wanted).state_dict()
    assert torch.equal(found["head.weight"], wanted["head.weight"])
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=1, quiet=True, device="cpu")
    again = cnndsl.loads(SPEC).module(weights=run.path / "last.pt").state_dict()
    assert all(torch.equal(again[name], tensor) for name, tensor in run.module("last").state_dict().items())


def test_what_does_not_fit_is_refused_with_a_table_and_leaves_the_module_alone(net: cnndsl.Network) -> None:
    tensors = state(net)
    del tensors["stem.weight"]
    tensors["more"] = torch.zeros(2)
    tensors["head.weight"] = torch.zeros(9, 180)
    module = net.module()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with pytest.raises(RunError) as caught:
        net.load_weights(module, tensors)
    fault = caught.value.diagnostic
    assert fault.code is Code.WEIGHTS and "1 missing, 1 unexpected, 1 of another shape" in fault.message
    assert [note.message for note in fault.notes] == [
        "missing: stem.weight",
        "unexpected: more",
        "of another shape: head.weight: [9, 180] there, [4, 180] here",
    ]
    assert "--partial" in fault.help
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    fit = net.load_weights(module, tensors, partial=True)
    assert fit.missing == ("stem.weight",) and not fit.is_whole
    assert torch.equal(module.state_dict()["head.bias"], tensors["head.bias"])
    with pytest.raises(RunError, match="another network"):
        net.load_weights(module, {"other": torch.zeros(1)}, partial=True)


class Harm:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("pwned"),))


def test_files_that_are_no_weights(net: cnndsl.Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = tmp_path / "whole.pt"
    torch.save(state(net), whole)
    contents = {
        "text.pt": b"hello",
        "empty.pt": b"",
        "cut.pt": whole.read_bytes()[:-400],
        "pickled.pt": pickle.dumps({"a": Harm()}),
        "text.safetensors": b"hello",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    torch.save({"a": Harm()}, "harm.pt")
    torch.save([1, 2], "list.pt")
    for name in (*contents, "harm.pt", "list.pt", "none.pt", "."):
        with pytest.raises(RunError) as caught:
            net.module(weights=name)
        assert caught.value.diagnostic.code is Code.WEIGHTS
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("torchvision:IMAGENET1K_V1", "has no model `network`"),
        ("torchvision:resnett18/IMAGENET1K_V1", "name a model, as in `torchvision:resnet18/IMAGENET1K_V1`"),
        ("torchvision:resnet18/IMAGENET1K_V2", "did you mean `IMAGENET1K_V1`"),
    ],
)
def test_what_torchvision_does_not_have(net: cnndsl.Network, source: str, says: str) -> None:
    with pytest.raises(RunError, match=says):
        net.module(weights=source)


def test_torchvisions_weights_come_by_its_own_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be downloaded lies in torch's cache."""
    original = theirs("resnet18", "cpu")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = tmp_path / "checkpoints" / "resnet18-f37072fd.pth"
    path.parent.mkdir()
    torch.save(original.state_dict(), path)
    net = cnndsl.load(FOLDER / "resnet18.yaml")
    with pytest.raises(RunError, match="cannot be downloaded"):
        cnndsl.load(FOLDER / "resnet34.yaml").module(weights="torchvision:IMAGENET1K_V1")
    mine = net.module(weights="torchvision:IMAGENET1K_V1").state_dict()
    assert all(torch.equal(mine[name], tensor) for name, tensor in original.state_dict().items())
    fewer = cnndsl.load(FOLDER / "resnet18.yaml", classes=10)
    with pytest.raises(RunError, match="2 of another shape"):
        fewer.module(weights="torchvision:IMAGENET1K_V1")
    fewer.module(weights="torchvision:IMAGENET1K_V1", partial=True)


def test_build_writes_the_weights_beside_the_source(tmp_path: Path) -> None:
    net = cnndsl.loads(NET)
    (tmp_path / "net.yaml").write_text(NET)
    wanted = state(net)
    torch.save(as_theirs(net, wanted), tmp_path / "weights.pt")
    command = [sys.executable, "-m", "cnndsl", "build", "net.yaml", "--weights", "weights.pt"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = load_file(tmp_path / "build" / "net" / "net.safetensors")
    assert found.keys() == wanted.keys() and torch.equal(found["head.weight"], wanted["head.weight"])
    other = [*command[:-1], "net.yaml"]
    done = subprocess.run(other, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and "error[CNN212]" in done.stderr


# --- training from weights ---------------------------------------------------------------------------------


def parameters(spec: str) -> list[str]:
    return [name for name, _ in cnndsl.loads(spec).module().named_parameters()]


def test_frozen_parameters_stay_as_the_weights_were(tmp_path: Path) -> None:
    names = parameters(SPEC)
    module = names[0].rpartition(".")[0]
    start = state(cnndsl.loads(SPEC))
    save_file(start, tmp_path / "start.safetensors")
    run = cnndsl.train(
        cnndsl.Text(SPEC),
        runs=tmp_path,
        epochs=1,
        quiet=True,
        device="cpu",
        weights=tmp_path / "start.safetensors",
        freeze=[module],
    )
    after = run.module("last").state_dict()
    kept = {name for name in names if torch.equal(after[name], start[name])}
    assert kept == {name for name in names if name.startswith(f"{module}.")} and kept
    assert run.info["weights"].endswith("start.safetensors") and run.info["recipe"]["freeze"] == [module]
    more = cnndsl.train(runs=tmp_path, resume=run.path, epochs=2, quiet=True, device="cpu")
    resumed = more.module("last").state_dict()
    assert {name for name in names if torch.equal(resumed[name], start[name])} == kept


@pytest.mark.parametrize("pattern", ["nowhere", "*"])
def test_what_cannot_be_frozen(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(cnndsl.SpecError, match="CNN040"):
        cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, freeze=[pattern], quiet=True)


# --- names -------------------------------------------------------------------------------------------------


def lines(rename: dict[str, str]) -> list[Renaming]:
    return [Renaming(ours, theirs, None) for ours, theirs in rename.items()]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ours", "theirs", "name", "is_called"),
    [
        ("**.layer_scale.weight", "**.layer_scale", "features.1.0.layer_scale.weight", "features.1.0.layer_scale"),
        ("layer_scale.weight", "layer_scale", "features.1.0.layer_scale.weight", "features.1.0.layer_scale.weight"),
        ("conv1", "backbone.conv1", "layer1.0.conv1.weight", "layer1.0.conv1.weight"),
        ("conv1", "backbone.conv1", "conv1.weight", "backbone.conv1.weight"),
        (
            "**.block*_*",
            "**.block*-*",
            "trunk_output.block1.block1_0.f.a.0.weight",
            "trunk_output.block1.block1-0.f.a.0.weight",
        ),
        ("**.block*_*", "**.block*-*", "stem.0.weight", "stem.0.weight"),
        ("head", "fc", "head.weight", "fc.weight"),
        ("head", "fc", "ahead.weight", "ahead.weight"),
        ("head.*", "fc.1.*", "head.bias", "fc.1.bias"),
        ("a", "b", "a.x.a", "b.x.a"),
        ("**.a", "**.b", "a.x.a", "b.x.b"),
        ("*", "model.*", "stem.weight", "model.stem.weight"),
        ("backbone", "", "backbone.stem.weight", "stem.weight"),
        ("x*y*z", "*-*", "xaybyz.0", "a-by.0"),
        ("a.b.c", "d", "a.b", "a.b"),
    ],
)
def test_names_are_renamed_by_whole_segments(ours: str, theirs: str, name: str, is_called: str) -> None:
    assert Renamer(lines({ours: theirs})).renamed(name) == is_called


@pytest.mark.parametrize(
    ("rename", "name", "is_called"),
    [
        ({"a": "b", "b": "a"}, "a.weight", "b.weight"),
        ({"a": "b", "b": "a"}, "b.weight", "a.weight"),
        ({"a": "b", "b": "c"}, "a.weight", "b.weight"),
        ({"stages": "layers", "**.norm": "**.bn"}, "stages.0.norm.bias", "layers.0.bn.bias"),
        ({"head": "fc", "head.1": "last"}, "head.1.bias", "last.bias"),
        ({"head": "fc", "head.1": "last"}, "head.0.bias", "fc.0.bias"),
        ({"head": "fc", "h*": "g*"}, "head.bias", "fc.bias"),
    ],
)
def test_no_line_sees_what_another_has_made(rename: dict[str, str], name: str, is_called: str) -> None:
    """Each has a name of its own to look at: ours. The line that names more segments counts, then the first."""
    assert Renamer(lines(rename)).renamed(name) == is_called


@settings(derandomize=True, deadline=None)
@given(st.lists(st.sampled_from("ab*"), min_size=1, max_size=6).map("".join), st.text("ab", max_size=9))
def test_stars_find_what_fnmatch_finds(pattern: str, name: str) -> None:
    if not Renaming(pattern, pattern, None).fault:  # type: ignore[arg-type]
        found = lines({pattern: pattern})[0].hit([name], 0) is not None
        assert found == fnmatchcase(name, pattern)


def test_a_pattern_of_stars_takes_no_longer_than_the_name_is_long() -> None:
    """With steps taken back it would be tried in 3e12 ways."""
    assert Renamer(lines({"*a*a*a*b": "*c*c*c*d"})).renamed("a" * 4000) == "a" * 4000


@pytest.mark.parametrize(
    "rename",
    [
        "{'**.a': b}",
        "{a: '**.b'}",
        "{a.**.b: a.**.c}",
        "{'**.': '**.'}",
        "{a*: b}",
        "{'': b}",
        "{'*****': '*****'}",
        "{a: [b]}",
        "[a]",
    ],
)
def test_renamings_that_are_none(rename: str) -> None:
    faults = [item for item in cnndsl.check(cnndsl.Text(NET.replace("{head: classifier.1}", rename))) if item.is_error]
    assert [fault.code for fault in faults] == [Code.TYPE]


INHERITED = """
input: [3, 8, 8]
network: [{name: stem, Conv2d: [4, 1]}, Flatten, {name: head, Linear: 4}]
outputs: [stem]
init: {Conv2d: ones, Linear: zeros}
rename: {stem: conv1, head: fc}
train: {dataset: Synthetic, scheduler: {StepLR: 3}}
"""


@pytest.mark.parametrize(
    ("child", "names"),
    [
        ("", {"conv1", "fc"}),
        ("rename: null", {"stem", "head"}),
        ("rename: {stem: null}", {"stem", "fc"}),
        ("rename: {stem: first, head: null}", {"first", "head"}),
        ("rename:\n  head: last", {"conv1", "last"}),
    ],
)
def test_a_spec_takes_back_what_it_inherits_with_null(child: str, names: set[str], tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(INHERITED)
    (tmp_path / "child.yaml").write_text(f"extends: base.yaml\noutputs: null\n{child}\n")
    net = cnndsl.load(tmp_path / "child.yaml")
    assert {name.partition(".")[0] for name in as_theirs(net, net.module().state_dict())} == names
    assert [*net.graph.outputs] == ["output"]


def test_null_uses_nothing(tmp_path: Path) -> None:
    (tmp_path / "blocks.yaml").write_text("input: [4]\nblocks: {Own: [ReLU]}\nnetwork: [Own]\n")
    (tmp_path / "base.yaml").write_text("input: [4]\nuse: blocks.yaml\nnetwork: [Own]\n")
    (tmp_path / "child.yaml").write_text("extends: base.yaml\nuse: null\n")
    assert [operation.name for operation in cnndsl.load(tmp_path / "child.yaml").graph.root.operations] == ["0"]
    (tmp_path / "base.yaml").write_text("input: [4]\nuse: null\nnetwork: [Own]\n")
    with pytest.raises(cnndsl.SpecError, match="`Own` is not a layer or a block"):
        cnndsl.load(tmp_path / "base.yaml")


def test_null_takes_back_init_and_recipe_too(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(INHERITED)
    (tmp_path / "child.yaml").write_text("extends: base.yaml\ninit: {Linear: null}\ntrain: {scheduler: null}\n")
    child = cnndsl.load(tmp_path / "child.yaml")
    state = child.module().state_dict()
    assert bool((state["stem.weight"] == 1).all()) and not bool((state["head.weight"] == 0).any())
    assert child.graph.document.train is not None and [*child.graph.document.train.keys] == ["dataset"]
    (tmp_path / "child.yaml").write_text("extends: base.yaml\ninit: null\ntrain: null\nrename: null\n")
    child = cnndsl.load(tmp_path / "child.yaml")
    assert not bool((child.module().state_dict()["stem.weight"] == 1).any())
    assert child.graph.document.train is None and child.graph.document.rename == ()
