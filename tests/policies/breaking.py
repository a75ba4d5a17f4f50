"""The ways to break a graph: a setting, a resource, a statement; mutations.py says which for each control."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from groundplan_policies.sources import SECRET_TEXT

Graph = dict[str, Any]
Change = Callable[[Graph], None]
BUCKET = "s3/bucket:Bucket"
TASK = "ecs/taskDefinition:TaskDefinition"


@dataclass(frozen=True)
class Mutation:
    """A change of the graph `base`; `fires` are all controls that it violates.

    `place` is the input whose value decides, to be made unknown; empty where the change removes a resource that others
    are looked up by. `unknown` is how the control stands then: undecided, but for rules that ask only whether
    something is set.
    """

    change: Change
    fires: set[str] = field(default_factory=set)
    base: str = "prod"
    place: tuple[str, str, str] = ("", "*", "")
    unknown: str = "undecided"


def pick(graph: Graph, token: str, name: str = "*") -> dict[str, Any]:
    """The first resource of a type whose name matches."""
    for resource in graph["resources"]:
        if resource["type"] == f"aws:{token}" and fnmatchcase(resource["name"], name):
            return resource
    raise LookupError(f"no {token} {name} in the graph")


def put(inputs: Any, path: str, value: Any) -> None:
    """Set the value at a dotted path; a number is a place in a list."""
    *parents, last = path.split(".")
    for key in parents:
        inputs = inputs[int(key)] if isinstance(inputs, list) else inputs.setdefault(key, {})
    if isinstance(inputs, list):
        inputs[int(last)] = value
    else:
        inputs[last] = value


def setting(token: str, path: str, value: Any, name: str = "*", **more: Any) -> Mutation:
    """Set an input."""

    def change(graph: Graph) -> None:
        put(pick(graph, token, name)["inputs"], path, value)

    return Mutation(change, place=(token, name, path), **more)


def dropping(token: str, path: str, name: str = "*", **more: Any) -> Mutation:
    """Take an input away."""

    def change(graph: Graph) -> None:
        inputs = pick(graph, token, name)["inputs"]
        *parents, last = path.split(".")
        for key in parents:
            inputs = inputs[int(key)] if isinstance(inputs, list) else inputs[key]
        del inputs[last]

    return Mutation(change, place=(token, name, path), **more)


def removing(token: str, name: str = "*", **more: Any) -> Mutation:
    """Take all resources of a type and name out."""

    def change(graph: Graph) -> None:
        pick(graph, token, name)
        graph["resources"] = [
            each
            for each in graph["resources"]
            if not (each["type"] == f"aws:{token}" and fnmatchcase(each["name"], name))
        ]

    return Mutation(change, place=(token, name, ""), **more)


def resource(token: str, inputs: dict[str, Any], name: str = "added", provider: str = "aws") -> dict[str, Any]:
    """A resource as a captured graph has it."""
    return {
        "urn": f"urn:pulumi:dev::test::{provider}:{token}::{name}",
        "type": f"{provider}:{token}",
        "name": name,
        "custom": True,
        "parent": "",
        "inputs": inputs,
        "provider": "",
        "protect": True,
        "dependencies": [],
        "property_dependencies": {},
        "aliases": [],
        "ignore_changes": [],
    }


def adding(token: str, inputs: dict[str, Any], path: str, provider: str = "aws", **more: Any) -> Mutation:
    """Put another resource in; the value at `path` decides."""

    def change(graph: Graph) -> None:
        graph["resources"].append(resource(token, copy.deepcopy(inputs), provider=provider))

    return Mutation(change, place=(token, "added", path), **more)


def statement(token: str, path: str, added: dict[str, Any], name: str = "*", **more: Any) -> Mutation:
    """Put a statement into a policy document."""

    def change(graph: Graph) -> None:
        inputs = pick(graph, token, name)["inputs"]
        document = json.loads(inputs[path])
        inputs[path] = json.dumps({**document, "Statement": [*document["Statement"], added]})

    return Mutation(change, place=(token, name, path), **more)


def container(path: str, value: Any, **more: Any) -> Mutation:
    """Change the tracking server's container; `container.` stands for the first."""

    def change(graph: Graph) -> None:
        inputs = pick(graph, TASK)["inputs"]
        definitions = json.loads(inputs["containerDefinitions"])
        put(definitions[0], path, value)
        inputs["containerDefinitions"] = json.dumps(definitions)

    return Mutation(change, place=(TASK, "*", "containerDefinitions"), **more)


def trust(condition: dict[str, Any]) -> Mutation:
    """Let CI's deploy role take other tokens."""
    issuer = "token.actions.githubusercontent.com"
    named = {op: {f"{issuer}:{claim}": each for claim, each in claims.items()} for op, claims in condition.items()}
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
                "Condition": named,
            }
        ],
    }
    return setting("iam/role:Role", "assumeRolePolicy", json.dumps(document), "*-ci-deploy")


def without_login(graph: Graph) -> None:
    """Take what makes the tracking server ask for a login."""
    inputs = pick(graph, TASK)["inputs"]
    definitions = json.loads(inputs["containerDefinitions"])
    environment = definitions[0]["environment"]
    definitions[0]["environment"] = [each for each in environment if each["name"] != "ADMIN_SECRET"]
    inputs["containerDefinitions"] = json.dumps(definitions)


def unprotected(graph: Graph) -> None:
    """Take the protection of the models' bucket."""
    pick(graph, BUCKET, "*models")["protect"] = False


def uncovered(graph: Graph) -> None:
    """Take the database out of the backup."""
    selection = pick(graph, "backup/selection:Selection")
    selection["inputs"]["resources"] = [each for each in selection["inputs"]["resources"] if "rds" not in each]
    urns = selection["property_dependencies"]["resources"]
    selection["property_dependencies"]["resources"] = [urn for urn in urns if "rds" not in urn]


def unpinned(graph: Graph) -> None:
    """Run an image under a tag of a registry outside."""
    task = pick(graph, TASK)
    definitions = json.loads(task["inputs"]["containerDefinitions"])
    definitions[0]["image"] = "docker.io/library/mlflow:latest"
    task["inputs"]["containerDefinitions"] = json.dumps(definitions)


def no_models(graph: Graph) -> None:
    """Take the models' bucket away, with all that is about it."""
    graph["resources"] = [each for each in graph["resources"] if "store-models" not in each["name"]]


def unknown_at(graph: Graph, place: tuple[str, str, str]) -> None:
    """Make the value that decides unknown; one in the middle of a text makes the whole text unknown."""
    token, name, path = place
    provider = next(each["type"].partition(":")[0] for each in graph["resources"] if each["type"].endswith(token))
    for resource_ in graph["resources"]:
        if resource_["type"] == f"{provider}:{token}" and fnmatchcase(resource_["name"], name):
            put(resource_["inputs"], path, SECRET_TEXT)
            return
    raise LookupError(f"no {token} {name}")
