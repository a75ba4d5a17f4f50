"""The file Pulumi.<env>.yaml, read without the engine."""

from pathlib import Path
from typing import Any

import yaml

from groundplan_infra.config import NAMESPACE, ConfigError


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
