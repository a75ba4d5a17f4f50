"""Throughput, latency, memory and start-up of a generated service, beside FastAPI with the same scikit-learn model.

Both serve one row a request at 16 connections with one worker, in turns, on this machine. Needs wrk (a Debian package).
"""

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from copier import run_copy

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/serving.md"
ROUNDS, SECONDS, CONNECTIONS = 5, 4, 16
UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}
SCRIPT = 'wrk.method = "POST"; wrk.headers["content-type"] = "application/json"; wrk.body = [==[{body}]==]\n'


@dataclass
class Service:
    """How to start one, and what was measured."""

    name: str
    command: list[str]
    environment: dict[str, str]
    requests: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    start: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)
    errors: int = 0


def prepare(folder: Path) -> Path:
    """A generated repository with a promoted model."""
    project = folder / "bench"
    run_copy(str(ROOT), project, data={"project_name": "Bench"}, defaults=True, quiet=True, vcs_ref="HEAD")
    for words in (["setup"], ["pipeline"], ["promote"]):
        subprocess.run(["make", *words], cwd=project, check=True, capture_output=True)
    sync = ["uv", "sync", "--quiet", "--only-group", "serve"]
    subprocess.run(sync, cwd=project, env={**os.environ, "UV_PROJECT_ENVIRONMENT": ".venv-serve"}, check=True)
    subprocess.run(
        ["uv", "pip", "install", "--quiet", "fastapi==0.165.0", "uvicorn[standard]==0.54.0"], cwd=project, check=True
    )
    return project


def services(project: Path, port: int) -> list[Service]:
    """The two that are compared."""
    common = {**os.environ, "OMP_NUM_THREADS": "1"}
    ours = {**common, "SERVE_PORT": str(port), "PYTHONPATH": "src"}
    theirs = {**common, "BENCH_PROJECT": str(project), "PYTHONPATH": str(ROOT / "benchmarks")}
    uvicorn = ["uvicorn", "fastapi_baseline:app", "--port", str(port), "--log-level", "error", "--no-access-log"]
    return [
        Service("generated service", [str(project / ".venv-serve/bin/python"), "-m", "bench.serving"], ours),
        Service("FastAPI + scikit-learn", [str(project / ".venv/bin/python"), "-m", *uvicorn], theirs),
    ]


def wait_ready(port: int) -> None:
    """Until the service has its model."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except OSError:
            time.sleep(0.01)


def memory(group: int) -> float:
    """Proportional memory of a process group, in megabytes."""
    total = 0
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                if os.getpgid(int(path.name)) == group:
                    found = re.search(r"^Pss:\s+(\d+)", (path / "smaps_rollup").read_text(), re.M)
                    total += int(found[1]) if found else 0
            except OSError:
                continue
    return total / 1024


def run_once(service: Service, project: Path, port: int, script: Path, *, counted: bool) -> None:
    """Start, load, measure, stop."""
    started = time.monotonic()
    process = subprocess.Popen(
        service.command, cwd=project, env=service.environment, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        wait_ready(port)
        start = time.monotonic() - started
        load = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-s", str(script)]
        out = subprocess.run(
            [*load, f"http://127.0.0.1:{port}/predict"], check=True, capture_output=True, text=True
        ).stdout
        if counted:
            rate, tail = re.search(r"Requests/sec:\s+([\d.]+)", out), re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
            assert rate
            assert tail
            service.requests.append(float(rate[1]))
            service.p99.append(float(tail[1]) * UNITS[tail[2]])
            service.start.append(start)
            service.megabytes.append(memory(process.pid))
            bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
            service.errors += int(bad[1]) if bad else 0
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def table(measured: list[Service]) -> str:
    """The figures, medians over the rounds."""
    lines = [
        "| service | requests/s | p99 ms | start s | memory MB | errors |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for service in measured:
        figures = [
            statistics.median(values) for values in (service.requests, service.p99, service.start, service.megabytes)
        ]
        rate, tail, start, megabytes = figures
        lines.append(
            f"| {service.name} | {rate:,.0f} | {tail:.1f} | {start:.2f} | {megabytes:.0f} | {service.errors} |"
        )
    ratios = [ours / theirs for ours, theirs in zip(measured[0].requests, measured[1].requests, strict=True)]
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    lines.append(f"\nThroughput, round by round: {statistics.median(ratios):.1f} times ({spread}).")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, keep."""
    if shutil.which("wrk") is None:
        print("error: wrk is not installed; it is the Debian package wrk", file=sys.stderr)
        raise SystemExit(1)
    with tempfile.TemporaryDirectory() as folder:
        project = prepare(Path(folder))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        header, first = (project / "data/source.csv").read_text(encoding="utf-8").splitlines()[:2]
        row = dict(zip(header.split(","), first.split(","), strict=True))
        row.pop("target")
        body = json.dumps({name: float(value) for name, value in row.items()})
        script = Path(folder) / "post.lua"
        script.write_text(SCRIPT.format(body=body))
        pair = services(project, port)
        for counted in [False, *[True] * ROUNDS]:
            for service in pair:
                run_once(service, project, port, script, counted=counted)
    RESULT.write_text(table(pair), encoding="utf-8")
    print(table(pair))


if __name__ == "__main__":
    main()
