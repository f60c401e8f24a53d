"""Resuming a run: finding its checkpoint, and checking that the training is the same."""

from __future__ import annotations

import difflib
import shlex
from pathlib import Path

from msgspec.structs import asdict

from cnndsl.diagnostics import Code, RunError
from cnndsl.network import Network, loads
from cnndsl.printable import as_written
from cnndsl.recipe import Recipe
from cnndsl.recipe.schedulers import SCHEDULERS
from cnndsl.spec.recipe_keys import KEYS
from cnndsl.training.checkpoint import Checkpoint
from cnndsl.training.checkpoint import load as load_checkpoint
from cnndsl.training.run_folder import BEFORE, INFO, LAST, find_run

#: The keys of a recipe that may change in a resumed run: those that decide its end, and what changes no result.
CHANGEABLE = tuple(key.name for key in KEYS.values() if key.may_change)


def last_checkpoint(folder: Path) -> tuple[Checkpoint, str]:
    """The newest checkpoint of a run that can be loaded, and the error of a newer one.

    Raises :class:`RunError` if there is none.
    """
    run = find_run(folder).path
    if run.is_file():
        help = f"`--resume {shlex.quote(str(run.parent))}`" if (run.parent / INFO).exists() else "the run's folder"
        raise RunError(Code.RESUME, f"{run} is a checkpoint, but a training continues in the folder of its run", help)
    trouble: list[str] = []
    for path in (folder / LAST, folder / BEFORE):
        try:
            return load_checkpoint(path), "; ".join(trouble)
        except RunError as error:
            if error.diagnostic.code is Code.PLUGIN:
                raise  # the checkpoint itself is intact
            if path.exists() or not trouble:
                trouble.append(error.diagnostic.message)
    message = f"{folder} has no checkpoint to continue from: {'; '.join(trouble)}"
    raise RunError(Code.RESUME, message, "start a new run")


def check_same(checkpoint: Checkpoint, network: Network, recipe: Recipe) -> None:
    """Raises :class:`RunError` if the network or its recipe differs from what was trained so far, except for
    :data:`CHANGEABLE`."""
    trained = loads(checkpoint.spec)
    assert trained.recipe is not None
    changes = [*_network_changes(trained, network), *_recipe_changes(trained.recipe, recipe)]
    if changes:
        help = f"start a new run; only {', '.join(f'`{key}`' for key in CHANGEABLE)} may change"
        if recipe.epochs != trained.recipe.epochs and all("scheduler" in change for change in changes):
            help = "it depends on `epochs`; restore the old value with `--set train.scheduler...`"
        raise RunError(Code.RESUME, "the spec has changed since the checkpoint", help, changes[:20])
    if _is_stretched(recipe) and recipe.epochs != trained.recipe.epochs:
        message = "`OneCycleLR` lasts as long as the training, so `epochs` cannot change"
        raise RunError(Code.RESUME, message, f"start a new run with `epochs: {recipe.epochs}`")
    done = len(checkpoint.progress.epochs)
    if recipe.epochs < done:
        raise RunError(Code.RESUME, f"{done} epochs are done, more than `epochs: {recipe.epochs}`")


def _network_changes(trained: Network, given: Network) -> list[str]:
    """The lines that differ in the resolved specs, without their recipes."""
    was, now = (net.graph.document.resolved("train").splitlines() for net in (trained, given))
    lines = difflib.unified_diff(was, now, n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def _recipe_changes(trained: Recipe, given: Recipe) -> list[str]:
    """The keys whose evaluated values differ, however they are written."""
    changes = []
    for key, was in asdict(trained).items():
        now = getattr(given, key)
        if was != now and key not in CHANGEABLE:
            changes += [f"-{key}: {as_written(was)}", f"+{key}: {as_written(now)}"]
    return changes


def most_steps(recipe: Recipe) -> int | None:
    """The steps of the optimizer for which a schedule has learning rates, 0 if none are left after the epochs of the
    recipe; None for any number."""
    call = recipe.scheduler
    if call is None or call.name != "OneCycleLR":
        return None
    if _is_stretched(recipe):
        return 0
    values = SCHEDULERS[call.name].bind(call.arguments)
    return int(values["total_steps"] or values["epochs"] * values["steps_per_epoch"])


def _is_stretched(recipe: Recipe) -> bool:
    """Whether the schedule has the length of the training."""
    call = recipe.scheduler
    return call is not None and call.name == "OneCycleLR" and not {"total_steps", "epochs"} & call.arguments.keys()
