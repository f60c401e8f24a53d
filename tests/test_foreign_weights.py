"""Weights as people have them: wrapped, nested, damaged, for other inputs. Torch and torchvision are the oracle."""

from __future__ import annotations

import argparse
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from click.testing import CliRunner, Result
from oracle_zoo import FOLDER, theirs
from safetensors.torch import load_file, save_file
from torch import Tensor, nn, optim
from torchvision.ops import FrozenBatchNorm2d
from training_cases import SPEC

import cnndsl
from cnndsl.cli import cli
from cnndsl.diagnostics import Code, RunError

NET = """
input: [3, 8, 8]
network:
  - {name: stem, Conv2d: {out_channels: 5, kernel_size: 3, bias: false}}
  - {name: norm, BatchNorm2d: }
  - {name: body, sequential: [Conv2d: [4, 1], ReLU]}
  - Flatten
  - {name: head, Linear: 4}
rename: {head: classifier.1}
"""


def randomised(module: nn.Module) -> nn.Module:
    """A module with each of its tensors unlike what it begins with, variances above zero."""
    torch.manual_seed(7)
    for tensor in module.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape) + 0.5 if tensor.is_floating_point() else torch.tensor(3))
    return module


def refusal(source: Any, net: cnndsl.Network, **options: Any) -> str:
    with pytest.raises(RunError) as caught:
        net.module(weights=source, **options)
    assert caught.value.diagnostic.code is Code.WEIGHTS
    return str(caught.value)


@pytest.fixture
def net() -> cnndsl.Network:
    return cnndsl.loads(NET)


@pytest.fixture
def original(net: cnndsl.Network) -> nn.Module:
    return randomised(net.module())


def assert_same(module: nn.Module, state: dict[str, Tensor]) -> None:
    found = module.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


# --- names with something around them ----------------------------------------------------------------------


class Lit(nn.Module):
    """What Lightning's modules do to names, with a loss that has weights of its own."""

    def __init__(self, net: nn.Module, weighted: bool = False) -> None:
        super().__init__()
        self.model = net
        if weighted:
            self.criterion = nn.CrossEntropyLoss(weight=torch.ones(4))


def in_distributed_data_parallel(module: nn.Module) -> dict[str, Tensor]:
    """Its names need no process group: :class:`nn.DataParallel` has the same."""
    return nn.DataParallel(module).state_dict()


def compiled(module: nn.Module) -> Any:
    return torch.compile(module)


WRAPPINGS = {
    "`module.`": in_distributed_data_parallel,
    "`_orig_mod`": lambda module: compiled(module).state_dict(),
    "`model.`": lambda module: Lit(module).state_dict(),
    "`module.model.`": lambda module: in_distributed_data_parallel(Lit(module)),
    "`_orig_mod` in their names, without the prefix `model.`": lambda module: Lit(compiled(module)).state_dict(),
    "the prefix `module.`": lambda module: optim.swa_utils.AveragedModel(module).state_dict(),
}


@pytest.mark.parametrize("suffix", ["", ".safetensors", ".pt"])
@pytest.mark.parametrize("taken_off", WRAPPINGS)
def test_what_wrappers_put_around_names_is_taken_off_and_said(
    taken_off: str, suffix: str, net: cnndsl.Network, original: nn.Module, tmp_path: Path
) -> None:
    source: Any = dict(WRAPPINGS[taken_off](original))
    if suffix:
        path = tmp_path / f"weights{suffix}"
        save_file(source, path) if suffix == ".safetensors" else torch.save({"state_dict": source}, path)
        source = path
    module = net.module()
    fit = net.load_weights(module, source)
    assert taken_off in fit.summary and "without" in fit.summary
    assert_same(module, original.state_dict())
    assert_same(net.module(weights=source), original.state_dict())


def test_a_part_that_was_compiled_by_itself(net: cnndsl.Network, original: nn.Module) -> None:
    wanted = {name: tensor.clone() for name, tensor in original.state_dict().items()}
    original.body = compiled(original.body)
    assert "body._orig_mod.0.weight" in original.state_dict()
    assert_same(net.module(weights=original.state_dict()), wanted)


def test_a_prefix_goes_with_the_names_of_rename_and_with_our_own(net: cnndsl.Network, original: nn.Module) -> None:
    state = original.state_dict()
    renamed = {name.replace("head", "classifier.1"): tensor for name, tensor in state.items()}
    for names in (state, renamed):
        assert_same(net.module(weights={f"net.{name}": tensor for name, tensor in names.items()}), state)


