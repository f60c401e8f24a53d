"""Steps found in the data flow of a module. The oracle of tests/bodies.py runs both on numbers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bodies import Recorder, check, shown, traced
from cnndsl.importing.body import Body


@st.composite
def bodies(draw: st.DrawFn, depth: int = 1) -> Body:
    """Random data flow: layers, modules that run again, merges of any tensors, splits, sizes of other tensors, modules
    with several inputs and outputs."""
    names = draw(st.sampled_from([["x"], ["x", "y"], ["x", "skip", "z"]]))
    record = Recorder("inner" if depth == 0 else "", **dict.fromkeys(names, 4))
    tensors = [*record.inputs.values()]
    inner = draw(bodies(depth=0)) if depth else None

    def tensor() -> object:
        recent = draw(st.integers(1, len(tensors)))
        return tensors[-draw(st.integers(1, min(recent, 4)))]

    for number in range(draw(st.integers(1, 14))):
        called = draw(st.sampled_from(["", "x", "out", "conv1", "relu1", "input"]))
        kind = draw(st.sampled_from(["layer", "relu", "again", "add", "cat", "mul", "gate", "split", "like", "child"]))
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
