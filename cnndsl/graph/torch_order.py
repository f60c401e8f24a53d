"""Lists of arguments that compile but are probably in PyTorch's order.

In PyTorch a list of arguments contains those that are inferred here: ``nn.Conv2d(3, 16, 3)`` is ``Conv2d: [16, 3]``,
and ``nn.BatchNorm2d(16)`` is ``BatchNorm2d``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.diagnostics import got
from cnndsl.graph.graph import Apply
from cnndsl.layers import Layer
from cnndsl.spec.notation import in_torch_order
from cnndsl.spec.steps import Call
from cnndsl.spec.values import Arguments, Value


def meant_step(
    layer: type[Layer], values: Mapping[str, Any], written: Mapping[str, Value], arguments: Arguments
) -> str:
    """The step that was meant if the list of ``arguments`` is in PyTorch's order, "" if it cannot be.

    ``values`` are the arguments by name, ``written`` the same as written.
    """
    names = [name for name in layer.positional() if name in written] if arguments.positional else []
    dealt_out = arguments.alone is not None and len(names) > 1
    texts = [got(values[name]) if dealt_out else written[name].span.first_line.text for name in names]
    return in_torch_order(layer, [values[name] for name in names], texts)


def mistaken(item: Apply) -> tuple[str, str] | None:
    """What is odd about the list of arguments of a layer, and the step that was meant; None if nothing is."""
    if not isinstance(item.step, Call) or not item.step.arguments.positional:
        return None
    values = {name: _as_count(value) for name, value in item.layer.values.items()}
    line = meant_step(type(item.layer), values, item.written, item.step.arguments)
    names = item.layer.positional()[: len(item.written)]
    if not line:
        return None
    eps = values["eps"] if "eps" in names else None
    if isinstance(eps, (int, float)) and eps >= 1:
        return f"an `eps` of {eps}", line
    same = values.get("in_channels") == values.get("out_channels", 0)
    return (f"a kernel of {values['kernel_size']}", line) if same and _odd_window(item) else None


def _as_count(value: Any) -> Any:
    """A number that a layer took as a float, but that may have been written as a number of channels."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _odd_window(item: Apply) -> bool:
    """Whether a kernel is probably a number of channels, and the stride a kernel: nobody uses kernels of 8 and more, or
    even ones with a stride of 3 and more that is not the kernel."""
    kernel, stride = item.layer.values.get("kernel_size"), item.layer.values.get("stride")
    if not isinstance(kernel, int) or not isinstance(stride, int):
        return False
    return kernel >= 8 or (kernel >= 4 and kernel % 2 == 0 and stride >= 3 and stride != kernel)


def meant_channels(item: Apply) -> int | None:
    """The channels that a layer would give if its arguments were not in PyTorch's order; None if they are not."""
    kernel = item.layer.values.get("kernel_size") if mistaken(item) else None
    return kernel if isinstance(kernel, int) else None
