"""A module in training, with its optimizer, scheduler, scaler and average."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn, optim
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from cnndsl.diagnostics import Code, RunError
from cnndsl.layers import Refused
from cnndsl.recipe import Recipe
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.spec.calls import FunctionCall
from cnndsl.training.criterion import Criterion


@dataclass(frozen=True)
class Learner:
    """``scheduler`` is stepped after each step of the optimizer if ``each_step``, otherwise after each epoch.
    ``average`` is the moving average of the module's weights, with ``ema``."""

    module: nn.Module
    criterion: Criterion
    optimizer: optim.Optimizer
    scheduler: LRScheduler | None
    scaler: torch.amp.GradScaler
    each_step: bool
    average: AveragedModel | None = None

    @classmethod
    def of(cls, module: nn.Module, recipe: Recipe, device: torch.device, steps: int) -> Learner:
        """``steps`` is the number of optimizer steps in the whole training."""
        scaled = recipe.precision == "fp16"
        optimizer = _optimizer(recipe.optimizer, module, scaled)
        return cls(
            module,
            Criterion.of(recipe.loss).to(device),
            optimizer,
            _scheduler(recipe.scheduler, optimizer, steps) if recipe.scheduler else None,
            torch.amp.GradScaler(device.type, enabled=scaled),
            recipe.scheduler is not None and SCHEDULERS[recipe.scheduler.name].per == "step",
            None if recipe.ema is None else _average(module, recipe.ema),
        )

    @property
    def result(self) -> nn.Module:
        """The module that is tested and saved: the average, or the one in training."""
        return self.average.module if self.average else self.module

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def stepped(self) -> None:
        """What follows each step of the optimizer."""
        if self.scheduler and self.each_step:
            self.scheduler.step()
        if self.average:
            self.average.update_parameters(self.module)

    def schedule_epoch(self, test_loss: float) -> None:
        if self.scheduler is None or self.each_step:
            return
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(test_loss)
        else:
            self.scheduler.step()

    def state(self) -> dict[str, Any]:
        """Everything except the state of :attr:`result`: tensors and plain values."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict() if self.scheduler else None,
            "scaler": self.scaler.state_dict(),
            "averaged": {"steps": int(self.average.n_averaged), "module": self.module.state_dict()}
            if self.average
            else None,
        }

    def load(self, result: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Restores the state of :attr:`result` and everything else."""
        self.result.load_state_dict(dict(result))
        if self.average:
            self.average.n_averaged.fill_(state["averaged"]["steps"])
            self.module.load_state_dict(state["averaged"]["module"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler:
            self.scheduler.load_state_dict(state["scheduler"])
        if state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])


def can_skip(optimizer: optim.Optimizer) -> bool:
    """Whether the device itself can skip a step: torch's scaler decides by the same mark of fused optimizers."""
    return bool(getattr(optimizer, "_step_supports_amp_scaling", False))


def _optimizer(call: FunctionCall, module: nn.Module, scaled: bool) -> optim.Optimizer:
    """An optimizer with torch's fused kernel if it has one for the device, otherwise with torch's choice. If
    ``scaled``, a gradient scaler may skip its steps."""
    make = getattr(optim, call.name)
    arguments = call.arguments
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        made = make(parameters, **arguments, fused=True)
    except (TypeError, RuntimeError):
        made = None
    if made is None or not can_skip(made):  # torch 2.11 makes a fused Adagrad for CUDA, but does not take its steps
        made = make(parameters, **arguments)
    assert isinstance(made, optim.Optimizer)
    return _with_momentum(made) if scaled and isinstance(made, optim.SGD) else made


def _with_momentum(optimizer: optim.SGD) -> optim.SGD:
    """The optimizer with buffers of zeros. Torch's fused kernel makes them without values, for a first step that writes
    them; if that step is skipped, the second would read whatever the memory held. With `dampening`, which torch leaves
    out of the first step, that step is smaller."""
    for group in optimizer.param_groups:
        for parameter in group["params"] if group["momentum"] else ():
            optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    return optimizer


def _scheduler(call: FunctionCall, optimizer: optim.Optimizer, steps: int) -> LRScheduler:
    """A scheduler. Torch's check that a value for each group of parameters is in a list, not in a tuple."""
    arguments = {name: list(value) if isinstance(value, tuple) else value for name, value in call.arguments.items()}
    if "schedulers" in arguments:
        arguments["schedulers"] = [_scheduler(inner, optimizer, steps) for inner in call.arguments["schedulers"]]
    if call.name == "OneCycleLR" and arguments.get("total_steps") is None and arguments.get("epochs") is None:
        arguments["total_steps"] = steps
    if call.name == "OneCycleLR":
        _check_cycle(call, arguments, steps)
    make = getattr(optim.lr_scheduler, call.name)
    # A chain takes the optimizer from its members.
    made = make(**arguments) if call.name == "ChainedScheduler" else make(optimizer, **arguments)
    assert isinstance(made, LRScheduler)
    return made


def _check_cycle(call: FunctionCall, arguments: Mapping[str, Any], steps: int) -> None:
    """Raises :class:`RunError` for a cycle shorter than the training, which torch would abort."""
    try:
        values = SCHEDULERS[call.name].bind(arguments)
    except Refused as refused:
        raise RunError(Code.RECIPE, refused.message, refused.help, span=call.span.first_line) from None
    cycle = values["total_steps"] or values["epochs"] * values["steps_per_epoch"]
    if cycle < steps:
        message = f"the cycle has {cycle} steps, but the training has {steps}"
        raise RunError(Code.RECIPE, message, "omit `total_steps`", span=call.span.first_line)


def _average(module: nn.Module, decay: float) -> AveragedModel:
    """Buffers are averaged like weights, as in torchvision's references: the statistics of a batch normalisation belong
    to the weights that they were computed with."""
    return AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]
