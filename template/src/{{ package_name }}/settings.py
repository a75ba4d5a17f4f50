"""Every environment variable this repository reads, typed, in one place. `.env.example` documents the same names."""

import os
from collections.abc import Mapping
from typing import Annotated

import msgspec

from .cli import UserError

PACKAGE = __name__.split(".")[0]
Positive = Annotated[int, msgspec.Meta(gt=0)]


class Settings(msgspec.Struct, frozen=True, rename=str.upper):
    """Field `serve_port` is the variable SERVE_PORT, and so on."""

    # Tracking and registry. The default needs no server and no account.
    mlflow_tracking_uri: str = "sqlite:///.local/mlflow.db"
    mlflow_experiment_name: str = PACKAGE
    model_name: str = PACKAGE

    # Lineage: set by CI when the pipeline runs inside an image.
    image_digest: str = ""

    # Serving.
    serve_host: str = "127.0.0.1"
    serve_port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8000
    serve_model_dir: str = ".local/serving"
    serve_reload_seconds: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    serve_max_body_bytes: Positive = 1_048_576
    serve_max_queue: Positive = 256
    serve_log_path: str = ".local/logs/predictions.jsonl"
    serve_log_sample: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    serve_log_max_bytes: Positive = 50_000_000
    serve_log_files: Positive = 5


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from the environment; an empty variable counts as unset.

    Raises UserError when a value does not fit its type.
    """
    environ = os.environ if environ is None else environ
    known = {field.encode_name for field in msgspec.structs.fields(Settings)}
    given = {name: environ[name] for name in known if environ.get(name)}
    try:
        return msgspec.convert(given, Settings, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`")
        raise UserError(f"environment variable {name}={given.get(name)!r}: {reason}") from None
