"""Counting in pictures with the shipped bundle: what comes out, and that it holds together."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ml import calibrate, peaks, pictures
from ml.evaluate import CHUNK
from ml.predict import FieldPrediction, Predictor
from ml.synthetic import SyntheticField, render
from tests.ml.conftest import Cli
from tests.ml.making import smear

TYPES = ["RBC", "WBC", "PLT"]
# Micrometers per pixel of a drawn field: a red cell is 90 pixels wide in it, and 7.5 um.
MICRONS = 7.5 / 90


@pytest.fixture(scope="module")
def fields() -> list[SyntheticField]:
    return [render(seed, red_cells=12 + 5 * seed) for seed in range(4)]


@pytest.fixture(scope="module")
def told(base: Predictor, fields: list[SyntheticField]) -> list[FieldPrediction]:
    return base.predict([field.image for field in fields])


def raws(told: FieldPrediction) -> list[float]:
    return [count.raw for count in told.counts.values()]


def zoomed(image: Image.Image, by: float) -> Image.Image:
    size = (round(image.width * by), round(image.height * by))
    return image.resize(size, Image.Resampling.BICUBIC)


def test_drawn_cells_are_counted(told: list[FieldPrediction], fields: list[SyntheticField]) -> None:
    for field, answer in zip(fields, told, strict=True):
        assert abs(answer.counts["RBC"].value - field.counts["RBC"]) <= 3
        assert not answer.novel


def test_a_count_is_the_sum_of_its_map_and_has_as_many_marks(told: list[FieldPrediction]) -> None:
    for answer in told:
        assert list(answer.counts) == TYPES
        height, width = answer.count_map.shape[1:]
        assert len(answer.count_map) == len(TYPES)
        assert width * answer.map_step == pytest.approx(640, abs=2 * answer.map_step)
        assert height * answer.map_step == pytest.approx(480, abs=2 * answer.map_step)
        for layer, (code, count) in zip(answer.count_map, answer.counts.items(), strict=True):
            assert layer.min() >= 0.0
            assert count.raw == pytest.approx(layer.sum(dtype=np.float64))
            assert abs(count.value - count.raw) <= 0.5
            assert 0 <= count.low <= count.value <= count.high
            own = [mark for mark in answer.marks if mark.cell_type == code]
            assert len(own) == count.value
        assert all(0 <= mark.x < 640 and 0 <= mark.y < 480 for mark in answer.marks)


def test_intervals_go_by_the_map_and_those_of_bundles_of_before_by_the_count(
    small: Path, older: Path
) -> None:
    image = smear(3).image
    for path in (small, older):
        predictor = Predictor(path, 1)
        answer = predictor.predict([image])[0]
        for layer, (code, count) in zip(answer.count_map, answer.counts.items(), strict=True):
            undecided = peaks.undecided(layer, peaks.find(layer, count.value))
            spread = predictor.bundle.calibration.spreads[code]
            told = calibrate.interval(count.raw, spread, undecided if path == small else None)
            assert (count.low, count.high) == told
            if path == small:
                assert spread.deviation is not None
                off = spread.deviation * calibrate.unit(count.raw, undecided)
                assert answer.to_dict()["counts"][code]["deviation"] == pytest.approx(off, abs=1e-4)
            else:
                assert "deviation" not in answer.to_dict()["counts"][code]


def test_marks_lie_on_cells(told: list[FieldPrediction], fields: list[SyntheticField]) -> None:
    for field, answer in zip(fields, told, strict=True):
        cells = np.array([(x, y) for code, x, y in field.marks if code == "RBC"])
        marks = [(mark.x, mark.y) for mark in answer.marks if mark.cell_type == "RBC"]
        apart = np.hypot(*(np.array(marks)[:, None] - cells[None]).transpose(2, 0, 1))
        assert np.mean(apart.min(axis=1) < 45) > 0.85


def test_pictures_together_count_as_each_alone(
    base: Predictor, told: list[FieldPrediction], fields: list[SyntheticField]
) -> None:
    for field, answer in zip(fields, told, strict=True):
        (alone,) = base.predict([field.image])
        assert raws(alone) == pytest.approx(raws(answer), abs=0.01)
        assert alone.novelty == pytest.approx(answer.novelty, abs=0.001)
    assert base.predict([]) == []


def test_pictures_of_several_sizes_keep_their_order(base: Predictor) -> None:
    made = [smear(5), render(5, red_cells=30), smear(6, width=240, height=320), smear(5)]
    answers = base.predict([field.image for field in made])
    assert raws(answers[0]) == pytest.approx(raws(answers[3]), abs=0.01)
    assert answers[1].counts["RBC"].value > 2 * answers[0].counts["RBC"].value
    assert answers[2].count_map.shape[1] > answers[2].count_map.shape[2]


def test_a_large_picture_in_tiles_counts_as_at_once(
    base: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = render(9, width=2300, height=1700, red_cells=260, white_cells=4, platelets=20)
    (tiles,) = base.predict([made.image], [MICRONS])
    monkeypatch.setattr("ml.look.CHUNK", 10_000_000)
    (whole,) = base.predict([made.image], [MICRONS])
    assert raws(tiles) == pytest.approx(raws(whole), rel=0.01, abs=0.05)
    assert tiles.count_map == pytest.approx(whole.count_map, abs=0.05)
    assert tiles.novelty == pytest.approx(whole.novelty, abs=0.02)
    assert tiles.counts["RBC"].value == pytest.approx(260, rel=0.08)


@pytest.mark.parametrize("by", [0.5, 0.71, 1.41, 2.0])
def test_the_scale_is_found_in_a_picture_zoomed(
    base: Predictor, fields: list[SyntheticField], told: list[FieldPrediction], by: float
) -> None:
    for field, answer in zip(fields[1:3], told[1:3], strict=True):
        (again,) = base.predict([zoomed(field.image, by)])
        assert again.counts["RBC"].raw == pytest.approx(answer.counts["RBC"].raw, rel=0.03)
        assert again.cell_px == pytest.approx(answer.cell_px * by, rel=0.1)


@pytest.mark.parametrize("cell_px", [45, 64, 90, 150])
def test_the_scale_is_found_whatever_share_of_the_picture_a_cell_fills(
    base: Predictor, cell_px: int
) -> None:
    number = round(0.3 * 640 * 480 / cell_px**2)
    made = render(3, red_cells=number, white_cells=0, platelets=0, cell_px=cell_px)
    (answer,) = base.predict([made.image])
    assert answer.counts["RBC"].raw == pytest.approx(number, rel=0.15, abs=1.5)


def test_micrometers_per_pixel_are_taken_at_their_word(
    base: Predictor, fields: list[SyntheticField]
) -> None:
    image = fields[1].image
    right, double = base.predict([image, image], [MICRONS, 2 * MICRONS])
    assert right.cell_px == pytest.approx(90, rel=0.01)
    assert double.cell_px == pytest.approx(45, rel=0.01)
    assert right.counts["RBC"].value == pytest.approx(fields[1].counts["RBC"], abs=3)
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"must be 0\.005 to 10"):
            base.predict([image], [bad])
    with pytest.raises(ValueError, match="one value of micrometers per pixel for each"):
        base.predict([image, image], [MICRONS])


def blank(color: str = "white") -> Image.Image:
    return Image.new("RGB", (640, 480), color)


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8))


def text() -> Image.Image:
    page = blank()
    for top in range(0, 480, 14):
        ImageDraw.Draw(page).text((5, top), "Count the cells of this field. " * 4, fill="black")
    return page


def test_an_empty_slide_holds_nothing(base: Predictor) -> None:
    """With and without micrometers per pixel: there is no cell to take the scale from."""
    drawn = [render(s, red_cells=0, white_cells=0, platelets=0).image for s in range(3)]
    empty = [*drawn, blank(), blank("lavender"), blank("black")]
    for microns in (None, MICRONS):
        for answer in base.predict(empty, [microns] * len(empty)):
            assert [count.value for count in answer.counts.values()] == [0, 0, 0]
            assert answer.marks == []


@pytest.mark.parametrize("number", [1, 2, 4])
def test_a_nearly_empty_slide_holds_a_few_cells(base: Predictor, number: int) -> None:
    for seed in range(3):
        made = render(seed, red_cells=number, white_cells=0, platelets=0)
        (answer,) = base.predict([made.image])
        assert abs(answer.counts["RBC"].value - number) <= 2


@pytest.mark.parametrize("picture", [blank, noise, text])
def test_what_is_no_smear_is_called_novel(
    base: Predictor, told: list[FieldPrediction], picture
) -> None:
    (answer,) = base.predict([picture()])
    assert answer.novel
    assert answer.novelty > max(one.novelty for one in told) + 0.1


def test_a_small_piece_of_a_smear_is_no_stranger_and_a_small_stranger_is(base: Predictor) -> None:
    """Two cells across: the mean over so few map pixels lies further from that of fields."""
    box = (220, 140, 420, 340)
    pieces = [render(seed, width=640, height=480).image.crop(box) for seed in range(6)]
    assert sum(answer.novel for answer in base.predict(pieces)) <= 1
    assert all(answer.novel for answer in base.predict([noise().crop(box), text().crop(box)]))


def test_strong_blur_makes_a_smear_more_novel(
    base: Predictor, fields: list[SyntheticField], told: list[FieldPrediction]
) -> None:
    small = fields[2].image.resize((16, 12), Image.Resampling.BOX)
    (answer,) = base.predict([small.resize((640, 480), Image.Resampling.BICUBIC)])
    assert answer.novelty > told[2].novelty + 0.1


def test_a_file_counts_as_its_picture(base: Predictor, tmp_path: Path) -> None:
    image = smear(3).image
    image.save(tmp_path / "field.png")
    from_file, from_memory = base.predict([tmp_path / "field.png", image])
    assert raws(from_file) == pytest.approx(raws(from_memory))
    with pytest.raises(OSError, match=r"none\.png"):
        base.predict([tmp_path / "none.png"])
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(pictures.BadPicture, match="not a picture"):
        base.predict([tmp_path / "text.png"])


def test_a_picture_has_one_digest_in_every_lossless_file() -> None:
    image = smear(3).image
    digests = set()
    for kind in ("PNG", "BMP", "TIFF"):
        buffer = io.BytesIO()
        image.save(buffer, kind)
        digests.add(pictures.read(buffer.getvalue()).digest)
    turned = io.BytesIO()
    image.rotate(90, expand=True).save(turned, "PNG")
    assert len(digests) == 1
    assert pictures.read(turned.getvalue()).digest not in digests


def test_the_command_tells_counts_as_lines_and_as_json(cli: Cli, tmp_path: Path) -> None:
    paths = [tmp_path / "smear.png", tmp_path / "noise.png"]
    smear(3).image.save(paths[0])
    noise().save(paths[1])
    status, out, aside = cli("predict", *paths, "--json", "--threads", 1)
    rows = json.loads(out)
    assert status == 0
    assert aside.startswith("Counted  2/2  ")
    assert [row["image"] for row in rows] == [str(path) for path in paths]
    counts = rows[0]["counts"]
    assert list(counts) == TYPES
    assert len(rows[0]["marks"]) == sum(count["value"] for count in counts.values())
    assert [row["novel"] for row in rows] == [False, True]

    status, out, _ = cli("predict", *paths)
    lines = out.splitlines()
    red = counts["RBC"]
    assert (status, len(lines)) == (0, 2)
    assert lines[0].startswith(f"{paths[0]}: RBC {red['value']} ({red['low']} to {red['high']}), ")
    assert "does not look like what the model learned from" not in lines[0]
    assert "does not look like what the model learned from" in lines[1]


def test_the_command_refuses_with_a_sentence(cli: Cli, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    smear(1).image.save(good)
    bad.write_bytes(good.read_bytes()[:2000])
    for arguments, words in [
        ((good, bad), f"{bad}: This picture is damaged or cut short"),
        ((good, tmp_path / "none.png"), "none.png: No such file"),
        *(
            ((good, "--microns-per-pixel", value), f"must be 0.005 to 10, not {value}. Leave them")
            for value in ("0", "-2", "0.004", "11", "1e+09", "inf", "nan")
        ),
        ((good, "--bundle", tmp_path), "is not complete"),
    ]:
        status, out, error = cli("predict", *arguments)
        assert (status, out, words in error) == (2, "", True), error


def test_what_was_counted_before_a_broken_picture_is_told(cli: Cli, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    smear(1).image.save(good)
    bad.write_bytes(b"no picture")
    status, out, error = cli("predict", *[good] * CHUNK, bad, "--json")
    assert (status, len(json.loads(out)), str(bad) in error) == (2, CHUNK, True)
