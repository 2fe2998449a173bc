"""Labeled fields: reading fields.csv and boxes.csv, and the marks and counts they hold.

fields.csv has the columns image, source, split, rbc, wbc, plt (empty = not labeled so) and may
have bccd_wbc, bccd_plt: labels of an older annotation that is good for these two types, and
microns_per_pixel (empty = not known).
boxes.csv has image, label_set ("txl" for boxes that go with rbc, wbc, plt, "bccd" for those of the
older annotation), cell_type, x, y, w, h in pixels (left, top, width, height).
"""

from __future__ import annotations

import csv
import math
import statistics
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import ExifTags, Image

from ml.config import MICRONS_PER_PIXEL, RED_CELL_MICRONS
from ml.pictures import ON_ITS_SIDE

BASE_TYPES = ("RBC", "WBC", "PLT")
# The older labels leave half of the red cells out, so they serve for these types only.
OLD_LABEL_TYPES = ("WBC", "PLT")
# A box this near to the border (pixels) is cut by it: its width is not the cell's.
BORDER = 2.0


class BadData(ValueError):
    """Labels cannot be used; the message is a sentence for the person who brought them."""


@dataclass(frozen=True)
class Mark:
    """One cell: center x, y and, where known, width and height, in pixels of the picture."""

    code: str
    x: float
    y: float
    w: float = 0.0
    h: float = 0.0

    def inside(self, size: tuple[int, int]) -> bool:
        """Whether its center lies in a picture of this width and height."""
        return 0 <= self.x <= size[0] and 0 <= self.y <= size[1]


@dataclass(frozen=True)
class Field:
    """One picture with its counts.

    counts holds the labeled types only. marks serve a type where their number equals its count
    (`marked`). cell_px is the width of its red cells: the boxes' median, else that of a normal one
    at the field's micrometers per pixel, None when neither is known.
    """

    name: str
    path: Path
    counts: Mapping[str, int]
    marks: tuple[Mark, ...] = ()
    cell_px: float | None = None
    group: str = ""

    def marked(self, code: str) -> bool:
        """Whether the marks tell where every counted cell of this type lies."""
        return self.counts.get(code) == sum(mark.code == code for mark in self.marks)


def read_fields(folder: Path, *, splits: Iterable[str]) -> list[Field]:
    """Read the fields of the given splits from fields.csv.

    Raises:
        BadData: a file or a column is missing, a count is no whole number, a scale cannot be, a
            box lies outside its picture, or nothing is left.
    """
    splits = set(splits)
    boxes = read_boxes(folder / "boxes.csv")
    fields = []
    for row in read_table(folder / "fields.csv", ("image", "source", "split", "rbc", "wbc", "plt")):
        if row["split"] not in splits:
            continue
        counts = counts_of(row, BASE_TYPES)
        label_set = "txl"
        if not counts:
            label_set = "bccd"
            older = {code: row.get(f"bccd_{code.lower()}", "") for code in OLD_LABEL_TYPES}
            counts = counts_of(older, OLD_LABEL_TYPES)
        if not counts:
            continue
        scale = scale_of(row)
        marks = boxes.get((row["image"], label_set), [])
        size = _size_of(folder / row["image"])
        for mark in marks:
            if not mark.inside(size):
                raise BadData(
                    f"{folder / 'boxes.csv'}: a box of {row['image']} has its middle at "
                    f"({mark.x:g}, {mark.y:g}), outside the picture of {size[0]} x {size[1]} "
                    "pixels. Boxes are left, top, width and height in pixels."
                )
        fields.append(
            Field(
                name=row["image"],
                path=folder / row["image"],
                counts=counts,
                marks=tuple(mark for mark in marks if mark.code in counts),
                cell_px=red_cell_width(marks, size) or (scale and RED_CELL_MICRONS / scale),
                group=row["source"],
            )
        )
    if not fields:
        raise BadData(f"{folder / 'fields.csv'} has no labeled fields of split {sorted(splits)}.")
    return fields


