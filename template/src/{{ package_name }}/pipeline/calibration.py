"""Whether what the model claims comes true as often as it claims.

The rows are put into ten bins by what the model claims, and each bin is compared with what was true; the error is the
mean distance (Naeini, Cooper and Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning, 2015).
"""

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from .. import task

BINS = 10
Array = npt.NDArray[Any]


class Bin(msgspec.Struct):
    """Rows for which the model claims about the same, and what was true of them, both on the task's scale."""

    rows: int
    claimed: float
    true: float


def calibration_bins(target: Array, predicted: Array) -> list[Bin]:
    """Bins of equally many rows, ordered by what is claimed."""
    claimed, true = task.claims(target, predicted)
    parts = np.array_split(np.argsort(claimed, kind="stable"), BINS)
    return [
        Bin(len(part), round(float(claimed[part].mean()), 6), round(float(true[part].mean()), 6))
        for part in parts
        if len(part)
    ]


def calibration_error(bins: list[Bin]) -> float:
    """The mean distance of what is claimed from what is true."""
    return sum(each.rows * abs(each.claimed - each.true) for each in bins) / sum(each.rows for each in bins)
