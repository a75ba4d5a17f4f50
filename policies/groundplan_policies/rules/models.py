"""What is special about machine learning: the tracking server, the model registry, SageMaker."""

from collections.abc import Iterator
from typing import Any

from groundplan_policies.resource import Resource, Section, Stack
from groundplan_policies.rule import Messages, fix, related_rule, resource_rule, stack_rule
from groundplan_policies.rules.containers import command_of, containers
from groundplan_policies.rules.storage import holds_models, receives_logs
from groundplan_policies.settings import Policy

LOCK = "s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration"
LOGINS = {"authenticate-oidc", "authenticate-cognito"}
# groundplan's tracking image serves with MLflow's basic-auth alone; ADMIN_SECRET is where it keeps its administrator.
LOGIN_VARIABLES = {"ADMIN_SECRET", "MLFLOW_AUTH_CONFIG_PATH", "MLFLOW_FLASK_SERVER_SECRET_KEY"}
DAYS_A_YEAR = 365
ISOLATION = {
    "sagemaker/model:Model": {"enableNetworkIsolation": True},
    "sagemaker/notebookInstance:NotebookInstance": {"directInternetAccess": "Disabled", "rootAccess": "Disabled"},
    "sagemaker/domain:Domain": {"appNetworkAccessType": "VpcOnly"},
}
ENCRYPTION = {
    "sagemaker/notebookInstance:NotebookInstance": "kmsKeyId",
    "sagemaker/endpointConfiguration:EndpointConfiguration": "kmsKeyArn",
    "sagemaker/domain:Domain": "kmsKeyId",
}


def is_mlflow(container: Section) -> bool:
    """Whether a container is an MLflow server, by its name, its image or its command."""
    words = f"{container.get('name', '')} {container.get('image', '')} {command_of(container)}".lower()
    return "mlflow" in words and "mlflow run" not in words


@related_rule("mlflow-authenticated")
def mlflow_authenticated(task: Resource, stack: Stack, policy: Policy) -> Messages:
    for container in containers(task):
        if is_mlflow(container) and not asks_itself(container) and not behind_login(task, stack):
            yield f"container {container.get('name', '')} serves MLflow to whoever can reach it"


def asks_itself(container: Section) -> bool:
    """Whether the server asks for a login."""
    given = [*container.sections("environment"), *container.sections("secrets")]
    return "basic-auth" in command_of(container) or any(each.get("name") in LOGIN_VARIABLES for each in given)


def behind_login(task: Resource, stack: Stack) -> bool:
    """Whether every listener that leads to a task asks for a login first."""
    kinds = [{action.get("type") for action in actions} for actions in ways_in(task, stack)]
    return bool(kinds) and all(kind & LOGINS for kind in kinds)


def ways_in(task: Resource, stack: Stack) -> Iterator[list[Section]]:
    """The actions of each listener, or rule of one, that leads to a task."""
    for service in stack.referring(task, "ecs/service:Service", "taskDefinition"):
        for group in stack.targets(service, "loadBalancers", "lb/targetGroup:TargetGroup"):
            for listener in stack.referring(group, "lb/listener:Listener", "defaultActions"):
                yield listener.sections("defaultActions")
            for rule in stack.referring(group, "lb/listenerRule:ListenerRule", "actions"):
                yield rule.sections("actions")


@related_rule("model-registry-object-lock")
def registry_lock(bucket: Resource, stack: Stack, policy: Policy) -> Messages:
    if not holds_models(bucket) or not policy.guarded or receives_logs(bucket, stack):
        return
    if bucket.get("objectLockEnabled", False) is not True:
        yield "a released model can be overwritten or deleted; object lock is set when a bucket is made"
        return
    locks = stack.referring(bucket, LOCK, "bucket")
    kept = max((retention_days(lock) for lock in locks), default=0)
    wanted = policy.days(policy.parameters.model_retention_days)
    if kept < wanted:
        yield f"released models are locked for {kept:g} days, not {wanted}"


def retention_days(lock: Resource) -> float:
    """For how many days an object-lock configuration keeps objects."""
    rule = "rule.defaultRetention"
    return lock.number(f"{rule}.days") or DAYS_A_YEAR * lock.number(f"{rule}.years")


@stack_rule("model-registry-present")
def registry_present(stack: Stack, policy: Policy) -> Messages:
    buckets = stack.of("s3/bucket:Bucket")
    if (
        buckets
        and not any(holds_models(each) for each in buckets)
        and not stack.of("sagemaker/modelPackageGroup:ModelPackageGroup")
    ):
        yield "data is kept here, but released models have no place of their own"


@resource_rule("model-group-governed")
def group_governed(group: Resource, policy: Policy) -> Messages:
    missing = [tag for tag in ("Owner", "Approval", "Retention") if not group.has(f"tags.{tag}")]
    if missing:
        yield f"nobody can tell its {', '.join(tag.lower() for tag in missing)} (tags {', '.join(missing)})"


@resource_rule("sagemaker-isolated")
def sagemaker_isolated(resource: Resource, policy: Policy) -> Messages:
    for key, wanted in ISOLATION.get(resource.token, {}).items():
        if resource.get(key) != wanted:
            yield f"{key} is not {wanted}"
    key = ENCRYPTION.get(resource.token)
    if key and not resource.has(key):
        yield f"not encrypted by a key of the account ({key})"
    if resource.token == "sagemaker/model:Model" and not resource.has("vpcConfig"):
        yield "its containers are outside the network (vpcConfig)"


@fix("sagemaker-isolated")
def isolate(resource: Resource, policy: Policy) -> dict[str, Any]:
    return {**resource.values, **ISOLATION.get(resource.token, {})}
