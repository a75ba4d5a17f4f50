"""What moto 5.2.5 answers wrongly, put right. Each patch names the defect; the tests show that each is still needed.

Calls that moto does not know at all stand in moto_supplements.py. All of them are worth sending upstream.
"""

import json
import uuid
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

from moto.amp.responses import PrometheusServiceResponse
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.backup.responses import BackupResponse
from moto.budgets.models import budgets_backends
from moto.budgets.responses import BudgetsResponse
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.vpcs import VPCBackend
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.eks.models import EKSBackend, Nodegroup
from moto.eks.responses import EKSResponse
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.rds.models import DBInstance, DBParameterGroup, RDSBackend
from moto.s3.models import FakeBucket

MOTO_VERSION = "5.2.5"
ECS_FIELDS = {
    "enableExecuteCommand": "enable_execute_command",
    "healthCheckGracePeriodSeconds": "health_check_grace_period_seconds",
    "deploymentConfiguration": "deployment_configuration",
    "capacityProviderStrategy": "capacity_provider_strategy",
    "propagateTags": "propagate_tags",
    "availabilityZoneRebalancing": "availability_zone_rebalancing",
}
EKS_FIELDS = {"accessConfig": "access_config", "upgradePolicy": "upgrade_policy"}


def wrapped(owner: Any, name: str) -> Callable[[Callable[..., Any]], None]:
    """Replace a method by a function that gets the method it replaces as its first argument."""
    original = getattr(owner, name)

    def replace(patch: Callable[..., Any]) -> None:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return patch(original, self, *args, **kwargs)

        setattr(owner, name, method)

    return replace


def extend(owner: Any, **attributes: Any) -> None:
    """Give a class methods that it lacks, or others in place of its own."""
    for name, attribute in attributes.items():
        setattr(owner, name, attribute)


def apply() -> None:
    """Apply all patches to this process."""
    for patch in PATCHES:
        patch()


def s3_conditions() -> None:
    """Bucket policies: a Deny under a condition denies everything, since conditions are not evaluated.

    The emulator listens on this machine alone, which counts as secure transport; so conditional denials do not apply.
    """

    @wrapped(IAMPolicyStatement, "is_action_permitted")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> PermissionResult:
        if self._statement.get("Effect") == "Deny" and self._statement.get("Condition"):
            return PermissionResult.NEUTRAL
        result: PermissionResult = original(self, *args, **kwargs)
        return result


def s3_logging() -> None:
    """Access logs.

    A policy whose principal is `*` is a crash, and a wider resource than the prefix is not understood.
    """

    def allows(target_bucket: FakeBucket, target_prefix: str | None) -> bool:
        statements = json.loads(target_bucket.policy.decode())["Statement"] if target_bucket.policy else []
        wanted = f"arn:aws:s3:::{target_bucket.name}/{target_prefix or ''}object"
        return any(
            statement["Effect"] == "Allow"
            and statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
            and "s3:PutObject" in statement["Action"]
            and fnmatchcase(wanted, statement["Resource"])
            for statement in statements
        )

    extend(FakeBucket, _log_permissions_enabled_policy=staticmethod(allows))


def rds() -> None:
    """Databases: all have the same resource id; a changed subnet group is lost; parameters do not say who set them."""

    @wrapped(DBInstance, "__init__")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"

    @wrapped(RDSBackend, "modify_db_subnet_group")
    def _(original: Any, self: Any, subnet_name: str, *args: Any, **kwargs: Any) -> Any:
        group = original(self, subnet_name, *args, **kwargs)
        self.subnet_groups[subnet_name] = group
        return group

    @wrapped(DBParameterGroup, "update_parameters")
    def _(original: Any, self: Any, new_parameters: list[dict[str, Any]]) -> None:
        original(self, [{**each, "Source": "user"} for each in new_parameters])


def security_group_rules() -> None:
    """Rules that name another group: their description is not returned."""

    def description(self: SecurityGroupRule) -> str | None:
        return self.ip_range.get("Description") or self.source_group.get("Description")

    extend(SecurityGroupRule, description=property(description))


def gateway_endpoints() -> None:
    """Gateway endpoints: a route table that joins later gets no route, and then the endpoint cannot be deleted."""

    @wrapped(VPCBackend, "modify_vpc_endpoint")
    def _(original: Any, self: Any, vpc_id: str, *args: Any, **kwargs: Any) -> None:
        (endpoint,) = self.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])
        before = set(endpoint.route_table_ids or [])
        original(self, vpc_id, *args, **kwargs)
        after = set(endpoint.route_table_ids or [])
        for table in after - before:
            prefix_list = endpoint.destination_prefix_list_id
            self.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=prefix_list)
        for table in before - after:
            self.delete_route(table, endpoint.destination_prefix_list_id)


def application_autoscaling() -> None:
    """Scalable targets: tags are neither kept nor listed."""
    tags: dict[str, dict[str, str]] = {}

    @wrapped(ApplicationAutoScalingResponse, "register_scalable_target")
    def _(original: Any, self: Any) -> str:
        answer: str = original(self)
        tags.setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(self._get_param("Tags") or {})
        return answer

    def list_tags(self: Any) -> str:
        return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})

    def tag(self: Any) -> str:
        tags.setdefault(self._get_param("ResourceARN"), {}).update(self._get_param("Tags"))
        return "{}"

    def untag(self: Any) -> str:
        for key in self._get_param("TagKeys"):
            tags.get(self._get_param("ResourceARN"), {}).pop(key, None)
        return "{}"

    extend(ApplicationAutoScalingResponse, list_tags_for_resource=list_tags, tag_resource=tag, untag_resource=untag)


