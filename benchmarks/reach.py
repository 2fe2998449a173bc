"""How far the counts reach: fields of none to four white cells, other scales, other sizes.

    python -m benchmarks.reach --data ../shared/data [--bundle DIR] [--json]

All pictures are made from the BCCD test fields, which were not trained on.

Mosaics: four tiles of 256 x 256 cut from four fields, each in the light of the first, laid on one
canvas of 512 x 512. No white cell is cut: each lies inside its tile or outside of it. The share
whose white count is exact, with Wilson's 95 % interval (Wilson 1927).

Scales: the same fields at other numbers of pixels, the scale searched by the counter.

Canvases: parts of a field, and fields laid side by side with a gap of empty slide, the scale
searched and told. A part's red cells are counted anew from the boxes: one is there when as much
of it shows as annotators ask for (`ml.augment.VISIBLE`).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from counting.statistics.distributions import normal_quantile
from ml import pictures
from ml.augment import VISIBLE
from ml.bundle import BASE
from ml.config import RED_CELL_MICRONS, InputConfig
from ml.data import Field, Mark, read_fields
from ml.optics import background
from ml.predict import FieldPrediction, Predictor

MOSAICS = 200
TILE = 256
MOST_WHITE = 4
FACTORS = (0.31, 0.5, 0.71, 1.0, 1.41, 2.0)
PARTS = (200, 320, 480)
CANVASES = (1300, 2000, 2600, 4000)
# Pixels of empty slide between two fields of a canvas, and beside a white cell no tile may cut.
GAP = 16
BORDER = 2
CHUNK = 8

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Opened:
    """A field with its pixels, and its red cells' width in them."""

    field: Field
    image: Image.Image
    cell_px: float


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, default=BASE)
    parser.add_argument("--split", default="test")
    parser.add_argument("--fields", type=int, default=None, help="at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    predictor = Predictor(options.bundle, 1)
    opened = [
        Opened(field, pictures.read(field.path).image, field.cell_px)
        for field in read_fields(options.data, splits=[options.split])[: options.fields]
        if field.cell_px and field.marked("RBC") and field.marked("WBC")
    ]
    told = {
        "mosaics": mosaic_rows(predictor, opened),
        "scales": scale_rows(predictor, opened),
        "canvases": canvas_rows(predictor, opened),
    }
    print(json.dumps(told, indent=2) if options.json else table(told))
    return 0


def predict(
    predictor: Predictor, images: Sequence[Image.Image], microns: Sequence[float | None]
) -> Iterator[FieldPrediction]:
    """Count in pictures, a few at a time."""
    for start in range(0, len(images), CHUNK):
        part = slice(start, start + CHUNK)
        yield from predictor.predict(images[part], microns[part])


def mosaic_rows(predictor: Predictor, opened: Sequence[Opened]) -> list[dict[str, Any]]:
    """Return by true number of white cells how often the rounded count is exact."""
    rng = np.random.default_rng(0)
    truths = [number % (MOST_WHITE + 1) for number in range(MOSAICS)]
    images = [mosaic(opened, white, rng, predictor.bundle.config.input) for white in truths]
    told = list(predict(predictor, images, [None] * len(images)))
    counts = [one.counts["WBC"].value for one in told]
    rows = []
    for white in (*range(MOST_WHITE + 1), None):
        own = [c for c, t in zip(counts, truths, strict=True) if white is None or t == white]
        right = [c == t for c, t in zip(counts, truths, strict=True) if white is None or t == white]
        low, high = wilson(sum(right), len(right))
        rows.append(
            {
                "white": white,
                "n": len(right),
                "exact": sum(right),
                "share": sum(right) / len(right),
                "interval": [low, high],
                "told": {str(c): own.count(c) for c in sorted(set(own))},
            }
        )
    return rows


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


def scale_rows(predictor: Predictor, opened: Sequence[Opened]) -> list[dict[str, Any]]:
    """Return the red cells' error with each field shown at other numbers of pixels."""
    rows = []
    for factor in FACTORS:
        images = [scaled(one.image, factor) for one in opened]
        told = list(predict(predictor, images, [None] * len(images)))
        true = [one.field.counts["RBC"] for one in opened]
        widths = [t.cell_px / (o.cell_px * factor) for t, o in zip(told, opened, strict=True)]
        rows.append(
            {
                "factor": factor,
                "width": images[0].width,
                "cell_px": float(np.median([one.cell_px * factor for one in opened])),
                "scale_off": float(np.median(np.abs(np.log2(widths)))),
                **errors(true, [one.counts["RBC"].value for one in told]),
            }
        )
    return rows


def scaled(image: Image.Image, factor: float) -> Image.Image:
    """Return the picture at another number of pixels."""
    size = (round(image.width * factor), round(image.height * factor))
    return image if factor == 1.0 else image.resize(size, Image.Resampling.BICUBIC)


def canvas_rows(predictor: Predictor, opened: Sequence[Opened]) -> list[dict[str, Any]]:
    """Return the red cells' error on canvases of other sizes, the scale searched and told."""
    rng = np.random.default_rng(0)
    rows = []
    for side in (*PARTS, *CANVASES):
        made = parts(opened, side, rng) if side in PARTS else canvases(opened, side, rng, predictor)
        images = [image for image, _, _ in made]
        true = [count for _, count, _ in made]
        row: dict[str, Any] = {"side": side, "n": len(made)}
        for name in ("searched", "told"):
            scales = [RED_CELL_MICRONS / px if name == "told" else None for _, _, px in made]
            told = list(predict(predictor, images, scales))
            row[name] = errors(true, [one.counts["RBC"].value for one in told])
        rows.append(row)
    return rows


Made = list[tuple[Image.Image, int, float]]


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


def _shows(cell: Sequence[float], box: Sequence[float], cell_px: float) -> bool:
    width = min(cell[2], box[2]) - max(cell[0], box[0])
    height = min(cell[3], box[3]) - max(cell[1], box[1])
    whole = width >= cell[2] - cell[0] - 1 and height >= cell[3] - cell[1] - 1
    return whole or min(width, height) >= VISIBLE * cell_px


def canvases(
    opened: Sequence[Opened], side: int, rng: np.random.Generator, predictor: Predictor
) -> Made:
    """Lay as many fields as fit on a square of empty slide, all in one light."""
    made: Made = []
    light = np.array([200.0, 200.0, 200.0], dtype=np.float32)
    for _ in range(8 if side < CANVASES[-1] else 3):
        order, count, widths = list(rng.permutation(len(opened))), 0, []
        canvas = np.full((side, side, 3), light, dtype=np.float32)
        for top in range(0, side - 480 + 1, 480 + GAP):
            for left in range(0, side - 640 + 1, 640 + GAP):
                order = order or list(rng.permutation(len(opened)))
                one = opened[int(order.pop())]
                pixels = np.asarray(one.image, np.float32)
                pixels = pixels / background(one.image, predictor.bundle.config.input) * light
                canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
                count += one.field.counts["RBC"]
                widths.append(one.cell_px)
        image = Image.fromarray(np.clip(canvas + 0.5, 0, 255).astype(np.uint8))
        made.append((image, count, float(np.median(widths))))
    return made


def errors(true: Sequence[int], told: Sequence[int]) -> dict[str, float]:
    """Return mean count, mean absolute error, bias, and both as shares of the mean."""
    difference = np.array(told, dtype=np.float64) - np.array(true, dtype=np.float64)
    mean = float(np.mean(true))
    mae, bias = float(np.abs(difference).mean()), float(difference.mean())
    return {"mean": mean, "mae": mae, "bias": bias, "share": mae / mean, "bias_share": bias / mean}


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a share (Wilson 1927)."""
    z = normal_quantile(0.975)
    share, weight = hits / n, z * z / n
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / n + weight / (4 * n)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def _box(mark: Mark) -> tuple[float, float, float, float]:
    return (
        mark.x - mark.w / 2,
        mark.y - mark.h / 2,
        mark.x + mark.w / 2,
        mark.y + mark.h / 2,
    )


def table(told: dict[str, Any]) -> str:
    """Return the measures as lines for people."""
    lines = ["white cells, mosaics, count exact (95 % interval), counts told"]
    for row in told["mosaics"]:
        low, high = row["interval"]
        name = "all" if row["white"] is None else row["white"]
        lines.append(
            f"  {name:>4} {row['n']:>5} {row['share']:>6.1%} ({low:.1%} to {high:.1%}) "
            f"{row['told'] if row['white'] is not None else ''}"
        )
    lines.append("factor, width, red cell's width, mean RBC, MAE, share, bias, scale off (log2)")
    for row in told["scales"]:
        lines.append(
            f"  {row['factor']:>5} {row['width']:>5} {row['cell_px']:>5.0f} {row['mean']:>6.1f} "
            f"{row['mae']:>6.2f} {row['share']:>6.1%} {row['bias']:>+6.2f} {row['scale_off']:>5.2f}"
        )
    lines.append("canvas, pictures, mean RBC; scale searched: MAE, share, bias; told: the same")
    for row in told["canvases"]:
        cells = [f"  {row['side']:>5} {row['n']:>3} {row['searched']['mean']:>7.1f}"]
        for name in ("searched", "told"):
            one = row[name]
            cells.append(f"{one['mae']:>7.2f} {one['share']:>6.1%} {one['bias']:>+7.2f}")
        lines.append("  ".join(cells))
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
