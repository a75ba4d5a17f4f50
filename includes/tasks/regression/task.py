"""What is particular to regression. The rest of the pipeline asks this module and knows nothing of scales."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import KFold

from .cli import UserError
from .schema import Column, Label, Schema

TASK = "regression"
MAX_POINTS = 1_000
Array = npt.NDArray[Any]


def infer_target(values: pd.Series, name: str) -> Column:
    """The target column; its values are not bounded."""
    present = values.dropna()
    numbers = pd.to_numeric(present, errors="coerce")
    if numbers.isna().any():
        example = present[numbers.isna()].iloc[0]
        raise UserError(
            f"the target {name!r} holds {example!r}, which is no number; "
            "to predict a class, generate the repository with task=classification"
        )
    if numbers.nunique() < 2:
        raise UserError(f"the target {name!r} has one value only; there is nothing to predict")
    return Column(type="number")


def check_target(schema: Schema) -> None:
    """Raise UserError when the schema's target is no number."""
    kind = schema.columns[schema.target].type
    if kind not in ("number", "integer"):
        raise UserError(f"data/schema.yaml: the target {schema.target!r} must be a number, not {kind}")


def encode_target(values: pd.Series, schema: Schema) -> Array:
    """Values as 64-bit floats, shape (rows,)."""
    return values.to_numpy(dtype=np.float64)


def check_train(target: Array, schema: Schema) -> None:
    """Raise UserError when there is nothing to learn from."""
    if np.ptp(target) == 0:
        raise UserError(f"the target {schema.target!r} is constant in the training data")


def always_learned(target: Array) -> Array:
    """The rows that are never held out: none."""
    return np.zeros(len(target), dtype=bool)


def strata(target: Array) -> Array | None:
    """What the split is stratified by: nothing."""
    return None


def folds(count: int, seed: int) -> KFold:
    """The folds of a cross-validation."""
    return KFold(count, shuffle=True, random_state=seed)


def predict(model: Any, features: Array) -> Array:
    """Predicted values, shape (rows,)."""
    return np.asarray(model.predict(features), dtype=np.float64).ravel()


def to_labels(predicted: Array, schema: Schema) -> list[Label]:
    """The predicted values as Python numbers."""
    return [float(value) for value in predicted]


def baseline(train_target: Array, rows: int, schema: Schema) -> Array:
    """What a model that ignores the features predicts: the mean."""
    return np.full(rows, train_target.mean())


def losses(target: Array, predicted: Array) -> Array:
    """Squared error of each row."""
    return np.asarray((target - predicted) ** 2)


def claims(target: Array, predicted: Array) -> tuple[Array, Array]:
    """What the model claims and what is true, both in standard deviations of the target; shapes (rows,)."""
    scale = target.std() or 1.0
    return predicted / scale, target / scale


def treatments(target: Array, predicted: Array, schema: Schema) -> list[tuple[str, Array, Array]]:
    """What is predicted, and how far off, in standard deviations of the target: a name, values, and which count."""
    scale, everybody = target.std() or 1.0, np.ones(len(target), dtype=bool)
    return [
        ("prediction", predicted / scale, everybody),
        ("error", (predicted - target) / scale, everybody),
    ]


def difference(one: Array, other: Array, target: Array) -> float:
    """Largest difference of two predictions, as a share of the target's standard deviation."""
    return float(np.abs(one - other).max() / (target.std() or 1.0))


def onnx_prediction(outputs: list[Array]) -> Array:
    """Values from the output of a converted regressor."""
    return np.asarray(outputs[0], dtype=np.float64).ravel()


def plots(target: Array, predicted: Array, schema: Schema) -> dict[str, list[dict[str, Any]]]:
    """Tables for `dvc plots`: actual against predicted, the first rows of the test data."""
    pairs = zip(target[:MAX_POINTS].tolist(), predicted[:MAX_POINTS].tolist(), strict=True)
    return {"predictions": [{"actual": actual, "predicted": value} for actual, value in pairs]}
