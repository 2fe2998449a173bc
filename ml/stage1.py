"""What stage 1 leaves for stage 2: backbone weights, and how they came about.

A folder with backbone.safetensors and backbone.json. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ml.config import InputConfig, NetConfig
from ml.data import BadData
from ml.files import read_json, whole_folder, write_json
from ml.nets import Backbone

FORMAT = 1


def save(
    folder: Path, backbone: Backbone, net: NetConfig, scale: InputConfig, told: Mapping[str, Any]
) -> None:
    """Write the weights with the net's and the input's config and what is `told` of them."""
    tensors = {name: value.cpu().contiguous() for name, value in backbone.state_dict().items()}
    with whole_folder(folder) as part:
        save_file(tensors, part / "backbone.safetensors")
        config = {"format": FORMAT, "net": asdict(net), "input": asdict(scale)}
        write_json(part / "backbone.json", {**config, **told})


def read(folder: Path) -> dict[str, Any]:
    """Return what stage 1 tells of itself (backbone.json): net, input, settings, crops, metrics.

    folder: pretrain's, or the one inside it.

    Raises:
        BadData: the folder is not one that stage 1 wrote.
    """
    try:
        told = read_json(_inside(folder) / "backbone.json")
    except (OSError, ValueError):
        raise _no_backbone(folder) from None
    if told.get("format") != FORMAT:
        raise _no_backbone(folder)
    return told


def load_into(backbone: Backbone, net: NetConfig, folder: Path) -> None:
    """Give a backbone the weights of stage 1, from pretrain's folder or the one inside it.

    Raises:
        BadData: the folder is not one that stage 1 wrote, or it is of another backbone.
    """
    told = read(folder)
    try:
        weights = load_file(_inside(folder) / "backbone.safetensors")
    except (OSError, SafetensorError):
        raise _no_backbone(folder) from None
    try:
        backbone.load_state_dict(weights)
    except RuntimeError:
        raise BadData(
            f"{folder} holds a {told['net']['name']}, which does not fit the {net.name} to be "
            "trained. Pretrain one with the same --backbone and --norm."
        ) from None


def identity(folder: Path) -> dict[str, str]:
    """Return what tells the weights in a folder of stage 1 apart from others, for a stamp."""
    weights = (_inside(folder) / "backbone.safetensors").read_bytes()
    return {"sha256": hashlib.sha256(weights).hexdigest()}


def _inside(folder: Path) -> Path:
    return folder / "backbone" if (folder / "backbone").is_dir() else folder


def _no_backbone(folder: Path) -> BadData:
    return BadData(f"{folder} holds no backbone. Name a folder that `python -m ml pretrain` wrote.")


def load_imagenet(backbone: Backbone, net: NetConfig) -> None:
    """Give a backbone of torchvision the weights it was trained to on ImageNet.

    Raises:
        BadData: there are none for it, or they cannot be downloaded.
    """
    if net.name == "hemanet":
        raise BadData(
            "There are no ImageNet weights for hemanet. Name a backbone of torchvision "
            "(--backbone resnet18), or pretrain on cell crops."
        )
    from ml.backbones import Pyramid

    assert isinstance(backbone, Pyramid)
    backbone.load_imagenet(net.name)
