"""What a stack says of itself: the keys of Pulumi.<stack>.yaml that policies need."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groundplan_policies.settings import SettingsError, StackFacts, parse, read_yaml

NAMESPACE = "groundplan:"


def from_config(config: Mapping[str, Any], where: str) -> StackFacts:
    """The facts in a stack's configuration; a program that is not ours has at least a region. Raises SettingsError."""
    values = {key.removeprefix(NAMESPACE): value for key, value in config.items() if key.startswith(NAMESPACE)}
    return parse(StackFacts, {"region": config.get("aws:region", ""), **values}, where)


def from_file(program: Path, stack: str) -> StackFacts:
    """The facts in the settings file of a program's stack; raises SettingsError."""
    file = program / f"Pulumi.{stack}.yaml"
    if not file.exists():
        there = sorted(each.name.split(".")[1] for each in program.glob("Pulumi.*.yaml"))
        raise SettingsError(f"{file} does not exist; stacks here: {', '.join(there) or 'none'}")
    document = read_yaml(file, {})
    config = document.get("config") if isinstance(document, Mapping) else None
    if not isinstance(config, Mapping):
        raise SettingsError(f"{file}: has no `config`")
    return from_config(config, str(file))
