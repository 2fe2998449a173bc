"""The model bundle: a folder with config, weights, calibration, metrics and card.

`load` and `save` are its only reader and writer. Weights are safetensors, read as numpy arrays:
nothing here imports torch, nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ml.calibrate import Calibration
from ml.config import BundleConfig
from ml.files import read_json, whole_folder, write_bytes, write_json

Arrays = Mapping[str, NDArray[Any]]
BASE = Path(__file__).resolve().parent / "weights" / "base"


class BadBundle(ValueError):
    """A bundle cannot be used; the message is a sentence for the person who named it."""


@dataclass(frozen=True)
class Bundle:
    """A model as it lies in a folder; `replay` is the file of base features, if it has one."""

    config: BundleConfig
    weights: Arrays
    calibration: Calibration
    metrics: Mapping[str, Any]
    card: str
    replay: Path | None = None


def load(path: Path | str) -> Bundle:
    """Read a bundle.

    Raises:
        BadBundle: the folder or a file in it is missing or broken.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise BadBundle(f"There is no model bundle at {folder}.")
    try:
        config = BundleConfig.from_dict(read_json(folder / "config.json"))
        calibration = Calibration.from_dict(read_json(folder / "calibration.json"))
        missing = set(config.cell_types) - set(calibration.spreads)
        if missing:
            raise BadBundle(f"The bundle {folder} has no intervals for {', '.join(missing)}.")
        weights = load_file(folder / "weights.safetensors")
        if not all(np.isfinite(value).all() for value in weights.values()):
            raise BadBundle(f"The weights in {folder} are damaged.")
        replay = folder / "replay.safetensors"
        return Bundle(
            config=config,
            weights=weights,
            calibration=calibration,
            metrics=read_json(folder / "metrics.json"),
            card=(folder / "card.md").read_text(encoding="utf-8"),
            replay=replay if replay.is_file() else None,
        )
    except OSError as error:
        raise BadBundle(f"The bundle {folder} is not complete: {error}.") from None
    except SafetensorError:
        raise BadBundle(f"The weights in {folder} are damaged.") from None
    except ValueError as error:
        if isinstance(error, BadBundle):
            raise
        raise BadBundle(f"The bundle {folder} cannot be used: {error}") from None


def save(bundle: Bundle, path: Path | str) -> None:
    """Write a bundle; the folder appears whole or not at all, and replaces one that was there."""
    with whole_folder(Path(path)) as part:
        write_json(part / "config.json", bundle.config.to_dict())
        write_json(part / "metrics.json", dict(bundle.metrics))
        write_bytes(part / "card.md", bundle.card.encode())
        write_json(part / "calibration.json", bundle.calibration.to_dict())
        save_file(
            {name: np.ascontiguousarray(value) for name, value in bundle.weights.items()},
            part / "weights.safetensors",
        )
        if bundle.replay is not None:
            shutil.copyfile(bundle.replay, part / "replay.safetensors")


def digest(path: Path | str) -> str:
    """Return the SHA-256 over the bundle's files, by name and content.

    Raises:
        BadBundle: there is no bundle at `path`.
    """
    folder = Path(path)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    if not files:
        raise BadBundle(f"There is no model bundle at {folder}.")
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as content:
            inner = hashlib.file_digest(content, "sha256").hexdigest()
        total.update(f"{file.relative_to(folder).as_posix()} {inner}\n".encode())
    return total.hexdigest()
