"""Is a picture good enough to count in? Focus, light, its evenness, stain, overlap and scale.

Judged on the picture as the net sees it, where a red cell is about `InputConfig.cell_px` wide: so
sharpness is measured against the cell, whatever the camera's pixels. Thresholds were set on the
training fields, plain and spoiled (`benchmarks/doubt.py --splits train`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.optics import Floats, Lamp

# What may be wrong, and what to do, in words for the person at the microscope.
FAULTS = {
    "blurred": "Out of focus: refocus and take it again.",
    "dark": "Too dark: give more light or a longer exposure and take it again.",
    "bright": "Overexposed, cells fade into white: take it again with less light.",
    "faint": "The stain is too faint to tell cells apart: stain the smear anew.",
    "crowded": "Cells lie on top of each other: take a field where the smear is thinner.",
    "uneven": "Uneven light: center the lamp and the condenser, hold the camera straight, and take "
    "it again.",
    "scale": "Red cells are much wider or narrower here than the microns per pixel say: check that "
    "number and the objective.",
}
# One line of pixels in so many is looked at, across and down: cells are larger.
EVERY = 4
# Blur that removes detail this fine (share of a red cell's width) is what focus is measured by:
# 0.6 um, a little more than an oil lens resolves.
DETAIL = 1 / 12
# Of the training fields the least sharp has 1.71, and the median of those blurred by 0.05 of a
# cell's width (standard deviation), where 1 to 6 % of the red cells are lost, 1.57 and 1.59.
SHARP = 1.6
# An empty slide this dark (of 255) leaves less than a quarter of the camera's levels to the cells.
DARK = 64
# A pixel is lost in white from this level on, in all three colors. With 1.4 times the light the
# empty slide alone is lost, at most 0.72 of the picture, and counts hold; with 1.8 times, cells go.
WHITE = 254
LOST = 0.75
# Green density (natural logarithm) from which on a pixel is stained: an unstained one has 0.03.
STAINED = 0.1
# The tenth of the picture that is densest has at least 0.21 in real fields; a third of the stain is
# left below this, and counts begin to change. It says so only where cells cover as much.
FAINT = 0.13
COVERED = 0.2
# Nothing in the picture is denser: then even nuclei are faint.
FAINT_NUCLEI = 0.2
# Places that take this much more light than most of what is stained are two cells deep, or nuclei.
DEEPER = 1.5
# Area that a white cell's nucleus darkens, in red cells' areas.
NUCLEUS = 2.0
# Layers of cells over the whole picture: 0.52 in real fields (median), 1 in a hundred has more.
CROWDED = 0.75
# Share of the light that the darkest place lacks. Of 800 training fields one lacks more; 300 BCCD
# fields lack 0.13 (median) to 0.19. With 0.3 less at one side or in the corners, all but one in 250
# lack more, with 0.1 less in the corners one BCCD field in 40.
UNEVEN = 0.22
# Cells found this much (log2) wider or narrower than told micrometers per pixel say are another
# objective's. Of 160 training fields none is that told the right width; told half or twice as much,
# 310 of 320 are.
OTHER_SCALE = 0.65
# Cell types that have no nucleus.
PLAIN = ("RBC", "PLT")


@dataclass(frozen=True)
class Quality:
    """What was measured, and what is wrong: codes of `FAULTS`, the worst first.

    sharpness: 1 is a blur, see `_sharpness`; light: of the empty slide, 0 to 255; lost: share of
    the picture that is white; stain: green density that a tenth of the picture exceeds; layers:
    how many cells deep the picture is covered, on average; falloff: share of the light that the
    darkest place lacks; off_told: log2 of how much wider red cells are than was told, 0 where that
    was not in doubt.
    """

    sharpness: float
    light: float
    lost: float
    stain: float
    layers: float
    falloff: float
    off_told: float
    faults: tuple[str, ...]

    def measures(self) -> dict[str, float]:
        """Return the numbers, ready for JSON."""
        return {
            name: round(float(value), 3) for name, value in vars(self).items() if name != "faults"
        }


def judge(
    pixels: NDArray[np.uint8],
    light: Floats,
    lit: Lamp,
    cell_px: float,
    counts: Mapping[str, float],
    inside: NDArray[np.bool_] | None = None,
    off_told: float = 0.0,
) -> Quality:
    """Judge a picture.

    pixels: [h, w, 3], red, green, blue. light: of the empty slide, [3], 1 to 255. lit: how
    evenly it is lit. cell_px: width of a red cell in these pixels. counts: raw counts by cell type.
    inside [h, w]: which pixels show the slide; None: all. off_told: how much wider red cells are
    than was told, log2.
    """
    rows = pixels[::EVERY, ::2]
    # As under even light: shade is no stain.
    green = np.minimum(rows[..., 1] / lit.over(*rows.shape[:2]) + 0.5, 255.0).astype(np.uint8)
    area = pixels.shape[0] * pixels.shape[1]
    if inside is not None:
        shown, area = inside[::EVERY, ::2], int(inside.sum())
        rows, green = rows[shown], green[shown]
    # Of all pixels, how many have each level: from it come all shares and percentiles.
    shares = np.bincount(green.ravel(), minlength=256) / green.size
    table = -np.log(np.maximum(np.arange(256, dtype=np.float32), 1.0) / light[1])
    stained = np.where(table > STAINED, shares, 0.0)
    cell = np.pi / 4 * cell_px**2 / area
    nuclei = NUCLEUS * cell * sum(n for code, n in counts.items() if code not in PLAIN)
    deeper = float(stained[table > DEEPER * _denser(table, stained, 0.5)].sum())
    layers = float(stained.sum()) + max(0.0, deeper - nuclei)
    white = (rows >= WHITE).reshape(-1, 3)
    lost = float((white[:, 0] & white[:, 1] & white[:, 2]).mean())
    stain = _denser(table, shares, 0.1)
    sharpness = _sharpness(table, pixels[..., 1], max(2, round(DETAIL * cell_px)), inside)
    covered = nuclei + cell * counts.get("RBC", 0.0)
    faults = []
    if stained.sum() > STAINED * cell and sharpness < SHARP:
        faults.append("blurred")
    if light.max() < DARK:
        faults.append("dark")
    if sum(counts.values()) >= 0.5 and (
        (stain < FAINT and covered >= COVERED) or _denser(table, shares, 0.01) < FAINT_NUCLEI
    ):
        faults.append("faint")
    if layers > CROWDED:
        faults.append("crowded")
    if lit.fall > UNEVEN:
        faults.append("uneven")
    # Neither of this and focus rules the other out: at a wrong scale sharp cells may look blurred,
    # and out of focus they are found wider.
    if abs(off_told) > OTHER_SCALE:
        faults.append("scale")
    if lost > LOST:
        # What is lost in white hides all else.
        faults = ["bright"]
    bright = float(light.max())
    return Quality(sharpness, bright, lost, stain, layers, lit.fall, off_told, tuple(faults))


def _denser(table: Floats, shares: NDArray[np.float64], share: float) -> float:
    """Return the density that `share` of the pixels exceed; `shares` holds them by level."""
    below = np.cumsum(shares)
    if below[-1] <= 0.0:
        return 0.0
    return float(table[int(np.searchsorted(below, share * below[-1]))])


def _sharpness(
    table: Floats, green: NDArray[np.uint8], reach: int, inside: NDArray[np.bool_] | None
) -> float:
    """Return how much of the edges' strength is lost by one more blur: 1 for what is blurred.

    A blur takes much from a sharp picture and little from a blurred one (Crete et al. 2007, The
    blur effect: perception and estimation with a new no-reference perceptual blur metric). Strength
    is the mean squared slope, as in Tenengrad (Tenenbaum 1970; Pertuz et al. 2013), before and
    after a blur that reaches `reach` pixels to both sides; as a ratio it does not depend on
    contrast or on how many cells there are. The slope is taken over two pixels after smoothing by
    1 2 1, against the camera's noise.
    """
    before = after = 0.0
    for turned in (False, True):
        lines = green[:, ::EVERY].T if turned else green[::EVERY]
        shown = inside if inside is None or not turned else inside.T
        if lines.shape[1] <= 2 * reach + 4:
            continue
        fine = _smooth(np.take(table, lines), 1)
        before += _strength(fine, shown)
        after += _strength(_smooth(fine, reach), shown)
    return before / after if after > 0.0 else float(SHARP)


def _strength(lines: Floats, inside: NDArray[np.bool_] | None) -> float:
    """Return the mean squared slope over two pixels of smoothed lines, one in `EVERY`; `inside` is
    as wide as they were before: only what was smoothed from pixels inside counts.
    """
    slopes = (lines[:, 2:] - lines[:, :-2]).ravel()
    if inside is not None:
        # A circle's inside is all that lies between two places of it.
        apart = inside.shape[1] - lines.shape[1] + 2
        slopes = slopes[(inside[::EVERY, :-apart] & inside[::EVERY, apart:]).ravel()]
    return float(np.dot(slopes, slopes)) / max(1, slopes.size)


def _smooth(lines: Floats, reach: int) -> Floats:
    """Weigh each value with those `reach` before and after it by 1 2 1."""
    out = lines[:, : -2 * reach] + lines[:, 2 * reach :]
    out += 2.0 * lines[:, reach:-reach]
    return np.asarray(0.25 * out, dtype=np.float32)
