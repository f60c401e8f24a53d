"""``cnndsl.from_module`` and its parts beside torch's own ways to trace a module that is built already.

python benchmarks/importing.py
python benchmarks/importing.py --networks all --rounds 1   # torchvision's convolutional classifiers; 10 minutes
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial

from measure import ARCHS, Case, Question, main, prepared
from networks import INPUT, NETWORKS

#: Networks that have auxiliary heads, and initialise slowly.
WITH_HEADS = {"googlenet", "inception_v3"}


@cache
def module(network: str):  # type: ignore[no-untyped-def]
    """A network of torchvision with random weights, as the peers and cnndsl get it."""
    import torch
    import torchvision

    torch.set_num_threads(1)
    options = {"aux_logits": False, "init_weights": False} if network in WITH_HEADS else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torchvision.models.get_model(network, weights=None, **options).eval()


def imported(network: str, prove: bool) -> Callable[[], object]:
    from cnndsl import from_module

    return partial(from_module, module(network), INPUT[1:], prove=prove)


def recorded(network: str) -> Callable[[], object]:
    from cnndsl.importing.trace import trace

    return partial(trace, module(network), {"x": INPUT[1:]})


def proved(network: str) -> Callable[[], object]:
    from cnndsl import from_module
    from cnndsl.importing.proof import prove

    text = from_module(module(network), INPUT[1:], prove=False)
    return partial(prove, text, module(network), {"x": INPUT[1:]})


def scripted(network: str) -> Callable[[], object]:
    import torch

    warnings.simplefilter("ignore")  # it is deprecated
    return partial(torch.jit.trace, module(network), torch.rand(INPUT), check_trace=False)


def symbolic(network: str) -> Callable[[], object]:
    from torch.fx import symbolic_trace

    return partial(symbolic_trace, module(network))


def exported(network: str) -> Callable[[], object]:
    import torch

    return partial(torch.export.export, module(network), (torch.rand(INPUT),))


def cases(asked: argparse.Namespace) -> Iterator[Case]:
    names = sorted(path.stem for path in (ARCHS / "torchvision").glob("*.yaml") if not path.stem.endswith("_aux"))
    for network in names if asked.networks == "all" else asked.networks.split(","):
        contestants = {
            "cnndsl": partial(imported, network, prove=False),
            "its trace alone": partial(recorded, network),
            "its proof alone": partial(proved, network),
            "jit.trace": partial(scripted, network),
            "fx": partial(symbolic, network),
            "torch.export": partial(exported, network),
        }
        yield Case((network,), {name: prepared(make) for name, make in contestants.items()}, rivals=False)
        module.cache_clear()


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--networks", default=",".join(NETWORKS), help="Names with commas between them, or all.")


QUESTION = Question(
    __file__,
    "A module becomes a spec",
    """`cnndsl.from_module(module, prove=False)`, from a module to the text of its spec, is compared with
    `torch.jit.trace`, without the runs that check it, with `torch.fx.symbolic_trace` and with `torch.export.export`,
    which give graphs. The module is built already and gets a picture of 224 x 224. The proof, which runs the module
    and the spec's, is timed alone, and so is the first stage, the recording of the module's operations. One thread.""",
    ("network",),
    cases,
    rounds=3,
    packages=("torch", "torchvision"),
    options=options,
)

if __name__ == "__main__":
    main(QUESTION)
