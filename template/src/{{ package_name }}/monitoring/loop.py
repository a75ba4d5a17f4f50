"""`make loop`: the whole loop, rehearsed in a copy of this repository under steady requests.

Serve, normal requests, changed requests, the alert, a retraining, the gate, a canary, the promotion; then the new
champion breaks, and is rolled back. What happened is told in .local/loop/timeline.html and .txt. Nothing of it touches
the registry, the logs, the data or the audit log of the repository itself.

The figures of a rehearsal say nothing about the model: its requests are rows of the table, and its changes are made up.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pandas as pd

from ..cli import UserError, run
from ..pipeline import paths
from ..pipeline.params import load_data_schema, load_params, update_params
from ..pipeline.registry import CHALLENGER, CHAMPION, Version, connect, get_version
from ..pipeline.reports import read_json, read_parquet
from ..schema import Column, Schema
from ..settings import PACKAGE, Settings
from .faults import plant
from .monitor import DRIFTED
from .observe import PROGRAMS, find_program
from .rehearsal import FOLDER, Client, background, copy_repository, slack_stand_in, task, use_copy
from .retrain import retrain, take_back
from .rollout import ask_service
from .timeline import Timeline
from .trigger import Cause

WAIT_SECONDS = 120
NORMAL_REQUESTS = 400
MOST_CHANGED = 3
FAILURES = 20  # after which a person would call it broken
Row = tuple[dict[str, Any], Any]


def request_rows(frame: pd.DataFrame, schema: Schema) -> list[Row]:
    """Rows of a typed table as a client sends them, each with its label."""
    rows = []
    for values in frame.astype(object).where(frame.notna(), None).to_dict("records"):
        row = {name: as_sent(values[name], column) for name, column in schema.features.items()}
        rows.append((row, values[schema.target]))
    return rows


def as_sent(value: Any, column: Column) -> Any:
    """A value in JSON."""
    return int(value) if column.type == "integer" and value is not None else value


def change(row: dict[str, Any], names: list[str], schema: Schema, spans: dict[str, float]) -> dict[str, Any]:
    """A row after something happened to its source: some columns are off by half their span, or say the next value."""
    return row | {name: changed(row[name], schema.columns[name], spans.get(name, 0.0)) for name in names}


def changed(value: Any, column: Column, span: float) -> Any:
    """A value that is off, and still one that the schema allows."""
    if value is None:
        return None
    if column.type == "boolean":
        return not value
    if column.type == "category":
        values = column.values or [value]
        return values[(values.index(value) + 1) % len(values)]
    moved = min(value + span / 2, column.max if column.max is not None else value + span / 2)
    return int(moved) if column.type == "integer" else moved


def columns_to_change(schema: Schema) -> list[str]:
    """The columns that matter most to the model; dates stay."""
    importance = {each["column"]: each["importance"] for each in read_json(paths.IMPORTANCE)["features"]}
    usable = [name for name, column in schema.features.items() if column.type != "date"]
    if not usable:
        raise UserError("every feature is a date; the rehearsal has no way to change them")
    return sorted(usable, key=lambda name: -importance.get(name, 0.0))[:MOST_CHANGED]


def audited(action: str) -> dict[str, Any] | None:
    """The newest entry of the audit log with this action."""
    lines = paths.AUDIT_LOG.read_text(encoding="utf-8").splitlines()
    entries = [json.loads(line) for line in lines]
    return next((entry["details"] for entry in reversed(entries) if entry["action"] == action), None)


def wait_for(what: str, found: Callable[[], Any]) -> Any:
    """What `found` gives, once it gives something; raises UserError when it does not in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (result := found()):
        if time.monotonic() > deadline:
            raise UserError(f"no {what} within {WAIT_SECONDS} seconds; see the logs in {FOLDER / 'repository'}")
        time.sleep(0.2)
    return result


def has_prometheus() -> bool:
    """Whether `make observe` can start what it needs."""
    try:
        return all(find_program(name) for name in PROGRAMS)
    except UserError:
        return False


