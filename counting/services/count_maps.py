"""Keep where a model saw cells: its count map, as a small picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

# A map is looked at over the picture, where more points than this a side cannot be told apart.
LONGEST_SIDE = 256
# Cells per map pixel that are drawn at full strength where a type has no stronger place: the
# faint rest of a map that holds nothing stays dark.
FULL = 0.2


def to_png(count_map: NDArray[np.float32], codes: Sequence[str]) -> tuple[bytes, int]:
    """Return a gray picture: the maps of the types one below the other, sorted by code.

    count_map: [types, h, w], cells per map pixel, in the order of `codes`. Each map's strongest
    place (at least FULL) is 255. The second value is how many map pixels a side became one.
    """
    order = np.argsort(list(codes))
    maps = np.maximum(np.asarray(count_map, dtype=np.float32)[order], 0.0)
    joined = 1
    while max(maps.shape[1:]) > LONGEST_SIDE:
        maps, joined = _halved(maps), 2 * joined
    strongest = np.maximum(maps.max(axis=(1, 2), keepdims=True), FULL)
    gray = np.rint(255 * maps / strongest).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(gray.reshape(-1, gray.shape[2])).save(file, "PNG", optimize=True)
    return file.getvalue(), joined


def _halved(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Add up each four neighbors, so that cells stay cells."""
    types, height, width = maps.shape
    even = np.zeros((types, height + height % 2, width + width % 2), dtype=np.float32)
    even[:, :height, :width] = maps
    pairs = even.reshape(types, even.shape[1] // 2, 2, even.shape[2] // 2, 2)
    return np.asarray(pairs.sum(axis=(2, 4)), dtype=np.float32)
