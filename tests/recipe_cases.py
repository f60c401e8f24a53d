"""An accepted and a refused call of every function that a recipe may name, as a recipe writes them.

The accepted one gives every argument a value that is not its default where that makes sense.
"""

from typing import NamedTuple


class Case(NamedTuple):
    accepted: str
    refused: str
    #: Words of the message.
    says: str
    #: Why it is refused where torch takes it.
    ours: str = ""


_NO_CHECK = "torch does not check, and what comes out is no training"

OPTIMIZERS = {
    "SGD": Case(
        "{lr: 0.9, momentum: 0.9, weight_decay: 0.0001, nesterov: true}", "{nesterov: true}", "`momentum` above 0"
    ),
    "Adam": Case(
        "[0.01, [0.8, 0.99], 0.000001, 0.1, true]", "{betas: [0.9, 1.0]}", "2 numbers, each of at least 0 and below 1"
    ),
    "AdamW": Case("{lr: 0.01, weight_decay: 0.05, amsgrad: true}", "{lr: -0.1}", "a number of at least 0"),
    "NAdam": Case("{momentum_decay: 0.01, decoupled_weight_decay: true}", "{momentum_decay: -1}", "at least 0"),
    "RAdam": Case("[0.01, [0.8, 0.99], 0, 0.1, true]", "{betas: 0.9}", "a list of 2 numbers"),
    "Adamax": Case("{lr: 0.01, eps: 0.001}", "{eps: -1}", "a number of at least 0"),
    "Adagrad": Case("[0.1, 0.01, 0.1, 0.1, 0.001]", "{lr_decay: -0.1}", "a number of at least 0"),
    "Adadelta": Case("[0.5, 0.95]", "{rho: 1.5}", "a number from 0 to 1"),
    "RMSprop": Case("{lr: 0.001, alpha: 0.9, momentum: 0.9, centered: true}", "{alpha: -0.1}", "from 0 to 1"),
    "Rprop": Case("{etas: [0.4, 1.3], step_sizes: [0.001, 1]}", "{etas: [0.5, 0.9]}", "got 0.5 and 0.9"),
    "ASGD": Case("[0.1, 0.001, 0.5, 100, 0.1]", "{weight_decay: -1}", "a number of at least 0"),
    "Adafactor": Case("[0.1, -0.5, [0.001, 0.01], 2, 0.1]", "{beta2_decay: 0.8}", "a number of at most 0"),
}

SCHEDULERS = {
    "StepLR": Case("{step_size: 2, gamma: 0.5}", "{}", "needs `step_size`"),
    "MultiStepLR": Case("[[2, 4], 0.5]", "{milestones: [4, 2]}", "must increase, got", "its documentation says so"),
    "ConstantLR": Case("{factor: 0.5, total_iters: 3}", "{factor: 1.5}", "a number above 0 and at most 1"),
    "LinearLR": Case("[0.1, 0.9, 3]", "{start_factor: 0}", "a number above 0 and at most 1"),
    "ExponentialLR": Case("0.9", "{gamma: -1}", "a number of at least 0", _NO_CHECK),
    "PolynomialLR": Case("{total_iters: 4, power: 2}", "{total_iters: 0}", "a positive integer", _NO_CHECK),
    "CosineAnnealingLR": Case("{T_max: 5, eta_min: 0.001}", "{T_max: 2.5}", "a positive integer", _NO_CHECK),
    "CosineAnnealingWarmRestarts": Case("[2, 2, 0.001]", "{T_0: 2, T_mult: 0}", "a positive integer"),
    "CyclicLR": Case(
        "{base_lr: 0.1, max_lr: 0.5, step_size_up: 3, step_size_down: 2, mode: exp_range, gamma: 0.9,"
        " cycle_momentum: true, base_momentum: 0.5, max_momentum: 0.8}",
        "{base_lr: 0.5, max_lr: 0.1}",
        "`base_lr` is 0.5, above `max_lr`, which is 0.1",
        _NO_CHECK,
    ),
    "OneCycleLR": Case(
        "{max_lr: 0.5, total_steps: 9, pct_start: 0.5, anneal_strategy: linear, base_momentum: 0.5,"
        " max_momentum: 0.8, div_factor: 10, final_div_factor: 100, three_phase: true}",
        "{max_lr: 0.5, epochs: 3}",
        "`epochs` and `steps_per_epoch` must be given together",
    ),
    "ReduceLROnPlateau": Case(
        "{factor: 0.5, patience: 0, threshold: 0.1, threshold_mode: abs, cooldown: 1, min_lr: 0.01, eps: 0.001}",
        "{factor: 1.0}",
        "a number of at least 0 and below 1",
    ),
    "SequentialLR": Case(
        "[[LinearLR: {total_iters: 2}, CosineAnnealingLR: 5], [2]]",
        "{schedulers: [LinearLR: {}, ExponentialLR: {gamma: 0.9}], milestones: [2, 4]}",
        "2 schedulers need 1 milestones",
    ),
    "ChainedScheduler": Case(
        "[LinearLR, ExponentialLR: 0.9]", "{schedulers: [ReduceLROnPlateau: {}]}", "is not a chainable scheduler"
    ),
}

