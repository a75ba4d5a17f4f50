"""`make observe`: Prometheus, Alertmanager and the trigger, with the files of monitoring/.

What they need of this machine (ports, the address of Slack's webhook) is put into copies under .local/observe.
"""

import shutil
import subprocess
import time
import urllib.request
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import yaml

from ..cli import UserError, on_one_line, run
from ..settings import Settings, load_settings
from .retrain import retrain, take_back
from .trigger import RETRAIN, ROLLBACK, Runner, alerts_token, load_secret, make_server

SOURCE, FOLDER = Path("monitoring"), Path(".local/observe")
SLACK_FILE, TOKEN_FILE, KEY_FILE = "slack-url", "trigger-token", "trigger-secret"
START_SECONDS = 30
# The names that packages give to the programs.
PROGRAMS = {"Prometheus": ["prometheus"], "Alertmanager": ["alertmanager", "prometheus-alertmanager"]}
HOW = "`apt-get install prometheus prometheus-alertmanager`, `brew install prometheus alertmanager`, or prometheus.io"


def find_program(name: str) -> str:
    """Where a program is; raises UserError that says how to get it."""
    for command in PROGRAMS[name]:
        if found := shutil.which(command):
            return found
    raise UserError(f"{name} is not installed: {HOW}")


def read_yaml(name: str) -> Any:
    """A file of monitoring/; raises UserError when it is no YAML."""
    try:
        return yaml.safe_load((SOURCE / name).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{SOURCE / name}: {on_one_line(error)}") from None


def prometheus_config(given: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """monitoring/prometheus.yml with the addresses and the interval of this machine."""
    interval = f"{settings.observe_seconds}s"
    alertmanager = {"static_configs": [{"targets": [f"127.0.0.1:{settings.alertmanager_port}"]}]}
    service = f"{settings.serve_host}:{settings.serve_port}"
    jobs = [
        {**job, "static_configs": [{"targets": [service]}]} if job["job_name"] == "predictions" else job
        for job in given["scrape_configs"]
    ]
    return {
        **given,
        "global": {**given["global"], "scrape_interval": interval, "evaluation_interval": interval},
        "alerting": {"alertmanagers": [alertmanager]},
        "scrape_configs": jobs,
    }


def alertmanager_config(given: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """monitoring/alertmanager.yml with the interval of this machine, and without Slack where its address is unknown."""
    slack = {"api_url_file": str((FOLDER / SLACK_FILE).resolve())}
    token = {"authorization": {"credentials_file": str((FOLDER / TOKEN_FILE).resolve())}}
    trigger = {"url": f"http://127.0.0.1:{settings.trigger_port}/alerts", "http_config": token}
    receivers = []
    for receiver in given["receivers"]:
        adapted = {name: value for name, value in receiver.items() if name not in ("slack_configs", "webhook_configs")}
        if settings.slack_webhook_url and "slack_configs" in receiver:
            adapted["slack_configs"] = [{**each, **slack} for each in receiver["slack_configs"]]
        if "webhook_configs" in receiver:
            ours = receiver["name"] == "trigger"
            adapted["webhook_configs"] = [{**each, **trigger} if ours else each for each in receiver["webhook_configs"]]
        receivers.append(adapted)
    return {**given, "route": {**given["route"], "group_wait": f"{settings.observe_seconds}s"}, "receivers": receivers}


def write_secret(path: Path, text: str) -> None:
    """Write a file that its owner alone can read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def configure(settings: Settings) -> str:
    """Write the copies that both programs are started with; returns the secret of the trigger."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(SOURCE / "alerts.yml", FOLDER / "alerts.yml")
    for name, adapt in (("prometheus.yml", prometheus_config), ("alertmanager.yml", alertmanager_config)):
        try:
            adapted = adapt(read_yaml(name), settings)
        except (KeyError, TypeError) as error:
            raise UserError(f"{SOURCE / name} lacks {error}, which `make observe` sets") from None
        (FOLDER / name).write_text(yaml.safe_dump(adapted, sort_keys=False), encoding="utf-8")
    write_secret(FOLDER / SLACK_FILE, settings.slack_webhook_url)
    secret = load_secret(FOLDER / KEY_FILE, settings.trigger_secret)
    write_secret(FOLDER / TOKEN_FILE, alerts_token(secret))
    return secret


def commands(settings: Settings) -> dict[str, list[str]]:
    """How both programs are started; they listen on this machine alone."""
    return {
        "Prometheus": [
            find_program("Prometheus"),
            f"--config.file={FOLDER}/prometheus.yml",
            f"--storage.tsdb.path={FOLDER}/prometheus",
            f"--web.listen-address=127.0.0.1:{settings.prometheus_port}",
        ],
        "Alertmanager": [
            find_program("Alertmanager"),
            f"--config.file={FOLDER}/alertmanager.yml",
            f"--storage.path={FOLDER}/alertmanager",
            f"--web.listen-address=127.0.0.1:{settings.alertmanager_port}",
            "--cluster.listen-address=",
        ],
    }


def start(name: str, command: list[str], port: int) -> subprocess.Popen[bytes]:
    """Start a program and wait until it is ready; raises UserError with its last words when it ends before."""
    log = FOLDER / f"{name.lower()}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5):
                return process
        except OSError:
            time.sleep(0.1)
    process.kill()
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it said nothing"]
    raise UserError(f"{name} does not start on port {port}: {last[-1]}; see {log}")


def main() -> None:
    """Start all, say where they are, and go on until one ends or Ctrl-C."""
    settings = load_settings()
    prepared = commands(settings)
    secret = configure(settings)
    trigger = make_server(
        settings.trigger_port,
        secret,
        {
            RETRAIN: Runner("retraining", partial(retrain, settings), 60 * settings.retrain_minutes),
            ROLLBACK: Runner("rollback", partial(take_back, settings), 0),
        },
    )
    Thread(target=trigger.serve_forever, daemon=True).start()
    ports = {"Prometheus": settings.prometheus_port, "Alertmanager": settings.alertmanager_port}
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, command in prepared.items():
            running[name] = start(name, command, ports[name])
            print(f"{name}: http://127.0.0.1:{ports[name]}", flush=True)
        print(f"Trigger: http://127.0.0.1:{settings.trigger_port}/retrain", flush=True)
        if not settings.slack_webhook_url:
            print("Alerts are shown by Alertmanager; set SLACK_WEBHOOK_URL to have them sent to Slack.", flush=True)
        while all(process.poll() is None for process in running.values()):
            time.sleep(0.5)
        ended = next(name for name, process in running.items() if process.poll() is not None)
        raise UserError(f"{ended} has ended; see {FOLDER}/{ended.lower()}.log")
    finally:
        trigger.shutdown()
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(timeout=30)


if __name__ == "__main__":
    run(main)
