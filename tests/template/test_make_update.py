"""`make update` and `make update-check` of a generated repository, against releases of the template."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import NAME, ROOT, TemplateRepository, commit_all, git

NEW, OLD = "99.0.0", "0.0.1"
TOKEN = "T0-token-that-nobody-may-see"
LOGO, OTHER_LOGO = b"\x89PNG\r\n\x1a\n\x00old", b"\x89PNG\r\n\x1a\n\x00users"
COPIER = yaml.safe_load((ROOT / "questions/pins.yml").read_text(encoding="utf-8"))["copier_version"]["default"]
LINE = "A line of the user's.\n"


def old_release(template: Path) -> None:
    """An imagined release before the working tree: files that are renamed, removed and changed since."""
    root = template / "template"
    (root / "docs/runbook.md.jinja").rename(root / "docs/operation.md.jinja")
    (root / "docs/old.md").write_text("# Old\n\nA page that the next release drops.\n")
    (root / "docs/logo.png").write_bytes(LOGO)
    (root / "local-settings.ini").write_text("[settings]\n")
    ignore = root / ".gitignore"
    ignore.write_text(ignore.read_text() + "/local-settings.ini\n")
    makefile = root / "Makefile.jinja"
    makefile.write_text(makefile.read_text().replace("## List the tasks", "## Tasks"))
    contributing = root / "CONTRIBUTING.md.jinja"
    contributing.write_text(contributing.read_text().replace("# Contributing", "# How to contribute"))


def new_release(template: Path) -> None:
    """The working tree, with the binary and the ignored file of the release before."""
    root = template / "template"
    (root / "docs/logo.png").write_bytes(LOGO)
    (root / "local-settings.ini").write_text("[settings]\nmore = 1\n")
    ignore = root / ".gitignore"
    ignore.write_text(ignore.read_text() + "/local-settings.ini\n")
    (template / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 99.0.0\n\nThe runbook has another name.\n\n## 0.0.1\n\nOld.\n"
    )


@pytest.fixture
def project(template_repository: TemplateRepository, tmp_path: Path) -> Path:
    """A repository of the old release, with a newer one to go to."""
    template_repository.release(OLD, old_release)
    template_repository.release(NEW, new_release)
    return template_repository.copy(tmp_path / "project", OLD, NAME)


def task(project: Path, module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What `make update` and `make update-check` run, without the environment that training needs."""
    packages = [word for name in ("msgspec", "pyyaml") for word in ("--with", name)]
    command = ["uv", "run", "--quiet", "--no-project", *packages, "python", "-m", f"harness.governance.{module}"]
    return subprocess.run(
        [*command, "--copier", COPIER, *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": "src", "UV": str(shutil.which("uv")), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def outcome_of(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project / ".local/update.json").read_text(encoding="utf-8"))
    return found


def append(path: Path) -> None:
    path.write_text(path.read_text(encoding="utf-8") + LINE, encoding="utf-8")


@pytest.mark.slow
def test_every_kind_of_edit_survives_or_is_told(project: Path) -> None:
    for name in ("params.yaml", "README.md", "docs/operation.md", "docs/old.md"):
        append(project / name)
    (project / "docs/logo.png").write_bytes(OTHER_LOGO)
    (project / "local-settings.ini").write_text("[settings]\nmine = 1\n")
    (project / "docs/mine.md").write_text(LINE)
    (project / "CODEOWNERS").unlink()
    (project / "handbook").mkdir()
    (project / "CONTRIBUTING.md").rename(project / "handbook/contributing.md")
    commit_all(project, "the user's work")

    done = task(project, "template_update")
    assert done.returncode == 0, done.stdout + done.stderr
    assert LINE in (project / "params.yaml").read_text()
    assert LINE in (project / "README.md").read_text()
    runbook = (project / "docs/runbook.md").read_text()
    assert LINE in runbook
    assert "For whoever is on call" in runbook
    assert not (project / "docs/operation.md").exists()
    assert LINE in (project / "docs/old.md").read_text()
    assert (project / "docs/logo.png").read_bytes() == OTHER_LOGO
    assert (project / "local-settings.ini").read_text() == "[settings]\nmine = 1\n"
    assert (project / "docs/mine.md").read_text() == LINE
    assert not (project / "CODEOWNERS").exists()
    assert not (project / "CONTRIBUTING.md").exists()
    assert (project / "handbook/contributing.md").read_text().startswith("# Contributing")

    outcome = outcome_of(project)
    assert (outcome["before"], outcome["after"], outcome["conflicts"]) == (OLD, NEW, [])
    assert sorted(map(tuple, outcome["followed"])) == [
        ("CONTRIBUTING.md", "handbook/contributing.md"),
        ("docs/operation.md", "docs/runbook.md"),
    ]
    assert outcome["kept"] == ["docs/logo.png", "docs/old.md"]
    assert outcome["deleted"] == ["CODEOWNERS"]
    for name in ("docs/operation.md → docs/runbook.md", "docs/old.md", "No conflict"):
        assert name in done.stdout

    commit_all(project, "updated")
    again = task(project, "template_update")
    assert f"of the newest release, {NEW}" in again.stdout
    assert git(project, "status", "--porcelain") == ""


@pytest.mark.slow
def test_a_conflict_is_shown_counted_and_fails(project: Path) -> None:
    makefile = project / "Makefile"
    makefile.write_text(makefile.read_text().replace("## Tasks", "## What I can do"))
    commit_all(project, "edit")
    done = task(project, "template_update", "--to", NEW)
    assert done.returncode == 3
    assert "1 conflicts wait for you" in done.stdout
    assert "- Makefile" in done.stdout
    text = makefile.read_text()
    assert "## What I can do" in text
    assert "## List the tasks" in text


@pytest.mark.slow
def test_a_renamed_package_takes_the_users_code_along(project: Path) -> None:
    append_code = "\nEXTRA = 1\n"
    features = project / "src/harness/model/features.py"
    features.write_text(features.read_text() + append_code)
    (project / "src/harness/model/mine.py").write_text("MINE = 1\n")
    commit_all(project, "the user's code")
    done = task(project, "template_update", "--to", NEW, "--data", "package_name=churn level=2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "src/churn/model/features.py").read_text().endswith(append_code)
    assert (project / "src/churn/model/mine.py").read_text() == "MINE = 1\n"
    assert not list((project / "src/harness").rglob("*.py"))
    assert "deploy:" in (project / ".github/workflows/ci.yml").read_text()


@pytest.mark.slow
def test_mistakes_are_one_line_and_change_nothing(project: Path) -> None:
    before = git(project, "rev-parse", "HEAD")
    for arguments, message in (
        (["--to", "no-such-release"], "error: copier copy"),
        (["--data", "level"], "does not read name=value"),
        (["--data", "level=9"], "error: copier copy"),
    ):
        done = task(project, "template_update", *arguments)
        assert done.returncode == 1, done.stdout
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    append(project / "README.md")
    done = task(project, "template_update")
    assert "1 files are not committed, 'README.md' first" in done.stderr
    assert git(project, "rev-parse", "HEAD") == before
    assert git(project, "status", "--porcelain") == " M README.md\n"


@contextmanager
def host(open_requests: list[dict[str, Any]]) -> Iterator[tuple[str, list[tuple[str, str, Any, str]]]]:
    """A stand-in for GitHub and GitLab: its address, and the calls that came: method, path, body, credentials."""
    calls: list[tuple[str, str, Any, str]] = []

    class Api(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            shown = self.headers.get("authorization") or self.headers.get("private-token") or ""
            calls.append((self.command, self.path, body, shown))
            found: Any = (
                open_requests if self.command == "GET" else {"html_url": "https://h/1", "web_url": "https://l/1"}
            )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        do_GET = do_POST = do_PATCH = do_PUT = answer  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("system", "path", "again"),
    [
        ("github", "/repos/acme/churn/pulls", ("PATCH", "/repos/acme/churn/pulls/7")),
        ("gitlab", "/projects/acme%2Fchurn/merge_requests", ("PUT", "/projects/acme%2Fchurn/merge_requests/7")),
    ],
)
@pytest.mark.slow
def test_ci_opens_one_request_and_brings_it_up_to_date(
    template_repository: TemplateRepository, tmp_path: Path, system: str, path: str, again: tuple[str, str]
) -> None:
    template_repository.release(OLD, old_release)
    template_repository.release(NEW, new_release)
    (template_repository.path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## 99.0.0\n\nThe runbook has another name.\n"
    )
    commit_all(template_repository.path, "changelog")
    git(template_repository.path, "tag", "--force", NEW)
    project = template_repository.copy(tmp_path / "project", OLD, {**NAME, "ci": system})
    append(project / "docs/operation.md")
    commit_all(project, "the user's work")
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", str(remote))
    git(project, "remote", "add", "origin", str(remote))

    quiet = task(project, "template_pull")
    assert "Nothing is opened: that takes CI_TOKEN" in quiet.stdout, quiet.stderr
    assert git(project, "status", "--porcelain") == ""
    settings = {"CI_TOKEN": TOKEN, "CI_REPOSITORY": "acme/churn", "CI_REF": "trunk"}
    with host([]) as (url, calls):
        done = task(project, "template_pull", CI_API_URL=url, **settings)
    assert done.returncode == 0, done.stderr
    (_, asked, _, shown), (method, called, body, _) = calls
    assert asked.startswith(path)
    assert "template-update" in asked
    assert TOKEN in shown
    assert (method, called) == ("POST", path)
    text = body["body"] if system == "github" else body["description"]
    assert "docs/operation.md → docs/runbook.md" in text
    assert "The runbook has another name." in text
    assert "trunk" in body.values()
    assert LINE in git(remote, "show", "template-update:docs/runbook.md")
    assert git(project, "status", "--porcelain") == ""

    with host([{"number": 7, "iid": 7}]) as (url, calls):
        assert task(project, "template_pull", CI_API_URL=url, **settings).returncode == 0
    assert calls[-1][:2] == again
    for told in (done.stdout, done.stderr, git(remote, "log", "-p", "template-update")):
        assert TOKEN not in told
