"""`make setup`, after the environment is there: git repository, data, hooks, first commit. Safe to run again."""

import subprocess
import sys
from pathlib import Path

from ..cli import UserError, run
from ..governance.lineage import git
from . import data


def has_repository() -> bool:
    """Whether this folder is a git repository, or a tracked part of a larger one."""
    top = git("rev-parse", "--show-toplevel")
    return top is not None and (Path(top).resolve() == Path.cwd() or bool(git("ls-files", "--", ".")))


def install_hooks() -> None:
    """Install the hooks of .pre-commit-config.yaml, unless git has a hook path or the repository is a larger one."""
    if git("config", "core.hooksPath"):
        print("git's core.hooksPath is set, so hooks are left alone; run `pre-commit run` from your own.")
        return
    top = git("rev-parse", "--show-toplevel")
    if top and Path(top).resolve() != Path.cwd():
        print(f"The hooks of {top} are left alone; let them run those of .pre-commit-config.yaml here.")
        return
    command = [sys.executable, "-m", "pre_commit", "install"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"pre-commit install: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def first_commit() -> None:
    """Commit everything when nothing is committed yet: lineage and template updates need a commit to start from."""
    if git("rev-parse", "--verify", "HEAD"):
        return
    if not (git("config", "user.name") and git("config", "user.email")):
        print("git does not know who you are, so nothing is committed. Set user.name and user.email, then: git commit")
        return
    git("add", "--all")
    done = subprocess.run(
        ["git", "commit", "--quiet", "--message", "Start from the template"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise UserError(f"the first commit was refused: {(done.stdout + done.stderr).strip()}")
    print("Everything is committed as the first commit.")


def main() -> None:
    """All steps in order."""
    if not has_repository():
        git("init", "--quiet", "--initial-branch", "main")
        print("This folder is a git repository now.")
    data.restore()
    install_hooks()
    first_commit()
    print("Ready. `make help` lists the tasks.")


if __name__ == "__main__":
    run(main)
