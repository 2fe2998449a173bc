"""From a picture's light to the net's input: optical density over the empty slide.

A stain absorbs: light = lamp x e^-density (Beer-Lambert; natural logarithms here). Dividing by the
lamp's light takes white balance and exposure out of the picture, and an empty slide becomes 0,
which is also what convolutions pad with: beyond the border lies empty slide.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.config import InputConfig

Floats = NDArray[np.float32]
# The background is found on a picture of at most this many pixels a side.
PROBE_SIDE = 160
# The color of what is stained: of one row and column of pixels in so many, where the three
# densities together are above this (an unstained pixel has 0.1) in at least this share of them.
# Chosen by hand on training fields.
HUE_EVERY = 6
HUE_STAINED = 0.25
HUE_LEAST = 0.02
# Light over the slide is found in so many blocks each way, of as many places each way.
BLOCKS = 8
PLACES = 10
# Glass is the light part of a block, but not its lightest: cells' rims shine.
GLASS = (0.7, 0.95)
# Shade takes green and red alike, stain takes green: a block whose light part is greener by this
# much less (natural logarithm) than the greenest tenth of them is covered by cells. Chosen by hand
# on training fields, whole and with parts laid over by cells.
COVERED = 0.05
GREENEST = round(0.9 * (BLOCKS**2 - 1))
# With fewer blocks of glass than this nothing is known of the light.
FEWEST_BLOCKS = 16
# A block that is darker than the surface by this much (natural logarithm) counts for a third.
DARKER = 0.03
ROUNDS = 5
# Draws the surface toward even light where few blocks tell.
EVEN = 0.1
# Percentile of the light that is taken as the empty slide's, as `InputConfig.background`.
EMPTY = 0.92


def probe(image: Image.Image) -> Image.Image:
    """Return the picture with at most `PROBE_SIDE` pixels a side."""
    if max(image.size) <= PROBE_SIDE:
        return image
    share = PROBE_SIDE / max(image.size)
    size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)


def background(
    image: Image.Image, config: InputConfig, inside: NDArray[np.bool_] | None = None
) -> Floats:
    """Return the light of the empty slide, [3] for red, green, blue, 1 to 255.

    inside: which pixels of a picture no larger than its `probe` show the slide; None: all.
    """
    small = probe(image)
    mask = None if inside is None else Image.fromarray(inside)
    below = np.cumsum(np.reshape(small.histogram(mask), (3, 256)), axis=1)
    # The percentile lies between two values in order: at `rank`, counted from 0.
    rank = config.background / 100.0 * (below[0, -1] - 1)
    low, high = ((below <= place).sum(axis=1) for place in (math.floor(rank), math.ceil(rank)))
    light = low + (rank - math.floor(rank)) * (high - low)
    return np.asarray(np.maximum(light, 1.0), dtype=np.float32)


def density(pixels: NDArray[np.uint8], light: Floats, config: InputConfig) -> Floats:
    """Turn pixels [h, w, 3] (0 to 255) into optical densities [h, w, 3] (natural logarithm).

    Light below `config.floor` of the background counts as that much.
    """
    # Zero means less than one level: where the slide is as dark as that, nothing is told apart.
    levels = np.maximum(np.arange(256, dtype=np.float32), 1.0)[:, None] / light[None, :]
    table = -np.log(np.maximum(levels, config.floor)).astype(np.float32)
    out = np.empty(pixels.shape, dtype=np.float32)
    for channel in range(3):
        np.take(table[:, channel], pixels[..., channel], out=out[..., channel])
    return out


@dataclass(frozen=True)
class Lamp:
    """How evenly the empty slide is lit: the logarithm of its light as a quadratic in x and y, both
    from -1 to 1 over the picture, 0 where it is what `background` finds. `fall`: the share of the
    light that the darkest place lacks.

    terms: [6], those of 1, x, y, x^2, x y and y^2.
    """

    terms: NDArray[np.float64]
    fall: float

    def over(self, rows: int, columns: int) -> Floats:
        """Return the light [rows, columns] as a share of what `background` finds."""
        y = ((2.0 * np.arange(rows) + 1.0) / rows - 1.0)[:, None]
        x = ((2.0 * np.arange(columns) + 1.0) / columns - 1.0)[None, :]
        same, to_x, to_y, to_xx, to_xy, to_yy = self.terms
        logs = (to_x * x + to_xx * x * x) + (same + to_y * y + to_yy * y * y) + to_xy * y * x
        return np.asarray(np.exp(logs), dtype=np.float32)


def lamp(pixels: NDArray[np.uint8], inside: NDArray[np.bool_] | None = None) -> Lamp:
    """Find how evenly the empty slide is lit in a picture [h, w, 3]; even where too little of it
    is seen. inside [h, w]: what shows the slide; None: all.

    Fitted to the glass of blocks: those above the surface count in full, those below it, which
    cells may cover, ever less (iteratively reweighted least squares).
    """
    places = np.arange(BLOCKS * PLACES)
    rows, columns = (places * side // (BLOCKS * PLACES) for side in pixels.shape[:2])
    probe = pixels[rows[:, None], columns, :2].astype(np.uint16)
    # Green with its red behind it: sorted together.
    blocks = (probe[..., 1] * 256 + probe[..., 0]).reshape(BLOCKS, PLACES, BLOCKS, PLACES)
    blocks = np.sort(blocks.swapaxes(1, 2).reshape(BLOCKS**2, PLACES**2), axis=1)
    first, last = (round(share * PLACES**2) for share in GLASS)
    glass = blocks[:, first:last]
    green, red = (np.log(np.maximum(c.mean(axis=1), 1.0)) for c in (glass // 256, glass % 256))
    greener = green - red
    bare = greener > np.sort(greener)[GREENEST] - COVERED
    known = None if inside is None else inside[rows[:, None], columns]
    if known is not None:
        bare &= known.reshape(BLOCKS, PLACES, BLOCKS, PLACES).all(axis=(1, 3)).ravel()
    if bare.sum() < FEWEST_BLOCKS:
        return Lamp(np.zeros(6), 0.0)
    weights = bare.astype(np.float64)
    for _ in range(ROUNDS):
        weighed = _BLOCK_TERMS * weights[:, None]
        terms = np.linalg.solve(weighed.T @ _BLOCK_TERMS + _TO_EVEN, weighed.T @ green)
        weights = bare * np.exp(np.minimum(green - _BLOCK_TERMS @ terms, 0.0) / DARKER)
    ends = _EDGE_TERMS @ terms
    if inside is not None:
        edges = [np.arange(BLOCKS + 1) * (side - 1) // BLOCKS for side in inside.shape]
        ends = ends[inside[edges[0][:, None], edges[1]].ravel()]
    # Level it so that as many pixels lie above the empty slide's light as before.
    terms[0] = 0.0
    seen = probe[..., 1]
    even = seen / Lamp(terms, 0.0).over(*seen.shape)
    if known is not None:
        seen, even = seen[known], even[known]
    level = _empty(even) / max(1.0, _empty(seen))
    terms[0] = math.log(max(level, 1e-3))
    return Lamp(terms, 1.0 - math.exp(ends.min() - ends.max()))


def _empty(values: NDArray[Any]) -> float:
    place = round(EMPTY * (values.size - 1))
    return float(np.partition(values.ravel(), place)[place])


def _quadratic(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the terms of a quadratic, [n * n, 6], at all pairs of `places` [n]."""
    y, x = (part.ravel() for part in np.meshgrid(places, places, indexing="ij"))
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


