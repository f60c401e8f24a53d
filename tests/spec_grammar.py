"""A grammar of random specs, as plain data that YAML writes.

All choices come from a `random.Random`: Hypothesis's in the tests, which shrinks what fails, or a seeded one.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import yaml

Step = Any
MAX_DEPTH = 3

#: Layers that keep any shape, with their arguments.
ACTIVATIONS: list[dict[str, Any]] = [
    {"Sigmoid": None}, {"GELU": None}, {"Tanh": None}, {"PReLU": None}, {"Softplus": None}, {"Abs": None},
    {"Multiply": 0.5}, {"Softmax": {"dim": 1}}, {"LogSoftmax": {"dim": 1}},
    {"StochasticDepth": {"p": 0.4, "mode": "row"}},
]  # fmt: skip
IN_PLACE: list[dict[str, Any]] = [
    {"ReLU": {}}, {"ReLU": {}}, {"ReLU": {}}, {"SiLU": {}}, {"ReLU6": {}}, {"Mish": {}}, {"SELU": {}},
    {"Hardswish": {}},
    {"Hardsigmoid": {}}, {"Hardtanh": {}}, {"LeakyReLU": {}}, {"LeakyReLU": {"negative_slope": -0.1}}, {"RReLU": {}},
    {"ELU": {}}, {"ELU": {"alpha": -0.5}}, {"CELU": {}}, {"Threshold": {"threshold": 0.1, "value": 0.2}},
    {"Dropout": {}}, {"Dropout": {"p": 0.0}}, {"Dropout2d": {}}, {"AlphaDropout": {"p": 0.3}},
    {"DropBlock2d": {"p": 0.3, "block_size": 1}},
]  # fmt: skip
#: What gives its input in another form, of the same memory.
VIEWS: list[dict[str, Any]] = [
    {"Identity": None}, {"Flatten": [1, 1]}, {"Slice": {"start": 0, "stop": "$(input.channels)"}},
    {"Reshape": ["$(input.channels)", "$(input.height)", "$(input.width)"]}, {"Permute": {"dims": [0, 1, 2, 3]}},
    {"branch": [["Identity"]]}, {"branch": [[{"Dropout": {"p": 0.0}}]], "merge": "add"},
    {"Unflatten": {"dim": 3, "unflattened_size": ["$(input.width)"]}},
    {"sequential": [{"Permute": {"dims": [0, 2, 3, 1]}}, {"Permute": {"dims": [0, 3, 1, 2]}}]},
]  # fmt: skip
NORMS = ["BatchNorm2d", "InstanceNorm2d", "BatchNorm2d", "LayerNorm2d", "GroupNorm", "Affine"]
STEP_NAMES = [
    "a", "b", "c", "x", "y", "z", "new", "shortcut", "branch1", "branch2", "parts", "self", "torch", "nn",
    "layers", "layer",
    "i", "super", "use_shortcut", "Block0", "Tensor", "x2", "output", "cat", "_hidden", "init_weights", "conv", "down",
    "a_rather_long_name_for_a_step_of_a_network", "the_longest_name_that_a_step_or_a_module_may_have_in_a_spec_abc",
]  # fmt: skip
PARAM_NAMES = [
    "c", "hidden", "flag", "act", "pair", "x", "y", "i", "layers", "torch", "nn", "in_channels", "min", "self",
    "conv2d", "_",
    "in_features", "out_channels", "has_relu", "times", "sizes", "actual_in_channels",
    "an_unusually_long_parameter_name", "type", "super",
]  # fmt: skip
KINDS = ["width", "width", "width", "flag", "flag", "times", "layer", "maybe", "stride", "pair", "list"]


class PlainDumper(yaml.SafeDumper):
    """Writes everything out, without anchors."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@dataclass(frozen=True)
class Param:
    """A block's parameter; some kinds have names that say so."""

    name: str
    kind: str
    default: Any = None


