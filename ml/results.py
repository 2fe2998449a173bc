"""What the pieces of the ablation say: rows of answers, what is true, scores and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ml import metrics
from ml.ablation import KINDS, STARTS, Place, judging_fields, old_counts, pieces
from ml.data import BASE_TYPES, read_fields
from ml.files import read_json
from ml.metrics import Doubles

SHOWN = ("mae", "rmse", "bias", "r2", "weighted_ape", "aggregate_accuracy")
WITH_INTERVAL = ("mae", "bias", "aggregate_accuracy")


@dataclass(frozen=True)
class Row:
    """A condition of the table: its seeds' answers in the fields that judge.

    told: by set and cell type, whole counts [fields, seeds]; curves: by seed.
    """

    backbone: str
    start: str
    head: str
    supervision: str
    told: Mapping[str, Mapping[str, Doubles]]
    curves: Sequence[Mapping[str, Any]]
    size: Mapping[str, Any]

    @property
    def seeds(self) -> int:
        """How many trainings it stands for."""
        return len(self.curves)


@dataclass(frozen=True)
class Truth:
    """What people counted: by set and cell type [fields]; NaN where a type was not counted.
    constants: by set and type the training fields' median, or None.
    """

    counts: Mapping[str, Mapping[str, Doubles]]
    constants: Mapping[str, Mapping[str, float]]


def read_rows(place: Place) -> list[Row]:
    """Gather the pieces that are done into rows, a row for all seeds of a condition."""
    found: dict[tuple[str, str, str, str], list[dict[str, Any]]] = {}
    for piece in pieces(quick=place.quick, imagenet=True):
        if place.result(piece).is_file():
            key = (piece.backbone, piece.start, piece.head, piece.supervision)
            found.setdefault(key, []).append(read_json(place.result(piece)))
    order = {key: i for i, key in enumerate(found)}
    rows = []
    for key in sorted(
        found, key=lambda k: (k[0], KINDS.index(k[2:]), STARTS.index(k[1]), order[k])
    ):
        results = found[key]
        told = {
            name: {
                code: np.floor(
                    np.array([[t[code] for t in r["sets"][name]["told"]] for r in results]).T + 0.5
                )
                for code in BASE_TYPES
            }
            for name in results[0]["sets"]
        }
        if "test" in told:
            told["old"] = told["test"]
        rows.append(Row(*key, told, [r["curve"] for r in results], results[0]["size"]))
    return rows


def read_truth(data: Path) -> Truth:
    """Read what people counted in the fields that judge, and what the best constants would be."""
    sets = judging_fields(data)
    older = old_counts(data)
    given = {name: [field.counts for field in fields] for name, fields in sets.items()}
    if "test" in sets and any(field.name in older for field in sets["test"]):
        given["old"] = [older.get(field.name, {}) for field in sets["test"]]
    counts = {
        name: {
            code: np.array([float(row.get(code, np.nan)) for row in rows]) for code in BASE_TYPES
        }
        for name, rows in given.items()
    }
    train = read_fields(data, splits=["train"])
    # The answer of someone who looks at no picture: learned where the test fields come from.
    groups = {field.group for field in sets.get("test", [])}
    own = [field for field in train if field.group in groups] or train
    full = [dict(field.counts) for field in own if set(field.counts) == set(BASE_TYPES)]
    medians = {"test": full, "old": [older[f.name] for f in own if f.name in older]}
    constants = {
        name: {code: float(np.median([r[code] for r in rows if code in r])) for code in BASE_TYPES}
        for name, rows in medians.items()
        if rows
    }
    return Truth(counts, constants)


def scored(true: Doubles, told: Doubles) -> dict[str, tuple[float | None, Any]]:
    """Return each measure's mean over seeds and, for those `WITH_INTERVAL`, the bootstrap 95 %
    interval over fields and seeds.

    true [fields], told [fields, seeds]; fields that nobody counted (NaN) are left out.
    """
    known = np.isfinite(true)
    true, told = true[known], told[known]
    out: dict[str, tuple[float | None, Any]] = {}
    for name in SHOWN:
        measure = metrics.MEASURES[name]

        def over_seeds(tables: list[Doubles], measure: Any = measure) -> float | None:
            values = [measure(tables[0][:, 0], one) for one in tables[1].T]
            return None if None in values else float(np.mean(values))

        tables = [true[:, None], told]
        span = metrics.nested_interval(over_seeds, tables) if name in WITH_INTERVAL else None
        out[name] = (over_seeds(tables), span)
    return out


@dataclass(frozen=True)
class Change:
    """Mean errors per field of two trainings in the same fields, and how much better the second
    is: in cells a field and as a share, each with its interval.
    """

    before: float
    after: float
    gain: tuple[float, tuple[float, float]]
    share: tuple[float | None, tuple[float, float] | None]


def compare(name: str, code: str, pairs: Sequence[tuple[Row, Row]], truth: Truth) -> Change | None:
    """Compare the second rows of pairs with the first in one set of fields, errors averaged over
    pairs; None where these fields were not counted. Intervals are over fields and seeds.
    """
    true = truth.counts.get(name, {}).get(code)
    pairs = [pair for pair in pairs if name in pair[0].told]
    if true is None or not pairs or not np.isfinite(true).any():
        return None
    known = np.isfinite(true)
    # Errors [fields, seeds]: before and after of the first pair, of the second, ...
    errors = []
    for pair in pairs:
        seeds = min(row.seeds for row in pair)
        told = [row.told[name][code][known, :seeds] for row in pair]
        errors += [np.abs(one - true[known, None]) for one in told]
    before, after = _means(errors)
    spread = metrics.nested_interval(_gain, errors)
    assert spread is not None
    return Change(
        before,
        after,
        (_gain(errors), spread),
        (_share_gained(errors), metrics.nested_interval(_share_gained, errors)),
    )


def _means(errors: list[Doubles]) -> tuple[float, float]:
    """Return the mean error before and after; each pair weighs as much, however many its seeds."""
    means = [float(table.mean()) for table in errors]
    return float(np.mean(means[::2])), float(np.mean(means[1::2]))


def _gain(errors: list[Doubles]) -> float:
    before, after = _means(errors)
    return before - after


def _share_gained(errors: list[Doubles]) -> float | None:
    before, after = _means(errors)
    return None if before == 0 else 1 - after / before
