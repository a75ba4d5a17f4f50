"""Keys, secrets and topics."""

from typing import Any

from groundplan_policies.resource import Resource, Stack
from groundplan_policies.rule import Messages, fix, related_rule, resource_rule
from groundplan_policies.rules.documents import open_to_all
from groundplan_policies.settings import Policy

RECOVERY_DAYS = 7


def can_rotate(key: Resource) -> bool:
    """Whether KMS can rotate a key: a symmetric one."""
    return str(key.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT")) == "SYMMETRIC_DEFAULT"


@resource_rule("kms-key-rotation")
def rotation(key: Resource, policy: Policy) -> Messages:
    if can_rotate(key) and key.get("enableKeyRotation", False) is not True:
        yield "never rotated"
    days, wanted = key.number("deletionWindowInDays", 30), policy.days(policy.parameters.key_deletion_days)
    if days < wanted:
        yield f"deleted after {days:g} days, with all that it encrypts; at least {wanted}"


@fix("kms-key-rotation")
def rotate(key: Resource, policy: Policy) -> dict[str, Any]:
    days = max(key.number("deletionWindowInDays", 30), policy.days(policy.parameters.key_deletion_days))
    return {**key.values, "deletionWindowInDays": days, **({"enableKeyRotation": True} if can_rotate(key) else {})}


@resource_rule("kms-key-policy-no-public-principal")
def key_not_public(key: Resource, policy: Policy) -> Messages:
    for statement in open_to_all(key.json("policy")):
        yield f"statement {statement} lets every account use the key"


@resource_rule("secret-recovery-window")
def recovery_window(secret: Resource, policy: Policy) -> Messages:
    days = secret.number("recoveryWindowInDays", 30)
    if policy.guarded and days < RECOVERY_DAYS:
        yield f"gone {days:g} days after it is deleted; at least {RECOVERY_DAYS}"


@fix("secret-recovery-window")
def widen_recovery(secret: Resource, policy: Policy) -> dict[str, Any]:
    return {**secret.values, "recoveryWindowInDays": RECOVERY_DAYS}


@resource_rule("secret-customer-key")
def secret_key(secret: Resource, policy: Policy) -> Messages:
    if not secret.has("kmsKeyId"):
        yield "encrypted by the AWS-managed key, which no policy of the account guards"


@related_rule("secret-rotation")
def secret_rotation(secret: Resource, stack: Stack, policy: Policy) -> Messages:
    rotations = stack.referring(secret, "secretsmanager/secretRotation:SecretRotation", "secretId")
    if not rotations and not secret.has("tags.Rotation"):
        yield "never rotated, and no tag Rotation says how"


@resource_rule("sns-topic-encrypted")
def topic_encrypted(topic: Resource, policy: Policy) -> Messages:
    if not topic.has("kmsMasterKeyId"):
        yield "messages lie there unencrypted"


@fix("sns-topic-encrypted")
def encrypt_topic(topic: Resource, policy: Policy) -> dict[str, Any]:
    return {**topic.values, "kmsMasterKeyId": "alias/aws/sns"}
