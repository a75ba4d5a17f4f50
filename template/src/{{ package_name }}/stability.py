"""How much a distribution changed, by counts alone; the service needs NumPy for it and nothing else.

The population stability index (PSI) is the sum of (now - before) ln(now / before) over bins, where 0.1 is read as a
small shift and 0.2 as one to act on (Siddiqi, Credit Risk Scorecards, 2006, chapter 7).
"""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
DECILES = np.linspace(0.1, 0.9, 9)
ONE_IN_100_000 = 4.265  # standard deviations of a normal variable


def psi(before: Counts, now: Counts) -> float:
    """The population stability index of two sets of counts. Half a row is added to each bin, so that none is empty."""
    shares = [(counts + 0.5) / (counts.sum() + 0.5 * len(counts)) for counts in (before, now)]
    return float(np.sum((shares[1] - shares[0]) * np.log(shares[1] / shares[0])))


def psi_by_chance(bins: int, before_rows: float, now_rows: float) -> float:
    """The index that equal distributions exceed once in 100,000 times.

    It is (1 / before + 1 / now) times a chi-squared variable of bins - 1 degrees of freedom (Yurdakul, Statistical
    Properties of Population Stability Index, 2018); the quantile is that of Wilson and Hilferty, 1931.
    """
    free = max(bins - 1, 1)
    spread = 2 / (9 * free)
    quantile = free * (1 - spread + ONE_IN_100_000 * np.sqrt(spread)) ** 3
    return float((1 / before_rows + 1 / now_rows) * quantile)


def decile_cuts(below: Counts) -> npt.NDArray[np.int64]:
    """Which points of a distribution function cut its bins: below all that was seen, the deciles, above all."""
    return np.unique([0, *np.searchsorted(below, DECILES), len(below) - 1])[: len(below)]


def bin_shares(below: Counts, cuts: npt.NDArray[np.int64]) -> Counts:
    """The share of the rows in each bin, from the shares at or below each point."""
    return np.diff(np.concatenate([[0.0], below[cuts], [1.0]]))
