"""Going on with a run: from which checkpoint, and whether it is still the same training."""

from __future__ import annotations

import difflib
from dataclasses import replace
from pathlib import Path

from cnndsl.diagnostics import Code, RunError
from cnndsl.network import compile_spec
from cnndsl.recipe import Recipe
from cnndsl.training.checkpoint import Checkpoint, load
from cnndsl.training.run import BEFORE, LAST, load_run


def last_checkpoint(folder: Path) -> tuple[Checkpoint, str]:
    """The newest checkpoint of a run that can be loaded, and what was wrong with a newer one.

    Raises :class:`RunError` where there is none.
    """
    load_run(folder)
    trouble = ""
    for path in (folder / LAST, folder / BEFORE):
        try:
            return load(path), trouble
        except RunError as error:
            if trouble and path.exists():
                trouble += "; "
            if path.exists() or not trouble:
                trouble += error.diagnostic.message
    raise RunError(Code.RESUME, f"{folder} has no checkpoint to go on from: {trouble}", "start it anew")


def check_same(checkpoint: Checkpoint, spec: str, recipe: Recipe) -> None:
    """Raises :class:`RunError` where ``spec`` and its recipe are not what was trained so far. A recipe may
    be given more epochs."""
    before = compile_spec(checkpoint.spec + "\n").recipe
    assert before is not None
    was, now = _without_epochs(checkpoint.spec, before.epochs), _without_epochs(spec, before.epochs)
    if was != now:
        lines = difflib.unified_diff(was.splitlines(), now.splitlines(), "trained", "given", n=0, lineterm="")
        changes = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
        help = "train it as a new run; only `epochs` may change"
        raise RunError(Code.RESUME, "the spec has changed since the checkpoint", help, changes[:20])
    for key, old in vars(replace(before, epochs=recipe.epochs)).items():
        new = getattr(recipe, key)
        if new != old:
            help = f"`{key}` depends on `epochs`: give it the value that it had, with `--set train.{key}...`"
            raise RunError(Code.RESUME, f"`{key}` would no longer be {old}, but {new}", help)
    if recipe.epochs < len(checkpoint.progress.epochs):
        done = len(checkpoint.progress.epochs)
        raise RunError(Code.RESUME, f"{done} epochs are done, more than `epochs: {recipe.epochs}`")


def _without_epochs(spec: str, epochs: int) -> str:
    """The resolved spec, whatever its number of epochs is."""
    compilation = compile_spec(spec + "\n", settings=[f"train.epochs={epochs}"])
    return compilation.graph.document.resolved() if compilation.graph else spec
