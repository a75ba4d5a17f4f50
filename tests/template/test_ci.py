"""Every CI system renders the one list of stages, keeps its published schema, and runs."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader

from harness import ROOT, PristineRenders, commit_all, git

LEVELS = ["0", "1", "2"]
FILES = {"github": ".github/workflows/ci.yml", "gitlab": ".gitlab-ci.yml"}
NOT_STAGES = {"pass", "stages", "workflow", "variables", "default"}


def stage_list(level: str, platform: str = "none") -> list[dict[str, Any]]:
    """The stages as includes/ci_stages.jinja has them."""
    environment = Environment(loader=FileSystemLoader(ROOT), autoescape=False)
    answers = {"trains": level in "12", "delivers": level == "2", "newest_python": "3.13", "platform": platform}
    module = environment.get_template("includes/ci_stages.jinja").make_module(answers)
    return list(module.stages)  # type: ignore[attr-defined]


def jobs_of(system: str, project: Path) -> dict[str, Any]:
    """The jobs of a CI file, by name."""
    content = yaml.safe_load((project / FILES[system]).read_text(encoding="utf-8"))
    jobs = content["jobs"] if system == "github" else content
    return {name: job for name, job in jobs.items() if name not in NOT_STAGES}


def tasks_of(job: dict[str, Any]) -> list[str]:
    """The make tasks that a job calls, but for the set-up."""
    commands = [step["run"] for step in job["steps"] if "run" in step] if "steps" in job else job["script"]
    return [command.removeprefix("make ") for command in commands if command != "make setup"]


CLOUD = {"platform": "standalone", "budget_email": "team@example.com"}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("system", FILES)
@pytest.mark.parametrize("platform", ["none", "standalone"])
def test_every_system_has_every_stage(renders: PristineRenders, system: str, level: str, platform: str) -> None:
    cloud = CLOUD if platform != "none" else {}
    jobs = jobs_of(system, renders.get({"ci": system, "level": level, **cloud}))
    stages = stage_list(level, platform)
    assert any(stage["name"] == "policy" for stage in stages) == (platform != "none")
    assert list(jobs) == [stage["name"] for stage in stages]
    for stage in stages:
        job = jobs[stage["name"]]
        assert tasks_of(job) == stage["tasks"], stage["name"]
        assert job.get("needs", []) == stage.get("needs", []), stage["name"]
        assert ("environment" in job) == ("environment" in stage), stage["name"]
        assert bool(job.get("if") or job.get("rules")) == (stage["on"] != "change"), stage["name"]


def test_a_missing_stage_is_noticed(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({"ci": "gitlab", "level": "2"}, tmp_path / "project")
    path = project / FILES["gitlab"]
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    del content["deploy"]
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert list(jobs_of("gitlab", project)) != [stage["name"] for stage in stage_list("2")]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("system", "schema"), [("github", "vendor.github-workflows"), ("gitlab", "vendor.gitlab-ci")])
def test_the_published_schema_holds(renders: PristineRenders, system: str, schema: str, level: str) -> None:
    path = renders.get({"ci": system, "level": level}) / FILES[system]
    done = subprocess.run(["check-jsonschema", "--builtin-schema", schema, str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("level", LEVELS)
def test_zizmor_finds_nothing(renders: PristineRenders, level: str) -> None:
    path = renders.get({"ci": "github", "level": level}) / FILES["github"]
    done = subprocess.run(["zizmor", "--offline", "--quiet", str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_github_is_pinned_limited_and_closes_with_one_job(renders: PristineRenders) -> None:
    text = (renders.get({"level": "2"}) / FILES["github"]).read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    for action in re.findall(r"uses: (\S+)", text):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
    assert content["permissions"] == {"contents": "read"}
    assert "cancel-in-progress" in content["concurrency"]
    assert content["jobs"]["pass"]["needs"] == [stage["name"] for stage in stage_list("2")]


def test_delivery_runs_on_the_main_branch_only(renders: PristineRenders) -> None:
    jobs = jobs_of("github", renders.get({"level": "2"}))
    for name in ("train", "images", "deploy"):
        assert "refs/heads/main" in jobs[name]["if"]
        assert "pull_request" in jobs[name]["if"]


def stand_ins(folder: Path) -> list[str]:
    """Stand-ins for the actions, which cannot be fetched here; the runner checks the repository out by itself."""
    arguments = []
    pins = yaml.safe_load((ROOT / "questions/pins.yml").read_text(encoding="utf-8"))["github_actions"]["default"]
    for action, pin in pins.items():
        path = folder / action.replace("/", "-")
        path.mkdir(parents=True)
        (path / "action.yml").write_text(
            "name: stand-in\ndescription: does nothing\nruns:\n  using: composite\n"
            "  steps:\n    - run: 'true'\n      shell: bash\n"
        )
        git(path, "init", "--quiet")
        commit_all(path, "stand-in")
        arguments += ["--local-repository", f"{action}@{pin.split()[0]}={path}"]
    return arguments


@pytest.mark.slow
def test_the_github_workflow_runs_on_this_machine(renders: PristineRenders, tmp_path: Path) -> None:
    """The whole workflow of level 1, by act, without containers; see stand_ins for what is not the real thing."""
    project = renders.copy({"level": "1"}, tmp_path / "project")
    workflow = project / FILES["github"]
    if subprocess.run(["uv", "python", "find", "--offline", "3.13"], capture_output=True).returncode != 0:
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        workflow.write_text(workflow.read_text().replace('UV_PYTHON: "3.13"', f'UV_PYTHON: "{here}"'))
    environment = {**os.environ, "HOME": str(tmp_path / "home"), "UV_CACHE_DIR": uv_cache()}
    (tmp_path / "home").mkdir()
    subprocess.run(["make", "setup"], cwd=project, env=os.environ, check=True, capture_output=True)
    commit_all(project, "all of it")
    git(project, "branch", "--move", "--force", "main")
    shutil.rmtree(project / ".venv")
    done = subprocess.run(
        [
            "act",
            "push",
            "--platform",
            "ubuntu-latest=-self-hosted",
            "--no-cache-server",
            *stand_ins(tmp_path / "actions"),
        ],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    for stage in stage_list("1"):
        assert (f"ci/{stage['title']}" in done.stdout) == (stage["on"] != "schedule"), stage["name"]
    pushed = [stage for stage in stage_list("1") if stage["on"] != "schedule"]
    assert done.stdout.count("Job succeeded") == len(pushed) + 1
    assert "Version 1 is the champion" in done.stdout


def uv_cache() -> str:
    """The cache of packages, which is shared to save downloads."""
    return subprocess.run(["uv", "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()
