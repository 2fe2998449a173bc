"""What the tests of the regressor feed it: drawn smears, data folders, manifests."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml.synthetic import SyntheticField, render
from tests.stack import ROOT

# Widths of drawn cells as a share of a red cell's: a mark of `ml.synthetic` has none.
WIDTHS = {"RBC": 1.0, "WBC": 1.7, "PLT": 0.35}
CELL_PX = 50.0
MICRONS = 7.5 / CELL_PX


def smear(seed: int, **options: Any) -> SyntheticField:
    """Draw a small field, fast."""
    asked = {"width": 320, "height": 240, "red_cells": 9, "cell_px": CELL_PX, **options}
    return render(seed, **asked)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m ml ...` to its end."""
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def start(*arguments: str | Path) -> subprocess.Popen[str]:
    """Start `python -m ml ...`; its lines are read from `stdout`."""
    return subprocess.Popen(
        command(*arguments), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def command(*arguments: str | Path) -> list[str]:
    """Return the command line of `python -m ml ...`."""
    return [sys.executable, "-m", "ml", *map(str, arguments)]


def events(output: str) -> list[dict[str, Any]]:
    """Return the JSON lines a command wrote."""
    return [json.loads(line) for line in output.splitlines()]


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows under a header made of the first one's keys."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_data(folder: Path, seeds: Iterable[int], split: str = "train") -> Path:
    """Write a data folder as `python -m ml train` reads it; a field of three has counts only."""
    folder.mkdir(parents=True, exist_ok=True)
    fields, boxes = [], []
    for seed in seeds:
        made = smear(seed, red_cells=6 + seed % 7, white_cells=seed % 2)
        name = f"{seed}.png"
        made.image.save(folder / name)
        counts = {code.lower(): count for code, count in made.counts.items()}
        fields.append({"image": name, "source": "drawn", "split": split, **counts})
        for code, x, y in made.marks if seed % 3 else ():
            side = WIDTHS[code] * CELL_PX
            left, top = max(0.0, x - side / 2), max(0.0, y - side / 2)
            right, bottom = min(320.0, x + side / 2), min(240.0, y + side / 2)
            box = {"x": left, "y": top, "w": right - left, "h": bottom - top}
            boxes.append({"image": name, "label_set": "txl", "cell_type": code, **box})
    write_csv(folder / "fields.csv", fields)
    write_csv(folder / "boxes.csv", boxes)
    return folder


def write_manifest(
    folder: Path,
    *,
    train: Iterable[int] = range(4),
    holdout: Iterable[int] = range(100, 102),
    cell_types: Sequence[str] = ("RBC", "WBC", "PLT"),
    counted: Sequence[str] = ("RBC", "WBC", "PLT"),
    renamed: Mapping[str, str] | None = None,
    **more: Any,
) -> Path:
    """Write pictures and a manifest; `renamed` calls drawn cells of one type by another name."""
    folder.mkdir(parents=True, exist_ok=True)
    names = renamed or {}
    rows = []
    for split, seeds in (("train", train), ("holdout", holdout)):
        for seed in seeds:
            made = smear(seed)
            path = folder / f"{seed}.png"
            made.image.save(path)
            told = {names.get(code, code): count for code, count in made.counts.items()}
            marks = [
                {"cell_type": names.get(code, code), "x": x, "y": y} for code, x, y in made.marks
            ]
            rows.append(
                {
                    "id": seed,
                    "image": str(path),
                    "split": split,
                    "group": f"slide {seed % 2}",
                    "microns_per_pixel": MICRONS,
                    "counts": {code: told[code] for code in counted},
                    "marks": [mark for mark in marks if mark["cell_type"] in counted],
                }
            )
    manifest = {"cell_types": list(cell_types), "min_holdout_fields": 2, "fields": rows, **more}
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    return path


def real_data() -> Path:
    """Return where real smears lie, when this computer has them."""
    return Path(os.environ.get("HEMATALLY_DATA", ROOT.parent / "shared" / "data"))
