"""A copy of the repository to rehearse in: its registry, its log, its data and its audit log are nobody's.

The rehearsal works in .local/loop/repository. Nothing that is set for the repository itself reaches it: no tracking
server, no Slack channel, no CI system.
"""

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from ..cli import UserError
from ..governance.lineage import git
from ..pipeline.params import load_params
from ..schema import Schema
from ..settings import PACKAGE, Settings, load_settings
from .labels import add_labels
from .traffic import log_files

FOLDER = Path(".local/loop")
START_SECONDS = 60
PAUSE_SECONDS = 0.004  # between two requests of the client
NOT_YET_LOGGED = 20  # of the last answers


def copy_repository(target: Path) -> None:
    """The files that git knows or would take, and the table; as a git repository with one commit."""
    listed = git("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    if listed is None:
        raise UserError("this folder is no git repository yet; run `make setup` first")
    source = Path(load_params().data.source)
    if not source.exists():
        raise UserError(f"{source} is missing; `make data` brings it back")
    shutil.rmtree(target, ignore_errors=True)
    for name in {*listed.split("\0"), str(source), "data/labelled.csv"}:
        if name and Path(name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, target / name)
    identity = ["-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "--all"], [*identity, "commit", "--quiet", "--message", "rehearsal"]):
        subprocess.run(["git", *command], cwd=target, check=True, capture_output=True)


def free_ports(count: int) -> list[str]:
    """Ports that nothing listens on."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) for _ in range(count)]
    for server in servers:
        server.server_close()
    return [str(server.server_address[1]) for server in servers]


def use_copy(root: Path, slack_url: str) -> Settings:
    """Work in the copy from now on: folder, code and settings of this process and of those it starts."""
    os.chdir(root)
    ours = {field.encode_name for field in msgspec.structs.fields(Settings)}
    for name in [name for name in os.environ if name in ours or name.startswith(("MLFLOW_", "DVC_", "GIT_"))]:
        del os.environ[name]
    names = ("SERVE_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "TRIGGER_PORT")
    os.environ.update(zip(names, free_ports(len(names)), strict=True))
    os.environ.update(
        PYTHONPATH=str(root / "src"),
        OBSERVE_SECONDS="1",
        SERVE_RELOAD_SECONDS="0.3",
        SERVE_CHALLENGER_TIMEOUT_SECONDS="2",
        SLACK_WEBHOOK_URL=slack_url,
    )
    return load_settings()


def task(module: str, *arguments: str, told: Callable[[str], None] = lambda line: None) -> None:
    """Run what a task of the Makefile runs, and hand on each line as it comes.

    Raises UserError with its last words when it fails.
    """
    command = [sys.executable, "-u", "-m", module, *arguments]
    last = "it said nothing"
    with (
        Path("tasks.log").open("a", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process,
    ):
        for line in process.stdout or ():
            log.write(line)
            told(line.strip())
            last = line.strip() or last
    if process.returncode:
        raise UserError(f"{module}: {last.removeprefix('error: ')}; all of it is in {FOLDER / 'repository/tasks.log'}")


@contextmanager
def background(module: str, ready: str) -> Iterator[None]:
    """A program of this repository that goes on until the block ends; raises UserError when it does not start."""
    name = module.rpartition(".")[2]
    with Path(f"{name}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", f"{PACKAGE}.{module}"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise UserError(f"{name} does not start; see {FOLDER / 'repository' / name}.log")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def answers(url: str) -> bool:
    """Whether an address answers with status 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, HTTPException):
        return False


@contextmanager
def slack_stand_in() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """An address that takes what Slack's incoming webhook takes, and the messages that came."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/slack", messages
    finally:
        server.shutdown()
        server.server_close()


class Client:
    """Asks the service for one row after the other, and tells later what turned out to be true."""

    def __init__(self, settings: Settings, schema: Schema, rows: list[tuple[dict[str, Any], Any]]) -> None:
        self.settings, self.schema, self.rows, self.labelling = settings, schema, rows, False
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        self.slowest = 0.0
        self.unlabelled: deque[tuple[str, Any]] = deque()
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.ask, self.label)]

    def __enter__(self) -> "Client":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def ask(self) -> None:
        """The thread that asks; an answer that does not come counts as status 0."""
        connection = HTTPConnection(self.settings.serve_host, self.settings.serve_port, timeout=30)
        while not self.stopping.is_set():
            row, label = random.choice(self.rows)
            started = time.monotonic()
            try:
                connection.request("POST", "/predict", json.dumps(row))
                answer = connection.getresponse()
                status, found = answer.status, json.loads(answer.read())
            except (OSError, HTTPException, ValueError):
                connection.close()
                status, found = 0, {}
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.statuses[status] += 1
            self.versions[str(found.get("model_version", "none"))] += 1
            if status == 200 and self.labelling:
                self.unlabelled.append((found["predictions"][0]["id"], label))
            time.sleep(PAUSE_SECONDS)

    def label(self) -> None:
        """The thread that labels what was logged a moment ago."""
        while not self.stopping.wait(0.3):
            known = [self.unlabelled.popleft() for _ in range(len(self.unlabelled) - NOT_YET_LOGGED)]
            if known:
                source = Path("labels.csv")
                with source.open("w", encoding="utf-8", newline="") as file:
                    csv.writer(file).writerows([("id", "label"), *known])
                add_labels(source, log_files(Path(self.settings.serve_log_path)), self.schema)

    @property
    def asked(self) -> int:
        """How many requests were made."""
        return self.statuses.total()