@dataclass
class Place:
    """What may be written where the grammar stands."""

    rng: Random
    depth: int = 0
    #: Expressions that are numbers of channels, and those that are truth values.
    widths: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    #: Parameters that hold a layer or None, that say how often, that hold lists, and strides.
    layers: list[str] = field(default_factory=list)
    counts: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    strides: list[str] = field(default_factory=list)
    #: Blocks by name, with their parameters, and those that keep the shape of their input.
    blocks: dict[str, list[Param]] = field(default_factory=dict)
    keeps: list[str] = field(default_factory=list)
    #: Blocks that take two tensors, with their parameters, and the names of their outputs.
    ported: dict[str, list[Param]] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    #: Whether all layers must keep height and width.
    same_size: bool = False
    #: Names of this module whose tensors, and whose modules on tensors of their own shape, may be used again.
    names: list[str] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    #: The name of the loop around, "" for none; what is in a loop without a name has no name either.
    loop: str = ""
    nameless: bool = False

    def often(self, share: float) -> bool:
        return self.rng.random() < share

    def pick(self, options: list[Any]) -> Any:
        return self.rng.choice(options)

    def name(self) -> str:
        """A name that nothing in this module has yet."""
        if self.often(0.15):
            return self.held()
        name = self.pick(STEP_NAMES)
        number = str(len(self.used)) if name in self.used or self.often(0.3) else ""
        self.used.append(name)
        return f"{name}{number}{'_$' + self.loop if self.loop else ''}"

    def held(self) -> str:
        """A name in a list or a dict of modules."""
        if self.loop:
            self.used.append("in_rounds")
            return f"held{len(self.used)}.${self.loop}{self.pick(['', '.if'])}"
        holder = self.pick(["some.parts", "listed", "a_dict"])
        count = self.used.count(holder)
        self.used.append(holder)
        return f"{holder}.{self.pick('bcd')}{count}" if holder == "a_dict" else f"{holder}.{count}"

    def inner(self, **changes: Any) -> "Place":
        """Deeper inside of the same module."""
        return replace(self, depth=self.depth + 1, names=[*self.names], modules=[*self.modules], **changes)

    def module(self, **changes: Any) -> "Place":
        return replace(self.inner(), names=[], modules=[], used=[], loop="", nameless=False, **changes)


# --- values ----------------------------------------------------------------------------------------------


def value_of(kind: str, rng: Random) -> Any:
    values: dict[str, Any] = {
        "width": [1, 2, 3, 4, 6, 8],
        "flag": [True, False],
        "times": [0, 1, 2, 3],
        "layer": ["ReLU", "SiLU", "GELU", "Sigmoid"],
        "maybe": ["ReLU", "SiLU", None],
        "stride": [1, 1, 2],
        "pair": [[1, 2], [2, 4], [3, 3], [4, 1]],
        "list": [[], [1], [2, 3], [4, 2, 1], [2, 2, 2], [1, 2, 3]],
    }
    return rng.choice(values[kind])


def width(place: Place) -> Any:
    """A number of channels: a literal, a name, or a bit of arithmetic."""
    if not place.widths or place.often(0.2):
        return value_of("width", place.rng)
    name, factor = place.pick(place.widths), place.pick([1, 2, 3])
    forms = [
        "{0}",
        "{0}",
        "{0}",
        "{0} * {1}",
        "{0} + {1}",
        "max({0} // {1}, 1)",
        "{0} + {2}",
        "{0} if {0} > 2 else {1}",
        "int(round({0} * 1.5))",
    ]
    return f"$({place.pick(forms).format(name, factor, place.pick(place.widths))})"


def condition(place: Place) -> str:
    options = [
        *place.flags,
        *place.flags,
        *(f"{name} {place.pick(['>', '==', '!=', '<='])} {place.pick([1, 2, 3, 4])}" for name in place.widths),
        *(f"{name} != 1" for name in place.strides),
        *(f"{name} > 1" for name in place.counts),
        "input.channels > 2",
        "input.height > 3",
    ]
    form = place.pick(["{0}", "{0}", "{0}", "not ({0})", "{0} and {1}", "{0} or {1}"])
    return f"$({form.format(place.pick(options), place.pick(options))})"


