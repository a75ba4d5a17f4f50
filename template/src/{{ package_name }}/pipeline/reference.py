"""Reference statistics: what the training data looked like, kept with each model version for drift checks."""

from typing import Any

import numpy as np
import pandas as pd

from ..schema import Schema

BINS = 10


def reference_statistics(frame: pd.DataFrame, schema: Schema, predicted: list[Any]) -> dict[str, Any]:
    """Counts and shares of each feature of a typed table, and of the predictions on it."""
    return {
        "rows": len(frame),
        "features": {
            name: describe(frame[name], numeric=column.type in ("number", "integer"))
            for name, column in schema.features.items()
        },
        "prediction": describe(pd.Series(predicted), numeric=not schema.classes),
    }


def describe(values: pd.Series, *, numeric: bool) -> dict[str, Any]:
    """Share missing; for numbers mean, spread and a histogram over deciles, for the rest the count of each value."""
    present = values.dropna()
    summary: dict[str, Any] = {"missing": round(1 - len(present) / len(values), 9)}
    if numeric:
        numbers = present.to_numpy(dtype=np.float64)
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, BINS + 1)))
        counts, _ = np.histogram(numbers, bins=edges) if len(edges) > 1 else (np.array([len(numbers)]), edges)
        return summary | {
            "mean": float(numbers.mean()),
            "std": float(numbers.std()),
            "edges": edges.tolist(),
            "counts": counts.tolist(),
        }
    return summary | {
        "counts": {str(value): int(count) for value, count in present.value_counts().sort_index().items()}
    }
