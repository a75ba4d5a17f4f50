"""The pack as the engine talks to it: over gRPC, with the engine's own messages."""

import datetime
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from groundplan_policies.pack import Pack

UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET_MARK = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "hidden"}
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
CLOSED = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def engine(folder: Path) -> Iterator[Any]:
    """The engine's side of a running pack."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Pack(folder), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield analyzer_pb2_grpc.AnalyzerStub(channel)
    server.stop(0)


def configure(engine: Any, environment: str = "prod", dry_run: bool = False, **levels: Any) -> None:
    """What the engine says before anything else."""
    engine.Handshake(analyzer_pb2.AnalyzerHandshakeRequest())
    config = {"groundplan:environment": environment, "groundplan:region": "eu-west-1", "groundplan:name": "churn"}
    engine.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="x", config=config, dry_run=dry_run))
    told = engine.GetAnalyzerInfo(_empty())
    chosen = {each.name: analyzer_pb2.PolicyConfig(enforcementLevel=each.enforcementLevel) for each in told.policies}
    chosen |= {
        name.replace("_", "-"): analyzer_pb2.PolicyConfig(enforcementLevel=level) for name, level in levels.items()
    }
    engine.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=chosen))


def _empty() -> Any:
    from google.protobuf.empty_pb2 import Empty

    return Empty()


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(values, struct_pb2.Struct())


def message(token: str, inputs: dict[str, Any], name: str = "r") -> Any:
    """One resource, as the engine asks about it."""
    provider = analyzer_pb2.AnalyzerProviderResource(type="pulumi:providers:aws", name="aws")
    return analyzer_pb2.AnalyzeRequest(
        type=token, properties=struct(inputs), urn=f"urn:pulumi:x::y::{token}::{name}", name=name, provider=provider
    )


def in_stack(request: Any, outputs: dict[str, Any], **dependencies: list[str]) -> Any:
    """The same resource among all of the stack, as its provider made it."""
    found = {key: analyzer_pb2.AnalyzerPropertyDependencies(urns=urns) for key, urns in dependencies.items()}
    return analyzer_pb2.AnalyzerResource(
        type=request.type,
        properties=struct(outputs),
        urn=request.urn,
        name=request.name,
        provider=request.provider,
        propertyDependencies=found,
    )


def verdicts(response: Any) -> dict[str, str]:
    """Control -> level of what is reported."""
    return {each.policyName: analyzer_pb2.EnforcementLevel.Name(each.enforcementLevel) for each in response.diagnostics}


def test_the_engine_learns_every_control_and_its_references(engine: Any) -> None:
    configure(engine)
    info = engine.GetAnalyzerInfo(_empty())
    policies = {each.name: each for each in info.policies}
    assert len(policies) > 60
    assert "cis-aws-3.0:2.1.4" in policies["s3-bucket-public-access-block"].tags
    assert policies["s3-bucket-public-access-block"].policy_type == analyzer_pb2.POLICY_TYPE_STACK
    assert policies["rds-no-public-access"].policy_type == analyzer_pb2.POLICY_TYPE_RESOURCE
    assert policies["rds-multi-az"].enforcementLevel == analyzer_pb2.MANDATORY


def test_levels_are_those_of_the_stacks_environment(engine: Any) -> None:
    configure(engine, environment="dev")
    database = message("aws:rds/instance:Instance", {"storageEncrypted": True, "tags": {}, "backupRetentionPeriod": 0})
    assert verdicts(engine.Analyze(database))["rds-backup-retention"] == "ADVISORY"
    assert "rds-multi-az" not in verdicts(engine.Analyze(database))
    configure(engine, environment="prod")
    assert verdicts(engine.Analyze(database))["rds-backup-retention"] == "MANDATORY"


def test_the_engines_configuration_chooses_levels(engine: Any) -> None:
    configure(engine, s3_bucket_public_access_flags=analyzer_pb2.DISABLED)
    assert verdicts(engine.Analyze(message(BLOCK, {}))) == {}
    configure(engine, s3_bucket_public_access_flags=analyzer_pb2.ADVISORY)
    assert verdicts(engine.Analyze(message(BLOCK, {}))) == {"s3-bucket-public-access-flags": "ADVISORY"}


def test_what_is_not_known_is_told_by_a_preview_and_stops_up(engine: Any) -> None:
    request = message(BLOCK, {**CLOSED, "blockPublicAcls": UNKNOWN_TEXT})
    configure(engine, dry_run=True)
    [told] = engine.Analyze(request).diagnostics
    assert told.enforcementLevel == analyzer_pb2.ADVISORY
    assert "cannot be decided: blockPublicAcls is not known before `up`" in told.message
    configure(engine, dry_run=False)
    [told] = engine.Analyze(request).diagnostics
    assert told.enforcementLevel == analyzer_pb2.MANDATORY


def test_a_secret_is_never_told(engine: Any) -> None:
    configure(engine)
    database = message("aws:rds/instance:Instance", {"password": SECRET_MARK})
    response = engine.Analyze(database)
    assert verdicts(response)["rds-password-not-plain"] == "MANDATORY"
    assert "hidden" not in str(response)


def test_a_stack_is_judged_by_what_programs_asked_for(engine: Any) -> None:
    configure(engine)
    bucket = message("aws:s3/bucket:Bucket", {"tags": {}}, "data")
    versioning = message(
        "aws:s3/bucketVersioning:BucketVersioning",
        {"bucket": UNKNOWN_TEXT, "versioningConfiguration": {"status": "Enabled"}},
    )
    for request in (bucket, versioning):
        engine.Analyze(request)
    whole = [
        in_stack(bucket, {"id": UNKNOWN_TEXT}),
        # A provider may spell what it made otherwise.
        in_stack(versioning, {"versioningConfigurations": []}, bucket=[bucket.urn]),
    ]
    found = verdicts(engine.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=whole)))
    assert "s3-bucket-versioning" not in found
    assert found["s3-bucket-public-access-block"] == "MANDATORY"
    alone = verdicts(engine.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=whole[:1])))
    assert alone["s3-bucket-versioning"] == "MANDATORY"


def test_fixes_change_only_what_is_wrong_and_keep_what_is_not_known(engine: Any) -> None:
    configure(
        engine, s3_bucket_customer_key=analyzer_pb2.REMEDIATE, s3_bucket_public_access_flags=analyzer_pb2.REMEDIATE
    )
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    by_default = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": UNKNOWN_TEXT}
    inputs = {"bucket": SECRET_MARK, "rules": [{"applyServerSideEncryptionByDefault": by_default}]}
    [change] = engine.Remediate(message(token, inputs)).remediations
    assert change.policyName == "s3-bucket-customer-key"
    assert json_format.MessageToDict(change.properties) == {
        "bucket": SECRET_MARK,
        "rules": [{"applyServerSideEncryptionByDefault": by_default, "bucketKeyEnabled": True}],
    }
    assert list(engine.Remediate(message(BLOCK, CLOSED)).remediations) == []
    [change] = engine.Remediate(message(BLOCK, {"bucket": UNKNOWN_TEXT})).remediations
    assert json_format.MessageToDict(change.properties) == {"bucket": UNKNOWN_TEXT, **CLOSED}


def test_a_fix_that_needs_an_unknown_value_says_so(engine: Any) -> None:
    configure(engine, s3_bucket_public_access_flags=analyzer_pb2.REMEDIATE)
    [change] = engine.Remediate(message(BLOCK, {"blockPublicAcls": UNKNOWN_TEXT})).remediations
    assert change.diagnostic == "blockPublicAcls is not known"
    assert not change.properties.fields


def test_nothing_is_fixed_unasked(engine: Any) -> None:
    configure(engine)
    assert list(engine.Remediate(message(BLOCK, {})).remediations) == []


def test_components_and_providers_are_no_unknown_types(engine: Any) -> None:
    configure(engine)
    component = message("acme:index:Shop", {})
    component.ClearField("provider")
    assert verdicts(engine.Analyze(component)) == {}
    assert "resource-type-reviewed" in verdicts(engine.Analyze(message("acme:index:Shop", {})))


WAIVER = """waivers:
  - control: s3-bucket-public-access-flags
    resource: {name}
    environments: [prod]
    reason: The bucket serves the public website
    approver: ciso@example.com
    expires: {expires}
"""


@pytest.mark.parametrize(("name", "days", "holds"), [("site", 9, True), ("other", 9, False), ("site", -1, False)])
def test_waivers_hold_inside_the_engine(folder: Path, name: str, days: int, holds: bool, request: Any) -> None:
    expires = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=days)
    (folder / "waivers.yaml").write_text(WAIVER.format(name=name, expires=expires))
    engine = request.getfixturevalue("engine")
    configure(engine)
    block = message(BLOCK, {}, "site")
    assert (verdicts(engine.Analyze(block)) == {}) == holds
    whole = analyzer_pb2.AnalyzeStackRequest(resources=[in_stack(block, {})])
    assert ("waivers-valid" in verdicts(engine.AnalyzeStack(whole))) != holds


def test_a_stack_with_a_wrong_environment_is_refused(engine: Any) -> None:
    wrong = analyzer_pb2.AnalyzerStackConfigureRequest(stack="x", config={"groundplan:environment": "qa"})
    with pytest.raises(grpc.RpcError) as error:
        engine.ConfigureStack(wrong)
    assert "stack x: environment" in str(error.value)
