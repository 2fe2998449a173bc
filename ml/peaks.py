"""Suggested marks: where on a count map the counted cells lie. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Standard deviation in map pixels of what one cell leaves on the map (`ml.targets.SIGMA`, a bit
# more for what the net adds), and how far out it is taken away.
SIGMA = 0.9
REACH = 3


def find(count_map: Floats, number: int) -> list[tuple[float, float]]:
    """Return `number` points (x, y) in map pixels, the strongest first.

    Takes the highest local maxima of the map, removes what one cell each would leave, and looks
    again until there are enough: two cells that touch are one maximum at first.
    """
    rest = np.maximum(count_map.astype(np.float32), 0.0)
    found: list[tuple[float, float]] = []
    while len(found) < number:
        smooth = _near_sums(rest)
        peaks = _maxima(smooth)
        if not len(peaks):
            break
        strength = smooth[peaks[:, 0], peaks[:, 1]]
        order = np.argsort(-strength, kind="stable")
        # Weak maxima may be the flank of a strong one: they wait until that is taken away.
        strong = order[strength[order] >= 0.5 * strength[order[0]]]
        for row, column in peaks[strong][: number - len(found)]:
            x, y = _center(rest, int(row), int(column))
            found.append((x, y))
            _take_away(rest, x, y)
    # An empty map has no maxima left; what is missing is put in its middle, for a person to move.
    height, width = count_map.shape
    found += [(width / 2, height / 2)] * (number - len(found))
    return found


def _shifted(values: Floats) -> list[Floats]:
    padded = np.pad(values, 1)
    height, width = values.shape
    return [padded[r : r + height, c : c + width] for r in range(3) for c in range(3)]


def _near_sums(values: Floats) -> Floats:
    out: Floats = np.sum(_shifted(values), axis=0, dtype=np.float32)
    return out


def _maxima(values: Floats) -> NDArray[np.intp]:
    top = np.maximum.reduce(_shifted(values))
    return np.argwhere((values >= top) & (values > 1e-4))


def _center(values: Floats, row: int, column: int) -> tuple[float, float]:
    top, left = max(0, row - 1), max(0, column - 1)
    part = values[top : row + 2, left : column + 2]
    total = float(part.sum())
    if total <= 0:
        return column + 0.5, row + 0.5
    rows, columns = np.indices(part.shape)
    y = float((rows * part).sum()) / total + top + 0.5
    x = float((columns * part).sum()) / total + left + 0.5
    return x, y


def _take_away(values: Floats, x: float, y: float) -> None:
    """Subtract one cell (a Gaussian of sum 1) at x, y, in place; nothing goes below 0."""
    height, width = values.shape
    top, bottom = max(0, int(y) - REACH), min(height, int(y) + REACH + 1)
    left, right = max(0, int(x) - REACH), min(width, int(x) + REACH + 1)
    down = np.exp(-0.5 * ((np.arange(top, bottom) + 0.5 - y) / SIGMA) ** 2)
    across = np.exp(-0.5 * ((np.arange(left, right) + 0.5 - x) / SIGMA) ** 2)
    kernel = np.outer(down, across)
    part = values[top:bottom, left:right]
    np.maximum(part - (kernel / kernel.sum()).astype(np.float32), 0.0, out=part)
