"""Steps found in the data flow of a module. The oracle of tests/bodies.py runs both on numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from bodies import Recorder, check, ran, shown
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cnndsl.graph.scope import unusable_step
from cnndsl.importing.body import Body, Lifted, Node
from cnndsl.importing.recorded import Tensor
from cnndsl.importing.structure import arranged, structured
from cnndsl.importing.structure.names import legal, unique
from cnndsl.importing.tree import Call, From, Named, walk

EXPECTED = Path(__file__).parent / "cases" / "structure.txt"


def residual(r: Recorder, x: Tensor) -> Tensor:
    y = r.layer("conv2", r.relu(r.layer("conv1", x)))
    return r.relu(r.add(y, r.layer("proj", x)))


def gate(r: Recorder, x: Tensor) -> Tensor:
    return r.merge("multiply", r.relu(r.layer("fc", x)), x)


def inception(r: Recorder, x: Tensor) -> Tensor:
    y = r.layer("b2", x)
    y = r.cat(r.layer("b2a", y), r.layer("b2b", y))
    return r.cat(r.layer("b1", x), y, x)


def equal_sides(r: Recorder, x: Tensor) -> Tensor:
    """Neither is a shortcut."""
    return r.add(r.layer("a", x), r.layer("b", x))


def three_summands(r: Recorder, x: Tensor) -> Tensor:
    return r.relu(r.add(r.add(r.layer("c3", x), r.layer("c1", x)), x))


def residual_in_residual(r: Recorder, x: Tensor) -> Tensor:
    y = r.add(x, r.layer("conv1", x))
    y = r.add(y, r.layer("conv2", y))
    return r.add(x, r.layer("last", y))


def shuffle(r: Recorder, x: Tensor) -> Tensor:
    first, second = r.split(x, 2, 2)
    return r.cat(first, r.layer("branch", second))


def uneven(r: Recorder, x: Tensor) -> Tensor:
    first, second = r.split(x, 1, 3)
    return r.cat(first, r.layer("branch", second))


def res2net(r: Recorder, x: Tensor) -> Tensor:
    first, second, third, last = r.split(x, 1, 1, 1, 1)
    out = r.relu(r.layer("convs.0", first), called="sp")
    middle = r.relu(r.layer("convs.1", r.add(out, second)), called="sp")
    result = r.cat(r.cat(out, middle), r.layer("convs.2", r.add(middle, third)))
    return r.cat(result, last)


def c2f(r: Recorder, x: Tensor) -> Tensor:
    parts = [*r.split(r.layer("cv1", x), 2, 2)]
    for number in range(2):
        parts.append(r.layer(f"m.{number}", parts[-1]))
    return r.layer("cv2", r.cat(*parts))


def pools(r: Recorder, x: Tensor) -> Tensor:
    first = r.relu(x)
    second = r.relu(first)
    return r.cat(x, first, second, r.relu(second))


def features(r: Recorder, x: Tensor) -> Tensor:
    """As torchvision's DenseNet has them, in a list."""
    found = [x]
    for number in range(3):
        found.append(r.layer(f"layer{number}", r.cat(*found)))
    return r.cat(*found)


def unet(r: Recorder, x: Tensor) -> Tensor:
    first = r.relu(r.layer("enc1", x), called="skip")
    second = r.add(r.pool(first), r.layer("enc2", r.pool(first)))
    third = r.layer("enc3", r.pool(second))
    second = r.layer("dec2", r.cat(second, r.grown("up2", third)))
    return r.layer("dec1", r.cat(r.grown("up1", second), first))


def nested_unet(r: Recorder, x: Tensor) -> Tensor:
    x00 = r.layer("x00", x)
    x10 = r.layer("x10", r.pool(x00))
    x01 = r.layer("x01", r.cat(x00, r.grown("up10", x10)))
    x20 = r.layer("x20", r.pool(x10))
    x11 = r.layer("x11", r.cat(x10, r.grown("up20", x20)))
    return r.layer("x02", r.cat(x00, x01, r.grown("up11", x11)))


def dense_in_dense(r: Recorder, x: Tensor) -> Tensor:
    """Concats in each other are no skips if they keep the size."""
    y = r.layer("a", x)
    return r.cat(x, r.layer("c", r.cat(y, r.layer("b", y))))


def reused(r: Recorder, x: Tensor) -> Tensor:
    y = r.relu(r.layer("conv", x), "act", called="y")
    return r.add(r.relu(r.layer("conv", y), "act"), r.layer("head", y))


