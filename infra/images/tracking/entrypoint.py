"""Start MLflow's server with the settings that groundplan's tracking server gives it.

The first start makes the administrator's password and keeps it in the secret ADMIN_SECRET; later starts read it there.
No password is ever an argument of a command, and none is printed.
"""

import json
import os
import secrets
import sys
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import boto3

# Two tasks that start together ask for the same version of the secret; AWS keeps the first and refuses the second.
FIRST_VERSION = "00000000-0000-4000-8000-000000000001"
USER = "admin"


def login(client: Any, secret: str) -> dict[str, str]:
    """User, password and session key; made where the secret has no value yet."""
    try:
        return dict(json.loads(client.get_secret_value(SecretId=secret)["SecretString"]))
    except client.exceptions.ResourceNotFoundException:
        made = {"username": USER, "password": secrets.token_urlsafe(24), "session_key": secrets.token_urlsafe(48)}
    with suppress(client.exceptions.ResourceExistsException):
        client.put_secret_value(SecretId=secret, SecretString=json.dumps(made), ClientRequestToken=FIRST_VERSION)
    return dict(json.loads(client.get_secret_value(SecretId=secret)["SecretString"]))


def database_uri(environment: dict[str, str]) -> str:
    """Address of the database; DATABASE_URI as a whole, or made from its parts, over TLS."""
    if "DATABASE_URI" in environment:
        return environment["DATABASE_URI"]
    user, password = environment["DATABASE_USER"], quote(environment["DATABASE_PASSWORD"], safe="")
    place = f"{environment['DATABASE_HOST']}:5432/{environment['DATABASE_NAME']}"
    return f"postgresql+psycopg2://{user}:{password}@{place}?sslmode=require"


def server_environment(environment: dict[str, str], admin: dict[str, str]) -> dict[str, str]:
    """What MLflow is told by its environment: all that is secret."""
    uri = database_uri(environment)
    return {
        **environment,
        "MLFLOW_BACKEND_STORE_URI": uri,
        "MLFLOW_AUTH_ADMIN_USERNAME": admin["username"],
        "MLFLOW_AUTH_ADMIN_PASSWORD": admin["password"],
        "MLFLOW_FLASK_SERVER_SECRET_KEY": admin["session_key"],
        "MLFLOW_AUTH_CONFIG_PATH": "/tmp/auth.ini",
    }


def write_auth_config(path: str, uri: str) -> None:
    """MLflow's accounts live in the same database; nobody may do anything that was not allowed to them."""
    text = f"[mlflow]\ndefault_permission = NO_PERMISSIONS\ndatabase_uri = {uri.replace('%', '%%')}\n"
    text += "authorization_function = mlflow.server.auth:authenticate_request_basic_auth\n"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def command(environment: dict[str, str]) -> list[str]:
    """The server; clients get signed addresses of the bucket for large artifacts."""
    return [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--app-name",
        "basic-auth",
        "--host",
        environment.get("BIND", "0.0.0.0"),
        "--port",
        environment["PORT"],
        "--artifacts-destination",
        environment["ARTIFACTS"],
        "--allowed-hosts",
        environment["ALLOWED_HOSTS"],
        "--workers",
        "2",
    ]


def main() -> None:
    """Become the server."""
    environment = dict(os.environ)
    client = boto3.client("secretsmanager", region_name=environment["AWS_REGION"])
    started = server_environment(environment, login(client, environment["ADMIN_SECRET"]))
    write_auth_config(started["MLFLOW_AUTH_CONFIG_PATH"], started["MLFLOW_BACKEND_STORE_URI"])
    words = command(environment)
    os.execve(words[0], words, started)


if __name__ == "__main__":
    main()
