"""Labeled fields as they are read from a data folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from ml.config import BundleConfig
from ml.data import BadData, read_fields
from ml.train import UNKNOWN_WIDTH, load_fields
from tests.ml.making import write_csv

# How a picture of 80 x 60 pixels lies in the file, and the tag that says how to turn it.
LYING = ((80, 60), 1), ((60, 80), 6)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize(("size", "tag"), LYING)
def test_boxes_lie_in_the_picture_as_it_stands_upright(
    tmp_path: Path, suffix: str, size: tuple[int, int], tag: int
) -> None:
    name = f"field.{suffix}"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    Image.new("RGB", size, "white").save(tmp_path / name, exif=exif)
    field = {"image": name, "source": "", "split": "train", "rbc": 3, "wbc": "", "plt": ""}
    write_csv(tmp_path / "fields.csv", [field])
    box = {"image": name, "label_set": "txl", "cell_type": "RBC", "y": 20, "w": 10, "h": 10}
    write_csv(tmp_path / "boxes.csv", [box | {"x": x} for x in (20, 40, 66)])
    (read,) = read_fields(tmp_path, splits=["train"])
    # The rightmost counts too: nothing cuts it there.
    assert (len(read.marks), read.cell_px) == (3, 10.0)
    write_csv(tmp_path / "boxes.csv", [box | {"x": 20, "y": 66}])
    with pytest.raises(BadData, match="outside the picture of 80 x 60 pixels"):
        read_fields(tmp_path, splits=["train"])


def test_red_cells_are_as_wide_as_boxes_say_else_as_the_scale_does(tmp_path: Path) -> None:
    names, rows = ["boxes.png", "scale.png", "neither.png"], []
    for name, scale in zip(names, ("0.25", "0.25", ""), strict=True):
        Image.new("RGB", (80, 60), "white").save(tmp_path / name)
        row = {"image": name, "source": "", "split": "train", "rbc": 3, "wbc": "", "plt": ""}
        rows.append(row | {"microns_per_pixel": scale})
    write_csv(tmp_path / "fields.csv", rows)
    box = {"image": names[0], "label_set": "txl", "cell_type": "RBC", "y": 20, "w": 10, "h": 10}
    write_csv(tmp_path / "boxes.csv", [box | {"x": x} for x in (20, 40, 60)])
    loaded = load_fields(read_fields(tmp_path, splits=["train"]), BundleConfig())
    assert [item.cell_px for item in loaded] == [10.0, 7.5 / 0.25, UNKNOWN_WIDTH * 80]


@pytest.mark.parametrize("scale", ["0.001", "25", "-1", "nan", "0,25"])
def test_a_scale_that_cannot_be_is_refused(tmp_path: Path, scale: str) -> None:
    field = {"image": "a.png", "source": "", "split": "train", "rbc": 3, "wbc": "", "plt": ""}
    write_csv(tmp_path / "fields.csv", [field | {"microns_per_pixel": scale}])
    box = {"image": "b.png", "label_set": "txl", "cell_type": "RBC"}
    write_csv(tmp_path / "boxes.csv", [box | dict.fromkeys("xywh", 10)])
    words = f"a.png has '{scale}' for microns_per_pixel; it must be 0.005 to 10."
    with pytest.raises(BadData, match=words):
        read_fields(tmp_path, splits=["train"])
