"""`make promote ROLLOUT=`: a challenger answers real requests beside the champion, step by step.

canary: shares of params.yaml; ab: half of the requests; shadow: none, it only computes. Each step waits for enough
requests and is judged; a challenger that does worse is taken back, and the champion answers everything again. What
happened is in the audit log. Stopped in the middle, the shares stay, and the same command goes on with that step.
"""

import time
import urllib.request
from pathlib import Path

import duckdb
import msgspec
import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from .. import task
from ..cli import UserError, reason
from ..governance import audit
from ..pipeline.deploy import deploy_challenger, withdraw_challenger
from ..pipeline.gate import Check, failed, table
from ..pipeline.params import Rollout, load_params
from ..pipeline.registry import Version
from ..schema import Schema, from_json
from ..serving.flags import read_share
from ..settings import Settings
from .performance import arrays, labelled
from .traffic import connect, literal, log_files, predictions_sql
from .verdict import Outcome, Requests, hopeless, judge

AT_ONCE, SHADOW = "blue-green", "shadow"
MODES = (AT_ONCE, "canary", "ab", SHADOW)
POLL_SECONDS = 0.5
MOST_VALUES = 100_000
Counted = dict[str, Requests]


class Step(msgspec.Struct):
    """One share of one rollout."""

    challenger: str
    champion: str
    share: int
    shadow: bool = False


def plan(mode: str, challenger: str, champion: str, limits: Rollout) -> list[Step]:
    """The steps of a mode."""
    if mode == SHADOW:
        return [Step(challenger, champion, 0, shadow=True)]
    shares = limits.steps if mode == "canary" else (50,)
    return [Step(challenger, champion, share) for share in shares]


def count_requests(text: str) -> Counted:
    """What became of requests, by version, from the metrics of the service."""
    found: Counted = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name not in ("model_requests_total", "model_duration_seconds_bucket"):
                continue
            each = found.setdefault(sample.labels["version"], Requests())
            if sample.name == "model_requests_total":
                each.total += sample.value
                each.failed += sample.value * (sample.labels["outcome"] != "ok")
            else:
                each.bounds.append(float(sample.labels["le"]))
                each.below.append(sample.value)
    return found


def ask_service(settings: Settings) -> Counted:
    """The counts so far; raises UserError when the service does not answer."""
    url = f"http://{settings.serve_host}:{settings.serve_port}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return count_requests(answer.read().decode())
    except OSError as error:
        raise UserError(
            f"the service does not answer at {url}: {reason(error)}; `make serve`, or promote without ROLLOUT"
        ) from None


def added(now: Counted, before: Counted, version: str) -> Requests:
    """What a version was asked in between. A service that was started again counts from nothing."""
    later, earlier = now.get(version, Requests()), before.get(version, Requests())
    return later if later.total < earlier.total else later.since(earlier)


def read_outcome(settings: Settings, schema: Schema, version: str, since: float) -> Outcome:
    """Losses where labels are known, and predictions, of a version since a time."""
    files = log_files(Path(settings.serve_log_path))
    found = labelled(files, schema, version, since=since)
    losses = task.losses(*arrays(found, schema)) if found is not None else np.empty(0)
    query = (
        f"SELECT prediction FROM ({predictions_sql(files, schema)}) "
        f"WHERE model_version = {literal(version)} AND time >= {since} LIMIT {MOST_VALUES}"
    )
    try:
        with connect() as database:
            values = [row[0] for row in database.sql(query).fetchall()]
    except duckdb.Error as error:
        raise UserError(f"{files[-1]} cannot be read: {reason(error)}") from None
    return Outcome(losses, values)


def run_step(settings: Settings, step: Step, limits: Rollout, start: tuple[float, Counted], steps: int) -> list[Check]:
    """Wait until the challenger has answered enough, and judge; raises UserError when too few requests come."""
    began, first = start
    before = ask_service(settings)
    deadline = time.monotonic() + limits.max_minutes * 60
    while True:
        now = ask_service(settings)
        champion, challenger = added(now, first, step.champion), added(now, before, step.challenger)
        enough = min(champion.total, challenger.total) >= limits.min_requests
        if enough or (challenger.total and hopeless(champion, challenger)):
            break
        if time.monotonic() > deadline:
            raise UserError(
                f"version {step.challenger} answered {challenger.total:.0f} requests in {limits.max_minutes:g} "
                f"minutes, {limits.min_requests} are needed; it keeps its share, and the same command goes on"
            )
        time.sleep(POLL_SECONDS)
    schema = from_json((Path(settings.serve_model_dir) / step.champion / "schema.json").read_bytes())
    outcomes = [read_outcome(settings, schema, version, began) for version in (step.champion, step.challenger)]
    return judge((champion, challenger), (outcomes[0], outcomes[1]), limits, steps)


def roll_out(settings: Settings, challenger: Version, champion: Version, mode: str) -> None:
    """Every step of a rollout; raises UserError, with the champion alone again, when the challenger does worse."""
    limits = load_params().rollout
    steps = plan(mode, challenger.number, champion.number, limits)
    root = Path(settings.serve_model_dir)
    if not settings.serve_log_sample:
        raise UserError("a rollout is judged by the prediction log, and SERVE_LOG_SAMPLE is 0")
    counted = ask_service(settings)
    # Where the champion gets no share, it is judged by what it answered before.
    start = time.time(), counted if steps[0].share < 100 else {}
    reached = read_share(root, challenger.number)
    for step in [each for each in steps if each.share >= reached] or steps[-1:]:
        details = {"mode": mode, "version": step.challenger, "replaces": step.champion, "share": step.share}
        deploy_challenger(settings, challenger, step.champion, step.share, shadow=step.shadow)
        audit.append("rollout step", details)
        told = "computes beside" if step.shadow else f"answers {step.share} % of the requests, beside"
        print(f"Version {step.challenger} {told} version {step.champion}.", flush=True)
        checks = run_step(settings, step, limits, start, len(steps))
        print(table(checks), flush=True)
        if failed(checks):
            withdraw_challenger(settings, step.champion)
            audit.append("rollout rolled back", {**details, "failed": failed(checks)})
            raise UserError(
                f"version {step.challenger} does worse; version {step.champion} answers every request again"
            )
