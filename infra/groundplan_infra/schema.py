"""What is written from settings and graphs: JSON schemas for editors, and three pages of the reference."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from groundplan_infra.config import NAMESPACE, PlatformConfig, ProjectConfig
from groundplan_infra.contract import ProjectOutputs
from groundplan_infra.cost import estimate, report
from groundplan_infra.diagram import mermaid
from groundplan_infra.stacks import graph_of

MODELS: dict[str, type[BaseModel]] = {"platform": PlatformConfig, "project": ProjectConfig}


def settings_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of a Pulumi.<env>.yaml."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    properties = {f"{NAMESPACE}:{name}": value for name, value in schema["properties"].items()}
    config = {
        "type": "object",
        "properties": properties,
        "required": [f"{NAMESPACE}:{name}" for name in schema["required"]],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": schema["title"],
        "description": schema["description"],
        "type": "object",
        "properties": {"config": config},
        "required": ["config"],
        "$defs": definitions,
    }


def schema_text(name: str) -> str:
    """The schema of `platform` or `project`, as its file holds it."""
    return json.dumps(settings_schema(MODELS[name]), indent=2) + "\n"


def reference_page() -> str:
    """All keys with their types, defaults and meanings, as Markdown."""
    lines = [
        "# Stack settings",
        "",
        "Keys of `Pulumi.<env>.yaml`, under `config`. Made from `groundplan_infra/sections.py`.",
    ]
    for title, model in (("Platform", PlatformConfig), ("Project", ProjectConfig)):
        lines += ["", f"## {title}", "", *table(model, f"{NAMESPACE}:")]
        for section in sections(model):
            lines += [
                "",
                f"### {section.__name__}",
                "",
                " ".join((section.__doc__ or "").split()),
                "",
                *table(section, ""),
            ]
    return "\n".join([*lines, ""])


def stacks_page(folder: Path) -> str:
    """Picture and cost of each of our stacks, as Markdown."""
    lines = ["# Stacks", "", "Made from `infra/Pulumi.<env>.yaml` by `make docs`; each box is a component."]
    for env in ("dev", "staging", "prod"):
        graph = graph_of(folder / f"Pulumi.{env}.yaml")
        count = sum(resource.is_aws for resource in graph.resources)
        lines += [
            "",
            f"## {env}",
            "",
            f"{count} resources of AWS.",
            "",
            "```mermaid",
            mermaid(graph).rstrip(),
            "```",
            "",
        ]
        lines += [report(estimate(graph))]
    return "\n".join([*lines, ""])


def outputs_page() -> str:
    """What the stack of a repository promises, as Markdown."""
    lines = [
        "# Outputs of a stack",
        "",
        "All that a repository knows of its cloud: `make outputs`, and what `make connect` reads. Made from",
        "`groundplan_infra/contract.py`.",
        "",
        "| output | meaning |",
        "| --- | --- |",
    ]
    lines += [f"| `{name}` | {field.description} |" for name, field in ProjectOutputs.model_fields.items()]
    return "\n".join([*lines, ""])


def sections(model: type[BaseModel]) -> list[type[BaseModel]]:
    """The sections that a model's fields hold, each once, in order."""
    found: list[type[BaseModel]] = []
    for field in model.model_fields.values():
        for each in held(field.annotation):
            found += [section for section in [each, *sections(each)] if section not in found]
    return found


def held(annotation: Any) -> list[type[BaseModel]]:
    """The models in an annotation, alone or among others."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for each in getattr(annotation, "__args__", ()) for model in held(each)]


def table(model: type[BaseModel], prefix: str) -> list[str]:
    """A line for each field."""
    lines = ["| key | default | meaning |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if field.is_required():
            default = "required"
        elif isinstance(field.get_default(call_default_factory=True), BaseModel):
            default = "see below"
        else:
            default = f"`{json.dumps(field.get_default())}`"
        lines.append(f"| `{prefix}{name}` | {default} | {' '.join((field.description or '').split())} |")
    return lines


def write(folder: Path) -> None:
    """Write the schemas into the folder of the program, and the reference page into the documents."""
    for name in MODELS:
        (folder / f"{name}.schema.json").write_text(schema_text(name))
    reference = folder.parent / "docs" / "reference"
    (reference / "stack-settings.md").write_text(reference_page())
    (reference / "stacks.md").write_text(stacks_page(folder))
    (reference / "outputs.md").write_text(outputs_page())


if __name__ == "__main__":
    write(Path(__file__).parents[1])
