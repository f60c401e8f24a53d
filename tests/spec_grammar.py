"""A grammar of random specs: Hypothesis strategies of plain data, that YAML writes."""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

Step = Any
MAX_DEPTH = 3

ACTIVATIONS = ["ReLU", "Sigmoid", "SiLU", "GELU", "Tanh", "ELU", "Identity", "Dropout"]
NORMS = ["BatchNorm2d", "InstanceNorm2d"]


@dataclass
class Place:
    """What may be written where the grammar stands."""

    depth: int
    #: Expressions that are numbers of channels, and those that are truth values.
    widths: list[str]
    flags: list[str]
    #: Parameters that hold a layer, and those that hold such a layer or None.
    layers: list[str] = field(default_factory=list)
    #: Blocks by name, with their parameters and whether they keep the shape of their input.
    blocks: dict[str, list["Param"]] = field(default_factory=dict)
    keeps: frozenset[str] = frozenset()
    #: Whether all layers must keep height and width.
    same_size: bool = False
    #: Names of this module whose tensors, and whose modules on tensors of their own shape, may be used again.
    names: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    counter: list[int] = field(default_factory=lambda: [0])
    used: set[str] = field(default_factory=set)
    in_loop: str = ""

    def name(self, draw: st.DrawFn) -> str:
        """A name that nothing in this module has yet."""
        self.counter[0] += 1
        name = draw(st.sampled_from(STEP_NAMES))
        number = self.counter[0] if draw(st.booleans()) or name in self.used else ""
        self.used.add(name)
        return f"{name}{number}{'_$' + self.in_loop if self.in_loop else ''}"

    def inner(self, **changes: Any) -> "Place":
        return replace(self, depth=self.depth + 1, names=list(self.names), modules=list(self.modules), **changes)

    def module(self, **changes: Any) -> "Place":
        return replace(self.inner(**changes), names=[], modules=[], counter=[0], used=set(), in_loop="")


@dataclass(frozen=True)
class Param:
    name: str
    kind: str  # width, flag, times, layer, maybe, stride, pair, list
    default: Any = None


STEP_NAMES = [
    "a", "b", "c", "x", "y", "z", "new", "shortcut", "branch1", "branch2", "parts", "self", "torch", "nn", "layers", "layer",
    "i", "super", "use_shortcut", "Block0", "Tensor", "x2", "output", "cat", "_hidden", "init_weights",
    "a_rather_long_name_for_a_step_of_a_network", "the_longest_name_that_a_step_or_a_module_may_have_in_a_spec_abc",
]  # fmt: skip
PARAM_NAMES = ["c", "hidden", "s", "flag", "n", "act", "pair", "x", "y", "i", "layers", "torch", "nn", "in_channels", "min", "self", "Conv2d", "Block0", "in_features", "out_channels", "has_relu", "times", "an_unusually_long_parameter_name"]
VALUES = {
    "width": st.sampled_from([1, 2, 3, 4, 6, 8]),
    "flag": st.booleans(),
    "times": st.integers(0, 3),
    "layer": st.sampled_from(["ReLU", "SiLU", "GELU", "Sigmoid"]),
    "maybe": st.sampled_from(["ReLU", "SiLU", None]),
    "stride": st.sampled_from([1, 1, 2]),
    "pair": st.tuples(st.integers(1, 4), st.integers(1, 4)).map(list),
    "list": st.lists(st.integers(1, 4), min_size=0, max_size=3),
}


# --- expressions -----------------------------------------------------------------------------------------


@st.composite
def widths(draw: st.DrawFn, place: Place) -> Any:
    """A number of channels: a literal, a name, or a bit of arithmetic."""
    kind = draw(st.integers(0, 5))
    if kind == 0 or not place.widths:
        return draw(VALUES["width"])
    name = draw(st.sampled_from(place.widths))
    factor = draw(st.integers(1, 3))
    return {
        1: f"$({name})",
        2: f"$({name})",
        3: f"$({name} * {factor})",
        4: f"$({name} + {factor})",
        5: f"$(max({name} // {factor + 1}, 1))",
    }[kind]


