"""What pytest-copier lacks, on Copier's public API.

Answers checked against the questions, pristine renders kept for the run, template releases made from edits, updates
between them, and the conflicts and losses that an update leaves.
"""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from copier import run_copy, run_update

ROOT = Path(__file__).parents[1]
TEMPLATE_PATHS = ["copier.yml", "questions", "includes", "template"]
ANSWERS_FILE = ".copier-answers.yml"
NAME = {"project_name": "Harness", "budget_email": "team@example.com"}
Answers = Mapping[str, Any]


class IncludeLoader(yaml.SafeLoader):
    """YAML with `!include`, kept as the name of the included file."""


IncludeLoader.add_constructor("!include", lambda loader, node: {"!include": str(node.value)})


@cache
def documents() -> list[dict[str, Any]]:
    """The documents of copier.yml, in order."""
    return list(yaml.load_all((ROOT / "copier.yml").read_text(encoding="utf-8"), IncludeLoader))


@cache
def includes() -> list[str]:
    """The files that copier.yml includes, in order."""
    return [document["!include"] for document in documents() if "!include" in document]


@cache
def questions() -> dict[str, dict[str, Any]]:
    """Every question, in the order in which it is asked."""
    found: dict[str, dict[str, Any]] = {}
    for name in includes():
        found |= yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


def stored_questions() -> dict[str, dict[str, Any]]:
    """The questions whose answers a repository keeps."""
    return {name: question for name, question in questions().items() if question.get("when") is not False}


def choices(name: str) -> list[Any]:
    """The values that a question offers; booleans offer both."""
    question = questions()[name]
    if question["type"] == "bool":
        return [True, False]
    offered = question["choices"]
    return list(offered.values()) if isinstance(offered, dict) else list(offered)


def check_answers(answers: Answers) -> None:
    """Copier swallows answers to questions that do not exist; a test must not."""
    unknown = set(answers) - set(stored_questions())
    if unknown:
        raise KeyError(f"no such question: {sorted(unknown)}")


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def git_url(repository: Path) -> str:
    """The address by which Copier takes a local folder for a git repository, as it would a remote one."""
    return f"git+{repository.as_uri()}"


def commit_all(folder: Path, message: str) -> None:
    """Commit everything, without the hooks of the repository."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--no-verify", "--message", message)


def copy_template(destination: Path, source: Path = ROOT) -> None:
    """The parts of this repository that Copier reads."""
    for name in TEMPLATE_PATHS:
        if (source / name).is_dir():
            shutil.copytree(source / name, destination / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source / name, destination / name)


@dataclass
class TemplateRepository:
    """A git repository of template releases, in which tests make releases of their own."""

    path: Path

    def clear(self) -> None:
        """Remove the files of the release before."""
        for name in TEMPLATE_PATHS:
            target = self.path / name
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)

    def release(self, tag: str, edit: Callable[[Path], None] | None = None) -> None:
        """Release the working tree of this repository, after an edit."""
        self.clear()
        copy_template(self.path)
        if edit:
            edit(self.path)
        commit_all(self.path, tag)
        git(self.path, "tag", tag)

    def release_from(self, revision: str, tag: str) -> None:
        """Release what an old revision of this repository held."""
        self.clear()
        archive = subprocess.run(
            ["git", "archive", revision, *TEMPLATE_PATHS], cwd=ROOT, capture_output=True, check=True
        ).stdout
        subprocess.run(["tar", "--extract", "--directory", str(self.path)], input=archive, check=True)
        commit_all(self.path, tag)
        git(self.path, "tag", tag)

    def copy(self, destination: Path, tag: str, answers: Answers) -> Path:
        """Render a release into a committed git repository."""
        check_answers(answers)
        run_copy(git_url(self.path), destination, data=dict(answers), defaults=True, quiet=True, vcs_ref=tag)
        git(destination, "init", "--quiet", "--initial-branch", "main")
        commit_all(destination, "generated")
        return destination

    def update(self, project: Path, tag: str, answers: Answers | None = None) -> "UpdateResult":
        """Update a committed repository to a release and look at what is left."""
        check_answers(answers or {})
        before = {path: (project / path).read_bytes() for path in tracked(project)}
        run_update(project, data=dict(answers or {}), defaults=True, overwrite=True, quiet=True, vcs_ref=tag)
        return UpdateResult(project, before)


def tracked(project: Path) -> list[str]:
    """The files that git knows, and still has."""
    return [path for path in git(project, "ls-files", "-z").split("\0") if path and (project / path).is_file()]


@dataclass
class UpdateResult:
    """A repository after an update, and its files before."""

    project: Path
    before: dict[str, bytes]

    @property
    def conflicts(self) -> list[str]:
        """Files with conflict markers or an unmerged index entry."""
        unmerged = {line.split("\t")[1] for line in git(self.project, "ls-files", "--unmerged").splitlines()}
        marked = {
            str(path.relative_to(self.project))
            for path in self.project.rglob("*")
            if path.is_file() and ".git" not in path.parts and b"<<<<<<<" in path.read_bytes()
        }
        return sorted(unmerged | marked)

    @property
    def changed(self) -> list[str]:
        """Files that the update changed, added or removed."""
        return sorted(line[3:] for line in git(self.project, "status", "--porcelain").splitlines())

    def text(self, path: str) -> str:
        """A file after the update."""
        return (self.project / path).read_text(encoding="utf-8")


class PristineRenders:
    """One render for each set of answers and run, shared by the workers; tests copy it or only read it."""

    def __init__(self, template: Path, folder: Path) -> None:
        self.template, self.folder = template, folder

    def get(self, answers: Answers) -> Path:
        """The render of these answers; read only."""
        complete = {**NAME, **answers}
        check_answers(complete)
        key = hashlib.sha256(json.dumps(complete, sort_keys=True).encode()).hexdigest()[:16]
        target = self.folder / key
        if not target.exists():
            staging = self.folder / f"{key}-{os.getpid()}"
            run_copy(git_url(self.template), staging, data=complete, defaults=True, quiet=True)
            try:
                staging.rename(target)
            except OSError:
                shutil.rmtree(staging)
        return target

    def copy(self, answers: Answers, destination: Path) -> Path:
        """A render of one's own."""
        shutil.copytree(self.get(answers), destination)
        return destination
