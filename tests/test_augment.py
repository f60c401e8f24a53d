"""Transforms of batches, compared with torchvision's functions on single images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from math import exp
from typing import Any

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

from cnndsl.recipe.transforms import TRANSFORMS as TABLE
from cnndsl.training.augment import TRANSFORMS, Dice, Resize
from cnndsl.training.augment.geometry import RandomCrop, RandomResizedCrop
from cnndsl.training.augment.pixels import RandomErasing
from cnndsl.training.augment.warp import RandomAffine, RandomRotation
from cnndsl.training.prepare import as_float

CPU = torch.device("cpu")
#: The arguments of each transform in the tests below, besides its defaults.
NEEDED: dict[str, dict[str, Any]] = {
    "RandomCrop": {"size": (16, 18), "padding": 2},
    "RandomResizedCrop": {"size": (12, 15)},
    "RandomRotation": {"degrees": 40},
    "RandomAffine": {"degrees": 20, "translate": (0.2, 0.1), "scale": (0.7, 1.3), "shear": (-20, 20, -10, 10)},
    "CenterCrop": {"size": (16, 18)},
    "Pad": {"padding": (1, 2, 3, 4), "fill": 7},
    "ColorJitter": {"brightness": 0.4, "contrast": 0.4, "saturation": (0.2, 1.5), "hue": 0.3},
    "Normalize": {"mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7)},
}
NAMES = sorted(TRANSFORMS)


def made(name: str, **arguments: Any) -> Any:
    return TRANSFORMS[name](**{**NEEDED.get(name, {}), **arguments})


def pictures(n: int = 32, channels: int = 3, height: int = 20, width: int = 24) -> Tensor:
    """Smooth images with noise, uint8."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand(n, channels, 5, 6, generator=generator)
    smooth = F.resize(coarse, [height, width])
    return ((smooth + 0.1 * torch.rand(smooth.shape, generator=generator)) / 1.1 * 255).byte()


def run(transform: Any, images: Tensor, seed: int = 3) -> Tensor:
    """The images as `Preparation` gives them to the transform, and transformed."""
    given = as_float(images) if transform.floats else images
    result: Tensor = transform(given, torch.zeros(len(images)), Dice(seed, CPU))[0]
    return result


# The tables


@pytest.mark.parametrize("name", NAMES)
def test_arguments_and_defaults_are_the_tables_and_torchvisions(name: str) -> None:
    required = NEEDED.get(name, {})
    own = {field.name: getattr(made(name), field.name) for field in fields(made(name))}
    told = TABLE[name].bind(required)
    assert told.items() <= own.items()
    assert made(name).random == TABLE[name].random
    theirs = vars(getattr(v2, name)(**required))
    for argument in told.keys() - required.keys() - {"value", "fill"}:
        assert theirs[argument] == own[argument], argument


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *((name, NEEDED.get(name, {})) for name in NAMES),
        *((crop, {"size": size}) for crop in ("CenterCrop", "RandomCrop", "RandomResizedCrop") for size in (9, (9,))),
        *(("Pad", {"padding": padding}) for padding in (3, (3,), (3, 4), (1, 2, 3, 4))),
        *(("Grayscale", {"num_output_channels": channels}) for channels in (1, 3)),
    ],
)
def test_the_shape_of_the_result_is_torchvisions(name: str, arguments: dict[str, Any]) -> None:
    picture = as_float(pictures(1))[0]
    shape = tuple(getattr(v2, name)(**arguments)(picture).shape)
    assert TABLE[name].output(arguments, tuple(picture.shape)) == shape
    assert tuple(run(TRANSFORMS[name](**arguments), picture[None])[0].shape) == shape


def fields_of(name: str) -> tuple[Any, ...]:
    return fields(TRANSFORMS[name])  # type: ignore[arg-type]


def test_every_transform_of_the_recipe_is_there() -> None:
    assert sorted(TABLE) == NAMES


# Each against torchvision, sample by sample