def read_boxes(path: Path) -> dict[tuple[str, str], list[Mark]]:
    """Read boxes.csv into marks by (image, label set); a mark is a box's center.

    Raises:
        BadData: the file or a column is missing, or a value is no number.
    """
    found: dict[tuple[str, str], list[Mark]] = defaultdict(list)
    columns = ("image", "label_set", "cell_type", "x", "y", "w", "h")
    for row in read_table(path, columns):
        try:
            x, y, w, h = (float(row[name]) for name in "xywh")
        except ValueError:
            x = y = w = h = math.nan
        if not (all(map(math.isfinite, (x, y, w, h))) and w >= 0 and h >= 0):
            raise BadData(
                f"{path}: a box of {row['image']} is not four numbers, with a width and a height "
                "of 0 or more."
            )
        mark = Mark(row["cell_type"].upper(), x + w / 2, y + h / 2, w, h)
        found[row["image"], row["label_set"]].append(mark)
    return found


def read_table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Read a CSV file whose header holds at least `columns`, in upper or lower case.

    Raises:
        BadData: the file is missing, is no text, or a column is missing.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            names = {name: name.strip().lower() for name in reader.fieldnames or ()}
            rows = [
                {names[key]: (value or "").strip() for key, value in row.items() if key in names}
                for row in reader
            ]
    except OSError:
        raise BadData(f"{path} cannot be opened.") from None
    except (UnicodeDecodeError, csv.Error):
        raise BadData(f"{path} is not a CSV file in UTF-8.") from None
    missing = [name for name in columns if name not in names.values()]
    if missing:
        raise BadData(f"{path} has no column named {' or '.join(missing)}.")
    return rows


def counts_of(row: Mapping[str, str], codes: Iterable[str]) -> dict[str, int]:
    """Return the counts a row holds; an empty cell means that the type was not counted.

    Raises:
        BadData: a value is not a whole number of 0 or more.
    """
    counts = {}
    for code in codes:
        text = row.get(code, row.get(code.lower(), ""))
        if not text:
            continue
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if value < 0 or not value.is_integer():
            raise BadData(
                f"{row.get('image', 'A row')} has {text!r} for {code}; "
                "a count is a whole number of 0 or more."
            )
        counts[code] = int(value)
    return counts


def scale_of(row: Mapping[str, str]) -> float | None:
    """Return a row's micrometers per pixel; None where it tells none.

    Raises:
        BadData: the value is outside `MICRONS_PER_PIXEL` or no number.
    """
    text = row.get("microns_per_pixel", "")
    if not text:
        return None
    least, most = MICRONS_PER_PIXEL
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise BadData(
            f"{row['image']} has {text!r} for microns_per_pixel; it must be {least:g} to {most:g}. "
            "Leave it empty where it is not known."
        )
    return value


def red_cell_width(marks: Iterable[Mark], size: tuple[int, int]) -> float | None:
    """Return the median width in pixels of the red cells that the picture's border does not cut.

    None when fewer than three such cells have a box; size is the picture's (width, height).
    """
    right, bottom = size[0] - BORDER, size[1] - BORDER
    widths = [
        math.sqrt(mark.w * mark.h)
        for mark in marks
        if mark.code == "RBC"
        and mark.w > 0
        and min(mark.x - mark.w / 2, mark.y - mark.h / 2) > BORDER
        and mark.x + mark.w / 2 < right
        and mark.y + mark.h / 2 < bottom
    ]
    return statistics.median(widths) if len(widths) >= 3 else None


def _size_of(path: Path) -> tuple[int, int]:
    """Return width and height as `pictures.read` hands the picture out: upright."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            # Pillow turns a TIFF's size itself.
            turned = image.format != "TIFF" and (
                image.getexif().get(ExifTags.Base.Orientation) in ON_ITS_SIDE
            )
    except Exception:  # Pillow raises nearly everything on broken input.
        raise BadData(f"{path} is missing or is no picture.") from None
    return (height, width) if turned else (width, height)


def fold_of(field: Field, folds: int) -> int:
    """Return which of `folds` parts a field belongs to: by its name, so the same in every run."""
    return zlib.crc32(field.name.encode()) % folds
