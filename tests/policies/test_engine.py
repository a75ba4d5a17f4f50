"""The pack inside the real engine: it stops `up`, changes plans, sees the whole stack, and judges what exists."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from groundplan_infra.engine import emulator
from groundplan_infra.engine.aws_plugin import find_plugin
from groundplan_infra.engine.cli import find_cli
from groundplan_infra.engine.folders import EngineError
from groundplan_infra.engine.session import Session

POLICIES = Path(__file__).parents[2] / "policies"
PROJECT = "name: policed\nruntime: python\n"
SETTINGS = """config:
  groundplan:name: policed
  groundplan:environment: {environment}
  groundplan:region: eu-west-1
  groundplan:owner: team
"""
PROGRAM = """import pulumi
import pulumi_aws as aws

from groundplan_infra.config import StackConfig
from groundplan_infra.provider import make_provider

SETTINGS = dict(name="policed", environment="dev", region="eu-west-1", owner="team", emulated=True)
TAGS = {{tag: "x" for tag in ("Owner", "Project", "Environment", "CostCenter", "DataClassification")}}
options = pulumi.ResourceOptions(provider=make_provider(StackConfig(**SETTINGS)), protect={protect})
{body}
"""
OPEN_GROUP = """group = aws.ec2.SecurityGroup("group", description="test", tags=TAGS, opts=options)
aws.vpc.SecurityGroupIngressRule(
    "ssh", security_group_id=group.id, cidr_ipv4={cidr!r}, from_port=22, to_port=22, ip_protocol="tcp", opts=options
)
"""
TOPIC = """aws.sns.Topic("alarms", tags=TAGS, opts=options)
repository = aws.ecr.Repository("images", image_tag_mutability="MUTABLE", tags=TAGS, opts=options)
"""
BARE_BUCKET = """bucket = aws.s3.Bucket("data", tags=TAGS, opts=options)
aws.s3.BucketVersioning("data", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=options)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """The real engine; tests are left out by name where there is none."""
    try:
        find_plugin(find_cli())
    except EngineError as error:
        pytest.skip(f"no engine: {error}")


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An embedded AWS for one test alone."""
    monkeypatch.setenv("GROUNDPLAN_STATE", str(tmp_path / "state"))
    yield
    running = emulator.running()
    if running:
        emulator.stop(running)


def pack(folder: Path, policy: str = "", waivers: str = "") -> Path:
    """A policy pack as the platform's, with other settings."""
    folder.mkdir()
    for name in ("__main__.py", "PulumiPolicy.yaml"):
        (folder / name).write_text((POLICIES / name).read_text())
    (folder / ".venv").symlink_to(Path(sys.prefix))
    (folder / "policy.yaml").write_text(policy)
    (folder / "waivers.yaml").write_text(waivers)
    return folder


class Policed:
    """A small program under a pack."""

    def __init__(self, folder: Path, body: str, environment: str = "prod", protect: bool = False) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "Pulumi.test.yaml").write_text(SETTINGS.format(environment=environment))
        self.write(body, protect)
        self.session = Session(folder, "test", emulated=True)

    def write(self, body: str, protect: bool = False) -> None:
        """Replace the program."""
        (self.folder / "__main__.py").write_text(PROGRAM.format(body=body, protect=protect))

    def run(self, operation: str, pack: Path, *options: str) -> subprocess.CompletedProcess[str]:
        """Let the engine work under the pack."""
        self.session.select()
        words = [operation, "--stack", "test", "--policy-pack", str(pack), *options]
        return self.session.run(*words, *(["--yes"] if operation == "up" else []), quiet=True)

    def inputs(self, token: str) -> dict[str, Any]:
        """The inputs of the resource of a type in the state."""
        resources = self.session.deployment().get("resources") or []
        return next((each["inputs"] for each in resources if each["type"] == token), {})


