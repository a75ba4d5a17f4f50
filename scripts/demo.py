"""`make demo`: from a name to a served model, on this machine, with no account and no container engine.

Each step prints one line with its time; what a step prints itself goes to build/demo.log.
"""

import argparse
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from copier import run_copy
from copier.errors import DirtyLocalWarning

ROOT = Path(__file__).parents[1]
PROJECT = ROOT / "build/demo"
LOG = ROOT / "build/demo.log"
START_SECONDS = 60


class StepError(Exception):
    """A step did not do what it should."""


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print the title, and the time when it is done."""
    print(f"{title} ".ljust(58, "."), end=" ", flush=True)
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:5.1f} s", flush=True)


def task(*words: str) -> str:
    """Run a task of the generated repository and return what it printed."""
    done = subprocess.run(["make", "--silent", *words], cwd=PROJECT, capture_output=True, text=True, check=False)
    with LOG.open("a", encoding="utf-8") as log:
        log.write(f"$ make {' '.join(words)}\n{done.stdout}{done.stderr}\n")
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-8:]
        raise StepError(f"`make {' '.join(words)}` failed; all of it is in {LOG}:\n" + "\n".join(last))
    return done.stdout


def generate() -> None:
    """Render the working tree of this repository with the default answers."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_text("", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DirtyLocalWarning)
        answers = {"project_name": "Demo"}
        run_copy(str(ROOT), PROJECT, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def call(url: str, body: bytes | None = None) -> Any:
    """GET, or POST a body, and read the JSON of the answer."""
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=10) as answer:
        return json.load(answer)


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the service has loaded its model."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            call(f"{url}/health/ready")
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise StepError(f"the service did not start; see {LOG}")


def start_service(port: int) -> subprocess.Popen[bytes]:
    """`make serve` in a process group of its own."""
    with LOG.open("ab") as log:
        return subprocess.Popen(
            ["make", "--silent", "serve"],
            cwd=PROJECT,
            env={**os.environ, "SERVE_PORT": str(port)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def first_row() -> tuple[dict[str, float], str]:
    """The first row of the demo's table, and its label."""
    with (PROJECT / "data/source.csv").open(encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    label = row.pop("target")
    return {name: float(value) for name, value in row.items()}, label


def show(label: str, text: str) -> None:
    """One line of the summary."""
    print(f"  {label:<12} {text}")


def run_demo(keep: bool) -> None:
    """All steps, and the summary."""
    with step("Generate a repository from the template"):
        generate()
    with step("make setup: environment, git, data, hooks"):
        task("setup")
    with step("make pipeline: data to registered model"):
        pipeline = task("pipeline")
    with step("make promote: the gate"):
        gate = task("promote")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = start_service(port)
    try:
        with step("make serve: the champion over HTTP"):
            wait_until_ready(url, server)
        row, label = first_row()
        with step("POST /predict: one row of the table"):
            answer = call(f"{url}/predict", json.dumps(row).encode())
        info = call(f"{url}/info")
        print()
        show("repository", str(PROJECT))
        show("model", next(line for line in pipeline.splitlines() if line.startswith("On ")))
        show("gate", gate.strip().splitlines()[-1])
        show("prediction", f"{answer['predictions'][0]['prediction']} (the table says {label})")
        show("lineage", ", ".join(f"{name} {value[:12]}" for name, value in info["lineage"].items()))
        show("log", str(LOG))
        if keep:
            show("service", f"{url} until Ctrl-C")
            server.wait()
    finally:
        stop(server)


def stop(server: subprocess.Popen[bytes]) -> None:
    """Stop the service and wait for it."""
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def run(main: Callable[[], None]) -> None:
    """One clear line for a failure."""
    try:
        main()
    except StepError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the service running until Ctrl-C")
    keep_serving = parser.parse_args().keep
    run(lambda: run_demo(keep_serving))
