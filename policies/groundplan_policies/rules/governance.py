"""Ownership, place, and what may be lost."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from groundplan_policies.catalogue import CATALOGUE
from groundplan_policies.resource import Resource, Stack, texts
from groundplan_policies.rule import Messages, fix, related_rule, resource_rule
from groundplan_policies.rules.storage import holds_models
from groundplan_policies.settings import Policy

FORCE = ("forceDestroy", "forceDelete")
EU = "eu-"
# Cross-region inference profiles carry the group of regions in their id, as us.anthropic.claude.
INFERENCE = ("us.", "apac.", "global.", "jp.", "au.")


def standard_tags(resource: Resource, policy: Policy) -> dict[str, str]:
    """The tags that a stack's settings give to a resource."""
    stack = policy.stack
    return {
        "Name": resource.name,
        "Owner": stack.owner,
        "Project": stack.name,
        "Environment": stack.environment,
        "CostCenter": stack.cost_center,
        "DataClassification": stack.data_classification,
    }


@resource_rule("required-tags")
def required_tags(resource: Resource, policy: Policy) -> Messages:
    missing = [tag for tag in policy.parameters.required_tags if not resource.has(f"tags.{tag}")]
    if missing:
        yield f"without tags {', '.join(missing)}"


@fix("required-tags")
def add_tags(resource: Resource, policy: Policy) -> dict[str, Any]:
    known = {tag: value for tag, value in standard_tags(resource, policy).items() if value}
    wanted = {tag: known[tag] for tag in policy.parameters.required_tags if tag in known}
    return {**resource.values, "tags": {**wanted, **(resource.values.get("tags") or {})}}


@resource_rule("allowed-regions")
def allowed_regions(resource: Resource, policy: Policy) -> Messages:
    for region in regions_of(resource):
        if policy.regions and region not in policy.regions:
            yield f"in region {region}; allowed are {', '.join(policy.regions)}"


def regions_of(resource: Resource) -> Iterator[str]:
    """The regions that a resource, or the configuration of a provider, names: its own, its zone's, its replicas'."""
    yield from filter(None, [resource.get("region", "")])
    yield from (zone[:-1] for zone in [resource.get("availabilityZone", "")] if zone)
    yield from (each.get("regionName", "") for each in resource.sections("replicas") if each.has("regionName"))


@related_rule("training-data-residency")
def residency(resource: Resource, stack: Stack, policy: Policy) -> Messages:
    if not any(region.startswith(EU) for region in policy.regions):
        return
    for place in places_of_copies(resource, stack):
        if not place.startswith(EU):
            yield f"data of the EU is copied to, or processed in, {place}"


def places_of_copies(resource: Resource, stack: Stack) -> Iterator[str]:
    """The regions that copies of data go to."""
    if resource.token == "s3/bucketReplicationConfig:BucketReplicationConfig":
        for bucket in stack.targets(resource, "rules", "s3/bucket:Bucket"):
            yield from filter(None, [bucket.get("region", "")])
    elif resource.token == "backup/plan:Plan":
        for rule in resource.sections("rules"):
            for copy in rule.sections("copyActions"):
                yield str(copy.get("destinationVaultArn")).split(":")[3]
    elif resource.token == "rds/instanceAutomatedBackupsReplication:InstanceAutomatedBackupsReplication":
        yield from filter(None, [resource.get("region", "")])
    else:
        yield from cross_region_models(resource)


def cross_region_models(resource: Resource) -> Iterator[str]:
    """The groups of regions in which models of Bedrock answer."""
    for text in texts(resource.get("modelSource") or resource.get("policy")):
        _, found, rest = text.partition("inference-profile/")
        if found and rest.startswith(INFERENCE):
            yield f"regions {rest.split('.')[0]}"


@resource_rule("stateful-no-force-destroy")
def no_force_destroy(resource: Resource, policy: Policy) -> Messages:
    for key in FORCE:
        if policy.guarded and resource.get(key, False) is True:
            yield f"{key}: removing it removes all that is in it"


@fix("stateful-no-force-destroy")
def keep_content(resource: Resource, policy: Policy) -> dict[str, Any]:
    return {**resource.values, **{key: False for key in FORCE if key in resource.values}}


@related_rule("stateful-protected")
def protected(resource: Resource, stack: Stack, policy: Policy) -> Messages:
    if policy.environment == "prod" and not resource.protect:
        yield "not protected: a change of its name would remove it and all that is in it"


@related_rule("backup-covers-state")
def backup_covers(resource: Resource, stack: Stack, policy: Policy) -> Messages:
    if not policy.guarded or (resource.token == "s3/bucket:Bucket" and not holds_models(resource)):
        return
    selections = stack.of("backup/selection:Selection")
    chosen = [each for each in selections if covers(each, resource)]
    if not chosen:
        yield "no backup plan covers it"


def covers(selection: Resource, resource: Resource) -> bool:
    """Whether a backup selection names a resource, or everything."""
    named = resource.urn in selection.dependencies.get("resources", [])
    return named or any(text in resource.own_names or text == "*" for text in texts(selection.peek("resources")))


@resource_rule("resource-type-reviewed")
def type_reviewed(resource: Resource, policy: Policy) -> Messages:
    reviewed = any(fnmatchcase(resource.type, pattern) for pattern in policy.parameters.reviewed_types)
    if resource.is_provider or reviewed:
        return
    provider = resource.type.partition(":")[0]
    if provider != "aws":
        yield f"{resource.type}: this pack knows nothing of provider {provider}; list the type in reviewed_types"
    elif resource.token not in CATALOGUE.known_types:
        yield f"{resource.type} is a type that no rule knows; write one, or list it in reviewed_types"
