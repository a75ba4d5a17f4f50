"""The real engine against the embedded AWS: all of a stack's life, in every environment's shape."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from conftest import INFRA
from groundplan_infra.engine import emulator
from groundplan_infra.engine.session import Session, open_session

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("engine")]
PROGRAMS = {
    "platform": "from groundplan_infra.program import run_platform\n\nrun_platform()\n",
    "project": "from groundplan_infra.program import run_project\n\nrun_project()\n",
}
# What the embedded AWS lacks, wherever a stack of another environment runs on it.
NO_ACCOUNT_SETTINGS = {"account_public_access_block": False}


class Program:
    """A program with its settings, in a folder of its own."""

    def __init__(self, folder: Path, kind: str, env: str, values: dict[str, Any]) -> None:
        self.folder, self.env, self.values = folder, env, values
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": f"test-{kind}", "runtime": "python"}))
        (folder / "__main__.py").write_text(PROGRAMS[kind])
        self.change()

    def change(self, **values: Any) -> None:
        """Write the settings, with these changed."""
        self.values.update(values)
        config = {f"groundplan:{name}": value for name, value in self.values.items()}
        (self.folder / f"Pulumi.{self.env}.yaml").write_text(yaml.safe_dump({"config": config}))

    @property
    def session(self) -> Session:
        return open_session(self.folder, self.env)

    def command(self, task: str, *options: str) -> list[str]:
        """The command of a task."""
        words = ["--env", self.env, "--program", str(self.folder)]
        return [sys.executable, "-m", "groundplan_infra", task, *words, *(["--", *options] if options else [])]

    def run(self, task: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Do a task as `make` does it."""
        return subprocess.run(self.command(task, *options), capture_output=True, text=True, check=False, timeout=900)

    def done(self, task: str, *options: str) -> str:
        """Do a task that must succeed; gives what it printed."""
        result = self.run(task, *options)
        assert result.returncode == 0, f"{task}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        return result.stdout

    def resources(self) -> list[dict[str, Any]]:
        """The resources in the state."""
        return list(self.session.deployment().get("resources") or [])


def settings(env: str, **changes: Any) -> dict[str, Any]:
    """The settings of one of our environments, for the embedded AWS."""
    file = yaml.safe_load((INFRA / f"Pulumi.{env}.yaml").read_text())["config"]
    values = {key.removeprefix("groundplan:"): value for key, value in file.items()}
    audit = {**values.get("audit", {}), **NO_ACCOUNT_SETTINGS}
    return {**values, "emulated": True, "audit": audit, **changes}


def client(service: str) -> Any:
    """A client of the running emulator."""
    aws = emulator.ensure()
    return boto3.client(
        service,
        endpoint_url=aws.url,
        region_name="eu-west-1",
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
    )


def tagged(project: str) -> list[str]:
    """ARNs of what still carries the tags of a stack."""
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources")
    wanted = [{"Key": "Project", "Values": [project]}]
    return [
        found["ResourceARN"] for page in pages.paginate(TagFilters=wanted) for found in page["ResourceTagMappingList"]
    ]


# KMS keeps deleted keys for their waiting time; a removed service, and a revision of a task or a job definition, stays
# listed as inactive.
STAY = re.compile(r":kms:|:task-definition/|:job-definition/|:ecs:[^:]*:[^:]*:service/")


