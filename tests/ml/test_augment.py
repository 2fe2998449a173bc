"""Training views: what is turned is kept, what is cut is counted anew, light never counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.augment import VISIBLE, Augmenter, Loaded, View, Zoom, least_visible, load
from ml.config import InputConfig
from ml.data import Field, Mark
from tests.ml.making import CELL_PX, WIDTHS, smear

TYPES = ("RBC", "WBC", "PLT")
CONFIG = InputConfig()


def loaded(seed: int, *, marks: bool = True, counted: tuple[str, ...] = TYPES) -> Loaded:
    """A drawn field in memory, with boxes about its marks."""
    made = smear(seed, red_cells=4 + seed % 9, white_cells=seed % 2)
    boxes = [
        Mark(code, x, y, WIDTHS[code] * CELL_PX, WIDTHS[code] * CELL_PX)
        for code, x, y in made.marks
        if marks
    ]
    counts = {code: made.counts[code] for code in counted}
    field = Field("drawn", None, counts, tuple(boxes))  # type: ignore[arg-type]
    return load(field, made.image, CELL_PX, TYPES, CONFIG)


FIELDS = [loaded(seed) for seed in range(4)]
ONLY_COUNTS = loaded(2, marks=False)
seeds = st.integers(0, 2**32 - 1)
anywhere = settings(max_examples=40)


def augmenter(seed: int, **zoom: object) -> Augmenter:
    return Augmenter(CONFIG, Zoom(**zoom), np.random.default_rng(seed))  # type: ignore[arg-type]


def counted(view: View) -> list[int]:
    return [int(np.sum(view.points[:, 0] == index)) for index in range(len(TYPES))]


def check(view: View, height: int, width: int) -> None:
    """What holds of every view."""
    assert view.picture.shape == (height, width, 3)
    assert view.picture.dtype == np.float32
    assert np.isfinite(view.picture).all()
    assert (view.points[:, 1] >= 0).all()
    assert (view.points[:, 1] <= width).all()
    assert (view.points[:, 2] >= 0).all()
    assert (view.points[:, 2] <= height).all()


@anywhere
@given(seeds, st.sampled_from(range(4)))
def test_a_cut_is_counted_anew_from_the_marks(seed: int, number: int) -> None:
    field = FIELDS[number]
    view = augmenter(seed).view(field, 128, 160)
    check(view, 128, 160)
    assert view.counts.tolist() == counted(view)
    assert (view.counts <= field.counts).all()


@anywhere
@given(seeds)
def test_a_field_smaller_than_its_canvas_lies_in_a_corner_of_empty_slide(seed: int) -> None:
    view = augmenter(seed, whole=1.0).view(FIELDS[1], 400, 440)
    check(view, 400, 440)
    left, top, right, bottom = view.field
    assert left == 0 or right == 440
    assert top == 0 or bottom == 400
    shown = np.zeros((400, 440), dtype=bool)
    shown[round(top) : round(bottom), round(left) : round(right)] = True
    assert view.picture[shown].any()
    assert not view.picture[~shown].any()
    assert (view.points[:, 1] >= left - 1).all()
    assert (view.points[:, 1] <= right + 1).all()
    assert (view.points[:, 2] >= top - 1).all()
    assert (view.points[:, 2] <= bottom + 1).all()


@anywhere
@given(seeds)
def test_flips_turns_and_light_keep_every_cell(seed: int) -> None:
    view = augmenter(seed).whole(FIELDS[3])
    check(view, *view.picture.shape[:2])
    assert view.counts.tolist() == FIELDS[3].counts.tolist() == counted(view)
    assert abs(view.log_scale) <= 0.2


@anywhere
@given(seeds)
def test_pictures_as_poor_as_by_hand_keep_every_cell_and_lose_light(seed: int) -> None:
    as_it_is = augmenter(seed).whole(FIELDS[3], plain=True)
    view = augmenter(seed, poor=1.0).whole(FIELDS[3])
    check(view, *view.picture.shape[:2])
    assert view.counts.tolist() == FIELDS[3].counts.tolist() == counted(view)
    # Blur and grain keep the mean density, fall-off adds to it: nothing gets lighter.
    assert view.picture.mean() > 0.95 * as_it_is.picture.mean()


@anywhere
@given(seeds, st.sampled_from([(240, 320), (256, 256), (96, 400)]))
def test_a_field_without_marks_is_never_cut(seed: int, canvas: tuple[int, int]) -> None:
    view = augmenter(seed).view(ONLY_COUNTS, *canvas)
    check(view, *canvas)
    assert view.counts.tolist() == ONLY_COUNTS.counts.tolist()
    # Without marks it is known where cells lie only where there are none.
    assert not (view.marked & (view.counts > 0)).any()
    # All of the field lies on the canvas: its area there is what its zoom says.
    shown = (view.picture != 0).any(axis=2).sum()
    factor = CONFIG.cell_px * 2.0**view.log_scale / ONLY_COUNTS.cell_px
    whole = ONLY_COUNTS.image.width * ONLY_COUNTS.image.height * factor**2
    assert shown >= 0.9 * whole


@anywhere
@given(seeds)
def test_a_mosaic_holds_what_its_four_parts_hold(seed: int) -> None:
    view = augmenter(seed).mosaic(FIELDS, 256, 256)
    check(view, 256, 256)
    assert view.counts.tolist() == counted(view)
    assert np.isnan(view.log_scale)


@anywhere
@given(seeds)
def test_views_too_near_or_far_teach_the_scale_alone(seed: int) -> None:
    view = augmenter(seed, wide_share=1.0, whole=0.0).view(FIELDS[1], 256, 256)
    low, high = Zoom().counted
    assert view.known.all() == view.marked.all() == (low <= view.log_scale <= high)
    assert Zoom().wide[0] <= view.log_scale <= Zoom().wide[1]


def test_what_was_not_counted_stays_unknown() -> None:
    view = augmenter(0).whole(loaded(1, counted=("RBC", "PLT")))
    assert view.known.tolist() == [True, False, True]


def test_marks_turn_with_the_picture() -> None:
    """Where a mark lies there is a cell: darker than the slide, in every turn and zoom."""
    for seed in range(12):
        view = augmenter(seed, wide_share=0.0).view(FIELDS[2], 240, 320)
        red = view.points[view.points[:, 0] == 0]
        inside = red[(red[:, 1] > 8) & (red[:, 1] < 312) & (red[:, 2] > 8) & (red[:, 2] < 232)]
        there = [
            view.picture[int(y) - 4 : int(y) + 4, int(x) - 4 : int(x) + 4] for _, x, y in inside
        ]
        dark = [float(part[..., 1].mean()) for part in there]
        assert np.median(dark) > 2 * np.quantile(view.picture[..., 1], 0.3) + 0.02


def test_a_plain_view_is_the_field_itself_at_the_scale_of_the_net() -> None:
    first, second = (augmenter(seed).whole(FIELDS[0], plain=True) for seed in (1, 2))
    assert np.array_equal(first.picture, second.picture)
    assert first.log_scale == 0.0
    factor = CONFIG.cell_px / FIELDS[0].cell_px
    assert first.picture.shape[1] == pytest.approx(FIELDS[0].image.width * factor, abs=1)


def test_the_generator_decides_everything() -> None:
    first, again, other = (augmenter(seed).view(FIELDS[0], 128, 128) for seed in (5, 5, 6))
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.points, again.points)
    assert not np.array_equal(first.picture, other.picture)


def test_how_much_annotators_want_to_see_at_the_border_is_learned_from_many_cells() -> None:
    assert least_visible(FIELDS) == VISIBLE
    strict = [
        Loaded(**{**vars(FIELDS[0]), "boxes": np.array([[0, 0, 40, 0.6 * CELL_PX, 90]] * 60)})
    ]
    assert least_visible(strict) == pytest.approx(0.6 * CELL_PX / FIELDS[0].cell_px, abs=0.01)
