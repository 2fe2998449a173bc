"""How far the model's part of a slide's total reaches, and how often it holds: sums of fields.

    python -m benchmarks.totals --data ../shared/data --fits OUT [--json]

OUT is the folder of `python -m ml train --folds 5`: each of its fits counts the training fields
that it did not see. Other splits are not opened.

Slides are made of 2 to 50 fields of one lab: *drawn*, all counted by one fit, `DRAWS` of each fit
and size; and *runs*, fields that follow each other by file name, whichever fit counts them, all
that there are. Fields that follow each other may be of one smear; those of one fit share its bias.

Each way of joining the fields' errors is calibrated, as bundles are, on the fields of both labs
that the other fits counted. A total is the sum of whole counts, as a report shows it. Printed are,
of 90 % intervals: the share that holds the true total, by lab; the mean width; and the interval
score (Gneiting & Raftery 2007), less of which is better.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

from counting.statistics.distributions import normal_quantile
from counting.statistics.intervals import SHARED, deviation_of_sum
from ml import calibrate, peaks, pictures
from ml.base import CHUNK, FOLDS
from ml.calibrate import Doubles, Residual, Spread
from ml.config import BundleConfig
from ml.data import BadData, Field, fold_of, read_fields
from ml.files import read_json
from ml.look import look, prepare
from ml.nets import Counter

SIZES = (2, 5, 9, 20, 50)
DRAWS = 300
KINDS = ("drawn", "runs")
Z = normal_quantile((1 + calibrate.COVERAGE) / 2)


@dataclass(frozen=True)
class Counted:
    """One type's count of a field by a fit that had not seen it."""

    lab: str
    name: str
    fit: int
    true: int
    raw: float
    undecided: float

    @cached_property
    def unit(self) -> float:
        """What its residual is measured in."""
        return calibrate.unit(self.raw, self.undecided)


@dataclass(frozen=True)
class Known:
    """What is known of a field's count when it is joined with others."""

    counted: Counted
    spread: Spread

    @cached_property
    def value(self) -> int:
        """The whole count."""
        return calibrate.rounded(self.counted.raw)

    @cached_property
    def ends(self) -> tuple[int, int]:
        """How far its interval of whole counts reaches below and above."""
        one = self.counted
        low, high = calibrate.interval(one.raw, self.spread, one.undecided)
        return self.value - low, high - self.value

    @cached_property
    def reach(self) -> tuple[float, float]:
        """How far its interval reaches from the raw count before it is rounded."""
        return self.spread.below * self.counted.unit, self.spread.above * self.counted.unit

    @cached_property
    def deviation(self) -> float:
        """The standard deviation of its error."""
        one = self.counted
        return calibrate.deviation(one.raw, self.spread, one.undecided) or 0.0


Way = Callable[[Sequence[Known]], tuple[float, float]]


def added(fields: Sequence[Known]) -> tuple[float, float]:
    """Add the intervals of whole counts, as reports did before."""
    return sum(one.ends[0] for one in fields), sum(one.ends[1] for one in fields)


def reaches(shared: float) -> Way:
    """Join the reaches before they are rounded; 1 adds them."""
    return lambda fields: (
        deviation_of_sum([one.reach[0] for one in fields], shared),
        deviation_of_sum([one.reach[1] for one in fields], shared),
    )


def one_picture(fields: Sequence[Known]) -> tuple[float, float]:
    """Take the fields for one picture, which leaves undecided what they do together."""
    unit = calibrate.unit(0.0, sum(one.counted.undecided for one in fields))
    below, above = (
        float(np.mean([getattr(one.spread, side) for one in fields])) for side in ("below", "above")
    )
    return below * unit, above * unit


def deviations(shared: float) -> Way:
    """Join the standard deviations, as reports do."""

    def join(fields: Sequence[Known]) -> tuple[float, float]:
        far = Z * deviation_of_sum([one.deviation for one in fields], shared)
        return far, far

    return join


