"""Round fields on a dark surround, as a phone at the eyepiece takes them, count like others."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.round import KINDS, Kind, circle, rounded
from benchmarks.spoiled import blurred, exposed, faint, vignetted
from benchmarks.strangers import inverted
from ml.augment import VISIBLE, Augmenter, Zoom, load
from ml.data import Field
from ml.predict import FieldPrediction, Predictor
from ml.synthetic import SyntheticField, render

CELL_PX = 60.0
MICRONS = 7.5 / CELL_PX


@pytest.fixture(scope="module")
def fields() -> list[SyntheticField]:
    return [render(seed, red_cells=40, white_cells=0, cell_px=CELL_PX) for seed in (1, 5)]


def shows(field: SyntheticField, kind: Kind) -> int:
    """Return how many red cells lie inside the circle, enough of them."""
    x, y, radius = circle(field.image.size, kind)
    deep = radius + CELL_PX / 2 - VISIBLE * CELL_PX
    return sum(
        code == "RBC" and math.hypot(at_x - x, at_y - y) <= deep for code, at_x, at_y in field.marks
    )


def outside(told: FieldPrediction, size: tuple[int, int], kind: Kind) -> list[float]:
    """Return how far the marks lie beyond the circle."""
    x, y, radius = circle(size, kind)
    return [away for m in told.marks if (away := math.hypot(m.x - x, m.y - y) - radius) > 0.0]


@pytest.mark.parametrize("name", KINDS)
def test_a_round_field_is_counted_as_what_it_shows(
    base: Predictor, fields: list[SyntheticField], name: str
) -> None:
    kind = KINDS[name]
    for field in fields:
        (told,) = base.predict([rounded(field.image, kind)])
        true = shows(field, kind)
        assert told.counts["RBC"].value == pytest.approx(true, abs=max(2.0, 0.12 * true))
        assert told.counts["WBC"].value == 0
        assert not told.novel
        assert told.quality.faults == ()
        assert outside(told, field.image.size, kind) == []
        # The map lies over the given picture, and holds no cells in its surround.
        height, width = told.count_map.shape[1:]
        assert width * told.map_step == pytest.approx(640, abs=2 * told.map_step)
        assert height * told.map_step == pytest.approx(480, abs=2 * told.map_step)


def test_a_field_seen_aslant_is_round_enough(base: Predictor, fields: list[SyntheticField]) -> None:
    for field in fields:
        seen = rounded(field.image, Kind(surround=10.0))
        aslant = seen.resize((seen.width, round(0.97 * seen.height)))
        straight, told = base.predict([seen, aslant])
        assert told.counts["RBC"].value == pytest.approx(straight.counts["RBC"].value, abs=2)
        assert not told.novel


def test_a_large_round_field_is_counted_at_the_scale_told_and_searched(base: Predictor) -> None:
    kind = Kind(radius=0.5, surround=8.0, soft=0.02, right=0.1)
    field = render(3, width=1900, height=1300, red_cells=330, white_cells=0, cell_px=CELL_PX)
    image = rounded(field.image, kind)
    for told in base.predict([image, image], [None, MICRONS]):
        assert told.counts["RBC"].value == pytest.approx(shows(field, kind), rel=0.1)
        assert not told.novel
        assert outside(told, field.image.size, kind) == []


def test_dark_parts_that_are_no_surround_are_left(
    base: Predictor, fields: list[SyntheticField]
) -> None:
    image = fields[0].image
    black = Image.new("RGB", image.size)
    clump = image.copy()
    clump.paste(black.crop((0, 0, 150, 200)), (0, 100))
    for other in (
        image,
        vignetted(0.6)(image, CELL_PX),
        exposed(0.1)(image, CELL_PX),
        inverted(image, CELL_PX),
        clump,
        black,
    ):
        assert base.prepare(other, None).circle is None
        assert base.prepare(other, None).image == other
    (told,) = base.predict([black])
    assert told.novel
    assert told.quality.faults == ("dark",)
    assert told.counts["RBC"].value == 0


def test_a_round_field_is_judged_by_what_it_shows(
    base: Predictor, fields: list[SyntheticField]
) -> None:
    kind = Kind()
    sharp = fields[0].image
    for spoil, fault in ((blurred(0.2), "blurred"), (exposed(0.2), "dark"), (faint(0.2), "faint")):
        plain, seen = spoil(sharp, CELL_PX), rounded(spoil(sharp, CELL_PX), kind)
        whole, told = base.predict([plain, seen])
        assert fault in whole.quality.faults
        assert fault in told.quality.faults
    (told,) = base.predict([rounded(inverted(sharp, CELL_PX), kind)])
    assert told.novel


def test_training_sees_what_is_counted(base: Predictor, fields: list[SyntheticField]) -> None:
    image = rounded(fields[0].image, Kind())
    config = base.bundle.config
    work = base.prepare(image, MICRONS)
    field = Field("round", Path("round.png"), {"RBC": 20})
    item = load(field, image, CELL_PX, config.cell_types, config.input)
    assert item.circle == work.circle
    assert item.light == pytest.approx(work.light)
    assert np.array_equal(np.asarray(item.image), np.asarray(work.image))


def test_turned_views_know_where_the_field_is(
    base: Predictor, fields: list[SyntheticField]
) -> None:
    config = base.bundle.config
    image = rounded(fields[0].image, KINDS["off the middle"])
    field = Field("round", Path("round.png"), {"RBC": 20})
    item = load(field, image, CELL_PX, config.cell_types, config.input)
    augmenter = Augmenter(config.input, Zoom(calm=1.0), np.random.default_rng(0))
    for _ in range(8):
        view = augmenter.whole(item)
        height, width = view.picture.shape[:2]
        assert view.circle is not None
        edge = replace(view.circle, radius=view.circle.radius + 2.0 / width)
        inside = edge.inside(height, width, width)
        assert np.abs(view.picture[~inside]).max() < 0.01
        assert view.picture[inside].mean() > 0.05
