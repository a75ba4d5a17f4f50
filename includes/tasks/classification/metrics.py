"""How a model is measured. Each entry becomes a metric in DVC and MLflow, and a name for a threshold of the gate."""

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss, roc_auc_score

Array = npt.NDArray[Any]


def compute_metrics(target: Array, predicted: Array) -> dict[str, float]:
    """Metrics of one set of predictions.

    `target` holds class positions, shape (rows,); `predicted` holds probabilities, shape (rows, classes).
    """
    classes = list(range(predicted.shape[1]))
    chosen = predicted.argmax(axis=1)
    metrics = {
        "accuracy": accuracy_score(target, chosen),
        "balanced_accuracy": balanced_accuracy_score(target, chosen),
        "f1_macro": f1_score(target, chosen, average="macro"),
        "log_loss": log_loss(target, predicted, labels=classes),
    }
    if len(np.unique(target)) == len(classes):
        scores = predicted[:, 1] if len(classes) == 2 else predicted
        metrics["roc_auc"] = roc_auc_score(target, scores, multi_class="ovr", labels=classes)
    return {name: float(value) for name, value in metrics.items()}


def business_kpi(labels: list[Any], predictions: list[Any]) -> dict[str, float]:
    """What the predictions were worth, from labels and predicted labels that were matched; shown by `make monitor`.

    A gain or a cost for each kind of answer belongs here. Without one, the share of right answers stands for it.
    """
    return {"right_answers": sum(map(str.__eq__, map(str, labels), map(str, predictions))) / len(labels)}
