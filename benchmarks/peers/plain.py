"""A training loop as written by hand: torchvision's data set, a DataLoader, loss and accuracy read after each batch.

python benchmarks/peers/plain.py --network lenet --lr 0.9 --root DATA
"""

from __future__ import annotations

import time

import torch
from common import Task, report
from handwritten import Batches, loaders, network
from torch import nn


def accuracy(model: nn.Module, batches: Batches, autocast: torch.autocast) -> float:
    model.eval()
    correct = total = 0
    with torch.no_grad(), autocast:
        for images, labels in batches:
            correct += (model(images).argmax(1) == labels).sum().item()
            total += len(labels)
    return correct / total


def main() -> None:
    task = Task.parse(__doc__)
    torch.manual_seed(task.seed)
    train, test = loaders(task)
    model = network(task.network)
    if task.compile:
        model.compile()
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=task.precision == "bf16")

    epoch_seconds, test_acc = [], 0.0
    for epoch in range(task.epochs):
        start = time.perf_counter()
        model.train()
        loss_sum = correct = total = 0.0
        for images, labels in train:
            optimizer.zero_grad()
            with autocast:
                logits = model(images)
                loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(labels)
            correct += (logits.argmax(1) == labels).sum().item()
            total += len(labels)
        epoch_seconds.append(time.perf_counter() - start)
        test_acc = accuracy(model, test, autocast)
        print(f"epoch {epoch + 1}: loss {loss_sum / total:.4f}, train {correct / total:.4f}, test {test_acc:.4f}")
    report(task, epoch_seconds, test_acc)


if __name__ == "__main__":
    main()
