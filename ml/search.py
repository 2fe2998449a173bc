"""Find how wide red cells are in a picture, from nothing but the picture.

A net that sees cells too small says so with certainty; seeing them too large, it knows little:
parts of large cells look like small ones. So the search begins with cells taken to be as wide as
the picture and goes on by half octaves to ever narrower ones, looking at a few small places, until
the net stops saying "too small": there the width is read off. It costs as much as a few looks at a
whole field (0.03 to 0.4 s on one core): little beside one needless look at a large picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from ml import peaks
from ml.config import InputConfig
from ml.heads import MapHead
from ml.nets import Counter
from ml.optics import Floats, density

# A picture of fewer pixels may show two cells, one of more may show thousands: neither tells by
# its size how wide they are. Between them lie the fields of a usual camera.
SMALL = 256 * 256
LARGE = 1_000_000
# Places looked at, their side in the net's pixels, and the grid they are picked from.
PLACES = 4
SIDE = 192
GRID = 4
# Widths tried: from a share of the picture's side down to a number of pixels, in steps of log2.
WIDEST = 0.8
NARROWEST = 8.0
STEP = 0.5
# What follows was read off training fields and drawn ones, tiled, cut and zoomed.
# The scale head says this (log2) of cells that are as wide as the net wants them; the shipped net,
# as median, -0.10 of 23 BCCD training fields, 0.00 of 24 PBC ones (found 13 % too wide) and 0.11 of
# 10 drawn ones (32 %). Counts hardly mind: see docs/doubt.md.
LEVEL = -0.1
# Less than this much of a cell on a map pixel is no cell, and so much of one on all the maps
# together is too little to read a width from.
FAINT = 0.02
LEAST = 0.4
# What the strongest places hold (`peaks.strongest`) just before and just after the right width,
# together: the least to take it at all, and what no wrong width has shown, to stop there.
PLAUSIBLE = 1.5
CERTAIN = 1.85


@dataclass(frozen=True)
class Reading:
    """What the net says with cells taken to be 2 ** `log_width` pixels wide.

    off: log2 of how much wider it finds them, NaN where it sees none. strength: how much of a cell
    the strongest place holds; near 1 where cells are seen as such.
    """

    log_width: float
    off: float
    strength: float


def unusual(size: tuple[int, int]) -> bool:
    """Whether a picture's width and height say nothing of how wide cells are in it."""
    return not SMALL <= size[0] * size[1] <= LARGE


@torch.inference_mode()
def cell_width(
    net: Counter, image: Image.Image, light: Floats, config: InputConfig
) -> float | None:
    """Return the width of red cells in pixels of the image, None where no cells are found."""
    if not isinstance(net.head, MapHead):
        return None
    places = _places(image)
    log_width = math.log2(max(WIDEST * math.sqrt(image.width * image.height), NARROWEST))
    before, best, found = None, PLAUSIBLE, None
    while log_width >= math.log2(NARROWEST):
        here = _read(net, _parts(image, light, places, 2.0**log_width, config), log_width)
        if here.off >= LEVEL:
            # Right from the start on, the cells may be wider still; the first step has no other.
            one = here if before is None else before
            if before is None or one.off < LEVEL:
                strength = one.strength + here.strength
                if strength >= best:
                    best, found = strength, _between(one, here)
                if before is not None and strength >= CERTAIN:
                    break
        before, log_width = here, log_width - STEP
    return None if found is None else 2.0**found


def _between(before: Reading, here: Reading) -> float:
    """Return the log width at which a line through two readings passes LEVEL."""
    if before is here:
        return here.log_width + here.off
    share = (LEVEL - before.off) / (here.off - before.off)
    return before.log_width + share * (here.log_width - before.log_width)


def _places(image: Image.Image) -> list[tuple[float, float]]:
    """Return middles (x, y, as shares of the sides) of the darkest parts: where cells are."""
    grid = image.resize((GRID, GRID), Image.Resampling.BOX, reducing_gap=1.0)
    dark = np.argsort(np.asarray(grid, dtype=np.float32).sum(axis=2), axis=None, kind="stable")
    return [((k % GRID + 0.5) / GRID, (k // GRID + 0.5) / GRID) for k in dark[:PLACES].tolist()]


def _parts(
    image: Image.Image,
    light: Floats,
    places: list[tuple[float, float]],
    cell_px: float,
    config: InputConfig,
) -> NDArray[np.float32]:
    """Return densities [n, SIDE, SIDE, 3] of the places, cells `cell_px` wide brought to the net's
    width; a smaller picture lies on empty slide.
    """
    factor = config.cell_px / cell_px
    width, height = min(image.width, SIDE / factor), min(image.height, SIDE / factor)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    corners = {
        (
            min(max(0.0, x * image.width - width / 2), image.width - width),
            min(max(0.0, y * image.height - height / 2), image.height - height),
        )
        for x, y in places
    }
    parts = np.zeros((len(corners), SIDE, SIDE, 3), dtype=np.float32)
    for part, (left, top) in zip(parts, sorted(corners), strict=True):
        box = (left, top, left + width, top + height)
        # First by whole pixels: the widest look is at all of a large picture, and need not be fine.
        seen = image.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0)
        part[: size[1], : size[0]] = density(np.asarray(seen), light, config)
    return parts


def _read(net: Counter, parts: NDArray[np.float32], log_width: float) -> Reading:
    """Look at the places. Unlike `Output.scale`, empty slide has no say in the width."""
    assert isinstance(net.head, MapHead)
    pictures = torch.from_numpy(parts).permute(0, 3, 1, 2).to(net.device)
    features = net.backbone.late(net.backbone.early(pictures))
    red = net.head(features).maps[:, 0].cpu().numpy()
    sizes = net.head.size(features)[:, 0].cpu().numpy()
    weights = np.where(red > FAINT, red, 0.0)
    total = float(weights.sum())
    off = float((weights * sizes).sum()) / total if total > LEAST else math.nan
    return Reading(log_width, off, max(peaks.strongest(one) for one in red))
