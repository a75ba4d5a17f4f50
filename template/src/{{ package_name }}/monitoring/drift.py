"""Whether what a model sees has changed since it was trained. Pure functions of counts.

The population stability index says how much (see stability.py). Few rows give a large index by chance alone, so a test
must agree: Kolmogorov-Smirnov for numbers, chi-squared for values and for what is missing. With many features one of
them is small by chance; the level is shared among them (Bonferroni).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
from scipy.stats import chi2_contingency, kstwobign

from ..pipeline.params import Monitor
from ..stability import Counts, bin_shares, decile_cuts, psi


class NumberTally(msgspec.Struct):
    """Numbers, counted between the points of the reference: rows at or below each point, and above the last."""

    counts: list[int]
    missing: int = 0

    def below(self) -> Counts:
        """Share of the rows at or below each point; nothing where no row was counted."""
        return np.cumsum(self.counts)[:-1] / max(sum(self.counts), 1)


class ValueTally(msgspec.Struct):
    """Values, counted."""

    counts: dict[str, int]
    missing: int = 0


class Drift(msgspec.Struct):
    """How one column stands: how much it changed, by which test, and whether that counts."""

    column: str
    rows: int
    psi: float
    test: str
    statistic: float
    p_value: float
    missing_before: float
    missing_now: float
    drifted: bool
    reason: str


class Finding(msgspec.Struct):
    """A verdict with what it was made from."""

    drift: Drift
    reference: dict[str, Any]
    now: NumberTally | ValueTally


def compare(
    column: str, reference: dict[str, Any], now: NumberTally | ValueTally, limits: Monitor, tests: int
) -> Finding:
    """One column against its reference; `tests` is how many columns share the level."""
    of_kind: Any = compare_numbers if isinstance(now, NumberTally) else compare_values
    return Finding(of_kind(column, reference, now, limits, tests), reference, now)


def kolmogorov_smirnov(below_before: Counts, below_now: Counts, rows: tuple[float, float]) -> tuple[float, float]:
    """The largest distance of two distribution functions, given at the same points, and its asymptotic p-value.

    Stephens' correction for small samples (Journal of the Royal Statistical Society B 32, 1970). The points are the
    percentiles of the reference, so the distance may be a hundredth too small, never too large.
    """
    distance = float(np.abs(below_before - below_now).max()) if len(below_before) else 0.0
    root = np.sqrt(rows[0] * rows[1] / (rows[0] + rows[1]))
    return distance, float(kstwobign.sf((root + 0.12 + 0.11 / root) * distance))


def chi_squared(before: Counts, now: Counts) -> tuple[float, float]:
    """Pearson's statistic for two sets of counts being drawn alike, and its p-value."""
    table = np.array([before, now])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
        return 0.0, 1.0
    result = chi2_contingency(table, correction=False)
    return float(result.statistic), float(result.pvalue)


def compare_numbers(column: str, reference: Mapping[str, Any], now: NumberTally, limits: Monitor, tests: int) -> Drift:
    """A column of numbers against its reference."""
    rows, missing = float(reference["rows"]), reference["missing"]
    present_before, present_now = rows * (1 - missing), float(sum(now.counts))
    below_before = np.asarray(reference["below"], dtype=np.float64)
    below_now = now.below()
    statistic, p_value = 0.0, 1.0
    if present_before and present_now:
        statistic, p_value = kolmogorov_smirnov(below_before, below_now, (present_before, present_now))
    cuts = decile_cuts(below_before)
    bins = [
        np.append(bin_shares(below, cuts) * present, gone)
        for below, present, gone in (
            (below_before, present_before, rows * missing),
            (below_now, present_now, float(now.missing)),
        )
    ]
    return judge(column, bins, ("Kolmogorov-Smirnov", statistic, p_value), limits, tests)


def compare_values(column: str, reference: Mapping[str, Any], now: ValueTally, limits: Monitor, tests: int) -> Drift:
    """A column of values against its reference; values that were not there before are compared as any other."""
    values = sorted({*reference["counts"], *now.counts})
    before = np.array([float(reference["counts"].get(value, 0)) for value in values])
    after = np.array([float(now.counts.get(value, 0)) for value in values])
    gone = float(reference["rows"]) * reference["missing"]
    bins = [np.append(before, gone), np.append(after, float(now.missing))]
    return judge(column, bins, ("chi-squared", *chi_squared(before, after)), limits, tests)


def judge(column: str, bins: list[Counts], test: tuple[str, float, float], limits: Monitor, tests: int) -> Drift:
    """The verdict on a column. The last bin of each set counts what is missing."""
    name, statistic, p_value = test
    before, now = bins
    rows = int(now.sum())
    missing = [np.array([counts[:-1].sum(), counts[-1]]) for counts in bins]
    _, missing_p = chi_squared(*missing)
    index, level = psi(before, now), limits.p_value / max(tests, 1)
    enough = rows >= limits.min_rows
    drifted = enough and index > limits.psi and min(p_value, missing_p) < level
    reason = f"{rows} rows, {limits.min_rows} are needed" if not enough else ""
    if drifted:
        reason = f"PSI {index:.2f} > {limits.psi:g}, p {min(p_value, missing_p):.1e} < {level:.1e}"
    shares = [float(counts[-1] / counts.sum()) if counts.sum() else 0.0 for counts in bins]
    return Drift(column, rows, index, name, statistic, p_value, shares[0], shares[1], drifted, reason)