def clashing(r: Recorder, x: Tensor) -> Tensor:
    """The first function would be called ``relu1``, as a module is."""
    return r.add(r.relu(r.relu(x), "relu1"), r.relu(x))


def an_input_called_module(r: Recorder, x: Tensor) -> Tensor:
    y = r.layer("input", x)
    return r.add(r.layer("conv2", r.layer("conv1", y)), r.merge("divide", y, x))


def chain(r: Recorder, x: Tensor) -> Tensor:
    return r.relu(r.layer("2", r.relu(r.layer("0", x))))


def named_chain(r: Recorder, x: Tensor) -> Tensor:
    return r.relu(r.layer("conv", x))


CASES: list[Callable[[Recorder, Tensor], Tensor]] = [
    residual, gate, inception, equal_sides, three_summands, residual_in_residual, shuffle, uneven, res2net, c2f, pools,
    features, unet, nested_unet, dense_in_dense, reused, clashing, an_input_called_module, chain, named_chain,
]  # fmt: skip


def pyramid(r: Recorder) -> Body:
    """Three inputs and three outputs."""
    p4 = r.layer("lateral.c4", r["c4"])
    p3 = r.layer("lateral.c3", r["c3"])
    p3 = r.add(p3, r.up(p4, p3))
    p2 = r.layer("lateral.c2", r["c2"])
    p2 = r.add(p2, r.up(p3, p2))
    return r.body(p2=r.layer("out.p2", p2), p3=r.layer("out.p3", p3), p4=p4)


@pytest.fixture
def expected() -> dict[str, str]:
    sections = EXPECTED.read_text().split("\n## ")[1:]
    return dict(section.rstrip().split("\n", 1) for section in sections)


def test_steps_are_those_that_a_person_would_write(expected: dict[str, str], update: bool) -> None:
    found: dict[str, str] = {}
    for case in CASES:
        r = Recorder()
        found[case.__name__] = shown(check(r.body(case(r, r["x"]))))
    found["pyramid"] = shown(check(pyramid(Recorder(c2=4, c3=4, c4=4))))
    if update:
        heading = "# The steps of the bodies in tests/test_import_structure.py. `pytest --update` writes this file.\n"
        EXPECTED.write_text(heading + "".join(f"\n## {name}\n{text}\n" for name, text in found.items()))
    else:
        assert found == expected


# --- what modules take and return ----------------------------------------------------------------


def around(r: Recorder, *results: Tensor) -> Body:
    return arranged(Lifted(r.body(*results))).root


def test_a_concat_of_all_that_a_module_takes_moves_out_of_it() -> None:
    inner = Recorder("layer", "DenseLayer", **{"features.0": 4, "features.1": 4})
    body = inner.body(inner.layer("conv", inner.cat(*inner.inputs.values())))
    r = Recorder()
    other = r.layer("first", r["x"])
    (made,) = r.child("layer", body, r["x"], other)
    root = around(r, made)
    block = check(root)
    assert shown(block).splitlines()[1:] == [
        "  - branch:",
        "      - []",
        "      - - {name: first, Conv2d: {id: first}}",
        "  - {name: layer, DenseLayer: }",
    ]
    (call,) = (node for node in root.nodes if node.body)
    assert call.body and len(call.body.inputs) == 1
    assert shown(check(call.body)) == "DenseLayer:\n  - {name: conv, Conv2d: {id: conv}}"


def test_a_concat_stays_if_the_module_needs_a_part_elsewhere() -> None:
    inner = Recorder("layer", "Layer", a=4, b=4)
    body = inner.body(inner.cat(inner.layer("conv", inner.cat(inner["a"], inner["b"])), inner["a"]))
    r = Recorder()
    root = around(r, *r.child("layer", body, r["x"], r.layer("first", r["x"])))
    check(root)
    (call,) = (node for node in root.nodes if node.body)
    assert call.body and [*call.body.inputs] == ["a", "b"]


def test_a_tensor_that_comes_back_as_it_was_given_is_not_returned() -> None:
    inner = Recorder("block", "Block", x=4, skip=4, unused=4)
    body = inner.body(inner.add(inner.layer("conv", inner["x"]), inner["skip"]), inner["skip"])
    r = Recorder()
    y = r.layer("first", r["x"])
    made, skip = r.child("block", body, y, r["x"], y)
    root = around(r, r.add(made, skip))
    block = check(root)
    (call,) = (node for node in root.nodes if node.body)
    assert call.body and [*call.body.inputs] == ["x", "skip"] and [*call.body.outputs] == [""]
    assert "{name: block, Block: , inputs: [first, input]}" in shown(block)


