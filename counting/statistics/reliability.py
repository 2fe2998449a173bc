"""How well repeated counts of the same fields repeat: ICC and coefficient of variation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .distributions import chi_square_quantile, fisher_quantile
from .intervals import CONFIDENCE, Estimate, Interval


def icc_agreement(rows: Sequence[Sequence[float]]) -> Estimate | None:
    """Return ICC(2,1), two-way random effects, single measures, absolute agreement.

    rows: n fields of k readers each. The formula is ICC(2,1) of Shrout & Fleiss (1979) and
    ICC(A,1) of McGraw & Wong (1996), the interval that of McGraw & Wong's table 7. None where
    all values are the same: there is nothing to tell apart.

    Raises:
        ValueError: fewer than two fields or readers.
    """
    n, k = len(rows), len(rows[0]) if rows else 0
    if n < 2 or k < 2:
        raise ValueError("An ICC needs two fields and two readers or more.")
    grand = math.fsum(map(math.fsum, rows)) / (n * k)
    row_means = [math.fsum(row) / k for row in rows]
    column_means = [math.fsum(row[j] for row in rows) / n for j in range(k)]
    total = math.fsum((value - grand) ** 2 for row in rows for value in row)
    between_rows = k * math.fsum((m - grand) ** 2 for m in row_means)
    between_columns = n * math.fsum((m - grand) ** 2 for m in column_means)
    rest = max(0.0, total - between_rows - between_columns)
    msr = between_rows / (n - 1)
    msc = between_columns / (k - 1)
    mse = rest / ((n - 1) * (k - 1))
    below = msr + (k - 1) * mse + k * (msc - mse) / n
    if total == 0 or below <= 0:
        return None
    value = (msr - mse) / below
    if total - between_rows <= total * 1e-12:
        return Estimate(1.0, Interval(1.0, 1.0))
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    spread = (a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1))
    # Two mean squares together have no fewer degrees of freedom than the first of them alone; a
    # value below 0 would make it so.
    freedom = max(k - 1.0, (a * msc + b * mse) ** 2 / spread if spread else 0.0)
    upper_tail = (1 + CONFIDENCE) / 2
    f_low = fisher_quantile(upper_tail, n - 1, freedom)
    f_high = fisher_quantile(upper_tail, freedom, n - 1)
    common = k * msc + (k * n - k - n) * mse
    low = n * (msr - f_low * mse) / (f_low * common + n * msr)
    high = n * (f_high * msr - mse) / (common + n * f_high * msr)
    return Estimate(value, Interval(low, high))


def coefficient_of_variation(pairs: Sequence[tuple[float, float]]) -> Estimate | None:
    """Return the coefficient of variation of two counts of the same fields, as a share.

    The standard deviation is sqrt(sum d² / 2n) (Dahlberg 1940; Bland & Altman, BMJ 1996;312:1654),
    taken against the mean of all counts, so that empty fields can take part; its interval is the
    chi-square interval with n degrees of freedom. None where nothing was counted.
    """
    n = len(pairs)
    average = math.fsum(a + b for a, b in pairs) / (2 * n) if n else 0.0
    if average <= 0:
        return None
    deviation = math.sqrt(math.fsum((a - b) ** 2 for a, b in pairs) / (2 * n))
    tail = (1 - CONFIDENCE) / 2
    low = deviation * math.sqrt(n / chi_square_quantile(1 - tail, n))
    high = deviation * math.sqrt(n / chi_square_quantile(tail, n))
    return Estimate(deviation / average, Interval(low / average, high / average))
