"""Modules that are layers: which layer of the table, with which arguments.

torch keeps an argument of a constructor as an attribute of the same name, so reading a module is generic. ``READERS``
has the arguments that it keeps otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from cnndsl.importing.tree import LayerValue
from cnndsl.layers import LAYERS, PARAMETRIZATIONS, Layer
from cnndsl.layers.kinds import PerAxis
from cnndsl.layers.table import REQUIRED
from cnndsl.plugins import OwnLayer


@cache
def torch_classes() -> dict[type, str]:
    """The classes of torch and torchvision that the table has, with their words."""
    import torchvision.ops

    homes = {"": nn, "torchvision.ops": torchvision.ops}
    return {
        getattr(homes[layer.package], word): word
        for word, layer in LAYERS.items()
        if not layer.defined_in and layer.package in homes
    }


def own_layer(kind: type) -> str:
    """The name of a class that is a layer of somebody's own, "" if it is none."""
    entry = LAYERS.get(kind.__name__)
    is_own = entry is not None and issubclass(entry, OwnLayer) and entry.rules.made is kind
    return kind.__name__ if is_own else ""


def word_of(kind: type, shape: tuple[int, ...] = ()) -> str:
    """The layer that a class is, "" if it is none: a class of the table, or one made from it that computes the same on
    an input of this shape."""
    if issubclass(kind, nn.SyncBatchNorm):  # in one process
        return f"BatchNorm{max(len(shape) - 2, 1)}d" if kind.forward is nn.SyncBatchNorm.forward else ""
    kind = kind.__mro__[1] if kind.__name__.startswith("Parametrized") else kind
    for base in kind.__mro__:
        if base in torch_classes():
            computes = ("forward", "_conv_forward", "__call__", "_forward_impl")
            return torch_classes()[base] if all(_same(kind, base, name) for name in computes) else ""
    return ""


def _same(kind: type, base: type, name: str) -> bool:
    return getattr(kind, name, None) is getattr(base, name, None)


