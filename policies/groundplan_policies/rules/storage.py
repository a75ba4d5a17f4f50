"""Buckets. Their settings are resources of their own in the current AWS provider; the older inline ones count too."""

from collections.abc import Iterator
from typing import Any

from groundplan_policies.resource import Resource, Section, Stack, many
from groundplan_policies.rule import Messages, fix, related_rule, resource_rule
from groundplan_policies.rules.documents import is_public, open_to_all, statements
from groundplan_policies.settings import Policy

FLAGS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
ENCRYPTION = "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
KMS = ("aws:kms", "aws:kms:dsse")


def receives_logs(bucket: Resource, stack: Stack) -> bool:
    """Whether logs are written here. A log of the log would never end, and load balancers cannot use a KMS key."""
    return (
        bool(stack.referring(bucket, "lb/loadBalancer:LoadBalancer", "accessLogs.bucket"))
        or bool(stack.referring(bucket, "s3/bucketLogging:BucketLogging", "targetBucket"))
        or bool(stack.referring(bucket, "cloudtrail/trail:Trail", "s3BucketName"))
    )


def holds_models(bucket: Resource) -> bool:
    """Whether a bucket is the model registry's, by its name or its tag."""
    return "model" in bucket.name or str(bucket.get("tags.Purpose", "")).lower() in ("models", "model-registry")


@related_rule("s3-bucket-default-encryption")
def default_encryption(bucket: Resource, stack: Stack, policy: Policy) -> Messages:
    configurations = stack.referring(bucket, ENCRYPTION, "bucket")
    rules = [
        rule
        for each in configurations or [bucket]
        for rule in each.sections("rules" if configurations else "serverSideEncryptionConfiguration.rule")
    ]
    algorithms = {rule.get("applyServerSideEncryptionByDefault.sseAlgorithm", "") for rule in rules}
    if not algorithms - {""}:
        yield "no default encryption"
    elif policy.guarded and not algorithms <= set(KMS) and not receives_logs(bucket, stack):
        yield f"encrypted by {', '.join(sorted(algorithms))}, not by a KMS key"


def own_kms_rules(configuration: Resource) -> list[Section]:
    """The rules of an encryption configuration that encrypt by KMS."""
    return [
        rule
        for rule in configuration.sections("rules")
        if rule.get("applyServerSideEncryptionByDefault.sseAlgorithm") in KMS
    ]


@resource_rule("s3-bucket-customer-key")
def customer_key(configuration: Resource, policy: Policy) -> Messages:
    for rule in own_kms_rules(configuration):
        if not rule.has("applyServerSideEncryptionByDefault.kmsMasterKeyId"):
            yield "encrypted by the AWS-managed key, not by a key of the account"
        if rule.get("bucketKeyEnabled", False) is not True:
            yield "bucket key is off: each object costs a call of KMS"


@fix("s3-bucket-customer-key")
def turn_on_bucket_key(configuration: Resource, policy: Policy) -> dict[str, Any]:
    rules = [{**rule.values, "bucketKeyEnabled": True} for rule in configuration.sections("rules")]
    return {**configuration.values, "rules": rules}


@related_rule("s3-bucket-versioning")
def versioning(bucket: Resource, stack: Stack, policy: Policy) -> Messages:
    separate = stack.referring(bucket, "s3/bucketVersioning:BucketVersioning", "bucket")
    on = any(each.get("versioningConfiguration.status") == "Enabled" for each in separate)
    if not on and bucket.get("versioning.enabled", False) is not True:
        yield "versioning is not enabled: what is overwritten is lost"


@resource_rule("s3-bucket-public-access-flags")
def public_access_flags(block: Resource, policy: Policy) -> Messages:
    off = [flag for flag in FLAGS if block.get(flag, False) is not True]
    if off:
        yield f"{', '.join(off)} not true"


@fix("s3-bucket-public-access-flags")
def set_public_access_flags(block: Resource, policy: Policy) -> dict[str, Any]:
    return {**block.values, **dict.fromkeys(FLAGS, True)}


