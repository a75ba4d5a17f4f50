"""`copier update` from every release to the working tree: no edit is lost, no conflict appears in the user's files."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness import NAME, ROOT, TemplateRepository, UpdateResult, commit_all, documents, git

NEW = "99.0.0"
OLD = "0.0.1"
IGNORED = "MLFLOW_TRACKING_URI=http://example.org\n"
LOGO = b"\x89PNG\r\n\x1a\n\x00user"


def released_tags() -> list[str]:
    """The tags of this repository that are template releases."""
    return [tag for tag in git(ROOT, "tag", "--list", "v*").split() if re.fullmatch(r"v\d+\.\d+\.\d+", tag)]


def earlier_template(template: Path) -> None:
    """Edits that make an imagined earlier release of the working tree: another pin, another text, a file more."""
    pins = template / "questions/pins.yml"
    pins.write_text(pins.read_text().replace("2026-11-20", "2026-01-01"))
    makefile = template / "template/Makefile.jinja"
    makefile.write_text(makefile.read_text().replace("## List the tasks", "## Tasks"))
    features = template / "template/src/{{ package_name }}/model/features.py"
    features.write_text(features.read_text() + "\n# A seed that the next release changes.\n")
    (template / "template/docs/old.md").write_text("A page that the next release drops.\n")


def imagined(repository: TemplateRepository) -> None:
    repository.release(OLD, earlier_template)


def real(tag: str) -> Callable[[TemplateRepository], None]:
    return lambda repository: repository.release_from(tag, OLD)


STARTS = [pytest.param(imagined, id="imagined"), *(pytest.param(real(tag), id=tag) for tag in released_tags())]


@pytest.fixture(params=STARTS)
def repository(request: pytest.FixtureRequest, template_repository: TemplateRepository) -> TemplateRepository:
    """Two releases: an old one, and the working tree."""
    request.param(template_repository)
    template_repository.release(NEW)
    return template_repository


@pytest.fixture
def project(repository: TemplateRepository, tmp_path: Path) -> Path:
    """A repository generated from the old release."""
    return repository.copy(tmp_path / "project", OLD, NAME)


def user_owned(project: Path) -> list[str]:
    """The files that the template promises never to touch again."""
    patterns = [pattern for document in documents() for pattern in document.get("_skip_if_exists", [])]
    listed = git(project, "ls-files", *(f":(glob){pattern}**" for pattern in patterns if pattern.endswith("/")))
    listed += git(project, "ls-files", *(f":(glob){pattern}" for pattern in patterns if not pattern.endswith("/")))
    return sorted(set(listed.split()))


def edit_as_a_user(project: Path) -> dict[str, bytes]:
    """Edit every file of the user's, and add some; returns their contents."""
    for name in user_owned(project):
        path = project / name
        path.write_bytes(path.read_bytes() + b"\n# edited by the user\n")
    (project / "data").mkdir(exist_ok=True)
    (project / "data/schema.yaml").write_text("target: {type: number}\n")
    (project / "data/source.csv.dvc").write_text("outs: []\n")
    (project / "docs/logo.png").write_bytes(LOGO)
    (project / "src/harness/model/extra.py").write_text("EXTRA = 1\n")
    commit_all(project, "the user's work")
    names = [*user_owned(project), "data/schema.yaml", "data/source.csv.dvc", "docs/logo.png"]
    return {name: (project / name).read_bytes() for name in names}


def assert_nothing_lost(result: UpdateResult, mine: dict[str, bytes]) -> None:
    for name, content in mine.items():
        assert (result.project / name).read_bytes() == content, name
    assert not set(result.conflicts) & set(mine)


def test_user_owned_files_are_what_the_documents_say(project: Path) -> None:
    owned = user_owned(project)
    assert {"params.yaml", "project.mk", ".dvc/config"} <= set(owned)
    assert {name for name in owned if name.startswith("src/")} == {
        f"src/harness/model/{name}.py" for name in ("__init__", "estimator", "features", "metrics")
    }


