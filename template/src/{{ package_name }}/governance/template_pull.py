"""`make update-check`: would a newer release of the template go in, and how? With CI_TOKEN, as a pull request.

The update happens in a clone, so the working tree may be as it is. There is one branch and one pull request: a later
run brings them up to date. It is a draft while conflicts wait for a person; its text is the report and the changelog.
"""

import argparse
import base64
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..cli import UserError, run, without_credentials
from ..settings import Settings, load_settings
from .ci_host import call, check_settings
from .template_edits import Outcome
from .template_report import changelog_between, text_report
from .template_update import CONFLICTS, apply_update, git, read_template

BRANCH = "template-update"
IDENTITY = {
    "GIT_AUTHOR_NAME": "template update",
    "GIT_AUTHOR_EMAIL": "template-update@localhost",
    "GIT_COMMITTER_NAME": "template update",
    "GIT_COMMITTER_EMAIL": "template-update@localhost",
}
SHORT = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}


def address(source: str) -> str:
    """The address that git takes, of a template as Copier names it."""
    for short, long in SHORT.items():
        if source.startswith(short):
            return long + source.removeprefix(short)
    return source.removeprefix("git+")


def read_changelog(source: str, outcome: Outcome, folder: Path) -> str:
    """What the template says to owners about the releases that come in; empty where it says nothing."""
    target = folder / "template"
    command = ["git", "clone", "--quiet", "--depth", "1", "--branch", outcome.after, address(source), str(target)]
    done = subprocess.run(command, capture_output=True, check=False)
    file = target / "CHANGELOG.md"
    if done.returncode or not file.exists():
        return ""
    return changelog_between(file.read_text(encoding="utf-8"), outcome.before, outcome.after)


def push_environment(settings: Settings, remote: str) -> dict[str, str]:
    """Variables that let git log in with the token, which so stands in no address and on no command line."""
    parts = urlsplit(remote)
    if parts.scheme not in ("http", "https") or not settings.ci_token:
        return {}
    login = base64.b64encode(f"x-access-token:{settings.ci_token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc.rpartition('@')[2]}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
    }


def commit_and_push(clone: Path, remote: str, outcome: Outcome, settings: Settings) -> None:
    """Commit the update on its branch and push it; the branch is the update's own, so it is replaced."""
    git(clone, "checkout", "--quiet", "-B", BRANCH)
    git(clone, "add", "--all")
    environment = {**os.environ, **IDENTITY, **push_environment(settings, remote)}
    message = f"Update the template from {outcome.before} to {outcome.after}"
    for words in (
        ["commit", "--quiet", "--no-verify", "--message", message],
        ["push", "--quiet", "--force", remote, f"HEAD:refs/heads/{BRANCH}"],
    ):
        done = subprocess.run(["git", *words], cwd=clone, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            told = (done.stderr.strip() or "it said nothing").splitlines()[-1]
            raise UserError(f"git {words[0]}: {without_credentials(told)}")


def open_request(host: str, settings: Settings, outcome: Outcome, body: str) -> str:
    """Open the pull request, or bring the open one up to date; returns its address."""
    title = f"Update the template to {outcome.after}"
    if host == "github":
        # https://docs.github.com/rest/pulls/pulls
        path, owner = f"/repos/{settings.ci_repository}/pulls", settings.ci_repository.split("/")[0]
        found = call(host, settings, "GET", f"{path}?state=open&head={quote(f'{owner}:{BRANCH}')}")
        if found:
            changed = call(host, settings, "PATCH", f"{path}/{found[0]['number']}", {"title": title, "body": body})
            return str(changed["html_url"])
        given: dict[str, Any] = {"title": title, "body": body, "head": BRANCH, "base": settings.ci_ref}
        return str(call(host, settings, "POST", path, given | {"draft": bool(outcome.conflicts)})["html_url"])
    # https://docs.gitlab.com/api/merge_requests
    path = f"/projects/{quote(settings.ci_repository, safe='')}/merge_requests"
    title = f"Draft: {title}" if outcome.conflicts else title
    found = call(host, settings, "GET", f"{path}?state=opened&source_branch={BRANCH}")
    given = {"title": title, "description": body}
    if found:
        return str(call(host, settings, "PUT", f"{path}/{found[0]['iid']}", given)["web_url"])
    branches = {"source_branch": BRANCH, "target_branch": settings.ci_ref}
    return str(call(host, settings, "POST", path, given | branches)["web_url"])


def check(folder: Path, copier: str, scratch: Path) -> tuple[Outcome, Path, str]:
    """Try the update in a clone; returns what it did, where, and the text of the pull request."""
    clone = scratch / "repository"
    git(folder, "clone", "--quiet", "--no-hardlinks", str(folder), str(clone))
    outcome = apply_update(clone, copier)
    if not outcome.changed:
        return outcome, clone, text_report(outcome)
    changelog = read_changelog(read_template(folder, copier).source, outcome, scratch)
    return outcome, clone, text_report(outcome) + (f"\n\n# Changelog\n\n{changelog}" if changelog else "")


def main() -> None:
    """Check, tell, and open a pull request where there is a token; exit code 3 when conflicts wait for a person."""
    parser = argparse.ArgumentParser(prog="make update-check")
    parser.add_argument("--copier", required=True)
    given = parser.parse_args()
    settings, folder = load_settings(), Path.cwd()
    host = str(read_template(folder, given.copier).answers.get("ci", "none"))
    with tempfile.TemporaryDirectory(prefix="template-check-") as scratch:
        outcome, clone, told = check(folder, given.copier, Path(scratch))
        print(told)
        if not outcome.changed:
            return
        if host in ("github", "gitlab") and settings.ci_token:
            check_settings(settings, "make update-check")
            commit_and_push(clone, git(folder, "remote", "get-url", "origin").strip(), outcome, settings)
            print(f"\n{open_request(host, settings, outcome, told)}")
        else:
            print("\nNothing is opened: that takes CI_TOKEN, and GitHub or GitLab. `make update` brings it in here.")
    if outcome.conflicts:
        sys.exit(CONFLICTS)


if __name__ == "__main__":
    run(main)
