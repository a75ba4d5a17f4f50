"""Where a model version comes from: code, data, pipeline, image."""

import hashlib
import json
import subprocess
from pathlib import Path

import yaml

from ..settings import Settings

# What the pipeline itself writes, and the cloud, are no part of the model's code.
APART = ("dvc.lock", "reports", "governance", "docs", "infra")


def git(*arguments: str) -> str | None:
    """What git prints, or None where there is no git, no repository or no commit."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def is_dirty() -> bool | None:
    """Whether any file of this project but those in APART differs from the last commit; None without git."""
    status = git("status", "--porcelain", "--", ".", *(f":(exclude){path}" for path in APART))
    return None if status is None else bool(status)


def pipeline_hash(lock: Path) -> str:
    """SHA-256 of what dvc.lock says of every stage before the registration; empty without a lock."""
    if not lock.exists():
        return ""
    stages = yaml.safe_load(lock.read_text(encoding="utf-8")).get("stages", {})
    stages.pop("register", None)
    return hashlib.sha256(json.dumps(stages, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def lineage(source: Path, lock: Path, settings: Settings) -> dict[str, str]:
    """The tags of a run and of a model version; a fact that is not known is left out, never guessed."""
    dirty = is_dirty()
    tags = {
        "git_commit": git("rev-parse", "HEAD") or settings.git_commit,
        "git_dirty": "" if dirty is None else str(dirty).lower(),
        "dvc_lock_hash": pipeline_hash(lock),
        "data_hash": file_hash(source),
        "image_digest": settings.image_digest,
    }
    return {name: value for name, value in tags.items() if value}