def test_a_pristine_repository_becomes_the_new_release(
    repository: TemplateRepository, project: Path, tmp_path: Path
) -> None:
    result = repository.update(project, NEW)
    assert result.conflicts == []
    fresh = repository.copy(tmp_path / "fresh", NEW, NAME)
    owned = set(user_owned(project))
    for path in git(fresh, "ls-files").split():
        if path not in owned:
            assert (project / path).read_bytes() == (fresh / path).read_bytes(), path


def test_no_edit_of_the_users_is_lost(repository: TemplateRepository, project: Path) -> None:
    mine = edit_as_a_user(project)
    result = repository.update(project, NEW)
    assert result.conflicts == []
    assert_nothing_lost(result, mine)
    commits = yaml.safe_load(result.text(".copier-answers.yml"))["_commit"]
    assert commits == NEW


def test_git_ignored_files_survive(repository: TemplateRepository, project: Path) -> None:
    (project / ".env").write_text(IGNORED)
    (project / ".local").mkdir()
    (project / ".local/mlflow.db").write_bytes(LOGO)
    repository.update(project, NEW)
    assert (project / ".env").read_text() == IGNORED
    assert (project / ".local/mlflow.db").read_bytes() == LOGO


def test_edits_of_template_files_are_merged_or_shown(repository: TemplateRepository, project: Path) -> None:
    for name in ("README.md", "pyproject.toml", ".gitignore", ".pre-commit-config.yaml"):
        path = project / name
        path.write_text(path.read_text() + "\n# a line of the user's\n")
    commit_all(project, "edits of template files")
    result = repository.update(project, NEW)
    for name in ("README.md", "pyproject.toml", ".gitignore", ".pre-commit-config.yaml"):
        assert "# a line of the user's" in result.text(name), name


def test_an_edit_of_the_same_line_is_a_visible_conflict(
    template_repository: TemplateRepository, tmp_path: Path
) -> None:
    imagined(template_repository)
    template_repository.release(NEW)
    project = template_repository.copy(tmp_path / "project", OLD, NAME)
    makefile = project / "Makefile"
    makefile.write_text(makefile.read_text().replace("## Tasks", "## What I can do"))
    commit_all(project, "edit")
    result = template_repository.update(project, NEW)
    assert result.conflicts == ["Makefile"]
    assert "## What I can do" in result.text("Makefile")
    assert "## List the tasks" in result.text("Makefile")


def test_what_the_user_deleted_stays_deleted(repository: TemplateRepository, project: Path) -> None:
    (project / "docs/runbook.md").unlink()
    commit_all(project, "no runbook")
    repository.update(project, NEW)
    assert not (project / "docs/runbook.md").exists()


def test_updating_twice_changes_nothing(repository: TemplateRepository, project: Path) -> None:
    edit_as_a_user(project)
    repository.update(project, NEW)
    commit_all(project, "updated")
    again = repository.update(project, NEW)
    assert again.changed == []
    assert again.conflicts == []


def test_a_changed_answer_keeps_the_users_files(repository: TemplateRepository, project: Path) -> None:
    mine = edit_as_a_user(project)
    result = repository.update(project, NEW, {"framework": "lightgbm", "level": "2", "ci": "gitlab"})
    assert_nothing_lost(result, mine)
    assert "lightgbm" in result.text("pyproject.toml")
    assert "deploy:" in result.text(".gitlab-ci.yml")
    assert not (project / ".github").exists()


def test_pins_move_with_an_update(template_repository: TemplateRepository, tmp_path: Path) -> None:
    imagined(template_repository)
    template_repository.release(NEW)
    project = template_repository.copy(tmp_path / "project", OLD, NAME)
    assert 'exclude-newer = "2026-01-01' in (project / "pyproject.toml").read_text()
    result = template_repository.update(project, NEW)
    assert 'exclude-newer = "2026-01-01' not in result.text("pyproject.toml")
