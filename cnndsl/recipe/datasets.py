"""Data sets of ``torchvision.datasets`` to train on, and a synthetic one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnndsl.layers.function import Function, by_name
from cnndsl.layers.kinds import BOOLEAN, INSIDE_0_AND_1, NOT_NEGATIVE, POSITIVE
from cnndsl.layers.table import Argument, argument
from cnndsl.recipe.table import Text


class DataSet(Function):
    """Images with their classes.

    ``shape`` is that of a sample, ``(channels, height, width)``; ``classes`` are the names in the order of
    the labels; ``sizes`` are the numbers of training and test samples. If they depend on the data, ``shape``
    and ``sizes`` are None and ``classes`` is empty.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        arguments: Mapping[str, Argument[Any]] = {},
        *,
        shape: tuple[int, int, int] | None = None,
        classes: tuple[str, ...] = (),
        sizes: tuple[int, int] | None = None,
        path: str | None = None,
    ) -> None:
        super().__init__(name, documentation, arguments, path=f"torchvision.datasets.{name}" if path is None else path)
        self.shape = shape
        self.classes = classes
        self.sizes = sizes


_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_CIFAR100 = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
    caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant
    flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree
    motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate
    poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider
    squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
    wardrobe whale willow_tree wolf woman worm
"""

DATASETS = by_name(
    (
        DataSet(
            "FashionMNIST",
            "Images of clothes, in greyscale. Xiao, Rasul and Vollgraf, 2017.",
            shape=(1, 28, 28),
            classes=(
                *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
                *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            ),
            sizes=(60_000, 10_000),
        ),
        DataSet(
            "MNIST",
            "Handwritten digits, in greyscale. LeCun et al., 1998.",
            shape=(1, 28, 28),
            classes=tuple(f"{digit} - {word}" for digit, word in enumerate(_DIGITS)),
            sizes=(60_000, 10_000),
        ),
        DataSet(
            "KMNIST",
            "Kuzushiji-MNIST: cursive Japanese characters, in greyscale. Clanuwat et al., 2018.",
            shape=(1, 28, 28),
            classes=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            sizes=(60_000, 10_000),
        ),
        DataSet(
            "CIFAR10",
            "Animals and vehicles, in colour. Krizhevsky, 2009.",
            shape=(3, 32, 32),
            classes=(
                *("airplane", "automobile", "bird", "cat", "deer"),
                *("dog", "frog", "horse", "ship", "truck"),
            ),
            sizes=(50_000, 10_000),
        ),
        DataSet(
            "CIFAR100",
            "``CIFAR10`` with a hundred classes. Krizhevsky, 2009.",
            shape=(3, 32, 32),
            classes=tuple(_CIFAR100.split()),
            sizes=(50_000, 10_000),
        ),
        DataSet(
            "SVHN",
            "Single digits of house numbers, in colour. Netzer et al., 2011.",
            shape=(3, 32, 32),
            classes=tuple(str(digit) for digit in range(10)),
            sizes=(73_257, 26_032),
        ),
        DataSet(
            "ImageFolder",
            "Images in the folder ``root``, with a subfolder for each class. If it is not split into training and "
            "test samples, a fraction ``test_fraction`` of its images is for tests. ``skip_unreadable`` decodes "
            "each image once before training, and lists and skips the unreadable ones.",
            {
                "root": argument(Text("the path of a folder")),
                "test_fraction": argument(INSIDE_0_AND_1, 0.2, keyword=True),
                "skip_unreadable": argument(BOOLEAN, False, keyword=True),
            },
        ),
        DataSet(
            "Synthetic",
            "Generated images of the network's input size, ``size`` to train on and ``test_size`` for tests: a pattern "
            "for each class, plus normal noise of standard deviation ``noise``.",
            {
                "size": argument(POSITIVE, 1024),
                "test_size": argument(POSITIVE, 256),
                "noise": argument(NOT_NEGATIVE, 0.25),
            },
            path="",
        ),
    )
)
