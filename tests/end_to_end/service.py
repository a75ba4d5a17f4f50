"""Starting a generated repository's service and asking it."""

import json
import os
import random
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    """A port that nothing listens on, below those that the system gives to outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for(url: str, process: subprocess.Popen, log: Path | None = None) -> None:
    """Wait until an address answers 200; one that ends before, or takes too long, is told with what it printed."""
    deadline = time.monotonic() + START_SECONDS
    problem = ""
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
                problem = f"status {answer.status}"
        except OSError as error:
            problem = str(error)
            time.sleep(0.1)
    printed = log.read_text()[-4000:] if log else ""
    raise AssertionError(f"{url}: {problem}; exit code {process.poll()}\n{printed}")


def left_running(folder: Path) -> list[str]:
    """The programs that still work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


@contextmanager
def background(project: Path, *words: str, ready: str, **environment: str) -> Iterator[None]:
    """A task that goes on, stopped in the end as Ctrl-C would; each attempt has a log of its own."""
    log = project / "background.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["make", *words],
            cwd=project,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(ready, process, log)
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


@contextmanager
def serving(project: Path, port: int | None = None) -> Iterator[str]:
    """`make serve`, on a port of its own unless one is given; gives the address."""
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    with background(project, "serve", ready=f"{url}/health/ready", SERVE_PORT=str(port)):
        yield url
