"""A challenger beside the champion under steady traffic: a good one takes over, a bad one is taken back by itself."""

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from end_to_end.service import call, free_port, make, serving
from end_to_end.test_monitoring import rows_of
from harness import PristineRenders

TIMEOUT_SECONDS = 0.1
SLOWEST_ANSWER = 1.0
PLANT = """
from harness.monitoring.faults import plant
from harness.pipeline.registry import connect, get_version
from harness.settings import load_settings

settings = load_settings()
plant("{kind}", get_version(connect(settings), settings, "challenger"), settings)
"""


class Clients:
    """What clients saw: statuses, versions, and how long they waited."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        self.slowest = 0.0
        self.stopping = threading.Event()

    def ask(self, url: str, rows: list[dict[str, float]]) -> None:
        """Ask for one row after the other until told to stop."""
        position = 0
        while not self.stopping.is_set():
            started = time.monotonic()
            status, answer = call(f"{url}/predict", rows[position % len(rows)])
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.statuses[status] += 1
            self.versions[answer.get("model_version", "none")] += 1
            position += 1


@contextmanager
def traffic(url: str, rows: list[dict[str, float]]) -> Iterator[Clients]:
    """Steady requests while something else happens."""
    clients = Clients()
    thread = threading.Thread(target=clients.ask, args=(url, rows))
    thread.start()
    try:
        yield clients
    finally:
        clients.stopping.set()
        thread.join()


def new_challenger(project: Path) -> None:
    """Train once more, with another seed."""
    params = project / "params.yaml"
    text = params.read_text(encoding="utf-8")
    seed = int(text.split("train:\n  seed: ")[1].split("\n")[0])
    params.write_text(text.replace(f"train:\n  seed: {seed}", f"train:\n  seed: {seed + 1}"), encoding="utf-8")
    make(project, "pipeline")


def actions(project: Path) -> list[str]:
    """What the audit log tells."""
    lines = (project / "governance/audit.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["action"] for line in lines]


@pytest.mark.slow
def test_a_rollout_judges_and_takes_back_by_itself(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    port = free_port()
    (project / ".env").write_text(
        f"SERVE_PORT={port}\nSERVE_RELOAD_SECONDS=0.3\nSERVE_CHALLENGER_TIMEOUT_SECONDS={TIMEOUT_SECONDS}\n",
        encoding="utf-8",
    )
    make(project, "setup")
    params = project / "params.yaml"
    text = params.read_text(encoding="utf-8").replace("  margin: 0.0 ", "  margin: 0.5 ")
    params.write_text(text.replace("min_requests: 200", "min_requests: 60"), encoding="utf-8")
    make(project, "pipeline", "promote")
    new_challenger(project)
    rows = rows_of(project)
    assert "ROLLOUT=sideways is not known" in make(project, "promote", "ROLLOUT=sideways", check=False).stderr
    assert "the service does not answer" in make(project, "promote", "ROLLOUT=canary", check=False).stderr

    with serving(project, port) as url, traffic(url, rows) as clients:
        assert "Version 2 is the champion" in make(project, "promote", "ROLLOUT=canary").stdout
    assert set(clients.versions) == {"1", "2"}
    assert set(clients.statuses) == {200}
    assert actions(project)[-4:] == ["rollout step", "rollout step", "rollout step", "promotion"]

    with serving(project, port) as url:
        for kind, reason in (("failing", "failed requests"), ("slow", "failed requests"), ("worse", "predictions")):
            new_challenger(project)
            script = PLANT.format(kind=kind)
            subprocess.run([project / ".venv/bin/python", "-c", script], cwd=project, check=True, capture_output=True)
            with traffic(url, rows) as clients:
                refused = make(project, "promote", "ROLLOUT=canary", check=False)
                assert refused.returncode != 0
                assert "does worse; version 2 answers every request again" in refused.stderr, refused.stdout
                assert f"{reason}" in next(line for line in refused.stdout.splitlines() if "FAIL" in line)
                assert actions(project)[-1] == "rollout rolled back"
                wait_for_the_champion_alone(url, rows)
            assert set(clients.statuses) == {200}, kind
            assert clients.slowest < SLOWEST_ANSWER, kind
            assert clients.versions["2"] > clients.versions.total() / 2

        with traffic(url, rows) as clients:
            subprocess.run([project / ".venv/bin/python", "-c", PLANT.format(kind="worse")], cwd=project, check=True)
            make(project, "promote", "ROLLOUT=shadow", check=False)
        assert set(clients.versions) == {"2"}
    assert "chain intact" in make(project, "audit").stdout


def wait_for_the_champion_alone(url: str, rows: list[dict[str, float]]) -> None:
    """Until fifty answers in a row are the champion's."""
    deadline = time.monotonic() + 30
    while {call(f"{url}/predict", row)[1]["model_version"] for row in rows[:50]} != {"2"}:
        assert time.monotonic() < deadline, "the challenger still answers"
