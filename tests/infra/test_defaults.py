"""What is safe without anybody asking for it, and what an option loosens or adds."""

import json
from typing import Any

import pytest

from conftest import PlatformGraph
from groundplan_infra.graph import Graph, Resource

SERVER = {"kind": "server", "domain": "mlflow.example.com", "hosted_zone_id": "Z1"}
PROD: dict[str, Any] = {
    "environment": "prod",
    "network": {"nat": "per_zone"},
    "tracking": {**SERVER, "tasks": 2, "multi_az": True},
    "observability": {"log_days": 365},
}
STATEFUL = [
    "aws:s3/bucket:Bucket",
    "aws:rds/instance:Instance",
    "aws:kms/key:Key",
    "aws:ecr/repository:Repository",
    "aws:backup/vault:Vault",
    "aws:secretsmanager/secret:Secret",
]


@pytest.fixture(scope="module")
def small(platform: PlatformGraph) -> Graph:
    return platform()


@pytest.fixture(scope="module")
def prod(platform: PlatformGraph) -> Graph:
    return platform(**PROD)


def policy(resource: Resource) -> list[dict[str, Any]]:
    """The statements of a policy document."""
    return list(json.loads(resource.inputs.get("policy") or resource.inputs["assumeRolePolicy"])["Statement"])


def only(graph: Graph, token: str) -> Resource:
    """The one resource of a type."""
    (found,) = graph.of_type(token)
    return found


def test_each_bucket_has_all_that_makes_it_safe(small: Graph) -> None:
    buckets = {each.urn for each in small.of_type("aws:s3/bucket:Bucket")}
    assert len(buckets) == 4
    for kind in (
        "bucketPublicAccessBlock:BucketPublicAccessBlock",
        "bucketOwnershipControls:BucketOwnershipControls",
        "bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "bucketVersioning:BucketVersioning",
        "bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "bucketPolicy:BucketPolicy",
    ):
        found = small.of_type(f"aws:s3/{kind}")
        assert {urn for each in found for urn in each.property_dependencies["bucket"]} == buckets, kind
    for block in small.of_type("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"):
        flags = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        assert all(block.inputs[flag] is True for flag in flags)
    for each in small.of_type("aws:s3/bucketPolicy:BucketPolicy"):
        (denied,) = [statement for statement in policy(each) if statement["Effect"] == "Deny"]
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert all("Condition" in one or "elasticloadbalancing" in str(one) for one in policy(each))


