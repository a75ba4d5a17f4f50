"""What `make connect` writes, and what it leaves alone."""

import configparser
import stat
from pathlib import Path
from typing import Any

import boto3
import pytest

from groundplan_infra.connect import connect, merge_environment
from groundplan_infra.contract import ContractError, ProjectOutputs, validate
from groundplan_infra.engine import emulator

OUTPUTS: dict[str, Any] = {
    "contract": 1,
    "environment": "dev",
    "region": "eu-west-1",
    "tracking_uri": "",
    "tracking_secret_arn": "",
    "artifact_store": "s3://artifacts/churn",
    "dvc_remote": "s3://dvc/churn",
    "model_store": "s3://models/churn",
    "image_repository": "registry/churn",
    "job_queue": "",
    "job_definition": "",
    "job_role_arn": "arn",
    "serving_cluster_arn": "",
    "service_url": "",
    "deploy_role_arn": "",
    "preview_role_arn": "",
    "alarm_topic_arn": "arn",
    "log_group": "/groundplan/churn",
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def outputs(**changes: Any) -> ProjectOutputs:
    return validate({**OUTPUTS, **changes}, "dev")


def test_both_files_lead_to_the_stack(repository: Path) -> None:
    connect(repository, outputs(tracking_uri="https://mlflow.example.com"), {})
    assert "MLFLOW_TRACKING_URI=https://mlflow.example.com" in (repository / ".env").read_text().splitlines()
    assert "MLFLOW_ARTIFACT_LOCATION" not in (repository / ".env").read_text()
    assert "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true" in (repository / ".env").read_text().splitlines()
    config = configparser.ConfigParser()
    config.read(repository / ".dvc" / "config.local")
    assert config["core"]["remote"] == "cloud"
    assert config["'remote \"cloud\"'"]["url"] == "s3://dvc/churn"


def test_without_a_server_each_stack_has_its_own_database(repository: Path) -> None:
    connect(repository, outputs(), {})
    text = (repository / ".env").read_text()
    assert "MLFLOW_TRACKING_URI=sqlite:///.local/mlflow-dev.db" in text
    assert "MLFLOW_ARTIFACT_LOCATION=s3://artifacts/churn" in text


def test_only_the_owner_may_read_them(repository: Path) -> None:
    for path in connect(repository, outputs(), {}):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_persons_own_lines_stay(repository: Path) -> None:
    (repository / ".env").write_text("# mine\nSERVE_PORT=9000\nMLFLOW_TRACKING_URI=old\n")
    (repository / ".dvc" / "config.local").write_text("['remote \"mine\"']\n    url = /data\n[cache]\n    dir = /big\n")
    connect(repository, outputs(), {})
    connect(repository, outputs(dvc_remote="s3://other/churn"), {})
    lines = (repository / ".env").read_text().splitlines()
    assert lines[:2] == ["# mine", "SERVE_PORT=9000"]
    assert "MLFLOW_TRACKING_URI=old" not in lines
    assert sum(line.startswith("MLFLOW_TRACKING_URI=") for line in lines) == 1
    config = configparser.ConfigParser()
    config.read(repository / ".dvc" / "config.local")
    assert config["'remote \"mine\"'"]["url"] == "/data"
    assert config["cache"]["dir"] == "/big"
    assert config["'remote \"cloud\"'"]["url"] == "s3://other/churn"


def test_the_login_comes_from_the_secret_of_the_stacks_own_aws(repository: Path, state: Path) -> None:
    aws = emulator.ensure().environment
    client = boto3.client(
        "secretsmanager",
        region_name="eu-west-1",
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
    )
    arn = client.create_secret(Name="tracking")["ARN"]
    server = outputs(tracking_uri="https://mlflow.example.com", tracking_secret_arn=arn)
    with pytest.raises(ContractError, match="it has no value yet"):
        connect(repository, server, aws)
    assert not (repository / ".env").exists()
    client.put_secret_value(SecretId=arn, SecretString='{"username": "admin", "password": "made"}')
    connect(repository, server, aws)
    lines = (repository / ".env").read_text().splitlines()
    assert "MLFLOW_TRACKING_USERNAME=admin" in lines
    assert "MLFLOW_TRACKING_PASSWORD=made" in lines


def test_elsewhere_than_in_a_repository_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"has no \.dvc"):
        connect(tmp_path, outputs(), {})
    assert list(tmp_path.iterdir()) == []


def test_writing_twice_changes_nothing() -> None:
    once = merge_environment("A=1\n", {"B": "2"})
    assert merge_environment(once, {"B": "2"}) == once


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "has no outputs; run `make up ENV=dev` first"),
        ({**OUTPUTS, "contract": 2}, "speaks contract 2"),
        ({**OUTPUTS, "dvc_remote": "/tmp"}, "dvc_remote"),
        ({key: value for key, value in OUTPUTS.items() if key != "region"}, "region"),
    ],
)
def test_a_broken_contract_is_told(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ContractError, match=says):
        validate(values, "dev")
