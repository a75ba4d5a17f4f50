"""Containers: what runs in ECS, Batch and Lambda, and the registries that images come from."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from groundplan_policies.resource import Resource, Section, Stack, many
from groundplan_policies.rule import Messages, fix, related_rule, resource_rule
from groundplan_policies.settings import Policy

REPOSITORY = "ecr/repository:Repository"
SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY)S?$", re.I
)
# Keys of AWS, GitHub, GitLab and Slack, private keys, and addresses with a password in them.
SECRET_VALUE = re.compile(
    r"AKIA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36}|glpat-[\w-]{20}|xox[abp]-[\w-]{10}|-----BEGIN [A-Z ]*PRIVATE KEY|"
    r"://[^/\s:@]+:[^/\s:@]+@"
)
REFERENCE = re.compile(r"^(arn:aws|alias/|/|file:)")
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")


def containers(resource: Resource) -> list[Section]:
    """The containers that an ECS task, a Batch job or a Lambda function runs."""
    if resource.token == "ecs/taskDefinition:TaskDefinition":
        return [Section(each, "containerDefinitions") for each in many(resource.json("containerDefinitions"))]
    if resource.token == "batch/jobDefinition:JobDefinition":
        properties = resource.json("containerProperties")
        nodes = resource.json("nodeProperties").get("nodeRangeProperties", [])
        found = [properties, *(each.get("container") for each in nodes)]
        return [Section(each, "containerProperties") for each in found if each]
    variables = resource.get("environment.variables", {})
    listed = [{"name": name, "value": value} for name, value in variables.items()]
    return [Section({"environment": listed, "image": resource.get("imageUri", "")}, "environment")]


def command_of(container: Section) -> str:
    """All words that start a container."""
    return " ".join(str(each) for key in ("entryPoint", "command") for each in many(container.get(key, [])))


@resource_rule("ecs-task-isolated")
def task_isolated(resource: Resource, policy: Policy) -> Messages:
    if resource.token == "ecs/service:Service":
        public = resource.get("networkConfiguration.assignPublicIp", False)
        if policy.guarded and public in (True, "ENABLED"):
            yield "its tasks have public addresses"
        return
    if any(container.get("privileged", False) for container in containers(resource)):
        yield "a privileged container is the machine's administrator"
    if resource.get("networkMode", "") == "host":
        yield "shares the network of the machine"
    if not resource.has("taskRoleArn"):
        yield "no role of its own"
    elif resource.has("executionRoleArn") and same_role(resource):
        yield "one role for the program and for its start: the program may read what only the start needs"


def same_role(task: Resource) -> bool:
    """Whether program and start have one role, by where it comes from or by its ARN."""
    first, second = (task.dependencies.get(key) for key in ("taskRoleArn", "executionRoleArn"))
    if first and second:
        return sorted(first) == sorted(second)
    return task.get("taskRoleArn") == task.get("executionRoleArn")


@resource_rule("no-plain-secrets-in-environment")
def no_plain_secrets(resource: Resource, policy: Policy) -> Messages:
    for container in containers(resource):
        for variable in container.sections("environment"):
            name, value = str(variable.get("name", "")), str(variable.get("value", ""))
            if value and is_secret(name, value):
                yield f"variable {name} holds a secret that everyone who may list tasks can read"


def is_secret(name: str, value: str) -> bool:
    """Whether a variable holds a secret: by its value's form, or by its name where the value is no reference to one."""
    if SECRET_VALUE.search(value):
        return True
    return bool(SECRET_NAME.search(name)) and not REFERENCE.search(value) and looks_given(value)


def looks_given(value: str) -> bool:
    """Whether a value may be a secret itself: no switch, and no plain number."""
    return value.lower() not in ("true", "false", "none") and not value.isdigit()


@related_rule("image-pinned")
def image_pinned(resource: Resource, stack: Stack, policy: Policy) -> Messages:
    for container in containers(resource):
        image = str(container.get("image", ""))
        if not image:
            continue
        if not any(fnmatchcase(image, pattern) for pattern in policy.parameters.image_registries):
            yield f"image {image} is from a registry that is not allowed"
        if not DIGEST.search(image) and not immutable_here(resource, stack, image):
            yield f"image {image} can change under its tag; name it by digest"


def immutable_here(resource: Resource, stack: Stack, image: str) -> bool:
    """Whether an image is from a repository of this stack, or of an account's registry, where tags do not change."""
    tag = image.rpartition("/")[2].partition(":")[2]
    if not tag or tag == "latest":
        return False
    inputs = ("containerDefinitions", "containerProperties", "imageUri")
    repositories = [each for key in inputs for each in stack.targets(resource, key, REPOSITORY)]
    return any(each.get("imageTagMutability", "MUTABLE") == "IMMUTABLE" for each in repositories)


@resource_rule("ecr-repository-hardened")
def repository_hardened(repository: Resource, policy: Policy) -> Messages:
    if repository.get("imageTagMutability", "MUTABLE") != "IMMUTABLE":
        yield "a tag can come to mean another image"
    if repository.get("imageScanningConfiguration.scanOnPush", False) is not True:
        yield "images are not scanned when they are pushed"


@fix("ecr-repository-hardened")
def harden_repository(repository: Resource, policy: Policy) -> dict[str, Any]:
    scanning: Mapping[str, Any] = repository.values.get("imageScanningConfiguration") or {}
    return {
        **repository.values,
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {**scanning, "scanOnPush": True},
    }


@related_rule("ecr-lifecycle-policy")
def repository_lifecycle(repository: Resource, stack: Stack, policy: Policy) -> Messages:
    if not stack.referring(repository, "ecr/lifecyclePolicy:LifecyclePolicy", "repository"):
        yield "every image ever pushed stays, and costs"
