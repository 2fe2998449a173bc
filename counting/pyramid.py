"""The tiles of a large picture, laid out as a Deep Zoom pyramid.

Level n is the picture halved (sides rounded up) until its longer side is at most 2^n; the last
level is the picture itself. A level's tiles are squares of TILE pixels, numbered from the upper
left, and reach OVERLAP pixels into their neighbors, so that no seam shows where they are scaled.
The layout is that of Microsoft's Deep Zoom image format, `level/column_row.jpg`; levels smaller
than one tile, which nobody asks for, are left out.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from PIL import Image

TILE = 512
OVERLAP = 1
# To look at: what is counted is the picture itself.
QUALITY = 90
# The level that one tile holds whole: 2^9 pixels.
ONE_TILE = (TILE - 1).bit_length()


def last_level(width: int, height: int) -> int:
    """Return the level of the picture at its full size."""
    return (max(width, height) - 1).bit_length()


def first_level(width: int, height: int) -> int:
    """Return the smallest level that is made."""
    return min(ONE_TILE, last_level(width, height))


def cut(image: Image.Image, folder: Path) -> Generator[float, None, None]:
    """Write the tiles of an RGB picture into a new folder; yield the share done after each row.

    Holds the level that is cut and the next one: five bytes a pixel at most.

    Raises:
        OSError: the folder is there already, or cannot be written.
    """
    size = image.size
    total = done = 0
    for level in range(first_level(*size), last_level(*size) + 1):
        columns, rows = _grid(size, level)
        total += columns * rows
    folder.mkdir(mode=0o750, parents=True)
    for level in range(last_level(*size), first_level(*size) - 1, -1):
        columns, rows = _grid(size, level)
        place = folder / str(level)
        place.mkdir()
        for row in range(rows):
            for column in range(columns):
                tile = image.crop(_box(column, row, image.size))
                tile.save(place / f"{column}_{row}.jpg", "JPEG", quality=QUALITY, subsampling=0)
            done += columns
            yield done / total
        image = image.reduce(2)


def _grid(size: tuple[int, int], level: int) -> tuple[int, int]:
    """Return columns and rows of a level's tiles."""
    step = 2 ** (last_level(*size) - level) * TILE
    return -(-size[0] // step), -(-size[1] // step)


def _box(column: int, row: int, size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = column * TILE, row * TILE
    return (
        max(0, left - OVERLAP),
        max(0, top - OVERLAP),
        min(size[0], left + TILE + OVERLAP),
        min(size[1], top + TILE + OVERLAP),
    )