def violations(done: subprocess.CompletedProcess[str]) -> set[tuple[str, str]]:
    """(level, control) of each line of the engine's report."""
    return set(re.findall(r"\[(mandatory|advisory|remediate)\][^\n]*?  ([a-z0-9-]+)  \(", done.stdout))


def test_a_mandatory_violation_stops_up_before_anything_is_made(tmp_path: Path) -> None:
    policed = Policed(tmp_path / "program", OPEN_GROUP.format(cidr="0.0.0.0/0"))
    done = policed.run("up", pack(tmp_path / "pack"))
    assert done.returncode != 0
    assert ("mandatory", "security-group-restricted-ingress") in violations(done)
    assert "port 22 open to everyone" in done.stdout
    assert policed.inputs("aws:ec2/securityGroup:SecurityGroup") == {}
    policed.write(OPEN_GROUP.format(cidr="10.0.0.0/8"))
    done = policed.run("up", tmp_path / "pack")
    assert done.returncode == 0, done.stdout + done.stderr
    assert policed.inputs("aws:ec2/securityGroup:SecurityGroup")


def test_a_remediation_changes_the_plan(tmp_path: Path) -> None:
    policed = Policed(tmp_path / "program", TOPIC, protect=True)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"ecr-repository-hardened": "remediate", "sns-topic-encrypted": "remediate"}))
    done = policed.run("up", pack(tmp_path / "pack"), "--policy-pack-config", str(config))
    assert done.returncode == 0, done.stdout + done.stderr
    assert policed.inputs("aws:ecr/repository:Repository")["imageTagMutability"] == "IMMUTABLE"
    assert policed.inputs("aws:ecr/repository:Repository")["imageScanningConfiguration"]["scanOnPush"] is True
    assert policed.inputs("aws:sns/topic:Topic")["kmsMasterKeyId"] == "alias/aws/sns"


def test_stack_rules_see_the_whole_stack_before_it_is_made(tmp_path: Path) -> None:
    policed = Policed(tmp_path / "program", BARE_BUCKET, protect=True)
    folder = pack(tmp_path / "pack")
    done = policed.run("preview", folder)
    assert done.returncode != 0
    mandatory = {control for level, control in violations(done) if level == "mandatory"}
    assert {"s3-bucket-public-access-block", "s3-bucket-default-encryption", "cloudtrail-enabled"} <= mandatory
    # Its bucket is not known yet, and joins by what it depends on.
    assert "s3-bucket-versioning" not in mandatory
    waiver = """waivers:
  - control: s3-bucket-public-access-block
    resource: data
    environments: [prod]
    reason: The account has a block for all buckets
    approver: ciso@example.com
    expires: 2027-06-30
"""
    done = policed.run("preview", pack(tmp_path / "waived", waivers=waiver))
    assert "s3-bucket-public-access-block" not in {control for _, control in violations(done)}


def test_a_pack_that_cannot_be_read_stops_the_engine_with_a_line(tmp_path: Path) -> None:
    policed = Policed(tmp_path / "program", TOPIC)
    done = policed.run("preview", pack(tmp_path / "pack", policy="levels: {nope: mandatory}"))
    assert done.returncode != 0
    assert "levels names nope, which is no control" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_what_exists_is_judged_from_its_state(tmp_path: Path) -> None:
    policed = Policed(tmp_path / "program", BARE_BUCKET)
    policed.session.select()
    assert policed.session.run("up", "--stack", "test", "--yes", "--skip-preview", quiet=True).returncode == 0
    exported = policed.session.run("stack", "export", "--stack", "test", quiet=True).stdout
    (tmp_path / "state.json").write_text(exported)
    folder = pack(tmp_path / "pack")
    words = ["check", "--program", str(tmp_path / "program"), "--policies", str(folder), "--stack", "test"]
    command = [sys.executable, "-m", "groundplan_policies", *words, "--graph", str(tmp_path / "state.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 1, done.stderr
    assert "s3-bucket-public-access-block" in done.stdout
    assert "s3-bucket-versioning" not in done.stdout
