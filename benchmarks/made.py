"""Pictures made of marked fields: mosaics, parts, canvases, fields joined in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ml.augment import VISIBLE
from ml.config import InputConfig
from ml.data import Field, Mark
from ml.optics import background

TILE = 256
CANVASES = (1300, 2000, 2600, 4000)
# Pixels of empty slide between two fields of a canvas, and beside a white cell no tile may cut.
GAP = 16
BORDER = 2
# The same between joined fields, before the picture is brought to this width.
SEAM = 30
JOINED_WIDTH = 760
JOINED = 100
LIGHT = np.array([200.0, 200.0, 200.0], dtype=np.float32)

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Opened:
    """A field with its pixels, and its red cells' width in them."""

    field: Field
    image: Image.Image
    cell_px: float


# Pictures with the number of their red cells, and these cells' width in pixels.
Made = list[tuple[Image.Image, int, float]]


def mosaic(
    opened: Sequence[Opened], white: int, rng: np.random.Generator, config: InputConfig
) -> Image.Image:
    """Lay four tiles side by side that hold `white` white cells together, each of its own field."""
    holds = rng.permutation([1] * white + [0] * (4 - white))
    order = list(rng.permutation(len(opened)))
    tiles: list[Pixels] = []
    light = None
    while len(tiles) < 4:
        one = opened[int(order.pop())]
        places = windows(one, int(holds[len(tiles)]))
        if not places:
            continue
        left, top = places[int(rng.integers(len(places)))]
        own = background(one.image, config)
        light = own if light is None else light
        tile = np.asarray(one.image, np.float32)[top : top + TILE, left : left + TILE]
        tiles.append(np.clip(tile / own * light + 0.5, 0, 255).astype(np.uint8))
    rows = np.hstack(tiles[:2]), np.hstack(tiles[2:])
    return Image.fromarray(np.vstack(rows))


def windows(one: Opened, white: int) -> list[tuple[int, int]]:
    """Return left and top of the tiles of a field that hold so many white cells and cut none."""
    boxes = [_box(mark) for mark in one.field.marks if mark.code == "WBC"]
    found = []
    for top in range(0, one.image.height - TILE + 1, 8):
        for left in range(0, one.image.width - TILE + 1, 8):
            right, bottom = left + TILE, top + TILE
            inside = sum(
                b[0] >= left + BORDER
                and b[1] >= top + BORDER
                and b[2] <= right - BORDER
                and b[3] <= bottom - BORDER
                for b in boxes
            )
            outside = sum(
                b[2] <= left - BORDER
                or b[0] >= right + BORDER
                or b[3] <= top - BORDER
                or b[1] >= bottom + BORDER
                for b in boxes
            )
            if inside == white and inside + outside == len(boxes):
                found.append((left, top))
    return found


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Return the picture at another number of pixels."""
    size = (round(image.width * factor), round(image.height * factor))
    return image if factor == 1.0 else image.resize(size, Image.Resampling.BICUBIC)


def parts(opened: Sequence[Opened], side: int, rng: np.random.Generator) -> Made:
    """Cut one square out of each field and count its red cells anew."""
    made: Made = []
    for one in opened:
        left = int(rng.integers(one.image.width - side + 1))
        top = int(rng.integers(one.image.height - side + 1))
        box = (left, top, left + side, top + side)
        reds = [_box(mark) for mark in one.field.marks if mark.code == "RBC"]
        count = sum(_shows(red, box, one.cell_px) for red in reds)
        made.append((one.image.crop(box), count, one.cell_px))
    return made


def halves(image: Image.Image) -> list[Image.Image]:
    """Cut a picture into its left and its right half."""
    middle = image.width // 2
    return [
        image.crop((0, 0, middle, image.height)),
        image.crop((middle, 0, image.width, image.height)),
    ]


def _shows(cell: Sequence[float], box: Sequence[float], cell_px: float) -> bool:
    width = min(cell[2], box[2]) - max(cell[0], box[0])
    height = min(cell[3], box[3]) - max(cell[1], box[1])
    whole = width >= cell[2] - cell[0] - 1 and height >= cell[3] - cell[1] - 1
    return whole or min(width, height) >= VISIBLE * cell_px


def canvases(
    opened: Sequence[Opened], side: int, rng: np.random.Generator, config: InputConfig
) -> Made:
    """Lay as many fields as fit on a square of empty slide, all in one light."""
    made: Made = []
    for _ in range(8 if side < CANVASES[-1] else 3):
        order, count, widths = list(rng.permutation(len(opened))), 0, []
        canvas = np.full((side, side, 3), LIGHT)
        for top in range(0, side - 480 + 1, 480 + GAP):
            for left in range(0, side - 640 + 1, 640 + GAP):
                order = order or list(rng.permutation(len(opened)))
                one = opened[int(order.pop())]
                pixels = lit(one, config)
                canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
                count += one.field.counts["RBC"]
                widths.append(one.cell_px)
        image = Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))
        made.append((image, count, float(np.median(widths))))
    return made


def joined(
    opened: Sequence[Opened], side: int, rng: np.random.Generator, config: InputConfig
) -> Made:
    """Lay `side` times `side` fields in one picture of `JOINED_WIDTH`, all in one light."""
    made: Made = []
    wide, high = opened[0].image.size
    size = (side * (high + SEAM) - SEAM, side * (wide + SEAM) - SEAM)
    factor = JOINED_WIDTH / size[1]
    for _ in range(JOINED):
        canvas = np.full((*size, 3), LIGHT)
        drawn = [opened[i] for i in rng.permutation(len(opened))[: side * side]]
        for place, one in enumerate(drawn):
            top, left = place // side * (high + SEAM), place % side * (wide + SEAM)
            canvas[top : top + high, left : left + wide] = lit(one, config)
        image = Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))
        image = image.resize((JOINED_WIDTH, round(size[0] * factor)), Image.Resampling.LANCZOS)
        width = float(np.median([one.cell_px for one in drawn])) * factor
        made.append((image, sum(one.field.counts["RBC"] for one in drawn), width))
    return made


def lit(one: Opened, config: InputConfig) -> NDArray[np.float32]:
    """Return a field's pixels in `LIGHT`."""
    pixels: NDArray[np.float32] = np.asarray(one.image, np.float32)
    return pixels / background(one.image, config) * LIGHT


def _box(mark: Mark) -> tuple[float, float, float, float]:
    return (
        mark.x - mark.w / 2,
        mark.y - mark.h / 2,
        mark.x + mark.w / 2,
        mark.y + mark.h / 2,
    )
