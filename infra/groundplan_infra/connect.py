"""From a stack's outputs to a repository's settings: `.env` and DVC's local configuration, neither of them in git."""

import configparser
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import boto3

from groundplan_infra.contract import ContractError, ProjectOutputs

REMOTE = "cloud"
# Large artifacts go straight to the bucket, in parts, by addresses that the tracking server signs.
SIGNED_TRANSFER = ("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD")
BEGIN, END = "# From `make connect`; written anew each time.", "# End of `make connect`."


def settings_of(outputs: ProjectOutputs, endpoint: Mapping[str, str], login: Mapping[str, str]) -> dict[str, str]:
    """The environment variables of a repository that is joined to a stack.

    `endpoint` are the variables that lead to an emulator; `login` those of the tracking server.
    """
    # Without a server, runs stay in a database here; each stack has its own, for artifacts stay where a run began.
    own_database = f"sqlite:///.local/mlflow-{outputs.environment}.db"
    has_server = outputs.tracking_uri.startswith("https:")
    return {
        "MLFLOW_TRACKING_URI": outputs.tracking_uri or own_database,
        "MLFLOW_ARTIFACT_LOCATION": "" if outputs.tracking_uri else outputs.artifact_store,
        **(dict.fromkeys(SIGNED_TRANSFER, "true") if has_server else {}),
        "AWS_DEFAULT_REGION": outputs.region,
        **login,
        **endpoint,
    }


def tracking_login(outputs: ProjectOutputs, emulator: Mapping[str, str]) -> dict[str, str]:
    """User and password of the tracking server, from its secret; raises ContractError where it cannot be read."""
    if not outputs.tracking_secret_arn:
        return {}
    client = boto3.client(
        "secretsmanager",
        region_name=outputs.region,
        endpoint_url=emulator.get("AWS_ENDPOINT_URL"),
        aws_access_key_id=emulator.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=emulator.get("AWS_SECRET_ACCESS_KEY"),
    )
    try:
        secret = json.loads(client.get_secret_value(SecretId=outputs.tracking_secret_arn)["SecretString"])
        return {"MLFLOW_TRACKING_USERNAME": secret["username"], "MLFLOW_TRACKING_PASSWORD": secret["password"]}
    except client.exceptions.ResourceNotFoundException:
        reason = "it has no value yet; the tracking server writes it at its first start"
    except (client.exceptions.ClientError, KeyError, ValueError) as error:
        reason = type(error).__name__
    raise ContractError(f"the secret {outputs.tracking_secret_arn} of the tracking server: {reason}")


def merge_environment(text: str, settings: Mapping[str, str]) -> str:
    """A `.env` whose own lines are kept, but for those that the block of `make connect` sets."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if line == BEGIN:
            inside = True
        elif line == END:
            inside = False
        elif not inside and line.partition("=")[0].strip() not in settings:
            kept.append(line)
    block = [BEGIN, *(f"{name}={value}" for name, value in settings.items() if value), END]
    while kept and not kept[-1].strip():
        kept.pop()
    return "\n".join([*kept, *([""] if kept else []), *block, ""])


def merge_dvc(text: str, outputs: ProjectOutputs, emulator: Mapping[str, str]) -> str:
    """DVC's local configuration with the remote of the stack as the one that `push` and `pull` use."""
    config = configparser.ConfigParser()
    config.read_string(text)
    section = f"'remote \"{REMOTE}\"'"
    config[section] = {"url": outputs.dvc_remote, "region": outputs.region, "version_aware": "false"}
    if emulator:
        # The emulator checks no keys; with them here, `dvc push` works without the variables of .env.
        config[section]["endpointurl"] = emulator["AWS_ENDPOINT_URL"]
        config[section]["access_key_id"] = emulator["AWS_ACCESS_KEY_ID"]
        config[section]["secret_access_key"] = emulator["AWS_SECRET_ACCESS_KEY"]
    if not config.has_section("core"):
        config["core"] = {}
    config["core"]["remote"] = REMOTE
    written = io.StringIO()
    config.write(written)
    return written.getvalue()


def connect(repository: Path, outputs: ProjectOutputs, emulator: Mapping[str, str]) -> list[Path]:
    """Write both files, readable by their owner alone.

    Gives their paths. Files that are there keep what is not ours.
    """
    if not (repository / ".dvc").is_dir():
        raise ContractError(f"{repository} has no .dvc; run `make connect` in a repository")
    login = tracking_login(outputs, emulator)
    environment = repository / ".env"
    text = environment.read_text() if environment.exists() else ""
    write_private(environment, merge_environment(text, settings_of(outputs, emulator, login)))
    local = repository / ".dvc" / "config.local"
    text = local.read_text() if local.exists() else ""
    write_private(local, merge_dvc(text, outputs, emulator))
    return [environment, local]


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    beside = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)
