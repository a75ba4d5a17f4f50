"""A generated repository and its cloud, on the embedded AWS: up, connect, push, train, destroy."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from end_to_end.service import make
from harness import NAME, ROOT, git

STATE = "GROUNDPLAN_STATE"
REPOSITORY_PAGE = "docs/how-to/bring-up-a-cloud.md"
PLATFORM_PAGE = "docs/how-to/run-a-platform.md"
POLICY_PAGE = "docs/how-to/hold-to-policies.md"
ANSWERS = {"platform": "standalone", "project_name": "Cloud Test", "ci_repository": "acme/cloud"}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """State of its own; the embedded AWS ends with the test."""
    folder = tmp_path / "state"
    monkeypatch.setenv(STATE, str(folder))
    yield folder
    stop = "from groundplan_infra.engine import emulator; e = emulator.running(); e and emulator.stop(e)"
    subprocess.run(["uv", "run", "--quiet", "--directory", str(ROOT / "infra"), "python", "-c", stop], check=True)


def copy(source: str, folder: Path, **answers: Any) -> Path:
    """Generate a repository as a person would."""
    options = [word for name, value in {**NAME, **ANSWERS, **answers}.items() for word in ("-d", f"{name}={value}")]
    command = ["copier", "copy", "--defaults", "--quiet", *options, source, str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def blocks(path: Path) -> list[str]:
    """The lines of every sh block of a page."""
    found = re.findall(r"```sh\n(.*?)```", path.read_text(encoding="utf-8"), re.S)
    return [line for block in found for line in block.splitlines() if line]


def settings_of(project: Path) -> dict[str, str]:
    """What `make connect` wrote."""
    lines = (project / ".env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def keys(client: Any, uri: str) -> list[str]:
    """The objects below an address."""
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return [each["Key"] for each in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def needs_engine() -> None:
    """Leave the test out where there is no engine, and say why."""
    ask = "from groundplan_infra.engine import aws_plugin, cli; aws_plugin.find_plugin(cli.find_cli())"
    command = ["uv", "run", "--quiet", "--directory", str(ROOT / "infra"), "python", "-c", ask]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no engine: {done.stderr.strip().splitlines()[-1]}")


def client_of(project: Path) -> Any:
    """A client of the embedded AWS that a repository is joined to."""
    settings = settings_of(project)
    return boto3.client(
        "s3",
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name=settings["AWS_DEFAULT_REGION"],
        aws_access_key_id="emulated",
        aws_secret_access_key="emulated",
    )


def remote_of(project: Path) -> str:
    """The address that `dvc push` uses."""
    found = re.search(r"url = (s3://\S+)", (project / ".dvc" / "config.local").read_text(encoding="utf-8"))
    assert found
    return found[1]


def shell(line: str, folder: Path) -> str:
    """Run a line as a person would, who has no credentials for AWS in the shell."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        ["bash", "-ec", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=1200
    )
    assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def controls_of(project: Path) -> set[tuple[str, str]]:
    """How the controls stand in a repository's own evidence."""
    make(project, "evidence", "ENV=local")
    document = json.loads((project / "reports/evidence/local.json").read_text(encoding="utf-8"))
    findings = document["assessment-results"]["results"][0]["findings"]
    return {(each["target"]["target-id"], each["target"]["status"]["state"]) for each in findings}


@pytest.mark.slow
def test_a_repository_brings_up_its_cloud_and_uses_it(state: Path, tmp_path: Path) -> None:
    """The commands of the page, in their order."""
    needs_engine()
    project = tmp_path / "my-cloud"
    client: Any = None
    pushed: list[str] = []
    for line in blocks(ROOT / REPOSITORY_PAGE):
        if line.startswith("uvx copier"):
            copy(str(ROOT), project)
        elif not line.startswith("cd "):
            shell(line, project)
        if line.startswith("make up"):
            client = client_of(project)
            assert "Pulumi.local.yaml" not in git(project, "status", "--porcelain")
        if line == ".venv/bin/dvc push":
            pushed = keys(client, remote_of(project))
            assert pushed
        if line == "make pipeline promote":
            assert keys(client, settings_of(project)["MLFLOW_ARTIFACT_LOCATION"])
            shell(".venv/bin/dvc push && rm -rf .dvc/cache models && .venv/bin/dvc pull --force", project)
            assert len(keys(client, remote_of(project))) > len(pushed)
            assert (project / "models").is_dir()
            assert controls_of(project) >= {
                ("repo-lineage-recorded", "satisfied"),
                ("repo-audit-log-intact", "satisfied"),
            }
        if line.startswith("make destroy"):
            assert client.list_buckets()["Buckets"] == []
    assert pushed


