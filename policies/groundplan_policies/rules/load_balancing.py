"""Load balancers and their listeners."""

from typing import Any

from groundplan_policies.resource import Resource
from groundplan_policies.rule import Messages, fix, resource_rule
from groundplan_policies.settings import Policy

MODERN_TLS = "ELBSecurityPolicy-TLS13-1-2"
PROTECTED_LISTENERS = ("HTTPS", "TLS")


@resource_rule("lb-listener-tls")
def listener_tls(listener: Resource, policy: Policy) -> Messages:
    protocol = listener.get("protocol", "HTTP")
    if protocol in PROTECTED_LISTENERS:
        if not str(listener.get("sslPolicy", "")).startswith(MODERN_TLS):
            yield f"TLS policy {listener.get('sslPolicy', 'of the provider')} allows versions before 1.2"
    elif not redirects(listener):
        yield f"{protocol} without TLS, and no redirect to it"


def redirects(listener: Resource) -> bool:
    """Whether all that a listener does is to send callers to HTTPS."""
    actions = listener.sections("defaultActions")
    return bool(actions) and all(each.get("redirect.protocol") == "HTTPS" for each in actions)


@fix("lb-listener-tls")
def modern_tls(listener: Resource, policy: Policy) -> dict[str, Any]:
    if listener.get("protocol", "HTTP") not in PROTECTED_LISTENERS:
        return dict(listener.values)
    return {**listener.values, "sslPolicy": f"{MODERN_TLS}-2021-06"}


@resource_rule("lb-hardened")
def hardened(balancer: Resource, policy: Policy) -> Messages:
    application = balancer.get("loadBalancerType", "application") == "application"
    if application and balancer.get("dropInvalidHeaderFields", False) is not True:
        yield "passes malformed headers on"
    if policy.guarded and balancer.get("enableDeletionProtection", False) is not True:
        yield "one call can delete it"
    if policy.guarded and balancer.get("accessLogs.enabled", False) is not True:
        yield "no access log"


@fix("lb-hardened")
def harden(balancer: Resource, policy: Policy) -> dict[str, Any]:
    application = balancer.get("loadBalancerType", "application") == "application"
    headers = {"dropInvalidHeaderFields": True} if application else {}
    kept = {"enableDeletionProtection": True} if policy.guarded else {}
    return {**balancer.values, **headers, **kept}