# --- one layer or block ----------------------------------------------------------------------------------


def optioned(place: Place, step: dict[str, Any], named: bool = True) -> dict[str, Any]:
    """A step with a name or a condition, now and then."""
    if named and not place.nameless and place.often(0.25):
        step = {"name": place.name(), **step}
    if place.often(0.25):
        step = {**step, "when": condition(place)}
    return step


def convolution(place: Place, out: Any = None, same_size: bool = False) -> dict[str, Any]:
    kernel = place.pick([1, 3])
    arguments: dict[str, Any] = {"out_channels": width(place) if out is None else out, "kernel_size": kernel}
    if kernel == 3:
        arguments["padding"] = 1
    if place.often(0.2):
        arguments["bias"] = False if not place.flags else f"$({place.pick(place.flags)})"
        if arguments["bias"] is not False and place.often(0.5):
            arguments["bias"] = True
    if not (same_size or place.same_size) and place.often(0.3):
        arguments["stride"] = place.pick([2, [1, 2], *(f"${name}" for name in place.strides)])
    if out == "$(input.channels)" and place.often(0.2):
        arguments["groups"] = "$(input.channels)"
    if place.often(0.05):
        return {"Conv2d": arguments, "parametrization": place.pick(["weight_norm", "spectral_norm"])}
    return {"Conv2d": arguments}


def keeper(place: Place) -> Step:
    """A layer or block whose output has its input's shape."""
    kind = place.pick(["activation", "activation", "norm", "parameter", "block", "pool", "conv", "conv", "view"])
    if kind == "parameter" and place.layers:
        name = place.pick(place.layers)
        return {f"${name}": None, "when": f"$({name} != None)"}
    if kind == "block" and place.keeps:
        return optioned(place, call(place, place.pick(place.keeps)))
    if kind == "norm":
        norm = place.pick(NORMS)
        return optioned(place, {norm: 1 if norm == "GroupNorm" else None})
    if kind == "view":
        return optioned(place, copy.deepcopy(place.pick(VIEWS)))
    if kind == "pool":
        return optioned(place, {"MaxPool2d": {"kernel_size": 3, "stride": 1, "padding": 1}})
    if kind == "conv" and not place.nameless:
        name = place.name()
        if not place.loop:
            place.modules.append(name)
        return {"name": name, **convolution(place, "$(input.channels)", True)}
    return optioned(place, activation(place))


def activation(place: Place) -> dict[str, Any]:
    """One that works in place or not, or cannot."""
    if place.often(0.3):
        return {**place.pick(ACTIVATIONS)}
    ((layer, arguments),) = place.pick(IN_PLACE).items()
    if place.often(0.6):
        flag = f"$({place.pick(place.flags)})" if place.flags and place.often(0.2) else True
        arguments = {**arguments, "inplace": flag}
    return {layer: arguments or None}


def call(place: Place, block: str) -> dict[str, Any]:
    arguments = {}
    for param in (place.blocks | place.ported)[block]:
        if param.default is not None and place.often(0.5):
            continue
        value = value_of(param.kind, place.rng)
        if param.kind == "width" and place.often(0.3):
            value = width(place)
        if param.kind == "flag" and place.often(0.2):
            value = condition(place)
        if param.kind == "maybe" and place.often(0.2):
            value = place.pick([{"LeakyReLU": {"negative_slope": 0.2}}, {"ReLU": {"inplace": True}}])
        arguments[param.name] = value
    return {block: arguments, **({"inline": True} if place.often(0.12) else {})}


# --- structure -------------------------------------------------------------------------------------------


