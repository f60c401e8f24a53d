"""Keras 3: `model.fit` on arrays in memory, with the backend of KERAS_BACKEND, by default TensorFlow.

Keras's defaults are kept: channels last, biases from zero, `jit_compile="auto"` (which compiles nothing with TensorFlow
on a CPU) unless `--compile` is given. BatchNormalization gets PyTorch's momentum and epsilon, since it would be a
different network otherwise. The progress bar is off, in Keras's favour; `--workers` has no effect.

    KERAS_BACKEND=tensorflow python benchmarks/peers/keras_fit.py --network lenet --lr 0.9 --root DATA
"""

from __future__ import annotations

import time

import keras
import numpy as np
from common import Task, report
from keras import layers


def arrays(task: Task, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images as float32 in 0..1, and labels. Idx files are bytes after a header of 16, or of 8."""
    images = np.fromfile(task.raw / f"{split}-images-idx3-ubyte", np.uint8, offset=16)
    labels = np.fromfile(task.raw / f"{split}-labels-idx1-ubyte", np.uint8, offset=8)
    return images.reshape(-1, 28, 28, 1).astype(np.float32) / 255, labels


def activation(task: Task) -> list[keras.Layer]:
    norm = [layers.BatchNormalization(momentum=0.9, epsilon=1e-5)] if task.network == "lenet_bn" else []
    return [*norm, layers.Activation("sigmoid")]


def network(task: Task) -> keras.Model:
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(6, 5, padding="valid" if task.network == "lenet_bn" else "same"),
            *activation(task),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5),
            *activation(task),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(120),
            *activation(task),
            layers.Dense(84),
            *activation(task),
            layers.Dense(10, dtype="float32"),  # Keras's guide: outputs in float32 under mixed precision
        ]
    )


class Clock(keras.callbacks.Callback):
    """Measures the seconds of each epoch until its validation begins."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        self.start = time.perf_counter()

    def on_test_begin(self, logs: object = None) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def main() -> None:
    task = Task.parse(__doc__)
    keras.utils.set_random_seed(task.seed)
    if task.precision == "bf16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    model = network(task)
    model.compile(
        optimizer=keras.optimizers.SGD(task.lr),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True if task.compile else "auto",
    )
    clock = Clock()
    history = model.fit(
        *arrays(task, "train"),
        batch_size=task.batch_size,
        epochs=task.epochs,
        validation_data=arrays(task, "t10k"),
        callbacks=[clock],
        verbose=2,
    )
    report(task, clock.seconds, history.history["val_accuracy"][-1])


if __name__ == "__main__":
    main()
