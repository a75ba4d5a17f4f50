"""The estimator, and where `make tune` looks for better arguments. Its arguments stand in params.yaml, under train."""

from typing import Any

{% set kind = {'classification': 'Classifier', 'regression': 'Regressor'}[task] %}
from optuna import Trial
from xgboost import XGB{{ kind }}


def build_estimator(arguments: dict[str, Any], seed: int) -> XGB{{ kind }}:
    """An unfitted estimator; the same arguments, seed and data give the same model."""
    return XGB{{ kind }}(random_state=seed, tree_method="hist", n_jobs=1, **arguments)


def suggest_arguments(trial: Trial) -> dict[str, Any]:
    """Arguments for one trial of a search."""
    return {
        "n_estimators": trial.suggest_int("n_estimators", 50, 400, step=50),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "max_depth": trial.suggest_int("max_depth", 2, 8),
        "subsample": trial.suggest_float("subsample", 0.5, 1.0),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 10.0, log=True),
    }