def test_uses_of_a_class_keep_what_one_of_them_needs() -> None:
    class Two:
        pass

    def body(path: str) -> Body:
        inner = Recorder(path, "Two")
        inner.module = replace(inner.module, module=Two())
        return inner.body(inner.layer("a", inner["x"]), inner.layer("b", inner["x"]))

    r = Recorder()
    first, _ = r.child("one", body("one"), r["x"])
    second = r.child("two", body("two"), first)
    root = around(r, r.add(*second))
    check(root)
    assert [len(node.outputs) for node in root.nodes if node.body] == [2, 2]


def sequential(path: str, r: Recorder) -> Recorder:
    r.module = replace(r.module, path=path, module=torch.nn.Sequential())
    return r


def test_a_sequential_that_passes_several_tensors_is_written_out() -> None:
    """A chain's children have numbers, which are no names anywhere else."""
    inner = sequential("stage", Recorder())
    first = inner.layer("0", inner["x"])
    body = inner.body(first, inner.layer("1", first))
    r = Recorder()
    low, high = r.child("stage", body, r["x"])
    root = around(r, r.cat(high, r.layer("head", low)))
    assert [node.name for node in root.nodes] == ["stage.0", "stage.1", "head", ""]
    assert "{name: stage.0, Conv2d: {id: " in shown(structured(root))


def test_a_sequential_in_a_row_stays() -> None:
    inner = sequential("stage", Recorder())
    body = inner.body(inner.relu(inner.layer("0", inner["x"])))
    r = Recorder()
    root = around(r, r.relu(*r.child("stage", body, r["x"])))
    assert [node.name for node in root.nodes] == ["stage", ""]


def test_images_are_stacked_after_they_are_concatenated() -> None:
    images = torch.rand(2, 3, 4, 8, 8)
    stacked = torch.cat([image.unflatten(1, (1, -1)) for image in images], 1)
    assert torch.equal(stacked, torch.cat([*images], 1).unflatten(1, (2, -1)))
    r = Recorder()
    parts = []
    for name in ("a", "b"):
        image = r.layer(name, r["x"])
        parts.append(Tensor((2, 1, 4, 8, 8)))
        r.nodes.append(Node("Unflatten", "", {"dim": 1, "unflattened_size": (1, -1)}, (image,), (parts[-1],)))
    steps = structured(r.body(r.cat(*parts))).steps
    assert [type(step).__name__ for step in steps] == ["Branch", "Call"]
    assert isinstance(steps[1], Call) and dict(steps[1].arguments) == {"dim": 1, "unflattened_size": (2, -1)}


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("conv1", "conv1"), ("3", "item3"), ("block1-0", "block1_0"), ("in", "in_"), ("forward", "forward_"),
        ("convs.0", "convs.0"), ("heads.in", "heads.in"), ("a b.c-d", "a_b.c_d"), ("__x", "item__x"), ("ä", "_"),
        ("x" * 80, "x" * 60),
    ],
)  # fmt: skip
def test_names_become_legal(name: str, ours: str) -> None:
    assert legal(name) == ours
    assert not unusable_step(ours, True)


def test_names_are_unique() -> None:
    assert unique("x", ["y"]) == "x"
    assert unique("x", ["x", "x2"]) == "x3"
    assert unique("conv1", ["conv1"]) == "conv1_2"


def test_renames_are_patterns_where_all_names_change_alike() -> None:
    r = Recorder()
    x = r["x"]
    for name in ("block1-0", "block1-1", "block2-10", "in", "fc"):
        x = r.layer(name, x)
    found = arranged(Lifted(r.body(r.add(x, r["x"])), {"in.gamma": "in.weight"}))
    assert found.rename == {"**.block*_*": "**.block*-*", "in_": "in", "in_.gamma": "in.weight"}


def test_a_pattern_is_not_used_if_it_meant_another_name_too() -> None:
    r = Recorder()
    x = r["x"]
    for name in ("block-0", "block-1", "block_2"):
        x = r.layer(name, x)
    found = arranged(Lifted(r.body(r.add(x, r["x"]))))
    assert found.rename == {"block_0": "block-0", "block_1": "block-1"}


def test_a_chain_counts_its_children() -> None:
    """A ``Sequential`` from which a layer was deleted."""
    r = Recorder()
    body = r.body(r.layer("5", r.layer("3", r["x"])))
    assert arranged(Lifted(body)).rename == {"0": "3", "1": "5"}


# --- all kinds of data flow ----------------------------------------------------------------------


KINDS = ["layer", "relu", "again", "add", "cat", "mul", "gate", "split", "pool", "grown", "like", "child"]