@related_rule("s3-bucket-public-access-block")
def public_access_block(bucket: Resource, stack: Stack, policy: Policy) -> Messages:
    if not stack.referring(bucket, "s3/bucketPublicAccessBlock:BucketPublicAccessBlock", "bucket"):
        yield "no public access block"


@related_rule("s3-bucket-ssl-requests-only")
def ssl_requests_only(bucket: Resource, stack: Stack, policy: Policy) -> Messages:
    policies = stack.referring(bucket, "s3/bucketPolicy:BucketPolicy", "bucket")
    if not any(denies_plain_text(statement) for each in policies for statement in statements(each.json("policy"))):
        yield "no statement denies requests without TLS"


def denies_plain_text(statement: dict[str, Any]) -> bool:
    """Whether a statement denies everybody all calls that come without TLS."""
    conditions = statement.get("Condition", {}).get("Bool", {})
    return (
        statement.get("Effect") == "Deny"
        and is_public(statement)
        and any(action in ("*", "s3:*") for action in many(statement.get("Action")))
        and str(many(conditions.get("aws:SecureTransport", "true"))[0]).lower() == "false"
    )


@resource_rule("s3-bucket-policy-no-public-principal")
def no_public_principal(bucket_policy: Resource, policy: Policy) -> Messages:
    for statement in open_to_all(bucket_policy.json("policy")):
        yield f"statement {statement} lets everyone in"


@resource_rule("s3-bucket-owner-enforced")
def owner_enforced(setting: Resource, policy: Policy) -> Messages:
    if setting.token == "s3/bucketAcl:BucketAcl":
        yield "an access control list; ownership by the bucket's owner needs none"
    elif setting.get("rule.objectOwnership") != "BucketOwnerEnforced":
        yield f"objects may belong to others ({setting.get('rule.objectOwnership')})"


@fix("s3-bucket-owner-enforced")
def enforce_owner(setting: Resource, policy: Policy) -> dict[str, Any]:
    if setting.token == "s3/bucketAcl:BucketAcl":
        return dict(setting.values)
    return {**setting.values, "rule": {"objectOwnership": "BucketOwnerEnforced"}}


@related_rule("s3-bucket-lifecycle")
def lifecycle(bucket: Resource, stack: Stack, policy: Policy) -> Messages:
    rules = list(
        lifecycle_rules(
            stack.referring(bucket, "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "bucket")
        )
    )
    if not any(rule.has("abortIncompleteMultipartUpload") for rule in rules):
        yield "uploads that were broken off stay, and cost, for ever"
    if not any(rule.has("noncurrentVersionExpiration") or rule.has("expiration") for rule in rules):
        yield "old versions are never removed"


def lifecycle_rules(configurations: list[Resource]) -> Iterator[Section]:
    """The rules that are switched on."""
    for configuration in configurations:
        for rule in configuration.sections("rules"):
            if rule.get("status", "Enabled") == "Enabled":
                yield rule


@related_rule("s3-bucket-access-logging")
def access_logging(bucket: Resource, stack: Stack, policy: Policy) -> Messages:
    logged = stack.referring(bucket, "s3/bucketLogging:BucketLogging", "bucket")
    if not logged and not receives_logs(bucket, stack) and not has_data_events(bucket, stack):
        yield "nobody records who reads and writes here: neither access logs nor data events"


def has_data_events(bucket: Resource, stack: Stack) -> bool:
    """Whether a trail records the calls on a bucket's objects."""
    return any(
        bucket.urn in trail.dependencies.get("eventSelectors", [])
        or any(name in text for text in data_values(trail) for name in bucket.own_names)
        for trail in stack.of("cloudtrail/trail:Trail")
    )


def data_values(trail: Resource) -> list[str]:
    """The ARNs whose data events a trail records."""
    return [
        str(value)
        for selector in trail.sections("eventSelectors")
        for data in selector.sections("dataResources")
        for value in many(data.peek("values"))
    ]
