"""The tracking server's entrypoint with the real MLflow: closed to strangers, open to the password that it made."""

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from conftest import INFRA
from groundplan_infra.components.tracking_server import IMAGE_TAG
from groundplan_infra.engine import emulator

IMAGE = INFRA / "images" / "tracking"
# The first start fetches MLflow and all it needs.
START_SECONDS = 900


def test_the_image_installs_the_version_of_its_tag() -> None:
    assert f"mlflow[auth]=={IMAGE_TAG.removeprefix('mlflow-')}" in (IMAGE / "Dockerfile").read_text()


def ask(url: str, login: str = "") -> int:
    """Status of an answer."""
    header = {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"} if login else {}
    request = urllib.request.Request(url, headers=header)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture
def secret(state: Path) -> str:
    """An empty secret, as the platform makes it."""
    aws = emulator.ensure()
    client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=aws.url, **KEYS)
    return str(client.create_secret(Name=f"admin-{time.monotonic_ns()}")["ARN"])


KEYS = {"aws_access_key_id": "emulated", "aws_secret_access_key": "emulated"}


@pytest.fixture
def server(secret: str, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The running server: its address and its log. The database is SQLite here, PostgreSQL in AWS."""
    port = emulator.free_port()
    environment = {
        **os.environ,
        **emulator.ensure().environment,
        "DATABASE_URI": f"sqlite:///{tmp_path / 'mlflow.db'}",
        "ARTIFACTS": str(tmp_path / "artifacts"),
        "ADMIN_SECRET": secret,
        "ALLOWED_HOSTS": f"127.0.0.1:{port}",
        "AWS_REGION": "eu-west-1",
        "BIND": "127.0.0.1",
        "PORT": str(port),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    packages = ["--with", f"mlflow[auth]=={IMAGE_TAG.removeprefix('mlflow-')}", "--with", "boto3"]
    command = [
        "uv",
        "run",
        "--quiet",
        "--no-project",
        "--isolated",
        "--exclude-newer",
        "2026-11-20T00:00:00Z",
        *packages,
    ]
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "python", str(IMAGE / "entrypoint.py")], env=environment, stdout=output, stderr=output
        )
    url = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + START_SECONDS
    while ask(f"{url}/health") != 200:
        assert process.poll() is None, log.read_text()[-3000:]
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.5)
    yield url, log
    process.terminate()
    process.wait(timeout=60)


@pytest.mark.slow
def test_nobody_gets_in_without_the_password(server: tuple[str, Path], secret: str) -> None:
    url, log = server
    client = boto3.client("secretsmanager", region_name="eu-west-1", endpoint_url=emulator.ensure().url, **KEYS)
    admin = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    experiments = f"{url}/api/2.0/mlflow/experiments/search?max_results=1"
    assert ask(experiments) == 401
    assert ask(url) == 401
    assert ask(experiments, f"{admin['username']}:wrong") == 401
    assert ask(experiments, f"{admin['username']}:{admin['password']}") == 200
    assert admin["password"] not in log.read_text()
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert admin["password"] not in running
    assert admin["session_key"] not in running
