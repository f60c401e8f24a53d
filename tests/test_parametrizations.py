"""`parametrization: weight_norm` and `spectral_norm`, held against torch's own."""

import inspect
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from emitting import assert_faithful, samples, torch_layer
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from training_cases import SPEC
from values import assert_values

import cnndsl
from cnndsl.layers import LAYERS, PARAMETRIZATIONS, Layer, Parametrized, Refused, Shape

DISCRIMINATOR = """
input: [3, 16, 16]
blocks:
  Down(channels, norm=None):
    - {Conv2d: [$channels, 4, 2, 1], parametrization: $norm}
    - LeakyReLU: 0.2
network:
  - Down: [8, spectral_norm]
  - Down: [8, weight_norm]
  - {name: up, ConvTranspose2d: [4, 3], parametrization: {spectral_norm: {n_power_iterations: 2, eps: 1e-6}}}
  - residual: [{name: mix, Conv2d: [4, 1], parametrization: {weight_norm: {dim: 1}}}]
  - Flatten
  - {name: head, Linear: 1, parametrization: {weight_norm: {dim: null}}}
"""


class ByHand(nn.Module):
    """The same network as a person would write it."""

    def __init__(self) -> None:
        super().__init__()
        self.down1 = nn.Sequential(spectral_norm(nn.Conv2d(3, 8, 4, 2, 1)), nn.LeakyReLU(0.2))
        self.down2 = nn.Sequential(weight_norm(nn.Conv2d(8, 8, 4, 2, 1)), nn.LeakyReLU(0.2))
        self.up = spectral_norm(nn.ConvTranspose2d(8, 4, 3), n_power_iterations=2, eps=1e-6)
        self.mix = weight_norm(nn.Conv2d(4, 4, 1), dim=1)
        self.flatten1 = nn.Flatten()
        self.head = weight_norm(nn.Linear(144, 1), dim=None)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.down2(self.down1(x)))
        return self.head(self.flatten1(self.mix(x) + x))


def test_a_network_is_that_written_by_hand() -> None:
    """Weights, which are drawn in the same order, names, and the values of several steps in both modes."""
    net = cnndsl.loads(DISCRIMINATOR)
    torch.manual_seed(0)
    ours = net.module()
    torch.manual_seed(0)
    theirs = ByHand()
    state = theirs.state_dict()
    assert [*ours.state_dict()] == [*state]
    torch.testing.assert_close(ours.state_dict(), state, rtol=0, atol=0)
    assert net.cost.params == sum(tensor.numel() for tensor in theirs.parameters())
    assert net.cost.buffers == sum(tensor.numel() for tensor in theirs.buffers())
    for training in (True, True, False):
        x = samples(net)[0]
        for module in (ours, theirs):
            module.train(training)(x).sum().backward()
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=0, atol=0)
    grads = [[tensor.grad for tensor in module.parameters()] for module in (ours, theirs)]
    torch.testing.assert_close(*grads, rtol=0, atol=0)


def test_a_network_has_the_values_of_its_graph() -> None:
    net = cnndsl.loads(DISCRIMINATOR)
    assert_faithful(net)
    assert_values(net)
    assert cnndsl.format(DISCRIMINATOR) == cnndsl.format(cnndsl.format(DISCRIMINATOR))


def bound(name: str, **given: Any) -> Parametrized:
    function = PARAMETRIZATIONS[name]
    return Parametrized(function, given, function.bind(given))


@pytest.mark.parametrize("name", PARAMETRIZATIONS)
def test_arguments_are_those_of_torch(name: str) -> None:
    parameters = [*inspect.signature(getattr(parametrizations, name)).parameters.values()][2:]  # after module and name
    assert {p.name: p.default for p in parameters} == PARAMETRIZATIONS[name].bind({})


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_every_layer_against_torch(layer: type[Layer]) -> None:
    """Names and shapes of all tensors with each dimension; a layer is refused if torch refuses it."""
    plain = layer.bind(layer.example, Shape(layer.example_input))
    for name in PARAMETRIZATIONS:
        for dim in (None, *range(-6 if name == "spectral_norm" else 0, 6)):
            by = bound(name, dim=dim)
            try:
                wanted = getattr(parametrizations, name)(torch_layer(plain), **by.values)
                assert "weight" not in plain.buffers(), "we refuse a weight that nobody learns"
            except Exception:
                with pytest.raises(Refused):
                    plain.parametrized(by)
                continue
            ours = plain.parametrized(by)
            assert ours.named_parameters() == {name: tuple(p.shape) for name, p in wanted.named_parameters()}
            assert ours.named_buffers() == {name: tuple(b.shape) for name, b in wanted.named_buffers()}


INIT = """
input: [3, 8, 8]
network:
  - {Conv2d: [8, 3], parametrization: spectral_norm}
  - {Conv2d: [8, 3], parametrization: weight_norm}
  - Conv2d: [8, 3]
init: {Conv2d: {weight: {constant: 0.5}, bias: zeros}}
"""


def test_init_sets_what_the_weight_is_computed_from() -> None:
    module = cnndsl.loads(INIT).module()
    state = module.state_dict()
    for name in ("0.parametrizations.weight.original", "1.parametrizations.weight.original1", "2.weight"):
        assert (state[name] == 0.5).all(), name
    torch.testing.assert_close(module.get_submodule("1").weight, torch.full((8, 8, 3, 3), 0.5))
    assert not state["0.bias"].any()