def residual(place: Place) -> Step:
    inner = place.inner(same_size=True)
    kind = place.rng.randrange(4)
    if kind == 0:
        return {"residual": kept(inner)}
    if kind == 1:
        return {"residual": kept(inner), "shortcut": place.pick([True, False, condition(place), condition(place)])}
    out = width(replace(place, widths=[name for name in place.widths if "input" not in name]))
    side: dict[str, Any] = {"Conv2d": {"out_channels": out, "kernel_size": 1}}
    if place.often(0.4):
        side = {"sequential": [side, {"BatchNorm2d": None}]}
    if kind == 2:
        wanted = out[2:-1] if isinstance(out, str) else out
        side["when"] = f"$(input.channels != ({wanted}))"
    if not place.nameless and place.often(0.6):
        side["name"] = place.name()
    return {"residual": [*steps(inner, 2), convolution(inner, out, True)], "shortcut": [side]}


def branch(place: Place) -> Step:
    count = place.pick([1, 2, 2, 3, 4])
    if place.often(0.35):
        out = width(replace(place, widths=[name for name in place.widths if "input" not in name]))
        equal = [arm(place, lambda inner: [*steps(inner, 2), convolution(inner, out, True)]) for _ in range(count)]
        pairs = ["subtract", "divide"] * (count == 2 and are_certain(equal))
        return {"branch": equal, "merge": place.pick(["add", "multiply", "maximum", "minimum", *pairs])}
    arms = [arm(place, lambda inner: steps(inner, 2)) for _ in range(count)]
    if not place.same_size and place.often(0.2):
        return {"branch": [[], kept(place.inner(same_size=True))], "dim": place.pick([2, 3, -1])}
    if place.often(0.5):
        arms[place.rng.randrange(count)] = []
    return {"branch": arms, **({"dim": 1} if place.often(0.1) else {})}


def arm(place: Place, make: Callable[[Place], list[Step]]) -> Step:
    """A branch of the steps that are made in a place: a list of them, or a mapping with a condition or a loop."""
    if place.often(0.75):
        return make(place.inner(same_size=True))
    times, inner = loop(place) if place.often(0.6) else ({}, place.inner())
    when = {"when": condition(inner)} if not times or place.often(0.3) else {}
    return {"steps": make(replace(inner, same_size=True)), **times, **when}


def are_certain(arms: list[Step]) -> bool:
    """Whether there are as many branches as arms, for any values."""
    return all(isinstance(one, list) for one in arms)


def scale(place: Place) -> Step:
    over = {"dim": [2, 3], "keepdim": True}
    pool = place.pick([{"AdaptiveAvgPool2d": 1}, *({name: over} for name in ("Mean", "Sum", "Amax", "Norm"))])
    squeeze = [pool, convolution(place, width(place), True), {"SiLU": None}]
    squeeze += [{"Conv2d": {"out_channels": 1, "kernel_size": 1}}, {"Sigmoid": None}]
    return {"branch": [[], squeeze], "merge": "multiply"}


def split(place: Place) -> Step:
    arms = [place.pick([[], arm(place, lambda inner: steps(inner, 1))]) for _ in range(2)]
    certain = are_certain(arms)
    kinds = ["add", "multiply", "maximum", *["subtract", "divide"] * certain]
    merge = {"merge": place.pick(kinds)} if place.often(0.2) else {}
    parts = [True, *[["$(input.channels - 1)", 1]] * certain]
    return {"branch": arms, "split": True if merge else place.pick(parts), **merge}


def dense(place: Place) -> Step:
    times, inner = loop(place)
    body = [*steps(inner, 1), convolution(inner, None, True)]
    if place.blocks and place.often(0.5):
        body = [call(inner, place.pick([*place.blocks]))]
    return {"dense": body, **times}


def repeat(place: Place) -> Step:
    times, inner = loop(place)
    return {"repeat": steps(inner, 3), **times}


def sequential(place: Place) -> Step:
    return {"sequential": steps(place.module(), 3)}