_BLOCK_TERMS = _quadratic((np.arange(BLOCKS) + 0.5) / BLOCKS * 2.0 - 1.0)
_EDGE_TERMS = _quadratic(np.linspace(-1.0, 1.0, BLOCKS + 1))
_TO_EVEN = EVEN * np.diag([0.0, 1.0, 1.0, 1.0, 1.0, 1.0])


def hue(pixels: NDArray[np.uint8], light: Floats, lit: Lamp) -> NDArray[np.float64]:
    """Return the color of what is stained like most of a field: that of its red cells.

    [2]: the share of their density that is in green, and by how much blue's share is above red's.
    Eosin and hemoglobin take green light most (eosin's peak is at 515 to 520 nm) and blue more than
    red, or by some cameras about as much: both are high in a Romanowsky stain and low in gray
    pictures and most other dyes; eosin alone takes green yet more. Shade counts for no stain. NaN
    where nothing is stained.
    """
    levels = np.maximum(pixels[::HUE_EVERY, ::HUE_EVERY], 1)
    shade = lit.over(*levels.shape[:2])[..., None]
    densities = np.maximum(-np.log(levels / (light * shade)), 0.0).reshape(-1, 3)
    total = densities.sum(axis=1)
    stained = total > HUE_STAINED
    if stained.sum() < HUE_LEAST * len(total):
        return np.full(2, np.nan)
    # Nuclei and what lies on top of each other are denser.
    usual = stained & (total <= 1.3 * float(np.median(total[stained])))
    red, green, blue = densities[usual].mean(axis=0) / densities[usual].sum(axis=1).mean()
    return np.array([green, blue - red], dtype=np.float64)
