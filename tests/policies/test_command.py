"""The commands: exit codes, and one line for what a person can put right."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import INFRA
from mutations import MUTATIONS

POLICIES = INFRA.parent / "policies"


def run(*words: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the pack."""
    command = [sys.executable, "-W", "ignore", "-m", "groundplan_policies", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, input=stdin)


PLATFORM = ("--program", str(INFRA), "--policies", str(POLICIES), "--stack", "prod")


def test_a_clean_program_passes() -> None:
    done = run("check", *PLATFORM)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("stack prod, profile baseline: passed")


def test_a_violation_fails_and_says_what_to_do(graphs: Any, tmp_path: Path) -> None:
    graph = json.loads(json.dumps(graphs("prod")[0]))
    MUTATIONS["rds-no-public-access"][0].change(graph)
    file = tmp_path / "graph.json"
    file.write_text(json.dumps(graph))
    done = run("check", *PLATFORM, "--graph", str(file))
    assert done.returncode == 1
    assert "mandatory  violated   rds-no-public-access" in done.stdout
    assert "-> Set `publiclyAccessible` to false" in done.stdout
    assert run("check", *PLATFORM, "--graph", "-", stdin=file.read_text()).stdout == done.stdout


def test_evidence_is_written_for_a_failure_too(graphs: Any, tmp_path: Path) -> None:
    graph = json.loads(json.dumps(graphs("prod")[0]))
    MUTATIONS["rds-no-public-access"][0].change(graph)
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    out = tmp_path / "out"
    words = ("--graph", str(tmp_path / "graph.json"), "--out", str(out), "--repository", str(tmp_path))
    done = run("evidence", *PLATFORM, *words)
    assert done.returncode == 1
    assert sorted(each.name for each in out.iterdir()) == ["prod.html", "prod.json", "prod.md"]
    assert "repo-model-card-complete" in (out / "prod.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--stack", "qa"), "Pulumi.qa.yaml does not exist; stacks here: dev, local, prod, staging"),
        (("--graph", "nowhere.json"), "nowhere.json cannot be read"),
        (("--graph", "-"), "standard input: not JSON"),
        (("--policies", "nowhere"), "nowhere is no folder"),
        (("--program", "nowhere"), "does not exist; stacks here: none"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(words: tuple[str, ...], message: str) -> None:
    done = run("check", *PLATFORM, *words, stdin="")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_wrong_program_is_told_by_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.prod.yaml").write_text("config: {'groundplan:environment': prod, 'groundplan:nmae': x}")
    done = run("check", "--program", str(tmp_path), "--policies", str(POLICIES), "--stack", "prod")
    assert done.returncode == 2
    assert "groundplan:nmae: is not a key" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("evidence", *PLATFORM, "--out", str(tmp_path / "file"))
    assert done.returncode == 2
    assert "file" in done.stderr.splitlines()[-1]


def test_a_pack_with_a_mistake_ends_with_a_line(tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text((POLICIES / "__main__.py").read_text())
    (tmp_path / "waivers.yaml").write_text("waivers: [{control: nope}]")
    done = subprocess.run([sys.executable, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "waivers.0" in done.stderr
    assert len(done.stderr.splitlines()) == 1