def loop(place: Place) -> tuple[dict[str, Any], Place]:
    """`times`, or `for` and `in`, and the place inside."""
    if place.often(0.6):
        times = [1, 2, 2, 3, *(f"${name}" for name in place.counts), *(f"$(len({name}))" for name in place.lists)]
        return {"times": place.pick(times)}, place.inner(nameless=True)
    name = f"k{place.depth}"
    elements = place.pick([[1, 2], [2, 3, 4], [4], [3, 1], *(f"${known}" for known in place.lists)])
    inner = place.inner(widths=[*place.widths, name], loop=name)
    # In a list of a caller's a number may stand twice.
    inner.nameless = place.nameless or isinstance(elements, str)
    return {"for": name, "in": elements}, inner


REGIONS = [residual, residual, residual, branch, branch, scale, split, dense, repeat, repeat, sequential, sequential]


def ports(place: Place) -> list[Step]:
    """A call of a block of two inputs, after a step with a name if there is none."""
    block, found = place.pick([*place.ported]), list[Step]()
    if not place.names:
        place.names.append(place.name())
        found.append({"name": place.names[-1], **convolution(place, same_size=True)})
    called = {**call(place, block), "inputs": [place.pick([*place.names, "input"]) for _ in range(2)]}
    if place.often(0.7):
        name = place.name()
        place.names += [name, *(f"{name}.{output}" for output in place.outputs[block])]
        called = {"name": name, **called}
    return [*found, called]


def step(place: Place) -> list[Step]:
    if place.ported and not (place.loop or place.nameless) and place.often(0.15):
        return ports(place)
    kind = place.pick(["conv", "conv", "keep", "keep", "region", "region", "call", "else", "from", "let"])
    if kind == "region" and place.depth < MAX_DEPTH:
        region = place.pick(REGIONS)
        return [optioned(place, region(place), named=region is not residual)]
    if kind == "call" and place.blocks:
        return [optioned(place, call(place, place.pick([*place.blocks])))]
    if kind == "else":
        other = steps(place.inner(), 1)
        return [{**convolution(place), "when": condition(place), "else": other}]
    if kind == "from" and (place.names or place.modules or not (place.loop or place.nameless)):
        return from_or_reuse(place)
    if kind == "let":
        name = f"w{len(place.widths)}"
        bound = {"let": {name: width(place)}}
        place.widths = [*place.widths, name]
        return [bound]
    return [keeper(place)] if kind == "keep" else [optioned(place, convolution(place))]


def from_or_reuse(place: Place) -> list[Step]:
    if place.modules and place.often(0.4):
        return [{"reuse": place.pick(place.modules)}]
    if place.names and not place.same_size and place.often(0.2):
        return [{"Upsample": {"like": place.pick(place.names), "mode": place.pick(["nearest", "bilinear"])}}]
    if place.names and place.often(0.5):
        return [optioned(place, {"from": place.pick(place.names)}, named=False)]
    if len(place.names) > 1 and place.often(0.1):
        return [{"repeat": [{"from": "$fetched"}], "for": "fetched", "in": place.rng.sample(place.names, 2)}]
    if place.loop or place.nameless:
        return [keeper(place)]
    name = place.name()
    place.names.append(name)
    return [{"name": name, **convolution(place)}]


def steps(place: Place, most: int) -> list[Step]:
    found: list[Step] = []
    for _ in range(place.rng.randint(1, most)):
        found += step(place)
    return found


def kept(place: Place) -> list[Step]:
    return [keeper(place) for _ in range(place.rng.randint(1, 3))]


# --- documents -------------------------------------------------------------------------------------------


def parameters(rng: Random) -> list[Param]:
    names = rng.sample(PARAM_NAMES, 5)
    params: dict[str, Param] = {}
    for name in names[: rng.randint(0, 5)]:
        kind = rng.choice(KINDS)
        default = value_of(kind, rng) if rng.random() < 0.3 else None
        params[name] = Param(name, kind, default)
    # Parameters with defaults come last.
    return sorted(params.values(), key=lambda p: p.default is not None)


