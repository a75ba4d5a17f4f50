"""The graph of a stack, from its settings file alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from groundplan_infra.config import NAMESPACE, ConfigError, PlatformConfig, ProjectConfig, parse
from groundplan_infra.graph import Graph, capture
from groundplan_infra.program import build_platform, build_project

PLATFORM_PROJECT = "groundplan-platform"


def read_settings(file: Path) -> dict[str, Any]:
    """The values of a Pulumi.<env>.yaml; raises ConfigError where it is missing or no mapping."""
    try:
        content = yaml.safe_load(file.read_text()) or {}
    except FileNotFoundError:
        there = sorted(path.name for path in file.parent.glob("Pulumi.*.yaml"))
        raise ConfigError(f"there is no {file}; there is {', '.join(there) or 'none yet'}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{file.name} is not YAML: {' '.join(str(error).split())}") from None
    values = content.get("config") if isinstance(content, dict) else None
    if not isinstance(values, dict):
        raise ConfigError(f"{file.name} has no `config`")
    prefix = f"{NAMESPACE}:"
    return {str(key).removeprefix(prefix): value for key, value in values.items() if str(key).startswith(prefix)}


def graph_of(file: Path) -> Graph:
    """The graph of the platform or project that a settings file configures; raises ConfigError."""
    values = read_settings(file)
    stack = file.name.split(".")[1]
    program: Callable[[], Any]
    if "platform" in values:
        project = parse(ProjectConfig, values, file.name)
        program, name = lambda: build_project(project), str(project.name)
    else:
        platform = parse(PlatformConfig, values, file.name)
        program, name = lambda: build_platform(platform), PLATFORM_PROJECT
    # No emulator is needed to capture the graph of a stack that runs on one.
    endpoint = {"AWS_ENDPOINT_URL": "http://emulator.invalid" if values.get("emulated") else ""}
    with patch.dict("os.environ", endpoint):
        return capture(program, project=name, stack=stack)
