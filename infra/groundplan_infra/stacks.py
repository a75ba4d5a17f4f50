"""The graph of a stack, from its settings file alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from groundplan_infra.config import PlatformConfig, ProjectConfig, parse
from groundplan_infra.contract import made_up
from groundplan_infra.graph import ACCOUNT, Graph, capture
from groundplan_infra.program import build_platform, build_project
from groundplan_infra.settings import read_settings

PLATFORM_PROJECT = "groundplan-platform"


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
    return capture(program, project=name, stack=stack, stacks=joined(values))


def joined(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Outputs of the platform that a project joins; which values they have is of no matter to its graph."""
    reference = values.get("platform_stack")
    return {str(reference): made_up(str(values["region"]), ACCOUNT)} if reference else {}
