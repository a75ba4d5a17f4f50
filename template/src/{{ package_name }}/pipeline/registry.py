"""The MLflow registry: versions, the aliases challenger and champion, and the line of champions."""

import logging
import os
import warnings
from pathlib import Path
from typing import Any

import mlflow
import msgspec
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ..cli import UserError, reason, without_credentials
from ..settings import Settings

CHAMPION = "champion"
CHALLENGER = "challenger"
HISTORY = "champion_history"
BUNDLE = "bundle"


class Version(msgspec.Struct):
    """A registered model version, with the run that made it, its lineage tags, and when, in seconds since 1970."""

    number: str
    run_id: str
    tags: dict[str, str]
    created: float


def network_cause(error: Exception) -> Exception:
    """What the system said of a connection, which MLflow's error has wrapped in others; else the error itself."""
    first: BaseException = error
    while first.__context__ is not None:
        first = first.__context__
    return first if isinstance(first, OSError) else error


def connect(settings: Settings) -> MlflowClient:
    """A client of the tracking server; local state goes under .local. Raises UserError when it does not answer."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="mlflow")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # A server that restarts is waited for, one that is not there is told in seconds; MLflow's own 7 take four minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    Path(".local").mkdir(exist_ok=True)
    mlflow.set_tracking_uri(settings.mlflow_tracking_uri)
    try:
        client = MlflowClient()
        client.search_experiments(max_results=1)
    except Exception as error:
        address = without_credentials(settings.mlflow_tracking_uri)
        raise UserError(f"MLFLOW_TRACKING_URI does not answer: {address}: {reason(network_cause(error))}") from None
    return client


def experiment_id(client: MlflowClient, settings: Settings) -> str:
    """The experiment of this repository, created when it is not there."""
    experiment = client.get_experiment_by_name(settings.mlflow_experiment_name)
    if experiment is not None:
        return str(experiment.experiment_id)
    local = settings.mlflow_tracking_uri.startswith("sqlite:")
    default = Path(".local/mlflow-artifacts").resolve().as_uri() if local else None
    location = settings.mlflow_artifact_location or default
    return str(client.create_experiment(settings.mlflow_experiment_name, artifact_location=location))


def get_version(client: MlflowClient, settings: Settings, alias: str) -> Version | None:
    """The version an alias points to, or None."""
    try:
        found = client.get_model_version_by_alias(settings.model_name, alias)
    except MlflowException:
        return None
    created = found.creation_timestamp / 1000
    return Version(number=str(found.version), run_id=str(found.run_id), tags=dict(found.tags), created=created)


def get_history(client: MlflowClient, settings: Settings) -> list[str]:
    """Former champions, oldest first, without the present one."""
    text = client.get_registered_model(settings.model_name).tags.get(HISTORY, "")
    return [number for number in text.split(",") if number]


def set_champion(client: MlflowClient, settings: Settings, number: str, history: list[str]) -> None:
    """Move the alias and record the line of champions."""
    client.set_registered_model_tag(settings.model_name, HISTORY, ",".join(history))
    client.set_registered_model_alias(settings.model_name, CHAMPION, number)


def download_bundle(version: Version, folder: Path) -> Path:
    """Fetch the bundle of a version; raises UserError when the artifact store does not have it."""
    try:
        return Path(
            mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path=BUNDLE, dst_path=str(folder))
        )
    except Exception as error:
        raise UserError(f"the bundle of version {version.number} cannot be fetched: {reason(error)}") from None


def load_model(settings: Settings, version: Version) -> Any:
    """The native model of a version, a TabularModel."""
    return mlflow.sklearn.load_model(f"models:/{settings.model_name}/{version.number}")
