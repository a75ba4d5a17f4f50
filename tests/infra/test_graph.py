"""The captured graph: whole, the same each time, and as the snapshots show it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from conftest import INFRA, SMALLEST, PlatformGraph
from groundplan_infra.config import ProjectConfig, parse
from groundplan_infra.context import fit
from groundplan_infra.contract import VERSION, PlatformOutputs, ProjectOutputs, validate
from groundplan_infra.diagram import mermaid, picture, svg
from groundplan_infra.graph import Graph, capture
from groundplan_infra.program import build_project
from groundplan_infra.stacks import graph_of

ENVIRONMENTS = ["local", "dev", "staging", "prod"]
SNAPSHOTS = INFRA.parent / "tests" / "infra" / "snapshots"
# Types whose names AWS keeps short; theirs are cut and end in a hash.
SHORT = {"aws:lb/loadBalancer:LoadBalancer", "aws:lb/targetGroup:TargetGroup"}


def snapshot(graph: Graph) -> str:
    """A line for each resource: type, name, whether protected, and its settings without tags."""
    lines = []
    for each in graph.resources:
        inputs = {key: value for key, value in each.inputs.items() if key != "tags"}
        guard = " protected" if each.protect else ""
        lines.append(f"{each.type} {each.name}{guard} {json.dumps(inputs, sort_keys=True)}")
    return "\n".join([*lines, ""])


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def stack(request: pytest.FixtureRequest) -> tuple[str, Graph]:
    return request.param, graph_of(INFRA / f"Pulumi.{request.param}.yaml")


def test_the_snapshot_shows_what_a_change_does(stack: tuple[str, Graph], request: pytest.FixtureRequest) -> None:
    """After a wanted change, write the snapshots anew with `make snapshots` and review the difference."""
    name, graph = stack
    file = SNAPSHOTS / f"{name}.txt"
    assert file.read_text() == snapshot(graph)


def test_the_graph_is_the_same_each_time(stack: tuple[str, Graph]) -> None:
    name, graph = stack
    assert graph_of(INFRA / f"Pulumi.{name}.yaml").to_json() == graph.to_json()


def test_every_child_has_a_parent_whose_name_begins_its_own(stack: tuple[str, Graph]) -> None:
    _, graph = stack
    by_urn = {each.urn: each for each in graph.resources}
    assert len(by_urn) == len(graph.resources)
    roots = [each for each in graph.resources if each.parent not in by_urn]
    assert {each.type for each in roots} == {"groundplan:aws:Platform", "pulumi:providers:aws"}
    for each in graph.resources:
        if each.parent in by_urn:
            parent = by_urn[each.parent].name
            short = each.type in SHORT and each.name == fit(parent, 24)
            assert short or each.name.startswith(parent), each.name


def test_every_resource_that_can_has_the_tags(stack: tuple[str, Graph]) -> None:
    _, graph = stack
    wanted = {"Name", "Project", "Environment", "Owner", "CostCenter", "DataClassification", "ManagedBy", "Component"}
    tagged = [each for each in graph.resources if "tags" in each.inputs]
    assert len(tagged) > 30
    assert all(wanted <= each.inputs["tags"].keys() for each in tagged)
    untagged = {each.type for each in graph.resources if each.is_aws and "tags" not in each.inputs}
    assert untagged <= UNTAGGABLE


# Types without tags of their own in AWS.
UNTAGGABLE = {
    "aws:acm/certificateValidation:CertificateValidation",
    "aws:appautoscaling/policy:Policy",
    "aws:backup/restoreTestingSelection:RestoreTestingSelection",
    "aws:backup/selection:Selection",
    "aws:cfg/deliveryChannel:DeliveryChannel",
    "aws:cfg/recorder:Recorder",
    "aws:cfg/recorderStatus:RecorderStatus",
    "aws:cloudwatch/dashboard:Dashboard",
    "aws:ec2/route:Route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ecr/lifecyclePolicy:LifecyclePolicy",
    "aws:ecs/clusterCapacityProviders:ClusterCapacityProviders",
    "aws:iam/rolePolicy:RolePolicy",
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    "aws:kms/alias:Alias",
    "aws:route53/record:Record",
    "aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock",
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    "aws:s3/bucketLogging:BucketLogging",
    "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
    "aws:s3/bucketPolicy:BucketPolicy",
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
    "aws:s3/bucketVersioning:BucketVersioning",
    "aws:sns/topicPolicy:TopicPolicy",
    "aws:sns/topicSubscription:TopicSubscription",
    # These two have tags, but the rules that open a port are read by their description.
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:cloudwatch/eventTarget:EventTarget",
    "aws:wafv2/webAclAssociation:WebAclAssociation",
}


def test_names_leave_room_for_what_the_engine_adds(stack: tuple[str, Graph]) -> None:
    _, graph = stack
    for each in graph.resources:
        limit = 24 if each.type in SHORT else 55
        assert not each.is_aws or len(each.name) <= limit, each.name


def test_the_outputs_are_those_of_the_contract(stack: tuple[str, Graph]) -> None:
    _, graph = stack
    assert graph.outputs.keys() == PlatformOutputs.__dataclass_fields__.keys()
    assert graph.outputs["contract"] == VERSION


def test_the_picture_shows_every_component(stack: tuple[str, Graph]) -> None:
    name, graph = stack
    drawn = mermaid(graph)
    assert drawn == mermaid(graph)
    for component in ("network", "store", "keys", "batch", "cost"):
        assert f"<b>{component}</b>" in drawn
    assert ("rds Instance" in drawn) == (name in ("staging", "prod"))


def test_the_svg_shows_what_the_flowchart_shows(stack: tuple[str, Graph]) -> None:
    _, graph = stack
    root = ElementTree.fromstring(svg(graph))
    tag = "{http://www.w3.org/2000/svg}"
    shown = picture(graph)
    titles = {each.text for each in root.iter(f"{tag}text") if each.get("font-weight") == "bold"}
    assert titles == shown.boxes.keys()
    assert len(list(root.iter(f"{tag}line"))) == len(shown.arrows) > 5


PROJECT = {**SMALLEST, "name": "churn", "ci_provider": "github", "repository": "acme/churn"}


def project(**settings: object) -> Graph:
    """The graph of a project on a shared platform whose outputs are those of a captured one."""
    config = parse(ProjectConfig, {**PROJECT, **settings}, "Pulumi.dev.yaml")
    shared = graph_of(INFRA / "Pulumi.dev.yaml").outputs
    return capture(lambda: build_project(config), project="churn", stacks={"org/groundplan-platform/dev": shared})


def test_a_project_joins_a_platform(platform: PlatformGraph) -> None:
    graph = project(platform="shared", platform_stack="org/groundplan-platform/dev")
    outputs = validate(graph.outputs, "dev")
    assert outputs.dvc_remote == "s3://ground-dev-euw1-store-dvc-id/churn"
    assert outputs.tracking_uri.startswith("arn:aws:sagemaker")
    assert not graph.of_type("aws:ec2/vpc:Vpc")
    assert graph.of_type("aws:budgets/budget:Budget")


def test_the_graph_of_a_project_needs_no_platform_to_ask(tmp_path: Path) -> None:
    settings = {**PROJECT, "platform": "shared", "platform_stack": "org/groundplan-platform/dev"}
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(yaml.safe_dump({"config": {f"groundplan:{key}": value for key, value in settings.items()}}))
    graph = graph_of(file)
    assert validate(graph.outputs, "dev").dvc_remote == "s3://platform-dvc-bucket/churn"
    shapes = {each.type for each in project(platform="shared", platform_stack=settings["platform_stack"]).resources}
    assert shapes <= {each.type for each in graph.resources}


def test_a_project_touches_its_own_prefix_alone() -> None:
    graph = project(platform="shared", platform_stack="org/groundplan-platform/dev")
    (job,) = [each for each in graph.of_type("aws:iam/rolePolicy:RolePolicy") if each.name.endswith("-job")]
    for statement in json.loads(job.inputs["policy"])["Statement"]:
        if any(action.startswith("s3:") and "Object" in action for action in statement["Action"]):
            assert statement["Resource"].endswith("/churn/*")
        if statement["Action"] == ["s3:ListBucket"]:
            assert statement["Condition"] == {"StringLike": {"s3:prefix": ["churn/*"]}}


SERVICE = {"domain": "churn.example.com", "hosted_zone_id": "Z1"}


def test_a_prediction_service_is_behind_tls_and_goes_back_when_it_fails() -> None:
    graph = project(platform="shared", platform_stack="org/groundplan-platform/dev", service=SERVICE)
    (service,) = graph.of_type("aws:ecs/service:Service")
    assert service.inputs["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    (listener,) = graph.of_type("aws:lb/listener:Listener")
    assert (listener.inputs["port"], listener.inputs["protocol"]) == (443, "HTTPS")
    (balancer,) = graph.of_type("aws:lb/loadBalancer:LoadBalancer")
    assert balancer.inputs["internal"] is True
    (target,) = graph.of_type("aws:lb/targetGroup:TargetGroup")
    assert target.inputs["healthCheck"]["path"] == "/health/ready"
    (role,) = [each for each in graph.of_type("aws:iam/role:Role") if each.name.endswith("-serve")]
    granted = [each for each in graph.of_type("aws:iam/rolePolicy:RolePolicy") if role.urn in each.dependencies]
    assert granted == [], "the service needs nothing of AWS"
    assert graph.outputs["service_url"] == "https://churn.example.com"


def test_without_the_key_there_is_no_service() -> None:
    graph = project(platform="shared", platform_stack="org/groundplan-platform/dev")
    assert not graph.of_type("aws:ecs/service:Service")
    assert graph.outputs["service_url"] == ""


def test_pods_act_as_the_job_where_a_namespace_is_named() -> None:
    graph = project(platform="shared", platform_stack="org/groundplan-platform/dev", kubernetes_namespace="ml")
    (pods,) = graph.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    (role,) = [each for each in graph.of_type("aws:iam/role:Role") if each.name.endswith("-job")]
    assert pods.property_dependencies["roleArn"] == [role.urn]
    assert "pods.eks.amazonaws.com" in role.inputs["assumeRolePolicy"]


def test_a_standalone_project_brings_the_platform() -> None:
    graph = project(platform="standalone", standalone={"tracking": {"kind": "none"}})
    assert graph.of_type("aws:ec2/vpc:Vpc")
    assert validate(graph.outputs, "dev").tracking_uri == ""
    assert ProjectOutputs.model_fields.keys() == graph.outputs.keys()
    assert len(graph.of_type("aws:iam/openIdConnectProvider:OpenIdConnectProvider")) == 1


if __name__ == "__main__":
    for name in ENVIRONMENTS:
        (SNAPSHOTS / f"{name}.txt").write_text(snapshot(graph_of(INFRA / f"Pulumi.{name}.yaml")))