@st.composite
def conditions(draw: st.DrawFn, place: Place) -> str:
    names = [f"{name} > {draw(st.integers(1, 4))}" for name in place.widths]
    options = [*place.flags, *names, "input.channels > 2", "input.height > 3"]
    first = draw(st.sampled_from(options))
    form = draw(st.sampled_from(["{0}", "{0}", "not ({0})", "{0} and {1}", "{0} or {1}"]))
    return f"$({form.format(first, draw(st.sampled_from(options)))})"


# --- steps -----------------------------------------------------------------------------------------------


def options(draw: st.DrawFn, place: Place, step: dict[str, Any], named: bool = True) -> dict[str, Any]:
    """A step with a name or a condition, now and then."""
    if named and draw(st.integers(0, 3)) == 0:
        step = {"name": place.name(draw), **step}
    if draw(st.integers(0, 3)) == 0:
        step = {**step, "when": draw(conditions(place))}
    return step


@st.composite
def convolutions(draw: st.DrawFn, place: Place, out: Any = None, size: bool = False) -> dict[str, Any]:
    """A convolution; one that keeps height and width where it must."""
    kernel = draw(st.sampled_from([1, 3]))
    arguments: dict[str, Any] = {"out_channels": draw(widths(place)) if out is None else out, "kernel_size": kernel}
    if kernel == 3:
        arguments["padding"] = 1
    if draw(st.integers(0, 4)) == 0:
        arguments["bias"] = False
    if not (size or place.same_size) and draw(st.integers(0, 4)) == 0:
        arguments["stride"] = draw(st.sampled_from([2, *(f"${name}" for name in place.flags if name == "s")]))
    return {"Conv2d": arguments}


@st.composite
def keepers(draw: st.DrawFn, place: Place) -> Step:
    """A layer or block whose output has its input's shape."""
    kind = draw(st.integers(0, 7))
    if kind <= 2:
        return options(draw, place, {draw(st.sampled_from(ACTIVATIONS)): None})
    if kind == 3:
        return options(draw, place, {draw(st.sampled_from(NORMS)): None})
    if kind == 4 and place.layers:
        name = draw(st.sampled_from(place.layers))
        return {f"${name}": None, "when": f"$({name} != None)"}
    if kind == 5 and place.keeps:
        return options(draw, place, draw(calls(place, draw(st.sampled_from(sorted(place.keeps))))))
    if kind == 6:
        return options(draw, place, {"MaxPool2d": {"kernel_size": 3, "stride": 1, "padding": 1}})
    name = place.name(draw)
    if not place.in_loop:
        place.modules.append(name)
    return {"name": name, **draw(convolutions(place, "$(input.channels)", True))}


@st.composite
def calls(draw: st.DrawFn, place: Place, block: str = "") -> dict[str, Any]:
    block = block or draw(st.sampled_from(sorted(place.blocks)))
    arguments = {}
    for param in place.blocks[block]:
        if param.default is not None and draw(st.booleans()):
            continue
        value = draw(VALUES[param.kind])
        if param.kind == "width" and draw(st.booleans()):
            value = draw(widths(place))
        if param.kind == "flag" and draw(st.integers(0, 2)) == 0:
            value = draw(conditions(place))
        arguments[param.name] = value
    return {block: arguments}


@st.composite
def regions(draw: st.DrawFn, place: Place) -> Step:
    kind = draw(st.sampled_from(["residual", "residual", "branch", "branch", "scale", "split", "dense", "repeat", "sequential"]))
    step = getattr(_Regions, kind)(draw, place)
    return options(draw, place, step, named=kind not in ("residual",))


