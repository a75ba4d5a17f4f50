"""Stage register: one MLflow run with everything the pipeline made, and a model version under the alias challenger."""

from pathlib import Path

import joblib
import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, TensorSpec
from mlflow.types import Schema as Columns

from ..cli import run
from ..governance.lineage import lineage
from ..schema import Schema
from ..settings import Settings, load_settings
from ..task import TASK
from . import paths
from .frame import TabularModel
from .params import Params, load_data_schema, load_params
from .registry import BUNDLE, CHALLENGER, connect, experiment_id
from .reports import read_json, write_json
from .requirements import training_requirements

PARAM_LENGTH = 6000
TYPES = {
    "number": DataType.double,
    "integer": DataType.double,
    "boolean": DataType.boolean,
    "category": DataType.string,
    "date": DataType.string,
}


def signature(schema: Schema) -> ModelSignature:
    """The columns that the model takes, with their types."""
    inputs: list[ColSpec | TensorSpec] = [
        ColSpec(TYPES[column.type], name, required=not column.nullable) for name, column in schema.features.items()
    ]
    first = schema.classes[0] if schema.classes else 0.0
    kinds = {bool: DataType.boolean, int: DataType.long, float: DataType.double, str: DataType.string}
    return ModelSignature(inputs=Columns(inputs), outputs=Columns([ColSpec(kinds[type(first)])]))


def flat_params(params: Params) -> list[Param]:
    """What was asked for, as MLflow parameters."""
    given = {
        "data.origin": params.data.origin,
        "data.target": params.data.target,
        "split.test_share": params.split.test_share,
        "split.seed": params.split.seed,
        "train.seed": params.train.seed,
        **{f"estimator.{name}": value for name, value in params.train.estimator.items()},
    }
    return [Param(name, str(value)[:PARAM_LENGTH]) for name, value in given.items()]


def log_run(
    client: MlflowClient, settings: Settings, params: Params, schema: Schema
) -> tuple[ModelInfo, dict[str, str]]:
    """Log the run in one batch, with the model and the bundle; returns the model and its lineage tags."""
    training = read_json(paths.TRAINING)
    tags = lineage(Path(params.data.source), paths.LOCK, settings)
    started = training["started"]
    new_run = client.create_run(experiment_id(client, settings), start_time=started, run_name=TASK)
    run_id = str(new_run.info.run_id)
    metrics = read_json(paths.METRICS) | {"training_seconds": training["seconds"], "training_rows": training["rows"]}
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, started, 0) for name, value in metrics.items()],
        params=flat_params(params),
        tags=[RunTag(name, value) for name, value in tags.items()],
    )
    with mlflow.start_run(run_id=run_id, log_system_metrics=False):
        model = mlflow.sklearn.log_model(
            TabularModel(joblib.load(paths.MODEL), schema),
            name="model",
            signature=signature(schema),
            pip_requirements=training_requirements(),
            code_paths=[str(Path(__file__).parents[1])],
            serialization_format="cloudpickle",
        )
        mlflow.log_artifacts(str(paths.BUNDLE), BUNDLE)
        mlflow.log_artifacts(str(paths.REPORTS), "reports")
    return model, tags


def register_version(client: MlflowClient, settings: Settings, model: ModelInfo, tags: dict[str, str]) -> str:
    """Make a model version of a logged model and call it the challenger; returns its number."""
    if not client.search_registered_models(f"name = '{settings.model_name}'"):
        client.create_registered_model(settings.model_name)
    version = client.create_model_version(
        settings.model_name,
        source=model.model_uri,
        run_id=model.run_id,
        model_id=model.model_id,
        tags={**tags, "run_id": str(model.run_id)},
    )
    number = str(version.version)
    client.set_registered_model_alias(settings.model_name, CHALLENGER, number)
    return number


def main() -> None:
    """From models/bundle and reports/ to a version in the registry."""
    settings = load_settings()
    params = load_params()
    schema = load_data_schema(params)
    client = connect(settings)
    model, tags = log_run(client, settings, params, schema)
    number = register_version(client, settings, model, tags)
    write_json(paths.REGISTERED, {"model": settings.model_name, "version": number, "run_id": model.run_id})
    print(f"{settings.model_name} version {number} is the challenger (run {model.run_id}).")
    if tags.get("git_dirty") == "true":
        print("It is marked git_dirty: files differ from the last commit, so the commit alone does not reproduce it.")


if __name__ == "__main__":
    run(main)