def test_the_life_of_a_local_platform(own_state: Path) -> None:
    program = Program(own_state / "program", "platform", "local", settings("local"))
    assert "embedded, a stand-in" in program.run("up").stderr
    resources = program.resources()
    assert len(resources) > 90
    outputs = json.loads(program.done("outputs"))
    program.done("preview", "--expect-no-changes")
    program.done("refresh")
    program.done("preview", "--expect-no-changes")

    # Settings that are nested in others arrive whole.
    (rule,) = client("s3").get_bucket_lifecycle_configuration(Bucket=outputs["dvc_bucket"])["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 90

    client("s3").put_object(Bucket=outputs["dvc_bucket"], Key="files/a", Body=b"kept")
    program.change(cost_center="4711", observability={"log_days": 90})
    program.done("up")
    groups = client("logs").describe_log_groups()["logGroups"]
    assert {group["retentionInDays"] for group in groups} == {90}
    assert client("s3").get_object(Bucket=outputs["dvc_bucket"], Key="files/a")["Body"].read() == b"kept"

    before = {each["urn"]: each["id"] for each in program.resources() if each["type"] == "aws:ec2/subnet:Subnet"}
    program.change(network={"zones": ["a", "b", "c"]})
    program.done("up")
    after = {each["urn"]: each["id"] for each in program.resources() if each["type"] == "aws:ec2/subnet:Subnet"}
    assert before.items() < after.items()

    program.change(network={"zones": ["a", "b", "c"], "cidr": "10.21.0.0/16"})
    assert "replace" in program.done("up")
    vpcs = [vpc for vpc in client("ec2").describe_vpcs()["Vpcs"] if not vpc["IsDefault"]]
    assert [vpc["CidrBlock"] for vpc in vpcs] == ["10.21.0.0/16"]

    removed = program.run("destroy")
    assert removed.returncode == 0, removed.stdout[-3000:] + removed.stderr
    assert f"`kill {emulator.ensure().pid}` ends it" in removed.stderr
    assert program.resources() == []
    assert [arn for arn in tagged("ground") if not STAY.search(arn)] == []
    assert client("s3").list_buckets()["Buckets"] == []


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_every_environment_comes_up_and_stays_as_it_is(env: str, own_state: Path) -> None:
    aws = emulator.ensure()
    values = settings(env)
    if env == "dev":
        # Neither moto nor provider 5.100 knows SageMaker's MLflow App.
        values["tracking"] = {"kind": "none"}
    else:
        zone = client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"]
        values["tracking"] = {**values["tracking"], "hosted_zone_id": zone.rsplit("/", 1)[-1]}
    program = Program(own_state / "program", "platform", env, values)
    program.done("up")
    program.done("preview", "--expect-no-changes")
    program.done("refresh")
    program.done("preview", "--expect-no-changes")
    outputs = json.loads(program.done("outputs"))
    assert outputs["contract"] == 1
    if env == "dev":
        program.done("destroy")
        assert program.resources() == []
    else:
        assert outputs["tracking_uri"].startswith("https://mlflow.")
        before = program.resources()
        refused = program.run("destroy")
        assert refused.returncode == 1
        assert "protected resources" in refused.stderr.splitlines()[-1]
        assert program.resources() == before
    assert_no_secret(program, aws)


def test_a_standalone_project_on_kubernetes(own_state: Path) -> None:
    common = {key: settings("local")[key] for key in ("environment", "region", "owner", "budget", "emulated")}
    emulator.ensure()
    admin = client("iam").create_role(RoleName="admin", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    brought = {
        "tracking": {"kind": "none"},
        "audit": {"owner": "organisation"},
        "storage": {"force_destroy": True},
        "network": {"nat": "one"},
        "compute": {"kind": "eks", "admin_role_arns": [admin], "gpu": {"max_vcpus": 8, "quota_vcpus": 8}},
        "serving": {"kind": "eks"},
    }
    values = {**common, "name": "churn", "platform": "standalone", "standalone": brought, "kubernetes_namespace": "ml"}
    program = Program(own_state / "program", "project", "local", values)
    program.done("up")
    program.done("preview", "--expect-no-changes")
    types = {each["type"] for each in program.resources()}
    assert {"aws:eks/addon:Addon", "aws:eks/accessEntry:AccessEntry", "aws:eks/nodeGroup:NodeGroup"} <= types
    program.done("destroy")
    assert client("eks").list_clusters()["clusters"] == []


def assert_no_secret(program: Program, aws: emulator.Emulator) -> None:
    """No secret is in the state or in the outputs in clear."""
    text = json.dumps(program.session.deployment())
    for secret in client("secretsmanager").list_secrets()["SecretList"]:
        try:
            value = client("secretsmanager").get_secret_value(SecretId=secret["ARN"])["SecretString"]
        except client("secretsmanager").exceptions.ResourceNotFoundException:
            continue
        password = json.loads(value).get("password", "")
        assert password
        assert password not in text
    passphrase = (Path(aws.folder) / "passphrase").read_text()
    assert passphrase not in text


def test_a_project_joins_a_shared_platform(own_state: Path) -> None:
    emulator.ensure()
    zone = client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"]
    platform = Program(own_state / "platform", "platform", "local", settings("local", serving={"kind": "ecs"}))
    platform.done("up")
    values = {key: platform.values[key] for key in ("environment", "region", "owner", "budget", "emulated")}
    shared = {"name": "churn", "platform": "shared", "platform_stack": "organization/test-platform/local"}
    service = {"domain": "churn.example.com", "hosted_zone_id": zone.rsplit("/", 1)[-1]}
    project = Program(own_state / "project", "project", "local", {**values, **shared, "service": service})
    project.done("up")
    project.done("preview", "--expect-no-changes")
    outputs = json.loads(project.done("outputs"))
    buckets = {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]}
    assert outputs["dvc_remote"].split("/")[2] in buckets
    cluster = json.loads(platform.done("outputs"))["serving_cluster_arn"]
    assert len(client("ecs").list_services(cluster=cluster)["serviceArns"]) == 1
    assert outputs["service_url"] == "https://churn.example.com"
    jobs = client("batch").describe_job_definitions()["jobDefinitions"]
    assert outputs["job_definition"] in {job["jobDefinitionArn"] for job in jobs}
    project.done("destroy")
    services = client("ecs").list_services(cluster=cluster)["serviceArns"]
    assert not services or {
        each["status"] for each in client("ecs").describe_services(cluster=cluster, services=services)["services"]
    } == {"INACTIVE"}
    assert not [arn for arn in tagged("churn") if not STAY.search(arn)]
    assert {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]} == buckets