LOSSES = {
    "CrossEntropyLoss": Case(
        "{weight: [1, 2, 0.5], ignore_index: 1, label_smoothing: 0.1}", "{label_smoothing: 1.5}", "from 0 to 1"
    ),
    "NLLLoss": Case("{weight: [1, 2, 0.5], ignore_index: 1}", "{weight: [-1, 1, 1]}", "of at least 0", _NO_CHECK),
    "MultiMarginLoss": Case("[2, 0.5, [1, 2, 0.5]]", "{p: 3}", "expects 1 or 2"),
}

_HALF = Case("0.25", "{p: 1.5}", "a number from 0 to 1")

TRANSFORMS = {
    "RandomHorizontalFlip": _HALF,
    "RandomVerticalFlip": _HALF,
    "RandomCrop": Case(
        "{size: [14, 12], padding: [1, 2], fill: 0.5, padding_mode: reflect}",
        "{size: 8, padding: [1, 2, 3]}",
        "1, 2 or 4",
    ),
    "RandomResizedCrop": Case("[8, [0.5, 1], [0.9, 1.1]]", "{size: 8, scale: 0.5}", "a list of 2 numbers"),
    "RandomRotation": Case(
        "{degrees: [-10, 20], fill: 1}", "{degrees: -10}", "a number from 0 to 360", "a full turn at most"
    ),
    "RandomAffine": Case(
        "{degrees: 10, translate: [0.1, 0.2], scale: [0.9, 1.1], shear: [-5, 5, -1, 1], fill: 0.5}",
        "{degrees: 10, translate: [0.1, 2]}",
        "each from 0 to 1",
    ),
    "ColorJitter": Case("[0.2, [0.5, 1.5], 0.3, [-0.1, 0.1]]", "{hue: 0.6}", "a number from 0 to 0.5"),
    "RandomGrayscale": _HALF,
    "RandomInvert": _HALF,
    "RandomErasing": Case("[1, [0.1, 0.2], [0.5, 2], 0.5]", "{scale: [0.5, 0.1]}", "the lower one first"),
    "GaussianNoise": Case("{mean: 0.1, sigma: 0.2}", "{sigma: -0.1}", "a number of at least 0"),
    "Normalize": Case(
        "[[0.5, 0.4, 0.3], [0.2, 0.2, 0.1]]",
        "{mean: [0.5, 0.5, 0.5], std: [1, 1]}",
        "`mean` has 3 numbers, `std` has 2",
    ),
    "Grayscale": Case("3", "{num_output_channels: 2}", "expects 1 or 3"),
    "CenterCrop": Case("[14, 12]", "{size: [1, 2, 3]}", "a list of 1 or 2"),
    "Pad": Case("[[1, 2, 3, 4], 0.5, edge]", "{padding: 1, padding_mode: zeros}", '"constant", "edge" or "reflect"'),
}

DATASETS = {
    **{
        name: Case("", "{root: data}", "has no argument `root`", "where data are is for the command line to say")
        for name in ("FashionMNIST", "MNIST", "KMNIST", "CIFAR10", "CIFAR100", "SVHN")
    },
    "ImageFolder": Case(
        "{root: pictures, test_fraction: 0.5}", "{root: pictures, test_fraction: 1}", "below 1", "ours"
    ),
    "Synthetic": Case("[64, 32, 0.5]", "{size: 0}", "a positive integer", "ours"),
}