def block(earlier: Place, params: list[Param], keep: bool) -> list[Step]:
    named = {kind: [p.name for p in params if p.kind == kind] for kind in KINDS}
    place = earlier.module(
        widths=[
            *named["width"],
            *named["width"],
            *(f"{name}[{index}]" for name in named["pair"] for index in (0, 1)),
            *(f"(len({name}) + 1)" for name in named["list"]),
            "input.channels",
        ],
        flags=named["flag"],
        layers=[*named["layer"], *named["maybe"]],
        counts=named["times"],
        lists=named["list"],
        strides=named["stride"],
        same_size=keep or earlier.same_size,
    )
    if not keep and place.often(0.15):
        return [dense(place)]
    return kept(place) if keep else steps(place, 6)


def ported(earlier: Place, params: list[Param]) -> tuple[dict[str, Any], list[str]]:
    """A block of two inputs, and the names of its outputs."""
    place = earlier.module(widths=[p.name for p in params if p.kind == "width"], same_size=True)
    first, second = place.rng.sample(["x", "y", "skip", "left", "torch", "result"], 2)
    place.names += [first, second]
    place.used += [first, second]
    out = width(place)
    sides = [[convolution(place, out)], [{"from": second}, convolution(place, out)]]
    body = [*steps(place, 2), {"branch": sides, "merge": place.pick(["add", "multiply", "concat"])}]
    made = [place.name() for _ in range(place.rng.randint(1, 2))]
    body += [{"name": name, **(convolution(place) if place.often(0.5) else {})} for name in made]
    return {"inputs": [first, second], "outputs": made, "steps": body}, made


def signature(name: str, params: list[Param]) -> str:
    shown = [p.name if p.default is None else f"{p.name}={_python(p)}" for p in params]
    return f"{name}({', '.join(shown)})" if params else name


def _python(param: Param) -> str:
    return str(param.default) if param.kind in ("layer", "maybe") else repr(param.default)


def spec(rng: Random) -> dict[str, Any]:
    """A whole document. Most of them compile; those that do not are of no use to a test of the emitter."""
    place = Place(rng, widths=["input.channels"], flags=["input.channels > 3"])
    defined: dict[str, list[Step]] = {}
    for number in range(rng.randint(1, 3)):
        keep = place.often(0.3)
        name = place.pick(["Block", "Cell", "Unit", "Sequential", "Tensor"]) + str(number)
        params = parameters(rng)
        if place.often(0.2):
            defined[signature(name, params)], place.outputs[name] = ported(place, params)
            place.ported[name] = params
            continue
        defined[signature(name, params)] = block(replace(place, same_size=place.often(0.7)), params, keep)
        place.blocks[name] = params
        if keep:
            place.keeps.append(name)
    network: list[Step] = []
    count = rng.choice([0, 0, 0, 1, 2])
    others = {name: [rng.randint(1, 4), 5, 5] for name in rng.sample(["other", "self", "y"], count)}
    place.names += others
    place.used += others
    for _ in range(rng.randint(2, 6)):
        called = place.blocks and place.often(0.7)
        network += [call(place, place.pick([*place.blocks]))] if called else step(place)
    if place.often(0.25):
        network += [{"Flatten": None}, *([activation(place)] if place.often(0.5) else []), {"Linear": 3}]
    first = [rng.randint(1, 4), 5, 5]
    inputs = {"x": first, **others} if others else first
    document: dict[str, Any] = {"input": inputs, "blocks": defined, "network": network}
    if place.names and place.often(0.4):
        document["network"] = [*network, {"name": "last_step", "Identity": None}]
        document["outputs"] = ["last_step", place.pick(place.names)]
    # YAML would write what is one object here as an anchor and an alias.
    return copy.deepcopy(document)
