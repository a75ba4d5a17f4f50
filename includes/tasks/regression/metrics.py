"""How a model is measured. Each entry becomes a metric in DVC and MLflow, and a name for a threshold of the gate."""

from typing import Any

import numpy.typing as npt
from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score, root_mean_squared_error

Array = npt.NDArray[Any]


def compute_metrics(target: Array, predicted: Array) -> dict[str, float]:
    """Metrics of one set of predictions; both arrays have the shape (rows,) and the unit of the target."""
    metrics = {
        "mae": mean_absolute_error(target, predicted),
        "median_absolute_error": median_absolute_error(target, predicted),
        "r2": r2_score(target, predicted),
        "rmse": root_mean_squared_error(target, predicted),
    }
    return {name: float(value) for name, value in metrics.items()}


def business_kpi(labels: list[Any], predictions: list[Any]) -> dict[str, float]:
    """What the predictions were worth, from true and predicted values that were matched; shown by `make monitor`.

    A cost for each unit of error belongs here. Without one, the mean of what was predicted too high stands for it.
    """
    return {
        "mean_excess": sum(predicted - label for label, predicted in zip(labels, predictions, strict=True))
        / len(labels)
    }
