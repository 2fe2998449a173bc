"""A data folder of very small drawn pictures: fields in all splits, crops in class folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ml.synthetic import render
from tests.ml.making import WIDTHS, write_csv

# Width of a red cell in all of them: `--cell-px` of the nets that learn from them.
TINY_PX = 24.0
# White cells and platelets in a crop of each class.
CLASSES = {"empty": (0, 0), "platelets": (0, 5), "white": (1, 0)}


def write_fields(folder: Path, *, train: int = 12, test: int = 3, external: int = 2) -> Path:
    """Write fields.csv, boxes.csv and the pictures; the older labels miss three red cells each."""
    fields, boxes = [], []
    splits = ["train"] * train + ["test"] * test + ["external"] * external
    (folder / "fields").mkdir(parents=True)
    for number, split in enumerate(splits):
        name = f"fields/{number}.png"
        made = render(
            number,
            width=160,
            height=120,
            red_cells=6 + number % 5,
            white_cells=number % 2,
            platelets=number % 3,
            cell_px=TINY_PX,
        )
        made.image.save(folder / name)
        counts = {code.lower(): count for code, count in made.counts.items()}
        old: dict[str, Any] = {f"bccd_{code}": count for code, count in counts.items()}
        old["bccd_rbc"] -= 3
        if split == "external":
            old = dict.fromkeys(old, "")
        source = "lab" if split == "external" else "bccd"
        fields.append({"image": name, "source": source, "split": split, **counts, **old})
        for code, x, y in made.marks:
            side = WIDTHS[code] * TINY_PX
            box = {"x": x - side / 2, "y": y - side / 2, "w": side, "h": side}
            boxes.append({"image": name, "label_set": "txl", "cell_type": code, **box})
    write_csv(folder / "fields.csv", fields)
    write_csv(folder / "boxes.csv", boxes)
    return folder


def write_crops(folder: Path, each: int = 16) -> Path:
    """Write class folders of crops; about one of ten is held out by its name."""
    for label, (white, small) in CLASSES.items():
        (folder / label).mkdir(parents=True)
        for number in range(each):
            made = render(
                1000 + number,
                width=72,
                height=72,
                red_cells=0,
                white_cells=white,
                platelets=small,
                cell_px=TINY_PX,
            )
            made.image.save(folder / label / f"{label}-{number}.png")
    return folder
