"""Who may do what."""

import re
from collections.abc import Mapping
from typing import Any

from groundplan_policies.resource import Resource, many
from groundplan_policies.rule import Messages, resource_rule
from groundplan_policies.rules.documents import allows_all, principals, statements
from groundplan_policies.settings import Policy

BROAD = re.compile(r":aws:policy/(.*/)?(AdministratorAccess.*|PowerUserAccess|IAMFullAccess|.*FullAccess)$")


@resource_rule("iam-policy-no-admin")
def no_admin(document: Resource, policy: Policy) -> Messages:
    inline = [each.json("policy") for each in document.sections("inlinePolicies")]
    for each in [document.json("policy"), *inline]:
        for statement in statements(each):
            if allows_all(statement):
                yield f"statement {statement.get('Sid', 'without Sid')} allows everything on everything"


@resource_rule("iam-no-broad-managed-policy")
def no_broad_managed_policy(attachment: Resource, policy: Policy) -> Messages:
    arns = [attachment.get("policyArn", ""), *many(attachment.get("managedPolicyArns", []))]
    for arn in filter(BROAD.search, map(str, arns)):
        yield f"{arn.rpartition('/')[2]} allows far more than a program needs"


@resource_rule("iam-oidc-trust-exact")
def oidc_trust_exact(role: Resource, policy: Policy) -> Messages:
    for statement in statements(role.json("assumeRolePolicy")):
        issuer = token_issuer(statement)
        if issuer:
            yield from trust_problems(statement, issuer)


def token_issuer(statement: Mapping[str, Any]) -> str:
    """The issuer of the tokens that a statement of trust takes, empty where it takes none."""
    if "sts:AssumeRoleWithWebIdentity" not in many(statement.get("Action")):
        return ""
    providers = [each for each in principals(statement) if "oidc-provider" in each or "openIdConnectProvider" in each]
    claims = [key for values in statement.get("Condition", {}).values() for key in values]
    named = next((key.rpartition(":")[0] for key in claims if key.endswith((":sub", ":aud"))), "")
    return named or (providers[0] if providers else "an unnamed issuer")


def trust_problems(statement: Mapping[str, Any], issuer: str) -> list[str]:
    """What a statement of trust leaves open."""
    claims = {
        key.rpartition(":")[2]: many(values)
        for operator, keys in statement.get("Condition", {}).items()
        if operator.startswith(("StringEquals", "StringLike"))
        for key, values in keys.items()
    }
    problems = [] if claims.get("aud") else [f"tokens of {issuer} for any audience are taken (no aud)"]
    if not claims.get("sub"):
        return [*problems, f"any token of {issuer} is taken (no sub)"]
    wild = [str(subject) for subject in claims["sub"] if "*" in str(subject)]
    return [*problems, *(f"subject {subject} has a wildcard; name it exactly" for subject in wild)]


@resource_rule("iam-no-user-keys")
def no_user_keys(user: Resource, policy: Policy) -> Messages:
    what = {"iam/accessKey:AccessKey": "a key that never expires", "iam/user:User": "a user of IAM"}
    yield f"{what.get(user.token, 'a login of IAM')}; people come by single sign-on, programs by roles"
