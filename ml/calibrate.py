"""How far to trust a count: 90 % intervals from residuals, and a score for unlike pictures.

Intervals are cross-conformal (Vovk 2015, Annals of Mathematics and Artificial Intelligence 74):
residuals of fields that the fit which counted them had not seen, pooled over the fits and taken at
a quantile corrected for their number. Each is scaled by how hard its field is (normalized
residuals: Papadopoulos et al. 2002, Lei et al. 2018): by the cells that its map leaves undecided.
They are given to a net trained on all fields, so nothing guarantees their coverage exactly: it is
measured (docs/training.md). They hold for fields like those; the novelty score says which are not.
numpy only.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml import peaks

Doubles = NDArray[np.float64]
# Share of true counts that an interval should hold: what the site promises its readers.
COVERAGE = 0.9
# With fewer residuals than this the quantile would be their largest one at best: see `quantiles`.
FEWEST = 19
# Added to the variance, since a sure map is not always right. 0.02 to 0.2 did about equally well on
# held-out training fields.
FLOOR = 0.02
# What residuals are measured in, as calibration.json calls it: in bundles of before, and since.
UNITS = ("sqrt(raw + 1)", f"sqrt(undecided + undecided^2 + {FLOOR})")
# A score of this or more means unlike the training data.
NOVELTY_THRESHOLD = 0.5
# Share of pictures like the training data that may be called novel: one in 200, chosen so that
# a warning stays rare in a day's work.
FALSE_ALARMS = 0.005
# Map pixels of the smallest whole field that the shipped bundle learned from.
SMALLEST_WHOLE = 529
# Share of the plain variance mixed into the covariance: 128 features from some hundred pictures.
# Chosen by hand.
SHRINKAGE = 0.1
# Share of green in gray, and how much of the way there a camera's muted colors may go beyond the
# palest known pictures: a strange lab's camera may be set otherwise. Chosen by hand on training
# fields, where it makes 0.37: colors at 0.6 of their strength leave 0.38, DAB 0.36 at most.
GRAY = 1.0 / 3.0
MUTED = 0.5
# Share of green that blood cells have in no stain: hemoglobin takes blue, and of eosin alone the
# share is 0.85 (Ruifrok and Johnston 2001). Drawn hematoxylin and eosin has 0.82 or more. It is not
# learned from fields: two labs (0.39 to 0.50) do not tell how far a third one's may go.
EOSIN = 0.8


@dataclass(frozen=True)
class Spread:
    """How far a count of one type may lie below and above the raw prediction, in `unit`s, and from
    how many residuals that is known. `deviation` is the standard deviation of the errors, in
    `unit`s as well: what a sum of many counts goes by. None in bundles of before.
    """

    below: float
    above: float
    n: int
    deviation: float | None = None

    def at_least(self, other: Spread) -> Spread:
        """Return the wider of both each way, known from as many residuals as this one."""
        known = [one.deviation for one in (self, other) if one.deviation is not None]
        return Spread(
            max(self.below, other.below),
            max(self.above, other.above),
            self.n,
            max(known, default=None),
        )


class Residual(NamedTuple):
    """By how many cells a true count is more than the raw prediction, and the `unit` of that."""

    off: float
    unit: float


# Of a type without residuals: a guess, made for the root of the count.
GUESS = Spread(3.0, 3.0, 0, 2.0)


def unit(raw: float, undecided: float | None) -> float:
    """Return what residuals are measured in: the standard deviation that comes of the cells which
    a map leaves undecided (`ml.peaks.undecided`).

    Were they decided one by one by chance, their number would be the variance. But what misleads
    the counter about one cell of a picture misleads it about the others like it: to that belongs a
    part that grows with the number itself. Both alike did best on held-out training fields
    (docs/training.md). None (bundles of before) stands for the square root of the count.
    """
    if undecided is None:
        return math.sqrt(max(raw, 0.0) + 1.0)
    return math.sqrt(undecided + undecided**2 + FLOOR)


def residual(true: float, count_map: peaks.Floats, *, by_map: bool = True) -> Residual:
    """Return the residual of one count, whose map [h, w] is given."""
    raw = float(count_map.sum(dtype=np.float64))
    undecided = peaks.undecided(count_map, peaks.find(count_map, rounded(raw))) if by_map else None
    return Residual(true - raw, unit(raw, undecided))


def quantiles(residuals: Sequence[Residual]) -> Spread:
    """Return the spread that covers `COVERAGE` of new fields, half of the rest on each side.

    Its deviation is the root of the squared errors over the squared units, each summed first: over
    the fields that calibrate, the variances then add up to the squared errors. These few large
    errors are what a sum goes by, and what quantiles do not see where most counts are right.

    Raises:
        ValueError: no residuals.
    """
    n = len(residuals)
    if not n:
        raise ValueError("No residuals to calibrate with.")
    off, units = np.asarray(residuals, dtype=np.float64).T
    ordered = np.sort(off / units)
    # The k-th smallest of n covers k / (n + 1) of new ones.
    k = min(n, math.ceil((n + 1) * (1 + COVERAGE) / 2))
    below, above = -float(ordered[n - k]), float(ordered[k - 1])
    deviation = math.sqrt(float(np.square(off).sum() / np.square(units).sum()))
    if n < FEWEST:
        # Too few to reach so far into the tails: widen by a rule of thumb, chosen by hand.
        widen = 1.0 + 2.0 / n
        below, above, deviation = below * widen, above * widen, deviation * widen
    return Spread(max(0.0, below), max(0.0, above), n, deviation)


def interval(raw: float, spread: Spread, undecided: float | None) -> tuple[int, int]:
    """Return the lowest and highest whole count inside the interval about a raw prediction."""
    value, one = rounded(raw), _unit_of(spread, raw, undecided)
    low = math.ceil(raw - spread.below * one - 1e-9)
    high = math.floor(raw + spread.above * one + 1e-9)
    return max(0, min(low, value)), max(high, value)


def deviation(raw: float, spread: Spread, undecided: float | None) -> float | None:
    """Return the standard deviation of a raw prediction's error, in cells; None: not known."""
    if spread.deviation is None:
        return None
    return spread.deviation * _unit_of(spread, raw, undecided)


