"""Starting a generated repository's service and asking it."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_SECONDS = 120


def make(project: Path, *words: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a task of a generated repository as a person would."""
    done = subprocess.run(
        ["make", *words], cwd=project, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    if check:
        assert done.returncode == 0, f"make {' '.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def call(url: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of an answer; a body is sent as JSON."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, seconds: float = START_SECONDS) -> None:
    """Wait until an address answers 200."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{url} did not answer in {seconds} s")


@contextmanager
def background(project: Path, *words: str, ready: str, **environment: str) -> Iterator[None]:
    """A task that goes on, stopped in the end as Ctrl-C would."""
    with (project / "background.log").open("ab") as log:
        process = subprocess.Popen(
            ["make", *words],
            cwd=project,
            env={**os.environ, **environment},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(ready)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


@contextmanager
def serving(project: Path) -> Iterator[str]:
    """`make serve`, on a port of its own; gives the address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with background(project, "serve", ready=f"{url}/health/ready", SERVE_PORT=str(port)):
        yield url
