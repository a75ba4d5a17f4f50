"""What rules look at: resources of a stack, with values that may not be known yet.

A rule never reads an unknown value by accident: reading one raises `UndecidedError`, and whoever runs the rule reports
that. Whether something is set, or which resource it refers to, can be told without its value.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any


@dataclass(frozen=True)
class Unknown:
    """A value that only AWS will give, or that is a secret; `raw` is how the engine writes it."""

    raw: Any = field(default=None, repr=False)


NOTHING = (None, "", [], {})
# `aws:s3/bucketV2:BucketV2` is the older name of what is now `aws:s3/bucket:Bucket`.
OLD_NAME = re.compile(r"V2(?=:|$)")


class UndecidedError(Exception):
    """A rule needs a value that is not known; the message is the value's place."""


def normal_type(token: str) -> str:
    """A resource type under its newest name."""
    return OLD_NAME.sub("", token) if token.startswith("aws:s3/") else token


@dataclass(frozen=True)
class Section:
    """Part of a resource's inputs: a mapping with camelCase keys. `place` is where it stands, for messages."""

    values: Mapping[str, Any]
    place: str = ""

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a dotted path, or the default; raises UndecidedError where any part of it is unknown."""
        value = self.peek(path)
        if holds_unknown(value):
            raise UndecidedError(self.at(path))
        return default if value is None else value

    def number(self, path: str, default: float = 0) -> float:
        """The number at a path, also one that is written as a text; raises UndecidedError for anything else."""
        value = self.get(path, default)
        try:
            return float(value)
        except (TypeError, ValueError):
            raise UndecidedError(f"{self.at(path)}, which is no number,") from None

    def peek(self, path: str) -> Any:
        """The value at a dotted path, perhaps with unknown values in it; None where there is none."""
        value: Any = self.values
        for key in path.split("."):
            if isinstance(value, Unknown):
                return value
            if isinstance(value, Sequence) and not isinstance(value, str):
                # Providers write some single sections as a list of one.
                value = value[0] if value else None
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def has(self, path: str) -> bool:
        """Whether something is set there; what is not known yet is set."""
        return self.peek(path) not in NOTHING

    def sections(self, path: str) -> list["Section"]:
        """The sections at a path: those of a list, or the one that is there; raises UndecidedError."""
        value = self.peek(path)
        if isinstance(value, Unknown):
            raise UndecidedError(self.at(path))
        if value is None:
            return []
        if isinstance(value, Mapping):
            return [Section(value, self.at(path))]
        if not isinstance(value, Sequence) or not all(isinstance(each, Mapping) for each in value):
            raise UndecidedError(self.at(path))
        return [Section(each, f"{self.at(path)}[{number}]") for number, each in enumerate(value)]

    def json(self, path: str) -> Any:
        """The JSON in a text, empty where there is none; raises UndecidedError, also for what cannot be read."""
        text = self.get(path, "")
        if isinstance(text, Mapping | list):
            return text
        try:
            return parsed(text) if text else {}
        except (TypeError, ValueError):
            raise UndecidedError(f"{self.at(path)}, which is not JSON") from None

    def at(self, path: str) -> str:
        """A path as a whole, for messages."""
        return f"{self.place}.{path}" if self.place else path


@dataclass(frozen=True)
class Resource(Section):
    """A resource of a stack. `dependencies` are the URNs that each input came from, known or not."""

    urn: str = ""
    type: str = ""
    name: str = ""
    protect: bool = False
    # A component has children instead of a thing in a cloud.
    custom: bool = True
    dependencies: Mapping[str, Sequence[str]] = field(default_factory=dict)
    # What AWS calls it, where that is known: id, ARN, name.
    identifiers: frozenset[str] = frozenset()

    @property
    def token(self) -> str:
        """The type without the provider's name, as `s3/bucket:Bucket`."""
        return self.type.partition(":")[2]

    @property
    def is_provider(self) -> bool:
        """Whether it is the configuration of a provider."""
        return self.type.startswith("pulumi:providers:")

    @property
    def is_cloud(self) -> bool:
        """Whether it is a thing in a cloud, and no component, provider or part of Pulumi."""
        return self.custom and not self.type.startswith("pulumi:")

    @cached_property
    def own_names(self) -> frozenset[str]:
        """What other resources may call it by value."""
        given = [self.values.get(key) for key in ("bucket", "name", "identifier", "repository")]
        return self.identifiers | {each for each in given if isinstance(each, str) and each}


@dataclass(frozen=True)
class Stack:
    """All resources of a stack."""

    resources: Sequence[Resource]

    @cached_property
    def by_type(self) -> dict[str, list[Resource]]:
        """The resources by type without the provider's name."""
        types: dict[str, list[Resource]] = {}
        for resource in self.resources:
            types.setdefault(resource.token, []).append(resource)
        return types

    def of(self, *tokens: str) -> list[Resource]:
        """The resources of some types, as `s3/bucket:Bucket`."""
        return [resource for token in tokens for resource in self.by_type.get(token, [])]

    def referring(self, target: Resource, token: str, path: str) -> list[Resource]:
        """The resources of a type whose input at `path` names the target; raises UndecidedError where none is known
        to, but one might."""
        candidates = self.of(token)
        found = [each for each in candidates if refers(each, path, target)]
        if not found and any(might_refer(each, path) for each in candidates):
            raise UndecidedError(f"{path} of a {token.partition(':')[2]}")
        return found

    def targets(self, resource: Resource, path: str, token: str) -> list[Resource]:
        """The resources of a type that an input names."""
        return [each for each in self.of(token) if refers(resource, path, each)]


def refers(resource: Resource, path: str, target: Resource) -> bool:
    """Whether an input comes from the target, by what it depends on or by its value."""
    if target.urn in resource.dependencies.get(path.split(".")[0], []):
        return True
    return any(text in target.own_names for text in texts(resource.peek(path)))


def might_refer(resource: Resource, path: str) -> bool:
    """Whether an input is not known, nor what it comes from."""
    return holds_unknown(resource.peek(path)) and not resource.dependencies.get(path.split(".")[0])


def texts(value: Any) -> Iterator[str]:
    """All texts in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, Sequence):
        for each in value:
            yield from texts(each)


def holds_unknown(value: Any) -> bool:
    """Whether a value, or a part of it, is unknown."""
    if isinstance(value, Mapping):
        return any(holds_unknown(each) for each in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(holds_unknown(each) for each in value)
    return isinstance(value, Unknown)


@lru_cache(maxsize=1024)
def parsed(text: str) -> Any:
    """The JSON in a text; many rules read the same policies. Raises ValueError."""
    return json.loads(text)


def many(value: Any) -> list[Any]:
    """A value as a list; IAM writes one as itself."""
    if value is None:
        return []
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
