"""A release is made from its tag and the changelog; this repository's own workflows run what a laptop runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from harness import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
sys.path.insert(0, str(ROOT / "scripts"))
import release  # noqa: E402

LOG = "# Changelog\n\n## 1.2.0 (2027-01-02)\n\nNew.\n\n## 1.1.0 (unreleased)\n\nSoon.\n\n## 1.0.0 (2026-12-01)\n\n"


def test_the_notes_are_the_section_of_the_tag() -> None:
    assert release.version_of("v1.2.0") == "1.2.0"
    assert release.notes_for("1.2.0", LOG) == "New.\n"


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("1.2.0", "is no release"),
        ("v1.2", "is no release"),
        ("v1.1.0", "is unreleased; put the date there"),
        ("v1.0.0", "says nothing about 1.0.0"),
        ("v9.9.9", "has no section `## 9.9.9`"),
    ],
)
def test_what_is_not_ready_is_refused(tag: str, message: str) -> None:
    with pytest.raises(release.ReleaseError, match=message):
        release.notes_for(release.version_of(tag), LOG)


@pytest.mark.slow
@pytest.mark.parametrize("name", release.DISTRIBUTIONS)
def test_the_distributions_carry_the_version_of_the_tag(name: str, tmp_path: Path) -> None:
    release.build(name, "7.8.9", tmp_path)
    assert {path.name for path in tmp_path.glob("groundplan*")} == {
        f"groundplan_{name}-7.8.9-py3-none-any.whl",
        f"groundplan_{name}-7.8.9.tar.gz",
    }


def test_the_workflows_run_the_readmes_commands() -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    runs = [step["run"] for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"] if "run" in step]
    assert {"bash .ci/run", "make docs"} <= set(runs)
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["jobs"]["pass"]["needs"] == ["test", "docs"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_the_workflows_keep_their_schema_and_zizmor_finds_nothing(path: Path) -> None:
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)],
        ["zizmor", "--offline", "--quiet", str(path)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_actions_and_tools_are_pinned_as_in_generated_repositories() -> None:
    pins = yaml.safe_load((ROOT / "questions/pins.yml").read_text(encoding="utf-8"))
    pinned = {f"{action}@{pin}" for action, pin in pins["github_actions"]["default"].items()}
    for path in WORKFLOWS:
        used = re.findall(r"uses: ([\w/-]+@.*)", path.read_text(encoding="utf-8"))
        assert set(used) <= pinned, path
        versions = set(re.findall(r'version: "(.*)"', path.read_text(encoding="utf-8")))
        assert versions <= {pins["uv_version"]["default"]}
    assert f'"copier=={pins["copier_version"]["default"]}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert pins["uv_version"]["default"] in (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        named = set(re.findall(r"copier@(\S+)", path.read_text(encoding="utf-8")))
        assert named <= {pins["copier_version"]["default"]}, path