class Rehearsal:
    """The steps, each of which ends when what it is about has happened."""

    def __init__(self, settings: Settings, timeline: Timeline, messages: list[dict[str, Any]]) -> None:
        self.settings, self.timeline, self.messages = settings, timeline, messages
        self.observed = has_prometheus()
        self.schema = load_data_schema(load_params())

    def first_champion(self) -> list[Row]:
        """Train and promote; returns the rows that clients will send."""
        # Steps are short, and a slice may fall behind: its rows are made up.
        update_params("rollout", {"min_requests": 150, "max_minutes": 2})
        update_params("gate", {"max_slice_gap": 1e9})
        task("dvc", "repro")
        self.timeline.add("The pipeline has run: version 1 is the challenger")
        task(f"{PACKAGE}.pipeline.promote")
        self.timeline.add("Version 1 passes the gate and is the champion", kind="good")
        return request_rows(read_parquet(paths.VALID), self.schema)

    def normal_requests(self, client: Client) -> None:
        """Requests as the model knows them."""
        wait_for("answer of the service", lambda: client.asked >= NORMAL_REQUESTS)
        alerts = [str(message.get("text", "")) for message in self.messages]
        self.timeline.add(f"{client.asked} requests like the training data: {len(alerts)} alerts", "\n".join(alerts))

    def changed_requests(self, client: Client) -> None:
        """The source of some columns changes; labels come in, one after the other."""
        names = columns_to_change(self.schema)
        frame = read_parquet(paths.VALID)
        numbers = frame[[name for name in names if self.schema.columns[name].type in ("number", "integer")]]
        spans = {str(name): float(span) for name, span in (numbers.max() - numbers.min()).items()}
        client.labelling = True
        client.rows = [(change(row, names, self.schema, spans), label) for row, label in client.rows]
        self.timeline.add(f"The source of {', '.join(names)} changes; labels come in", kind="bad")

    def retraining(self) -> None:
        """The drift is noticed, and a challenger comes of it."""
        if self.observed:
            wait_for("alert about drift", lambda: any("Drift" in json.dumps(message) for message in self.messages))
            self.timeline.add("The alert Drift is in the Slack channel (a stand-in), and starts a retraining")
            wait_for("retraining", lambda: audited("retrain"))
        else:
            monitor = [sys.executable, "-m", f"{PACKAGE}.monitoring.monitor"]
            wait_for("drift", lambda: subprocess.run(monitor, capture_output=True).returncode == DRIFTED)
            self.timeline.add("`make monitor` finds the drift (Prometheus is not installed, so no alert tells of it)")
            retrain(self.settings, Cause("drift that make monitor found"))
        details = audited("retrain") or {}
        self.timeline.add(f"Retraining, because of {details['cause']}: {details['outcome']}", learned(details))

    def canary(self) -> None:
        """The gate, then a growing share of the requests."""

        def told(text: str) -> None:
            if text.startswith("skill against the champion"):
                self.timeline.add(f"The gate: {' '.join(text.split())}")
            elif text.startswith("Version "):
                self.timeline.add(text, kind="good" if "is the champion" in text else "")

        task(f"{PACKAGE}.pipeline.promote", "--rollout", "canary", told=told)

    def fault_and_rollback(self) -> None:
        """A version that is good in the registry and broken where it is served."""
        task(f"{PACKAGE}.pipeline.register")
        broken = self.version(CHALLENGER)
        plant("failing", broken, self.settings)
        task(f"{PACKAGE}.pipeline.promote")
        self.timeline.add(f"Version {broken.number} is promoted at once, and fails on every request", kind="bad")
        if self.observed:
            # The audit log is first, the alias follows.
            wait_for("rollback", lambda: self.version(CHAMPION).number != broken.number)
        else:
            wait_for("failed requests", lambda: ask_service(self.settings)[broken.number].failed > FAILURES)
            take_back(self.settings, Cause("failed requests that /metrics tells", broken.number))
        details = audited("rollback") or {}
        champion = self.version(CHAMPION).number
        self.timeline.add(
            f"Rolled back, because of {details['cause']}: version {champion} is the champion", kind="good"
        )

    def version(self, alias: str) -> Version:
        """The version under an alias; raises UserError when there is none."""
        found = get_version(connect(self.settings), self.settings, alias)
        if found is None:
            raise UserError(f"no version is the {alias}")
        return found

    def conclusion(self, client: Client) -> None:
        """What clients noticed; raises UserError when it was an outage."""
        champion = self.version(CHAMPION).number
        before = client.versions[champion]
        wait_for(f"answer of version {champion}", lambda: client.versions[champion] > before + NORMAL_REQUESTS / 4)
        by_version = ", ".join(f"version {name} {count}" for name, count in sorted(client.versions.items()))
        good = set(client.statuses) == {200}
        statuses = ", ".join(f"{count} with {status}" for status, count in sorted(client.statuses.items()))
        told = f"Clients made {client.asked} requests: {statuses}; the slowest took {client.slowest:.2f} s"
        self.timeline.add(told, f"answered by {by_version}", kind="good" if good else "bad")
        if not good:
            raise UserError("clients saw an outage")


def learned(details: dict[str, Any]) -> str:
    """How many rows were new to a retraining."""
    return f"learned from {details['new_rows']} labelled predictions"


def rehearse(settings: Settings, timeline: Timeline, messages: list[dict[str, Any]]) -> None:
    """All steps in order."""
    steps = Rehearsal(settings, timeline, messages)
    rows = steps.first_champion()
    with ExitStack() as stack:
        service = f"http://{settings.serve_host}:{settings.serve_port}/health/ready"
        stack.enter_context(background("serving", service))
        if steps.observed:
            prometheus = f"http://127.0.0.1:{settings.prometheus_port}/-/ready"
            stack.enter_context(background("monitoring.observe", prometheus))
        watching = ", watched by Prometheus and Alertmanager" if steps.observed else ""
        timeline.add(f"It is served{watching}; a client asks for one prediction after the other")
        client = stack.enter_context(Client(settings, steps.schema, rows))
        steps.normal_requests(client)
        steps.changed_requests(client)
        steps.retraining()
        steps.canary()
        steps.fault_and_rollback()
        steps.conclusion(client)


def main() -> None:
    """Rehearse, and leave the timeline."""
    root, page = (FOLDER / "repository").resolve(), (FOLDER / "timeline.html").resolve()
    timeline = Timeline(f"The loop of {PACKAGE}, rehearsed")
    copy_repository(root)
    with slack_stand_in() as (slack_url, messages):
        settings = use_copy(root, slack_url)
        try:
            rehearse(settings, timeline, messages)
        except UserError as error:
            timeline.add(f"Stopped: {error}", kind="bad")
            raise
        finally:
            timeline.write(page)
    print(f"The timeline is in {FOLDER}/timeline.html and .txt; the copy that it happened in is beside it.")


if __name__ == "__main__":
    run(main)
