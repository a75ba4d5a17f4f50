"""The place of the state: made once, found again, and taken by the real engine."""

import os
import subprocess
from pathlib import Path

import boto3
import pytest

from groundplan_infra.backend import make_backend
from groundplan_infra.engine import emulator
from groundplan_infra.engine.cli import find_cli
from groundplan_infra.engine.folders import EngineError


@pytest.fixture
def aws(state: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    running = emulator.ensure()
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running.url


def test_the_bucket_is_safe_and_made_once(aws: str) -> None:
    first = make_backend("team-state", "eu-west-1")
    assert make_backend("team-state", "eu-west-1") == first
    s3 = boto3.client("s3", region_name="eu-west-1")
    assert s3.get_bucket_versioning(Bucket="team-state")["Status"] == "Enabled"
    block = s3.get_public_access_block(Bucket="team-state")["PublicAccessBlockConfiguration"]
    assert all(block.values())
    rule = s3.get_bucket_encryption(Bucket="team-state")["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    aliases = [each["AliasName"] for each in boto3.client("kms", region_name="eu-west-1").list_aliases()["Aliases"]]
    assert aliases.count("alias/groundplan-state") == 1


def test_what_is_missing_is_told() -> None:
    with pytest.raises(EngineError, match="--bucket NAME"):
        make_backend("", "eu-west-1")


@pytest.mark.slow
@pytest.mark.usefixtures("engine")
def test_the_engine_keeps_a_stack_there(aws: str, tmp_path: Path) -> None:
    variables = make_backend("engine-state", "eu-west-1")
    (tmp_path / "Pulumi.yaml").write_text("name: kept\nruntime: python\n")
    # The emulator has path-style addresses, which AWS does not need.
    url = f"{variables['PULUMI_BACKEND_URL']}&endpoint={aws.removeprefix('http://')}&disableSSL=true&s3ForcePathStyle=true"
    environment = {
        **os.environ,
        "PULUMI_BACKEND_URL": url,
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    words = [
        "stack",
        "init",
        "dev",
        "--secrets-provider",
        variables["GROUNDPLAN_SECRETS_PROVIDER"],
        "--non-interactive",
    ]
    command = [str(find_cli().command), *words, "--cwd", str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = boto3.client("s3", region_name="eu-west-1").list_objects_v2(Bucket="engine-state")["Contents"]
    assert any(each["Key"].endswith("kept/dev.json") for each in found)