@st.composite
def bodies(draw: st.DrawFn, depth: int = 1) -> Body:
    """Random data flow: layers, modules that run again, merges of any tensors, splits, sizes of other tensors, modules
    with several inputs and outputs."""
    names = draw(st.sampled_from([["x"], ["x", "y"], ["x", "skip", "z"]]))
    record = Recorder("inner" if depth == 0 else "", **dict.fromkeys(names, 4))
    tensors = [*record.inputs.values()]
    inner = draw(bodies(depth=0)) if depth else None

    def tensor() -> Tensor:
        recent = draw(st.integers(1, len(tensors)))
        return tensors[-draw(st.integers(1, min(recent, 4)))]

    for number in range(draw(st.integers(1, 14))):
        called = draw(st.sampled_from(["", "x", "out", "conv1", "relu1", "input"]))
        kind = draw(st.sampled_from(KINDS))
        x = tensor()
        if kind == "layer":
            name = draw(st.sampled_from(["conv{}", "layers.{}", "relu{}", "heads.box{}"])).format(number)
            tensors.append(record.layer(name, x, 4, called))
        elif kind in ("relu", "again"):
            tensors.append(record.relu(x, "relu" if kind == "again" else "", called))
        elif kind in ("add", "mul"):
            same = [other for other in tensors if other.shape == x.shape]
            others = draw(st.lists(st.sampled_from(same), min_size=1, max_size=3))
            tensors.append(record.merge("add" if kind == "add" else "multiply", x, *others, called=called))
        elif kind == "cat":
            others = draw(st.lists(st.sampled_from(tensors), min_size=0, max_size=3))
            tensors.append(record.cat(x, *others, called=called))
        elif kind == "gate":
            tensors.append(record.merge("divide", record.layer(f"gate{number}", x, x.shape[1]), x))
        elif kind == "split" and x.shape[1] > 1:
            first = draw(st.integers(1, x.shape[1] - 1))
            tensors += record.split(x, first, x.shape[1] - first)
        elif kind == "pool" and x.shape[2] > 1:
            tensors.append(record.pool(x))
        elif kind == "grown":
            tensors.append(record.grown(f"up{number}", x))
        elif kind == "like":
            tensors.append(record.up(x, tensor()))
        elif kind == "child" and inner is not None:
            found = [draw(st.sampled_from([t for t in tensors if t.shape[1] == 4])) for _ in inner.inputs]
            tensors += record.child(f"child{draw(st.integers(0, 1))}", inner, *found)
    results = draw(st.lists(st.sampled_from(tensors), min_size=1, max_size=3 if depth == 0 else 1))
    keys = draw(st.sampled_from([[str(i) for i in range(3)], ["out", "aux", "conv1"]]))
    return record.body(*results) if len(results) == 1 else record.body(**dict(zip(keys, results)))


@settings(max_examples=150, deadline=None)
@given(bodies())
def test_steps_compute_what_the_module_does(body: Body) -> None:
    check(body)


@settings(max_examples=60, deadline=None)
@given(bodies())
def test_arranged_networks_compute_the_same(body: Body) -> None:
    root = arranged(Lifted(body)).root
    given = [tuple(1.5 + n + 3 * i for n in range(x.shape[1])) for i, x in enumerate(body.inputs.values())]
    assert ran(root, given) == ran(body, given)
    check(root)


@st.composite
def nests(draw: st.DrawFn) -> Body:
    """Branches in branches: whatever a branch makes is taken by its merge alone."""
    r = Recorder()

    def made(x: Tensor, depth: int) -> Tensor:
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["layer", "add", "cat", "gate", "parts"])) if depth else "layer"
            sides = draw(st.integers(1, 2))
            if kind == "layer":
                x = r.layer(f"conv{len(r.nodes)}", x)
            elif kind == "add":
                x = r.add(*draw(st.permutations([x, *(made(x, depth - 1) for _ in range(sides))])))
            elif kind == "cat":
                x = r.layer(f"last{len(r.nodes)}", r.cat(x, *(made(x, depth - 1) for _ in range(sides))), x.shape[1])
            elif kind == "gate":
                x = r.merge("multiply", x, made(x, depth - 1))
            elif x.shape[1] > 1:
                first, second = r.split(x, 1, x.shape[1] - 1)
                x = r.cat(made(first, depth - 1), second)
        return x

    return r.body(made(r["x"], 2))


@settings(max_examples=100, deadline=None)
@given(nests())
def test_nested_branches_need_no_names(body: Body) -> None:
    assert not [step for step in walk(check(body).steps) if isinstance(step, (From, Named))]
