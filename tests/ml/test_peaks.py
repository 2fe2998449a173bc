"""Suggested marks: as many as counted, where the map has its cells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml import peaks
from ml.targets import mark_map


def drawn(points: list[tuple[float, float]], height: int = 30, width: int = 40) -> np.ndarray:
    """A map with one cell at each point (x, y in map pixels)."""
    rows = np.array([(0.0, x, y) for x, y in points], dtype=np.float32).reshape(-1, 3)
    return mark_map(rows, 1, height, width, 1)[0]


def worst(wanted: list[tuple[float, float]], found: list[tuple[float, float]]) -> float:
    """Distance of the wanted point that is furthest from all found ones."""
    apart = np.hypot(*(np.array(wanted)[:, None] - np.array(found)[None]).transpose(2, 0, 1))
    return float(apart.min(axis=1).max())


def test_cells_apart_are_found_where_they_are() -> None:
    wanted = [(5.2, 4.7), (20.0, 4.0), (33.4, 25.6), (12.5, 20.5), (0.6, 15.0), (39.5, 29.5)]
    found = peaks.find(drawn(wanted), 6)
    assert len(found) == 6
    assert worst(wanted, found) < 0.8


@pytest.mark.parametrize("gap", [1.5, 2.0, 3.0])
def test_two_cells_that_touch_get_two_marks(gap: float) -> None:
    wanted = [(15.0, 15.0), (15.0 + gap, 15.0)]
    found = peaks.find(drawn(wanted), 2)
    assert worst(wanted, found) < 1.0


def test_the_strongest_come_first() -> None:
    weak, strong = drawn([(8.0, 8.0)]), drawn([(30.0, 20.0)])
    found = peaks.find(0.5 * weak + 0.9 * strong, 1)
    assert np.hypot(found[0][0] - 30.0, found[0][1] - 20.0) < 0.8


def test_no_mark_lies_on_another_while_something_else_is_left() -> None:
    """Where the net saw more than one cell but less than two, a fainter one may be the other."""
    bright, faint = drawn([(8.0, 8.0)]), drawn([(30.0, 20.0)])
    count_map = 1.7 * bright + 0.3 * faint
    assert worst([(8.0, 8.0), (30.0, 20.0)], peaks.find(count_map, 2)) < 0.8
    assert len(peaks.find(count_map, 3)) == 3


def test_an_empty_map_puts_what_is_missing_in_its_middle() -> None:
    assert peaks.find(np.zeros((10, 20), dtype=np.float32), 2) == [(10.0, 5.0)] * 2
    assert peaks.find(drawn([(5.0, 5.0)]), 0) == []


def undecided(count_map: np.ndarray) -> float:
    """What a map leaves undecided, with as many marks as it counts."""
    return peaks.undecided(count_map, peaks.find(count_map, int(count_map.sum() + 0.5)))


def test_what_a_map_is_sure_of_is_decided_and_the_rest_is_not() -> None:
    sure, doubtful = drawn([(8.0, 8.0), (11.0, 8.0), (20.0, 25.0)]), drawn([(30.0, 12.0)])
    assert undecided(sure) < 0.1
    assert undecided(np.zeros((10, 20), dtype=np.float32)) == 0.0
    # A cell that is there by a chance of 0.6 or 0.4: marked, or no mark of it.
    for mass, left in ((0.6, 0.6 * 0.4), (0.4, 0.4)):
        assert undecided(sure + mass * doubtful) - undecided(sure) == pytest.approx(left, abs=0.03)
    # Two cells under one mark.
    two = 2.0 * drawn([(8.0, 8.0)])
    assert peaks.undecided(two, [(8.0, 8.0)]) == pytest.approx(2.0, abs=0.1)
    # Marks on one spot share it.
    assert peaks.undecided(two, [(8.0, 8.0), (8.0, 8.0)]) == pytest.approx(0.0, abs=0.1)


def test_two_pictures_in_one_leave_as_much_undecided_as_each() -> None:
    rng = np.random.default_rng(0)
    one, other = (
        sum(
            (m * drawn([(x, y)]) for x, y, m in rng.uniform((5, 5, 0.5), (35, 25, 1.3), (6, 3))),
            start=np.zeros((30, 40), dtype=np.float32),
        ).astype(np.float32)
        for _ in range(2)
    )
    apart = [peaks.undecided(each, peaks.find(each, 5)) for each in (one, other)]
    points = [(x + left, y) for left, m in ((0, one), (40, other)) for x, y in peaks.find(m, 5)]
    assert peaks.undecided(np.hstack([one, other]), points) == pytest.approx(sum(apart), abs=1e-5)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 24), st.integers(1, 24))
def test_there_are_always_as_many_as_counted_and_all_inside(
    seed: int, number: int, height: int, width: int
) -> None:
    rough = np.random.default_rng(seed).normal(0.0, 0.2, (height, width)).astype(np.float32)
    before = rough.copy()
    found = peaks.find(rough, number)
    assert len(found) == number
    assert all(0 <= x <= width and 0 <= y <= height for x, y in found)
    assert np.array_equal(rough, before)
