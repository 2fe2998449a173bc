"""Measure a bundle against counts made by people."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ml import metrics
from ml.data import BadData, counts_of, read_table, scale_of
from ml.predict import FieldPrediction, Predictor

# Pictures given to the predictor at a time, which holds fewer open where they are large.
CHUNK = 16
# What `fields_csv` writes, a row for each count that was compared.
COLUMNS = ("image", "type", "counted", "predicted", "low", "high", "unlike", "faults")


@dataclass(frozen=True)
class Truth:
    """A picture, its counts by cell type (a type nobody counted is not in `counts`), its
    micrometers per pixel where known, and what the table calls it.
    """

    path: Path
    counts: dict[str, int]
    microns_per_pixel: float | None = None
    image: str = ""


@dataclass(frozen=True)
class Told:
    """What the counter said of one picture: whole counts, their intervals, whether it is unlike
    the training data, and codes of `ml.quality.FAULTS`.
    """

    counts: dict[str, int]
    intervals: dict[str, tuple[int, int]]
    novel: bool
    faults: tuple[str, ...] = ()


def read_truth(
    images: Path, table: Path, types: Sequence[str], *, split: str = "", source: str = ""
) -> list[Truth]:
    """Read the rows of a CSV file with the column image and one column per cell type; it may have
    microns_per_pixel (empty = not known).

    Other columns are not looked at; where `split` or `source` is given, only rows with
    that value in the column of that name count. An image is looked for as named, and by its bare
    name where the folder has no such path.

    Raises:
        BadData: no such file, column, split or source, no row left, a picture is missing, or a bad
            count or scale.
    """
    truths = []
    filters = {name: value for name, value in (("split", split), ("source", source)) if value}
    rows = read_table(table, ("image", *filters))
    if rows and not any(code.lower() in rows[0] for code in types):
        raise BadData(f"{table} has no column for a cell type: {', '.join(types).lower()}.")
    for name, value in filters.items():
        there = sorted({row[name] for row in rows} - {""})
        if rows and value not in there:
            known = ", ".join(there) or "none"
            raise BadData(f"{table} has no row with {name} {value}. Its {name}s: {known}.")
    for row in rows:
        if any(row[key] != value for key, value in filters.items()):
            continue
        counts = counts_of(row, types)
        if not counts:
            continue
        path = images / row["image"]
        if not path.is_file():
            path = images / Path(row["image"]).name
        if not path.is_file():
            raise BadData(f"{images} has no picture named {row['image']}.")
        truths.append(Truth(path, counts, scale_of(row), row["image"]))
    if not truths:
        raise BadData(f"{table} has no row with a count to compare with.")
    return truths


def told(field: FieldPrediction) -> Told:
    """Return what is compared of a prediction."""
    return Told(
        {code: count.value for code, count in field.counts.items()},
        {code: (count.low, count.high) for code, count in field.counts.items()},
        field.novel,
        field.quality.faults,
    )


def tell(
    predictor: Predictor, truths: Sequence[Truth], report: Callable[[int], None] | None = None
) -> list[Told]:
    """Count in the pictures, a few at a time, at their scale where it is known; `report` hears how
    many are done.

    Raises:
        BadPicture: a file is no usable picture.
        OSError: a file cannot be read.
    """
    answers: list[Told] = []
    for start in range(0, len(truths), CHUNK):
        part = truths[start : start + CHUNK]
        scales = [truth.microns_per_pixel for truth in part]
        answers += map(told, predictor.predict([truth.path for truth in part], scales))
        if report:
            report(len(answers))
    return answers


def score(
    truths: Sequence[Mapping[str, int]],
    answers: Sequence[Told],
    types: Sequence[str],
    *,
    intervals: bool = True,
    slides: Sequence[str] = (),
) -> dict[str, Any]:
    """Return n and, per cell type that was counted, all of `metrics.score` and the share of true
    counts inside the prediction's interval.

    Where the fields' `slides` are given, they are told as numbers, and each type's absolute error
    in each field: so that two models can be compared field by field.

    A type the model does not know gets the best constant instead, the median of these very counts,
    and says so ("constant"): whoever learns it must do better than any one number would.
    """
    out: dict[str, Any] = {"n": len(truths), "types": {}}
    if slides:
        names = list(dict.fromkeys(slides))
        out["slides"] = [names.index(slide) for slide in slides]
    for code in types:
        rows = [(t[code], s) for t, s in zip(truths, answers, strict=True) if code in t]
        if not rows:
            continue
        true = [count for count, _ in rows]
        known = all(code in s.counts for _, s in rows)
        told = [s.counts[code] for _, s in rows] if known else [median(true)] * len(true)
        scores = metrics.score(true, told, intervals=intervals)
        if known:
            inside = [s.intervals[code][0] <= count <= s.intervals[code][1] for count, s in rows]
            scores["covered"] = sum(inside) / len(inside)
        else:
            scores["constant"] = True
        if slides:
            off = iter([abs(there - here) for there, here in zip(told, true, strict=True)])
            scores["errors"] = [next(off) if code in t else None for t in truths]
        out["types"][code] = scores
    return out


def evaluate(
    predictor: Predictor,
    truths: Sequence[Truth],
    report: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Count in all pictures and score them."""
    return assess(truths, tell(predictor, truths, report), predictor.bundle.config.cell_types)


def assess(
    truths: Sequence[Truth], answers: Sequence[Told], types: Sequence[str]
) -> dict[str, Any]:
    """Score what was told of all pictures; adds the share called novel."""
    out = score([truth.counts for truth in truths], answers, types)
    out["novel"] = sum(answer.novel for answer in answers) / len(answers)
    return out


def fields_csv(truths: Sequence[Truth], answers: Sequence[Told]) -> str:
    """Return a CSV table (`COLUMNS`) of all counts that were compared."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for truth, said in zip(truths, answers, strict=True):
        for code, count in truth.counts.items():
            told = (said.counts[code], *said.intervals[code], int(said.novel))
            writer.writerow((truth.image, code, count, *told, " + ".join(said.faults)))
    return file.getvalue()


def table(scores: dict[str, Any]) -> str:
    """Return the scores as lines for people."""
    types = scores["types"]
    errors = [("cells", "fields", "mean", "MAE", "95 % interval", "constant", "RMSE", "R2")]
    agreement = [("cells", "bias", "95 % interval", "limits of agreement")]
    for code, s in types.items():
        errors.append(
            (
                code,
                str(s["n"]),
                f"{s['mean']:.2f}",
                f"{s['mae']:.2f}",
                "{:.2f} to {:.2f}".format(*s["mae_interval"]),
                f"{s['constant_mae']:.2f}",
                f"{s['rmse']:.2f}",
                "-" if s["r2"] is None else f"{s['r2']:.2f}",
            )
        )
        limits = (s["lower_limit"], s["upper_limit"])
        agreement.append(
            (
                code,
                f"{s['bias']:+.2f}",
                "{:+.2f} to {:+.2f}".format(*s["bias_interval"]),
                "-" if None in limits else "{:+.2f} to {:+.2f}".format(*limits),
            )
        )
    covered = ", ".join(f"{code} {s['covered']:.0%}" for code, s in types.items())
    return "\n".join(
        (
            *_aligned(errors),
            "Counter minus people (Bland and Altman):",
            *_aligned(agreement),
            f"True counts inside the 90 % intervals: {covered}.",
            f"Unlike the training data: {scores['novel']:.0%} of {scores['n']} pictures.",
        )
    )


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines with their cells below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
