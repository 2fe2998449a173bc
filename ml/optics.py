"""From a picture's light to the net's input: optical density over the empty slide.

A stain absorbs: light = lamp x e^-density (Beer-Lambert; natural logarithms here). Dividing by the
lamp's light takes white balance and exposure out of the picture, and an empty slide becomes 0,
which is also what convolutions pad with: beyond the border lies empty slide.
"""

from __future__ import annotations

import math

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


def background(image: Image.Image, config: InputConfig) -> Floats:
    """Return the light of the empty slide, [3] for red, green, blue, 1 to 255."""
    probe = image
    if max(image.size) > PROBE_SIDE:
        share = PROBE_SIDE / max(image.size)
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        probe = image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)
    below = np.cumsum(np.reshape(probe.histogram(), (3, 256)), axis=1)
    # The percentile lies between two values in order: at `rank`, counted from 0.
    rank = config.background / 100.0 * (probe.width * probe.height - 1)
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


def hue(pixels: NDArray[np.uint8], light: Floats) -> NDArray[np.float64]:
    """Return the color of what is stained like most of a field: that of its red cells.

    [2]: the share of their density that is in green, and by how much blue's share is above red's.
    Eosin and hemoglobin take green light most (eosin's peak is at 515 to 520 nm) and blue more than
    red: both are high in a Romanowsky stain, whatever the lab, and low in gray pictures, in other
    dyes, and where red and blue were mistaken. NaN where nothing is stained.
    """
    levels = np.maximum(pixels[::HUE_EVERY, ::HUE_EVERY].reshape(-1, 3), 1)
    densities = np.maximum(-np.log(levels / light), 0.0)
    total = densities.sum(axis=1)
    stained = total > HUE_STAINED
    if stained.sum() < HUE_LEAST * len(total):
        return np.full(2, np.nan)
    # Nuclei and what lies on top of each other are denser.
    usual = stained & (total <= 1.3 * float(np.median(total[stained])))
    red, green, blue = densities[usual].mean(axis=0) / densities[usual].sum(axis=1).mean()
    return np.array([green, blue - red], dtype=np.float64)