def test_only_a_prefix_that_all_share_is_taken_off_or_one_with_which_nothing_is_missing(
    net: cnndsl.Network, original: nn.Module
) -> None:
    whole = Lit(original, weighted=True).state_dict()
    assert "unexpected: criterion.weight" in refusal(whole, net)
    assert_same(net.module(weights=whole, partial=True), original.state_dict())
    state = original.state_dict()
    both = {f"{way}.{name}": tensor.clone() for way in ("teacher", "student") for name, tensor in state.items()}
    less = {name: tensor for name, tensor in both.items() if name != "teacher.stem.weight"}
    assert "without the prefix `student.`" in refusal(less, net)
    scattered = {
        f"{'a' if index % 2 else 'b'}.{name}": t for index, (name, t) in enumerate(original.state_dict().items())
    }
    assert "0 tensors fit" in refusal(scattered, net)


def test_a_name_of_our_own_that_begins_like_a_prefix_is_kept() -> None:
    net = cnndsl.loads("input: [3, 8, 8]\nnetwork: [{name: model, sequential: [Conv2d: [4, 1]]}]\n")
    original = randomised(net.module())
    module = net.module()
    fit = net.load_weights(module, original.state_dict())
    assert not fit.notes
    assert_same(module, original.state_dict())
    assert_same(net.module(weights=nn.DataParallel(original).state_dict()), original.state_dict())


# --- states among other things -----------------------------------------------------------------------------

NESTED: dict[str, Any] = {
    "state_dict": lambda state: {"state_dict": state, "epoch": 3, "hyper_parameters": {"lr": 0.1}},
    "model_state_dict": lambda state: {
        "model_state_dict": state,
        "optimizer_state_dict": {"state": {}, "param_groups": []},
    },
    "model": lambda state: {"model": state, "args": argparse.Namespace(lr=0.1), "model_ema": {"n": torch.zeros(1)}},
    "net": lambda state: {"net": state, "acc": 93.1},
    "ema": lambda state: {"ema": state, "updates": 3},
    "ema.module": lambda state: {"ema": {"module": state, "decay": 0.9}},
    "model.state_dict": lambda state: {"model": {"state_dict": state}},
    "weird": lambda state: {"weird": state, "epoch": 3},
}


@pytest.mark.parametrize("key", NESTED)
def test_a_state_among_other_things_is_found_and_said(
    key: str, net: cnndsl.Network, original: nn.Module, tmp_path: Path
) -> None:
    content = NESTED[key](original.state_dict())
    torch.save(content, tmp_path / "weights.pt")
    for source in (content, tmp_path / "weights.pt"):
        module = net.module()
        assert f"from its `{key}`" in net.load_weights(module, source).summary
        assert_same(module, original.state_dict())


def test_of_several_states_the_plain_one_is_taken_or_the_one_that_is_asked_for(
    net: cnndsl.Network, original: nn.Module, tmp_path: Path
) -> None:
    state = original.state_dict()
    averaged = {name: tensor + 1 for name, tensor in state.items()}
    path = tmp_path / "weights.pt"
    torch.save({"ema": averaged, "model": state}, path)
    module = net.module()
    assert "from its `model`, not its `ema`" in net.load_weights(module, path).summary
    assert_same(module, state)
    assert_same(net.module(weights=f"{path}#ema"), averaged)
    assert "there are `model`, `ema`" in refusal(f"{path}#other", net)
    torch.save({"generator": state, "critic": averaged}, path)
    assert "`generator`, `critic`" in refusal(path, net) and f"{path}#generator" in refusal(path, net)
    assert_same(net.module(weights=f"{path}#critic"), averaged)


def test_a_run_has_our_own_names_whatever_rename_says(tmp_path: Path) -> None:
    run = cnndsl.train(cnndsl.Text(SPEC), runs=tmp_path, epochs=1, quiet=True, device="cpu")
    names = {name.partition(".")[0] for name in run.module("last").state_dict()}
    first, second, *_ = sorted(names)
    swapped = cnndsl.loads(f"{SPEC}\nrename: {{'{first}': '{second}', '{second}': '{first}'}}\n")
    assert_same(swapped.module(weights=run.path / "last.pt"), run.module("last").state_dict())
    assert f"use `{run.path / 'best.pt'}`" in refusal(run.path, swapped)


