"""A whole training: compiles a spec, opens its data, trains its module, and writes its run."""

from __future__ import annotations

import hashlib
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from msgspec import structs

from cnndsl.diagnostics import Code, Diagnostic, RunError, SpecError
from cnndsl.emit.module import own_layers
from cnndsl.network import Network, compile_spec
from cnndsl.recipe import EarlyStopping, Recipe
from cnndsl.recipe.compatibility import frozen, unfit_batch
from cnndsl.recipe.reader import not_whole
from cnndsl.spec.calls import FunctionCall
from cnndsl.spec.document import Spec, Text
from cnndsl.terminal import say
from cnndsl.training import devices
from cnndsl.training.checkpoint import Checkpoint, encode
from cnndsl.training.data import Data, Places, open_data
from cnndsl.training.failures import check_guarded, explained
from cnndsl.training.interrupt import Stopped, listening
from cnndsl.training.learner import Learner
from cnndsl.training.loop import Loop, Place
from cnndsl.training.options import Options
from cnndsl.training.plan import derived, least, steps_in_epoch
from cnndsl.training.progress import Progress, early_end
from cnndsl.training.ranks import joined
from cnndsl.training.report import Report, closing_lines, report_for, skipped_lines
from cnndsl.training.resume import check_same, last_checkpoint, most_steps
from cnndsl.training.run import Run
from cnndsl.training.run_folder import BEST, LAST, SPEC, RunFolder
from cnndsl.training.writer import RunWriter, launcher, new_folder, restarted
from cnndsl.version import __version__
from cnndsl.weights import Fit


def run_training(spec: Spec | None, settings: Sequence[str], options: Options, given: Sequence[str] = ()) -> Run:
    """Trains with ``settings`` ``a.b=value`` for any key of the spec, and ``given`` ``name=value`` for its parameters.

    Raises :class:`Stopped` after a signal; the run is saved then.
    """
    check_guarded()
    device = devices.choose(options.device)
    with listening() as stop, joined(device) as ranks:
        folder, checkpoint, trouble = ranks.share(lambda: _resumed(options))
        source = spec if spec is not None or checkpoint is None else Text(checkpoint.spec)
        if source is None:
            raise RunError(Code.RESUME, "neither a spec nor a run was given", "name a spec, or a run with `resume=`")
        network, recipe, doubts = _compiled(source, settings, given)
        devices.choose_kernels(device, recipe.deterministic)
        if checkpoint is None and ranks.first and not options.quiet:
            for line in (line for doubt in doubts for line in doubt.render(sys.stderr.encoding or "utf-8").split("\n")):
                say(line, err=True)
        text = network.graph.document.resolved()
        ranks.agree("the spec", hashlib.sha256(text.encode()).hexdigest())
        if checkpoint is not None:
            check_same(checkpoint, network, recipe)
            options = replace(options, weights=None)  # the checkpoint has them
        with explained(device):
            session = _Session(network, recipe, text, options, Place(device, ranks, stop))
        return session.run(folder, checkpoint, trouble)


def _resumed(options: Options) -> tuple[Path | None, Checkpoint | None, str]:
    """The run to continue, its checkpoint, and the error of a newer one."""
    folder = options.resume or restarted(options.runs)
    return (folder, *last_checkpoint(folder)) if folder else (None, None, "")


def _compiled(
    spec: Spec, settings: Sequence[str], given: Sequence[str]
) -> tuple[Network, Recipe, Sequence[Diagnostic]]:
    """The network, its recipe, and warnings. Raises :class:`SpecError`."""
    compilation = compile_spec(spec, settings=settings, given=given)
    if compilation.graph is None:
        raise SpecError(compilation.diagnostics, compilation.partial)
    if compilation.recipe is None:
        missing = not_whole(compilation.graph.document)
        raise SpecError([missing] if missing else compilation.diagnostics)
    return Network(compilation.graph, compilation.recipe), compilation.recipe, compilation.diagnostics


