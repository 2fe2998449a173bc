"""Suggested marks: where on a count map the counted cells lie. numpy only."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Standard deviation in map pixels of what one cell leaves on the map (`ml.targets.SIGMA`, a bit
# more for what the net adds).
SIGMA = 0.9
# Map pixels as far as this from a mark may be its cell's: three standard deviations hold 99 %.
REACH = 3 * SIGMA


def find(count_map: Floats, number: int) -> list[tuple[float, float]]:
    """Return `number` points (x, y) in map pixels, the strongest first.

    Takes the highest local maxima of the map, removes what one cell each would leave, and looks
    again until there are enough: two cells that touch are one maximum at first.
    """
    rest = np.maximum(count_map.astype(np.float32), 0.0)
    found: list[tuple[float, float]] = []
    taken = np.zeros(np.add(rest.shape, 2), dtype=bool)
    while len(found) < number:
        smooth = _smooth(rest)
        peaks = _maxima(smooth)
        if not len(peaks):
            break
        # Nobody sees a mark on top of another: all else that is left comes before a second one.
        free = peaks[~taken[peaks[:, 0] + 1, peaks[:, 1] + 1]]
        if len(free):
            peaks = free
        else:
            taken[:] = False
        strength = smooth[peaks[:, 0], peaks[:, 1]]
        order = np.argsort(-strength, kind="stable")
        # Weak maxima may be the flank of a strong one: they wait until that is taken away.
        strong = peaks[order[strength[order] >= 0.5 * strength[order[0]]]]
        chosen = []
        for row, column in strong.tolist():
            # A cell between two map pixels makes both a maximum: it is taken once.
            if not taken[row + 1, column + 1]:
                taken[row : row + 3, column : column + 3] = True
                chosen.append((row, column))
        points = _centers(rest, np.array(chosen[: number - len(found)]))
        found += [(x, y) for x, y in points.tolist()]
        rest = np.maximum(rest - _left_by(points, *rest.shape), 0.0)
    # An empty map has no maxima left; what is missing is put in its middle, for a person to move.
    height, width = count_map.shape
    found += [(width / 2, height / 2)] * (number - len(found))
    return found


def undecided(count_map: Floats, points: Sequence[tuple[float, float]]) -> float:
    """Return how many cells a map leaves undecided: 0 where each mark holds just one.

    A mark holds what lies within `REACH` and nearer to it than to any other. Of the m cells that
    it holds, m |1 - m| are undecided: below 1 the variance of a yes or no of chance m. What no
    mark holds is undecided as a whole.
    """
    values = count_map.astype(np.float64).ravel()
    if not len(points):
        return float(values.sum())
    height, width = count_map.shape
    at = np.array(points)
    steps = np.arange(-math.ceil(REACH), math.ceil(REACH) + 1)
    columns, rows = (np.floor(at[:, i, None]).astype(np.intp) + steps for i in (0, 1))
    down, across = rows + 0.5 - at[:, 1:], columns + 0.5 - at[:, :1]
    apart = np.square(down)[:, :, None] + np.square(across)[:, None, :]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & ((columns >= 0) & (columns < width))[
        :, None, :
    ]
    mark, row, column = np.nonzero(inside & (apart <= REACH**2))
    place, apart = rows[mark, row] * width + columns[mark, column], apart[mark, row, column]
    nearest = np.full(len(values), np.inf)
    np.minimum.at(nearest, place, apart)
    own = apart == nearest[place]
    mark, place = mark[own], place[own]
    # Marks on one spot share what lies there.
    shared = np.bincount(place, minlength=len(values))
    held = np.bincount(mark, values[place] / shared[place], minlength=len(at))
    return float((held * np.abs(1.0 - held)).sum() + values[shared == 0].sum())


def strongest(count_map: Floats) -> float:
    """Return the most that any place of a map (3 x 3 map pixels) holds, in cells."""
    down = _neighbors(count_map, 0)
    across = _neighbors(down[0] + down[1] + down[2], 1)
    return float((across[0] + across[1] + across[2]).max())


def _neighbors(values: Floats, axis: int) -> tuple[Floats, Floats, Floats]:
    """Return each value's left neighbor, itself and its right neighbor along an axis; 0 beyond."""
    height, width = values.shape
    # np.pad takes a third of all the time that marks take.
    if axis == 0:
        wide = np.zeros((height + 2, width), values.dtype)
        wide[1:-1] = values
        return wide[:-2], wide[1:-1], wide[2:]
    wide = np.zeros((height, width + 2), values.dtype)
    wide[:, 1:-1] = values
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
        before, here, after = _neighbors(top, axis)
        top = np.maximum(np.maximum(before, here), after)
    return np.argwhere((values >= top) & (values > 1e-4))


def _centers(values: Floats, places: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return [n, 2], x and y in map pixels: the center of what lies about each (row, column)."""
    wide = np.zeros((values.shape[0] + 2, values.shape[1] + 2))
    wide[1:-1, 1:-1] = values
    steps = np.arange(3)
    rows, columns = places[:, :1] + steps, places[:, 1:] + steps
    near = wide[rows[:, :, None], columns[:, None, :]]
    across, down = near.sum(axis=1), near.sum(axis=2)
    total = near.sum(axis=(1, 2))[:, None]
    # `wide` begins one pixel before the map, and a pixel's middle lies half a pixel inside it.
    x = (across * (columns - 0.5)).sum(axis=1, keepdims=True) / total
    y = (down * (rows - 0.5)).sum(axis=1, keepdims=True) / total
    return np.hstack([x, y])


def _left_by(points: NDArray[np.float64], height: int, width: int) -> Floats:
    """Return what one cell at each point leaves on a map: Gaussians that sum to 1 inside it."""
    down, across = (
        np.exp(-0.5 * ((np.arange(length) + 0.5 - centers[:, None]) / SIGMA) ** 2)
        for length, centers in ((height, points[:, 1]), (width, points[:, 0]))
    )
    sums = down.sum(axis=1, keepdims=True) * across.sum(axis=1, keepdims=True)
    return np.asarray((down / sums).T @ across, dtype=np.float32)
