"""How the time of a compile grows with the network, up to 20,000 layers.

python benchmarks/growth.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial

from measure import CPU, WALL, Case, Figures, Quantity, Question, main, timed

SIZES = (2_500, 5_000, 10_000, 20_000)
EACH = Quantity("µs per layer")
#: The limits that such networks need.
LARGE = dict.fromkeys(("file", "nodes", "steps", "times", "edges", "parameters"), 10**12)
#: Five layers, whose output has the shape of their input.
FIVE = (
    "Conv2d: {out_channels: 8, kernel_size: 3, padding: 1, bias: false}",
    "BatchNorm2d",
    "ReLU",
    "Conv2d: [8, 1]",
    "Sigmoid",
)
LIST = f"[{', '.join(FIVE)}]"


def flat(layers: int) -> str:
    """Each layer has its own line."""
    return "network:\n" + "".join(f"  - {layer}\n" for layer in FIVE) * (layers // 5)


def different(layers: int) -> str:
    """Each layer has its own line, and each pair of convolutions its own number of channels."""
    return "network:\n" + "".join(
        f"  - Conv2d: {{out_channels: {8 + number}, kernel_size: 3, padding: 1, bias: false}}\n"
        "  - BatchNorm2d\n  - ReLU\n"
        f"  - Conv2d: [{9 + number}, 1]\n  - Sigmoid\n"
        for number in range(layers // 5)
    )


def repeat(layers: int) -> str:
    """Ten rounds of a loop in a loop."""
    return f"network: [{{repeat: [{{repeat: {LIST}, times: 10}}], times: {layers // 50}}}]"


def nested(layers: int) -> str:
    """Blocks of five blocks of five blocks of layers."""
    five = ", ".join(["{}"] * 5)
    blocks = f"blocks: {{Leaf: {LIST}, Twig: [{five.format(*['Leaf'] * 5)}], Bough: [{five.format(*['Twig'] * 5)}]}}"
    return f"{blocks}\nnetwork: [{{repeat: [Bough], times: {layers // 125}}}]"


def branch(layers: int) -> str:
    """Pairs of branches, which are added."""
    return f"network: [{{repeat: [{{branch: [{LIST}, {LIST}], merge: add}}], times: {layers // 10}}}]"


def dense(layers: int) -> str:
    """Dense blocks: the output of each of four rounds is concatenated with its input."""
    block = f"{{dense: {LIST}, times: 4}}"
    reduce = ", ".join(["Conv2d: [8, 1]", "ReLU", "Sigmoid", "BatchNorm2d", "Tanh"])
    return f"network: [{{repeat: [{block}, {reduce}], times: {layers // 25}}}]"


FORMS: tuple[Callable[[int], str], ...] = (nested, repeat, dense, branch, flat, different)


def spec(form: Callable[[int], str], layers: int) -> str:
    return f"input: [8, 8, 8]\n{form(layers)}\n"


def compiling(form: Callable[[int], str], layers: int, round: int) -> Figures:
    """Compiles a network of so many layers, parameters and MACs included, with limits that let it through."""
    import cnndsl

    text, limits = spec(form, layers), cnndsl.Limits(**LARGE)
    took = timed(lambda: cnndsl.loads(text, limits=limits).cost)
    return {**took, EACH: took[CPU] / layers * 1e6}


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    for form in FORMS:
        sizes = {f"{layers:,} layers": partial(compiling, form, layers) for layers in SIZES}
        yield Case((form.__name__,), sizes, rivals=False, notes=(f"{form.__name__}: {form.__doc__}",))


QUESTION = Question(
    __file__,
    "Growth with the network",
    """`cnndsl.loads(text).cost` on networks of 2,500 to 20,000 layers in six forms. If time grows with the number of
    layers, the last three columns are 2, 4 and 8 in the first table, and 1 in the second, which has the CPU time of a
    layer.""",
    ("network",),
    cases,
    quantities=(WALL, EACH),
    rounds=5,
)

if __name__ == "__main__":
    main(QUESTION)
