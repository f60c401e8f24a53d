"""Lightning's Trainer, used as in its documentation, with the handwritten network and the loaders of the plain loop.

Accuracies are computed by torchmetrics and logged. Checkpoints keep their defaults; the logger and the progress bar are
off, in Lightning's favour.

    python benchmarks/peers/lightning_trainer.py --network lenet --lr 0.9 --root DATA
"""

from __future__ import annotations

import tempfile
import time

import torch
import torchmetrics
from common import Task, report
from handwritten import loaders, network
from torch import Tensor, nn

try:
    import lightning as L
except ImportError:
    import pytorch_lightning as L


class Classifier(L.LightningModule):
    def __init__(self, task: Task) -> None:
        super().__init__()
        self.lr = task.lr
        self.model = network(task.network)
        self.criterion = nn.CrossEntropyLoss()
        self.train_acc = torchmetrics.classification.MulticlassAccuracy(10, average="micro")
        self.val_acc = torchmetrics.classification.MulticlassAccuracy(10, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        logits = self(images)
        loss = self.criterion(logits, labels)
        self.train_acc(logits, labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        self.log("train_acc", self.train_acc, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        self.val_acc(self(images), labels)
        self.log("val_acc", self.val_acc)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.lr)


class Clock(L.Callback):
    """Measures the seconds of each epoch until its validation begins, without the sanity check before the first
    epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.start = time.perf_counter()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.sanity_checking:
            self.seconds.append(time.perf_counter() - self.start)


def main() -> None:
    task = Task.parse(__doc__)
    L.seed_everything(task.seed)
    train, test = loaders(task)
    classifier = Classifier(task)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = L.Trainer(
            max_epochs=task.epochs,
            accelerator="cpu",
            precision="bf16-mixed" if task.precision == "bf16" else "32-true",
            callbacks=[clock],
            logger=False,
            enable_progress_bar=False,
            default_root_dir=folder,
        )
        trainer.fit(torch.compile(classifier) if task.compile else classifier, train, test)
    report(task, clock.seconds, trainer.callback_metrics["val_acc"].item())


if __name__ == "__main__":
    main()
