"""Reference statistics: what the training data looked like, kept with each model version for drift checks."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from ..encoding import encoded_features
from ..schema import Schema
from .frame import encode_frame

PERCENTILES = np.linspace(0, 1, 101)


def reference_statistics(frame: pd.DataFrame, schema: Schema, predicted: list[Any]) -> dict[str, Any]:
    """Counts and shares of each feature of a typed table, and of the predictions on it."""
    encoded = encode_frame(frame, schema)
    positions = {feature.name: position for position, feature in enumerate(encoded_features(schema))}
    features = {}
    for name, column in schema.features.items():
        if column.type in ("number", "integer", "date"):
            position = positions[f"{name}.days" if column.type == "date" else name]
            features[name] = describe_numbers(encoded[:, position].astype(np.float64))
        else:
            features[name] = describe_values(frame[name])
    prediction = describe_values(pd.Series(predicted)) if schema.classes else describe_numbers(np.asarray(predicted))
    return {"rows": len(frame), "features": features, "prediction": prediction}


def describe_numbers(values: npt.NDArray[Any]) -> dict[str, Any]:
    """Share missing, mean, spread, and the distribution function at the percentiles: share of rows at or below."""
    present = np.sort(values[~np.isnan(values)])
    summary: dict[str, Any] = {"rows": len(values), "missing": round(1 - len(present) / len(values), 9)}
    if not len(present):
        return summary | {"mean": 0.0, "std": 0.0, "points": [], "below": []}
    points = np.unique(np.quantile(present, PERCENTILES))
    # One point below all that was seen, so that smaller values can be told.
    points = np.append(np.nextafter(np.float32(points[0]), np.float32(-np.inf)).astype(np.float64), points)
    below = np.searchsorted(present, points, side="right") / len(present)
    return summary | {
        "mean": float(present.mean()),
        "std": float(present.std()),
        "points": points.tolist(),
        "below": below.tolist(),
    }


def describe_values(values: pd.Series) -> dict[str, Any]:
    """Share missing, and the count of each value."""
    present = values.dropna()
    counts = {str(value): int(count) for value, count in present.value_counts().sort_index().items()}
    return {"rows": len(values), "missing": round(1 - len(present) / len(values), 9), "counts": counts}
