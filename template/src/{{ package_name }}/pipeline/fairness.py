"""Whether the model treats groups of people alike: for each protected column, how far its groups are apart.

The shares of each class among the predictions are those of demographic parity, the recalls those of equalised odds
(Hardt, Price and Srebro, Equality of Opportunity in Supervised Learning, 2016).
"""

from typing import Any

import msgspec
import numpy.typing as npt
import pandas as pd

from .. import task
from ..schema import Schema
from .evaluation import slice_masks
from .params import Gate

Array = npt.NDArray[Any]


class Gap(msgspec.Struct):
    """How far the groups of a protected column are apart in one measure, and which ones are the lowest and highest."""

    column: str
    measure: str
    gap: float
    lowest: str
    highest: str


def fairness_gaps(frame: pd.DataFrame, schema: Schema, gate: Gate, target: Array, predicted: Array) -> list[Gap]:
    """The largest gap of each measure for each protected column; groups of few rows are not judged."""
    found = []
    for column in gate.protected:
        groups = [(value, mask) for _, value, mask in slice_masks(frame, schema, [column], gate.min_slice_rows)]
        for measure, values, counts in task.treatments(target, predicted, schema):
            means = {
                value: float(values[mask & counts].mean())
                for value, mask in groups
                if (mask & counts).sum() >= gate.min_slice_rows
            }
            if len(means) > 1:
                lowest, highest = min(means, key=lambda name: means[name]), max(means, key=lambda name: means[name])
                found.append(Gap(column, measure, round(means[highest] - means[lowest], 6), lowest, highest))
    return found
