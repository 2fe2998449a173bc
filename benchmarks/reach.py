"""How far the counts reach: fields of none to four white cells, other scales, other sizes.

    python -m benchmarks.reach --data ../shared/data [--bundle DIR] [--json]

Pictures are made from the BCCD test fields, which were not trained on.

Mosaics: four tiles of 256 x 256 cut from four fields, each in the light of the first, laid on one
canvas of 512 x 512. No white cell is cut: each lies inside its tile or outside of it. The share
whose white count is exact, with Wilson's 95 % interval (Wilson 1927).

Scales: the same fields at other numbers of pixels, the scale searched by the counter.

Canvases: parts of a field, and fields laid side by side with a gap of empty slide, the scale
searched and told. A part's red cells are counted anew from the boxes: one is there when as much
of it shows as annotators ask for (`ml.augment.VISIBLE`). Joined: four and nine fields in one
picture of 760 pixels.

Widths: what a wrong width of a red cell (from wrong micrometers per pixel) does to the test fields
and to those of another lab, whole; and how often their halves are called unlike.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.made import (
    CANVASES,
    Opened,
    canvases,
    halves,
    joined,
    mosaic,
    parts,
    scaled,
)
from counting.statistics.distributions import normal_quantile
from ml import pictures
from ml.bundle import BASE
from ml.config import RED_CELL_MICRONS
from ml.data import read_fields
from ml.predict import FieldPrediction, Predictor

MOSAICS = 200
MOST_WHITE = 4
FACTORS = (0.31, 0.5, 0.71, 1.0, 1.41, 2.0)
PARTS = (200, 320, 480)
JOINED_SIDES = (2, 3)
# What may be told for a red cell's width, in times the true one. 0.5: twice the true micrometers
# per pixel; 2.0: half of them.
TOLD = (0.5, 0.7, 0.84, 1.0, 1.1, 1.2, 2.0)
# Median width of a red cell where a source has no boxes: ../shared/data/README.md.
WIDTHS = {"bcdd": 61.0}
# The splits whose whole fields, and halves of them, are looked at.
WHOLE = ("test", "external")
CHUNK = 8


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
        "widths": [],
        "halves": [],
    }
    for split in WHOLE:
        own = [
            Opened(field, pictures.read(field.path).image, field.cell_px or WIDTHS[field.group])
            for field in read_fields(options.data, splits=[split])[: options.fields]
        ]
        told["widths"] += width_rows(predictor, split, own)
        told["halves"].append(halves_row(predictor, split, own))
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


def canvas_rows(predictor: Predictor, opened: Sequence[Opened]) -> list[dict[str, Any]]:
    """Return the red cells' error on canvases of other sizes, the scale searched and told."""
    rng, config = np.random.default_rng(0), predictor.bundle.config.input
    drawn = {f"{side}": parts(opened, side, rng) for side in PARTS}
    drawn |= {f"{side}": canvases(opened, side, rng, config) for side in CANVASES}
    for side in JOINED_SIDES:
        drawn[f"{side} x {side}"] = joined(opened, side, np.random.default_rng(0), config)
    rows = []
    for name, made in drawn.items():
        images = [image for image, _, _ in made]
        true = [count for _, count, _ in made]
        row: dict[str, Any] = {"canvas": name, "n": len(made)}
        for how in ("searched", "told"):
            scales = [RED_CELL_MICRONS / px if how == "told" else None for _, _, px in made]
            row[how] = judged(true, list(predict(predictor, images, scales)))
        rows.append(row)
    return rows


def width_rows(predictor: Predictor, split: str, own: Sequence[Opened]) -> list[dict[str, Any]]:
    """Return the error on whole fields with each width of a red cell told, and with none told."""
    images = [one.image for one in own]
    true = [one.field.counts["RBC"] for one in own]
    rows = []
    for times in (None, *TOLD):
        scales = [times and RED_CELL_MICRONS / (times * one.cell_px) for one in own]
        told = list(predict(predictor, images, scales))
        taken = [one.cell_px for one in told]
        row = {"set": split, "times": times, "n": len(own), "cell_px": float(np.median(taken))}
        rows.append({**row, **judged(true, told)})
    return rows


def halves_row(predictor: Predictor, split: str, own: Sequence[Opened]) -> dict[str, Any]:
    """Return how many halves of fields are called unlike what the model learned from."""
    images = [half for one in own for half in halves(one.image)]
    told = list(predict(predictor, images, [None] * len(images)))
    size = f"{images[0].width} x {images[0].height}"
    novel = sum(one.novel for one in told)
    return {"set": split, "size": size, "n": len(images), "novel": novel}


def judged(true: Sequence[int], told: Sequence[FieldPrediction]) -> dict[str, float]:
    """Return the red cells' errors, the share of intervals that hold the true count, the mean
    count of white cells, the share called unlike what the model learned from and the share whose
    told scale is said to be wrong.
    """
    reds = [one.counts["RBC"] for one in told]
    covered = [red.low <= count <= red.high for red, count in zip(reds, true, strict=True)]
    return {
        **errors(true, [red.value for red in reds]),
        "covered": float(np.mean(covered)),
        "white": float(np.mean([one.counts["WBC"].value for one in told])),
        "novel": float(np.mean([one.novel for one in told])),
        "scale": float(np.mean(["scale" in one.quality.faults for one in told])),
    }


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
    lines.append(
        "canvas, pictures, mean RBC; scale searched: MAE, share, bias, interval covers, "
        "called unlike, said to be told a wrong scale; told: the same"
    )
    for row in told["canvases"]:
        cells = [f"  {row['canvas']:>5} {row['n']:>3} {row['searched']['mean']:>7.1f}"]
        lines.append("  ".join([*cells, errors_of(row["searched"]), errors_of(row["told"])]))
    lines.append(
        "fields, told width in times the true one, median width taken; MAE, share, bias, "
        "interval covers, called unlike, said to be told a wrong scale; mean WBC"
    )
    for row in told["widths"]:
        times = "none" if row["times"] is None else row["times"]
        lines.append(
            f"  {row['set']:<8} {row['n']:>3} {times:>5} {row['cell_px']:>5.0f} {errors_of(row)} "
            f"{row['white']:>6.2f}"
        )
    lines.append("halves of fields, size, number, called unlike")
    for row in told["halves"]:
        lines.append(f"  {row['set']:<8} {row['size']:>9} {row['n']:>4} {row['novel']:>4}")
    return "\n".join(lines)


def errors_of(row: dict[str, Any]) -> str:
    """Return what `judged` found as columns."""
    return (
        f"{row['mae']:>7.2f} {row['share']:>6.1%} {row['bias']:>+7.2f} {row['covered']:>5.0%} "
        f"{row['novel']:>5.0%} {row['scale']:>5.0%}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
