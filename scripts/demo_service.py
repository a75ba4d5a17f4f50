"""The prediction service of the demo's repository: started, asked, stopped."""

import csv
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

START_SECONDS = 60


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def call(url: str, body: bytes | None = None) -> Any:
    """GET, or POST a body, and read the JSON of the answer."""
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
        return json.load(answer)


def first_row(project: Path) -> tuple[dict[str, float], str]:
    """The first row of the demo's table, and its label."""
    with (project / "data/source.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    label = row.pop("target")
    return {name: float(value) for name, value in row.items()}, label


def is_ready(url: str) -> bool:
    """Whether the service has loaded its model."""
    try:
        call(f"{url}/health/ready")
    except (urllib.error.URLError, OSError):
        return False
    return True


@contextmanager
def serving(project: Path, log: Path, environment: dict[str, str]) -> Iterator[str]:
    """`make serve` in a process group of its own, stopped in the end; gives its address.

    Raises TimeoutError when it does not start.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("ab") as output:
        server = subprocess.Popen(
            ["make", "--silent", "serve"],
            cwd=project,
            env={**environment, "SERVE_PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(url):
            if time.monotonic() > deadline or server.poll() is not None:
                raise TimeoutError(f"the service did not start; see {log}")
            time.sleep(0.1)
        yield url
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=30)
