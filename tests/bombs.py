"""Families of specs that would cost the most: each grows with a size, up to what the limits let through or past it.

    python tests/bombs.py FAMILY VERB [SIZE]

does to one what the VERB, ``check`` or ``fmt``, would do, and prints the CPU seconds and the peak of memory that it
took.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from math import isqrt
from pathlib import Path

from cnndsl.diagnostics import MOST, SpecError
from cnndsl.fmt import Unchanged, format
from cnndsl.network import compile_spec
from cnndsl.report_formats import FORMATS
from cnndsl.spec.files import read_text
from cnndsl.spec.tree import Unreadable

#: A spec, or several of which ``net.yaml`` is compiled.
Files = dict[str, str]
Family = tuple[Callable[[int], "str | Files"], int]

WEIGHTED = [f"{name}{dims}d" for name in ("Conv", "ConvTranspose", "BatchNorm") for dims in (1, 2, 3)]


def net(steps: Iterable[str], before: str = "", input: str = "[8, 8, 8]", after: str = "") -> str:
    """A spec of steps, one a line."""
    return f"input: {input}\n{before}network:\n" + "".join(f"  - {step}\n" for step in steps) + after


def blocks(definitions: Iterable[str]) -> str:
    return "blocks:\n" + "".join(f"  {definition}\n" for definition in definitions)


def params(values: Iterable[object]) -> str:
    return "params:\n" + "".join(f"  p{number}: {value}\n" for number, value in enumerate(values))


def files(numbers: Iterable[int]) -> str:
    """A list of the files that :func:`several` makes."""
    return f"[{', '.join(f'f{number}.yaml' for number in numbers)}]"


def lines(line: Callable[[int], str], n: int) -> str:
    return "".join(f"{line(number)}\n" for number in range(n))


def several(texts: Iterable[str], main: str) -> Files:
    return {f"f{number}.yaml": text for number, text in enumerate(texts)} | {"net.yaml": main}


def nested(opening: str, inner: str, closing: str, depth: int) -> str:
    return opening * depth + inner + closing * depth


def marks(n: int) -> str:
    """Steps that only name a tensor."""
    return ", ".join(f"{{name: x{i}}}" for i in range(n))


def laughs(n: int) -> str:
    lines = ["a0: &a0 [1, 1]", *(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, n))]
    return "\n".join(lines) + "\n"


def doubling(n: int) -> str:
    definitions = [f"B{i}: [B{i + 1}, B{i + 1}]" for i in range(n)] + [f"B{n}: [ReLU]"]
    return net(["B0"], blocks(definitions))


def in_loops(step: str, depth: int, times: int = 100) -> str:
    lines = [f"{'  ' * (2 * i + 1)}- times: {times}\n{'  ' * (2 * i + 2)}repeat:" for i in range(depth)]
    return "input: [8, 8, 8]\nnetwork:\n" + "\n".join([*lines, "  " * (2 * depth + 1) + "- " + step]) + "\n"


def dense(n: int) -> str:
    """A dense block of ``n`` layers, written without ``dense``: the edges grow as its square."""
    steps = ["{ReLU: , name: x0}"]
    for i in range(1, n):
        steps.append(f"{{branch: [{', '.join(f'[from: x{j}]' for j in range(i))}], merge: add, name: x{i}}}")
    return net(steps)


def diamonds(n: int) -> Files:
    """Each of ``n`` files uses the next one twice, under two paths."""
    texts = [
        f"use: [f{i + 1}.yaml, ./f{i + 1}.yaml]\n" + net([f"C{i}"], blocks([f"C{i}: [ReLU]"])) for i in range(n - 1)
    ]
    return several([*texts, net(["C"], blocks(["C: [ReLU]"]))], "use: f0.yaml\n" + net(["C0"]))


def chained(n: int) -> Files:
    texts = [f"extends: f{i + 1}.yaml\nparams: {{p{i}: 1}}\n" for i in range(n - 1)] + [
        net(["ReLU"], "params: {p: 1}\n")
    ]
    return several(texts, "extends: f0.yaml\n")


def used(n: int) -> Files:
    texts = [net(["ReLU"], blocks([f"C{i}: [ReLU]"])) for i in range(n)]
    return several(texts, f"use: {files(range(n))}\n" + net(["C0"]))


def typos(n: int) -> str:
    """Names that are each like some of as many others."""
    half = n // 2
    return net(
        (f"ReLU: $parameter{i}x" for i in range(half)),
        params(()) + "".join(f"  parameter{i}: 1\n" for i in range(half)),
    )


def used_by_all(n: int) -> Files:
    """Each of ``n`` files uses all after it, and the last has many blocks."""
    texts = [f"use: {files(range(i + 1, n))}\n" + net([f"C{i}"], blocks([f"C{i}: [ReLU]"])) for i in range(n - 1)]
    last = net(["D0"], blocks(f"D{i}: [ReLU]" for i in range(900)))
    return several([*texts, last], f"use: {files(range(n))}\n" + net(["C0"]))


def of_one_base(n: int) -> Files:
    """``n`` files that extend one which has many blocks, all used."""
    base = net(["C"], blocks([f"C{i}: [ReLU]" for i in range(900)]))
    others = [f"extends: f0.yaml\nblocks: {{E{i}: [ReLU]}}\n" for i in range(1, n)]
    return several([base, *others], f"use: {files(range(1, n))}\n" + net(["E1"]))


FAMILIES: dict[str, Family] = {
    # --- YAML ---
    "brackets": (lambda n: "[" * n, 160_000),
    "braces": (lambda n: "{a: " * n, 60_000),
    "brackets, lines": (lambda n: "[\n" * n, 100_000),
    "indentation": (lambda n: "".join(" " * i + "a:\n" for i in range(n)), 640),
    "dashes": (lambda n: "- " * n, 100_000),
    "question marks": (lambda n: "? " * n, 100_000),
    "laughs": (laughs, 2_000),
    "aliases": (lambda n: f"a: &a [{'1, ' * n}]\nb: [{'*a, ' * 100}]\n", 60_000),
    "unknown aliases": (lambda n: f"a: [{'*abcdef, ' * n}]\n", 20_000),
    "anchors": (lambda n: "a: [" + "".join(f"&a{i} 1, " for i in range(n)) + "]\n", 20_000),
    "tags": (lambda n: "a: [" + "!!int 1, " * n + "]\n", 20_000),
    "nodes": (lambda n: "a: [" + "1, " * n + "]\n", 49_000),
    "mappings": (lambda n: "a: [" + "{}, " * n + "]\n", 40_000),
    "duplicate keys": (lambda n: "a: 1\n" * n, 25_000),
    "keys": (lambda n: "".join(f"k{i}: 1\n" for i in range(n)) + net(["ReLU"]), 20_000),
    "merge keys": (lambda n: "<<: 1\n" * n, 20_000),
    "no texts as keys": (lambda n: "".join(f"{i}: 1\n" for i in range(n)), 20_000),
    "documents": (lambda n: "--- a\n" * n, 40_000),
    "comment": (lambda n: "#" * n + "\n" + net(["ReLU"]), 260_000),
    "comments": (lambda n: "#\n" * n + net(["ReLU"]), 130_000),
    "blank lines": (lambda n: "\n" * n + net(["RELU"]), 260_000),
    "scalar": (lambda n: net(["ReLU"], f"description: {'a' * n}\n"), 260_000),
    "octal numbers": (lambda n: "a: [" + "010, " * n + "]\n", 40_000),
    "digits": (lambda n: net([f"Linear: {'9' * n}"]), 250_000),
    "wide letters": (lambda n: f"description: '{'漢' * n}'\n" + net(["RELU"]), 8_000),
    # --- structure ---
    "unknown layers": (lambda n: net(["Foo"] * n), 20_000),
    "unknown layers, one line": (lambda n: f"input: [8, 8, 8]\nnetwork: [{'Foo, ' * n}]\n", 40_000),
    "unlike layers": (lambda n: net(f"Conv2{i}" for i in range(n)), 16_000),
    "unknown arguments": (lambda n: net(f"Conv2d: {{out_chanels{i}: 1}}" for i in range(n)), 6_000),
    "arguments": (lambda n: net(["Conv2d: {" + ", ".join(f"a{i}: 1" for i in range(n)) + "}"]), 20_000),
    "positional": (lambda n: net(["Conv2d: [" + "1, " * n + "]"]), 40_000),
    "lists dealt out": (
        lambda n: net(["B: $w"] * n, params(["$(range(1024))"]).replace("p0", "w") + blocks(["B(c, d): [ReLU]"])), 9_000
    ),
    "expressions cut": (lambda n: net(["[" + "$(max(a, b)), " * n + "ReLU]"]), 9_000),
    "expressions cut, open": (lambda n: net(["Conv2d: [" + "$(max(a, " * n]), 20_000),
    "Python's calls": (lambda n: net(["nn.Conv2d(3, 16, 3)"] * n), 9_000),
    "Python's calls, cut": (lambda n: net([f"sequential: [{'nn.Conv2d(3, 16, 3), ' * n}ReLU]"]), 9_000),
    "names without a dollar": (lambda n: net(["let: {q: 3}", "Conv2d: [q * 2, 3]"] * n, params(range(n))), 3_500),
    "texts for values": (lambda n: net(["Conv2d: [$w * 2, 3]"] * n, "params: {w: 3}\n"), 9_000),
    "PyTorch's order": (lambda n: net(["LayerNorm: [16, 30, 30]"] * n), 8_000),
    "stray arguments": (
        lambda n: net(["ReLU"], after="train:\n  optimizer: Adam\n" + "".join(f"  l{'_' * i}r: 1\n" for i in range(n))),
        600,
    ),
    "wrong types": (lambda n: net(["ReLU: {inplace: maybe}"] * n), 9_000),
    "misspelt steps": (lambda n: net(f"{{branhc: [[ReLU]], nmae: a{i}}}" for i in range(n)), 6_000),
    "two words": (lambda n: net(["{ReLU: , Flatten: , repeat: [ReLU], times: 2}"] * n), 4_500),
    "long name": (lambda n: net([f"{{ReLU: , name: {'a' * n}}}"]), 8_000),
    "long layer": (lambda n: net(["C" * n]), 100_000),
    "long key": (lambda n: "k" * n + ": 1\n" + net(["ReLU"]), 100_000),
    "long block": (lambda n: net(["ReLU"], blocks([f"? {'B' * n}\n  : [ReLU]"])), 100_000),
    "names": (lambda n: net((f"{{ReLU: , name: a{i}}}" for i in range(n)), input="[1]"), 9_000),
    "dotted names": (lambda n: net((f"{{ReLU: , name: a.b.c.d.e.f.g.{i}}}" for i in range(n)), input="[1]"), 6_000),
    "dotted names in loops": (
        lambda n: net(
            (f"{{for: i, in: $(range(1000)), repeat: [{{ReLU: , name: a$i.b.c.d.e.f{k}.g.h}}]}}" for k in range(n)),
            input="[1]",
        ),
        20,
    ),
    "equal dotted names": (lambda n: net(["{ReLU: , name: a.b.c}", "{ReLU: , name: a.b}"] * n), 4_000),
    "equal names": (lambda n: net(["{ReLU: , name: a}"] * n), 8_000),
    "bad names": (lambda n: net(f"{{ReLU: , name: {i}a}}" for i in range(n)), 9_000),
    "blocks": (lambda n: net((f"B{i}" for i in range(n)), blocks(f"B{i}: [ReLU]" for i in range(n))), 1_000),
    "unused blocks": (lambda n: net(["ReLU"], blocks(f"B{i}: [ReLU]" for i in range(n))), 1_000),
    "equal blocks": (lambda n: net(["ReLU"], blocks(f"B(a{i}): [ReLU]" for i in range(n))), 9_000),
    "block parameters": (
        lambda n: net(
            ["B: {" + ", ".join(f"a{i}: 1" for i in range(n)) + "}"],
            blocks([f"? B({', '.join(f'a{i}' for i in range(n))})\n  : [ReLU]"]),
        ),
        1_200,
    ),
    "inputs": (lambda n: net(["ReLU"], input="{" + ", ".join(f"x{i}: [1]" for i in range(n)) + "}"), 12_000),
    "outputs": (
        lambda n: net(
            (f"{{ReLU: , name: a{i}}}" for i in range(n)), after=f"outputs: [{', '.join(f'a{i}' for i in range(n))}]\n"
        ),
        7_000,
    ),
    "unknown outputs": (
        lambda n: net(
            (f"{{ReLU: , name: a{i}}}" for i in range(n)), after=f"outputs: [{', '.join(f'b{i}' for i in range(n))}]\n"
        ),
        7_000,
    ),
    "init": (
        lambda n: net(
            ["Linear: 8"] * n,
            "init:\n" + "".join(f"  {name}: {{weight: zeros, bias: zeros}}\n" for name in ("Linear", *WEIGHTED)),
        ),
        11_000,
    ),
    "ignored": (lambda n: net(["ReLU  # cnndsl: ignore CNN102"] * n), 7_000),
    "unused params": (lambda n: net(["ReLU"], params(range(n))), 16_000),
    "recipe": (
        lambda n: net(["Flatten", "Linear: 10"], after=f"train:\n  augment: [{'{Resize: 8}, ' * n}]\n"),
        15_000,
    ),
    "recipe keys": (
        lambda n: net(["Flatten", "Linear: 10"], after="train:\n" + "".join(f"  epochs{i}: 1\n" for i in range(n))),
        15_000,
    ),
    "renamings": (lambda n: net(["Linear: 8"], "rename:\n" + "".join(f"  a{i}*: b{i}*\n" for i in range(n))), 15_000),
    "renamed tensors": (
        lambda n: net(
            ["Flatten", *["Linear: 8"] * n],
            after="rename:\n" + "".join(f'  "**.a*b*c*d{i}": "**.e*f*g*{i}"\n' for i in range(100)),
        ),
        1_200,
    ),
    "frozen": (
        lambda n: net(
            ["Flatten", *["Linear: 8"] * n, "Linear: 10"],
            "train: {dataset: Synthetic, epochs: 1, batch_size: 1, optimizer: {SGD: {lr: 1}}, freeze: ["
            + ", ".join(f"a{i}" for i in range(n))
            + "]}\n",
        ),
        8_000,
    ),
    # --- expressions ---
    "+0": (lambda n: net([f"Linear: $(1{'+0' * n})"]), 4_000),
    "parentheses": (lambda n: net([f"Linear: $({nested('(', '1', ')', n)})"]), 4_000),
    "long literal": (lambda n: net([f"Linear: $({'9' * n})"]), 8_000),
    "squaring": (lambda n: net(["Linear: $p0"], params([9, *(f"$(p{i} * p{i})" for i in range(n))])), 10_000),
    "texts added": (lambda n: net(["ReLU"], params(["abc", *(f"$(p{i} + p{i})" for i in range(n))])), 10_000),
    "texts put together": (lambda n: net(["ReLU"], params(["abc", *(f"$p{i}$p{i}" for i in range(n))])), 10_000),
    "lists added": (lambda n: net(["ReLU"], params(["[1]", *(f"$(p{i} + p{i})" for i in range(n))])), 10_000),
    "lists nested": (lambda n: net(["ReLU"], params(["[1]", *(f"[$p{i}, $p{i}]" for i in range(n))])), 10_000),
    "lists in lists": (lambda n: net(["ReLU"], params(["$(range(1000))", *("$([p0])" for _ in range(n))])), 12_000),
    "text times": (lambda n: net([f"{{ReLU: , name: $('a' * {n})}}"]), 10**9),
    "list times": (lambda n: net([f"Linear: $([0] * {n})"]), 10**9),
    "range": (lambda n: net([f"{{repeat: [ReLU], for: i, in: $(range({n}))}}"]), 10**9),
    "powers": (lambda n: net([f"Linear: $(9**9**{n})"]), 10**9),
    "params in order": (lambda n: net(["ReLU"], params([1, *(f"$(p{i} + 1)" for i in range(n))])), 10_000),
    "params in a ring": (lambda n: net(["ReLU"], params(f"$p{(i + 1) % n}" for i in range(n))), 10_000),
    "params backwards": (lambda n: net(["ReLU"], params([*(f"$p{i + 1}" for i in range(n)), "1"])), 10_000),
    "typos": (typos, 8_000),
    "undefined": (lambda n: net(f"Linear: $a{i}" for i in range(n)), 12_000),
    "let": (lambda n: net([f"let: {{a{i}: {i}}}" for i in range(n)] + ["ReLU"]), 9_000),
    "let, at once": (lambda n: net(["let: {" + ", ".join(f"a{i}: {i}" for i in range(n)) + "}", "ReLU"]), 15_000),
    "let, blocks": (
        lambda n: net(
            ["let: {" + ", ".join(f"a{i}: {i}" for i in range(n)) + "}", "{times: 1000, repeat: [let: {b: 1}, ReLU]}"]
        ),
        15_000,
    ),
    "expressions": (lambda n: net(["{times: 1024, repeat: [" + f"Dropout: $({'0+' * 40}0), " * n + "]}"]), 500),
    "expressions, cheap": (lambda n: net(["{times: 1024, repeat: [" + "Dropout: $(0+0), " * n + "]}"]), 5_000),
    "lists made": (lambda n: net([f"{{times: {n}, repeat: [{{let: {{a: '$(range(1000) + [1])'}}}}, ReLU]}}"]), 1_000),
    "lists searched": (
        lambda n: net(
            ["let: {a: $(range(1000))}", f"{{times: {n}, repeat: [{{ReLU: , when: \"$({'1001 in a or ' * 15}0)\"}}]}}"]
        ),
        1_000,
    ),
    "templates": (lambda n: net([f"{{ReLU: , name: {'$a' * n}}}"], "params: {a: a}\n"), 4_000),
    # --- graph ---
    "times": (lambda n: net([f"{{times: {n}, repeat: [ReLU]}}"]), 10**9),
    "nested repeats": (lambda n: in_loops("ReLU", n), 12),
    "empty repeats": (lambda n: net([nested("{times: 1000, repeat: [", "", "]}", n)]), 14),
    "doubling blocks": (doubling, 900),
    "calls": (lambda n: net(["B0"], blocks([*(f"B{i}: [B{i + 1}]" for i in range(n)), f"B{n}: [ReLU]"])), 900),
    "doubling blocks, inline": (
        lambda n: net(
            ["{B0: , inline: true}"],
            blocks([*(f"B{i}: [{{B{i + 1}: , inline: true}}, {{B{i + 1}: , inline: true}}]" for i in range(n))])
            + f"  B{n}: [ReLU]\n",
        ),
        900,
    ),
    "blocks in a ring, inline": (
        lambda n: net(
            ["{B0: , inline: true}"], blocks(f"B{i}: [{{B{(i + 1) % n}: , inline: true}}]" for i in range(n))
        ),
        900,
    ),
    "inline of many": (
        lambda n: net(
            ["{B0: , inline: true}"] * 20,
            blocks(f"B{i}: [{', '.join(f'{{B{j}: , inline: true}}' for j in range(n))}]" for i in range(n)),
        ),
        90,
    ),
    "lost, inline": (
        lambda n: net(
            ["{B: , inline: true, when: $(a)}"] * n, blocks(["B: [{name: a$i, ReLU: }, {name: b, ReLU: }]"])
        ),
        5_000,
    ),
    "names around, inline": (
        lambda n: net(
            [*(f"{{ReLU: , name: a{i}}}" for i in range(n)), *["{B: , inline: true}"] * n], blocks(["B: [ReLU]"])
        ),
        4_000,
    ),
    "ring": (lambda n: net(["B0"], blocks(f"B{i}: [B{(i + 1) % n}]" for i in range(n))), 900),
    "nested sequential": (lambda n: net([nested("{sequential: [", "ReLU", "]}", n)]), 30),
    "deep": (
        lambda n: net(
            ["{times: 1000, repeat: [B0]}"], blocks([*(f"B{i}: [B{i + 1}]" for i in range(n)), f"B{n}: [ReLU]"])
        ),
        31,
    ),
    "layers": (lambda n: net(["Conv2d: [8, 1]"] * n), 9_900),
    "layers, unlike": (lambda n: net(f"Conv2d: [{i % 99 + 1}, 1]" for i in range(n)), 9_900),
    "layers in loops": (lambda n: net([f"{{times: 1000, repeat: [{'ReLU, ' * n}]}}"]), 20),
    "layers in blocks": (
        lambda n: net(["{times: 1000, repeat: [B]}"], blocks([f"B: [{'ReLU, ' * n}]"])),
        20,
    ),
    "layers with parametrizations": (
        lambda n: net(["{Conv2d: [8, 1], parametrization: spectral_norm}"] * n),
        4_000,
    ),
    "sizes": (
        lambda n: net(
            [
                *(f"let: {{h{i}: $(3 * {f'h{i - 1}' if i else 'input.height'} // 3)}}" for i in range(20)),
                *(f"{{name: a{i}, ReLU: }}" for i in range(n)),
                *["Upsample: [$(3 * h19)]", "AvgPool2d: 3"] * n,
                *(f"{{from: a{i}, name: b{i}}}" for i in range(n // 2)),
            ]
        ),
        2_000,
    ),
    "sizes of others": (lambda n: net(["{name: a, ReLU: }", *["Upsample: {like: a}"] * n]), 9_000),
    "warnings": (lambda n: net(["Conv2d: [8, 1]", "BatchNorm2d"] * n), 7_000),
    "unseen": (lambda n: net(["Conv2d: [8, 2, 2]"] * n, input="[8, 1000001, 3]"), 8_200),
    "shape faults": (lambda n: net(["{branch: [[Conv2d: [8, 9]], []]}"] * n), 6_200),
    "faults in loops": (lambda n: net([f"{{times: 1000, repeat: [{'{from: x}, ' * n}]}}"]), 20),
    "dense": (lambda n: net([f"{{times: {n}, dense: [Conv2d: [1, 1]]}}"]), 1_024),
    "dense, many": (lambda n: net(["{times: 1000, dense: [Conv2d: [1, 1]]}"] * n), 20),
    "dense by hand": (lambda n: dense(isqrt(2 * n)), 15_000),
    "wide branches": (lambda n: net([f"branch: [{'[ReLU], ' * n}]"]), 15_000),
    "wide branches in loops": (
        lambda n: net([f"{{times: 1000, repeat: [{{branch: [{'[], ' * n}], merge: add}}]}}"]),
        100,
    ),
    "unlike branches": (lambda n: net([f"branch: [{'[AvgPool2d: 2], [ReLU], ' * n}]"]), 7_000),
    "inputs of calls": (
        lambda n: net(
            ["{name: a, ReLU: }", f"{{times: 1000, repeat: [{{B: , inputs: [{'a, ' * n}]}}]}}"],
            blocks([f"B: {{inputs: [{', '.join(f'x{i}' for i in range(n))}], steps: [ReLU]}}"]),
        ),
        8_000,
    ),
    "outputs of blocks": (
        lambda n: net(
            ["{times: 1000, repeat: [B]}"],
            blocks([f"B: {{outputs: [{', '.join(f'x{i}' for i in range(n))}], steps: [{marks(n)}]}}"]),
        ),
        4_000,
    ),
    "unknown outputs of blocks": (
        lambda n: net(
            ["{name: b, B: }", *(f"branch: [[from: b.y{i}]]" for i in range(n))],
            blocks([f"B: {{outputs: [{', '.join(f'x{i}' for i in range(n))}], steps: [{marks(n)}]}}"]),
        ),
        2_000,
    ),
    "branches in rounds": (
        lambda n: net([f"branch: [{{for: i, in: $(range(1000)), when: $(i < 1), steps: [ReLU]}}, {'[], ' * n}]"] * 20),
        400,
    ),
    "branches in rounds, no ends": (lambda n: net(["branch: [{times: 1024, steps: []}]"] * n), 6_000),
    "branches, names bound": (
        lambda n: net(
            ["let: {" + ", ".join(f"a{i}: {i}" for i in range(n)) + "}"]
            + ["branch: [{for: i, in: $(range(1000)), steps: [ReLU]}]"] * 9
        ),
        15_000,
    ),
    "split": (lambda n: net([f"{{branch: [{'[ReLU], ' * n}], split: true}}"], input=f"[{n}, 2]"), 15_000),
    "from": (lambda n: net(["{ReLU: , name: a}", *["from: a"] * n]), 15_000),
    "unknown from": (lambda n: net(f"from: a{i}" for i in range(n)), 15_000),
    "unknown among names": (
        lambda n: net([*(f"{{ReLU: , name: name{i}}}" for i in range(n)), *(f"from: name{i}x" for i in range(n))]),
        5_000,
    ),
    "lost names": (
        lambda n: net([*(f"{{RLU: , name: name{i}}}" for i in range(n)), *(f"from: nam{i}" for i in range(n))]),
        5_000,
    ),
    "lost patterns": (
        lambda n: net([*["{RLU: , name: " + "$(a)a" * 30 + "b}"] * n, *(f"from: {'a' * 60}" for i in range(n))]),
        1_500,
    ),
    "lost templates": (
        lambda n: net(
            [*(f"{{Conv2d: {{a: 1}}, name: b$a-{i}}}" for i in range(n)), *(f"from: b-{i}" for i in range(n))]
        ),
        4_000,
    ),
    "lost literals": (
        lambda n: net([*(f"{{Conv2d: {{a: 1}}, name: a{i}}}" for i in range(n)), *(f"from: a{i}" for i in range(n))]),
        4_000,
    ),
    "block defaults": (
        lambda n: net(
            ["{times: 1000, repeat: [B]}"], blocks([f"? B({', '.join(f'a{i}=1' for i in range(n))})\n  : [ReLU]"])
        ),
        1_000,
    ),
    "names bound in loops": (
        lambda n: net(
            ["let: {" + ", ".join(f"a{i}: {i}" for i in range(n)) + "}"]
            + ["{for: i, in: $(range(1000)), repeat: [let: {a: $i}]}"] * 9
        ),
        15_000,
    ),
    "lists in loops": (lambda n: net([f"{{times: 1000, repeat: [Permute: [{'1, ' * n}]]}}"] * 9), 1_000),
    "reuse": (lambda n: net(["{ReLU: , name: a}", *["reuse: a"] * n]), 13_000),
    "reuse of much": (
        lambda n: net([f"{{sequential: [{'ReLU, ' * n}], name: a}}", "{times: 1000, repeat: [reuse: a]}"]),
        19,
    ),
    "reuse of reused": (
        lambda n: net(
            [
                "{sequential: [ReLU], name: a0}",
                *(f"{{sequential: [{{reuse: a{i}}}, ReLU], name: a{i + 1}}}" for i in range(n)),
            ]
        ),
        2_500,
    ),
    "whens": (lambda n: net(["{ReLU: , when: false}"] * n + ["ReLU"]), 8_000),
    "parameters": (lambda n: net(["Flatten", *["Linear: 1000"] * n], input="[1000]"), 13_000),
    "million features": (lambda n: net(["Flatten", f"Linear: {n}"], input="[1, 1000, 1000]"), 1_000_000),
    "large input": (lambda n: net(["ReLU"], input=f"[{n}, {n}, {n}]"), 2**50),
    "rank": (lambda n: net(["ReLU"], input=f"[{'1, ' * n}]"), 40_000),
    "permutation": (lambda n: net([f"Permute: [{', '.join(map(str, range(n)))}]"], input=f"[{'1, ' * n}]"), 1_000),
    # --- names that are each like some of many, and who says so ---
    "near lets": (lambda n: net(x for i in range(n) for x in (f"let: {{name{i}: 1}}", f"ReLU: $name{i}x")), 4_000),
    "near params and lets": (
        lambda n: net(
            ["let: {" + ", ".join(f"name{i}: 1" for i in range(n)) + "}", *(f"ReLU: $nam{i}e" for i in range(n))],
            "params:\n" + "".join(f"  value{i}: 1\n" for i in range(n // 2)),
        ),
        5_000,
    ),
    "params and lets in turn": (
        lambda n: net(
            (f"let: {{a{i}: $valu{i}}}" for i in range(n)),
            "params:\n" + "".join(f"  value{i}: 1\n" for i in range(n * 3 // 5)),
        ),
        5_000,
    ),
    "near blocks": (
        lambda n: net((f"Bloc{i}" for i in range(n)), blocks(f"Block{i}: [ReLU]" for i in range(999))),
        9_000,
    ),
    "near arguments": (lambda n: net(f"Conv2d: {{out_channel{i}: 1, kernal_size: 3}}" for i in range(n)), 4_500),
    "near block arguments": (
        lambda n: net(
            (f"B: {{argumen{i}: 1}}" for i in range(n)),
            blocks([f"? B({', '.join(f'argument{i}=1' for i in range(500))})\n  : [ReLU]"]),
        ),
        9_000,
    ),
    "near keys": (lambda n: "".join(f"netwrk{i}: 1\n" for i in range(n)) + net(["ReLU"]), 16_000),
    "near reuse": (
        lambda n: net([*(f"{{ReLU: , name: name{i}}}" for i in range(n)), *(f"reuse: nam{i}" for i in range(n))]),
        4_500,
    ),
    "near init": (
        lambda n: net(["ReLU"], "init:\n" + lines(lambda i: f"  Conv2d{i}: {{weight: zeros}}", n)),
        6_500,
    ),
    "near initializers": (
        lambda n: net(["ReLU"], "init:\n" + lines(lambda i: f"  Conv{i}: {{weight: kaiming_norml{i}_}}", n)),
        5_000,
    ),
    "near renamings": (
        lambda n: net(
            (f"{{Linear: 8, name: name{i}}}" for i in range(n)),
            "rename:\n" + lines(lambda i: f"  nam{i}: b{i}", 99),
            "[8]",
        ),
        7_000,
    ),
    "near expectations": (
        lambda n: net(["ReLU"], "expect:\n" + "".join(f"  paramters{i}: 1\n" for i in range(n))), 12_000,
    ),
    "near transforms": (
        lambda n: net(["ReLU"], after="train:\n  augment:\n" + lines(lambda i: f"    - RandmCrop{i}: 8", n)),
        9_000,
    ),
    "near transforms' arguments": (
        lambda n: net(["ReLU"], after="train:\n  augment:\n" + lines(lambda i: f"    - RandomCrop: {{siz{i}: 8}}", n)),
        7_000,
    ),
    "near anchors": (lambda n: "a: [" + "".join(f"&name{i} 1, *nam{i}, " for i in range(n)) + "]\n", 9_000),
    "near functions": (lambda n: net(f"Linear: $(rang{i}(3))" for i in range(n)), 9_000),
    "near frozen": (
        lambda n: net(
            [f"{{Linear: 8, name: name{i}}}" for i in range(n)],
            input="[8]",
            after="train: {dataset: Synthetic, epochs: 1, batch_size: 1, optimizer: {SGD: {lr: 1}}, freeze: ["
            + ", ".join(f"nam{i}" for i in range(n))
            + "]}\n",
        ),
        6_000,
    ),
    # --- comments, and texts that messages repeat ---
    "unknown codes": (lambda n: net(["ReLU  # cnndsl: ignore CNX"] * n), 7_000),
    "codes on one line": (lambda n: net([f"ReLU  # cnndsl: ignore {' '.join(f'CNX{i}' for i in range(n))}"]), 30_000),
    "comments in flow": (lambda n: "input: [8]\nnetwork: [\n" + "ReLU, # a\n" * n + "]\n", 20_000),
    "comments in maps": (lambda n: net(["{ReLU: , # a\n    name: a}"] * n), 8_000),
    "comments before anchors": (lambda n: "a: [" + "&a # b\n 1, " * n + "]\n", 20_000),
    "long texts": (lambda n: net([f"ReLU: {'a' * 8000}"] * n), 32),
    "long undefined": (lambda n: net([f"Linear: ${'a' * 4000}"] * n), 64),
    "unlike layers, one line": (
        lambda n: f"input: [8, 8, 8]\nnetwork: [{', '.join(f'Conv2{i}' for i in range(n))}]\n",
        20_000,
    ),
    "brackets in brackets": (lambda n: net([nested("[", "1", "]", 60)] * n), 1_900),
    "sequentials in lists": (lambda n: net([nested("{sequential: [", "ReLU", "]}", 25)] * n), 550),
    "mappings in mappings": (lambda n: "".join(f"k{i}: {nested('{a: ', '1', '}', 60)}\n" for i in range(n)), 800),
    # --- files ---
    "used files": (used, 100),
    "chained files": (chained, 100),
    "diamonds": (diamonds, 100),
    "files used by all": (used_by_all, 100),
    "files that extend one": (of_one_base, 100),
    "one file often": (
        lambda n: several([net(["C"], blocks(["C: [ReLU]"]))], f"use: [{'f0.yaml, ' * n}]\n" + net(["C"])),
        20_000,
    ),
}  # fmt: skip


def check(path: Path) -> str:
    """Compiles a spec and tells of it in every format, as ``cnndsl check`` does. What it ends in."""
    compilation = compile_spec(path)
    for item in compilation.diagnostics[:MOST]:
        item.render()
    for write in FORMATS.values():
        write(compilation.diagnostics)
    codes = sorted({item.code.id for item in compilation.diagnostics if item.is_error})
    assert bool(codes) is (compilation.graph is None)
    return " ".join(codes) or "ok"


def fmt(path: Path) -> str:
    """Formats a spec, as ``cnndsl fmt`` does. What it ends in: ``CNN003`` where the text is not YAML to begin with."""
    try:
        format(read_text(path).text, str(path))
    except (SpecError, Unreadable) as error:
        return " ".join(sorted({item.code.id for item in error.diagnostics}))
    except Unchanged as reason:
        return f"unchanged: {reason}"
    return "ok"


VERBS = {"check": check, "fmt": fmt}


def measured(family: str, verb: str = "check", size: int | None = None) -> dict[str, float | str]:
    """What a verb makes of a bomb, the CPU seconds that it took and the most MiB that the process ever had."""
    make, full = FAMILIES[family]
    made = make(size or full)
    with tempfile.TemporaryDirectory() as folder:
        for name, text in ({"net.yaml": made} if isinstance(made, str) else made).items():
            (Path(folder) / name).write_text(text)
        began = time.process_time()
        outcome = VERBS[verb](Path(folder) / "net.yaml")
        seconds = time.process_time() - began
    # Not `ru_maxrss`, which begins with what the process that started this one had.
    peak = int(re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024
    return {"seconds": seconds, "mib": peak, "outcome": outcome}


if __name__ == "__main__":
    family, verb, *size = sys.argv[1:]
    print(json.dumps(measured(family, verb, *map(int, size))))
