"""The reference of all layers and initializers, generated from the layer table.

``python -m cnndsl.emit.reference > docs/layers.md`` updates the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.layers import INITIALIZERS, LAYERS, Layer, Shape
from cnndsl.layers.definitions import definition
from cnndsl.layers.function import Function
from cnndsl.layers.table import Argument
from cnndsl.plugins import OwnLayer
from cnndsl.printable import as_written

#: The families in the order of the page, with their headings.
FAMILIES = {
    "convolution": "Convolutions",
    "pooling": "Pooling",
    "normalization": "Normalization",
    "activation": "Activations",
    "linear": "Linear layers",
    "dropout": "Dropout layers",
    "padding": "Padding",
    "upsampling": "Upsampling",
    "shape": "Shapes",
}

_INTRODUCTION = """\
# Layers

Every layer that a spec may name, generated from the layer table by `python -m cnndsl.emit.reference`.
Names, arguments, order and defaults are those of `torch.nn` and `torchvision.ops`. Shapes start with
the batch, `N`, which no layer changes. An inferred argument follows from the input: a spec may omit it,
a list of arguments does not count it, and it must match if it is written.
"""

_INITIALIZERS = """\
## Initializers

`init` may name these functions of `torch.nn.init`, without their underscore.

| initializer | what it does | fills tensors of |
| --- | --- | --- |
"""


def layer_reference() -> str:
    """The whole page, in Markdown."""
    families = {
        heading: [layer for layer in LAYERS.values() if layer.family == family] for family, heading in FAMILIES.items()
    }
    index = "".join(
        f"| {_link(heading)} | {', '.join(_link(layer.__name__) for layer in layers)} |\n"
        for heading, layers in families.items()
    )
    sections = [
        f"## {heading}\n\n" + "\n".join(layer_page(layer.__name__) for layer in layers)
        for heading, layers in families.items()
    ]
    table = f"| family | layers |\n| --- | --- |\n{index}| {_link('Initializers')} | for weights |\n"
    return "\n".join([_INTRODUCTION, table, *sections, _INITIALIZERS]) + _initializer_rows()


def layer_page(name: str) -> str:
    """One layer's part of the page: signature, description, arguments, an example."""
    layer = LAYERS[name]
    parts = [
        f"### {name}",
        f"```python\n{name}({layer.signature()})\n```",
        _markdown(layer.documentation()),
        _arguments(layer.arguments, layer.dims or 0),
        _example(layer),
        _origin(layer),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def function_page(function: Function) -> str:
    """A function or class of torch: signature, what it does, arguments."""
    signature = f"{function.name}({function.signature()})"
    parts = [
        f"```python\n{signature}\n```",
        _markdown(function.documentation),
        _arguments(function.arguments, 0),
        f"In torch: [{function.path}]({torch_page(function.path)})." if function.path else "",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def torch_page(path: str) -> str:
    """The address of a class or function in the documentation of torch or torchvision."""
    site = "vision" if path.startswith("torchvision.") else "docs"
    return f"https://docs.pytorch.org/{site}/stable/generated/{path}.html"


def _arguments(arguments: Mapping[str, Argument[Any]], dims: int) -> str:
    if not arguments:
        return ""
    rows = [f"| `{name}` | {arg.kind.expects(dims)} | {_default(arg)} |" for name, arg in arguments.items()]
    return "\n".join(["| argument | expects | default |", "| --- | --- | --- |", *rows])


def _default(argument: Argument[Any]) -> str:
    if argument.infer is not None:
        return "inferred"
    return "required" if argument.required else f"`{_written(argument.default)}`"


def _example(layer: type[Layer]) -> str:
    if issubclass(layer, OwnLayer):
        return ""  # no example is known for it
    x = Shape(layer.example_input)
    bound = layer.bind(layer.example, x)
    written = ", ".join(f"{name}: {_written(value)}" for name, value in layer.example.items())
    call = f"{layer.__name__}: {{{written}}}" if written else layer.__name__
    tensors = ", ".join(f"`{name}` {list(shape)}" for name, shape in bound.parameters().items())
    return f"`{call}` turns `{x}` into `{bound.output(x)}`{f', with parameters {tensors}' if tensors else ''}."


def _origin(layer: type[Layer]) -> str:
    if layer.defined_in:
        code = definition(layer.defined_in, layer.__name__)
        return f"Not in torch or torchvision, so the emitted source defines it:\n\n```python\n{code}```"
    if issubclass(layer, OwnLayer):
        return f"Defined by a plugin: `{layer.imports}`."
    name = f"{layer.package or 'torch.nn'}.{layer.__name__}"
    return f"In torch: [{name}]({torch_page(name)})."


def _initializer_rows() -> str:
    return "".join(
        f"| `{name}({initializer.signature()})` | {_markdown(initializer.documentation)} "
        f"| {'any shape' if initializer.ranks.start == 0 else initializer.needs} |\n"
        for name, initializer in INITIALIZERS.items()
    )


def _link(name: str) -> str:
    return f"[{name}](#{name.lower().replace(' ', '-')})"


def _written(value: object) -> str:
    """A value as a spec writes it: strings without quotes, since those of layers need none."""
    return value if isinstance(value, str) else as_written(value)


def _markdown(text: str) -> str:
    return text.replace("``", "`")


if __name__ == "__main__":
    print(layer_reference(), end="")
