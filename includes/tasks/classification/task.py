"""What is particular to classification. The rest of the pipeline asks this module and knows nothing of classes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import StratifiedKFold

from .cli import UserError
from .schema import Column, Label, Schema

TASK = "classification"
MAX_CLASSES = 100
Array = npt.NDArray[Any]


def infer_target(values: pd.Series, name: str) -> Column:
    """The target column with its classes; whole numbers stay whole numbers."""
    present = values.dropna()
    labels: list[Label] = sorted(present.unique())
    if len(labels) < 2:
        raise UserError(f"the target {name!r} has {len(labels)} distinct value(s); a classifier needs at least two")
    if len(labels) > MAX_CLASSES:
        raise UserError(
            f"the target {name!r} has {len(labels)} distinct values, more than {MAX_CLASSES} classes; "
            "to predict a number, generate the repository with task=regression"
        )
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce")
    if numbers.notna().all() and (numbers % 1 == 0).all():
        labels = sorted({int(number) for number in numbers})
    return Column(type="category", values=labels)


def check_target(schema: Schema) -> None:
    """Raise UserError when the schema's target cannot be classified."""
    kind = schema.columns[schema.target].type
    if kind != "category":
        raise UserError(f"data/schema.yaml: the target {schema.target!r} must be a category, not {kind}")


def encode_target(values: pd.Series, schema: Schema) -> Array:
    """Labels to class positions, shape (rows,)."""
    codes = {label: code for code, label in enumerate(schema.classes)}
    return values.map(codes).to_numpy(dtype=np.int64)


def check_train(target: Array, schema: Schema) -> None:
    """Raise UserError when a class has no row to learn from."""
    counts = np.bincount(target, minlength=len(schema.classes))
    empty = [str(schema.classes[code]) for code in np.flatnonzero(counts == 0)]
    if empty:
        raise UserError(f"class {empty[0]!r} of the target {schema.target!r} has no row in the training data")


def always_learned(target: Array) -> Array:
    """The rows that are never held out: the only one of a class must be learned from."""
    return np.asarray(np.bincount(target)[target] < 2)


def strata(target: Array) -> Array | None:
    """What the split is stratified by."""
    return target


def folds(count: int, seed: int) -> StratifiedKFold:
    """The folds of a cross-validation; each holds every class, as far as it goes."""
    return StratifiedKFold(count, shuffle=True, random_state=seed)


def predict(model: Any, features: Array) -> Array:
    """Class probabilities, shape (rows, classes)."""
    return normalised(model.predict_proba(features))


def normalised(probabilities: Array) -> Array:
    """Probabilities that add up to 1 in 64 bits, as some libraries give them in 32."""
    wide = np.asarray(probabilities, dtype=np.float64)
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def to_labels(predicted: Array, schema: Schema) -> list[Label]:
    """The most probable class of each row."""
    return [schema.classes[code] for code in predicted.argmax(axis=1)]


def baseline(train_target: Array, rows: int, schema: Schema) -> Array:
    """What a model that ignores the features predicts: the class frequencies."""
    counts = np.bincount(train_target, minlength=len(schema.classes))
    return np.tile(counts / counts.sum(), (rows, 1))


def losses(target: Array, predicted: Array) -> Array:
    """Log loss of each row, in nats."""
    chosen = predicted[np.arange(len(target)), target]
    return np.asarray(-np.log(np.clip(chosen, 1e-15, 1.0)))


def claims(target: Array, predicted: Array) -> tuple[Array, Array]:
    """What the model claims, the probability of its class, and whether that is true, 0 or 1; shapes (rows,)."""
    return predicted.max(axis=1), (predicted.argmax(axis=1) == target).astype(np.float64)


def treatments(target: Array, predicted: Array, schema: Schema) -> list[tuple[str, Array, Array]]:
    """For each class, who is given it, and who is given it among those who have it: a name, values, and which count."""
    chosen, everybody = predicted.argmax(axis=1), np.ones(len(target), dtype=bool)
    found = []
    for code, label in enumerate(schema.classes):
        given = (chosen == code).astype(np.float64)
        found += [(f"selected as {label}", given, everybody), (f"recall of {label}", given, target == code)]
    return found


def difference(one: Array, other: Array, target: Array) -> float:
    """Largest absolute difference of two sets of probabilities."""
    return float(np.abs(one - other).max())


def onnx_prediction(outputs: list[Array]) -> Array:
    """Probabilities from the outputs of a converted classifier (label, probabilities)."""
    return normalised(outputs[1])


def plots(target: Array, predicted: Array, schema: Schema) -> dict[str, list[dict[str, Any]]]:
    """Tables for `dvc plots`: the confusion matrix, one row per actual and predicted class."""
    labels = list(range(len(schema.classes)))
    matrix = confusion_matrix(target, predicted.argmax(axis=1), labels=labels)
    return {
        "confusion": [
            {"actual": str(schema.classes[i]), "predicted": str(schema.classes[j]), "rows": int(matrix[i, j])}
            for i in labels
            for j in labels
        ]
    }