class _Regions:
    @staticmethod
    def residual(draw: st.DrawFn, place: Place) -> Step:
        inner = place.inner(same_size=True)
        body = draw(lists(inner, 2))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            return {"residual": draw(kept(inner))}
        if kind == 1:
            flag = draw(conditions(place))
            return {"residual": draw(kept(inner)), "shortcut": draw(st.sampled_from([True, False, flag]))}
        out = draw(widths(place))
        side: dict[str, Any] = {"Conv2d": {"out_channels": out, "kernel_size": 1}}
        if draw(st.booleans()):
            side = {"sequential": [side, {"BatchNorm2d": None}]}
        if kind == 2 and isinstance(out, str):
            side["when"] = f"$(input.channels != {out[2:-1]})"
            side["name"] = place.name(draw)
        main = [*body, draw(convolutions(inner, out, True))]
        return {"residual": main, "shortcut": [side]}

    @staticmethod
    def branch(draw: st.DrawFn, place: Place) -> Step:
        count = draw(st.integers(1, 3))
        arms = [draw(lists(place.inner(same_size=True), 2)) for _ in range(count)]
        if draw(st.integers(0, 2)) == 0:
            out = draw(widths(place))
            arms = [[*arm, draw(convolutions(place, out, True))] for arm in arms]
            return {"branch": arms, "merge": draw(st.sampled_from(["add", "multiply"]))}
        if draw(st.booleans()):
            arms[draw(st.integers(0, count - 1))] = []
        return {"branch": arms}

    @staticmethod
    def scale(draw: st.DrawFn, place: Place) -> Step:
        squeeze = [{"AdaptiveAvgPool2d": 1}, *draw(kept(place.inner())), {"Sigmoid": None}]
        return {"branch": [[], squeeze], "merge": "multiply"}

    @staticmethod
    def split(draw: st.DrawFn, place: Place) -> Step:
        arms = [draw(lists(place.inner(same_size=True), 1)) for _ in range(2)]
        return {"branch": arms, "split": draw(st.sampled_from([True, ["$(input.channels - 1)", 1]]))}

    @staticmethod
    def dense(draw: st.DrawFn, place: Place) -> Step:
        times, inner = draw(loops(place))
        body = [*draw(lists(inner, 1)), draw(convolutions(inner, draw(widths(inner)), True))]
        if place.blocks and draw(st.booleans()):
            body = [draw(calls(inner))]
        return {"dense": body, **times}

    @staticmethod
    def repeat(draw: st.DrawFn, place: Place) -> Step:
        times, inner = draw(loops(place))
        return {"repeat": draw(lists(inner, 2)), **times}

    @staticmethod
    def sequential(draw: st.DrawFn, place: Place) -> Step:
        return {"sequential": draw(lists(place.module(), 3))}


@st.composite
def loops(draw: st.DrawFn, place: Place) -> tuple[dict[str, Any], Place]:
    """`times`, or `for` and `in`, and the place inside."""
    counts = [name for name in place.flags if name == "n"]
    if draw(st.booleans()):
        inner = place.inner()
        # A name would stand twice: what is in there has none.
        inner.in_loop = "missing"
        return {"times": draw(st.sampled_from([1, 2, 2, 3, *(f"${name}" for name in counts)]))}, inner
    loop = f"k{place.depth}"
    elements: Any = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True))
    inner = place.inner(widths=[*place.widths, loop])
    inner.in_loop = loop
    return {"for": loop, "in": elements}, inner


@st.composite
def steps(draw: st.DrawFn, place: Place) -> list[Step]:
    kind = draw(st.integers(0, 15))
    if kind <= 3:
        return [options(draw, place, draw(convolutions(place)))]
    if kind <= 6:
        return [draw(keepers(place))]
    if (kind <= 9 or kind > 13) and place.depth < MAX_DEPTH:
        return [draw(regions(place))]
    if kind == 10 and place.blocks:
        return [options(draw, place, draw(calls(place)))]
    if kind == 11:
        return [{**draw(convolutions(place)), "when": draw(conditions(place)), "else": draw(lists(place.inner(), 1))}]
    if kind == 12 and not place.in_loop:
        if place.modules and draw(st.booleans()):
            name = draw(st.sampled_from(place.modules))
            return [{"reuse": name}]
        name = place.name(draw)
        place.names.append(name)
        return [{"name": name, **draw(convolutions(place))}]
    if kind == 13 and place.names:
        return [options(draw, place, {"from": draw(st.sampled_from(place.names))}, named=False)]
    name = f"w{place.counter[0]}"
    let = {"let": {name: draw(widths(place))}}
    place.counter[0] += 1
    return [let, draw(convolutions(replace(place, widths=[*place.widths, name])))]


