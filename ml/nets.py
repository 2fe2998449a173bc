"""The networks: a backbone turns a picture into features, a head turns features into counts.

Backbones and heads are looked up by name, so that a bundle's config says which it was made with:
`hemanet` here, torchvision's in `ml.backbones`, heads in `ml.heads`. A backbone has two halves:
`early` (frozen when a study fine-tunes, its features cached) and `late`; both give features at 1/8
of the picture.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.config import NetConfig
from ml.heads import HEADS, Output

# Pixels of the picture per map pixel, and what the picture's sides must be multiples of.
STRIDE = 8
MULTIPLE = 16
# Channels that group normalization takes together (Wu and He 2018, table 3: 16 serve well).
GROUP = 16


class ConvNorm(nn.Module):
    """3x3 convolution and batch norm; `fold` merges the norm into the convolution."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.norm: nn.BatchNorm2d | nn.GroupNorm | None = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, and normalize until folded."""
        y: Tensor = self.conv(x)
        return y if self.norm is None else self.norm(y)

    @torch.no_grad()
    def fold(self) -> None:
        """Fix a batch norm at its running statistics: what is left is one plain convolution."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
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


class Backbone(nn.Module):
    """What a counter asks of a backbone: features [n, c, h/8, w/8] of pictures [n, 3, h, w], made
    in two halves.
    """

    early_channels: int
    out_channels: int

    def early(self, x: Tensor) -> Tensor:
        """Turn pictures into the features that fine-tuning caches."""
        raise NotImplementedError

    def late(self, x: Tensor) -> Tensor:
        """Turn cached features into those the head reads."""
        raise NotImplementedError

    def late_parts(self) -> list[nn.Module]:
        """Return the modules `late` is made of."""
        raise NotImplementedError

    def given(self) -> nn.Module:
        """Return the part whose norms may be kept as they came."""
        return self


class HemaNet(Backbone):
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


def make_backbone(config: NetConfig) -> Backbone:
    """Return the backbone that a config names.

    Raises:
        BadData: there is none of that name, or it cannot be cut where counting needs it.
    """
    if config.name == "hemanet":
        backbone: Backbone = HemaNet(config.widths)
    else:
        # torchvision is not needed to count with the net that is shipped, and takes its time.
        from ml.backbones import Pyramid

        backbone = Pyramid(config)
    if config.norm == "group":
        _group_norms(backbone)
    return backbone


def _group_norms(module: nn.Module) -> None:
    """Put group norms in the place of all batch norms."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            channels = child.num_features
            groups = channels // math.gcd(channels, GROUP)
            setattr(module, name, nn.GroupNorm(groups, channels))
        else:
            _group_norms(child)


def freeze_norms(module: nn.Module) -> None:
    """Keep all batch norms at the statistics they have while the rest trains."""
    for child in module.modules():
        if isinstance(child, nn.BatchNorm2d):
            child.eval()


class Counter(nn.Module):
    """A backbone with a head."""

    def __init__(self, config: NetConfig, types: int) -> None:
        super().__init__()
        self.backbone = make_backbone(config)
        self.head = HEADS[config.head](self.backbone.out_channels, types)
        self._frozen = config.norm == "frozen"

    def train(self, mode: bool = True) -> Counter:
        """Set training mode, in which frozen norms stay as they are."""
        super().train(mode)
        if self._frozen:
            freeze_norms(self.backbone.given())
        return self

    def forward(self, pictures: Tensor) -> Output:
        """Count in [n, 3, h, w] optical densities; h and w multiples of MULTIPLE."""
        return self.late(self.backbone.early(pictures))

    def late(self, features: Tensor) -> Output:
        """Count from the features of `backbone.early`."""
        output: Output = self.head(self.backbone.late(features))
        return output

    @property
    def device(self) -> torch.device:
        """Where its weights are, and pictures must be."""
        return self.head.cells.weight.device

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
