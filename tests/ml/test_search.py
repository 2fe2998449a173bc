"""Finding how wide cells are in pictures whose size does not say it: canvases and small cuts."""

from __future__ import annotations

import time

import pytest
from PIL import Image

from ml.predict import FieldPrediction, Predictor
from ml.synthetic import SyntheticField, render


def tiled(made: SyntheticField, across: int, down: int) -> Image.Image:
    """Lay a field beside itself, every other one upside down."""
    width, height = made.image.size
    whole = Image.new("RGB", (across * width, down * height))
    for number in range(across * down):
        column, row = number % across, number // across
        whole.paste(made.image.rotate(180 * ((column + row) % 2)), (column * width, row * height))
    return whole


def counted(base: Predictor, image: Image.Image) -> FieldPrediction:
    (answer,) = base.predict([image])
    return answer


@pytest.mark.parametrize(
    ("side", "cell_px", "across", "down"),
    [(220, 24, 5, 5), (400, 60, 7, 7), (500, 64, 8, 1)],
)
def test_many_small_cells_in_a_large_picture_are_counted(
    base: Predictor, side: int, cell_px: int, across: int, down: int
) -> None:
    number = round(0.35 * side**2 / cell_px**2)
    made = render(7, width=side, height=side, red_cells=number, white_cells=0, cell_px=cell_px)
    answer = counted(base, tiled(made, across, down))
    assert answer.counts["RBC"].raw == pytest.approx(number * across * down, rel=0.12)
    assert cell_px / 1.6 < answer.cell_px < cell_px * 1.6


@pytest.mark.parametrize("number", [1, 2, 3])
def test_few_cells_in_a_small_picture_are_counted(base: Predictor, number: int) -> None:
    for seed in range(3):
        made = render(
            seed, width=200, height=200, red_cells=number, white_cells=0, platelets=0, cell_px=90
        )
        assert abs(counted(base, made.image).counts["RBC"].value - number) <= 1


def test_a_large_picture_of_a_few_large_cells_is_no_crowd(base: Predictor) -> None:
    made = render(2, width=640, height=480, red_cells=20, white_cells=0, cell_px=80)
    large = made.image.resize((2560, 1920), Image.Resampling.BICUBIC)
    assert counted(base, large).counts["RBC"].value == pytest.approx(20, abs=3)


def test_large_and_small_pictures_without_cells_hold_none(base: Predictor) -> None:
    for size in [(200, 200), (3000, 2000)]:
        answer = counted(base, Image.new("RGB", size, (225, 220, 228)))
        assert [count.value for count in answer.counts.values()] == [0, 0, 0]


def test_the_search_costs_less_than_counting_what_it_found(base: Predictor) -> None:
    """Told the width it found, the counter looks once: what is more is the search."""
    made = render(7, width=400, height=400, red_cells=35, white_cells=0, cell_px=40)
    image = tiled(made, 5, 5)
    start = time.process_time()
    answer = counted(base, image)
    searched = time.process_time()
    base.predict([image], [7.5 / answer.cell_px])
    assert searched - start < 2.0 * (time.process_time() - searched)