FROM_VALUES = """
input: [3, 16, 16]
params: {norm: {spectral_norm: {n_power_iterations: 3}}}
blocks:
  Down(channels, norm=None): [{Conv2d: [$channels, 3], parametrization: $norm}]
network:
  - {name: a, Down: [4, $norm]}
  - {name: b, Down: {channels: 4, norm: {weight_norm: {dim: 1}}}}
  - {name: c, Down: 4}
  - let: {other: {weight_norm: {dim: null}}}
  - {name: d, Conv2d: [4, 1], parametrization: $other}
  - {name: e, Conv2d: [4, 1], parametrization: "$(norm if input.channels > 9 else other)"}
"""


def test_arguments_may_come_from_a_value() -> None:
    """Of a parameter, a call, a `let` and an expression, from Python and from the command line."""

    def conv(out: int, kernel: int) -> nn.Conv2d:
        return nn.Conv2d(4, out, kernel)

    def by_hand(first: nn.Module) -> nn.Module:
        second, third = nn.Sequential(weight_norm(conv(4, 3), dim=1)), nn.Sequential(conv(4, 3))
        ends = (weight_norm(conv(4, 1), dim=None) for _ in range(2))
        return nn.Sequential(nn.Sequential(first), second, third, *ends)

    spectral = spectral_norm(nn.Conv2d(3, 4, 3), n_power_iterations=3)
    directed = weight_norm(nn.Conv2d(3, 4, 3), dim=2)
    norm = {"weight_norm": {"dim": 2}}
    for net, first in ((cnndsl.loads(FROM_VALUES), spectral), (cnndsl.loads(FROM_VALUES, norm=norm), directed)):
        ours, theirs = net.module(), by_hand(first)
        theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
        x = samples(net)[0]
        torch.testing.assert_close(ours.train()(x), theirs.train()(x), rtol=0, atol=0)
        torch.testing.assert_close([*ours.state_dict().values()], [*theirs.state_dict().values()], rtol=0, atol=0)
        assert_faithful(net)
    with pytest.raises(cnndsl.SpecError, match="no argument `n`"):
        cnndsl.loads(FROM_VALUES, norm={"weight_norm": {"n": 2}})


def test_zeros_that_are_warned_of_give_no_numbers() -> None:
    for name in PARAMETRIZATIONS:
        text = f"input: [3, 4, 4]\nnetwork: [{{Conv2d: [2, 1], parametrization: {name}}}]\ninit: {{Conv2d: zeros}}"
        assert [item.code.id for item in cnndsl.check(cnndsl.Text(text))] == ["CNN112"]
        assert cnndsl.loads(text).module()(torch.ones(1, 3, 4, 4)).isnan().all()


def test_weights_load_by_torchs_names_and_by_others(tmp_path: Path) -> None:
    trained = ByHand().eval()
    x = samples(cnndsl.loads(DISCRIMINATOR))[0]
    module = cnndsl.loads(DISCRIMINATOR).module(trained.state_dict()).eval()
    torch.testing.assert_close(module(x), trained(x), rtol=0, atol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nn.utils.weight_norm(nn.Linear(8, 2))  # of which checkpoints have `weight_g` and `weight_v`
    spec = """
        input: [8]
        network: [{name: head, Linear: 2, parametrization: weight_norm}]
        rename: {head.parametrizations.weight.original0: head.weight_g,
                 head.parametrizations.weight.original1: head.weight_v}
        """
    state = {f"head.{name}": tensor for name, tensor in old.state_dict().items()}
    loaded = cnndsl.loads(spec).module(state)
    x = torch.randn(4, 8)
    torch.testing.assert_close(loaded(x), old(x))


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
def test_it_trains_resumes_and_exports(tmp_path: Path) -> None:
    """With an average and a frozen part; the end of a run that stopped is that of one that did not."""
    spec = SPEC.replace(
        "  - Conv2d: {out_channels: 6, kernel_size: 3}\n",
        "  - {Conv2d: {out_channels: 6, kernel_size: 3}, parametrization: spectral_norm}\n",
    ).replace("  - Linear: $classes\n", "  - {Linear: $classes, parametrization: weight_norm}\n")
    spec += "  ema: 0.9\n  freeze: ['6.parametrizations.weight.original0']\n"
    spec = spec.replace("epochs: 3", "epochs: 2")
    quiet: dict[str, Any] = {"quiet": True, "device": "cpu"}
    whole = cnndsl.train(cnndsl.Text(spec), runs=tmp_path / "whole", **quiet)
    frozen = cnndsl.loads(spec).module().state_dict()["6.parametrizations.weight.original0"].shape
    state = whole.module("last").state_dict()
    assert state["6.parametrizations.weight.original0"].shape == frozen
    half = cnndsl.train(cnndsl.Text(spec), runs=tmp_path / "half", epochs=1, **quiet)
    longer = cnndsl.train(resume=half.path, epochs=2, **quiet)
    torch.testing.assert_close(longer.module("last").state_dict(), state, rtol=0, atol=0)
    whole.export(tmp_path / "net.pt", "torchscript", "last")
    x = torch.randn(2, 1, 12, 12)
    torch.testing.assert_close(torch.jit.load(tmp_path / "net.pt")(x), whole.module("last").eval()(x))