def flipped(flip: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    return lambda image, chosen: flip(image) if chosen else image


def erased(image: Tensor, box: Tensor) -> Tensor:
    top, left, height, width = box.tolist()
    return F.erase(image, top, left, height, width, torch.tensor(0.0))


def cropped(image: Tensor, corner: Tensor) -> Tensor:
    return F.crop(F.pad(image, [2]), *corner.tolist(), 16, 18)


def jittered(image: Tensor, order: Tensor, factors: Tensor) -> Tensor:
    functions = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
    for index in order.tolist():
        image = functions[index](image, float(factors[index]))
    return image


def affine(image: Tensor, angle: Tensor, shift: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    return F.affine(image, angle.item(), shift.int().tolist(), scale.item(), shear.tolist(), fill=0)


ORACLES: dict[str, Callable[..., Tensor]] = {
    "RandomHorizontalFlip": flipped(F.horizontal_flip),
    "RandomVerticalFlip": flipped(F.vertical_flip),
    "RandomGrayscale": flipped(lambda image: F.rgb_to_grayscale(image, 3)),
    "RandomInvert": flipped(F.invert),
    "RandomCrop": cropped,
    "RandomErasing": erased,
    "Grayscale": lambda image: F.rgb_to_grayscale(image, 1),
    "CenterCrop": lambda image: F.center_crop(image, [16, 18]),
    "Pad": lambda image: F.pad(image, [1, 2, 3, 4], fill=7),
    "Normalize": lambda image: F.normalize(image, [0.1, 0.2, 0.3], [0.5, 0.6, 0.7]),
    "GaussianNoise": lambda image, noise: (image + noise * 0.1).clamp(0, 1),
    "RandomRotation": lambda image, angle: F.rotate(image, angle.item(), fill=0),
    "RandomAffine": affine,
    "ColorJitter": jittered,
    "RandomResizedCrop": lambda image, box: F.resized_crop(image, *box.tolist(), [12, 15]),
}


def oracle(transform: Any, images: Tensor, seed: int = 3) -> tuple[Tensor, Tensor]:
    """The result, and torchvision's result for each sample with the same numbers."""
    drawn = transform.draw(Dice(seed, CPU), images)
    function = ORACLES[type(transform).__name__]
    theirs = [function(image, *(each[at] for each in drawn)) for at, image in enumerate(images)]
    return transform.apply(images, *drawn), torch.stack(theirs)


EXACT = sorted(set(NAMES) - {"RandomRotation", "RandomAffine", "ColorJitter", "RandomResizedCrop"})


@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("name", EXACT)
def test_equals_torchvision(name: str, floats: bool) -> None:
    transform = made(name)
    ours, theirs = oracle(transform, as_float(pictures()) if floats or transform.floats else pictures())
    assert ours.dtype == theirs.dtype and torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["RandomRotation", "RandomAffine"])
@pytest.mark.parametrize("fill", [0, 40])
def test_warps_equal_torchvision_but_for_pixels_on_the_edge_between_two(
    name: str, fill: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for function in ("affine", "rotate"):
        original = getattr(F, function)
        monkeypatch.setattr(
            F, function, lambda *given, original=original, **known: original(*given, **known | {"fill": fill})
        )
    ours, theirs = oracle(made(name, fill=fill), pictures())
    assert (ours != theirs).float().mean() < 2e-3
    ours, theirs = oracle(made(name, fill=fill / 255), as_float(pictures()))
    assert ours.dtype == torch.float32


@pytest.mark.parametrize("only", ["brightness", "contrast", "saturation", "hue", None])
def test_colours_equal_torchvision_but_for_rounding(only: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    given = NEEDED["ColorJitter"]
    transform = TRANSFORMS["ColorJitter"](**({only: given[only]} if only else given))
    adjust = [f"adjust_{name}" for name in given if only in (None, name)]
    monkeypatch.setitem(
        ORACLES,
        "ColorJitter",
        lambda image, order, factors: _chain(image, [(getattr(F, adjust[at]), float(factors[at])) for at in order]),
    )
    ours, theirs = oracle(transform, pictures())
    steps = 1 if only else 4
    assert ours.dtype == torch.uint8
    assert (ours.int() - theirs.int()).abs().max() <= steps + (4 if not only else 0)
    assert (ours.int() - theirs.int()).abs().float().mean() < 0.1
    ours, theirs = oracle(transform, as_float(pictures()))
    assert torch.allclose(ours, theirs, atol=1e-4)


def _chain(image: Tensor, functions: list[tuple[Callable[..., Tensor], float]]) -> Tensor:
    for function, factor in functions:
        image = function(image, factor)
    return image


def test_grey_images_have_neither_saturation_nor_hue() -> None:
    grey = pictures(channels=1)
    assert torch.equal(run(TRANSFORMS["ColorJitter"](saturation=0.5, hue=0.3), grey), grey)
    assert not torch.equal(run(TRANSFORMS["ColorJitter"](contrast=0.5), grey), grey)


@pytest.mark.parametrize("size", [(12, 15), (40, 33), (20, 24)])
def test_resized_crops_equal_torchvision_but_for_rounding(size: tuple[int, int]) -> None:
    images = pictures()
    transform = RandomResizedCrop(size)
    (boxes,) = transform.draw(Dice(3, CPU), images)
    theirs = torch.stack([F.resized_crop(image, *box.tolist(), [*size]) for image, box in zip(images, boxes)])
    ours = transform.apply(images, boxes)
    assert (ours.int() - theirs.int()).abs().max() <= 1
    floats = torch.stack([F.resized_crop(image, *box.tolist(), [*size]) for image, box in zip(images / 255, boxes)])
    assert torch.allclose(transform.apply(images / 255, boxes), floats, atol=1e-5)


def test_a_single_crop_is_torchvisions() -> None:
    picture = pictures(1, 3, 50, 70)[0]
    transform = RandomResizedCrop(16)
    (boxes,) = transform.draw(Dice(9, CPU), picture[None])
    expected = F.resized_crop(picture, *boxes[0].tolist(), [16, 16])
    assert torch.equal(transform.single(picture, Dice(9, CPU)), expected)


@pytest.mark.parametrize("size", [10, 33, (12, 30), (20, 24)])
def test_resizing_a_batch_equals_resizing_each(size: int | tuple[int, int]) -> None:
    images = pictures()
    resize = v2.Compose([v2.Resize(size), v2.CenterCrop(size)])
    assert torch.equal(Resize(size).apply(images), torch.stack([resize(image) for image in images]))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("padding", [3, (3,), (1, 2), (1, 2, 3, 4)])
def test_padding_is_read_as_torchvision_reads_it(mode: str, padding: Any) -> None:
    images = pictures()
    given = padding if isinstance(padding, int) else [*padding]
    assert torch.equal(made("Pad", padding=padding, padding_mode=mode).apply(images), F.pad(images, given, 7, mode))
    crop = RandomCrop(20, padding, 9, mode)
    (corners,) = crop.draw(Dice(0, CPU), images)
    expected = [F.crop(F.pad(image, given, 9, mode), *at.tolist(), 20, 20) for image, at in zip(images, corners)]
    assert torch.equal(crop.apply(images, corners), torch.stack(expected))


def test_a_crop_that_does_not_fit_says_so() -> None:
    with pytest.raises(ValueError, match=r"a crop of \[32, 32\] is larger than the image, \[24, 28\]"):
        RandomCrop(32, padding=2).draw(Dice(0, CPU), pictures())


# Random numbers


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_and_images_stay_as_they_are(name: str) -> None:
    images = pictures()
    before = images.clone()
    results = [run(made(name), images, seed) for seed in (1, 1, 2)]
    assert torch.equal(results[0], results[1]) and torch.equal(images, before)
    assert torch.equal(results[0], results[2]) != TABLE[name].random


@pytest.mark.parametrize("name", [name for name in NAMES if TABLE[name].random])
def test_samples_of_a_batch_have_numbers_of_their_own(name: str) -> None:
    result = run(made(name), pictures(1).expand(32, -1, -1, -1))
    assert len(result.flatten(1).unique(dim=0)) >= 2


def test_seeds_that_differ_in_their_upper_bits_differ() -> None:
    first, second = (Dice(seed, CPU).uniform(4) for seed in (7, 7 + (1 << 32)))
    assert not torch.equal(first, second)


def test_torchs_own_random_numbers_are_left_alone() -> None:
    state = torch.get_rng_state()
    for name in NAMES:
        run(made(name), pictures(4))
    assert torch.equal(torch.get_rng_state(), state)


MANY = torch.zeros(4000, 3, 20, 24, dtype=torch.uint8)


@pytest.mark.parametrize("name", ["RandomHorizontalFlip", "RandomVerticalFlip", "RandomInvert", "RandomGrayscale"])
@pytest.mark.parametrize("p", [0, 0.2, 1])
def test_chances(name: str, p: float) -> None:
    (chosen,) = made(name, p=p).draw(Dice(0, CPU), MANY)
    assert chosen.float().mean().item() == pytest.approx(p, abs=0.02 if 0 < p < 1 else 0)


def test_crops_are_anywhere_alike() -> None:
    (corners,) = RandomCrop(18, padding=1).draw(Dice(0, CPU), MANY)
    for axis, room in enumerate((20 + 2 - 18, 24 + 2 - 18)):
        counts = corners[:, axis].bincount(minlength=room + 1) / len(MANY)
        assert torch.allclose(counts, torch.full((room + 1,), 1 / (room + 1)), atol=0.03)


def moments(boxes: Tensor) -> Tensor:
    """Means over boxes (top, left, height, width)."""
    top, left, height, width = boxes.double().unbind(1)
    return torch.stack([(height * width).mean(), (width / height).log().mean(), top.mean(), left.mean()])


def theirs(transform: Any, names: str) -> Iterator[list[int]]:
    torch.manual_seed(0)
    for _ in range(1500):
        drawn = transform.make_params([MANY[0]])
        yield [drawn[name] for name in names.split()]


def test_resized_crops_are_drawn_as_torchvision_draws() -> None:
    (boxes,) = RandomResizedCrop(8).draw(Dice(0, CPU), MANY)
    expected = torch.tensor([*theirs(v2.RandomResizedCrop(8), "top left height width")])
    assert torch.allclose(moments(boxes), moments(expected), rtol=0.05, atol=0.03)
    assert (
        (boxes[:, :2] >= 0).all()
        and (boxes[:, 0] + boxes[:, 2] <= 20).all()
        and (boxes[:, 1] + boxes[:, 3] <= 24).all()
    )


@pytest.mark.parametrize("shape", [(4, 40), (40, 4), (20, 20)])
def test_where_no_crop_fits_it_is_the_middle_as_in_torchvision(shape: tuple[int, int]) -> None:
    picture = torch.zeros(1, 3, *shape, dtype=torch.uint8)
    (boxes,) = RandomResizedCrop(8, scale=(2.0, 2.0)).draw(Dice(0, CPU), picture)
    drawn = v2.RandomResizedCrop(8, scale=(2.0, 2.0)).make_params([picture])
    assert boxes[0].tolist() == [drawn[name] for name in ("top", "left", "height", "width")]


def test_what_is_erased_is_drawn_as_torchvision_draws() -> None:
    (boxes,) = RandomErasing(p=1).draw(Dice(0, CPU), MANY)
    expected = torch.tensor([*theirs(v2.RandomErasing(p=1), "i j h w")])
    assert torch.allclose(moments(boxes), moments(expected), rtol=0.06, atol=0.06)
    (half,) = RandomErasing(p=0.5).draw(Dice(0, CPU), MANY)
    assert (half[:, 2] > 0).float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_angles_shifts_and_factors_are_within_their_ranges() -> None:
    (angle,) = RandomRotation(30).draw(Dice(0, CPU), MANY)
    assert angle.min() >= -30 and angle.max() <= 30 and abs(angle.mean()) < 1 and angle.std() > 16
    (angle,) = RandomRotation((10, 20)).draw(Dice(0, CPU), MANY)
    assert angle.min() >= 10 and angle.max() <= 20
    angle, shift, scale, shear = RandomAffine(0, (0.5, 0.1), (0.5, 2), (-3, 3, 10, 20)).draw(Dice(0, CPU), MANY)
    assert not angle.any() and shift[:, 0].abs().max() == 12 and shift[:, 1].abs().max() == 2
    assert scale.min() >= 0.5 and scale.max() <= 2 and scale.mean().item() == pytest.approx(1.25, abs=0.05)
    assert shear[:, 0].abs().max() <= 3 and shear[:, 1].min() >= 10 and shear[:, 1].max() <= 20
    *_, shear = RandomAffine(0, shear=5).draw(Dice(0, CPU), MANY)
    assert shear[:, 0].abs().max() > 4 and not shear[:, 1].any()


def test_colours_change_in_every_order() -> None:
    order, factors = made("ColorJitter").draw(Dice(0, CPU), MANY)
    assert len(order.unique(dim=0)) == 24
    for column, (low, high) in zip(factors.unbind(1), ((0.6, 1.4), (0.6, 1.4), (0.2, 1.5), (-0.3, 0.3))):
        assert low <= column.min() < low + 0.02 and high - 0.02 < column.max() <= high + 1e-6
    assert TRANSFORMS["ColorJitter"](brightness=1.5).draw(Dice(0, CPU), MANY)[1].min() >= 0


def test_noise_is_normal() -> None:
    grey = torch.full((64, 1, 32, 32), 0.5)
    noise = run(made("GaussianNoise", mean=0.05, sigma=0.1), grey) - grey
    assert noise.mean().item() == pytest.approx(0.05, abs=2e-3) and noise.std().item() == pytest.approx(0.1, abs=2e-3)


def test_ratios_are_even_in_their_logarithm() -> None:
    (boxes,) = RandomResizedCrop(8, scale=(0.2, 0.3), ratio=(0.5, 2.0)).draw(
        Dice(0, CPU), torch.zeros(4000, 1, 200, 200)
    )
    ratio = boxes[:, 3] / boxes[:, 2]
    assert ratio.log().mean().abs() < 0.03 and ratio.min() > exp(-0.72) and ratio.max() < exp(0.72)


# Labels of pixels


MOVING = [
    "RandomHorizontalFlip",
    "RandomVerticalFlip",
    "RandomCrop",
    "CenterCrop",
    "Pad",
    "RandomRotation",
    "RandomAffine",
]


@pytest.mark.parametrize("name", MOVING)
def test_labels_of_pixels_go_where_the_pixels_go(name: str) -> None:
    labels = pictures(channels=1)[:, 0].long() % 5
    images = labels[:, None].byte()
    filled = {"fill": 0} if "fill" in {field.name for field in fields_of(name)} else {}
    moved_images, moved_labels = made(name, **filled)(images, labels, Dice(3, CPU))
    assert moved_labels.dtype == torch.int64 and torch.equal(moved_images[:, 0].long(), moved_labels)
    if filled:
        other = made(name, fill=90)(images, labels, Dice(3, CPU))
        assert other[0].max() == 90 and torch.equal(other[1], moved_labels)


def test_labels_of_pixels_are_not_mixed_when_resized() -> None:
    labels = pictures(channels=1)[:, 0].long() % 3 * 10
    for transform in (RandomResizedCrop(12), Resize(12), Resize((30, 31))):
        _, resized = transform(labels[:, None].byte(), labels, Dice(3, CPU))
        assert set(resized.unique().tolist()) <= {0, 10, 20}
    crop = RandomResizedCrop((12, 15))
    (boxes,) = crop.draw(Dice(3, CPU), labels[:, None])
    expected = [
        F.resized_crop(label[None].byte(), *box.tolist(), [12, 15], interpolation=InterpolationMode.NEAREST)[0]
        for label, box in zip(labels, boxes)
    ]
    _, resized = crop(labels[:, None].byte(), labels, Dice(3, CPU))
    assert torch.equal(resized, torch.stack(expected).long())


def test_colours_leave_labels_of_pixels_alone() -> None:
    labels = pictures(channels=1)[:, 0].long()
    for name in set(NAMES) - {*MOVING, "RandomResizedCrop"}:
        images = as_float(pictures()) if made(name).floats else pictures()
        assert made(name)(images, labels, Dice(3, CPU))[1] is labels
