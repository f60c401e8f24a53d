"""The tables of recipes against torch and torchvision: what they name is there, and takes what they say."""

from __future__ import annotations

import inspect
import math
import re
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pytest
import recipe_cases
import torch
import torchvision
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from recipe_cases import Case
from test_layers import as_json, property_test, whole_floats
from test_layers import values as values_of
from torch import nn, optim

import cnndsl
from cnndsl.diagnostics import Diagnostic
from cnndsl.emit.recipe_reference import recipe_reference
from cnndsl.layers import Refused
from cnndsl.layers.function import Calls, Function
from cnndsl.layers.kinds import Kind, Listing, Union
from cnndsl.layers.table import REQUIRED
from cnndsl.recipe.datasets import DATASETS, DataSet
from cnndsl.recipe.losses import LOSSES, Loss
from cnndsl.recipe.optimizers import OPTIMIZERS, Optimizer
from cnndsl.recipe.schedulers import SCHEDULERS, Scheduler
from cnndsl.recipe.table import Interval, OneOf, Text
from cnndsl.recipe.transforms import TRANSFORMS, Transform
from cnndsl.source import Source
from cnndsl.spec import tree
from cnndsl.spec.calls import CallReader, FunctionCall, Vocabulary
from cnndsl.spec.evaluation import Environment
from cnndsl.spec.values import parse_call

TABLES: dict[str, Mapping[str, Function]] = {
    "OPTIMIZERS": OPTIMIZERS,
    "SCHEDULERS": SCHEDULERS,
    "LOSSES": LOSSES,
    "TRANSFORMS": TRANSFORMS,
    "DATASETS": DATASETS,
}
FUNCTIONS = {name: function for table in TABLES.values() for name, function in table.items()}
CASES: dict[str, Case] = {name: case for table in TABLES for name, case in getattr(recipe_cases, table).items()}
#: What torch can be called with; data sets would be read.
CALLED = {name: function for name, function in FUNCTIONS.items() if name not in DATASETS}

every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
every_called = pytest.mark.parametrize("function", CALLED.values(), ids=CALLED)


# ------------------------------------------------------------------------------------ torch's side


def torch_class(function: Function) -> Any:
    module, _, name = function.path.rpartition(".")
    return getattr(import_module(module), name)


def as_lists(value: Any) -> Any:
    return [*value] if isinstance(value, tuple) else value


