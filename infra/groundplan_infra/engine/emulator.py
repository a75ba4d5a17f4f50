"""The embedded AWS, for the `local` environment and the tests: moto in its own process. It forgets all at its end."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from groundplan_infra.engine.folders import EngineError, locked, state_folder

START_SECONDS = 120
STOP_SECONDS = 15
# Without these, services wait for containers that nothing runs, or for certificates that nobody signs.
SETTINGS = {
    "MOTO_ECS_SERVICE_RUNNING": "2",
    "MOTO_ACM_VALIDATION_WAIT": "1",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    "MOTO_EKS_LOAD_FROM_CONFIG": "true",
}


@dataclass(frozen=True)
class Emulator:
    """A running emulator. `name` tells one from its predecessors; `folder` lives as long as it does."""

    name: str
    port: int
    pid: int
    folder: str

    @property
    def url(self) -> str:
        """Its endpoint, for all services."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead AWS clients to it; the keys are made up, and it checks none."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "emulated",
            "AWS_SECRET_ACCESS_KEY": "emulated",
        }


def record_file() -> Path:
    """What is known of the running emulator."""
    return state_folder() / "emulator" / "running.json"


def running() -> Emulator | None:
    """The emulator that runs, if one does."""
    try:
        emulator = Emulator(**json.loads(record_file().read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return emulator if answers(emulator.url) and alive(emulator.pid) else None


def answers(url: str) -> bool:
    """Whether moto answers at an address."""
    try:
        with urllib.request.urlopen(f"{url}/moto-api/", timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def alive(pid: int) -> bool:
    """Whether a process exists and has not ended; one that nobody has waited for stays in the list as a zombie."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat").read_text()
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")


def ensure() -> Emulator:
    """The running emulator, started where none runs; raises EngineError where it does not start."""
    home = record_file().parent
    with locked(home):
        return running() or start(home)


def start(home: Path) -> Emulator:
    """Start one; what a predecessor left is of no use to it."""
    name = secrets.token_hex(4)
    folder = home / name
    folder.mkdir(parents=True)
    log = folder / "emulator.log"
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "groundplan_infra.engine.emulator", str(port)],
            env={**os.environ, **SETTINGS},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    emulator = Emulator(name, port, process.pid, str(folder))
    deadline = time.monotonic() + START_SECONDS
    while not answers(emulator.url):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise EngineError(f"the embedded AWS does not start: {log.read_text()[-400:].strip() or f'see {log}'}")
        time.sleep(0.1)
    record_file().write_text(json.dumps(asdict(emulator)))
    return emulator


def stop(emulator: Emulator) -> None:
    """End it; all that it holds is gone."""
    with contextlib.suppress(OSError):
        os.kill(emulator.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while answers(emulator.url) and time.monotonic() < deadline:
        time.sleep(0.1)
    record_file().unlink(missing_ok=True)


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve(port: int) -> None:
    """The process: all of moto behind one port of this machine."""
    from moto.core.config import default_user_config
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import run_simple

    # The calls register themselves.
    from groundplan_infra.engine import moto_patches, moto_supplements  # noqa: F401
    from groundplan_infra.engine.moto_routes import Supplements

    default_user_config["batch"] = {"use_docker": False}
    default_user_config["lambda"] = {"use_docker": False}
    moto_patches.apply()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    application = Supplements(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", port, application, threaded=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
