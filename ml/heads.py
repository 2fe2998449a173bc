"""Heads: what turns a backbone's features into counts, by name.

`map` sums a map of cells per pixel; `fc` is the paper's fully connected regressor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Sum pooling adds up every map pixel: the empty ones must start near zero, or a field begins
# with dozens of cells. softplus(-5) = 0.007.
EMPTY_MAP_BIAS = -5.0
# Weight of a map pixel without red cells in the mean of the scale map: keeps the mean defined.
SCALE_FLOOR = 1e-3
# Width of the fully connected regressor's hidden layer. Chosen by hand.
HIDDEN = 128


@dataclass(frozen=True)
class Output:
    """What a net says of n pictures: counts [n, types], maps [n, types, h, w] that sum to them,
    and log2 of (red cell width / the width the net works at) [n].
    """

    counts: Tensor
    maps: Tensor
    scale: Tensor


class Head(nn.Module):
    """Turns features into counts; `cells` is its last layer, with an output for each type."""

    cells: nn.Conv2d | nn.Linear

    @property
    def types(self) -> int:
        """How many cell types it counts."""
        return self.cells.weight.shape[0]

    @torch.no_grad()
    def widen(self, types: int) -> None:
        """Add outputs for new cell types at the end; the others keep their weights."""
        old = self.cells
        new: nn.Conv2d | nn.Linear
        if isinstance(old, nn.Conv2d):
            new = nn.Conv2d(old.in_channels, types, 1)
        else:
            new = nn.Linear(old.in_features, types)
        nn.init.zeros_(new.weight)
        nn.init.constant_(new.bias, EMPTY_MAP_BIAS)  # type: ignore[arg-type]
        new.weight[: old.weight.shape[0]] = old.weight
        assert new.bias is not None
        assert old.bias is not None
        new.bias[: old.weight.shape[0]] = old.bias
        self.cells = new


class MapHead(Head):
    """1x1 convolution -> softplus -> sum: a map of cells per pixel, and its sum as the count.

    Sum pooling makes the count add up over parts of a field, whatever its size (global sum
    pooling: Aich and Stavness, arXiv 1805.11123). Channel 0 must be the red cells: they weigh
    the map of cell sizes.
    """

    def __init__(self, channels: int, types: int) -> None:
        super().__init__()
        self.cells = nn.Conv2d(channels, types, 1)
        self.size = nn.Conv2d(channels, 1, 1)
        nn.init.normal_(self.cells.weight, std=0.01)
        nn.init.constant_(self.cells.bias, EMPTY_MAP_BIAS)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Output:
        """Count from features [n, c, h, w]."""
        # Thousands of small numbers are summed: bfloat16 would lose them.
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            maps = F.softplus(self.cells(features))
            weight = maps[:, :1].detach() + SCALE_FLOOR
            scale = (weight * self.size(features)).sum(dim=(1, 2, 3)) / weight.sum(dim=(1, 2, 3))
            return Output(maps.sum(dim=(2, 3)), maps, scale)


class FcHead(Head):
    """The paper's head: features averaged over the picture, then a fully connected regressor.

    An average says how crowded a picture is, not how many cells it holds: it cannot add up over
    parts, and is a count only where every picture shows the same area. So this head goes with
    `InputConfig.frame`: the whole picture is fitted into a square of fixed size, as a classifier's
    input is, and averaged together with the empty slide around it. It does not know where cells
    lie: its map spreads each count evenly.
    """

    def __init__(self, channels: int, types: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, HIDDEN)
        self.cells = nn.Linear(HIDDEN, types)
        self.size = nn.Linear(HIDDEN, 1)

    def forward(self, features: Tensor) -> Output:
        """Count from features [n, c, h, w]."""
        with torch.autocast(features.device.type, enabled=False):
            x = F.relu(self.hidden(features.float().mean(dim=(2, 3))))
            counts = F.softplus(self.cells(x))
            height, width = features.shape[-2:]
            even = counts[:, :, None, None] / (height * width)
            maps = even.expand(-1, -1, height, width)
            return Output(counts, maps, self.size(x)[:, 0])


HEADS: dict[str, Callable[[int, int], Head]] = {"map": MapHead, "fc": FcHead}
