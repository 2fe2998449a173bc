"""The manifest of a fine-tuning: which fields, what people counted in them. No torch here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.data import BadData, Field, Mark
from ml.files import read_json

SPLITS = ("train", "holdout")


@dataclass(frozen=True)
class Entry:
    """A field of the manifest, with what is known of its scale."""

    field: Field
    split: str
    microns_per_pixel: float | None


@dataclass(frozen=True)
class Manifest:
    """A whole manifest."""

    cell_types: tuple[str, ...]
    counting_rule: str
    tolerance: float
    min_holdout_fields: int
    entries: tuple[Entry, ...]

    def of(self, split: str) -> list[Entry]:
        """Return the entries of a split that hold a count."""
        return [e for e in self.entries if e.split == split and e.field.counts]


def read(path: Path) -> Manifest:
    """Read a manifest.

    Raises:
        BadData: the file is missing or something in it is not as it should be.
    """
    try:
        data = read_json(path)
    except OSError:
        raise BadData(f"The manifest {path} cannot be opened.") from None
    except ValueError as error:
        raise BadData(f"The manifest cannot be used: {error}") from None
    types = data.get("cell_types")
    if not isinstance(types, list) or not types or not all(isinstance(t, str) and t for t in types):
        raise BadData("The manifest names no cell types.")
    if len(set(types)) != len(types):
        raise BadData("The manifest names a cell type twice.")
    rows = data.get("fields")
    if not isinstance(rows, list):
        raise BadData("The manifest has no list of fields.")
    tolerance = _number(data.get("tolerance", 0.1), "tolerance", "the manifest")
    fewest = _number(data.get("min_holdout_fields", 5), "min_holdout_fields", "the manifest")
    return Manifest(
        tuple(types),
        str(data.get("counting_rule", "all")),
        tolerance,
        int(fewest),
        tuple(_entry(row, number, types) for number, row in enumerate(rows, 1)),
    )


def _entry(row: Any, number: int, types: list[str]) -> Entry:
    if not isinstance(row, Mapping):
        raise BadData(f"Field {number} of the manifest is no object.")
    name = f"field {row.get('id', number)}"
    image, split, counts = row.get("image"), row.get("split"), row.get("counts")
    if not isinstance(image, str) or not image:
        raise BadData(f"The {name} of the manifest names no picture.")
    if split not in SPLITS:
        raise BadData(f"The {name} of the manifest has split {split!r}, not train or holdout.")
    if not isinstance(counts, Mapping):
        raise BadData(f"The {name} of the manifest has no counts.")
    for code, count in counts.items():
        if code not in types:
            raise BadData(f"The {name} of the manifest counts {code}, which is no cell type of it.")
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise BadData(
                f"The {name} of the manifest has {count!r} for {code}; "
                "a count is a whole number of 0 or more."
            )
    marks = row.get("marks") or []
    if not isinstance(marks, list):
        raise BadData(f"The marks of {name} of the manifest are no list.")
    scale = row.get("microns_per_pixel")
    if scale is not None:
        scale = _number(scale, "microns_per_pixel", name)
        if scale == 0:
            raise BadData(f"The {name} has microns_per_pixel 0; it must be above 0.")
    field = Field(
        name=str(row.get("id", number)),
        path=Path(image),
        counts=dict(counts),
        marks=tuple(_mark(mark, name) for mark in marks),
        group=str(row.get("group", "")),
    )
    return Entry(field, split, scale)


def _mark(mark: Any, name: str) -> Mark:
    if not isinstance(mark, Mapping) or not isinstance(mark.get("cell_type"), str):
        raise BadData(f"A mark of {name} of the manifest names no cell type.")
    x, y = (_number(mark.get(axis), f"mark's {axis}", name) for axis in "xy")
    return Mark(str(mark["cell_type"]), x, y)


def _number(value: Any, what: str, where: str) -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or value < 0:
        raise BadData(f"The {what} of {where} is {value!r}; it must be a number of 0 or more.")
    return float(value)
