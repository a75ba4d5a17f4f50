"""Machines: how they are started, which, and how many."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from groundplan_policies.resource import Resource, Stack, many
from groundplan_policies.rule import Messages, fix, resource_rule, stack_rule
from groundplan_policies.settings import Policy

BATCH = "batch/computeEnvironment:ComputeEnvironment"
NODES = "eks/nodeGroup:NodeGroup"
GPU = re.compile(r"^(ml\.)?(p\d|g\d|gr\d|trn|inf|dl)")
SIZES = {"medium": 1, "large": 2, "xlarge": 4, "metal": 192}
MAX_HOPS = 2


@resource_rule("ec2-imdsv2-required")
def imdsv2_required(machine: Resource, policy: Policy) -> Messages:
    if machine.get("metadataOptions.httpEndpoint", "enabled") == "disabled":
        return
    if machine.get("metadataOptions.httpTokens", "optional") != "required":
        yield "IMDSv1 answers: a forged request in a service can read the machine's credentials"
    hops = machine.number("metadataOptions.httpPutResponseHopLimit", 1)
    if hops > MAX_HOPS:
        yield f"credentials travel {hops:g} hops; at most {MAX_HOPS}"


@fix("ec2-imdsv2-required")
def require_imdsv2(machine: Resource, policy: Policy) -> dict[str, Any]:
    given: Mapping[str, Any] = machine.values.get("metadataOptions") or {}
    hops = min(machine.number("metadataOptions.httpPutResponseHopLimit", 1), MAX_HOPS)
    options = {"httpEndpoint": "enabled", **given, "httpTokens": "required", "httpPutResponseHopLimit": hops}
    return {**machine.values, "metadataOptions": options}


@resource_rule("ebs-encrypted")
def ebs_encrypted(machine: Resource, policy: Policy) -> Messages:
    if machine.token == "ebs/volume:Volume":
        if not is_true(machine.get("encrypted", False)):
            yield "the volume is not encrypted"
        return
    for mapping in machine.sections("blockDeviceMappings"):
        if mapping.has("ebs") and not is_true(mapping.get("ebs.encrypted", False)):
            yield f"device {mapping.get('deviceName', '')} is not encrypted"


@fix("ebs-encrypted")
def encrypt_ebs(machine: Resource, policy: Policy) -> dict[str, Any]:
    if machine.token == "ebs/volume:Volume":
        return {**machine.values, "encrypted": True}
    mappings = [encrypted(mapping.values) for mapping in machine.sections("blockDeviceMappings")]
    return {**machine.values, "blockDeviceMappings": mappings}


def encrypted(mapping: Mapping[str, Any]) -> Mapping[str, Any]:
    """A device of a launch template, encrypted; one without a disk stays as it is."""
    return {**mapping, "ebs": {**mapping["ebs"], "encrypted": "true"}} if mapping.get("ebs") else mapping


def is_true(value: Any) -> bool:
    """Whether a value means true; launch templates write it as a text."""
    return str(value).lower() == "true"


def instance_types(resource: Resource) -> list[str]:
    """The machines that a resource starts; `optimal` leaves the choice to AWS."""
    keys = ("computeResources.instanceTypes", "instanceTypes", "instanceType", "instanceClass")
    found = [str(each) for key in keys for each in many(resource.get(key))]
    variants = [str(each.get("instanceType", "")) for each in resource.sections("productionVariants")]
    return [each for each in [*found, *variants] if each and each != "optimal"]


@resource_rule("instance-types-allowed")
def instance_types_allowed(resource: Resource, policy: Policy) -> Messages:
    for machine in instance_types(resource):
        if not any(fnmatchcase(machine, pattern) for pattern in policy.parameters.allowed_instance_types):
            yield f"{machine} is not among the allowed machines"


@stack_rule("gpu-capacity-capped")
def gpu_capped(stack: Stack, policy: Policy) -> Messages:
    most = sum(gpu_vcpus(each) for each in stack.of(BATCH, NODES))
    if most > policy.parameters.max_gpu_vcpus:
        yield f"up to {most:g} vCPUs of GPU machines; at most {policy.parameters.max_gpu_vcpus}"


def gpu_vcpus(resource: Resource) -> float:
    """The most vCPUs of GPU machines that a compute environment or a node group may start."""
    gpus = [each for each in instance_types(resource) if GPU.search(each)]
    if not gpus:
        return 0
    if resource.token == BATCH:
        return resource.number("computeResources.maxVcpus")
    return resource.number("scalingConfig.maxSize") * max(vcpus(each) for each in gpus)


def vcpus(machine: str) -> int:
    """vCPUs of a machine, by the size in its name (AWS: xlarge has 4, 2xlarge 8, and so on)."""
    size = machine.rpartition(".")[2]
    times = re.fullmatch(r"(\d+)xlarge", size)
    return 4 * int(times[1]) if times else SIZES.get(size, SIZES["metal"])


@resource_rule("spot-outside-prod")
def spot_outside_prod(resource: Resource, policy: Policy) -> Messages:
    if policy.environment == "prod" or not trains(resource):
        return
    kind = resource.get("computeResources.type", resource.get("capacityType", "ON_DEMAND"))
    if kind in ("EC2", "ON_DEMAND", "FARGATE"):
        yield "on-demand machines for jobs that can be started again; Spot costs about a third"


def trains(resource: Resource) -> bool:
    """Whether machines are for jobs: those of Batch, and nodes that nothing runs on by itself (tainted).

    GPU machines may stay on demand: their Spot quota is one of its own, and 0 in new accounts.
    """
    for_jobs = resource.token == BATCH or resource.has("taints")
    return for_jobs and not any(GPU.search(each) for each in instance_types(resource))


@resource_rule("scale-to-zero")
def scale_to_zero(resource: Resource, policy: Policy) -> Messages:
    least = resource.number("computeResources.minVcpus")
    if resource.token == NODES and resource.has("taints"):
        least = resource.number("scalingConfig.minSize")
    if least > 0:
        yield f"keeps {least:g} running when there is no job"


@fix("scale-to-zero")
def to_zero(resource: Resource, policy: Policy) -> dict[str, Any]:
    key, least = (
        ("computeResources", {"minVcpus": 0, "desiredVcpus": 0})
        if resource.token == BATCH
        else ("scalingConfig", {"minSize": 0})
    )
    return {**resource.values, key: {**resource.values[key], **least}}
