"""The measures that evaluation, tuning and the gate share.

Skill is 1 - loss / loss of a baseline that ignores the features: 0 is no better than guessing, 1 is perfect. The loss
is the log loss (classification) or the squared error (regression, where skill is R squared against the training mean).
On skill scores: Gneiting and Raftery, Strictly Proper Scoring Rules, Prediction, and Estimation, 2007, section 2.3.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd

from .. import task
from ..model.metrics import compute_metrics
from ..schema import Schema
from .calibration import calibration_bins, calibration_error
from .params import Gate

MAX_SLICES = 10
Array = npt.NDArray[Any]


class Slice(msgspec.Struct):
    """One part of the test data: the rows where a column has one value."""

    column: str
    value: str
    rows: int
    skill: float


def skill(losses: Array, baseline_losses: Array) -> float:
    """Skill of a set of predictions; see the head of this module."""
    floor = float(baseline_losses.mean())
    return 1.0 - float(losses.mean()) / floor if floor > 0 else 0.0


def score(target: Array, predicted: Array, baseline: Array) -> dict[str, float]:
    """Every metric of model/metrics.py, the skill, and the calibration error."""
    general = {
        "skill": skill(task.losses(target, predicted), task.losses(target, baseline)),
        "calibration_error": calibration_error(calibration_bins(target, predicted)),
    }
    return {**compute_metrics(target, predicted), **general}


def sliced_columns(schema: Schema, gate: Gate) -> list[str]:
    """The columns that gate.slices names, or every boolean and small category."""
    if gate.slices is not None:
        return gate.slices
    return [
        name
        for name, column in schema.features.items()
        if column.type == "boolean" or (column.type == "category" and len(column.values or []) <= MAX_SLICES)
    ]


def slice_masks(
    frame: pd.DataFrame, schema: Schema, columns: list[str], min_rows: int
) -> Iterator[tuple[str, str, Array]]:
    """The slices of some columns: column, value, and which rows.

    Numbers are cut at their median; slices of fewer than `min_rows` rows are left out.
    """
    for name in columns:
        values = frame[name]
        if schema.columns[name].type in ("number", "integer"):
            middle = values.median()
            groups = values.map(lambda value, middle=middle: f"{'<=' if value <= middle else '>'} {middle:g}")
        else:
            groups = values.map(str)
        for value in sorted(groups[values.notna()].unique()):
            mask = ((groups == value) & values.notna()).to_numpy()
            if mask.sum() >= min_rows:
                yield name, value, mask


def score_slices(
    frame: pd.DataFrame, schema: Schema, gate: Gate, target: Array, predicted: Array, baseline: Array
) -> list[Slice]:
    """The skill on each slice, measured against the baseline loss of the whole."""
    losses = task.losses(target, predicted)
    floor = task.losses(target, baseline)
    return [
        Slice(column=name, value=value, rows=int(mask.sum()), skill=round(skill(losses[mask], floor), 6))
        for name, value, mask in slice_masks(frame, schema, sliced_columns(schema, gate), gate.min_slice_rows)
    ]


def baseline_for(train: pd.DataFrame, rows: int, schema: Schema) -> Array:
    """The predictions of the baseline, learned from the training rows."""
    return task.baseline(task.encode_target(train[schema.target], schema), rows, schema)


def finite(metrics: dict[str, float]) -> dict[str, float]:
    """The metrics rounded to nine digits, without those that are undefined on this data."""
    return {name: float(f"{value:.9g}") for name, value in metrics.items() if np.isfinite(value)}
