"""`make update`: bring a newer release of the template in, and tell what became of every edit of yours.

Copier merges, but it ends with code 0 when it drops an edit: in a file that the template renamed or removed, in a
binary file, in a file that you moved. This compares the repository with what the old and the new release render, puts
back what was dropped, and lets the edits of a renamed file follow it. Exit code 3 when conflicts wait for a person.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from ..cli import UserError, run, without_credentials
from .template_edits import Files, Outcome, Tree, repair
from .template_report import text_report

ANSWERS = ".copier-answers.yml"
REPORT, JSON_REPORT = Path(".local/update.md"), Path(".local/update.json")
CURRENT = ":current:"
CONFLICTS = 3


class Template(msgspec.Struct):
    """Where the template is, which release this repository is of, its answers, and the Copier that reads them."""

    source: str
    commit: str
    answers: dict[str, Any]
    copier: str


def git(folder: Path, *arguments: str) -> str:
    """What git prints; raises UserError with its last words when it fails."""
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        told = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise UserError(f"git {arguments[0]}: {without_credentials(told)}")
    return done.stdout


def read_template(folder: Path, copier: str) -> Template:
    """What `.copier-answers.yml` says; raises UserError when it does not tell where the template is."""
    try:
        found = yaml.safe_load((folder / ANSWERS).read_text(encoding="utf-8"))
        source, commit = str(found["_src_path"]), str(found["_commit"])
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        raise UserError(f"{ANSWERS} does not tell of which release of which template this is") from None
    answers = {name: value for name, value in found.items() if not name.startswith("_")}
    return Template(source, commit, answers, copier)


def run_copier(template: Template, folder: Path, *arguments: str) -> None:
    """Run Copier without questions; raises UserError with its last words when it fails."""
    command = [os.environ.get("UV", "uv"), "tool", "run", "--quiet", f"copier@{template.copier}", *arguments]
    # The settings of the repository are of no concern to it, and .env is not where it runs.
    environment = {name: value for name, value in os.environ.items() if name != "UV_ENV_FILE"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        told = next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "it said nothing")
        raise UserError(f"copier {arguments[0]}: {without_credentials(told.strip())}")


def options(answers: dict[str, str]) -> list[str]:
    """Answers on Copier's command line."""
    return [word for name, value in answers.items() for word in ("--data", f"{name}={value}")]


def render(template: Template, target: Path, revision: str, changed: dict[str, str]) -> Files:
    """What a release renders for the answers of this repository; an empty revision is the newest release."""
    target.parent.mkdir(parents=True, exist_ok=True)
    data = target.with_suffix(".yml")
    data.write_text(yaml.safe_dump(template.answers, allow_unicode=True), encoding="utf-8")
    reference = ["--vcs-ref", revision] if revision else []
    given = ["--defaults", "--quiet", *reference, "--data-file", str(data), *options(changed)]
    run_copier(template, target.parent, "copy", *given, template.source, str(target))
    return {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def check_clean(folder: Path) -> None:
    """Raise UserError when something is not committed: an update could not be told from it."""
    changed = git(folder, "status", "--porcelain").splitlines()
    if changed:
        raise UserError(f"{len(changed)} files are not committed, {changed[0][3:]!r} first; commit or stash them")


def apply_update(folder: Path, copier: str, to: str = "", changed: dict[str, str] | None = None) -> Outcome:
    """Update a clean repository in place; the result is left uncommitted.

    Raises UserError when the tree is not clean or Copier cannot do it; then nothing has changed.
    """
    changed = changed or {}
    check_clean(folder)
    template = read_template(folder, copier)
    revision = to or (template.commit if changed else "")
    with tempfile.TemporaryDirectory(prefix="template-update-") as scratch:
        old = render(template, Path(scratch, "old"), template.commit, {})
        new = render(template, Path(scratch, "new"), revision, changed)
        reached = str(yaml.safe_load(new[ANSWERS])["_commit"])
        outcome = Outcome(before=template.commit, after=reached)
        if reached == template.commit and not changed:
            return outcome
        tree = Tree(folder, before=read_tree(folder, {*old, *new}), tracked=tracked(folder))
        run_copier(
            template,
            folder,
            "update",
            *("--defaults", "--quiet", "--conflict", "inline"),
            *("--vcs-ref", CURRENT if revision == template.commit else reached),
            *options(changed),
        )
        outcome.conflicts = unmerged(folder)
        repair(tree, old, new, outcome)
    outcome.changed = sorted(line[3:] for line in git(folder, "status", "--porcelain").splitlines())
    return outcome


def tracked(folder: Path) -> list[str]:
    """The files that git knows."""
    return [name for name in git(folder, "ls-files", "-z").split("\0") if name]


def read_tree(folder: Path, more: Iterable[str]) -> Files:
    """The files that git knows, and those of `more` that are there although git ignores them."""
    names = {*tracked(folder), *more}
    return {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}


def unmerged(folder: Path) -> list[str]:
    """The files with conflict markers."""
    return sorted({line.split("\t")[1] for line in git(folder, "ls-files", "--unmerged").splitlines()})


def parse_answers(text: str) -> dict[str, str]:
    """`name=value name=value`, quoted as in a shell; raises UserError for another form."""
    try:
        pairs = [word.partition("=") for word in shlex.split(text)]
    except ValueError as error:
        raise UserError(f"DATA: {text!r}: {error}") from None
    wrong = [name for name, separator, _ in pairs if not (name and separator)]
    if wrong:
        raise UserError(f"DATA: {wrong[0]!r} does not read name=value")
    return {name: value for name, _, value in pairs}


def main() -> None:
    """Update this repository, and tell."""
    parser = argparse.ArgumentParser(prog="make update")
    parser.add_argument("--copier", required=True)
    parser.add_argument("--to", default="")
    parser.add_argument("--data", default="")
    given = parser.parse_args()
    outcome = apply_update(Path.cwd(), given.copier, given.to, parse_answers(given.data))
    told = text_report(outcome)
    print(told)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(told + "\n", encoding="utf-8")
    JSON_REPORT.write_text(json.dumps(msgspec.to_builtins(outcome), indent=1) + "\n", encoding="utf-8")
    if outcome.conflicts:
        sys.exit(CONFLICTS)


if __name__ == "__main__":
    run(main)
