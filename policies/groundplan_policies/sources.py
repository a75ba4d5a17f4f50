"""Where the resources of a stack come from: a captured graph, or the state of a stack that exists."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from groundplan_policies.resource import Resource, Stack, Unknown, normal_type

SPECIAL = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
# How the engine writes what is not known before `up`, one for each kind of value.
UNKNOWN_TEXTS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "030794c1-ac77-496b-92df-f27374a8bd58",
        "e48ece36-62e2-4504-bad9-02848725956a",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)
SECRET_TEXT = "[secret]"


class SourceError(Exception):
    """What should describe a stack cannot be read."""


def plain(value: Any) -> Any:
    """A value as rules see it: secrets, and what the engine does not know yet, are Unknown."""
    if isinstance(value, Mapping):
        if value.get(SPECIAL) == SECRET:
            return Unknown(value)
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return Unknown(value) if isinstance(value, str) and (value in UNKNOWN_TEXTS or value == SECRET_TEXT) else value


def raw(value: Any) -> Any:
    """A value as the engine writes it: the reverse of `plain`."""
    if isinstance(value, Unknown):
        return value.raw
    if isinstance(value, Mapping):
        return {key: raw(each) for key, each in value.items()}
    return [raw(each) for each in value] if isinstance(value, list | tuple) else value


def from_graph(graph: Mapping[str, Any]) -> Stack:
    """The stack of a captured graph, as `python -m groundplan_infra graph` prints it; raises SourceError."""
    try:
        return Stack([graph_resource(each) for each in graph["resources"]])
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"this is no captured graph: {error!r}") from None


def graph_resource(each: Mapping[str, Any]) -> Resource:
    """One resource of a captured graph."""
    return Resource(
        values=plain(each["inputs"]),
        urn=each["urn"],
        type=normal_type(each["type"]),
        name=each["name"],
        protect=each["protect"],
        custom=each["custom"],
        dependencies=each["property_dependencies"],
    )


def from_state(export: Mapping[str, Any]) -> Stack:
    """The stack in what `pulumi stack export` prints; raises SourceError."""
    try:
        resources = export["deployment"].get("resources") or []
        return Stack([state_resource(each) for each in resources if each["type"] != "pulumi:pulumi:Stack"])
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"this is no exported stack: {error!r}") from None


def state_resource(each: Mapping[str, Any]) -> Resource:
    """One resource of an exported stack."""
    outputs = each.get("outputs") or {}
    names = {each.get("id"), outputs.get("arn"), outputs.get("name"), outputs.get("bucket")}
    return Resource(
        values=plain(each.get("inputs") or {}),
        urn=each["urn"],
        type=normal_type(each["type"]),
        name=each["urn"].split("::")[-1],
        protect=bool(each.get("protect")),
        custom=bool(each.get("custom")),
        dependencies=each.get("propertyDependencies") or {},
        identifiers=frozenset(name for name in names if isinstance(name, str)),
    )


def read_source(text: str, what: str) -> Stack:
    """The stack in a text: an exported one if it has a deployment, else a captured graph; raises SourceError."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise SourceError(f"{what}: not JSON: {error}") from None
    try:
        return from_state(document) if "deployment" in document else from_graph(document)
    except (SourceError, TypeError) as error:
        raise SourceError(f"{what}: {error}") from None


def digest(stack: Stack) -> str:
    """SHA-256 of what the rules see of a stack."""
    seen = [
        [each.urn, each.type, each.protect, each.values, {key: list(urns) for key, urns in each.dependencies.items()}]
        for each in sorted(stack.resources, key=lambda each: each.urn)
    ]
    return hashlib.sha256(json.dumps(seen, sort_keys=True, default=repr).encode()).hexdigest()