def running_in_session(leader: int) -> list[str]:
    """What runs of the session that a process began: its plugins, each in a group of its own."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(folder.name)) == leader:
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return found


def test_an_interrupted_up_is_taken_up_again(own_state: Path) -> None:
    program = Program(own_state / "program", "platform", "local", settings("local"))
    process = subprocess.Popen(
        program.command("up"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout
    created = 0
    for line in process.stdout:
        created += " created" in line
        if created > 15:
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.wait(timeout=60)
    deadline = time.monotonic() + 20
    while (left := running_in_session(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []
    kept = {each["urn"]: each.get("id") for each in program.resources()}
    assert kept
    again = program.run("up")
    assert again.returncode == 0, again.stdout[-3000:] + again.stderr
    assert "an engine was killed at work" in again.stderr
    after = {each["urn"]: each.get("id") for each in program.resources()}
    assert kept.items() <= after.items(), "what was made before was made again"
    program.done("preview", "--expect-no-changes")


def test_wrong_settings_stop_before_anything_is_made(own_state: Path) -> None:
    program = Program(own_state / "program", "platform", "local", settings("local", netwrok={"nat": "one"}))
    result = program.run("up")
    assert result.returncode != 0
    text = result.stdout + result.stderr
    assert "Pulumi.local.yaml: groundplan:netwrok: is not a key" in text
    assert "Traceback" not in text
    assert client("s3").list_buckets()["Buckets"] == []


def test_a_stack_for_aws_never_ends_in_an_emulator(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    program = Program(own_state / "program", "platform", "dev", {**settings("dev"), "emulated": False})
    result = program.run("up")
    assert result.returncode == 1
    assert "AWS_ENDPOINT_URL" in result.stderr
    assert "Traceback" not in result.stderr


def test_missing_credentials_are_told_in_one_line(own_state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(own_state))
    program = Program(own_state / "program", "platform", "dev", {**settings("dev"), "emulated": False})
    result = program.run("up")
    assert result.returncode == 1
    assert result.stderr.strip().splitlines() == [
        "error: no AWS credentials: log in (`aws sso login`), or set AWS_PROFILE; ENV=local needs none"
    ]


def test_a_stack_that_is_at_work_is_told(own_state: Path) -> None:
    program = Program(own_state / "program", "platform", "local", settings("local"))
    session = program.session
    session.select()
    first = subprocess.Popen(program.command("up"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert first.stdout
    next(line for line in first.stdout if " created" in line)
    second = program.run("up")
    first.stdout.read()
    first.wait(timeout=600)
    assert second.returncode != 0
    assert "lock" in second.stdout + second.stderr
    assert first.returncode == 0
