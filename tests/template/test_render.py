"""Every pair of options rendered: each file parses, is formatted, and looks written by hand."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from allpairspy import AllPairs
from pytest_copier.plugin import CopierFixture

from harness import ANSWERS_FILE, NAME, ROOT, PristineRenders, choices, commit_all, git, stored_questions

TEXTS: dict[str, list[Any]] = {
    "project_name": ["Harness", 'Ünïted 3D-modèle, the "2nd"'.replace('"', "'"), "a" * 60],
    "description": ["A model", 'It\'s "quoted", 100% of it; with a colon: and a # hash', "x" * 100],
    "owner": ["ml-team", "acme/ml-team", "ada@example.org"],
    "target_column": ["target", "Body Mass (g)", 'it\'s: "odd"'],
    "data_source": ["sklearn:wine", "s3://bucket/path/table.parquet"],
    "gate_min_skill": [0.0, 0.25],
}
RESERVED_ON_WINDOWS = re.compile(r'[<>:"|?*\\]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)


def option_values() -> dict[str, list[Any]]:
    """What each option may be: the choices of the questions, and texts that are hard to quote."""
    offered = {
        name: choices(name)
        for name, question in stored_questions().items()
        if question["type"] == "bool" or "choices" in question
    }
    return {**offered, **TEXTS}


def is_allowed(answers: dict[str, Any]) -> bool:
    """The rules between options, as the validators have them."""
    if answers.get("evidently") and not (answers.get("monitoring", True) and answers.get("serving", True)):
        return False
    if answers.get("ci_deliver") != "true":
        return True
    return bool(answers.get("serving", True) and answers.get("containers", True) and answers.get("ci_train") != "false")


def pairwise() -> list[dict[str, Any]]:
    """Option sets in which every pair of values occurs."""
    values = option_values()
    names = list(values)

    def allowed(row: list[Any]) -> bool:
        return is_allowed(dict(zip(names, row, strict=False)))

    rows = [dict(zip(names, row, strict=True)) for row in AllPairs(list(values.values()), filter_func=allowed)]
    # Where rules forbid rows, the greedy search leaves some pairs out; each of them gets a row of first values.
    first = {name: offered[0] for name, offered in values.items()}
    for pair in missing_pairs(values, rows):
        if not any(pair.items() <= row.items() for row in rows):
            rows.append({**first, **pair})
    return rows


def missing_pairs(values: dict[str, list[Any]], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The allowed pairs of values that occur in no row."""
    seen = {(a, str(row[a]), b, str(row[b])) for row in rows for a in values for b in values}
    return [
        {a: x, b: y}
        for a in values
        for b in values
        for x in values[a]
        for y in values[b]
        if a < b and is_allowed({a: x, b: y}) and (a, str(x), b, str(y)) not in seen
    ]


OPTION_SETS = pairwise()


def identify(answers: dict[str, Any]) -> str:
    """A short name of an option set."""
    return "-".join(str(answers[name]) for name in ("task", "framework", "level", "ci"))


@pytest.fixture(params=OPTION_SETS, ids=identify)
def project(request: pytest.FixtureRequest, renders: PristineRenders) -> Path:
    return renders.get(request.param)


def files(project: Path) -> Iterator[Path]:
    return (path for path in project.rglob("*") if path.is_file())


def test_pairs_are_complete() -> None:
    assert missing_pairs(option_values(), OPTION_SETS) == []
    assert all(is_allowed(row) for row in OPTION_SETS)


def test_every_file_parses(project: Path) -> None:
    for path in files(project):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".py":
            ast.parse(text, filename=str(path))
        elif path.suffix in (".yaml", ".yml"):
            assert yaml.safe_load(text), path
        elif path.suffix == ".toml":
            assert tomllib.loads(text), path
        elif path.suffix == ".json":
            json.loads(text)


def test_no_brace_is_left_over(project: Path) -> None:
    for path in files(project):
        # GitHub's expressions, and the labels in Prometheus' texts.
        text = re.sub(r"\$\{\{.*?\}\}|\{\{ \$labels\.\w+ \}\}", "", path.read_text(encoding="utf-8"))
        leftover = re.search(r"\{\{|\{%|%\}", text)
        assert not leftover, f"{path}: {leftover}"


def test_python_is_formatted_and_clean(project: Path) -> None:
    for command in (["ruff", "format", "--check", "--no-cache"], ["ruff", "check", "--no-cache"]):
        done = subprocess.run([*command, "."], cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_no_scar_of_a_template(project: Path) -> None:
    for path in files(project):
        text = path.read_text(encoding="utf-8")
        assert not text.startswith("\n"), path
        assert "\n\n\n\n" not in text, path
        assert path.suffix == ".py" or "\n\n\n" not in text, path
        assert not re.search(r"[ \t]+\n", text), path
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), path