def budgets() -> None:
    """Budgets: subscribers, tags and changes are not implemented."""
    tags: dict[str, list[dict[str, str]]] = {}

    def budget_of(self: Any) -> Any:
        account = self._get_param("AccountId")
        return budgets_backends[self.current_account][self.partition].budgets[account][self._get_param("BudgetName")]

    @wrapped(BudgetsResponse, "create_budget")
    def _(original: Any, self: Any) -> Any:
        answer = original(self)
        name = self._get_param("Budget")["BudgetName"]
        tags[f"arn:aws:budgets::{self._get_param('AccountId')}:budget/{name}"] = self._get_param("ResourceTags") or []
        return answer

    def describe_subscribers(self: Any) -> str:
        wanted = self._get_param("Notification")
        for each in budget_of(self).notifications:
            if same_notification(each.details, wanted):
                return json.dumps({"Subscribers": each.subscribers})
        return json.dumps({"Subscribers": []})

    def update(self: Any) -> str:
        changed = self._get_param("NewBudget")
        account = budgets_backends[self.current_account][self.partition].budgets[self._get_param("AccountId")]
        account[changed["BudgetName"]].budget.update(changed)
        return "{}"

    def list_tags(self: Any) -> str:
        return json.dumps({"ResourceTags": tags.get(self._get_param("ResourceARN"), [])})

    def tag(self: Any) -> str:
        arn, new = self._get_param("ResourceARN"), self._get_param("ResourceTags")
        kept = [each for each in tags.get(arn, []) if each["Key"] not in {added["Key"] for added in new}]
        tags[arn] = kept + new
        return "{}"

    extend(
        BudgetsResponse,
        describe_subscribers_for_notification=describe_subscribers,
        update_budget=update,
        list_tags_for_resource=list_tags,
        tag_resource=tag,
    )


def same_notification(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two notifications are the same, whatever type their threshold has."""
    keys = ("NotificationType", "ComparisonOperator")
    return all(one.get(key) == other.get(key) for key in keys) and float(one["Threshold"]) == float(other["Threshold"])


def keep(self: Any, thing: Any, fields: dict[str, str]) -> None:
    """Keep request parameters on a thing, so that descriptions of it show them."""
    for parameter, attribute in fields.items():
        value = self._get_param(parameter)
        if value is not None:
            setattr(thing, attribute, value)


def ecs_service() -> None:
    """Services: several fields are not returned; with capacity providers a launch type is made up."""
    for call in ("create_service", "update_service"):

        @wrapped(EC2ContainerServiceResponse, call)
        def _(original: Any, self: Any) -> Any:
            answer: Any = original(self)
            service = answer.result["service"]
            keep(self, service, ECS_FIELDS)
            if self._get_param("capacityProviderStrategy"):
                service.launch_type = None
                service.platform_version = "LATEST"
            return answer


def launch_template() -> None:
    """Launch templates: the template's own tags turn up among those of its machines."""

    @wrapped(LaunchTemplateVersion, "__init__")
    def _(original: Any, self: Any, template: Any, number: int, data: dict[str, Any], description: str) -> None:
        kept = [each for each in data.get("TagSpecifications", []) if each["ResourceType"] != "launch-template"]
        if kept:
            data = {**data, "TagSpecifications": kept}
        original(self, template, number, data, description)


def backup_tags() -> None:
    """Vaults and plans: tags are not found where the path has no slash at its end."""

    @wrapped(BackupResponse, "list_tags")
    def _(original: Any, self: Any) -> str:
        arn = unquote(self.path).partition("/tags/")[2].rstrip("/")
        return json.dumps({"Tags": self.backup_backend.list_tags(resource_arn=arn)})


def prometheus_key() -> None:
    """Prometheus workspaces: the key is not returned."""
    keys: dict[str, str] = {}

    @wrapped(PrometheusServiceResponse, "create_workspace")
    def _(original: Any, self: Any) -> str:
        answer: str = original(self)
        key = json.loads(self.body).get("kmsKeyArn")
        if key:
            keys[json.loads(answer)["workspaceId"]] = key
        return answer

    @wrapped(PrometheusServiceResponse, "describe_workspace")
    def _(original: Any, self: Any) -> str:
        answer = json.loads(original(self))
        workspace = answer["workspace"]
        if workspace["workspaceId"] in keys:
            workspace["kmsKeyArn"] = keys[workspace["workspaceId"]]
        return json.dumps(answer)


def eks_cluster() -> None:
    """Clusters: access and upgrade settings are not returned; node groups get a key that nobody asked for."""

    @wrapped(EKSResponse, "create_cluster")
    def _(original: Any, self: Any) -> Any:
        answer: Any = original(self)
        keep(self, answer.result["cluster"], EKS_FIELDS)
        return answer

    @wrapped(EKSResponse, "create_nodegroup")
    def _(original: Any, self: Any) -> Any:
        answer: Any = original(self)
        keep(self, answer.result["nodegroup"], {"updateConfig": "update_config"})
        return answer

    @wrapped(Nodegroup, "__init__")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if not kwargs.get("remote_access"):
            self.remote_access = None
        if kwargs.get("launch_template"):
            self.disk_size = None

    @wrapped(EKSBackend, "create_nodegroup")
    def _(original: Any, self: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs["version"] = kwargs.get("version") or self.clusters[kwargs["cluster_name"]].version
        return original(self, *args, **kwargs)


PATCHES = (
    s3_conditions,
    s3_logging,
    rds,
    security_group_rules,
    gateway_endpoints,
    application_autoscaling,
    budgets,
    ecs_service,
    launch_template,
    backup_tags,
    prometheus_key,
    eks_cluster,
)