# --- counters, and what torch and torchvision drop or add --------------------------------------------------

NORMALISED = """
input: [3, 8, 8]
network: [{name: conv, Conv2d: {out_channels: 4, kernel_size: 1, bias: false}}, {name: bn, NORM: }]
"""


def test_a_batch_norm_goes_into_a_frozen_one_as_torchvision_has_it() -> None:
    trained = randomised(cnndsl.loads(NORMALISED.replace("NORM", "BatchNorm2d")).module())
    net = cnndsl.loads(NORMALISED.replace("NORM", "FrozenBatchNorm2d"))
    module = net.module()
    assert net.load_weights(module, trained.state_dict()).is_whole
    oracle = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 1, bias=False), "bn": FrozenBatchNorm2d(4)})
    oracle.load_state_dict(trained.state_dict())
    assert_same(module, oracle.state_dict())
    back = cnndsl.loads(NORMALISED.replace("NORM", "BatchNorm2d"))
    assert_same(
        back.module(weights=oracle.state_dict()), trained.state_dict() | {"bn.num_batches_tracked": torch.tensor(0)}
    )


def test_a_whole_resnet_goes_into_one_with_frozen_normalisation() -> None:
    state = randomised(theirs("resnet18", "cpu")).state_dict()
    spec = cnndsl.load(FOLDER / "resnet18.yaml").graph.document.resolved("expect")
    net = cnndsl.loads(spec.replace("BatchNorm2d", "FrozenBatchNorm2d"))
    oracle = torchvision.models.resnet18(norm_layer=FrozenBatchNorm2d)
    oracle.load_state_dict(state)
    assert len(state) - len(oracle.state_dict()) == 20
    assert_same(net.module(weights=state), oracle.state_dict())


def test_checkpoints_from_before_torch_counted_batches(net: cnndsl.Network, original: nn.Module) -> None:
    """Of version 1 of batch normalisation, without a counter, and with numbers of one dimension as torch 0.3 had."""
    state = original.state_dict()
    old = {name: tensor for name, tensor in state.items() if "num_batches_tracked" not in name}
    assert_same(net.module(weights=old), state | {"norm.num_batches_tracked": torch.tensor(0)})
    older = old | {"norm.num_batches_tracked": torch.tensor([3])}
    assert_same(net.module(weights=older), state)


def test_the_heads_that_torchvision_leaves_out_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = torchvision.models.googlenet(weights=None, aux_logits=True, init_weights=False)
    weights = torchvision.models.GoogLeNet_Weights.IMAGENET1K_V1
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    torch.save(whole.state_dict(), tmp_path / "checkpoints" / Path(weights.url).name)
    net = cnndsl.load(FOLDER / "googlenet.yaml")
    module = net.module()
    fit = net.load_weights(module, "torchvision:IMAGENET1K_V1")
    assert "auxiliary heads left out" in fit.summary and fit.is_whole
    state = whole.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())


# --- values that are wrong ---------------------------------------------------------------------------------


def changed(original: nn.Module, name: str, tensor: Any) -> dict[str, Any]:
    return {**original.state_dict(), name: tensor}


@pytest.mark.parametrize(
    ("name", "tensor", "says"),
    [
        ("norm.weight", [1, float("nan"), 1, float("nan"), 1], "norm.weight: 2 of 5 values are not finite"),
        ("norm.bias", [1, float("inf"), 1, 1, 1], "norm.bias: 1 of 5 values are not finite"),
        ("norm.running_var", [1, -1e-3, 1, 1, 1], "norm.running_var: 1 of 5 variances are negative"),
        ("head.bias", torch.tensor([1e300, 1, 1, 1], dtype=torch.float64), "1 of 4 values are not finite in float32"),
        ("head.bias", torch.tensor([1, 2, 3, 4], dtype=torch.int8), "head.bias: int8 there, float32 here"),
    ],
)
def test_odd_values_are_loaded_and_named(
    name: str, tensor: Any, says: str, net: cnndsl.Network, original: nn.Module
) -> None:
    state = changed(original, name, torch.as_tensor(tensor))
    with pytest.warns(UserWarning, match="CNN110") as caught:
        module = net.module(weights=state)
    assert says in str(caught[0].message)
    torch.testing.assert_close(module.state_dict()[name], state[name].float(), rtol=0, atol=0, equal_nan=True)


