"""The reference pages of controls, settings and waivers, from the catalogue and the models. `make docs` writes them."""

import json
import sys
from pathlib import Path

from pydantic import BaseModel

import groundplan_policies.rules  # noqa: F401 (registers the rules)
from groundplan_policies.catalogue import CATALOGUE, PROFILES, Control
from groundplan_policies.rule import RULES
from groundplan_policies.settings import ENVIRONMENTS, Parameters, PolicyFile, setting
from groundplan_policies.waivers import Waiver

MADE = "*Made from `policies/groundplan_policies/` by `make docs`; do not edit.*"
SCOPES = {
    "resource": "each resource by itself, before it is made",
    "related": "each resource with those around it, once all is planned",
    "stack": "the stack as a whole, once all is planned",
    "repository": "the files of the repository",
}


def references(control: Control) -> list[str]:
    """A line for each framework that a control stands for."""
    lines = []
    for key, framework in CATALOGUE.frameworks.items():
        found = control.references(key)
        if found:
            marked = ", ".join(f"{each}{'' if verified else ' *'}" for each, verified in found)
            lines.append(f"| {framework.name} | {marked} |")
    return lines


def control_page(control: Control) -> str:
    """The page of a control."""
    lines = [f"# {control.id}", "", MADE, "", f"{control.title}.", "", control.why, ""]
    lines += ["## What to do", "", control.remediation, "", f"What it costs: {control.cost}", ""]
    lines += ["## How strict", "", "| profile | " + " | ".join(ENVIRONMENTS) + " |", "| --- | --- | --- | --- | --- |"]
    for profile in PROFILES:
        row = [setting(control.level_in(profile), environment) for environment in ENVIRONMENTS]
        lines.append(f"| {profile} | {' | '.join(row)} |")
    lines += ["", f"Severity {control.severity}. It judges {SCOPES[control.scope]}."]
    if control.id in RULES.fixes:
        lines.append("It can be put right by the pack: set it to `remediate` in the engine's policy configuration.")
    if control.types and control.types != ["*"]:
        lines += ["", "## Resource types", "", *(f"- `aws:{token}`" for token in control.types)]
        lines += [f"- `aws:{token}` (read)" for token in control.reads]
    if references(control):
        lines += ["", "## Frameworks", "", "`*` marks our own reading; the rest is published with prowler 5.46.", ""]
        lines += ["| framework | ids |", "| --- | --- |", *references(control)]
    others = [("checkov 3.3", control.checkov), ("prowler 5.46", control.prowler)]
    if control.checkov or control.prowler:
        lines += ["", "## The same in other tools", ""]
        lines += [f"- {tool}: {', '.join(f'`{each}`' for each in checks)}" for tool, checks in others if checks]
    return "\n".join([*lines, ""])


def index_page() -> str:
    """All controls by area."""
    lines = [
        "# Controls",
        "",
        MADE,
        "",
        f"{len(CATALOGUE.controls)} controls; those with *fix* the pack can put right.",
    ]
    for area in dict.fromkeys(control.area for control in CATALOGUE.controls):
        lines += [
            "",
            f"## {area.capitalize()}",
            "",
            "| control | what must hold | severity | fix |",
            "| --- " * 4 + "|",
        ]
        for control in CATALOGUE.controls:
            if control.area == area:
                fix = "fix" if control.id in RULES.fixes else ""
                lines.append(f"| [{control.id}]({control.id}.md) | {control.title} | {control.severity} | {fix} |")
    return "\n".join([*lines, ""])


def comparison_page() -> str:
    """Our controls beside the checks of checkov and prowler."""
    shared = [each for each in CATALOGUE.controls if each.checkov or each.prowler]
    own = [each for each in CATALOGUE.controls if not each.checkov and not each.prowler]
    lines = [
        "# Controls beside checkov and prowler",
        "",
        MADE,
        "",
        "checkov 3.3.30 reads Terraform and CloudFormation, not Pulumi; prowler 5.46.0 asks an account after the fact. "
        f"{len(shared)} of our {len(CATALOGUE.controls)} controls have a check in one of them, {len(own)} have none.",
        "",
        "| control | checkov | prowler |",
        "| --- | --- | --- |",
    ]
    for control in [*shared, *own]:
        checks = [", ".join(f"`{each}`" for each in found) or "none" for found in (control.checkov, control.prowler)]
        lines.append(f"| [{control.id}]({control.id}.md) | {checks[0]} | {checks[1]} |")
    return "\n".join([*lines, ""])


def table(model: type[BaseModel]) -> list[str]:
    """A line for each field of a model."""
    lines = ["| key | default | meaning |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"`{plain(field.get_default(call_default_factory=True))}`"
        lines.append(f"| `{name}` | {default} | {field.description or ''} |")
    return lines


def plain(value: object) -> str:
    """A default as JSON."""
    return json.dumps(value.model_dump() if isinstance(value, BaseModel) else value)


def settings_page() -> str:
    """What policy.yaml and waivers.yaml may say."""
    lines = ["# Policy settings", "", MADE, "", "## policy.yaml", "", *table(PolicyFile)]
    lines += ["", "A level is `mandatory`, `advisory` or `disabled`.", "", "### parameters", "", *table(Parameters)]
    lines += ["", "## waivers.yaml", "", "A list under `waivers`; each has all of these keys.", "", *table(Waiver)]
    return "\n".join([*lines, ""])


def pages() -> dict[str, str]:
    """All pages by their paths below docs/reference."""
    made = {f"controls/{control.id}.md": control_page(control) for control in CATALOGUE.controls}
    made["controls/index.md"] = index_page()
    made["controls/comparison.md"] = comparison_page()
    made["policy-settings.md"] = settings_page()
    return made


def write(reference: Path) -> None:
    """Write all pages, and remove those of controls that are no more."""
    (reference / "controls").mkdir(parents=True, exist_ok=True)
    for old in (reference / "controls").glob("*.md"):
        old.unlink()
    for name, text in pages().items():
        (reference / name).write_text(text)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
