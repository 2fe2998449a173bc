"""The manifest of a fine-tuning: what is read, and a sentence for each thing that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ml import manifest
from ml.data import BadData

FIELD: dict[str, Any] = {
    "id": 7,
    "image": "/pictures/7.png",
    "split": "train",
    "group": "slide 3",
    "microns_per_pixel": 0.12,
    "counts": {"RBC": 2, "PLT": 0},
    "marks": [{"cell_type": "RBC", "x": 1, "y": 2.5}, {"cell_type": "RBC", "x": 30, "y": 4}],
}
WHOLE: dict[str, Any] = {
    "cell_types": ["RBC", "PLT"],
    "counting_rule": "top_left",
    "tolerance": 0.2,
    "min_holdout_fields": 3,
    "fields": [FIELD, {**FIELD, "id": 8, "split": "holdout", "marks": None}],
}


def write(folder: Path, data: Any) -> Path:
    path = folder / "manifest.json"
    path.write_text(json.dumps(data))
    return path


def test_all_that_it_says_is_read(tmp_path: Path) -> None:
    read = manifest.read(write(tmp_path, WHOLE))
    assert read.cell_types == ("RBC", "PLT")
    assert (read.counting_rule, read.tolerance, read.min_holdout_fields) == ("top_left", 0.2, 3)
    (entry,), (held,) = read.of("train"), read.of("holdout")
    assert entry.field.counts == {"RBC": 2, "PLT": 0}
    assert [(mark.code, mark.x, mark.y) for mark in entry.field.marks] == [
        ("RBC", 1.0, 2.5),
        ("RBC", 30.0, 4.0),
    ]
    assert (entry.field.group, entry.microns_per_pixel) == ("slide 3", 0.12)
    assert entry.field.marked("RBC")
    assert entry.field.marked("PLT")
    assert not held.field.marked("RBC")


def test_a_field_nobody_counted_is_left_out(tmp_path: Path) -> None:
    read = manifest.read(write(tmp_path, {**WHOLE, "fields": [FIELD, {**FIELD, "counts": {}}]}))
    assert len(read.entries) == 2
    assert len(read.of("train")) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cell_types": []}, "names no cell types"),
        ({"cell_types": "RBC"}, "names no cell types"),
        ({"cell_types": ["RBC", ""]}, "names no cell types"),
        ({"cell_types": ["RBC", "PLT", "RBC"]}, "names a cell type twice"),
        ({"fields": None}, "has no list of fields"),
        ({"fields": ["7.png"]}, "Field 1 of the manifest is no object"),
        ({"tolerance": "some"}, "tolerance of the manifest is 'some'"),
        ({"tolerance": -0.1}, "tolerance of the manifest is -0.1"),
        ({"min_holdout_fields": True}, "min_holdout_fields of the manifest is True"),
    ],
)
def test_a_bad_manifest_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words) as refusal:
        manifest.read(write(tmp_path, {**WHOLE, **change}))
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": ""}, "field 7 of the manifest names no picture"),
        ({"image": None}, "field 7 of the manifest names no picture"),
        ({"split": "test"}, "has split 'test', not train or holdout"),
        ({"counts": None}, "field 7 of the manifest has no counts"),
        ({"counts": {"WBC": 1}}, "counts WBC, which is no cell type of it"),
        ({"counts": {"RBC": -1}}, "has -1 for RBC; a count is a whole number of 0 or more"),
        ({"counts": {"RBC": 1.5}}, "has 1.5 for RBC"),
        ({"counts": {"RBC": True}}, "has True for RBC"),
        ({"counts": {"RBC": "3"}}, "has '3' for RBC"),
        ({"marks": {"x": 1}}, "marks of field 7 of the manifest are no list"),
        ({"marks": [{"x": 1, "y": 1}]}, "mark of field 7 of the manifest names no cell type"),
        ({"marks": [{"cell_type": "RBC", "x": 1}]}, "mark's y of field 7 is None"),
        ({"marks": [{"cell_type": "RBC", "x": -3, "y": 1}]}, "mark's x of field 7 is -3"),
        ({"microns_per_pixel": 0}, "has microns_per_pixel 0; it must be above 0"),
        ({"microns_per_pixel": "0.1"}, "microns_per_pixel of field 7 is '0.1'"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words) as refusal:
        manifest.read(write(tmp_path, {**WHOLE, "fields": [{**FIELD, **change}]}))
    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize(("text", "words"), [(None, "cannot be opened"), ("{", "is not JSON")])
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "manifest.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BadData, match=words):
        manifest.read(path)
