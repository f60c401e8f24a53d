"""What a run does that no operation shows: numbers it reads or draws, attributes it changes, what else it returns."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from cnndsl.diagnostics import Code
from cnndsl.importing.recorded import Held, Made, Place, Refusal
from cnndsl.importing.tracing.functions import last
from cnndsl.importing.tracing.nested import parts
from cnndsl.importing.tracing.places import place_of_code
from cnndsl.importing.tracing.run import Run

#: Torch's functions and methods that draw.
DRAWING = {
    "rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm", "bernoulli", "bernoulli_",
    "normal", "normal_", "uniform_", "random_", "exponential_", "multinomial", "poisson",
}  # fmt: skip
#: How many names a message lists.
MOST = 3
#: What attributes are compared: a tensor may be kept, as nobody knows whether it is read again.
PLAIN = (bool, int, float, str, type(None))
CHANCE = "`forward` depends on random numbers that no layer draws"


def tell_read(run: Run, what: Held | Made, place: Place) -> None:
    """Of a tensor that comes from no input, and of which a number was read."""
    found = [*_sources(what)]
    if any(isinstance(source, Made) for source in found):
        run.note(f"{CHANCE}: the spec does not", place)
    for held in (source for source in found if isinstance(source, Held)):
        run.note(f"the value of `{held.path}` is read: it is a constant of the spec, whatever a checkpoint has", place)


def _sources(what: Any) -> Iterator[Held | Made]:
    """The parameters and buffers of which a tensor was made, and what was drawn for it."""
    match what:
        case Held():
            yield what
        case Made():
            if last(what.how) in DRAWING:
                yield what
            for value in (*what.arguments, *what.keywords.values()):
                yield from _sources(value)
        case tuple() | list():
            for value in what:
                yield from _sources(value)


def beside(run: Run, call: Callable[[], Any]) -> Any:
    """The result of a call of the whole network, of which the run notes what changes or is returned beside tensors."""
    before = {module: _attributes(module) for module in run.modules.paths}
    chance = random.getstate()
    result = call()
    forward = place_of_code(type(run.modules.root).forward)
    if random.getstate() != chance:
        run.note(f"{CHANCE}: the spec does not", forward)
    if others := [*_others(result)]:
        run.note(f"`forward` also returns {', '.join(map(repr, others))}, of which a spec has nothing", forward)
    for module, values in before.items():
        now = vars(module)
        for name, value in values.items():
            if name in now and isinstance(now[name], PLAIN) and now[name] != value:
                message = f"`forward` changes the attribute `{name}`: the spec does what the first run does"
                run.note(message, place_of_code(type(module).forward), module)
    return result


def _attributes(module: nn.Module) -> dict[str, Any]:
    return {name: value for name, value in vars(module).items() if isinstance(value, PLAIN)}


def _others(result: Any) -> Iterator[Any]:
    """What is not a tensor in what a network returns."""
    if isinstance(result, torch.Tensor):
        return
    items = [value for _, value in parts(result)]
    if not items:
        yield result
    for value in items:
        yield from _others(value)


def _frozen(root: nn.Module) -> list[str]:
    """The outermost modules that are not trained at all, and single parameters."""
    parts = {path: [*part.parameters()] for path, part in root.named_modules() if path}
    parts |= {name: [parameter] for name, parameter in root.named_parameters()}
    found: list[str] = []
    for path, parameters in parts.items():
        inside = any(path.startswith(f"{other}.") for other in found)
        if parameters and not inside and not any(parameter.requires_grad for parameter in parameters):
            found.append(path)
    return found


def told_of_tensors(root: nn.Module) -> Iterator[Refusal]:
    """What parameters have that the spec's do not."""
    if frozen := _frozen(root):
        listed = ", ".join(f"`{name}`" for name in frozen[:MOST])
        more = f" and {len(frozen) - MOST} more" if frozen[MOST:] else ""
        help = f"write in the recipe `freeze: [{', '.join(frozen)}]`"
        yield Refusal(Code.LEFT_OUT, f"the module does not train {listed}{more}, and the spec does", None, help)
    for name, tensor in root.named_parameters():
        hooks = [tensor._backward_hooks, getattr(tensor, "_post_accumulate_grad_hooks", None)]
        for hook in (hook for some in hooks for hook in (some or {}).values()):
            yield Refusal(Code.LEFT_OUT, f"a hook of the gradient of `{name}` is left out", place_of_code(hook))
