"""Intervals that cover what they say, and a score for pictures unlike the known ones."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml import calibrate
from ml.calibrate import Residual, Spread

RAW = st.floats(0.0, 500.0)
UNDECIDED = st.none() | st.floats(0.0, 50.0)
SPREADS = st.builds(Spread, st.floats(0.0, 5.0), st.floats(0.0, 5.0), st.integers(1, 500))


def counted(
    rng: np.random.Generator, n: int, least: float = 0.2, most: float = 4.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Raw predictions, the cells they leave undecided, and true counts off by as much."""
    raw = rng.uniform(4.0, 40.0, n)
    undecided = np.exp(rng.uniform(np.log(least), np.log(most), n))
    return raw, undecided, misled(rng, raw, undecided, rng.standard_normal(n))


def misled(
    rng: np.random.Generator, raw: np.ndarray, undecided: np.ndarray, common: np.ndarray
) -> np.ndarray:
    """Return true counts: off cell by cell, and in all cells alike."""
    alone = np.sqrt(undecided) * rng.standard_normal(len(raw))
    return np.maximum(0, np.rint(raw + alone + undecided * (0.3 + common)))


def learned(rng: np.random.Generator, n: int) -> Spread:
    """Return the spread that such fields give."""
    fields = zip(*counted(rng, n), strict=True)
    return calibrate.quantiles([Residual(t - r, calibrate.unit(r, u)) for r, u, t in fields])


def covered(fields: Iterable[tuple[float, float, float]], spread: Spread) -> float:
    """Return the share of true counts inside their intervals."""
    held = []
    for raw, undecided, true in fields:
        low, high = calibrate.interval(float(raw), spread, float(undecided))
        held.append(low <= true <= high)
    return float(np.mean(held))


@pytest.mark.parametrize("n", [60, 300])
def test_new_fields_are_covered_as_often_as_said(n: int) -> None:
    rng = np.random.default_rng(0)
    shares = [covered(zip(*counted(rng, 200), strict=True), learned(rng, n)) for _ in range(40)]
    assert 0.88 <= np.mean(shares) <= 0.96


def test_easy_fields_hard_ones_and_large_pictures_are_covered_alike() -> None:
    rng = np.random.default_rng(2)
    spread = learned(rng, 600)
    for least, most in ((0.5, 1.0), (2.0, 4.0)):
        fields = zip(*counted(rng, 2000, least, most), strict=True)
        assert 0.85 <= covered(fields, spread) <= 0.95
    # As many cells as nine such fields have, in one picture.
    raw, undecided, _ = counted(rng, 2000)
    true = misled(rng, 9 * raw, 9 * undecided, rng.standard_normal(2000))
    assert 0.85 <= covered(zip(9 * raw, 9 * undecided, true, strict=True), spread) <= 0.95


def test_a_bias_is_seen_by_the_intervals() -> None:
    """A counter that always says two too few gets intervals that reach up, not down."""
    spread = calibrate.quantiles([Residual(2.0, 1.0)] * 50)
    assert (spread.below, spread.above) == (0.0, 2.0)


def test_few_residuals_give_wider_intervals() -> None:
    rng = np.random.default_rng(1)
    residuals = [Residual(off, 1.0) for off in rng.standard_normal(400)]
    few = [calibrate.quantiles(residuals[i : i + 8]) for i in range(0, 400, 8)]
    many = calibrate.quantiles(residuals)
    assert np.mean([spread.above for spread in few]) > many.above
    assert np.mean([spread.deviation for spread in few]) > many.deviation > 0.9
    with pytest.raises(ValueError, match="No residuals"):
        calibrate.quantiles([])


def test_a_rare_error_is_in_the_deviation_where_the_interval_does_not_see_it() -> None:
    """As of white cells: 97 counts of 100 are right, and a sum goes by the other three."""
    spread = calibrate.quantiles([Residual(0.0, 0.5)] * 97 + [Residual(1.0, 0.5)] * 3)
    assert calibrate.interval(1.0, spread, None) == (1, 1)
    # Three squared errors over a hundred squared units: 3 / 25.
    assert spread.deviation == pytest.approx(0.12**0.5)
    assert calibrate.deviation(3.0, spread, None) == pytest.approx(2 * 0.12**0.5)
    assert calibrate.deviation(3.0, Spread(1.0, 1.0, 100), None) is None


def test_the_wider_of_two_spreads_keeps_what_is_known() -> None:
    own, base = Spread(1.0, 2.0, 4, 0.5), Spread(1.5, 1.0, 657, 0.7)
    assert own.at_least(base) == Spread(1.5, 2.0, 4, 0.7)
    before = Spread(0.1, 0.1, 657)
    assert own.at_least(before) == own
    assert before.at_least(before) == before


@given(RAW, SPREADS, UNDECIDED)
def test_an_interval_is_whole_not_negative_and_holds_the_count(
    raw: float, spread: Spread, undecided: float | None
) -> None:
    low, high = calibrate.interval(raw, spread, undecided)
    assert isinstance(low, int)
    assert isinstance(high, int)
    assert 0 <= low <= calibrate.rounded(raw) <= high


@given(RAW, RAW, SPREADS, UNDECIDED)
def test_a_higher_count_never_has_a_lower_interval(
    a: float, b: float, spread: Spread, undecided: float | None
) -> None:
    few, many = (calibrate.interval(raw, spread, undecided) for raw in sorted((a, b)))
    assert few[1] <= many[1]
    # Below 1 cell the lower end rests at 0, and -x / sqrt(x + 1) may not rise yet.
    if undecided is not None or spread.below <= 2.0:
        assert few[0] <= many[0]


