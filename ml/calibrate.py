"""How far to trust a count: 90 % intervals from residuals, and a score for unlike pictures.

Intervals are split conformal: residuals of fields the net was not trained on, scaled by the
square root of the count, at a quantile corrected for their number (Lei et al. 2018). They hold for
fields like those; the novelty score says which are not. numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
COVERAGE = 0.9
# With fewer residuals than this the quantile would be their largest one at best: see `quantiles`.
FEWEST = 19
# A score of this or more means unlike the training data.
NOVELTY_THRESHOLD = 0.5
# Share of pictures like the training data that may be called novel.
FALSE_ALARMS = 0.005
# Share of the plain variance mixed into the covariance: 128 features from some hundred pictures.
SHRINKAGE = 0.1


@dataclass(frozen=True)
class Spread:
    """How far a count of one type may lie below and above the raw prediction, per sqrt(raw + 1),
    and from how many residuals that is known.
    """

    below: float
    above: float
    n: int


def unit(raw: float) -> float:
    """Return what residuals are measured in: counting noise grows with the square root."""
    return math.sqrt(max(raw, 0.0) + 1.0)


def residual(true: float, raw: float) -> float:
    """Return the scaled residual of one count."""
    return (true - raw) / unit(raw)


def quantiles(residuals: Sequence[float]) -> Spread:
    """Return the spread that covers `COVERAGE` of new fields, half of the rest on each side.

    Raises:
        ValueError: no residuals.
    """
    n = len(residuals)
    if not n:
        raise ValueError("No residuals to calibrate with.")
    ordered = np.sort(np.asarray(residuals, dtype=np.float64))
    # The k-th smallest of n covers k / (n + 1) of new ones.
    k = min(n, math.ceil((n + 1) * (1 + COVERAGE) / 2))
    below, above = -float(ordered[n - k]), float(ordered[k - 1])
    if n < FEWEST:
        # Too few to reach so far into the tails: widen by the Student factor a normal
        # distribution would ask for (two-sided 90 %).
        widen = 1.0 + 2.0 / n
        below, above = below * widen, above * widen
    return Spread(max(0.0, below), max(0.0, above), n)


def interval(raw: float, spread: Spread) -> tuple[int, int]:
    """Return the lowest and highest whole count inside the interval about a raw prediction."""
    value = rounded(raw)
    low = math.ceil(raw - spread.below * unit(raw) - 1e-9)
    high = math.floor(raw + spread.above * unit(raw) + 1e-9)
    return max(0, min(low, value)), max(high, value)


def rounded(raw: float) -> int:
    """Return the whole count nearest to a raw prediction; halves go up."""
    return max(0, math.floor(raw + 0.5))


@dataclass(frozen=True)
class Novelty:
    """Where the features of known pictures lie: centers [k, d], one per group of pictures that
    look alike, `whiten` [d, m] that makes their spread about the centers round, and the distance
    that only `FALSE_ALARMS` of known pictures exceed.
    """

    centers: Doubles
    whiten: Doubles
    radius: float

    def distance(self, features: Doubles) -> float:
        """Return the Mahalanobis distance of features [d] to the nearest center."""
        offsets = (features[None, :] - self.centers) @ self.whiten
        return float(np.sqrt(np.square(offsets).sum(axis=1).min()))

    def score(self, features: Doubles) -> float:
        """Return 0 to 1; `NOVELTY_THRESHOLD` or more means unlike the training data."""
        ratio = self.distance(features) / self.radius
        return float(ratio**2 / (1.0 + ratio**2))

    def with_center(self, features: Doubles) -> Novelty:
        """Add a group of pictures, given as features [n, d], and widen the radius to hold it."""
        center = features.mean(axis=0)
        wider = Novelty(np.vstack([self.centers, center]), self.whiten, self.radius)
        far = [wider.distance(row) for row in features]
        return Novelty(wider.centers, self.whiten, max(self.radius, _tail(far)))


def fit_novelty(features: Doubles, groups: Sequence[str]) -> Novelty:
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
    return Novelty(centers, whiten, _tail([unscaled.distance(row) for row in features]))


def _tail(distances: Sequence[float]) -> float:
    return float(np.quantile(distances, 1.0 - FALSE_ALARMS))


@dataclass(frozen=True)
class Calibration:
    """calibration.json of a bundle."""

    spreads: Mapping[str, Spread]
    novelty: Novelty

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "coverage": COVERAGE,
            "unit": "sqrt(raw + 1)",
            "intervals": {
                code: {"below": s.below, "above": s.above, "n": s.n}
                for code, s in self.spreads.items()
            },
            "novelty": {
                "threshold": NOVELTY_THRESHOLD,
                "radius": self.novelty.radius,
                "centers": _short(self.novelty.centers),
                "whiten": _short(self.novelty.whiten),
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
                str(code): Spread(float(s["below"]), float(s["above"]), int(s["n"]))
                for code, s in data["intervals"].items()
            }
            told = data["novelty"]
            novelty = Novelty(
                np.asarray(told["centers"], dtype=np.float64),
                np.asarray(told["whiten"], dtype=np.float64),
                float(told["radius"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"This bundle's calibration.json is not complete: {error}.") from None
        return cls(spreads, novelty)


def _short(values: Doubles) -> list[Any]:
    """Return nested lists of numbers with six digits: enough, and a tenth of the file."""
    rounder = np.vectorize(lambda value: float(f"{value:.6g}"), otypes=[np.float64])
    out: list[Any] = rounder(values).tolist()
    return out