def _unit_of(spread: Spread, raw: float, undecided: float | None) -> float:
    return unit(raw, undecided if spread.n else None)


def rounded(raw: float) -> int:
    """Return the whole count nearest to a raw prediction; halves go up."""
    return max(0, math.floor(raw + 0.5))


@dataclass(frozen=True)
class Hue:
    """How red the red cells of known pictures are (`ml.optics.hue`), [2] each: the median of the
    palest group, and what only `FALSE_ALARMS` of known pictures stay below; of green's share,
    `MUTED` of the way from there to gray. `most`: the share of green that red cells have in no lab;
    None in bundles of before. Blue's share over red's has no such bound, as labs lie too far apart
    in it.
    """

    usual: Doubles
    least: Doubles
    most: float | None = None

    def ratio(self, hue: Doubles) -> float:
        """Return 0 for red cells as red as usual, 1 at the least and at the most; unknown is 0."""
        off = (self.usual - hue) / np.maximum(self.usual - self.least, 1e-3)
        if self.most is not None:
            above = (hue[0] - self.usual[0]) / max(self.most - self.usual[0], 1e-3)
            off = np.append(off, above)
        return max(0.0, float(np.nan_to_num(off).max()))

    def wider(self, hues: Doubles) -> Hue:
        """Let the hues [n, 2] of more known pictures in."""
        seen = hues[~np.isnan(hues).any(axis=1)]
        if not len(seen):
            return self
        own = fit_hue(seen, [""] * len(seen))
        most = self.most if self.most is None or own.most is None else max(self.most, own.most)
        return Hue(np.minimum(self.usual, own.usual), np.minimum(self.least, own.least), most)

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        known = {"usual": _short(self.usual), "least": _short(self.least)}
        return known if self.most is None else {**known, "most": round(self.most, 6)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Hue:
        """Read what `to_dict` wrote, also before there was a most."""
        most = data.get("most")
        return cls(
            np.array(data["usual"], float),
            np.array(data["least"], float),
            None if most is None else float(most),
        )


def fit_hue(hues: Doubles, groups: Sequence[str]) -> Hue:
    """Fit to hues [n, 2] of known pictures, NaN where not known."""
    with warnings.catch_warnings():
        # A group in which nothing is stained says nothing.
        warnings.simplefilter("ignore", RuntimeWarning)
        member = np.array(groups)
        medians = [np.nanmedian(hues[member == name], axis=0) for name in sorted(set(groups))]
        usual = np.nanmin(medians, axis=0)
        least = np.nanquantile(hues, FALSE_ALARMS, axis=0)
        greenest = float(np.nanquantile(hues[:, 0], 1.0 - FALSE_ALARMS))
    least[0] -= MUTED * max(0.0, float(least[0]) - GRAY)
    return Hue(
        np.nan_to_num(usual, nan=-1.0),
        np.nan_to_num(least, nan=-1.0),
        None if math.isnan(greenest) else max(EOSIN, greenest),
    )


@dataclass(frozen=True)
class Novelty:
    """Where the features of known pictures lie: centers [k, d], one per group of pictures that
    look alike, `whiten` [d, m] that makes their spread about the centers round, and the distance
    that only `FALSE_ALARMS` of known pictures exceed. `hue` is None in bundles of before.
    """

    centers: Doubles
    whiten: Doubles
    radius: float
    hue: Hue | None = None

    def distance(self, features: Doubles) -> float:
        """Return the Mahalanobis distance of features [d] to the nearest center."""
        offsets = (features[None, :] - self.centers) @ self.whiten
        return float(np.sqrt(np.square(offsets).sum(axis=1).min()))

    def score(
        self, features: Doubles, hue: Doubles | None = None, area: int = SMALLEST_WHOLE
    ) -> float:
        """Return 0 to 1; `NOVELTY_THRESHOLD` or more means unlike the training data, in its
        features or in the hue of its red cells.

        Features are means over `area` map pixels, and the sampling variance of a mean goes with
        one over their number: a picture smaller than whole fields may lie further off by as much.
        """
        reach = self.radius * math.sqrt(max(1.0, SMALLEST_WHOLE / area))
        ratio = self.distance(features) / reach
        if self.hue is not None and hue is not None:
            ratio = max(ratio, self.hue.ratio(hue))
        return float(ratio**2 / (1.0 + ratio**2))

    def with_center(self, features: Doubles, hues: Doubles | None = None) -> Novelty:
        """Add a group of pictures, given as features [n, d] and hues [n, 2], and widen what is
        known to hold it.
        """
        center = features.mean(axis=0)
        wider = Novelty(np.vstack([self.centers, center]), self.whiten, self.radius)
        far = [wider.distance(row) for row in features]
        hue = self.hue if self.hue is None or hues is None else self.hue.wider(hues)
        return Novelty(wider.centers, self.whiten, max(self.radius, _tail(far)), hue)


def fit_novelty(features: Doubles, groups: Sequence[str], hue: Hue | None = None) -> Novelty:
    """Fit to features [n, d] of known pictures; pictures of one group look alike."""
    names = sorted(set(groups))
    member = np.array([names.index(group) for group in groups])
    centers = np.stack([features[member == i].mean(axis=0) for i in range(len(names))])
    centered = features - centers[member]
    covariance = centered.T @ centered / max(1, len(features) - len(names))
    plain = np.diag(np.maximum(np.diag(covariance), 1e-8))
    values, vectors = np.linalg.eigh((1 - SHRINKAGE) * covariance + SHRINKAGE * plain)
    whiten = vectors / np.sqrt(np.maximum(values, 1e-10))
    unscaled = Novelty(centers, whiten, 1.0)
    radius = _tail([unscaled.distance(row) for row in features])
    return Novelty(centers, whiten, radius, hue)


def _tail(distances: Sequence[float]) -> float:
    return float(np.quantile(distances, 1.0 - FALSE_ALARMS))


@dataclass(frozen=True)
class Calibration:
    """calibration.json of a bundle; `by_map`: whether what a map leaves undecided is the unit of
    its spreads.
    """

    spreads: Mapping[str, Spread]
    novelty: Novelty
    by_map: bool = True

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        hue = self.novelty.hue
        return {
            "coverage": COVERAGE,
            "unit": UNITS[self.by_map],
            "intervals": {
                code: {name: value for name, value in asdict(spread).items() if value is not None}
                for code, spread in self.spreads.items()
            },
            "novelty": {
                "threshold": NOVELTY_THRESHOLD,
                "radius": self.novelty.radius,
                "centers": _short(self.novelty.centers),
                "whiten": _short(self.novelty.whiten),
                "hue": hue and hue.to_dict(),
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: a value is missing or of another kind; the message is a sentence.
        """
        try:
            spreads = {
                str(code): Spread(
                    float(s["below"]),
                    float(s["above"]),
                    int(s["n"]),
                    float(s["deviation"]) if "deviation" in s else None,
                )
                for code, s in data["intervals"].items()
            }
            by_map = bool(UNITS.index(data["unit"]))
            told = data["novelty"]
            hue = told.get("hue")
            novelty = Novelty(
                np.asarray(told["centers"], dtype=np.float64),
                np.asarray(told["whiten"], dtype=np.float64),
                float(told["radius"]),
                hue and Hue.from_dict(hue),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"This bundle's calibration.json is not complete: {error}.") from None
        return cls(spreads, novelty, by_map)


def _short(values: Doubles) -> list[Any]:
    """Return nested lists of numbers with six digits: enough, and a tenth of the file."""
    rounder = np.vectorize(lambda value: float(f"{value:.6g}"), otypes=[np.float64])
    out: list[Any] = rounder(values).tolist()
    return out