@given(RAW, SPREADS, st.floats(0.0, 2.0), st.floats(0.0, 50.0))
def test_more_doubt_never_makes_an_interval_shorter(
    raw: float, s: Spread, more: float, undecided: float
) -> None:
    low, high = calibrate.interval(raw, s, undecided)
    wider = Spread(s.below + more, s.above + more, s.n)
    for lower, higher in (
        calibrate.interval(raw, wider, undecided),
        calibrate.interval(raw, s, undecided + more),
    ):
        assert lower <= low
        assert higher >= high


@pytest.mark.parametrize(("raw", "interval"), [(0.0, (0, 0)), (3.0, (2, 4)), (24.0, (22, 26))])
def test_intervals_of_bundles_of_before_grow_with_the_root_of_the_count(
    raw: float, interval: tuple[int, int]
) -> None:
    spread = Spread(0.53, 0.54, 657)
    assert calibrate.interval(raw, spread, None) == interval


@pytest.mark.parametrize(("raw", "whole"), [(-0.4, 0), (0.49, 0), (0.5, 1), (1.5, 2), (2.49, 2)])
def test_halves_go_up(raw: float, whole: int) -> None:
    assert calibrate.rounded(raw) == whole


def test_known_pictures_are_known_and_far_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    mix = rng.standard_normal((12, 12))
    groups = np.repeat(["one lab", "another"], 300)
    shift = np.where(groups == "one lab", 0.0, 9.0)[:, None]
    features = rng.standard_normal((600, 12)) @ mix + shift
    novelty = calibrate.fit_novelty(features, list(groups))
    known = [novelty.score(row) >= calibrate.NOVELTY_THRESHOLD for row in features]
    assert np.mean(known) <= 2 * calibrate.FALSE_ALARMS
    # Half-way between two labs lies no lab.
    far = rng.standard_normal((50, 12)) @ mix + 60.0
    assert all(novelty.score(row) > 0.9 for row in far)

    wider = novelty.with_center(far)
    assert all(wider.score(row) <= novelty.score(row) for row in features)
    assert np.mean([wider.score(row) < calibrate.NOVELTY_THRESHOLD for row in far]) > 0.9


def test_red_cells_outside_of_what_is_known_are_novel_and_somewhat_redder_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    hues = rng.normal([0.43, 0.05], 0.01, (400, 2))
    hues[::50] = np.nan
    features = rng.standard_normal((400, 5))
    fitted = calibrate.fit_novelty(
        features, ["lab"] * 400, calibrate.fit_hue(hues, ["lab"] * 200 + ["other"] * 200)
    )
    middle = features.mean(axis=0)
    gray, swapped, red = np.array([0.33, 0.0]), np.array([0.43, -0.05]), np.array([0.7, 0.3])
    eosin = np.array([0.85, 0.02])
    assert fitted.score(middle, eosin) > calibrate.NOVELTY_THRESHOLD
    assert fitted.score(middle, gray) > calibrate.NOVELTY_THRESHOLD
    assert fitted.score(middle, swapped) > calibrate.NOVELTY_THRESHOLD
    known = [fitted.score(middle, row) for row in (red, np.full(2, np.nan), hues[1])]
    assert max(known) < calibrate.NOVELTY_THRESHOLD
    # A lab whose own slides are that pale teaches it so.
    wider = fitted.with_center(features, rng.normal(gray, 0.01, (400, 2)))
    assert wider.score(middle, gray) < calibrate.NOVELTY_THRESHOLD
    assert wider.score(middle, eosin) > calibrate.NOVELTY_THRESHOLD
    # Likewise one whose slides are that red.
    wider = fitted.with_center(features, rng.normal(eosin, 0.01, (400, 2)))
    assert wider.score(middle, eosin) < calibrate.NOVELTY_THRESHOLD
    # What is written is read again.
    kept = calibrate.Calibration({}, fitted)
    again = calibrate.Calibration.from_dict(json.loads(json.dumps(kept.to_dict())))
    for hue in (gray, swapped, eosin):
        assert again.novelty.score(middle, hue) == pytest.approx(
            fitted.score(middle, hue), abs=1e-3
        )


def test_fields_without_a_hue_teach_none() -> None:
    hue = calibrate.fit_hue(np.array([[0.44, 0.1], [0.46, 0.0]] * 20), ["a"] * 40)
    wider = hue.wider(np.full((4, 2), np.nan))
    for seen in ([0.33, 0.0], [0.44, 0.05], [0.9, 0.1]):
        assert wider.ratio(np.array(seen)) == hue.ratio(np.array(seen))


def test_a_type_without_residuals_claims_no_certainty() -> None:
    low, high = calibrate.interval(2.1, Spread(3.0, 3.0, 0), 0.0)
    assert (low, high) == (0, 7)
    assert calibrate.interval(2.1, Spread(3.0, 3.0, 30), 0.0) == (2, 2)


def test_a_bundle_that_knows_no_most_sets_none() -> None:
    """Bundles made before had none; retraining on a study's fields leaves them so."""
    rng = np.random.default_rng(0)
    older = calibrate.Hue.from_dict({"usual": [0.43, 0.05], "least": [0.4, 0.0]})
    for hue in (older, older.wider(rng.normal([0.43, 0.05], 0.01, (40, 2)))):
        assert hue.ratio(np.array([0.95, 0.3])) == 0.0
        assert hue.ratio(np.array([0.33, 0.3])) > 1.0
        assert calibrate.Hue.from_dict(json.loads(json.dumps(hue.to_dict()))).most is None


def test_where_nothing_is_stained_no_hue_is_known() -> None:
    hue = calibrate.fit_hue(np.full((5, 2), np.nan), ["a", "a", "b", "b", "b"])
    assert hue.ratio(np.array([0.0, 0.0])) == 0.0
    assert hue.ratio(np.array([0.9, 0.0])) == 0.0
