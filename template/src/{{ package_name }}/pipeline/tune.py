"""`make tune`: search better arguments for the estimator with Optuna; each trial is a child run in MLflow.

The study is kept in .local/optuna.db under a name made of the data and the seed: a search that was interrupted goes on
where it stopped, and other data start another study. The best arguments are written to params.yaml.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from .. import task
from ..cli import UserError, run
from ..governance.lineage import file_hash
from ..model.estimator import suggest_arguments
from ..schema import Schema
from ..settings import Settings, load_settings
from . import paths
from .evaluation import skill
from .frame import encode_frame
from .params import Params, load_data_schema, load_params, update_params
from .registry import connect, experiment_id
from .reports import read_parquet
from .train import build_pipeline

PARENT = "mlflow_parent_run"


def cross_validate(frame: pd.DataFrame, schema: Schema, params: Params, arguments: dict[str, Any]) -> float:
    """Mean skill over the folds of the training rows; the same arguments give the same figure."""
    encoded, target = encode_frame(frame, schema), task.encode_target(frame[schema.target], schema)
    skills = []
    for learn, hold in task.folds(params.tune.folds, params.train.seed).split(encoded, target):
        task.check_train(target[learn], schema)
        pipeline = build_pipeline(schema, arguments, params.train.seed).fit(encoded[learn], target[learn])
        predicted = task.predict(pipeline, encoded[hold])
        guess = task.baseline(target[learn], len(hold), schema)
        skills.append(skill(task.losses(target[hold], predicted), task.losses(target[hold], guess)))
    return float(np.mean(skills))


def parent_run(client: MlflowClient, settings: Settings, study: optuna.Study) -> str:
    """The MLflow run of a study; found again when the study goes on."""
    known = study.user_attrs.get(PARENT)
    if known and client.search_runs([experiment_id(client, settings)], f"attributes.run_id = '{known}'"):
        return str(known)
    created = client.create_run(experiment_id(client, settings), run_name=f"tune {study.study_name}")
    study.set_user_attr(PARENT, created.info.run_id)
    return str(created.info.run_id)


def log_trial(
    client: MlflowClient, settings: Settings, parent: str
) -> Callable[[optuna.Study, optuna.trial.FrozenTrial], None]:
    """A callback that logs a finished trial as a child run, in one batch."""

    def callback(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        child = client.create_run(
            experiment_id(client, settings), tags={"mlflow.parentRunId": parent}, run_name=f"trial {trial.number}"
        )
        now = int(time.time() * 1000)
        client.log_batch(
            child.info.run_id,
            metrics=[Metric("skill", trial.value, now, 0)] if trial.value is not None else [],
            params=[Param(name, str(value)) for name, value in trial.params.items()],
            tags=[RunTag("study", study.study_name)],
        )
        client.set_terminated(child.info.run_id)
        print(f"trial {trial.number}: skill {trial.value:.4f} with {trial.params}")

    return callback


def main() -> None:
    """Run what is left of the study and write the best arguments to params.yaml."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    settings = load_settings()
    params = load_params()
    schema = load_data_schema(params)
    if not paths.TRAIN.exists():
        raise UserError(f"{paths.TRAIN} is missing; run `make pipeline` first")
    frame = read_parquet(paths.TRAIN)
    client = connect(settings)
    name = f"{task.TASK}-{file_hash(Path(paths.TRAIN))[:12]}-{params.train.seed}"
    study = optuna.create_study(
        storage=paths.TUNING,
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=params.train.seed),
    )
    done = sum(trial.state.is_finished() for trial in study.trials)
    print(f"Study {name}: {done} of {params.tune.trials} trials done.")

    def objective(trial: optuna.Trial) -> float:
        return cross_validate(frame, schema, params, suggest_arguments(trial))

    study.optimize(
        objective,
        n_trials=max(0, params.tune.trials - done),
        callbacks=[log_trial(client, settings, parent_run(client, settings, study))],
    )
    update_params("train", {"estimator": dict(study.best_params)})
    print(
        f"Best skill {study.best_value:.4f} in trial {study.best_trial.number}; its arguments are in params.yaml now."
    )
    print("Run `make pipeline` to train with them.")


if __name__ == "__main__":
    run(main)
