"""Repository, cloud and policies agree, for every pair of options: settings, graph, controls, outputs, variables."""

import ast
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import ROOT, PristineRenders
from template.test_render import OPTION_SETS

# Read by boto3 and MLflow themselves; the contract sets them, and no code of the repository asks for them.
OF_LIBRARIES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_USERNAME",
}
JOINED = [answers for answers in OPTION_SETS if answers["platform"] != "none"]
# What a stack of each environment says: its settings hold, its graph keeps the policies, its outputs keep the contract.
JUDGE = """
import datetime, json, sys
from dataclasses import asdict
from pathlib import Path

from groundplan_infra.connect import settings_of
from groundplan_infra.contract import validate
from groundplan_infra.engine.emulator import Emulator
from groundplan_infra.stacks import graph_of
from groundplan_policies.evaluate import evaluate
from groundplan_policies.facts import from_file
from groundplan_policies.settings import make_policy, read_policy_file
from groundplan_policies.sources import from_graph

login = {"MLFLOW_TRACKING_USERNAME": "u", "MLFLOW_TRACKING_PASSWORD": "p"}
emulated = Emulator(name="", port=1, pid=0, folder="").environment
for program in map(Path, sys.argv[1:]):
    for environment in ("local", "dev", "staging", "prod"):
        file = program / f"Pulumi.{environment}.yaml"
        graph = graph_of(file)
        policy = make_policy(read_policy_file(program / "policies"), from_file(program, environment))
        results = evaluate(from_graph(asdict(graph)), policy, [], datetime.date.today()).results
        wrong = [each.control.id for each in results if each.status in ("violated", "undecided")]
        outputs = validate(graph.outputs, environment)
        with_server = outputs.model_copy(update={"tracking_uri": "https://tracking"})
        variables = {**settings_of(outputs, emulated, {}), **settings_of(with_server, {}, login)}
        told = {"program": str(program), "environment": outputs.environment, "wrong": wrong, "variables": [*variables]}
        print(json.dumps({**told, "resources": len(graph.resources)}))
"""


def read_by_code(project: Path) -> set[str]:
    """The variables of settings.py, and those that a task reads."""
    (settings,) = project.glob("src/*/settings.py")
    tree = ast.parse(settings.read_text(encoding="utf-8"))
    (fields,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == "Settings"]
    names = {ast.unparse(node.target).upper() for node in fields.body if isinstance(node, ast.AnnAssign)}
    return names | set(re.findall(r"\$\$\{([A-Z_]+)", (project / "Makefile").read_text(encoding="utf-8")))


def documented(project: Path) -> set[str]:
    """The variables of .env.example."""
    return set(re.findall(r"^([A-Z_]+)=", (project / ".env.example").read_text(encoding="utf-8"), re.M))


def judge(programs: list[Path]) -> list[dict[str, Any]]:
    """What all stacks of these programs say."""
    command = ["uv", "run", "--quiet", "--directory", str(ROOT / "policies"), "python", "-W", "ignore", "-c", JUDGE]
    done = subprocess.run([*command, *map(str, programs)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("answers", OPTION_SETS, ids=lambda answers: "-".join(map(str, list(answers.values())[:6])))
def test_every_variable_that_is_read_is_documented_and_no_other(
    renders: PristineRenders, answers: dict[str, Any]
) -> None:
    project = renders.get(answers)
    assert read_by_code(project) == documented(project)


@pytest.mark.slow
def test_every_option_set_agrees_with_its_cloud_and_its_policies(renders: PristineRenders) -> None:
    projects = {str(renders.get(answers) / "infra"): renders.get(answers) for answers in JOINED}
    assert len(projects) > 10
    told = judge([Path(program) for program in projects])
    assert len(told) == 4 * len(projects)
    produced: set[str] = set()
    for each in told:
        assert each["wrong"] == [], each
        assert each["resources"] > 10, each
        variables = set(each["variables"])
        assert variables - OF_LIBRARIES <= documented(projects[each["program"]]), each
        produced |= variables
    assert produced - OF_LIBRARIES == {"MLFLOW_TRACKING_URI", "MLFLOW_ARTIFACT_LOCATION"}
    assert produced >= OF_LIBRARIES
