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
        smooth = _smooth(rest)
        peaks = _maxima(smooth)
        if not len(peaks):
            break
        strength = smooth[peaks[:, 0], peaks[:, 1]]
        order = np.argsort(-strength, kind="stable")
        # Weak maxima may be the flank of a strong one: they wait until that is taken away.
        strong = peaks[order[strength[order] >= 0.5 * strength[order[0]]]]
        taken = np.zeros(np.add(rest.shape, 2), dtype=bool)
        for row, column in strong.tolist():
            # A cell between two map pixels makes both a maximum: it is taken once.
            if len(found) < number and not taken[row + 1, column + 1]:
                taken[row : row + 3, column : column + 3] = True
                x, y = _center(rest, row, column)
                found.append((x, y))
                _take_away(rest, x, y)
    # An empty map has no maxima left; what is missing is put in its middle, for a person to move.
    height, width = count_map.shape
    found += [(width / 2, height / 2)] * (number - len(found))
    return found


def strongest(count_map: Floats) -> float:
    """Return the most that any place of a map (3 x 3 map pixels) holds, in cells."""
    down = _neighbors(count_map, 0)
    across = _neighbors(down[0] + down[1] + down[2], 1)
    return float((across[0] + across[1] + across[2]).max())


def _neighbors(values: Floats, axis: int) -> tuple[Floats, Floats, Floats]:
    """Return each value's left neighbor, itself and its right neighbor along an axis; 0 beyond."""
    wide = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in (0, 1)])
    if axis == 0:
        return wide[:-2], wide[1:-1], wide[2:]
    return wide[:, :-2], wide[:, 1:-1], wide[:, 2:]


def _smooth(values: Floats) -> Floats:
    """Weigh each value's neighbors in by 1 2 1: a plain mean would join cells that touch."""
    for axis in (0, 1):
        before, here, after = _neighbors(values, axis)
        values = here + np.float32(0.5) * (before + after)
    return values


def _maxima(values: Floats) -> NDArray[np.intp]:
    top = values
    for axis in (0, 1):
        top = np.maximum.reduce(_neighbors(top, axis))
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
