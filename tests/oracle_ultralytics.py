"""Ultralytics' own networks of the tests' model files.

The package is under the AGPL and needs others, so the tests do without: what it made is recorded in
ultralytics_recorded.json. This records it anew, with ultralytics 8.4:

    pip install --no-deps --target /tmp/site ultralytics opencv-python-headless psutil requests polars matplotlib
    PYTHONPATH=.:/tmp/site YOLO_CONFIG_DIR=/tmp python tests/oracle_ultralytics.py
"""

from __future__ import annotations

import json
import math
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from ultralytics_files import CASES, Case

RECORDED = Path(__file__).with_name("ultralytics_recorded.json")
SIZE = 64


def filled(module: nn.Module) -> nn.Module:
    """With weights that are made from the names and need no random numbers."""
    for name, tensor in module.state_dict().items():
        if not tensor.is_floating_point():
            continue
        if name.endswith("dfl.conv.weight"):  # distances, which Ultralytics does not train
            tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape))
            continue
        wave = torch.sin(torch.arange(tensor.numel(), dtype=torch.float64) * 0.7 + len(name)).reshape(tensor.shape)
        fan = max(math.prod(tensor.shape[1:]), 1)
        size = 0.8 / math.sqrt(fan) if tensor.dim() > 1 else 0.3
        around = 1.0 if name.endswith(("running_var", "bn.weight")) else 0.0
        tensor.copy_((wave * size + around).float())
    return module.eval()


def figures(module: nn.Module, outputs: Any) -> dict[str, Any]:
    """What two equal networks have in common. ``outputs`` gives the tensors that a picture gives."""
    state = {name: [*tensor.shape] for name, tensor in module.state_dict().items()}
    picture = torch.sin(torch.arange(3 * SIZE * SIZE) * 0.01).reshape(1, 3, SIZE, SIZE)
    with torch.no_grad():
        found = outputs(filled(module), picture)
        with FlopCounterMode(display=False) as counter:
            module(picture)
    return {
        "params": sum(parameter.numel() for parameter in module.parameters()),
        "flops": counter.get_total_flops(),
        "state": sha256(json.dumps(sorted(state.items())).encode()).hexdigest()[:16],
        "outputs": [_summary(tensor) for tensor in found],
    }


def _summary(tensor: Tensor) -> dict[str, Any]:
    flat = tensor.double().flatten()
    wave = torch.sin(torch.arange(flat.numel(), dtype=torch.float64))
    return {"shape": [*tensor.shape], "mean": float(flat.abs().mean()), "wave": float((flat * wave).sum())}


def theirs(case: Case) -> dict[str, Any]:
    from ultralytics.nn import tasks  # not installed where the tests run

    classes = {"Classify": "Classification", "Segment": "Segmentation", "Pose": "Pose", "OBB": "OBB"}
    kind = next((name for word, name in classes.items() if f" {word}, [nc" in case.text), "Detection")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{case.stem}.yaml")
        path.write_text(case.text)
        model = getattr(tasks, f"{kind}Model")(str(path), verbose=False)
    return figures(model, _raw)


def _raw(model: nn.Module, picture: Tensor) -> list[Tensor]:
    """The outputs of the convolutions, as our specs have them."""
    _, raw = model(picture)
    if isinstance(raw, Tensor):
        return [raw]
    distances = model.model[-1].dfl
    if "one2one" in raw:
        many, one = raw["one2many"], raw["one2one"]
        return [many["boxes"], many["scores"], distances(one["boxes"]), one["scores"]]
    more = [raw[name] for name in ("mask_coefficient", "proto", "kpts") if name in raw]
    if "angle" in raw:
        more = [torch.logit(raw["angle"] / math.pi + 0.25)]
    return [distances(raw["boxes"]), raw["scores"], *more]


if __name__ == "__main__":
    recorded = {case.stem: theirs(case) for case in CASES}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in recorded.items())
    RECORDED.write_text(f"{{\n{lines}\n}}\n")