def test_file_names_are_legal_on_windows(project: Path) -> None:
    names = [path.relative_to(project) for path in project.rglob("*")]
    for name in names:
        assert not any(RESERVED_ON_WINDOWS.search(part) for part in name.parts), name
        assert len(str(name)) < 200, name
    assert len({str(name).lower() for name in names}) == len(names)


def test_documents_name_only_tasks_that_exist(project: Path) -> None:
    tasks = set(re.findall(r"^([a-z]+):", (project / "Makefile").read_text(encoding="utf-8"), re.M))
    documents = [*project.glob("*.md"), *(project / "docs").rglob("*.md")]
    for path in [
        *documents,
        project / ".env.example",
        *project.glob(".gitlab-ci.yml"),
        *project.glob(".github/**/*.yml"),
    ]:
        text = path.read_text(encoding="utf-8")
        named = re.findall(r"(?:^|[`\s])make ((?:[a-z]+ ?)+)", text, re.M) if path.suffix == ".md" else []
        named += re.findall(r"(?:run:|-) make ([a-z]+)", text)
        code = {word for words in named for word in words.split()} if path.suffix != ".md" else set()
        code |= {word for words in re.findall(r"`make ([a-z ]+)", text) for word in words.split()}
        code |= {word for words in re.findall(r"^make ([a-z ]+)", text, re.M) for word in words.split()}
        assert code <= tasks, f"{path}: {code - tasks}"


def test_documents_link_to_files_that_exist(project: Path) -> None:
    for path in [*project.glob("*.md"), *(project / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text(encoding="utf-8")):
            assert link.startswith("http") or (path.parent / link).exists(), f"{path}: {link}"


def test_nothing_of_an_option_that_is_off(project: Path) -> None:
    answers = yaml.safe_load((project / ANSWERS_FILE).read_text(encoding="utf-8"))
    present = {str(path.relative_to(project)) for path in files(project)}
    text = "\n".join(path.read_text(encoding="utf-8") for path in files(project))
    for framework in {"xgboost", "lightgbm"} - {answers["framework"]}:
        assert framework not in text.replace(answers["project_name"], "").lower(), framework
    assert any(".github" in name for name in present) == (answers["ci"] == "github")
    assert (".gitlab-ci.yml" in present) == (answers["ci"] == "gitlab")
    assert any("Dockerfile" in name for name in present) == answers["containers"]
    assert any("/serving/" in name for name in present) == answers["serving"]
    assert ("granian" in text) == answers["serving"]
    assert any(name.endswith("reference.py") for name in present) == answers["monitoring"]
    assert ("LICENSE" in present) == (answers["licence"] != "proprietary")


@pytest.mark.parametrize("folder", [ROOT, None], ids=["ours", "generated"])
def test_the_commit_hooks_are_valid_and_local(renders: PristineRenders, folder: Path | None) -> None:
    config = (folder or renders.get({})) / ".pre-commit-config.yaml"
    done = subprocess.run(["pre-commit", "validate-config", str(config)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert {repository["repo"] for repository in yaml.safe_load(config.read_text())["repos"]} == {"local"}


def test_git_ignored_files_are_never_rendered(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    git(project, "init", "--quiet")
    assert git(project, "status", "--porcelain", "--ignored=matching").count("!!") == 0


def test_rendering_twice_gives_the_same(copier: CopierFixture, tmp_path: Path) -> None:
    one = copier.copy(tmp_path / "one", **NAME)
    two = copier.copy(tmp_path / "two", **NAME)
    one.assert_equal(two.path)
    one.assert_answers(two.path)


def test_answers_are_complete(copier: CopierFixture, tmp_path: Path) -> None:
    project = copier.copy(tmp_path / "project", **NAME, level="2", framework="lightgbm")
    assert set(project.answers) == set(stored_questions())
    assert project.answers["level"] == "2"


def test_the_level_presets_follow_a_later_change(copier: CopierFixture, tmp_path: Path) -> None:
    project = copier.copy(tmp_path / "project", **NAME, level="0")
    git(project.path, "init", "--quiet")
    commit_all(project.path, "start")
    assert "train:" not in (project / ".github/workflows/ci.yml").read_text()
    project.update(level="2")
    assert "deploy:" in (project / ".github/workflows/ci.yml").read_text()


def test_without_symlinks_the_result_is_the_same(renders: PristineRenders) -> None:
    assert not [path for path in renders.template.rglob("*") if path.is_symlink()]
    assert not [path for path in renders.get({}).rglob("*") if path.is_symlink()]
