"""Does the counter know what it does not know? Pictures that are no smears, and spoiled ones.

    pip install --no-deps --target PHOTOS -r benchmarks/photos.txt
    python -m benchmarks.doubt --data ../shared/data [--photos PHOTOS] [--bundle DIR] [--json]

Smears are the test fields and those of another lab, none of which was trained on. AUROC: the
chance that a stranger's novelty score is above a smear's, ties half (Hanley and McNeil 1982), with
a 95 % interval by bootstrap over fields and photographs. Flagged: at the bundle's threshold.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.spoiled import BORNE, SPOILED
from benchmarks.strangers import CHANGES, Kind, drawn
from ml import pictures
from ml.bundle import BASE
from ml.data import read_fields
from ml.predict import FieldPrediction, Predictor

RESAMPLES = 2000
CHUNK = 16
# Fields of each split and lab that are changed or spoiled.
CHANGED = 60


@dataclass(frozen=True)
class Smear:
    """A real field, how wide its red cells are, and how many it has where they were counted."""

    name: str
    split: str
    image: Image.Image
    cell_px: float
    count: int | None


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=Path, default=None)
    parser.add_argument("--bundle", type=Path, default=BASE)
    parser.add_argument("--splits", nargs="+", default=["test", "external"])
    parser.add_argument("--fields", type=int, default=None, help="of each split and lab, at most")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    predictor = Predictor(options.bundle, 1)
    smears = read_smears(options.data, options.splits, options.fields, predictor)
    plain = predict(predictor, [smear.image for smear in smears])
    told = {
        "smears": smear_rows(smears, plain),
        "strangers": stranger_rows(predictor, smears, plain, options.photos),
        "spoiled": spoiled_rows(predictor, smears, plain),
        "borne": borne_rows(predictor, smears, plain),
    }
    print(json.dumps(told, indent=2) if options.json else table(told))
    return 0


def read_smears(
    data: Path, splits: Sequence[str], limit: int | None, predictor: Predictor
) -> list[Smear]:
    """Read the fields; where no boxes tell a red cell's width, the counter's first guess does."""
    guess = predictor.bundle.config.input.guess
    out = []
    for split in splits:
        seen: Counter[str] = Counter()
        for field in read_fields(data, splits=[split]):
            seen[field.group] += 1
            if limit is not None and seen[field.group] > limit:
                continue
            image = pictures.read(field.path).image
            width = field.cell_px or guess * math.sqrt(image.width * image.height)
            count = field.counts.get("RBC")
            out.append(Smear(field.name, f"{split} ({field.group})", image, width, count))
    return out


def predict(predictor: Predictor, images: Iterable[Image.Image]) -> list[FieldPrediction]:
    """Count in pictures, a few at a time."""
    todo, out = list(images), []
    for start in range(0, len(todo), CHUNK):
        out += predictor.predict(todo[start : start + CHUNK])
    return out


def smear_rows(smears: Sequence[Smear], plain: Sequence[FieldPrediction]) -> list[dict[str, Any]]:
    """Return the false alarms per set."""
    rows = []
    for split in dict.fromkeys(smear.split for smear in smears):
        own = [told for smear, told in zip(smears, plain, strict=True) if smear.split == split]
        faults = sorted({fault for told in own for fault in told.quality.faults})
        rows.append(
            {
                "set": split,
                "n": len(own),
                "novel": sum(told.novel for told in own),
                "poor": sum(bool(told.quality.faults) for told in own),
                "faults": {f: sum(f in told.quality.faults for told in own) for f in faults},
            }
        )
    return rows


def stranger_rows(
    predictor: Predictor,
    smears: Sequence[Smear],
    plain: Sequence[FieldPrediction],
    photos: Path | None,
) -> list[dict[str, Any]]:
    """Return AUROC and share flagged of each kind of stranger."""
    known = np.array([told.novelty for told in plain])
    kinds: list[tuple[str, Kind]] = list(drawn(photos))
    some = first_of_each(smears)
    for name, change in CHANGES.items():
        kinds.append((name, [(s.name, change(s.image, s.cell_px)) for s in some]))
    rows = []
    for name, kind in kinds:
        told = predict(predictor, [image for _, image in kind])
        strange = np.array([one.novelty for one in told])
        low, high = bootstrap(known, strange, [source for source, _ in kind])
        rows.append(
            {
                "kind": name,
                "n": len(kind),
                "auroc": auroc(known, strange),
                "interval": [low, high],
                "novel": float(np.mean([one.novel for one in told])),
                "warned": float(np.mean([one.novel or bool(one.quality.faults) for one in told])),
            }
        )
    return rows


def first_of_each(smears: Sequence[Smear]) -> list[Smear]:
    """Return the first `CHANGED` smears of each split."""
    splits = dict.fromkeys(smear.split for smear in smears)
    return [s for split in splits for s in [s for s in smears if s.split == split][:CHANGED]]


def auroc(known: np.ndarray, strange: np.ndarray) -> float:
    """Return the chance that a stranger scores above a smear; ties count half."""
    above = (strange[:, None] > known[None, :]).mean()
    return float(above + 0.5 * (strange[:, None] == known[None, :]).mean())


def bootstrap(
    known: np.ndarray, strange: np.ndarray, sources: Sequence[str]
) -> tuple[float, float]:
    """Return the 95 % percentile interval of `auroc`; pictures of one source are drawn together."""
    rng = np.random.default_rng(0)
    names = sorted(set(sources))
    groups = [np.flatnonzero([source == name for source in sources]) for name in names]
    values = []
    for _ in range(RESAMPLES):
        picks = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
        values.append(auroc(known[rng.integers(len(known), size=len(known))], strange[picks]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def spoiled_rows(
    predictor: Predictor, smears: Sequence[Smear], plain: Sequence[FieldPrediction]
) -> list[dict[str, Any]]:
    """Return how often a spoiled field is found out, and for the right reason, and what is left
    of the red cells that were counted in it before.
    """
    rows = []
    some = first_of_each(smears)
    before = {id(smear): told for smear, told in zip(smears, plain, strict=True)}
    for name, (fault, spoil) in SPOILED.items():
        told = predict(predictor, [spoil(s.image, s.cell_px) for s in some])
        for split in dict.fromkeys(smear.split for smear in some):
            own = [t for s, t in zip(some, told, strict=True) if s.split == split]
            same = [before[id(s)] for s in some if s.split == split]
            rows.append(
                {
                    "spoiled": name,
                    "set": split,
                    "n": len(own),
                    "fault": fault,
                    "found": float(np.mean([fault in t.quality.faults for t in own])),
                    "any": float(np.mean([bool(t.quality.faults) for t in own])),
                    "novel": float(np.mean([t.novel for t in own])),
                    "left": red_cells(own) / red_cells(same),
                }
            )
    return rows


def borne_rows(
    predictor: Predictor, smears: Sequence[Smear], plain: Sequence[FieldPrediction]
) -> list[dict[str, Any]]:
    """Return how far counts are off in all fields changed as `BORNE` tells, and in the fields as
    they are, and what is said of them.
    """
    kept = [(s, t, s.count) for s, t in zip(smears, plain, strict=True) if s.count is not None]
    rows = []
    for name in ("as they are", *BORNE):
        told = [one for _, one, _ in kept]
        if name in BORNE:
            told = predict(predictor, [BORNE[name](s.image, s.cell_px) for s, _, _ in kept])
        for split in dict.fromkeys(smear.split for smear, _, _ in kept):
            own = [
                (one, one.counts["RBC"].value - count)
                for (smear, _, count), one in zip(kept, told, strict=True)
                if smear.split == split
            ]
            off = np.array([off for _, off in own], np.float64)
            rows.append(
                {
                    "changed": name,
                    "set": split,
                    "n": len(own),
                    "mae": float(np.abs(off).mean()),
                    "bias": float(off.mean()),
                    "novel": sum(one.novel for one, _ in own),
                    "faults": dict(Counter(f for one, _ in own for f in one.quality.faults)),
                }
            )
    return rows


def red_cells(told: Sequence[FieldPrediction]) -> float:
    """Return how many red cells were counted in all."""
    return sum(one.counts["RBC"].raw for one in told)


def table(told: dict[str, Any]) -> str:
    """Return the measures as lines for people."""
    lines = ["set, fields, called novel, called poor"]
    for row in told["smears"]:
        lines.append(
            f"  {row['set']:<18} {row['n']:>4} {row['novel'] / row['n']:>7.1%} "
            f"{row['poor'] / row['n']:>7.1%} {row['faults'] or ''}"
        )
    lines.append("strangers: pictures, AUROC (95 % interval), called novel, novel or poor")
    for row in told["strangers"]:
        low, high = row["interval"]
        lines.append(
            f"  {row['kind']:<28} {row['n']:>4}  {row['auroc']:.3f} ({low:.3f} to {high:.3f}) "
            f"{row['novel']:>6.0%} {row['warned']:>6.0%}"
        )
    lines.append(
        "spoiled: fields, found for the right reason, for any, called novel, red cells left"
    )
    for row in told["spoiled"]:
        lines.append(
            f"  {row['spoiled']:<24} {row['set']:<18} {row['n']:>4} {row['fault']:<8} "
            f"{row['found']:>6.0%} {row['any']:>6.0%} {row['novel']:>6.0%} "
            f"{row['left']:>5.2f}"
        )
    lines.append("changed: fields, red cells' MAE, bias, number called novel, poor")
    for row in told["borne"]:
        lines.append(
            f"  {row['changed']:<24} {row['set']:<18} {row['n']:>4} {row['mae']:>5.2f} "
            f"{row['bias']:>+6.2f} {row['novel']:>4} {row['faults'] or ''}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
