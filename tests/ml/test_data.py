"""Labeled fields as they are read from a data folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from ml.data import BadData, read_fields
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
