"""Kubernetes clusters."""

from typing import Any

from groundplan_policies.resource import Resource, many
from groundplan_policies.rule import Messages, fix, resource_rule
from groundplan_policies.rules.network import EVERYONE
from groundplan_policies.settings import Policy

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


@resource_rule("eks-endpoint-restricted")
def endpoint_restricted(cluster: Resource, policy: Policy) -> Messages:
    public = cluster.get("vpcConfig.endpointPublicAccess", True)
    ranges = many(cluster.get("vpcConfig.publicAccessCidrs", list(EVERYONE)))
    if public and any(cidr in EVERYONE for cidr in ranges):
        yield "its API is open to everyone; make the endpoint private, or name ranges"


@resource_rule("eks-secrets-encrypted")
def secrets_encrypted(cluster: Resource, policy: Policy) -> Messages:
    covered = "secrets" in many(cluster.get("encryptionConfig.resources", []))
    if not covered or not cluster.has("encryptionConfig.provider.keyArn"):
        yield "the secrets of the cluster are not encrypted by a key of the account"


@resource_rule("eks-control-plane-logs")
def control_plane_logs(cluster: Resource, policy: Policy) -> Messages:
    missing = [kind for kind in LOG_TYPES if kind not in many(cluster.get("enabledClusterLogTypes", []))]
    if missing:
        yield f"no logs of {', '.join(missing)}"


@fix("eks-control-plane-logs")
def log_control_plane(cluster: Resource, policy: Policy) -> dict[str, Any]:
    return {**cluster.values, "enabledClusterLogTypes": list(LOG_TYPES)}


@resource_rule("eks-version-supported")
def version_supported(cluster: Resource, policy: Policy) -> Messages:
    version = str(cluster.get("version", ""))
    if version and version not in policy.parameters.eks_versions:
        yield f"version {version} is not in standard support ({', '.join(policy.parameters.eks_versions)})"
