"""Names that mean something to Python, to torch or to the emitted source: what is accepted runs, and as it should."""

from __future__ import annotations

import keyword

import pytest
from values import assert_values

import cnndsl

#: Builtins and imports that the emitted source uses, variables of its own, soft keywords.
LOWER = [
    "super", "int", "range", "list", "len", "max", "dict", "str", "isinstance", "print", "self", "torch", "nn",
    "layers", "layer", "i", "y", "x2", "in_channels", "match", "case", "_", "tensor", "init_weights", "none", "cls",
]  # fmt: skip
UPPER = [
    "Tensor",
    "Module",
    "Super",
    "Int",
    "Type",
    "Self",
    "Torch",
    "Nn",
    "X",
    "Net",
    "Network",
    "Exception",
    "Ellipsis",
]

EVERYWHERE = """
name: "{n}"
input: {{ {n}: [3, 6, 6], second: [3, 6, 6] }}
init: {{Conv2d: xavier_uniform}}
blocks:
  Wide({n}, k=1):
    - Conv2d: [${n}, 1]
    - {{repeat: [Conv2d: ["$(max({n}, int(round({n} * 1.5))))", 1], ReLU], times: $k}}
  Deep(c, {n}=1):
    - let: {{w: "${n}"}}
    - {{name: "{n}", Conv2d: [$c, $w]}}
    - {{repeat: [Conv2d: [$c, 1], ReLU], times: "${n}"}}
    - residual: [Conv2d: [$c, 1]]
    - {{branch: [[], [from: "{n}"]], merge: add}}
    - {{branch: [[ReLU], [ReLU]], split: true}}
  Loop(c): [{{repeat: [Conv2d: ["${n}", 1], ReLU], for: {n}, in: ["$(c * 2)", $c]}}]
  Bound(c): [let: {{ {n}: "$(c * 2)" }}, Conv2d: ["${n}", 1], residual: [ReLU]]
network:
  - {{branch: [[], [from: second]], merge: subtract}}
  - Wide: 4
  - Wide: [6, 2]
  - Deep: 4
  - {{name: step, Deep: 6}}
  - Loop: 2
  - Loop: 3
  - Bound: 2
  - Bound: 4
outputs: [step]
"""


@pytest.mark.parametrize("name", LOWER)
def test_variables_steps_and_inputs(name: str) -> None:
    assert_values(cnndsl.loads(EVERYWHERE.format(n=name)))


@pytest.mark.parametrize("name", UPPER)
def test_blocks_and_networks(name: str) -> None:
    text = f"""
    name: {name.lower()}
    input: [3, 6, 6]
    blocks:
      {name}(c): [Conv2d: [$c, 1], Reshape: [$c, 6, 6], residual: [ReLU]]
      {name}2: [ReLU]
    network: [{name}: 4, {name}2, {name}: 3, {{name: {name}, sequential: [residual: [ReLU]]}}]
    """
    assert_values(cnndsl.loads(text))


@pytest.mark.parametrize("name", keyword.kwlist)
def test_keywords_are_refused_as_names(name: str) -> None:
    block, quoted = name.capitalize(), f'"{name}"'
    specs = [
        f"input: [3, 6, 6]\nnetwork: [{{name: {quoted}, ReLU: }}]\n",
        f"input: [3, 6, 6]\nparams: {{ {quoted}: 1 }}\nnetwork: [ReLU]\n",
        f"name: {quoted}\ninput: [3, 6, 6]\nnetwork: [ReLU]\n",
        f"input: {{ {quoted}: [3, 6, 6] }}\nnetwork: [ReLU]\n",
        f"input: [3, 6, 6]\nnetwork: [let: {{ {quoted}: 3 }}, ReLU]\n",
        f"input: [3, 6, 6]\nnetwork: [{{repeat: [ReLU], for: {quoted}, in: [1]}}]\n",
        f"input: [3, 6, 6]\nblocks:\n  A({name}): [ReLU]\nnetwork: [A: 1]\n",
    ]
    for spec in specs:
        assert "CNN016" in [item.code.id for item in cnndsl.check(cnndsl.Text(spec))], spec
    spec = f'input: [3, 6, 6]\nblocks:\n  "{block}(c)": [Conv2d: [$c, 1]]\nnetwork: [{{"{block}": 2}}]\n'
    if keyword.iskeyword(block):
        assert "CNN016" in [item.code.id for item in cnndsl.check(cnndsl.Text(spec))]
    else:
        assert_values(cnndsl.loads(spec))