def use(function: Function, given: Mapping[str, Any]) -> None:
    """Makes what ``given`` says in torch, and puts it to its use. Raises what torch does.

    Calls in ``given`` are ``FunctionCall``s or mappings of a name to its arguments.
    """
    arguments = {name: as_lists(value) for name, value in given.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        match function:
            case Optimizer():
                if "betas" in arguments:
                    arguments["betas"] = [*map(float, arguments["betas"])]  # torch's Adam does not take 0 for 0.0
                use_optimizer(torch_class(function)(nn.Linear(2, 2).parameters(), **arguments))
            case Scheduler():
                use_scheduler(function, arguments)
            case Loss():
                use_loss(function, arguments)
            case Transform():
                channels = len(arguments["mean"]) if function.name == "Normalize" else 3
                torch_class(function)(**arguments)(torch.rand(channels, 16, 16))
            case _:
                raise NotImplementedError(function.name)


def use_optimizer(optimizer: optim.Optimizer) -> None:
    for _ in range(2):
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()


def use_scheduler(function: Function, arguments: dict[str, Any]) -> None:
    optimizer = optim.SGD(nn.Linear(2, 2).parameters(), 0.1, 0.9)
    steps = 6
    if function.name == "OneCycleLR" and arguments.get("total_steps") is arguments.get("epochs") is None:
        arguments["total_steps"] = steps + 1
    scheduler = schedule(optimizer, function.name, arguments)
    for _ in range(min(steps, getattr(scheduler, "total_steps", steps))):
        lr = optimizer.param_groups[0]["lr"]
        assert math.isfinite(lr) and lr >= -1e-12, "but for rounding"
        optimizer.step()
        scheduler.step(*([1.0] if function.name == "ReduceLROnPlateau" else []))


def schedule(optimizer: optim.Optimizer, name: str, arguments: Mapping[str, Any]) -> Any:
    arguments = {key: as_lists(value) for key, value in arguments.items()}
    if "schedulers" in arguments:
        arguments["schedulers"] = [schedule(optimizer, *named(part)) for part in arguments["schedulers"]]
    given = {} if name == "ChainedScheduler" else {"optimizer": optimizer}
    return torch_class(SCHEDULERS[name])(**given, **arguments)


def named(call: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(call, FunctionCall):
        return call.name, call.arguments
    ((name, arguments),) = call.items()
    return name, arguments


def use_loss(function: Function, arguments: dict[str, Any]) -> None:
    if arguments.get("weight") is not None:
        arguments["weight"] = torch.tensor(arguments["weight"], dtype=torch.float32)
    classes = len(arguments["weight"]) if arguments.get("weight") is not None else 3
    loss = torch_class(function)(**arguments)
    loss(torch.randn(6, classes), torch.arange(6) % classes).item()
    if LOSSES[function.name].per_pixel:
        loss(torch.randn(2, classes, 4, 4), torch.zeros(2, 4, 4, dtype=torch.long)).item()


# ------------------------------------------------------------------------------- signatures and coverage

#: What a training gives by itself.
OURS_TO_GIVE = {"params", "optimizer", "root", "train", "split"}
#: What would be nothing that a recipe should, or can, say.
LEFT_OUT = {
    "how torch computes": {"foreach", "fused", "capturable", "differentiable"},
    "of gains, not of losses": {"maximize"},
    "for resuming, which checkpoints do": {"last_epoch"},
    "Python functions": {"scale_fn", "scale_mode", "transform", "target_transform", "loader", "is_valid_file"},
    "deprecated for `reduction`": {"size_average", "reduce"},
    "how pixels are interpolated": {"interpolation", "antialias"},
    "would change sizes, or what is in the middle": {"expand", "center", "pad_if_needed"},
    "without meaning for a batch of floats": {"inplace", "clip"},
    "where data come from": {"download", "allow_empty"},
}


def parameters(function: Function) -> list[inspect.Parameter]:
    return [*inspect.signature(torch_class(function)).parameters.values()]


@every_function
def test_arguments_are_torchs(function: Function) -> None:
    if not function.path:
        return
    wanted = {parameter.name: parameter for parameter in parameters(function)}
    shared = [name for name in function.arguments if name in wanted]
    assert set(function.arguments) - set(shared) <= {"test_fraction", "skip_unreadable"}
    assert shared == [name for name in wanted if name in shared], "in torch's order"
    for name in shared:
        default = function.arguments[name].default
        assert wanted[name].default == (inspect.Parameter.empty if default is REQUIRED else default), name
    missing = set(wanted) - set(shared) - OURS_TO_GIVE
    assert missing <= set().union(*LEFT_OUT.values())
    assert all(wanted[name].default is not inspect.Parameter.empty for name in missing)


@every_function
def test_a_list_fills_what_it_fills_in_torch(function: Function) -> None:
    if not function.path:
        return
    given = OURS_TO_GIVE - set(function.arguments)
    wanted = [p.name for p in parameters(function) if p.kind is not p.KEYWORD_ONLY and p.name not in given]
    positional = [*function.positional()]
    assert wanted[: len(positional)] == positional


def test_all_of_torch_is_there() -> None:
    unfit = {
        "LBFGS": "calls the loss itself",
        "Muon": "takes matrices only",
        "SparseAdam": "takes sparse gradients only",
    }
    optimizers = {name for name in optim.__all__ if inspect.isclass(getattr(optim, name))} - {"Optimizer"}
    assert set(OPTIMIZERS) == optimizers - set(unfit)
    functions = {"LambdaLR", "MultiplicativeLR"}
    assert set(SCHEDULERS) == set(optim.lr_scheduler.__all__) - functions - {"LRScheduler"}


def test_what_sequences_and_chains_take_moves_on_by_epochs() -> None:
    kind = SCHEDULERS["SequentialLR"].arguments["schedulers"].kind
    assert isinstance(kind, Calls)
    parts = {name for name, scheduler in SCHEDULERS.items() if scheduler.per == "epoch"}
    assert set(kind.table) == parts - {"ReduceLROnPlateau", "SequentialLR", "ChainedScheduler"}


# --------------------------------------------------------------------------------------------- examples


def read(function: Function, arguments: str) -> tuple[FunctionCall | None, list[Diagnostic]]:
    """A call as a recipe writes it."""
    written, faults = tree.read(Source("recipe.yaml", f"{function.name}: {arguments}\n"))
    call = CallReader(Environment({}), faults).call(
        parse_call(written, faults.append), Vocabulary(FUNCTIONS, "function", "")
    )
    return call, faults


def test_every_function_has_a_case() -> None:
    for table, functions in TABLES.items():
        assert set(getattr(recipe_cases, table)) == set(functions)
    assert len(FUNCTIONS) == sum(map(len, TABLES.values())), "no name stands in two tables"


@every_function
def test_accepted(function: Function) -> None:
    call, faults = read(function, CASES[function.name].accepted)
    assert call is not None, faults
    defaults = {name: argument.default for name, argument in function.arguments.items()}
    given = call.arguments
    assert any(given[name] != defaults[name] for name in given) or not function.arguments
    assert set(function.bind(call.arguments)) == set(function.arguments)
    if function.name in CALLED:
        use(function, call.arguments)


@every_function
def test_refused(function: Function) -> None:
    case = CASES[function.name]
    call, faults = read(function, case.refused)
    assert call is None and len(faults) == 1
    assert case.says in faults[0].message
    if case.ours:
        return
    with pytest.raises((ValueError, TypeError, RuntimeError, ZeroDivisionError)):
        use(function, yaml.safe_load(case.refused))


# -------------------------------------------------------------------------------- agreement with torch


def values(kind: Kind[Any]) -> st.SearchStrategy[Any]:
    """Small values of a kind."""
    match kind:
        case OneOf():
            return st.sampled_from(kind.choices)
        case Text():
            return st.sampled_from(["pictures", "a b/c"])
        case Union():
            return st.one_of(*map(values, kind.alternatives))
        case Calls():
            parts = [{"ConstantLR": {}}, {"StepLR": {"step_size": 2}}]
            return st.lists(st.sampled_from(parts), min_size=1, max_size=3).map(tuple)
        case Interval():
            several = st.lists(values(kind.item), min_size=max(kind.lengths), max_size=max(kind.lengths))
            return several.map(lambda numbers: tuple(sorted(numbers))).filter(lambda value: kind.accepts(value, 0))
    return values_of(kind, 0).filter(lambda value: kind.accepts(value, 0))


#: Rules that torch does not have.
OUR_RULES = {
    "CyclicLR": "from a lower to a higher number",
    "OneCycleLR": "from a lower to a higher number, and room to rise",
    "MultiStepLR": "milestones in order",
    "SequentialLR": "milestones in order",
    "Normalize": "as many numbers",
}


@every_called
def test_agrees_with_torch(function: Function) -> None:
    """Whatever the table takes, torch takes; what only a rule refuses, torch refuses too, or it is our rule."""
    drawn = {name: values(argument.kind) for name, argument in function.arguments.items()}
    if "ratio" in drawn:
        drawn["ratio"] = st.sampled_from([(0.5, 2), (0.1, 0.1), (1, 4.5)])  # at 0.00001 torchvision cuts out nothing
    required = {name: drawn.pop(name) for name, argument in function.arguments.items() if argument.required}
    arguments = st.fixed_dictionaries(required, optional=drawn)

    @property_test
    @given(arguments)
    def check(written: dict[str, Any]) -> None:
        try:
            function.bind(written)
        except Refused as refused:
            assert refused.argument is None or refused.argument in function.arguments
            if function.name not in OUR_RULES:
                with pytest.raises((ValueError, RuntimeError)):
                    use(function, written)
        else:
            use(function, written)

    check()


def test_a_cycle_has_room_to_rise() -> None:
    written = {"max_lr": 0.1, "total_steps": 10, "pct_start": 0.1}
    with pytest.raises(Refused, match=r"the rise, 0\.1 of 10 steps, is only one step"):
        SCHEDULERS["OneCycleLR"].bind(written)
    with pytest.raises(ZeroDivisionError):
        use(SCHEDULERS["OneCycleLR"], written)


# ------------------------------------------------------------------------------------------------ kinds

KINDS = {
    argument.kind.expects(0): argument.kind
    for function in FUNCTIONS.values()
    for argument in function.arguments.values()
    if not isinstance(argument.kind, Calls)
}


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 4), st.sampled_from([-0.75, -0.5, 0.0, 0.5, 1.0, 1.5, "", "x", "cos"])
)
ANYTHING = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=5).map(tuple), st.lists(st.floats(0, 2), max_size=5).map(tuple)
)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_schema_agrees_with_accepts(kind: Kind[Any]) -> None:
    validator = Draft202012Validator(kind.schema(0))
    Draft202012Validator.check_schema(kind.schema(0))

    @property_test
    @given(st.one_of(values(kind), ANYTHING))
    def check(value: Any) -> None:
        valid, accepted = validator.is_valid(as_json(value)), kind.accepts(value, 0)
        assert valid or not accepted
        assert accepted or not valid or whole_floats(value) or no_schema_says(kind, value)

    check()


