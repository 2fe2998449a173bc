"""The networks: a backbone turns a picture into features, a head turns features into counts.

Backbones and heads are looked up by name in `NETS` and `HEADS`, so that a bundle's config says
which it was made with. A backbone has two halves: `early` (frozen when a study fine-tunes, its
features cached) and `late`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import NetConfig

# Pixels of the picture per map pixel, and what the picture's sides must be multiples of.
STRIDE = 8
MULTIPLE = 16
# Sum pooling adds up every map pixel: the empty ones must start near zero, or a field begins
# with dozens of cells. softplus(-5) = 0.007.
EMPTY_MAP_BIAS = -5.0
# Weight of a map pixel without red cells in the mean of the scale map: keeps the mean defined.
SCALE_FLOOR = 1e-3


class ConvNorm(nn.Module):
    """3x3 convolution and batch norm; `fold` merges the norm into the convolution."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.norm: nn.BatchNorm2d | None = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, and normalize until folded."""
        y: Tensor = self.conv(x)
        return y if self.norm is None else self.norm(y)

    @torch.no_grad()
    def fold(self) -> None:
        """Fix the norm at its running statistics: what is left is one plain convolution."""
        norm = self.norm
        if norm is None:
            return
        assert norm.running_mean is not None
        assert norm.running_var is not None
        assert self.conv.bias is not None
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        self.conv.weight.mul_(gain[:, None, None, None])
        self.conv.bias.copy_((self.conv.bias - norm.running_mean) * gain + norm.bias)
        self.norm = None


class Block(nn.Module):
    """Two convolutions beside a shortcut (He et al. 2016, basic block)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels)
        self.second = ConvNorm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Add what two convolutions make of the features to them."""
        y = F.relu(self.first(x), inplace=True)
        return F.relu(x + self.second(y), inplace=True)


class HemaNet(nn.Module):
    """The light residual net: features at 1/8 of the picture with context from 1/16.

    `early` takes [n, 3, h, w] (h and w multiples of MULTIPLE) to [n, widths[2], h/8, w/8], `late`
    takes that to [n, out_channels, h/8, w/8].
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        stem, quarter, eighth, sixteenth = widths
        self.early_channels = eighth
        self.out_channels = eighth
        self.stem = ConvNorm(3, stem, kernel=5, stride=2)
        self.down4 = ConvNorm(stem, quarter, stride=2)
        self.block4 = Block(quarter)
        self.down8 = ConvNorm(quarter, eighth, stride=2)
        self.block8 = nn.Sequential(Block(eighth), Block(eighth))
        self.down16 = ConvNorm(eighth, sixteenth, stride=2)
        self.block16 = nn.Sequential(Block(sixteenth), Block(sixteenth))
        self.up = ConvNorm(sixteenth, eighth, kernel=1)
        self.merge = Block(eighth)

    def early(self, x: Tensor) -> Tensor:
        """Turn pictures into the features that fine-tuning caches."""
        x = F.relu(self.stem(x), inplace=True)
        x = self.block4(F.relu(self.down4(x), inplace=True))
        return self.block8(F.relu(self.down8(x), inplace=True))  # type: ignore[no-any-return]

    def late(self, x: Tensor) -> Tensor:
        """Turn cached features into those the head reads."""
        deep = self.block16(F.relu(self.down16(x), inplace=True))
        wide = F.interpolate(self.up(deep), size=x.shape[-2:], mode="nearest")
        return self.merge(F.relu(x + wide, inplace=True))  # type: ignore[no-any-return]

    def late_parts(self) -> list[nn.Module]:
        """Return the modules `late` is made of."""
        return [self.down16, self.block16, self.up, self.merge]


@dataclass(frozen=True)
class Output:
    """What a net says of n pictures: counts [n, types], maps [n, types, h, w] that sum to them,
    and log2 of (red cell width / the width the net works at) [n].
    """

    counts: Tensor
    maps: Tensor
    scale: Tensor


class MapHead(nn.Module):
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

    @torch.no_grad()
    def widen(self, types: int) -> None:
        """Add channels for new cell types at the end; the others keep their weights."""
        old = self.cells
        new = nn.Conv2d(old.in_channels, types, 1)
        nn.init.zeros_(new.weight)
        nn.init.constant_(new.bias, EMPTY_MAP_BIAS)  # type: ignore[arg-type]
        new.weight[: old.out_channels] = old.weight
        assert new.bias is not None
        assert old.bias is not None
        new.bias[: old.out_channels] = old.bias
        self.cells = new


NETS: dict[str, Callable[[tuple[int, ...]], HemaNet]] = {"hemanet": HemaNet}
HEADS: dict[str, Callable[[int, int], MapHead]] = {"map": MapHead}


class Counter(nn.Module):
    """A backbone with a head."""

    def __init__(self, config: NetConfig, types: int) -> None:
        super().__init__()
        self.backbone = NETS[config.name](config.widths)
        self.head = HEADS[config.head](self.backbone.out_channels, types)

    def forward(self, pictures: Tensor) -> Output:
        """Count in [n, 3, h, w] optical densities; h and w multiples of MULTIPLE."""
        return self.late(self.backbone.early(pictures))

    def late(self, features: Tensor) -> Output:
        """Count from the features of `backbone.early`."""
        output: Output = self.head(self.backbone.late(features))
        return output

    def channels_last(self) -> Counter:
        """Lay weights out as the processor's convolutions like them; returns itself."""
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    def fold(self) -> Counter:
        """Merge all norms into their convolutions; returns itself."""
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()
        return self