@pytest.mark.slow
def test_a_platform_is_run_and_joined(state: Path, tmp_path: Path) -> None:
    """The commands of the page, and a repository that joins before the platform is removed."""
    needs_engine()
    project = copy(str(ROOT), tmp_path / "project", platform="shared")
    joined = False
    for line in blocks(ROOT / PLATFORM_PAGE):
        if line.startswith("make destroy"):
            make(project, "setup")
            make(project, "up", "connect", "ENV=local")
            client = client_of(project)
            assert remote_of(project).split("/")[2] in {each["Name"] for each in client.list_buckets()["Buckets"]}
            make(project, "destroy", "ENV=local")
            joined = True
        shell(line, ROOT)
    assert joined
    assert client.list_buckets()["Buckets"] == []


JUDGE = """
import datetime, sys
from dataclasses import asdict
from pathlib import Path

from groundplan_infra.stacks import graph_of
from groundplan_policies.evaluate import evaluate
from groundplan_policies.facts import from_file
from groundplan_policies.settings import make_policy, read_policy_file
from groundplan_policies.sources import from_graph

program = Path(sys.argv[1])
for environment in ("local", "dev", "staging", "prod"):
    policy = make_policy(read_policy_file(program / "policies"), from_file(program, environment))
    graph = asdict(graph_of(program / f"Pulumi.{environment}.yaml"))
    results = evaluate(from_graph(graph), policy, [], datetime.date.today()).results
    wrong = [each.control.id for each in results if each.status in ("violated", "undecided")]
    print(environment, policy.profile, *wrong)
"""


@pytest.mark.slow
@pytest.mark.parametrize("regulation", ["none", "eu-ai-act"])
@pytest.mark.parametrize("classification", ["public", "restricted"])
@pytest.mark.parametrize("platform", ["standalone", "shared"])
def test_every_environment_has_right_settings_and_keeps_its_policies(
    platform: str, classification: str, regulation: str, tmp_path: Path
) -> None:
    answers = {"platform": platform, "data_classification": classification, "regulation": regulation}
    project = copy(str(ROOT), tmp_path / "project", **answers)
    command = ["uv", "run", "--quiet", "--directory", str(ROOT / "policies"), "python", "-W", "ignore", "-c", JUDGE]
    done = subprocess.run([*command, str(project / "infra")], capture_output=True, text=True, check=False)
    profile = regulation if regulation != "none" else "regulated" if classification == "restricted" else "baseline"
    assert done.stdout.splitlines() == [f"{each} {profile}" for each in ("local", "dev", "staging", "prod")], (
        done.stderr
    )


@pytest.mark.slow
def test_the_policies_page_is_a_session_that_works() -> None:
    for line in blocks(ROOT / POLICY_PAGE):
        shell(line, ROOT)
    assert {each.suffix for each in (ROOT / "build/evidence").glob("prod.*")} == {".json", ".md", ".html"}


@pytest.mark.slow
def test_a_repository_whose_cloud_breaks_a_policy_is_stopped(tmp_path: Path) -> None:
    project = copy(str(ROOT), tmp_path / "project")
    file = project / "infra/Pulumi.prod.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("{log_days: 365}", "{log_days: 30}"), encoding="utf-8")
    done = subprocess.run(["make", "policy", "ENV=prod"], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "log-group-retention" in done.stdout
    assert "kept for 30 days, not 365" in done.stdout
    make(project, "policy", "ENV=dev")


@pytest.mark.slow
def test_infra_and_policies_are_installed_from_a_commit_of_the_template(tmp_path: Path) -> None:
    template = tmp_path / "template"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(template)], check=True)
    project = copy(f"git+file://{template}", tmp_path / "project")
    text = (project / "infra" / "pyproject.toml").read_text(encoding="utf-8")
    commit = git(template, "rev-parse", "HEAD")
    for folder in ("infra", "policies"):
        pinned = re.search(rf'git = "file://.*", rev = "([0-9a-f]+)", subdirectory = "{folder}"', text)
        assert pinned
        assert commit.startswith(pinned[1])
    assert "passed" in make(project, "policy", "ENV=dev").stdout
    cost = make(project, "cost", "ENV=dev").stdout
    assert "total before data and jobs" in cost