def written(word: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a person writes them, in torch's order: no defaults, 3 for ``(3, 3)``, and 2 for 2.0."""
    layer = LAYERS[word]
    simple = {name: _simple(layer, name, values[name]) for name in layer.arguments if name in values}
    return {name: value for name, value in simple.items() if not _is_default(layer, name, value)}


def _simple(layer: type[Layer], name: str, value: Any) -> Any:
    value = tuple(value) if isinstance(value, list) else value
    per_axis = any(isinstance(part, PerAxis) for part in layer.arguments[name].kind.parts())
    scale = name == "scale_factor"
    if isinstance(value, tuple) and value and (per_axis or scale) and all(same(item, value[0]) for item in value):
        value = value[0]
    return int(value) if isinstance(value, float) and scale and value == int(value) else value


def _is_default(layer: type[Layer], name: str, value: Any) -> bool:
    default = layer.arguments[name].default
    return default is not REQUIRED and layer.arguments[name].infer is None and same(value, default)


def shortest(number: float) -> float:
    """A number that came out of a float32 tensor with as many digits as it has there: 1e-6 for 9.999999974752427e-7."""
    rounded = float(f"{number:.7g}")
    there, here = torch.tensor([number, rounded], dtype=torch.float32).tolist()
    return rounded if number == there == here else number


def same(value: Any, other: Any) -> bool:
    """Equal and of one kind: 1 is not True, but 1 is 1.0."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def arguments_of(word: str, module: nn.Module) -> dict[str, Any]:
    """The arguments that make an equal layer, as a person writes them."""
    layer = LAYERS[word]
    values = {}
    for name, argument in layer.arguments.items():
        if argument.infer is None and name not in layer.reads:
            read = READERS.get((word, name)) or READERS.get(name) or getattr
            values[name] = read(module, name)
    if word in ("LayerNorm", "RMSNorm"):
        values |= _normalized(module)
    return written(word, values)


def _bias(module: nn.Module, name: str) -> bool:
    """Whether it has a bias; also of a norm without any parameters, which then has the default."""
    if getattr(module, "affine", True) and getattr(module, "elementwise_affine", True):
        return module.bias is not None
    return True


def _normalized(module: nn.Module) -> dict[str, Any]:
    """The sizes of a norm over several dimensions: one is inferred."""
    shape = tuple(module.normalized_shape)  # type: ignore[arg-type]
    return {"normalized_shape": shape} if len(shape) > 1 else {}


def _stride(module: nn.Module, name: str) -> Any:
    """None if it is the kernel's size, which is torch's default of a pooling."""
    stride, kernel = (_listed(getattr(module, key)) for key in ("stride", "kernel_size"))
    return None if stride is None or kernel * len(stride) == stride * len(kernel) else module.stride


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, (tuple, list)) else value if value is None else (value,)


def _sizes(module: nn.Module, name: str) -> Any:
    """Those of ``Unflatten``, which may be pairs of names and sizes."""
    return tuple(module.unflattened_size)  # type: ignore[arg-type]


#: How arguments are read that are no attributes of their names: of any layer, or of one.
READERS: dict[str | tuple[str, str], Callable[[nn.Module, str], Any]] = {
    "bias": _bias,
    "min_value": lambda module, name: None,  # older names of Hardtanh's: its constructor resolves them
    "max_value": lambda module, name: None,
    ("PReLU", "init"): lambda module, name: getattr(module, name, 0.25),
    ("Unflatten", "unflattened_size"): _sizes,
    **{(word, "stride"): _stride for word in LAYERS if "Pool" in word},
}


# --- parametrizations ----------------------------------------------------------------------------


class Parametrization:
    """How a layer's weight is computed: the option of the step, and what the module calls the tensors."""

    def __init__(self, value: LayerValue, renames: Mapping[str, str]) -> None:
        self.value, self.renames = value, renames


def parametrization_of(module: nn.Module) -> Parametrization | str | None:
    """That of a module's weight, None if it has none, or why the language does not have it."""
    if parametrize.is_parametrized(module):
        return _registered(module)
    hooks = [*module._forward_pre_hooks.values()]
    if not hooks:
        return None
    return _hooked(hooks[0]) if len(hooks) == 1 else "several hooks"


def _registered(module: nn.Module) -> Parametrization | str:
    by_tensor: Any = module.parametrizations
    if [*by_tensor] != ["weight"] or len(by_tensor["weight"]) != 1:
        return "a parametrization of several tensors, or several of one"
    (made,) = by_tensor["weight"]
    if isinstance(made, parametrizations._WeightNorm):
        return Parametrization(_value("weight_norm", {"dim": made.dim if made.dim != -1 else None}), {})
    if isinstance(made, parametrizations._SpectralNorm):
        dim = None if made.dim == _outputs_dim(module) else made.dim
        values = {"n_power_iterations": made.n_power_iterations, "eps": made.eps, "dim": dim}
        return Parametrization(_value("spectral_norm", values), {})
    return f"the parametrization `{type(made).__name__}`"


def _hooked(hook: Any) -> Parametrization | str:
    """Those of ``torch.nn.utils.weight_norm`` and ``spectral_norm``, which are older."""
    prefix = "parametrizations.weight."
    if isinstance(hook, WeightNorm) and hook.name == "weight":
        renames = {f"{prefix}original0": "weight_g", f"{prefix}original1": "weight_v"}
        return Parametrization(_value("weight_norm", {"dim": hook.dim if hook.dim != -1 else None}), renames)
    if isinstance(hook, SpectralNorm) and hook.name == "weight":
        values = {"n_power_iterations": hook.n_power_iterations, "eps": hook.eps, "dim": hook.dim or None}
        renames = {f"{prefix}original": "weight_orig", f"{prefix}0._u": "weight_u", f"{prefix}0._v": "weight_v"}
        return Parametrization(_value("spectral_norm", values), renames)
    return f"the hook `{getattr(hook, '__qualname__', type(hook).__name__)}`"


def _outputs_dim(module: nn.Module) -> int:
    return LAYERS[word_of(type(module))].outputs_dim


def _value(name: str, values: Mapping[str, Any]) -> LayerValue:
    arguments = PARAMETRIZATIONS[name].arguments
    return LayerValue(name, tuple((key, value) for key, value in values.items() if value != arguments[key].default))
