"""What the catalogue says of frameworks and of other tools is what those publish."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from groundplan_policies.catalogue import CATALOGUE

PROWLER, CHECKOV = "prowler==5.46.0", "checkov==3.3.30"
MAPPINGS = {
    "cis-aws-3.0": "cis_3.0_aws",
    "cis-aws-7.0": "cis_7.0_aws",
    "soc2": "soc2_aws",
    "iso27001-2022": "iso27001_2022_aws",
    "hipaa": "hipaa_aws",
    "gdpr": "gdpr_aws",
    "nist-800-53r5": "nist_800_53_revision_5_aws",
    "aws-ai-security": "aws_ai_security_framework_aws",
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two packages, unpacked without what they depend on."""
    folder = tmp_path_factory.mktemp("tools")
    uv = shutil.which("uv")
    assert uv, "uv is not on PATH; make test puts it there"
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--target", str(folder), PROWLER, CHECKOV]
    subprocess.run(command, check=True)
    return folder


def spelled(framework: str, reference: str) -> str:
    """A reference as the framework itself writes it."""
    parts = reference.split("_")
    if framework == "soc2":
        letters = [each for each in parts if each.isalpha()][-1].upper()
        return f"{letters}{'.'.join(each for each in parts if each.isdigit())}"
    if framework == "hipaa":
        return f"164.{parts[1]}" + "".join(f"({each})" for each in parts[2:])
    if framework == "nist-800-53r5":
        return f"{parts[0].upper()}-{parts[1]}" + "".join(f"({each})" for each in parts[2:])
    return reference.removeprefix("article_")


def test_verified_references_are_those_that_are_published(tools: Path) -> None:
    published: dict[str, dict[str, set[str]]] = {}
    for framework, name in MAPPINGS.items():
        document = json.loads((tools / f"prowler/compliance/aws/{name}.json").read_text())
        for requirement in document["Requirements"]:
            for check in requirement["Checks"]:
                found = published.setdefault(framework, {}).setdefault(check, set())
                found.add(spelled(framework, requirement["Id"]).lower())
    for control in CATALOGUE.controls:
        for framework, references in control.verified.items():
            known = set().union(*(published[framework].get(check, set()) for check in control.prowler))
            for reference in references:
                held = [each for each in known if each == reference.lower() or each.startswith(f"{reference.lower()}(")]
                assert held, f"{control.id}: {framework} {reference}"


def test_the_checks_of_other_tools_exist(tools: Path) -> None:
    services = (tools / "prowler/providers/aws/services").rglob("*.metadata.json")
    prowler = {each.name.removesuffix(".metadata.json") for each in services}
    checkov: set[str] = set()
    for file in (tools / "checkov").rglob("*"):
        if file.suffix in (".py", ".json", ".yaml"):
            checkov |= set(re.findall(r"CKV2?_AWS_\d+", file.read_text()))
    for control in CATALOGUE.controls:
        assert set(control.prowler) <= prowler, control.id
        assert set(control.checkov) <= checkov, control.id
