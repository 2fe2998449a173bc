"""State of a training between two epochs, as safetensors and JSON: nothing is unpickled."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ml.data import BadData
from ml.files import put_back, read_json, whole_folder, write_json


class Average:
    """Exponential moving average of a net's weights and buffers: steadier than the last step."""

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in net.state_dict().items()}
        self.steps = 0

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Take one step of the net in; the first steps count more, so that the start is forgot."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value, 1.0 - decay)
            else:
                self.state[name].copy_(value)


def save(
    folder: Path,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average,
    epoch: int,
    stamp: Mapping[str, Any],
) -> None:
    """Write all that a training needs to go on after `epoch` epochs; `stamp` tells it apart."""
    tensors: dict[str, Tensor] = {f"net.{k}": v for k, v in net.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{k}": v for k, v in state.items()}
    plain = {name: value.contiguous().clone() for name, value in tensors.items()}
    with whole_folder(folder) as part:
        save_file(plain, part / "state.safetensors")
        told = {"epoch": epoch, "steps": average.steps, "stamp": dict(stamp)}
        write_json(part / "progress.json", told)


def refuse_diverged(total: float, epoch: int) -> None:
    """Refuse to keep an epoch (counted from 1) whose losses do not sum to a number.

    Raises:
        BadData: they do not.
    """
    if not math.isfinite(total):
        raise BadData(
            f"The loss is no number any more in epoch {epoch}: the weights ran away. Begin with "
            "others (--start, --weights, --seed), or normalize otherwise (--norm)."
        )


def refuse_other(folder: Path, stamp: Mapping[str, Any]) -> None:
    """Refuse a folder that holds the state of a training with another stamp: it would be lost.

    Raises:
        BadData: it does; the sentence says what differs.
    """
    if words := difference(folder, stamp):
        raise BadData(
            f"{folder} holds a training with other settings ({words}). Name another --out, or "
            "remove that folder to begin anew."
        )


def difference(folder: Path, stamp: Mapping[str, Any]) -> str:
    """Say how the stamp of a saved state differs from this one; "" where it does not, or where
    there is none.
    """
    put_back(folder)
    try:
        saved = dict(read_json(folder / "progress.json")["stamp"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    now = _plain(stamp)
    words = []
    for name in {**saved, **now}:
        before, here = saved.get(name), now.get(name)
        if before != here:
            long = isinstance(before, dict | list) or isinstance(here, dict | list)
            words.append(name if long else f"{name} {before!r}, not {here!r}")
    return ", ".join(words)


def _plain(stamp: Mapping[str, Any]) -> dict[str, Any]:
    """Return a stamp as it comes out of JSON."""
    return dict(json.loads(json.dumps(dict(stamp))))


def load(
    folder: Path,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    average: Average,
    stamp: Mapping[str, Any],
) -> int:
    """Put a saved state back and return how many epochs it holds.

    Returns 0 and changes nothing where there is none, or it is of another training or version.
    """
    put_back(folder)
    try:
        progress = read_json(folder / "progress.json")
        tensors = load_file(folder / "state.safetensors")
    except (OSError, ValueError, SafetensorError):
        return 0
    if progress.get("stamp") != _plain(stamp):
        return 0
    parts: dict[str, dict[str, Tensor]] = {"net": {}, "average": {}}
    states: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        kind, name = key.split(".", 1)
        if kind == "optimizer":
            index, name = name.split(".", 1)
            states.setdefault(int(index), {})[name] = value
        else:
            parts[kind][name] = value
    shapes = {name: value.shape for name, value in net.state_dict().items()}
    if any({k: v.shape for k, v in part.items()} != shapes for part in parts.values()):
        return 0
    net.load_state_dict(parts["net"])
    average.state = {k: v.to(average.state[k].device) for k, v in parts["average"].items()}
    average.steps = int(progress["steps"])
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": states, "param_groups": groups})
    return int(progress["epoch"])
