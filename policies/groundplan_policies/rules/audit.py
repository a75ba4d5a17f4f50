"""Logs, trails, and the services that watch an account."""

from collections.abc import Callable
from typing import Any

from groundplan_policies.resource import Resource, Stack
from groundplan_policies.rule import Messages, fix, resource_rule, stack_rule
from groundplan_policies.settings import Policy

TRAIL = "cloudtrail/trail:Trail"
# CloudWatch keeps logs for these numbers of days only (PutRetentionPolicy).
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


def wanted_days(policy: Policy) -> int:
    """How long logs must be kept here, in days."""
    least = policy.days(policy.parameters.log_days)
    if policy.profile == "eu-ai-act" and policy.environment != "local":
        return max(least, policy.parameters.ai_act_log_days)
    return least


@resource_rule("log-group-retention")
def log_retention(group: Resource, policy: Policy) -> Messages:
    days, wanted = group.number("retentionInDays"), wanted_days(policy)
    if not days and policy.environment != "local":
        yield "kept for ever: nobody decided for how long"
    elif 0 < days < wanted:
        yield f"kept for {days:g} days, not {wanted}"


@fix("log-group-retention")
def keep_logs(group: Resource, policy: Policy) -> dict[str, Any]:
    days = max(group.number("retentionInDays"), wanted_days(policy))
    return {**group.values, "retentionInDays": next(each for each in RETENTIONS if each >= min(days, RETENTIONS[-1]))}


@resource_rule("log-group-encrypted")
def log_encrypted(group: Resource, policy: Policy) -> Messages:
    if not group.has("kmsKeyId"):
        yield "not encrypted by a key of the account"


@resource_rule("cloudtrail-hardened")
def trail_hardened(trail: Resource, policy: Policy) -> Messages:
    for flag, meaning in TRAIL_FLAGS.items():
        if trail.get(flag, flag == "includeGlobalServiceEvents") is not True:
            yield meaning
    if not trail.has("kmsKeyId"):
        yield "not encrypted by a key of the account"


TRAIL_FLAGS = {
    "isMultiRegionTrail": "records one region only",
    "enableLogFileValidation": "a changed record would not be noticed",
    "includeGlobalServiceEvents": "records no calls of IAM",
}


@fix("cloudtrail-hardened")
def harden_trail(trail: Resource, policy: Policy) -> dict[str, Any]:
    return {**trail.values, **dict.fromkeys(TRAIL_FLAGS, True)}


def required(control: str, service: str, token: str, message: str) -> None:
    """Register a rule: a stack that brings a platform has a service, or the organisation runs it for all."""

    def rule(stack: Stack, policy: Policy) -> Messages:
        central = policy.parameters.central_services
        if brings_platform(stack) and service not in central and not stack.of(token):
            yield message

    register: Callable[[Any], Any] = stack_rule(control)
    register(rule)


def brings_platform(stack: Stack) -> bool:
    """Whether a stack is a platform, or brings one: it has a network or buckets of its own."""
    return bool(stack.of("ec2/vpc:Vpc", "s3/bucket:Bucket"))


required("cloudtrail-enabled", "trail", TRAIL, "no trail: nobody can tell who called what")
required(
    "config-recorder-enabled", "config", "cfg/recorder:Recorder", "no Config recorder keeps the history of settings"
)
required("guardduty-enabled", "guardduty", "guardduty/detector:Detector", "no GuardDuty detector looks for intruders")
required(
    "access-analyzer-enabled",
    "access-analyzer",
    "accessanalyzer/analyzer:Analyzer",
    "no access analyzer finds what is shared with other accounts",
)
required(
    "s3-account-public-access-block",
    "account-block",
    "s3/accountPublicAccessBlock:AccountPublicAccessBlock",
    "no public access block for the account's future buckets",
)
