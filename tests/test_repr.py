"""What a REPL and a notebook show: a line of bounded length, a table, a page of bounded size."""

from __future__ import annotations

import inspect
import operator
import pydoc
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

import pytest
from msgspec import Struct

import cnndsl
from cnndsl.emit.notebook import PICTURE, TABLE
from cnndsl.emit.source.expr import Lit
from cnndsl.network import compile_spec

#: Many inputs, many outputs, a long name.
WIDE = "\n".join(
    [
        f"name: {'n' * 64}",
        f"input: {{{', '.join(f'input_{number}: [{number + 1}]' for number in range(40))}}}",
        "network:",
        *(f"- {{name: step_{number}, Linear: 3}}" for number in range(40)),
        f"outputs: [{', '.join(f'step_{number}' for number in range(40))}]",
    ]
)


def test_a_network_is_one_line() -> None:
    net = cnndsl.load("archs/resnet18.yaml")
    assert repr(net) == str(net) == "<Network resnet18: 11.18 M parameters, 1.73 G MACs, [1, 224, 224] -> [10]>"
    assert repr(net.graph) == "<Graph resnet18: [1, 224, 224] -> [10]>"
    named = cnndsl.load("zoo:siamese")
    assert repr(named).endswith(" MACs, left [1, 105, 105], right [1, 105, 105] -> [1]>")
    wide = cnndsl.loads(WIDE)
    assert repr(wide) == f"<Network {'n' * 39}…: 474 parameters, 354 MACs, 40 inputs -> 40 outputs>"


@pytest.mark.parametrize("spec", ["zoo:resnet50", "zoo:densenet201", cnndsl.Text(WIDE)], ids=repr)
def test_nothing_in_a_network_prints_more_than_a_page(spec: str | cnndsl.Text) -> None:
    net = cnndsl.load(spec)
    assert len(repr(net)) < 200
    for part in parts(net, set()):
        assert len(repr(part)) < 5_000, type(part)


def parts(value: object, seen: set[int]) -> Iterator[object]:
    """All data that a value is made of."""
    if id(value) in seen:
        return
    seen.add(id(value))
    inner: list[object] = []
    if isinstance(value, Struct):
        yield value
        inner = [getattr(value, name) for name in value.__struct_fields__]
    elif isinstance(value, Mapping):
        inner = [*value.values()]
    elif isinstance(value, (list, tuple)):
        inner = [*value]
    for each in inner:
        yield from parts(each, seen)


@pytest.mark.parametrize("name", sorted({*cnndsl.__all__} - {"__version__"}))
def test_all_that_is_public_has_a_signature_and_help(name: str) -> None:
    public = getattr(cnndsl, name)
    assert pydoc.render_doc(public)
    if inspect.isclass(public) and not issubclass(public, (Exception, Mapping)):
        assert inspect.signature(public)


def test_what_is_equal_is_not_unequal() -> None:
    one, same, other = (cnndsl.loads(f"input: [3, 8, 8]\nnetwork: [Conv2d: [{n}, 3]]") for n in (4, 4, 5))
    for left, right, equal in (
        (one, same, True),
        (one, other, False),
        (Lit(1), Lit(1), True),
        (Lit(1), Lit(1.0), False),
    ):
        assert [operator.eq(left, right), operator.ne(left, right)] == [equal, not equal]


def test_shapes_print_as_a_table() -> None:
    shapes = cnndsl.load("archs/lenet.yaml").shapes()
    assert repr(shapes) == str(shapes)
    assert repr(shapes).startswith("lenet, input [1, 1, 28, 28]\n\npath ")


def test_a_diagnostic_is_one_line_without_the_spec() -> None:
    text = "input: [1, 28, 28]\nnetwork:\n- Conv2d: [6, 5]\n- MaxPool2d: 40\n"
    (found,) = cnndsl.check(cnndsl.Text(text))
    message = "`MaxPool2d`: the window does not fit: it spans 40, its padded input 24 + 0 = 24"
    assert repr(found) == f"<<text>:4:14: error[CNN030]: {message}>"
    assert len(repr(compile_spec(cnndsl.Text(text)))) < 1_000


@pytest.mark.parametrize("name", ["resnet50", "resnext101_32x8d", "densenet201", "efficientnet_v2_l", "siamese"])
def test_a_notebook_shows_the_table_then_the_picture_in_bounded_room(name: str) -> None:
    page = cnndsl.load(f"zoo:{name}")._repr_html_()
    assert len(page.encode()) < 300_000
    table, picture = page.index("<table"), page.index("<svg")
    assert table < picture
    root = ElementTree.fromstring(f"<body>{page.replace('&nbsp;', ' ').replace('&#160;', ' ')}</body>")
    boxes = root.findall("div")
    assert [box.get("style", "").count("overflow:auto") for box in boxes] == [1, 1]
    assert "shapes()" in page or len(cnndsl.load(f"zoo:{name}").shapes()._repr_html_()) < TABLE
    assert "diagram()" in page or len(cnndsl.load(f"zoo:{name}").diagram().svg()) < PICTURE


def test_a_notebook_shows_of_a_large_network_what_there_is_room_for() -> None:
    many = "input: [8, 2, 2]\nnetwork:\n" + "".join(f"- Conv2d: [{1 + number % 7}, 1]\n" for number in range(2_000))
    page = cnndsl.loads(many)._repr_html_()
    assert len(page) < 1_000
    assert "too large to show here" in page and "<code>shapes()</code>" in page