def test_sound_values_bring_no_warning(
    net: cnndsl.Network, original: nn.Module, recwarn: pytest.WarningsRecorder
) -> None:
    for dtype in (torch.float64, torch.bfloat16, torch.float16):
        net.module(weights={name: tensor.to(dtype) for name, tensor in original.state_dict().items()})
    assert not recwarn.list


NO_NUMBERS = {
    "sparse": lambda tensor: tensor.to_sparse(),
    "meta device": lambda tensor: tensor.to("meta"),
    "quantized": lambda tensor: torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8),
    "complex64 there": lambda tensor: tensor.to(torch.complex64),
    "nested": lambda tensor: torch.nested.nested_tensor([tensor, tensor]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", NO_NUMBERS)
def test_tensors_without_plain_numbers_are_refused_by_name(
    what: str, net: cnndsl.Network, original: nn.Module, tmp_path: Path
) -> None:
    state = changed(original, "stem.weight", NO_NUMBERS[what](original.state_dict()["stem.weight"]))
    sources: list[Any] = [state]
    if what != "nested":  # which torch's reader refuses
        torch.save(state, tmp_path / "weights.pt")
        sources.append(tmp_path / "weights.pt")
    for source in sources:
        message = refusal(source, net)
        assert "of another kind: stem.weight: " in message and what in message
        module = net.module(weights=source, partial=True)
        assert torch.equal(module.state_dict()["head.weight"], state["head.weight"])


# --- what is no weights at all -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ({"a.weight": 1}, "object of class `int`|`a.weight`"),
        ({"stem.weight": torch.zeros(1), "epoch": 3}, "`epoch` is not a tensor, but an object of class `int`"),
        ({1: torch.zeros(1)}, "the name `1` is not a string"),
        ({}, "it is empty"),
        ([torch.zeros(1)], "got an object of class `list`"),
        (7, "got an object of class `int`"),
        (b"weights.pt", "got an object of class `bytes`"),
        (nn.Linear(2, 2), "pass its `state_dict()`"),
    ],
)
def test_objects_that_are_no_weights(source: Any, says: str, net: cnndsl.Network) -> None:
    assert any(text in refusal(source, net) for text in says.split("|"))
    with pytest.raises(RunError):
        cnndsl.train(cnndsl.Text(SPEC), weights=source, quiet=True)


