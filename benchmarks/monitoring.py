"""Time and memory of `make monitor` over prediction logs of growing length, beside Evidently's report of the same rows.

A repository is generated, learns from a table of 5,000 rows and 20 columns, and is given logs of made-up predictions.
"""

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from copier import run_copy

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/monitoring.md"
COLUMNS, BLOCK = 20, 5_000
LENGTHS = (5_000, 100_000, 1_000_000, 10_000_000)
MONITOR, EVIDENTLY = "monitoring.monitor", "monitoring.evidently_report"
# The work alone, without the start of Python and the imports.
INSIDE = """
import sys, time
from bench.monitoring import monitor
started = time.perf_counter()
try:
    monitor.main()
except SystemExit:
    pass
print(time.perf_counter() - started, file=sys.stderr)
"""


def make(project: Path, *words: str) -> None:
    """Run tasks of the repository."""
    subprocess.run(["make", "--silent", *words], cwd=project, check=True, stdout=subprocess.DEVNULL)


def generate(folder: Path) -> Path:
    """A repository with a champion of made-up data."""
    project, table = folder / "bench", folder / "table.csv"
    source = random.Random(0)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(f"c{number}" for number in range(COLUMNS)), "target"])
        for _ in range(BLOCK):
            row = [source.gauss(0, 1) for _ in range(COLUMNS)]
            writer.writerow([*row, "yes" if row[0] + row[1] > 0 else "no"])
    answers = {"project_name": "Bench", "package_name": "bench", "evidently": True}
    run_copy(str(ROOT), project, data=answers, defaults=True, quiet=True, vcs_ref="HEAD")
    make(project, "setup")
    make(project, "data", f"SOURCE={table}", "TARGET=target")
    make(project, "pipeline", "promote")
    return project


def block(source: random.Random) -> bytes:
    """Predictions, one a line, as the service logs them."""
    lines = []
    for number in range(BLOCK):
        row = {f"c{column}": source.gauss(0, 1) for column in range(COLUMNS)}
        share = source.random()
        label, shares = "yes" if share > 0.5 else "no", {"no": 1 - share, "yes": share}
        answer = {"id": f"b-{number:x}", "prediction": label, "probabilities": shares}
        record = {"time": time.time(), "model_version": "1", "rows": [row], "predictions": [answer]}
        lines.append(json.dumps(record, separators=(",", ":")))
    return ("\n".join(lines) + "\n").encode()


def write_log(project: Path, rows: int) -> int:
    """A log of so many predictions; returns its size in bytes."""
    log = project / ".local/logs/predictions.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(1)
    blocks = [block(source) for _ in range(min(rows // BLOCK, 20))]
    with log.open("wb") as file:
        for number in range(rows // BLOCK):
            file.write(blocks[number % len(blocks)])
    return log.stat().st_size


def measure(project: Path, command: list[str]) -> tuple[float, float, str]:
    """Seconds, peak memory in MB, and what it printed last on stderr."""
    started = time.perf_counter()
    environment = {**os.environ, "PYTHONPATH": "src"}
    process = subprocess.Popen(
        command, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    told = process.stderr.read().strip().splitlines()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 3):
        raise SystemExit("\n".join(told[-5:]))
    return time.perf_counter() - started, usage.ru_maxrss / 1024, told[-1] if told else ""


def main() -> None:
    """Print the table and keep it."""
    lines = [
        "| what | predictions | log, MB | s, whole process | s, work alone | peak MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    with tempfile.TemporaryDirectory() as folder:
        project = generate(Path(folder))
        python = project / ".venv/bin/python"
        for rows in LENGTHS:
            size = write_log(project, rows) / 1e6
            whole, memory, _ = measure(project, [str(python), "-m", f"bench.{MONITOR}"])
            _, _, alone = measure(project, [str(python), "-c", INSIDE])
            lines.append(f"| make monitor | {rows:,} | {size:.0f} | {whole:.1f} | {float(alone):.2f} | {memory:.0f} |")
            print(lines[-1], file=sys.stderr, flush=True)
            if rows == LENGTHS[0]:
                make(project, "evidently")
                peer = [str(project / ".venv-evidently/bin/python"), "-W", "ignore", "-m", f"bench.{EVIDENTLY}"]
                whole, memory, _ = measure(project, peer)
                lines.append(f"| make evidently | {rows:,} | {size:.0f} | {whole:.1f} | | {memory:.0f} |")
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