def no_schema_says(kind: Kind[Any], value: Any) -> bool:
    """A length between the shortest and the longest, an interval from high to low, a null in the second place."""
    kinds = kind.alternatives if isinstance(kind, Union) else [kind]
    return isinstance(value, tuple) and any(
        no_schema_says(part, value) if isinstance(part, Union) else isinstance(part, Interval) or gaps(part, value)
        for part in kinds
    )


def gaps(kind: Kind[Any], value: tuple[Any, ...]) -> bool:
    return isinstance(kind, Listing) and (len(kind.lengths) > 1 or None in value)


# ------------------------------------------------------------------------------------------- data sets


@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_classes_are_torchvisions(dataset: DataSet) -> None:
    known = getattr(torchvision.datasets, dataset.name, None)
    classes = getattr(known, "classes", None)
    if isinstance(classes, list):
        assert [*dataset.classes] == classes
    assert len(set(dataset.classes)) == len(dataset.classes)
    assert (dataset.shape is None) == (dataset.sizes is None) == (not dataset.classes)


def test_classes_of_cifar() -> None:
    """As the files of the data have them, which torchvision reads."""
    assert "/".join(DATASETS["CIFAR10"].classes) == "airplane/automobile/bird/cat/deer/dog/frog/horse/ship/truck"
    hundred = DATASETS["CIFAR100"].classes
    assert len(hundred) == 100 and [*hundred] == sorted(hundred)


