"""Reading IAM's policy documents."""

from collections.abc import Mapping
from typing import Any

from groundplan_policies.resource import many


def statements(document: Any) -> list[dict[str, Any]]:
    """The statements of a document; one may stand there without a list."""
    found = document.get("Statement") if isinstance(document, Mapping) else None
    return [each for each in many([found] if isinstance(found, Mapping) else found) if isinstance(each, Mapping)]


def principals(statement: Mapping[str, Any]) -> list[str]:
    """Everyone that a statement names."""
    principal = statement.get("Principal", [])
    groups = principal.values() if isinstance(principal, Mapping) else [principal]
    return [str(each) for group in groups for each in many(group)]


def is_public(statement: Mapping[str, Any]) -> bool:
    """Whether a statement names everyone."""
    return "*" in principals(statement)


def open_to_all(document: Any) -> list[str]:
    """The statements, by their Sid, that allow everyone something without a condition."""
    return [
        str(each.get("Sid", "without Sid"))
        for each in statements(document)
        if each.get("Effect") == "Allow" and is_public(each) and not each.get("Condition")
    ]


def allows_all(statement: Mapping[str, Any]) -> bool:
    """Whether a statement allows every action on every resource."""
    return (
        statement.get("Effect") == "Allow"
        and "*" in many(statement.get("Resource"))
        and any(action in ("*", "*:*") for action in many(statement.get("Action")))
    )