@st.composite
def lists(draw: st.DrawFn, place: Place, count: int) -> list[Step]:
    found = []
    for _ in range(draw(st.integers(1, count))):
        found += draw(steps(place))
    return [_unnamed(step) for step in found] if place.in_loop == "missing" else found


@st.composite
def kept(draw: st.DrawFn, place: Place) -> list[Step]:
    found = [draw(keepers(place)) for _ in range(draw(st.integers(1, 3)))]
    return [_unnamed(step) for step in found] if place.in_loop == "missing" else found


def _unnamed(step: Step) -> Step:
    if isinstance(step, dict):
        return {key: _unnamed(value) for key, value in step.items() if key != "name"}
    return [_unnamed(item) for item in step] if isinstance(step, list) else step


# --- documents -------------------------------------------------------------------------------------------


@st.composite
def blocks(draw: st.DrawFn, earlier: Place, keep: bool) -> tuple[list[Param], list[Step]]:
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=0, max_size=4))
    names = draw(st.permutations(PARAM_NAMES))
    params = []
    for kind, name in zip(kinds, names):
        fixed = {"stride": "s", "times": "n"}.get(kind, name)
        if fixed in {param.name for param in params} or (fixed in ("s", "n") and kind not in ("stride", "times")):
            continue
        params.append(Param(fixed, kind))
    optional = draw(st.integers(0, len(params)))
    for index in range(optional, len(params)):
        params[index] = replace(params[index], default=draw(VALUES[params[index].kind]))
    place = earlier.module(
        widths=[
            *(p.name for p in params if p.kind == "width"),
            *(f"{p.name}[{index}]" for p in params if p.kind == "pair" for index in (0, 1)),
            *(f"len({p.name})" for p in params if p.kind == "list"),
            "input.channels",
        ],
        flags=[p.name for p in params if p.kind in ("flag", "times", "stride")],
        layers=[p.name for p in params if p.kind in ("layer", "maybe")],
        same_size=keep or earlier.same_size,
    )
    place.depth = 1
    return params, draw(kept(place)) if keep else draw(lists(place, 6))


def signature(name: str, params: list[Param]) -> str:
    if not params:
        return name
    shown = (p.name if p.default is None else f"{p.name}={_python(p)}" for p in params)
    return f"{name}({', '.join(shown)})"


def _python(param: Param) -> str:
    return str(param.default) if param.kind in ("layer", "maybe") else repr(param.default)


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A whole document. Most of them compile; those that do not are of no use to a test of the emitter."""
    place = Place(0, [], [])
    defined: dict[str, list[Step]] = {}
    for number in range(draw(st.integers(1, 3))):
        keep = draw(st.integers(0, 2)) == 0
        name = draw(st.sampled_from(["Block", "Cell", "Unit", "Sequential", "Tensor"])) + str(number)
        params, body = draw(blocks(replace(place, same_size=True), keep))
        # A parameter with a default comes last.
        params = sorted(params, key=lambda p: p.default is not None)
        place.blocks[name] = params
        place.keeps |= {name} if keep else frozenset()
        defined[signature(name, params)] = body
    place.widths.append("input.channels")
    place.flags.append("input.channels > 3")
    network: list[Step] = []
    for _ in range(draw(st.integers(1, 6))):
        network += [draw(calls(place))] if draw(st.integers(0, 2)) else draw(steps(place))
    if draw(st.integers(0, 3)) == 0:
        network += [{"Flatten": None}, {"Linear": 3}]
    document: dict[str, Any] = {"input": [draw(st.integers(1, 4)), 5, 5], "blocks": defined, "network": network}
    if place.names and draw(st.integers(0, 3)) == 0:
        last = {"name": "last", "Identity": None}
        document |= {"network": [*network, last], "outputs": ["last", draw(st.sampled_from(place.names))]}
    return document
