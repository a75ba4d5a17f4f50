"""Databases."""

from typing import Any

from groundplan_policies.resource import Resource, Stack
from groundplan_policies.rule import Messages, fix, related_rule, resource_rule
from groundplan_policies.settings import Policy

FORCE_TLS = {"rds.force_ssl": "1", "require_secure_transport": "1"}


@resource_rule("rds-storage-encrypted")
def storage_encrypted(database: Resource, policy: Policy) -> Messages:
    if database.get("storageEncrypted", False) is not True:
        yield "the storage is not encrypted"


@fix("rds-storage-encrypted")
def encrypt(database: Resource, policy: Policy) -> dict[str, Any]:
    return {**database.values, "storageEncrypted": True}


@resource_rule("rds-no-public-access")
def no_public_access(database: Resource, policy: Policy) -> Messages:
    if database.get("publiclyAccessible", False) is not False:
        yield "reachable from the internet"


@fix("rds-no-public-access")
def close(database: Resource, policy: Policy) -> dict[str, Any]:
    return {**database.values, "publiclyAccessible": False}


@resource_rule("rds-backup-retention")
def backup_retention(database: Resource, policy: Policy) -> Messages:
    wanted, kept = policy.days(policy.parameters.backup_days), database.number("backupRetentionPeriod")
    if kept < wanted:
        yield f"backups are kept for {kept:g} days, not {wanted}"
    if policy.guarded and database.get("skipFinalSnapshot", False) is True:
        yield "no snapshot is taken when it is removed"


@fix("rds-backup-retention")
def keep_backups(database: Resource, policy: Policy) -> dict[str, Any]:
    wanted = max(policy.days(policy.parameters.backup_days), database.number("backupRetentionPeriod"))
    name = database.values.get("finalSnapshotIdentifier") or f"{database.name}-final"
    last = {"skipFinalSnapshot": False, "finalSnapshotIdentifier": name} if policy.guarded else {}
    return {**database.values, "backupRetentionPeriod": wanted, **last}


@resource_rule("rds-deletion-protection")
def deletion_protection(database: Resource, policy: Policy) -> Messages:
    if policy.guarded and database.get("deletionProtection", False) is not True:
        yield "one call can delete it"


@fix("rds-deletion-protection")
def protect(database: Resource, policy: Policy) -> dict[str, Any]:
    return {**database.values, "deletionProtection": True}


@resource_rule("rds-multi-az")
def multi_az(database: Resource, policy: Policy) -> Messages:
    if policy.environment == "prod" and database.get("multiAz", False) is not True:
        yield "in one zone: a zone lost is the database lost"


@fix("rds-multi-az")
def spread(database: Resource, policy: Policy) -> dict[str, Any]:
    return {**database.values, "multiAz": True}


@related_rule("rds-tls-required")
def tls_required(database: Resource, stack: Stack, policy: Policy) -> Messages:
    groups = stack.targets(database, "parameterGroupName", "rds/parameterGroup:ParameterGroup")
    forced = {
        each.get("name"): str(each.get("value")) for group in groups for each in group.sections("parameters")
    }.items() & FORCE_TLS.items()
    # PostgreSQL 15 and later force TLS unless told otherwise; an explicit group says so for every version.
    if not forced:
        yield "its parameter group does not force TLS"


@resource_rule("rds-password-not-plain")
def password_not_plain(database: Resource, policy: Policy) -> Messages:
    if database.has("password"):
        yield "the password is an input, and so lies in the state; let RDS keep it (manageMasterUserPassword)"