WAYS: Mapping[str, Way] = {
    "intervals added (before)": added,
    "reaches added": reaches(1.0),
    "reaches, root of squares": reaches(0.0),
    f"reaches, {SHARED:g} shared": reaches(SHARED),
    "as one picture": one_picture,
    **{f"deviations, {part:g} shared": deviations(part) for part in (0.0, 0.02, SHARED, 0.1, 0.2)},
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--fits", type=Path, required=True, help="OUT of python -m ml train")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    counted = held_out(read_fields(options.data, splits=["train"]), options.fits)
    rows = [row for code, own in counted.items() for row in rows_of(code, own)]
    print(json.dumps(rows, indent=2) if options.json else table(rows))
    return 0


def held_out(fields: Sequence[Field], fits: Path) -> dict[str, list[Counted]]:
    """Count each field with the fit that did not see it, by cell type.

    Raises:
        BadData: a fit is missing, or learned from other fields.
    """
    found: dict[str, list[Counted]] = {}
    for number in range(FOLDS):
        own = [field for field in fields if fold_of(field, FOLDS) == number]
        net, config = fit(fits / f"fold{number}", len(fields) - len(own))
        for start in range(0, len(own), CHUNK):
            part = own[start : start + CHUNK]
            works = [prepare(pictures.read(field.path).image, None, config) for field in part]
            look(net, works, config)
            for field, work in zip(part, works, strict=True):
                assert work.maps is not None
                for code, one in zip(config.cell_types, work.maps, strict=True):
                    if code in field.counts:
                        raw = float(one.sum(dtype=np.float64))
                        left = peaks.undecided(one, peaks.find(one, calibrate.rounded(raw)))
                        told = (field.group, field.name, number, field.counts[code], raw, left)
                        found.setdefault(code, []).append(Counted(*told))
    return found


def fit(folder: Path, seen: int) -> tuple[Counter, BundleConfig]:
    """Return the net of a fit on `seen` fields, and its config."""
    try:
        stamp = read_json(folder / "progress.json")["stamp"]
        state = load_file(folder / "state.safetensors")
    except (OSError, ValueError, KeyError) as error:
        raise BadData(f"There is no fit in {folder}: {error}.") from None
    if stamp["fields"]["number"] != seen:
        raise BadData(f"{folder} learned from {stamp['fields']['number']} fields, not {seen}.")
    config = BundleConfig.from_dict(stamp["config"])
    net = Counter(config.net, len(config.cell_types)).channels_last()
    average = {name.removeprefix("average."): value for name, value in state.items()}
    net.load_state_dict({name: average[name] for name in net.state_dict()})
    net.eval()
    return net.fold(), config


def rows_of(code: str, counted: Sequence[Counted]) -> Iterator[dict[str, Any]]:
    """Yield one type's row for each way, kind of slide and number of fields."""
    known = calibrated(counted)
    for kind in KINDS:
        for size in SIZES:
            slides = list(made(known, kind, size))
            for name, way in WAYS.items():
                yield {
                    "cell_type": code,
                    "kind": kind,
                    "fields": size,
                    "way": name,
                    **judged(slides, way),
                }


def calibrated(counted: Sequence[Counted]) -> list[Known]:
    """Give each count the spread that the fields of the other fits tell."""
    spreads = {
        number: calibrate.quantiles(
            [Residual(one.true - one.raw, one.unit) for one in counted if one.fit != number]
        )
        for number in range(FOLDS)
    }
    return [Known(one, spreads[one.fit]) for one in counted]


def made(known: Sequence[Known], kind: str, size: int) -> Iterator[list[Known]]:
    """Yield slides of `size` fields of one lab."""
    rng = np.random.default_rng(0)
    for lab in sorted({one.counted.lab for one in known}):
        own = sorted(
            (one for one in known if one.counted.lab == lab), key=lambda one: one.counted.name
        )
        if kind == "runs":
            yield from (own[start : start + size] for start in range(len(own) - size + 1))
            continue
        for number in range(FOLDS):
            part = [one for one in own if one.counted.fit == number]
            for _ in range(DRAWS if len(part) >= size else 0):
                yield [part[int(i)] for i in rng.choice(len(part), size, replace=False)]


def judged(slides: Sequence[Sequence[Known]], way: Way) -> dict[str, Any]:
    """Return how often, by lab, the totals' intervals hold, how wide they are, and their score."""
    totals = np.array([sum(one.value for one in slide) for slide in slides], float)
    true = np.array([sum(one.counted.true for one in slide) for slide in slides], float)
    below, above = np.array([way(slide) for slide in slides]).T
    low, high = np.maximum(0.0, totals - below), totals + above
    held = (low - 1e-9 <= true) & (true <= high + 1e-9)
    outside = np.maximum(0.0, np.maximum(low - true, true - high))
    score = high - low + 2 / (1 - calibrate.COVERAGE) * outside
    labs = np.array([slide[0].counted.lab for slide in slides])
    return {
        "covers": {lab: _mean(held[labs == lab]) for lab in sorted(set(labs.tolist()))},
        "width": _mean(high - low),
        "score": _mean(score),
    }


def _mean(values: Doubles | NDArray[np.bool_]) -> float:
    return round(float(np.mean(values)), 4)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows in columns, coverage in percent by lab."""
    lines = []
    seen = None
    for row in rows:
        head = (row["cell_type"], row["kind"], row["fields"])
        if head != seen:
            lines.append("{} {}, sums of {}".format(*head))
            seen = head
        covers = "  ".join(f"{lab} {share:6.1%}" for lab, share in row["covers"].items())
        lines.append(
            f"  {row['way']:<26} {covers:<28} width {row['width']:7.2f}  score {row['score']:7.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