@pytest.mark.parametrize("content", [b'{"stem.weight": [1, 2]}', b"lr: 0.1\n", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_files_that_torch_has_not_saved(content: bytes, net: cnndsl.Network, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(RunError) as caught:
        net.module(weights=path)
    fault = caught.value.diagnostic
    assert (fault.code, fault.message, fault.notes) == (Code.WEIGHTS, f"{path} is not a weights file", ())
    assert "`torch.save`" in fault.help


def test_the_old_format_of_torch_is_read(net: cnndsl.Network, tmp_path: Path) -> None:
    state = randomised(net.module()).state_dict()
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    found = net.module(weights=tmp_path / "old.pt").state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in state.items())


@pytest.mark.parametrize("command", ["train", "build"])
def test_a_file_that_is_not_there_is_wrong_usage(command: str, tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    (tmp_path / "text.pt").write_text("text")
    for name, code in {"none.pt": 2, "none.safetensors": 2, ".": 2, "text.pt": 1}.items():
        done = CliRunner().invoke(cli, [command, str(tmp_path / "net.yaml"), "--weights", str(tmp_path / name)])
        assert done.exit_code == code, done.output


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_what_is_no_file_is_refused_and_not_waited_for(suffix: str, net: cnndsl.Network, tmp_path: Path) -> None:
    pipe, folder, link = (tmp_path / f"{name}{suffix}" for name in ("pipe", "folder", "link"))
    os.mkfifo(pipe)
    folder.mkdir()
    link.symlink_to(link)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(refusal(pipe, net)), daemon=True)
    reader.start()
    reader.join(60)
    assert said and "is not a regular file" in said[0]
    assert "is a folder" in refusal(folder, net)
    assert "is not a regular file" in refusal("/dev/null", net)
    refusal(link, net)
    refusal("with\0nothing.pt", net)


# --- other input channels ----------------------------------------------------------------------------------


def convolutions(channels: int) -> cnndsl.Network:
    return cnndsl.loads(
        f"""
input: [{channels}, 8, 8]
network:
  - ZeroPad2d: 1
  - branch: [[{{name: a, Conv2d: [4, 3]}}], [{{name: b, Conv2d: [5, 3]}}]]
  - {{name: body, Conv2d: [4, 1]}}
"""
    )


def test_a_stem_for_rgb_takes_grey_and_many_channels_as_timm_has_it() -> None:
    """Grey pictures give what they gave as RGB, and six channels that are RGB twice what these gave once."""
    rgb = convolutions(3)
    state = randomised(rgb.module()).state_dict()
    colours, grey = torch.rand(2, 3, 8, 8), torch.rand(2, 1, 8, 8)
    wanted = rgb.module(weights=state)
    for channels, x, same in ((1, grey, grey.repeat(1, 3, 1, 1)), (6, colours.repeat(1, 2, 1, 1), colours)):
        net = convolutions(channels)
        assert "adapts `a.weight` to the channels of the input" in refusal(state, net)
        module = net.module()
        fit = net.load_weights(module, state, partial=True)
        assert [name for name, _ in fit.adapted] == ["a.weight", "b.weight"] and "2 adapted" in fit.summary
        assert fit.is_whole and fit.table[0].startswith("adapted: a.weight: ")
        torch.testing.assert_close(module(x), wanted(same), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("channels", [2, 4, 5, 13])
def test_other_counts_of_channels_are_repeated_cut_and_scaled(channels: int) -> None:
    """As timm's ``adapt_input_conv`` has it: ``repeat(1, ceil(in_chans / 3), 1, 1)[:, :in_chans] * (3 / in_chans)``."""
    weight = randomised(convolutions(3).module()).state_dict()
    found = convolutions(channels).module(weights=weight, partial=True).state_dict()["a.weight"]
    for channel in range(channels):
        torch.testing.assert_close(found[:, channel], weight["a.weight"][:, channel % 3] * 3 / channels)


def test_a_grey_stem_goes_to_rgb() -> None:
    grey = randomised(convolutions(1).module())
    module = convolutions(3).module(weights=grey.state_dict(), partial=True)
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(module(x.repeat(1, 3, 1, 1)), grey(x), rtol=1e-5, atol=1e-5)


def test_only_what_sees_the_input_is_adapted() -> None:
    """Neither convolutions further on nor those of another kernel."""
    spec = "input: [3, 8, 8]\nnetwork: [{name: a, Conv2d: [WIDTH, 3]}, {name: b, Conv2d: [4, 3]}]\n"
    first, second = (cnndsl.loads(spec.replace("WIDTH", width)) for width in "68")
    module = second.module()
    fit = second.load_weights(module, first.module().state_dict(), partial=True)
    assert not fit.adapted and {name for name, _ in fit.unlike} == {"a.weight", "a.bias", "b.weight"}


def test_a_resnet_of_torchvisions_for_grey_pictures() -> None:
    original = theirs("resnet18", "cpu").eval()
    net = cnndsl.loads("extends: zoo:resnet18\ninput: [1, 64, 64]\n")
    module = net.module(weights=original.state_dict(), partial=True).eval()
    x = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(module(x), original(x.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-4)


# --- on the command line -----------------------------------------------------------------------------------


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_build_and_train_say_what_was_done_to_the_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    original = randomised(cnndsl.loads(SPEC.replace("input: [1,", "input: [3,")).module())
    wrapped = {f"model.{name}": tensor for name, tensor in original.state_dict().items()}
    torch.save({"state_dict": wrapped, "epoch": 3}, "rgb.ckpt")
    torch.save({"state_dict": {**wrapped, "model.1.bias": torch.full((6,), torch.nan)}}, "odd.ckpt")
    Path("net.yaml").write_text(SPEC)
    done = run("build", "net.yaml", "--weights", "rgb.ckpt")
    assert done.exit_code == 1 and "error[CNN212]" in done.stderr and "and adapts `0.weight`" in done.stderr
    done = run("build", "net.yaml", "--weights", "odd.ckpt", "--partial")
    assert done.exit_code == 0, done.stderr
    for said in (
        "from its `state_dict`",
        "without the prefix `model.`",
        "adapted: 0.weight",
        "warning[CNN110]",
        "1.bias: 6",
    ):
        assert said in done.stderr
    assert load_file("build/tiny/tiny.safetensors").keys() == original.state_dict().keys()
    done = run("train", "net.yaml", "--epochs", "1", "--device", "cpu", "--weights", "rgb.ckpt", "--partial")
    assert done.exit_code == 0, done.stderr
    for said in ("from its `state_dict`", "without the prefix `model.`", "adapted: 0.weight"):
        assert said in done.stdout
