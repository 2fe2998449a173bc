"""Base fields as cached features, so that fine-tuning can replay them without their pictures.

The early half of the net is frozen when a study fine-tunes. What it makes of the base fields is
kept in the bundle (8 bits a value), with their counts and marks: only replay keeps a model from
forgetting (arXiv 2407.21216), and the pictures themselves may not travel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ml.optics import Floats

# Share of a feature's values that 8 bits span; the few larger ones are cut off.
SPAN = 0.9995


@dataclass(frozen=True)
class Example:
    """A field as the late half of the net sees it: features [c, h, w] (float16 or float32),
    points [n, 3] of type index and x, y in map pixels, counts and masks [types].
    """

    features: NDArray[Any]
    points: Floats
    counts: Floats
    known: NDArray[np.bool_]
    marked: NDArray[np.bool_]
    log_scale: float

    def widened(self, types: int) -> Example:
        """Return it for more types; the added ones are not known here."""
        more = types - len(self.counts)
        return Example(
            self.features,
            self.points,
            np.pad(self.counts, (0, more)),
            np.pad(self.known, (0, more)),
            np.pad(self.marked, (0, more)),
            self.log_scale,
        )


def save(examples: Sequence[Example], path: Path) -> None:
    """Write examples with 8 bits a feature value; all must have the same channels and types."""
    channels = examples[0].features.shape[0]
    flat = np.concatenate([e.features.reshape(channels, -1) for e in examples], axis=1)
    top = np.maximum(np.quantile(flat.astype(np.float32), SPAN, axis=1), 1e-6)
    levels = np.clip(np.rint(flat / top[:, None] * 255.0), 0, 255).astype(np.uint8)
    points = [
        np.column_stack([np.full(len(e.points), i, dtype=np.float32), e.points])
        for i, e in enumerate(examples)
    ]
    save_file(
        {
            "levels": np.ascontiguousarray(levels),
            "top": top.astype(np.float32),
            "shapes": np.array([e.features.shape[1:] for e in examples], dtype=np.int32),
            "points": np.concatenate(points).astype(np.float32),
            "counts": np.stack([e.counts for e in examples]).astype(np.float32),
            "known": np.stack([e.known for e in examples]).astype(np.uint8),
            "marked": np.stack([e.marked for e in examples]).astype(np.uint8),
            "log_scale": np.array([e.log_scale for e in examples], dtype=np.float32),
        },
        path,
    )


def load(path: Path) -> list[Example]:
    """Read what `save` wrote; features come as float16.

    Raises:
        ValueError: the file is damaged; the message is a sentence.
        OSError: it cannot be read.
    """
    try:
        data = load_file(path)
        examples = []
        start = 0
        for i, (height, width) in enumerate(data["shapes"].tolist()):
            part = data["levels"][:, start : start + height * width]
            start += height * width
            features = part.astype(np.float32) * (data["top"][:, None] / 255.0)
            examples.append(
                Example(
                    features.reshape(-1, height, width).astype(np.float16),
                    data["points"][data["points"][:, 0] == i][:, 1:],
                    data["counts"][i],
                    data["known"][i].astype(bool),
                    data["marked"][i].astype(bool),
                    float(data["log_scale"][i]),
                )
            )
    except (SafetensorError, KeyError):
        raise ValueError(f"{path} is damaged.") from None
    return examples
