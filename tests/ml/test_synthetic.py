"""Drawn smear fields: exact counts, believable colors, clear refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ml.synthetic import STAINS, SyntheticField, render, render_slide

Pixels = NDArray[np.float64]


def pixels(field: SyntheticField) -> Pixels:
    return np.asarray(field.image, dtype=np.float64)


def ring(picture: Pixels, x: float, y: float, radius: float) -> Pixels:
    """Mean color on a circle around (x, y), of what lies inside the picture."""
    turn = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    columns = np.rint(x + radius * np.cos(turn)).astype(int)
    rows = np.rint(y + radius * np.sin(turn)).astype(int)
    height, width = picture.shape[:2]
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return np.asarray(picture[rows[inside], columns[inside]].mean(axis=0))


def test_same_seed_gives_the_same_picture_and_another_seed_another() -> None:
    first, again, other = render(7), render(7), render(8)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.marks == again.marks
    assert first.image.tobytes() != other.image.tobytes()


@pytest.mark.parametrize(
    ("width", "height", "cell_px", "red", "white", "small"),
    [
        (640, 480, 90.0, 25, 1, 2),
        (640, 480, 90.0, 0, 0, 0),
        (640, 480, 60.0, 80, 3, 12),
        (360, 360, 79.0, 14, 1, 1),
        (257, 131, 20.0, 40, 2, 5),
        (200, 640, 8.0, 300, 5, 20),
        (32, 32, 90.0, 1, 0, 0),
        (64, 64, 90.0, 0, 1, 0),
    ],
)
def test_marks_agree_with_the_counts_asked_for(
    width: int, height: int, cell_px: float, red: int, white: int, small: int
) -> None:
    field = render(
        3,
        width=width,
        height=height,
        cell_px=cell_px,
        red_cells=red,
        white_cells=white,
        platelets=small,
    )
    assert field.image.mode == "RGB"
    assert field.image.size == (width, height)
    assert field.counts == {"RBC": red, "WBC": white, "PLT": small}
    codes = [code for code, _, _ in field.marks]
    assert {code: codes.count(code) for code in field.counts} == field.counts
    assert len(codes) == red + white + small
    assert all(0 <= x < width and 0 <= y < height for _, x, y in field.marks)


def test_the_fullest_field_can_be_drawn_with_any_seed() -> None:
    with pytest.raises(ValueError, match="at most 43 red cells fit") as refusal:
        render(0, red_cells=500)
    assert "500 red and 1 white cells" in str(refusal.value)
    for seed in range(12):
        assert render(seed, red_cells=43).counts["RBC"] == 43


def test_no_cell_hides_another() -> None:
    cell_px = 90.0
    for seed in range(8):
        field = render(seed, red_cells=40, white_cells=1, platelets=6, cell_px=cell_px)
        spots = np.array([(x, y) for code, x, y in field.marks if code == "RBC"])
        gaps = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1))
        gaps[np.diag_indices(len(spots))] = np.inf
        # Cells are 0.8 to 1.2 of the width asked for, and 0.74 of that apart at the least.
        assert gaps.min() >= 0.74 * 0.8 * cell_px
        white = np.array([(x, y) for code, x, y in field.marks if code == "WBC"])
        away = np.hypot(*(spots - white).T)
        assert away.min() > 0.95 * cell_px


@pytest.mark.parametrize("stain", list(STAINS))
def test_red_cells_are_lighter_in_the_middle_and_darker_than_the_slide(stain: str) -> None:
    middle, thick, outside = [], [], []
    for seed in range(6):
        field = render(seed, red_cells=8, white_cells=0, platelets=0, stain=stain)
        picture = pixels(field)
        for _, x, y in field.marks:
            middle.append(ring(picture, x, y, 4.0))
            thick.append(ring(picture, x, y, 30.0))
            outside.append(ring(picture, x, y, 58.0))
    green = [float(np.median(np.array(part)[:, 1])) for part in (middle, thick, outside)]
    assert green[1] + 8 < green[0] < green[2]


@pytest.mark.parametrize("stain", list(STAINS))
def test_white_cells_have_nuclei_darker_and_bluer_than_red_cells(stain: str) -> None:
    for seed in range(6):
        field = render(
            seed, width=400, height=400, red_cells=5, white_cells=1, platelets=0, stain=stain
        )
        picture = pixels(field)
        (at,) = [(x, y) for code, x, y in field.marks if code == "WBC"]
        rows, columns = np.ogrid[:400, :400]
        near = np.hypot(columns - at[0], rows - at[1]) < 45
        # The nucleus is what lets through the least green light near the white cell's center.
        green = picture[:, :, 1]
        nucleus = picture[near & (green <= np.quantile(green[near], 0.15))].mean(axis=0)
        red = np.median(
            [ring(picture, x, y, 28.0) for code, x, y in field.marks if code == "RBC"], axis=0
        )
        assert nucleus.sum() < red.sum()
        assert nucleus[2] - nucleus[0] > red[2] - red[0] + 20


def test_platelets_are_purple_spots_on_their_marks() -> None:
    for seed in range(4):
        field = render(seed, red_cells=0, white_cells=0, platelets=5, stain="wright")
        picture = pixels(field)
        slide = np.median(picture.reshape(-1, 3), axis=0)
        for _, x, y in field.marks:
            spot = ring(picture, x, y, 4.0)
            assert spot[1] < slide[1] - 15
            assert spot[2] > spot[1]


def test_every_stain_colors_the_slide_differently() -> None:
    slides = {
        name: np.median(
            pixels(render(5, red_cells=2, white_cells=0, platelets=0, stain=name)).reshape(-1, 3),
            axis=0,
        )
        for name in STAINS
    }
    assert set(slides) >= {"may-gruenwald-giemsa", "wright", "giemsa", "pale"}
    names = list(slides)
    for i, one in enumerate(names):
        for two in names[i + 1 :]:
            assert np.abs(slides[one] - slides[two]).max() > 8


def test_without_a_stain_one_is_drawn() -> None:
    skies = {tuple(np.rint(pixels(render(seed))[0, 0] / 16)) for seed in range(12)}
    assert len(skies) > 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seed": -1}, "seed must be 0 or more"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"width": 31}, "width must be from 32 to 4096"),
        ({"height": 4097}, "height must be from 32 to 4096"),
        ({"height": "480"}, "height must be a whole number"),
        ({"red_cells": -1}, "red_cells must be from 0"),
        ({"white_cells": 2.5}, "white_cells must be a whole number"),
        ({"white_cells": 60}, "60 white cells would hide each other"),
        ({"platelets": -2}, "platelets must be from 0"),
        ({"platelets": 900}, "900 platelets and 1 white cells would hide each other"),
        ({"red_cells": 4000, "platelets": 4000}, "At most 5000 cells"),
        ({"cell_px": 7.9}, "cell_px must be from 8 to 1024"),
        ({"cell_px": float("nan")}, "cell_px must be from 8 to 1024"),
        ({"cell_px": None}, "cell_px must be a number"),
        ({"stain": "purple"}, "There is no stain 'purple'"),
    ],
)
def test_arguments_out_of_bounds_are_refused_with_a_sentence(
    arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as refusal:
        render(**{"seed": 0, **arguments})
    assert str(refusal.value).endswith(".")


def test_a_slide_keeps_its_stain_and_varies_its_counts() -> None:
    fields = list(render_slide(11, 8, platelets=4))
    assert len(fields) == 8
    assert len({field.counts["RBC"] for field in fields}) > 2
    assert len({field.counts["PLT"] for field in fields}) > 2
    for field in fields:
        codes = [code for code, _, _ in field.marks]
        assert {code: codes.count(code) for code in field.counts} == field.counts
    skies = np.array([np.quantile(pixels(field), 0.9, axis=(0, 1)) for field in fields])
    assert np.ptp(skies, axis=0).max() < 8
    again = list(render_slide(11, 3, platelets=4))
    assert [field.image.tobytes() for field in again] == [
        field.image.tobytes() for field in fields[:3]
    ]


def test_a_slide_with_no_fields_is_empty_and_bad_arguments_are_refused_at_once() -> None:
    assert list(render_slide(0, 0)) == []
    with pytest.raises(ValueError, match="fields must be 0 or more"):
        render_slide(0, -1)
    with pytest.raises(ValueError, match="hide each other"):
        render_slide(0, 5, red_cells=300)
    with pytest.raises(ValueError, match="There is no stain"):
        render_slide(0, 5, stain="none")
