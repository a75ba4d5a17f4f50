"""Where the engine keeps what it builds and what it runs, and how two processes keep out of each other's way."""

import fcntl
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class EngineError(Exception):
    """The engine cannot do what was asked; the message says why, and what to do."""


def cache_folder() -> Path:
    """What can be built again; GROUNDPLAN_CACHE, or the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("GROUNDPLAN_CACHE") or Path(base) / "groundplan")


def state_folder() -> Path:
    """What belongs to running things; GROUNDPLAN_STATE, or the user's state folder."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(os.environ.get("GROUNDPLAN_STATE") or Path(base) / "groundplan")


@contextmanager
def locked(folder: Path) -> Generator[None]:
    """Let one process at a time work in a folder; others wait."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(line: str) -> None:
    """Tell a person what is going on."""
    print(line, file=sys.stderr, flush=True)
