"""What the net learns from: batches of views with their maps, and the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ml.augment import Area, View
from ml.heads import Output
from ml.optics import Floats

# Standard deviation of a mark's kernel in map pixels: narrow enough that two platelets side by
# side stay two peaks, wide enough that a mark half a map pixel off costs little.
SIGMA = 0.8
# Red cells are many (medians of a BCCD field: 24, 1, 1); the others would drown without more
# weight. Those of the first trial on the training fields, kept since.
TYPE_WEIGHTS = {"RBC": 1.0, "WBC": 6.0, "PLT": 8.0}
# A study's own types are taken to be as rare as white cells.
NEW_TYPE_WEIGHT = 6.0
# Of a field's map beside its count and its scale: a map pixel off by the height of one cell on it
# (0.25 at `SIGMA`) costs as much as a count off by one, 0.25.
MAP_WEIGHT = 4.0
# Chosen by hand with the weights above, kept since.
COUNT_WEIGHT = 0.5
SCALE_WEIGHT = 1.0


@dataclass(frozen=True)
class Batch:
    """n examples: inputs [n, c, h, w] (pictures or cached features), maps [n, t, h/8, w/8],
    counts [n, t], masks [n, t] of what is known and marked, log_scale [n] (NaN = not known).
    """

    inputs: Tensor
    maps: Tensor
    counts: Tensor
    known: Tensor
    marked: Tensor
    log_scale: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return it on another device."""
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def mark_map(
    points: Floats, types: int, height: int, width: int, stride: int, area: Area | None = None
) -> Floats:
    """Return [types, height, width]: per cell a Gaussian that sums to 1 inside the map.

    points is [n, 3] of type index, x, y in pixels of the picture; height and width are the map's.
    area: what of the picture shows the field (pixels). Nothing lies beyond it: a picture to count
    in ends there, and with it would end what a cell at the border had outside.
    """
    maps = np.zeros((types, height, width), dtype=np.float32)
    if not len(points):
        return maps
    left, top, right, bottom = area or (0.0, 0.0, width * stride, height * stride)
    across = _kernel(points[:, 1] / stride - 0.5, width, left / stride, right / stride)
    down = _kernel(points[:, 2] / stride - 0.5, height, top / stride, bottom / stride)
    for index in range(types):
        own = points[:, 0] == index
        maps[index] = down[own].T @ across[own]
    return maps


def _kernel(centers: NDArray[np.floating[Any]], length: int, first: float, last: float) -> Floats:
    """Return [n, length]: a Gaussian about each center that sums to 1 between `first` and `last`
    (all in map pixels).
    """
    places = np.arange(length, dtype=np.float32)[None, :]
    values = np.exp(-0.5 * ((places - centers[:, None]) / SIGMA) ** 2)
    values *= (places >= math.floor(first)) & (places < math.ceil(last))
    values /= np.maximum(values.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(values, dtype=np.float32)


def collate(views: Sequence[View], types: int, stride: int) -> Batch:
    """Make a batch of views of one size."""
    height, width = views[0].picture.shape[:2]
    rows, columns = height // stride, width // stride
    maps = [mark_map(v.points, types, rows, columns, stride, v.field) for v in views]
    pictures = np.stack([view.picture for view in views])
    return Batch(
        inputs=torch.from_numpy(pictures).permute(0, 3, 1, 2),
        maps=torch.from_numpy(np.stack(maps)),
        counts=torch.from_numpy(np.stack([view.counts for view in views])),
        known=_mask([view.known for view in views]),
        marked=_mask([view.marked for view in views]),
        log_scale=torch.tensor([view.log_scale for view in views], dtype=torch.float32),
    )


def _mask(rows: Sequence[NDArray[np.bool_]]) -> Tensor:
    return torch.from_numpy(np.stack(rows)).float()


def type_weights(types: Sequence[str]) -> Tensor:
    """Return the weight of each type's loss."""
    return torch.tensor([TYPE_WEIGHTS.get(code, NEW_TYPE_WEIGHT) for code in types])


def loss(output: Output, batch: Batch, weights: Tensor) -> Tensor:
    """Return the mean loss of a batch.

    Per known type the count's Huber loss (squared near 0, so that the zero-heavy platelets are
    not pulled down as by an absolute error), per marked type the map's squared error, and per
    field of known scale the error of its logarithm.
    """
    # Two cells off is where the loss goes straight: chosen by hand.
    count = F.huber_loss(output.counts, batch.counts, reduction="none", delta=2.0)
    spread = (output.maps - batch.maps).square().sum(dim=(2, 3))
    per_type = COUNT_WEIGHT * count * batch.known + MAP_WEIGHT * spread * batch.marked
    total = (per_type * weights).sum(dim=1).mean()
    sized = torch.isfinite(batch.log_scale)
    if sized.any():
        error = F.smooth_l1_loss(output.scale[sized], batch.log_scale[sized], beta=0.2)
        total = total + SCALE_WEIGHT * error
    return total