def test_data_is_encrypted_with_our_key_and_its_reading_is_logged(small: Graph) -> None:
    rules = small.of_type("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    default = "applyServerSideEncryptionByDefault"
    algorithms = {each.name.rsplit("-", 1)[-1]: each.inputs["rules"][0][default] for each in rules}
    assert algorithms.pop("logs") == {"sseAlgorithm": "AES256"}
    assert set(algorithms) == {"dvc", "artifacts", "models"}
    assert all(each["sseAlgorithm"] == "aws:kms" and each["kmsMasterKeyId"] for each in algorithms.values())
    assert len(small.of_type("aws:s3/bucketLogging:BucketLogging")) == 3


def test_released_models_cannot_be_deleted_where_retention_is_set(platform: PlatformGraph) -> None:
    graph = platform(storage={"model_retention_days": 30})
    lock = only(graph, "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert lock.inputs["rule"]["defaultRetention"] == {"mode": "GOVERNANCE", "days": 30}
    locked = [each.name for each in graph.of_type("aws:s3/bucket:Bucket") if each.inputs["objectLockEnabled"]]
    assert locked == ["unit-dev-euw1-store-models"]
    guarded = platform(**{**PROD, "storage": {"model_retention_days": 30}})
    lock = only(guarded, "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration")
    assert lock.inputs["rule"]["defaultRetention"]["mode"] == "COMPLIANCE"


def test_stateful_resources_are_protected_in_prod_alone(small: Graph, prod: Graph) -> None:
    for token in STATEFUL:
        assert all(each.protect for each in prod.of_type(token)), token
        assert prod.of_type(token), token
    assert not any(each.protect for each in small.resources)


def test_keys_rotate_and_trust_no_stranger(small: Graph) -> None:
    keys = small.of_type("aws:kms/key:Key")
    assert len(keys) == 2
    for key in keys:
        assert key.inputs["enableKeyRotation"] is True
        for statement in policy(key):
            assert statement["Principal"] != "*"
            assert "AWS" in statement["Principal"] or statement["Condition"]


def test_roles_are_narrow(prod: Graph) -> None:
    for each in prod.of_type("aws:iam/rolePolicy:RolePolicy"):
        for statement in policy(each):
            wide = statement["Effect"] == "Allow" and statement["Resource"] == "*"
            reading = ("ecr:GetAuthorizationToken", "cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*")
            assert not wide or set(statement["Action"]) <= set(reading), each.name
            assert "*" not in statement["Action"], each.name


def test_the_database_is_private_encrypted_and_keeps_its_password_to_itself(prod: Graph) -> None:
    database = only(prod, "aws:rds/instance:Instance").inputs
    assert database["storageEncrypted"] is True
    assert database["publiclyAccessible"] is False
    assert database["manageMasterUserPassword"] is True
    assert "password" not in database
    assert database["deletionProtection"] is True
    assert database["skipFinalSnapshot"] is False
    assert database["multiAz"] is True
    parameters = only(prod, "aws:rds/parameterGroup:ParameterGroup").inputs["parameters"]
    assert {"name": "rds.force_ssl", "value": "1"} in parameters


def test_a_development_database_can_be_torn_down(platform: PlatformGraph) -> None:
    database = only(platform(tracking=SERVER), "aws:rds/instance:Instance").inputs
    assert database["deletionProtection"] is False
    assert database["skipFinalSnapshot"] is True


def test_the_tracking_server_is_behind_tls_and_inside(prod: Graph) -> None:
    (listener,) = prod.of_type("aws:lb/listener:Listener")
    assert (listener.inputs["port"], listener.inputs["protocol"]) == (443, "HTTPS")
    assert "TLS13" in listener.inputs["sslPolicy"]
    balancer = only(prod, "aws:lb/loadBalancer:LoadBalancer").inputs
    assert balancer["internal"] is True
    assert balancer["dropInvalidHeaderFields"] is True
    assert balancer["enableDeletionProtection"] is True
    assert balancer["accessLogs"]["enabled"] is True
    for rule in prod.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"):
        assert rule.inputs.get("cidrIpv4") != "0.0.0.0/0", rule.name


def test_a_public_tracking_server_is_open_to_those_named_alone(platform: PlatformGraph) -> None:
    graph = platform(tracking={**SERVER, "allowed_cidrs": ["203.0.113.0/24"]})
    assert only(graph, "aws:lb/loadBalancer:LoadBalancer").inputs["internal"] is False
    http = [each for each in graph.of_type("aws:lb/listener:Listener") if each.inputs["port"] == 80]
    assert [action["type"] for each in http for action in each.inputs["defaultActions"]] == ["redirect"]
    rules = graph.of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    open_to = {each.inputs["cidrIpv4"] for each in rules if "cidrIpv4" in each.inputs}
    assert open_to == {"10.20.0.0/16", "203.0.113.0/24"}


def test_no_secret_stands_in_the_task(prod: Graph) -> None:
    (container,) = json.loads(only(prod, "aws:ecs/taskDefinition:TaskDefinition").inputs["containerDefinitions"])
    assert {each["name"] for each in container["secrets"]} == {"DATABASE_PASSWORD"}
    assert not any("PASSWORD" in each["name"] for each in container["environment"])
    assert prod.of_type("aws:secretsmanager/secretVersion:SecretVersion") == []


def test_images_have_fixed_tags_and_are_scanned(small: Graph) -> None:
    repository = only(small, "aws:ecr/repository:Repository").inputs
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert only(small, "aws:ecr/lifecyclePolicy:LifecyclePolicy")


def test_machines_cost_nothing_while_idle_and_have_a_cap(platform: PlatformGraph) -> None:
    gpu = {"max_vcpus": 8, "quota_vcpus": 8}
    graph = platform(compute={"kind": "batch", "max_vcpus": 16, "gpu": gpu})
    environments = graph.of_type("aws:batch/computeEnvironment:ComputeEnvironment")
    machines = {each.name.rsplit("-", 1)[-1]: each.inputs["computeResources"] for each in environments}
    assert {kind: each["maxVcpus"] for kind, each in machines.items()} == {"cpu": 16, "gpu": 8}
    for each in machines.values():
        assert each["minVcpus"] == 0
        assert each["type"] == "SPOT"
    template = only(graph, "aws:ec2/launchTemplate:LaunchTemplate").inputs
    assert template["metadataOptions"]["httpTokens"] == "required"
    assert template["blockDeviceMappings"][0]["ebs"]["encrypted"] == "true"


def test_the_budget_comes_before_what_costs(small: Graph) -> None:
    budget = only(small, "aws:budgets/budget:Budget")
    assert all(each["subscriberEmailAddresses"] for each in budget.inputs["notifications"])
    for token in ("aws:batch/computeEnvironment:ComputeEnvironment", "aws:ec2/vpc:Vpc"):
        assert all(budget.urn in each.dependencies for each in small.of_type(token)), token


def test_the_kubernetes_cluster_is_private_and_logged(platform: PlatformGraph) -> None:
    compute = {"kind": "eks", "admin_role_arns": ["arn:aws:iam::123456789012:role/admin"]}
    graph = platform(network={"nat": "one"}, compute=compute)
    cluster = only(graph, "aws:eks/cluster:Cluster").inputs
    assert cluster["vpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["vpcConfig"]["endpointPublicAccess"] is False
    assert cluster["encryptionConfig"]["resources"] == ["secrets"]
    assert len(cluster["enabledClusterLogTypes"]) == 5
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    assert cluster["accessConfig"]["bootstrapClusterCreatorAdminPermissions"] is False
    assert only(graph, "aws:eks/accessEntry:AccessEntry")
    assert {each.inputs["addonName"] for each in graph.of_type("aws:eks/addon:Addon")} >= {"eks-pod-identity-agent"}
    template = only(graph, "aws:ec2/launchTemplate:LaunchTemplate").inputs
    assert template["metadataOptions"] == {
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "httpEndpoint": "enabled",
    }


@pytest.mark.parametrize(
    ("provider", "preview", "deploy"),
    [
        ("github", "repo:acme/churn:pull_request", "repo:acme/churn:environment:dev"),
        (
            "gitlab",
            "project_path:acme/churn:ref_type:branch:ref:preview",
            "project_path:acme/churn:ref_type:branch:ref:dev",
        ),
    ],
)
def test_ci_roles_trust_exact_subjects(platform: PlatformGraph, provider: str, preview: str, deploy: str) -> None:
    graph = platform(ci={"provider": provider, "repositories": ["acme/churn"]})
    roles = {each.name.rsplit("-", 1)[-1]: each for each in graph.of_type("aws:iam/role:Role") if "-ci-" in each.name}
    for purpose, subject in (("preview", preview), ("deploy", deploy)):
        (statement,) = policy(roles[purpose])
        (condition,) = statement["Condition"].values()
        assert [subject] in condition.values()
        assert any(key.endswith(":aud") for key in condition)
        assert "*" not in json.dumps(statement)
    assert graph.of_type("aws:iam/accessKey:AccessKey") == []


def test_the_account_is_audited_unless_the_organisation_does_it(platform: PlatformGraph, small: Graph) -> None:
    trail = only(small, "aws:cloudtrail/trail:Trail").inputs
    assert trail["isMultiRegionTrail"] is True
    assert trail["enableLogFileValidation"] is True
    assert trail["kmsKeyId"]
    kinds = ("cfg/recorder:Recorder", "guardduty/detector:Detector", "accessanalyzer/analyzer:Analyzer")
    assert all(
        small.of_type(f"aws:{kind}") for kind in (*kinds, "s3/accountPublicAccessBlock:AccountPublicAccessBlock")
    )
    central = platform(audit={"owner": "organisation"})
    assert not central.of_type("aws:cloudtrail/trail:Trail")


def test_logs_are_kept_as_long_as_settings_say_and_encrypted(prod: Graph) -> None:
    groups = prod.of_type("aws:cloudwatch/logGroup:LogGroup")
    assert groups
    assert all(each.inputs["retentionInDays"] == 365 and each.inputs["kmsKeyId"] for each in groups)


def test_backups_cover_database_and_models(prod: Graph) -> None:
    selection = only(prod, "aws:backup/selection:Selection").inputs
    assert len(selection["resources"]) == 2
    assert any("rds" in arn for arn in selection["resources"])
    assert any("models" in arn for arn in selection["resources"])


def test_alarms_reach_people(platform: PlatformGraph) -> None:
    told = {"emails": ["ops@example.com"], "slack_workspace_id": "T1", "slack_channel_id": "C1", "prometheus": True}
    graph = platform(tracking=SERVER, observability=told)
    topic = only(graph, "aws:sns/topic:Topic")
    assert topic.inputs["kmsMasterKeyId"]
    assert only(graph, "aws:sns/topicSubscription:TopicSubscription").inputs["endpoint"] == "ops@example.com"
    assert only(graph, "aws:chatbot/slackChannelConfiguration:SlackChannelConfiguration")
    alarms = graph.of_type("aws:cloudwatch/metricAlarm:MetricAlarm")
    assert len(alarms) == 4
    assert all(topic.urn in each.property_dependencies["alarmActions"] for each in alarms)
    assert only(graph, "aws:amp/workspace:Workspace")


def test_cost_tags_are_activated_when_asked(platform: PlatformGraph) -> None:
    budget = {"monthly_usd": 50, "emails": ["team@example.com"]}
    token = "aws:costexplorer/costAllocationTag:CostAllocationTag"
    assert not platform().of_type(token)
    assert len(platform(budget={**budget, "activate_tags": True}).of_type(token)) == 4


def test_no_user_and_no_key_is_ever_made(prod: Graph) -> None:
    assert not {"aws:iam/user:User", "aws:iam/accessKey:AccessKey"} & {each.type for each in prod.resources}
