"""The alerts of a generated repository, with the real Prometheus and Alertmanager: from drifted traffic to Slack."""

import json
import re
import shutil
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from end_to_end.service import background, free_port, make, serving
from end_to_end.test_monitoring import SHIFTED, rows_of, send
from harness import PristineRenders

SECRET = "T0-hook-that-nobody-may-see"
needs_prometheus = pytest.mark.skipif(
    not (shutil.which("promtool") and shutil.which("amtool")), reason="needs Prometheus and Alertmanager"
)


def expressions(project: Path) -> Iterator[str]:
    """The PromQL of every panel and every rule."""
    dashboard = json.loads((project / "monitoring/grafana/dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    rules = yaml.safe_load((project / "monitoring/alerts.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


@needs_prometheus
@pytest.mark.parametrize("answers", [{}, {"alert_email": "ada@example.org", "alert_channel": "@ada"}])
def test_the_files_pass_the_tools_of_their_makers(renders: PristineRenders, answers: dict[str, Any]) -> None:
    folder = renders.get(answers) / "monitoring"
    for command in (
        ["promtool", "check", "config", "prometheus.yml"],
        ["promtool", "test", "rules", "alerts_test.yml"],
        ["amtool", "check-config", "alertmanager.yml"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    tested = (folder / "alerts_test.yml").read_text(encoding="utf-8")
    rules = yaml.safe_load((folder / "alerts.yml").read_text(encoding="utf-8"))
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    fired = {
        case["alertname"]
        for test in yaml.safe_load(tested)["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert fired == names
    assert all(f"| {name}" in told or f", {name}" in told for name in names for told in [runbook(folder)])


def runbook(folder: Path) -> str:
    """What the person on call reads."""
    return (folder.parent / "docs/runbook.md").read_text(encoding="utf-8")


@contextmanager
def receiver() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A stand-in for Slack: the address of its webhook, and the messages that came."""
    messages: list[dict[str, Any]] = []

    class Slack(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slack)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{SECRET}", messages
    finally:
        server.shutdown()
        thread.join()


def query(port: int, expression: str) -> list[Any]:
    """What Prometheus answers."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={quote(expression)}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


@pytest.mark.slow
@needs_prometheus
def test_drift_reaches_slack(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    make(project, "setup")
    make(project, "pipeline", "promote")
    rows = rows_of(project)
    port, prometheus = free_port(), free_port()
    with receiver() as (hook, messages), serving(project, port) as url:
        settings = {
            "SERVE_PORT": str(port),
            "PROMETHEUS_PORT": str(prometheus),
            "ALERTMANAGER_PORT": str(free_port()),
            "OBSERVE_SECONDS": "1",
            "TRIGGER_PORT": str(free_port()),
            "TRIGGER_SECRET": SECRET,
            "SLACK_WEBHOOK_URL": hook,
        }
        with background(project, "observe", ready=f"http://127.0.0.1:{prometheus}/-/ready", **settings):
            send(url, rows)
            exported = wait_until_scraped(prometheus)
            assert query(prometheus, "ALERTS") == []
            send(url, [{**row, SHIFTED: row[SHIFTED] * 1.3} for row in rows * 2])
            began = time.monotonic()
            audit = project / "governance/audit.jsonl"
            while not (messages and "retrain" in audit.read_text(encoding="utf-8")) and time.monotonic() - began < 60:
                time.sleep(0.1)
            assert messages, query(prometheus, "ALERTS")
            for expression in expressions(project):
                query(prometheus, expression)
        assert messages[0]["channel"] == "#harness"
        assert "Drift" in json.dumps(messages[0])
        retrained = json.loads(audit.read_text(encoding="utf-8").splitlines()[-1])
        assert retrained["action"] == "retrain"
        assert retrained["details"]["cause"] == "Drift"
        assert "nothing to learn from" in retrained["details"]["outcome"]
        print(f"from drifted traffic to Slack and a retraining: {time.monotonic() - began:.1f} s")
    # Summaries and the classes differ by task; each name that is asked for is one that some service exports.
    asked = {name for each in expressions(project) for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b(?=[\[{ )]|$)", each)}
    functions = {"histogram_quantile", "max_over_time"}
    other_task = {"predicted_value_sum", "predicted_value_count"}
    assert asked - functions - other_task <= exported, asked - functions - exported
    for path in [*(project / ".local/observe").rglob("*"), project / "background.log"]:
        if path.is_file() and path.name != "slack-url":  # the trigger's secret was given, so no file needs it
            assert SECRET.encode() not in path.read_bytes(), path
    assert (project / ".local/observe/slack-url").stat().st_mode & 0o777 == 0o600


def wait_until_scraped(port: int) -> set[str]:
    """The names of all series of the service, once it was scraped."""
    deadline = time.monotonic() + 30
    while not query(port, "input_psi"):
        assert time.monotonic() < deadline, "Prometheus has not scraped the service"
        time.sleep(0.2)
    return {each["metric"]["__name__"] for each in query(port, '{job="predictions"}')} | {"up"}


@pytest.mark.slow
def test_observe_says_how_to_get_what_is_missing(renders: PristineRenders, tmp_path: Path) -> None:
    project = renders.copy({}, tmp_path / "project")
    make(project, "setup")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("uv", "sh", "bash", "git", "awk", "env"):
        (tools / name).symlink_to(str(shutil.which(name)))
    make_program = str(shutil.which("make"))
    done = subprocess.run(
        [make_program, "observe"],
        cwd=project,
        env={"PATH": str(tools), "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "Prometheus is not installed: `apt-get install prometheus" in done.stderr