class _Session:
    """A training in this process."""

    def __init__(self, network: Network, recipe: Recipe, text: str, options: Options, place: Place) -> None:
        self.recipe, self.text, self.options, self.place = recipe, text, options, place
        if recipe.batch_size < place.ranks.size:
            message = f"a batch of {recipe.batch_size} samples cannot be divided among {place.ranks.size} processes"
            raise RunError(Code.RANKS, message, f"`--batch-size {place.ranks.size}` or more")
        self.fit: Fit | None = None
        self.data = self._open(network)
        self.network = network.at_size(self.data.shape)
        self.steps = self._steps()
        self.learner = self._learner()
        #: What the last checkpoint holds.
        self.saved = Progress()

    def _open(self, network: Network) -> Data:
        graph = network.graph
        (x,), (out,) = graph.inputs.values(), graph.outputs.values()
        places = Places(self.options.data_dir, self.options.workers, self._watched(time.monotonic()))
        with self.place.ranks.first_alone():
            return open_data(self.recipe, x.shape.sample, out.shape.sample, places, self.place.device)

    def _watched(self, began: float) -> Callable[[int, int], None]:
        """Ends a long check of pictures if a signal asked for it, and prints how far it is every ten seconds."""
        printed = began

        def watch(done: int, total: int) -> None:
            nonlocal printed
            if self.place.stop.number:
                raise Stopped(self.place.stop.number)
            if self.place.ranks.first and not self.options.quiet and time.monotonic() - printed > 10:
                printed = time.monotonic()
                say(f"checked {done:,} of {total:,} pictures")

        return watch

    def _steps(self) -> int:
        """The number of optimizer steps in an epoch. Raises :class:`RunError` if there is none, or if a process's part
        of a batch is too small for the network."""
        samples, processes = len(self.data.train), self.place.ranks.size
        for fault in unfit_batch(self.network.graph, self.recipe, processes):
            raise RunError(fault.code, fault.message, fault.help, [note.message for note in fault.notes], fault.span)
        steps = steps_in_epoch(samples, self.recipe, processes)
        if not steps:
            at_least = least(self.recipe.batch_size, processes)
            has = f"`{self.data.name}` has {samples} training sample{'s' * (samples != 1)}"
            message = f"{has}, but a batch needs {at_least}"
            help = f"more samples, or `--batch-size {processes}`: one sample for each process"
            raise RunError(Code.SAMPLE, message, help)
        return steps

    def _learner(self) -> Learner:
        torch.manual_seed(derived(self.recipe.seed, "weights"))
        module = self.network.module()
        if self.options.weights is not None:
            with self.place.ranks.first_alone():
                self.fit = self.network.load_weights(module, self.options.weights, partial=self.options.partial)
        parameters = dict(module.named_parameters())
        for name in frozen(parameters, self.recipe.freeze):
            parameters[name].requires_grad_(False)
        module = devices.placed(module, self.place.device, self.recipe.precision)
        return Learner.of(module, self.recipe, self.place.device, self.steps * self.recipe.epochs)

    # --- the run ---------------------------------------------------------------------------------

    def run(self, folder: Path | None, checkpoint: Checkpoint | None, trouble: str) -> Run:
        ranks = self.place.ranks
        path = ranks.share(lambda: folder or new_folder(self.options.runs, self.network.label))
        progress = self.saved = self._restore(checkpoint, path) if checkpoint else Progress()
        writer = RunWriter(path, self._info(path)) if ranks.first else None
        report = report_for(self.network.name, self.recipe.epochs, ranks.first, self.options.quiet)
        try:
            self._announce(report, path, progress, trouble)
            if writer:
                writer.begin(self.text)
                if trouble:
                    writer.set_aside()
                if checkpoint is None:
                    self._save(writer, progress)
                elif progress.epochs:  # the run may have died before writing them
                    writer.metrics(progress)
            progress = self._train(progress, writer, report)
            early = early_end(self.recipe.early_stopping, progress.epochs)
            if early:
                report.message(f"stopped early: {early}")
        except BaseException as error:
            if writer:
                _note_end(writer, error)
            if isinstance(error, Stopped) and ranks.first:
                error.args = (f"{error}; continue with `cnndsl train --resume {path}`",)
            if isinstance(error, RunError) and error.diagnostic.code is Code.LOSS and self.saved.epochs:
                told = error.diagnostic
                raise RunError(told.code, told.message, f"{told.help}: {self._restart(path)}") from None
            raise
        else:
            if writer:
                writer.end("finished", early)
        finally:
            report.close()
            if writer:
                writer.close()
        if ranks.first and not self.options.quiet:
            for line in closing_lines(progress, str(self.place.device)):
                say(line)
        return Run(path)

    def _train(self, progress: Progress, writer: RunWriter | None, report: Report) -> Progress:
        logger = _tensorboard(writer.path, progress) if writer and self.options.tensorboard else None

        def save(now: Progress) -> None:
            if writer is None:
                return
            self._save(writer, now)
            if now.epochs and not now.batches:
                writer.metrics(now)
                if logger:
                    logger(now)

        loop = Loop(self.learner, self.data, self.recipe, self.place, report, save, self.options.checkpoint_every)
        if loop.step.uncaptured:
            report.message(f"steps are not captured in a CUDA graph: {loop.step.uncaptured}")
        return loop.run(progress)

    def _save(self, writer: RunWriter, progress: Progress) -> None:
        checkpoint = Checkpoint(
            self.text,
            self.data.shape,
            self.data.classes,
            self.learner.result.state_dict(),
            self.learner.state(),
            progress,
            versions(),
            self._plugins(),
        )
        best = not progress.batches and progress.best is not None and progress.best is progress.epochs[-1]
        writer.checkpoint(encode(checkpoint), best)
        self.saved = progress

    def _restart(self, path: Path) -> str:
        """How a new run begins with the newest weights that were tested, at a tenth of the learning rate."""
        best, epochs = self.saved.best, self.saved.epochs
        name, epoch = (BEST, best) if best and self.saved.batches else (LAST, epochs[-1])
        spec, weights = (shlex.quote(str(path / file)) for file in (SPEC, name))
        lr = self.learner.optimizer.defaults["lr"] / 10
        command = f"cnndsl train {spec} --weights {weights} --lr {lr:g}"
        return f"`{command}` begins with the weights of epoch {epoch.epoch}"

    def _how_to_continue(self, done: int) -> str:
        """What to write to train on after the last epoch."""
        steps = most_steps(self.recipe)
        more = 10 if steps is None else min(10, steps // self.steps - done)
        if more > 0:
            return f"`--epochs {done + more}` continues it"
        return "the learning rate of `OneCycleLR` has come to its end: start a new run"

    def _restore(self, checkpoint: Checkpoint, path: Path) -> Progress:
        epochs, rule = checkpoint.progress.epochs, self.recipe.early_stopping
        if RunFolder(path).info.get("state") == "finished":
            if len(epochs) >= self.recipe.epochs:
                raise RunError(Code.RESUME, f"all {len(epochs)} epochs are done", self._how_to_continue(len(epochs)))
            if rule and (early := early_end(rule, epochs)):
                help = f"`--set train.early_stopping.patience={rule.patience + 10}` continues it"
                raise RunError(Code.RESUME, f"the training was stopped early: {early}", help)
        self.learner.load(checkpoint.module, checkpoint.learner)
        return checkpoint.progress

    def _info(self, path: Path) -> dict[str, Any]:
        """The content of ``run.json`` for this training."""
        return {
            **RunFolder(path).info,
            "name": self.network.name,
            "started": RunFolder(path).info.get("started", path.name),
            "command": sys.argv,
            "device": str(self.place.device),
            "processes": self.place.ranks.size,
            "launcher": launcher(),
            "seed": self.recipe.seed,
            "versions": dict(versions()),
            "plugins": self._plugins(),
            "parameters": self.network.cost.params,
            "sample": list(self.data.shape),
            "classes": list(self.data.classes),
            "skipped": list(self.data.skipped),
            "weights": self.fit.origin if self.fit else RunFolder(path).info.get("weights"),
            "recipe": {key: _as_json(value) for key, value in structs.asdict(self.recipe).items()},
        }

    def _plugins(self) -> dict[str, str]:
        """The modules of the user's own layers, by the layers' names."""
        return {type(layer).__name__: layer.package for layer in own_layers(self.network.graph)}

    def _announce(self, report: Report, path: Path, progress: Progress, trouble: str) -> None:
        if trouble:
            report.message(f"{trouble}; continuing from the checkpoint before it")
        if self.fit:
            report.message(f"weights of {self.fit.origin}: {self.fit.summary}")
            for line in self.fit.table:
                report.message(f"  {line}")
            if self.fit.warning:
                report.message(self.fit.warning.render())
        for line in skipped_lines(self.data.skipped):
            report.message(line)
        begun = f", from epoch {len(progress.epochs) + 1}" if progress.epochs or progress.batches else ""
        begun += f", batch {progress.batches + 1}" if progress.batches else ""
        report.message(f"{self.network.name} on {self.recipe.dataset.name}, {self.place.device}: {path}{begun}")


def versions() -> dict[str, str]:
    """The versions for ``run.json``."""
    found = {"cnndsl": __version__, "torch": str(torch.__version__), "python": platform.python_version()}
    return found | ({"cuda": torch.version.cuda} if torch.version.cuda else {})


def _note_end(writer: RunWriter, error: BaseException) -> None:
    """Records in ``run.json`` how a training ended, if that can still be written."""
    state = "interrupted" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "failed"
    message = error.diagnostic.message if isinstance(error, RunError) else f"{type(error).__name__}: {error}"
    with suppress(RunError):  # the original error matters more
        writer.end(state, message)


def _as_json(value: Any) -> Any:
    """A recipe's value as JSON: a call is a mapping with one key."""
    if isinstance(value, EarlyStopping):
        return structs.asdict(value)
    if isinstance(value, FunctionCall):
        return {value.name: {key: _as_json(item) for key, item in value.arguments.items()}}
    return [_as_json(item) for item in value] if isinstance(value, tuple) else value


def _tensorboard(path: Path, progress: Progress) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise RunError(Code.WRITE, "TensorBoard is not installed", "`pip install tensorboard`") from None
    try:
        events = SummaryWriter(path / "tensorboard", purge_step=len(progress.epochs) + 1)
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "TensorBoard needs names in UTF-8"
        raise RunError(Code.WRITE, f"{path / 'tensorboard'} cannot be written: {reason}") from None

    def log(now: Progress) -> None:
        line = asdict(now.epochs[-1])
        number = line.pop("epoch")
        for key, value in line.items():
            events.add_scalar(key, value, number)
        events.flush()

    return log
