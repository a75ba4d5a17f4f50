"""The estimator, and where `make tune` looks for better arguments. Its arguments stand in params.yaml, under train."""

from typing import Any

{% set kind = {'classification': 'Classifier', 'regression': 'Regressor'}[task] %}
from lightgbm import LGBM{{ kind }}
from optuna import Trial


def build_estimator(arguments: dict[str, Any], seed: int) -> LGBM{{ kind }}:
    """An unfitted estimator; the same arguments, seed and data give the same model."""
    return LGBM{{ kind }}(random_state=seed, deterministic=True, force_row_wise=True, n_jobs=1, verbose=-1, **arguments)


def suggest_arguments(trial: Trial) -> dict[str, Any]:
    """Arguments for one trial of a search."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 50, 400, step=50),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 7, 63),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 40),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
    }