# -------------------------------------------------------------------------------------- the reference


@every_function
def test_reference(function: Function) -> None:
    page = recipe_reference()
    assert f"`{function.name}({function.signature()})`" in page
    assert function.documentation.replace("``", "`") in page
    assert function.documentation.endswith("."), "sentences"


def test_reference_as_markdown() -> None:
    page = recipe_reference()
    assert re.findall("^## (.*)", page, re.MULTILINE) == [
        "Keys", "Data sets", "Transforms", "Optimizers", "Schedulers", "Losses"
    ]  # fmt: skip
    for section in page.split("\n## ")[1:]:
        assert len({row.count("|") for row in section.splitlines() if row.startswith("|")}) == 1


def test_an_expression_may_name_a_function() -> None:
    text = """
params: {optimizer: Adam, start: zeros}
input: [4]
network: [Linear: 3]
init: {Linear: $start}
train: {dataset: Synthetic, epochs: 1, batch_size: 4, optimizer: $optimizer, augment: [], scheduler: {StepLR: 1}}
"""
    net = cnndsl.loads(text)
    assert net.recipe is not None and net.recipe.optimizer.name == "Adam"
    assert [init.function for init in net.graph.initializations] == ["zeros"]
    (fault,) = [fault for fault in cnndsl.check(cnndsl.Text(text), start="zero") if fault.is_error]
    assert "`zero` is not a function of torch.nn.init" in fault.message
