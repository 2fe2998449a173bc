"""Good fields pass; each way in which a picture goes wrong is found and said."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from benchmarks.spoiled import Spoil, aslant, blurred, crowded, exposed, faint, vignetted
from ml.config import RED_CELL_MICRONS, InputConfig
from ml.optics import background, hue, lamp
from ml.predict import Predictor
from ml.quality import FAULTS
from ml.synthetic import STAINS, render
from tests.ml.conftest import Cli

CELL_PX = 90.0
# A drawn field's optics blur by 0.01 of a cell; sharp pictures stay sharp in any size.
SIZES = (0.4, 1.0, 1.5)


@pytest.fixture(scope="module")
def fields() -> list[Image.Image]:
    """One field in each stain."""
    return [render(seed, stain=stain).image for seed, stain in enumerate(STAINS)]


def faults(base: Predictor, images: list[Image.Image]) -> list[set[str]]:
    return [set(told.quality.faults) for told in base.predict(images)]


@pytest.mark.parametrize("by", SIZES)
def test_good_fields_pass_in_any_size(
    base: Predictor, fields: list[Image.Image], by: float
) -> None:
    sizes = [(round(image.width * by), round(image.height * by)) for image in fields]
    images = [
        image.resize(size, Image.Resampling.BICUBIC)
        for image, size in zip(fields, sizes, strict=True)
    ]
    assert faults(base, images) == [set()] * len(fields)


def test_a_small_compressed_field_passes(base: Predictor) -> None:
    image = render(3, width=256, height=256, red_cells=12, cell_px=60.0).image
    file = io.BytesIO()
    image.save(file, "JPEG", quality=75)
    assert faults(base, [Image.open(file)]) == [set()]


@pytest.mark.parametrize(
    ("fault", "spoil"),
    [
        ("blurred", blurred(0.12)),
        ("blurred", blurred(0.12, noise=3.0)),
        ("blurred", blurred(0.25)),
        ("dark", exposed(0.15)),
        ("bright", exposed(3.0)),
        ("faint", faint(0.14)),
        ("crowded", crowded(4)),
        ("uneven", aslant(0.3)),
        ("uneven", vignetted(0.35)),
    ],
)
def test_what_is_wrong_is_found(
    base: Predictor, fields: list[Image.Image], fault: str, spoil: Spoil
) -> None:
    told = faults(base, [spoil(image, CELL_PX) for image in fields])
    assert all(fault in found for found in told), told


def test_a_little_blur_or_less_light_is_no_fault(
    base: Predictor, fields: list[Image.Image]
) -> None:
    for spoil in (blurred(0.02), exposed(0.6), faint(0.8)):
        assert faults(base, [spoil(image, CELL_PX) for image in fields]) == [set()] * len(fields)


@pytest.mark.parametrize("shade", [aslant(0.3), vignetted(0.35)])
def test_uneven_light_is_said_to_be_that_and_nothing_else(
    base: Predictor, fields: list[Image.Image], shade: Spoil
) -> None:
    plain = base.predict(fields)
    shaded = base.predict([shade(image, CELL_PX) for image in fields])
    assert [told.quality.faults for told in shaded] == [("uneven",)] * len(fields)
    for before, after in zip(plain, shaded, strict=True):
        assert after.quality.layers == pytest.approx(before.quality.layers, abs=0.06)
        assert after.quality.stain == pytest.approx(before.quality.stain, rel=0.15)


@pytest.mark.parametrize("part", [(0.5, 1.0), (0.5, 0.5), (1.0, 0.5)])
def test_a_part_that_cells_cover_wholly_is_not_unlit(
    base: Predictor, fields: list[Image.Image], part: tuple[float, float]
) -> None:
    covered = []
    for image in fields:
        pixels = np.asarray(image).copy()
        cell = np.percentile(pixels[..., 1], 25)
        color = pixels[np.abs(pixels[..., 1] - cell) < 2.0].mean(axis=0)
        columns, rows = round(part[0] * image.width), round(part[1] * image.height)
        pixels[:rows, :columns] = np.minimum(pixels[:rows, :columns], color)
        covered.append(Image.fromarray(pixels))
    assert not any("uneven" in found for found in faults(base, covered))


@pytest.mark.parametrize(("by", "wrong"), [(0.5, True), (0.85, False), (1.0, False), (2.0, True)])
def test_a_told_scale_that_the_cells_contradict_is_said(
    base: Predictor, fields: list[Image.Image], by: float, wrong: bool
) -> None:
    # The second picture is at half the pixels, where the same cells are told twice the microns.
    small = [image.resize((image.width // 2, image.height // 2)) for image in fields]
    for images, width in ((fields, CELL_PX), (small, CELL_PX / 2)):
        told = base.predict(images, [RED_CELL_MICRONS / (width * by)] * len(images))
        assert ["scale" in one.quality.faults for one in told] == [wrong] * len(images)
    assert not any("scale" in found for found in faults(base, fields))


def test_an_empty_slide_is_not_out_of_focus_faint_or_crowded(base: Predictor) -> None:
    empty = render(0, red_cells=0, white_cells=0, platelets=0).image
    soft = empty.filter(ImageFilter.GaussianBlur(20))
    plain = Image.new("RGB", (640, 480), (200, 205, 210))
    thin = Image.fromarray(np.full((40, 400, 3), 190, np.uint8))
    assert faults(base, [empty, soft, plain, thin]) == [set()] * 4


def test_the_command_says_what_to_do(cli: Cli, fields: list[Image.Image], tmp_path: Path) -> None:
    fields[0].save(tmp_path / "good.png")
    blurred(0.2)(fields[0], CELL_PX).save(tmp_path / "soft.png")
    status, out, _ = cli("predict", tmp_path / "good.png", tmp_path / "soft.png")
    good, soft = out.splitlines()
    assert status == 0
    assert FAULTS["blurred"] in soft
    assert FAULTS["blurred"] not in good
    status, out, _ = cli("predict", "--json", tmp_path / "soft.png")
    (row,) = json.loads(out)
    assert row["faults"] == ["blurred"]
    assert row["quality"]["sharpness"] < 1.45


def test_shade_is_no_color_of_red_cells(fields: list[Image.Image]) -> None:
    config = InputConfig()
    for image in fields:
        shaded = aslant(0.3)(image, CELL_PX)
        plain, dim = (
            hue(np.asarray(each), background(each, config), lamp(np.asarray(each)))
            for each in (image, shaded)
        )
        assert dim == pytest.approx(plain, abs=0.02)
